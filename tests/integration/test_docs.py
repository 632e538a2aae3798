"""What README.md and docs/ say about files, commands and service files is so."""
import json
import os
import pathlib
import re
import subprocess

import pytest
from zinit import TREE, cli

UNITDUMP = pathlib.Path(os.environ.get("ZINIT_BUILD") or TREE / "build") / "tests" / "unitdump"
README = TREE / "README.md"
PAGES = [page for page in (README, *sorted((TREE / "docs").glob("*.md"))) if page.exists()]
needs_readme = pytest.mark.skipif(not README.exists(), reason="there is no README.md")


def without_code(text):
    return re.sub(r"^```.*?^```$|^    .*?$|`[^`\n]*`", "", text, flags=re.M | re.S)


def anchors(page):
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_page_of_commands_is_what_the_program_prints():
    built = cli("--list").out.split()
    rest = {file.stem for file in (TREE / "applets").glob("*.c")} - {"main", "call"} - set(built)
    if rest:
        pytest.skip(f"not built in: {' '.join(sorted(rest))}")
    done = cli("help", "--markdown")
    assert (done.code, done.err) == (0, "")
    assert (TREE / "docs" / "cmd.md").read_text() == done.out, "docs/cmd.md is old: zinit help --markdown > docs/cmd.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_its_links_lead_somewhere(page):
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", without_code(page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        there = page.parent / target if target else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), f"{target}#{anchor}"


BLOCKS = [pytest.param(block, id=f"{page.name}-{i}") for page in PAGES
          for i, block in enumerate(re.findall(r"^```ya?ml\n(.*?)^```$", page.read_text(), re.M | re.S))
          if re.search(r"^(exec|test|oneshot|after|env|log|dir|essential):", block, re.M)]


@pytest.mark.parametrize("block", BLOCKS)
def test_its_service_files_are_accepted(tmp_path, block):
    (tmp_path / "a.yaml").write_text(block)
    if not UNITDUMP.exists():
        pytest.skip(f"there is no {UNITDUMP}; build it with `make check-unit`")
    unit = json.loads(subprocess.run([UNITDUMP, tmp_path / "a.yaml"], capture_output=True, check=True).stdout)
    assert "error" not in unit, unit
    assert unit["warnings"] == [] and not unit["exec_broken"] and not unit["test_broken"]


def goals(page):
    return re.findall(r"^ {4}make ([a-z][\w-]*)", page.read_text(), re.M)


def targets():
    files = [TREE / "Makefile", TREE / "tests" / "tests.mk", *(TREE / "configs").glob("*.mk")]
    text = "".join(file.read_text() for file in files)
    names = set()
    for line in re.findall(r"^([\w%.][\w%. -]*):(?!=)", text, re.M):
        names.update(line.split())
    return names


@needs_readme
def test_the_two_main_commands_of_the_readme_exist():
    assert len(goals(README)) == 2 and set(goals(README)) <= targets()


def test_make_goals_of_the_other_pages_exist():
    for page in PAGES:
        for goal in goals(page):
            pattern = goal.endswith("_defconfig") and (TREE / "configs" / goal).exists() and "%_defconfig" in targets()
            assert goal in targets() or pattern, f"{page.name}: make {goal}"


def test_shown_commands_are_those_of_the_program():
    known = {file.stem for file in (TREE / "applets").glob("*.c")} - {"main", "call"}
    for page in PAGES:
        for word in re.findall(r"^ {4}zinit (\w+)|`zinit (\w+)", page.read_text(), re.M):
            assert "".join(word) in known, f"{page.name}: zinit {''.join(word)}"
