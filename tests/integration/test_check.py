"""zinit check: what is wrong with service files, without a daemon, and in agreement with one."""
import json
import os
import re
import subprocess
import tempfile

import pytest
from yaml_cases import CASES, NAMES, SHAPES
from zinit import PATIENCE, ZINIT, cli, is_error, wait_until

pytestmark = pytest.mark.skipif("check" not in cli("--list").out.split(), reason="check is not built in")


def write(folder, files):
    for name, content in files.items():
        path = os.path.join(os.fsencode(folder), os.fsencode(name))
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())


def check(folder, *words, **options):
    """Runs check in FOLDER: exit code and lines."""
    done = cli("check", *words, cwd=folder, **options)
    lines = done.out.splitlines()
    errors = sum(": error: " in line for line in lines)
    assert all(re.match(r".+: (error|warning): ", line) for line in lines), done
    if done.code:
        assert re.fullmatch(rf"zinit: {errors} errors? and {len(lines) - errors} warnings? in \d+ files?\n", done.err), done
    else:
        assert done.err == "" and not errors, done
    return done.code, lines


def test_good_files_give_no_word(tmp_path):
    write(tmp_path, {"a.yaml": "exec: sleep 1\nafter: [b]\n", "b.yml": "exec: 'true'\noneshot: yes\ndir: /tmp\n",
                     "notes.txt": "exec: [", "sub.yaml.bak": "x"})
    (tmp_path / "folder.yaml").mkdir()
    os.mkfifo(tmp_path / "fifo.yaml")
    for words in ([], ["."], ["./"], [str(tmp_path)], ["a.yaml"], ["./a.yaml", "b.yml"]):
        assert check(tmp_path, *(words or ["."])) == (0, []), words
    assert cli("check", "--json", str(tmp_path)) == (0, "[]\n", "")


def test_a_misspelt_key(tmp_path):
    write(tmp_path, {"a.yaml": "exec: sleep 1000\nshutdown_timout: 60\nlogs: stdout\nname: a\nafte: [b]\n"})
    assert check(tmp_path, ".") == (1, [
        "./a.yaml:2:1: error: shutdown_timout: unknown key, did you mean 'shutdown_timeout'?",
        "./a.yaml:3:1: error: logs: unknown key, did you mean 'log'?",
        "./a.yaml:4:1: error: name: unknown key",
        "./a.yaml:5:1: error: afte: unknown key, did you mean 'after'?"])


def test_one_string_as_after_is_a_warning(tmp_path):
    write(tmp_path, {"a.yaml": "exec: sleep 1\nafter: b\n", "b.yaml": "exec: sleep 1\n"})
    warning = "a.yaml:2:8: warning: after: one string, taken as a list of one name"
    assert check(tmp_path, "a.yaml") == (0, [warning])
    assert check(tmp_path, "a.yaml", "--strict") == (1, [warning])


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.replace(" ", "-"))
def test_shapes_that_people_write_are_fine(tmp_path, shape):
    write(tmp_path, {"svc.yaml": SHAPES[shape]})
    _, lines = check(tmp_path, "--no-programs", "svc.yaml")
    known = ("after: one string", "after: there is no service", "test: has no effect", "extra: unknown key")
    assert all(any(text in line for text in known) for line in lines), lines


def test_all_mistakes_of_a_file_are_told_in_the_order_of_its_lines(tmp_path):
    write(tmp_path, {"b.yaml": "exec: [x]\nlog: 5\ndir: /no/such\ntest: ./probe\nkill: all\n"
                               "after: [bb, b.yaml, '', /x, a]\nenv: {A: [1], B: {}, C: 1, C: 2, '=': 3}\nsignal:\n  stop: FOO\n"
                               "  start: INT\nlog: ring\nshutdown_timeout: 5s\n", "a.yaml": "exec: sleep 1\n"})
    code, lines = check(tmp_path, "b.yaml")
    assert code == 1
    assert [re.sub(r": error: (\S+?):? .*", r" \1", line) for line in lines] == [
        "b.yaml:1:7 exec", "b.yaml:2:6 log", "b.yaml:3:6 dir", "b.yaml:5:7 kill", "b.yaml:6:9 after", "b.yaml:6:13 after",
        "b.yaml:6:21 after[2]", "b.yaml:6:25 after", "b.yaml:7:10 env.A", "b.yaml:7:18 env.B", "b.yaml:7:28 env.C",
        "b.yaml:7:34 env", "b.yaml:9:9 signal.stop", "b.yaml:10:3 start", "b.yaml:11:1 log", "b.yaml:12:19 shutdown_timeout"]
    assert lines[4].endswith("after: there is no service 'bb'; did you mean 'b'?")
    assert lines[5].endswith("after: there is no service 'b.yaml'; did you mean 'b'?")


def test_a_thousand_mistakes(tmp_path):
    keys = "".join(f"key{i}: x\n" for i in range(900))
    write(tmp_path, {"a.yaml": "exec: sleep 1\n" + keys})
    assert len(check(tmp_path, "a.yaml")[1]) == 900
    write(tmp_path, {"a.yaml": "exec: sleep 1\n" + keys * 60})
    assert len(check(tmp_path, "a.yaml")[1]) < 1100


def test_unknown_names_and_cycles(tmp_path):
    service = "exec: sleep 1\nafter: [{}]\n"
    write(tmp_path, {f"{name}.yaml": service.format(after) for name, after in
                     {"self": "self", "a": "x, b", "b": "c", "c": "a, d", "d": "", "e": "databse", "database": "", "f": "a, f",
                      "bad": "d"}.items()})
    write(tmp_path, {"bad.yaml": "exec: [\n", "g.yaml": service.format("bad")})
    cycle = "after: a cycle, none of these can start: "
    assert check(tmp_path, ".") == (1, [
        "./a.yaml:2:9: error: after: there is no service 'x'",
        f"./a.yaml:2:12: error: {cycle}a -> b -> c -> a",
        "./bad.yaml:2:1: error: did not find expected node content while parsing a flow node (from line 2)",
        "./e.yaml:2:9: error: after: there is no service 'databse'; did you mean 'database'?",
        f"./f.yaml:2:12: error: {cycle}f -> f",
        f"./self.yaml:2:9: error: {cycle}self -> self"])
    # Only the files asked for are told of, but their folder is known.
    assert check(tmp_path, "b.yaml", "d.yaml") == (1, [f"b.yaml:2:9: error: {cycle}a -> b -> c -> a"])
    assert check(tmp_path, "g.yaml") == (0, [])


def test_a_long_chain_is_no_cycle_and_is_fast(tmp_path):
    last = 3000
    write(tmp_path, {f"s{i}.yaml": f"exec: sleep 1\nafter: [s{i + 1}, s{min(i + 2, last)}]\n" for i in range(last)})
    write(tmp_path, {f"s{last}.yaml": "exec: sleep 1\n"})
    assert check(tmp_path, ".") == (0, [])
    write(tmp_path, {f"s{last}.yaml": "exec: sleep 1\nafter: [s0]\n"})
    assert check(tmp_path, ".")[0] == 1


PROGRAMS = [
    ("no-such-program -x", "exec: there is no program 'no-such-program' in PATH (/p:/q)"),
    ("FOLDER/missing", "exec: 'FOLDER/missing' does not exist"),
    ("FOLDER", "exec: 'FOLDER' is a folder, expected a program"),
    ("FOLDER/plain", "exec: 'FOLDER/plain' is not executable"),
    ("FOLDER/plain/x", "exec: 'FOLDER/plain/x' Not a directory"),
    ("FOLDER/script", "exec: 'FOLDER/script' begins with #!/no/such/shell: No such file or directory"),
    ("''", "exec: there is no program '' in PATH (/p:/q)"),
    ("FOLDER/good", None), ("good", "exec: there is no program 'good' in PATH (/p:/q)"), ("./good", "exec: './good' does not exist"),
]


@pytest.fixture
def programs(tmp_path):
    folder = tmp_path / "programs"
    folder.mkdir()
    write(folder, {"plain": "", "script": "#!/no/such/shell\n", "good": "#! /bin/sh -e\n"})
    for name in ("script", "good"):
        (folder / name).chmod(0o755)
    return folder


@pytest.mark.parametrize("command, problem", PROGRAMS, ids=[row[0] for row in PROGRAMS])
def test_programs_that_do_not_exist(tmp_path, programs, command, problem):
    command, problem = (text and text.replace("FOLDER", str(programs)) for text in (command, problem))
    write(tmp_path, {"a.yaml": f"exec: {json.dumps(command)}\n", "t.yaml": f"exec: /bin/sh\ntest: {json.dumps(command)}\n"})
    found = [f"a.yaml:1:7: error: {problem}"] if problem else []
    assert check(tmp_path, "a.yaml", env={"PATH": "/p:/q"}) == (bool(found), found)
    found = [f"t.yaml:2:7: error: {problem.replace('exec', 'test', 1)}"] if problem else []
    assert check(tmp_path, "t.yaml", env={"PATH": "/p:/q"}) == (bool(found), found)
    assert check(tmp_path, "--no-programs", "a.yaml", env={"PATH": "/p:/q"}) == (0, [])


def test_the_path_is_that_of_the_service(tmp_path, programs):
    write(tmp_path, {
        "env.yaml": f"exec: good\nenv: {{PATH: '/p:{programs}'}}\n", "dir.yaml": f"exec: ./good\ndir: {programs}\n",
        "relative.yaml": f"exec: good\ndir: {tmp_path}\nenv: {{PATH: 'x:programs'}}\n",
        "empty.yaml": f"exec: good\ndir: {programs}\nenv: {{PATH: ''}}\n", "inherited.yaml": "exec: good\n",
        "other.yaml": "exec: good\nenv: {PATH: /p}\n"})
    found = ["./other.yaml:1:7: error: exec: there is no program 'good' in PATH (/p)"]
    assert check(tmp_path, ".", env={"PATH": str(programs)}) == (1, found)
    assert check(tmp_path, "other.yaml", "env.yaml", env={})[1] == [found[0][2:]]
    # Without any PATH it is the one that the daemon takes then.
    write(tmp_path, {"sh.yaml": "exec: sh\n"})
    assert check(tmp_path, "sh.yaml", env={}) == (0, [])


def test_the_environment_file_counts(daemon, programs):
    daemon.service("a", "good")
    daemon.launch(etc_environment=b"nonsense\nPATH=" + os.fsencode(programs) + b"\n",
                  argv=[ZINIT, "check", str(daemon.config)])
    assert daemon.wait_exit() == 0
    assert daemon.stdout() == ["/etc/environment:1:1: warning: no '=', expected NAME=value"]


def test_folders_that_do_not_exist(tmp_path):
    write(tmp_path, {"a.yaml": "exec: sh\ndir: /no/such\n", "b.yaml": "exec: sh\ndir: /dev/null\n",
                     "c.yaml": "exec: ./x\ndir: relative\n"})
    assert check(tmp_path, ".") == (1, [
        "./a.yaml:2:6: error: dir: '/no/such' does not exist", "./b.yaml:2:6: error: dir: '/dev/null' is no folder",
        "./c.yaml:2:6: warning: dir: a relative path, expected one that starts with /"])
    assert check(tmp_path, "--no-programs", "a.yaml", "b.yaml") == (0, [])


def test_a_command_that_cannot_be_split(tmp_path):
    write(tmp_path, {"a.yaml": "exec: |\n  sh -c\n  \"x\n", "b.yaml": "exec: '# nothing'\n"})
    assert check(tmp_path, ".") == (1, [
        "./a.yaml:1:7: error: exec: a double quote is not closed: line 2, column 1 of the command: \"x ",
        "./b.yaml:1:7: error: exec: holds no command, only blanks or a comment: line 1, column 1 of the command: # nothing"])


def test_a_probe_of_a_oneshot_is_a_warning(tmp_path):
    write(tmp_path, {"a.yaml": "exec: sh\noneshot: true\ntest: 'true'\n"})
    assert check(tmp_path, "a.yaml") == (0, ["a.yaml:3:7: warning: test: has no effect, since oneshot is true"])


def test_names_of_files(tmp_path):
    write(tmp_path, {"a.yaml": "exec: sh\n", "a.yml": "exec: [\n", ".b.yaml": "exec: sh\n", "x" * 129 + ".yaml": "exec: sh\n",
                     b"\xff.yaml": "exec: sh\n", "é b:c.yaml": "exec: sh\n", "-x.yaml": "exec: sh\n", "a\nb.yaml": "exec: sh\n"})
    code, lines = check(tmp_path, ".")
    assert code == 1 and lines == [
        "./.b.yaml: error: the name starts with '.'", "./a\\x0ab.yaml: error: the name holds a control byte",
        "./a.yml: error: left out: there is a a.yaml too", f"./{'x' * 129}.yaml: error: the name is longer than 128 bytes",
        "./\udcff.yaml: error: the name is not UTF-8"]
    assert check(tmp_path, "--", "-x.yaml") == (0, [])
    assert check(tmp_path, "a.yml") == (1, ["a.yml: error: left out: there is a a.yaml too"])
    assert json.loads(cli("check", "--json", str(tmp_path)).out)


@pytest.mark.parametrize("name, problem", [
    ("missing.yaml", "No such file or directory"), ("missing/a.yaml", "No such file or directory"), ("missing", "the name does not end in"),
    ("file.conf", "the name does not end in .yaml or .yml"), ("fifo.yaml", "a FIFO, expected a regular file")])
def test_what_is_no_file(tmp_path, name, problem):
    write(tmp_path, {"file.conf": "exec: sh\n"})
    os.mkfifo(tmp_path / "fifo.yaml")
    code, lines = check(tmp_path, name)
    assert code == 1 and len(lines) == 1 and problem in lines[0]


def test_a_file_named_like_a_service(tmp_path):
    write(tmp_path, {"a": "", "a.yaml": "exec: sh\nafter: [b]\n", "b": "", "b.yaml": "exec: sh\n"})
    assert check(tmp_path, "a", "b", "a.yaml", "./a.yaml") == (1, [f"{name}: error: the name does not end in .yaml or .yml" for name in "ab"])


def test_an_empty_word():
    is_error(cli("check", ""), "empty")


def test_a_folder_without_services_is_a_warning(tmp_path):
    assert check(tmp_path, ".") == (0, ["./: warning: no service files here"])
    assert check(tmp_path, "--strict", ".")[0] == 1


def test_no_permission():
    if os.geteuid() != 0:
        pytest.skip("only root can take another uid")

    def someone():
        os.setgid(12345)
        os.setuid(12345)

    with tempfile.TemporaryDirectory() as folder:
        write(folder, {"a.yaml": "exec: sh\n"})
        os.chmod(folder, 0o755)
        os.chmod(f"{folder}/a.yaml", 0)
        try:
            assert check(folder, "a.yaml", preexec_fn=someone) == (1, ["a.yaml: error: Permission denied"])
        except PermissionError:
            pytest.skip("another user cannot run the binary")


def test_json(tmp_path):
    write(tmp_path, {"a.yaml": "exec: sh\nafter: b\n", ".b.yaml": ""})
    done = cli("check", "--json", ".", cwd=tmp_path)
    assert done.code == 1 and done.out.count("\n") == 1
    assert json.loads(done.out) == [
        {"file": "./.b.yaml", "severity": "error", "text": "the name starts with '.'"},
        {"file": "./a.yaml", "line": 2, "column": 8, "severity": "warning",
         "text": "after: one string, taken as a list of one name"},
        {"file": "./a.yaml", "line": 2, "column": 8, "severity": "error", "text": "after: there is no service 'b'"}]


def test_a_full_disk_is_an_error(tmp_path):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([ZINIT, "check", "--json", tmp_path], stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
    assert done.returncode == 1
    assert re.fullmatch(r"zinit: [^\n]*No space left on device\n", done.stderr)


def test_check_and_the_daemon_agree_on_every_file(daemon):
    """What init says of a file check says too; what init loads has no other errors than those that show later."""
    for case in CASES:
        daemon.write(case.file, case.bytes)
    for _, file, _, _ in NAMES:
        if "/" not in file and len(os.fsencode(file)) < 256:
            daemon.write(file, b"exec: run me\n")
    daemon.start()
    log = wait_until(lambda: [line for line in daemon.stdout() if f"{daemon.config}/" in line])
    loaded = set(daemon.list())
    _, lines = check(daemon.dir, "--no-programs", "c")
    told = {re.sub(r"^c/(.*?: )(?:error|warning): ", r"\1", line) for line in lines}
    refused = set()
    for line in log:
        level, text = re.fullmatch(r"zinit: (ERROR|WARN) (?:failed to load config file: )?(.*)", line).groups()
        text = text.replace(f"{daemon.config}/", "", 1).replace(": skipped: ", ": ").replace(".yml is left out:", ".yml: left out:")
        assert text in told or "\\x" in text, text
        if level == "ERROR":
            refused.add(re.match(r"(.*?)\.ya?ml:", text)[1])
    later = r"(after: (a cycle|there is no service)|\w+: .* of the command: |test: has no effect)"
    said = {line.split(": ", 1)[1] for line in log}
    for line in lines:
        name, rest = re.fullmatch(r"c/(.*?)\.ya?ml((?::\d+:\d+)?: .*)", line).groups()
        if name in loaded and ": error: " in line:
            rest = re.sub(r": error: ", ": ", rest)
            assert re.search(later, rest) or any(rest in text for text in said), line
    assert loaded and refused and not loaded & refused


def test_a_path_in_a_folder_that_is_not_there(tmp_path):
    path = str(tmp_path / "no" / "such.yaml")
    done = cli("check", path, str(tmp_path / "gone") + "/")
    assert done.code == 1
    assert f"{path}: error: No such file or directory\n" in done.out and f"{tmp_path}/gone" in done.out
