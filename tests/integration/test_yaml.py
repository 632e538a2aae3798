"""What a service file means: build/tests/unitdump prints it, yaml_cases.py says what it must be."""
import json
import os
import pathlib
import re
import shlex
import subprocess

import pytest
from yaml_cases import CASES, NAMES, SHAPES

TREE = pathlib.Path(__file__).resolve().parents[2]
UNITDUMP = pathlib.Path(os.environ.get("ZINIT_BUILD") or TREE / "build") / "tests" / "unitdump"

pytestmark = pytest.mark.skipif(not UNITDUMP.exists(), reason=f"{UNITDUMP} is not built")


def dump(folder, name, content):
    path = folder / name
    path.write_bytes(content)
    done = subprocess.run([UNITDUMP.resolve(), name], cwd=folder, capture_output=True, timeout=60)
    assert done.stderr == b"" and done.returncode == 0, done.stderr.decode(errors="replace")
    return json.loads(done.stdout)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case, tmp_path):
    unit = dump(tmp_path, case.file, case.bytes)
    error = unit.pop("error", None)
    warnings = unit.pop("warnings")
    assert unit.pop("name") == case.name
    assert unit.pop("name_problem") is None
    if case.error is not None:
        assert error is not None, "accepted"
        assert error.startswith(f"{case.file}:{case.error}")
    else:
        assert error is None
        assert unit == case.fields
    if case.warn:
        assert any(case.warn in line for line in warnings), warnings
    else:
        assert warnings == [] or (error and case.error)


def test_names_of_cases_are_unique():
    names = [case.name for case in CASES] + [row[0] for row in NAMES]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("file, name, problem", [row[1:] for row in NAMES], ids=[row[0] for row in NAMES])
def test_file_name(file, name, problem, tmp_path):
    unit = dump(tmp_path, file, b"exec: run me\n")
    assert unit["name"] == name
    if name is None:
        assert unit["name_problem"] == "no service file"
    elif problem:
        assert problem in unit["name_problem"]
    else:
        assert unit["name_problem"] is None


def join_lines(text):
    """Without the backslash-newlines that a shell deletes: all but those in single quotes."""
    result, quote, i = [], "", 0
    while i < len(text):
        if text[i] == "\\" and quote != "'":
            if text[i + 1 : i + 2] != "\n":
                result.append(text[i : i + 2])
            i += 2
            continue
        if text[i] in "'\"" and quote in ("", text[i]):
            quote = "" if quote else text[i]
        result.append(text[i])
        i += 1
    return "".join(result)


def argv_of(text):
    return shlex.split(join_lines(text), comments=True)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.replace(" ", "-"))
def test_shape_means_what_pyyaml_and_shlex_say(shape, tmp_path):
    yaml = pytest.importorskip("yaml")
    content = SHAPES[shape].encode()
    # BaseLoader leaves every scalar a string: PyYAML reads 010 and 1_000 as YAML 1.1 does.
    expected = yaml.load(content, Loader=yaml.BaseLoader)
    unit = dump(tmp_path, "svc.yaml", content)
    after = expected.get("after", [])
    assert "error" not in unit
    assert unit["exec"] == expected["exec"]
    assert unit["exec_argv"] == argv_of(expected["exec"])
    assert unit["test"] == expected.get("test")
    assert unit["test_argv"] == (argv_of(expected["test"]) if "test" in expected else None)
    assert unit["after"] == ([after] if isinstance(after, str) else after)
    assert unit["env"] == [list(pair) for pair in expected.get("env", {}).items()]
    assert unit["dir"] == expected.get("dir")
    assert unit["oneshot"] == (expected.get("oneshot", "").lower() == "true")
    assert unit["log"] == expected.get("log", "ring")
    if isinstance(after, str):
        assert any("after: one string" in line for line in unit["warnings"])


def test_the_document_has_the_table_of_the_code():
    rows = (TREE / "lib/conf/fields.def").read_text()
    text = dict(re.findall(r'^FIELD_TYPE\((\w+), "(.*)"\)$', rows, re.M))
    fields = re.findall(r'^FIELD\("(.*?)", (\w+), \w+, "(.*?)", "(.*)"\)$', rows, re.M)
    expected = [f"| `{key}` | {text[kind]} | {default} | {help} |" for key, kind, default, help in fields]
    document = (TREE / "docs/services.md").read_text().splitlines()
    assert len(expected) > 10
    assert [line for line in document if line.startswith("| `")] == expected
