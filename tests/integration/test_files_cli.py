"""create, get and delete: files of services from the command line; events: changes as they happen."""
import json
import os
import re
import signal
import subprocess

import pytest
from zinit import PATIENCE, ZINIT, cli, is_error, needs, sh, wait_until

pytestmark = pytest.mark.skipif(not {"create", "get", "delete", "events"} <= set(cli("--list").out.split()), reason="not built in")


def create(daemon, name, content, *words):
    needs("FILES", "service_create")
    done = subprocess.run([ZINIT, "-s", daemon.socket, "create", "--", name, *words], input=content, capture_output=True,
                          timeout=PATIENCE)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def content_of(daemon, name):
    return (daemon.config / f"{name}.yaml").read_text()


@pytest.mark.parametrize("content", [b"exec: sleep 1000\nafter: [b]\n", b'{"exec": "sleep 1000", "after": ["b"]}\n',
                                     b"# why\r\nexec: sleep 1000 # what\r\nafter: b", b'\xef\xbb\xbf{"after":["b"],\n"exec":"sleep 1000"}'])
def test_create_from_stdin_yaml_or_json(daemon, content):
    daemon.start()
    code, out, err = create(daemon, "a", content)
    assert (code, out) == (0, "") and ("one string" in err) == (b"after: b" in content)
    assert content_of(daemon, "a") == "---\nafter:\n  - b\nexec: sleep 1000\n"
    assert daemon.ok("get", "a") == content_of(daemon, "a")
    assert json.loads(daemon.ok("get", "a", "--json")) == {"after": ["b"], "exec": "sleep 1000"}
    assert daemon.list() == {}


def test_create_from_a_file(daemon):
    (daemon.dir / "x.json").write_text('{"exec": "true", "oneshot": true, "log": null}')
    daemon.start()
    assert daemon.ok("create", "a", daemon.path("x.json")) == ""
    assert content_of(daemon, "a") == "---\nexec: \"true\"\nlog: ~\noneshot: true\n"
    assert create(daemon, "b", (daemon.dir / "x.json").read_bytes(), "-")[0] == 0
    daemon.ok("monitor", "a")
    daemon.wait_state("a", "Success")
    is_error(daemon.cli("create", "a", daemon.path("x.json")), "creating service: Service 'a' already exists")
    is_error(daemon.cli("create", "c", "/no/such/file"), "/no/such/file", "No such file")
    is_error(daemon.cli("create", "c", daemon.path("c")), "Is a directory")


def test_texts_stay_as_they_are(daemon):
    daemon.start()
    content = ("exec: 0x10\ntest: 010\ndir: 1.50\nafter: [0x1f, yes, 1e3, ~]\nenv: {A: 010, B: 0x1f, C: True, D: ~, E: '', F: .5, G: 'a: b',"
               " 0x2: x}\nshutdown_timeout: 18446744073709551615\nfoo: {bar: [1, 0x1f, {}]}\n")
    code, out, err = create(daemon, "a", content.encode())
    assert (code, out) == (0, "") and "WARN stdin:7:1: foo: unknown key" in err and "stdin:3:6: dir: a relative path" in err
    got = json.loads(daemon.ok("get", "a", "--json"))
    assert got == {"exec": "0x10", "test": "010", "dir": "1.50", "after": ["0x1f", "yes", "1e3", "~"],
                   "env": {"A": "010", "B": "0x1f", "C": "True", "D": "~", "E": "", "F": ".5", "G": "a: b", "0x2": "x"},
                   "shutdown_timeout": 18446744073709551615, "foo": {"bar": [1, 31, {}]}}
    assert "shutdown_timeout: 18446744073709551615\n" in daemon.ok("get", "a")


@pytest.mark.parametrize("content, words", [
    (b"", "stdin:1:1: the file is empty"), (b"exec: [\n", "stdin:2:1: "), (b"- a\n", "stdin:1:1: the document is a list"),
    (b"log: ring\n", "stdin:1:1: exec: missing"), (b'{"exec": 1, "exec": 2}', "stdin:1:13: exec: this key stands here twice"),
    (b"exec: a\nshutdown_timeout: 5s\n", "stdin:2:19: shutdown_timeout"), (b"\xff\n", "stdin:1:1: "), (b"exec: " + b"x" * (1 << 20), "1048576"),
    (b"exec: a\nfoo: {x: 1, x: 2}\n", "stdin: failed to parse YAML")])
def test_what_is_no_service_is_not_created(daemon, content, words):
    daemon.start()
    code, out, err = create(daemon, "a", content)
    assert (code, out) == (1, "") and re.search(rf"^zinit: (?!WARN).*{re.escape(words)}", err, re.M), err
    assert os.listdir(daemon.config) == []


def test_wrong_words(daemon):
    daemon.start()
    is_error(daemon.cli("create"), "NAME")
    is_error(daemon.cli("create", "a", "b", "c"), "too many")
    is_error(daemon.cli("get"), "SERVICE")
    is_error(daemon.cli("get", "a", "b"), "one service only")
    is_error(daemon.cli("delete"), "SERVICE")
    is_error(daemon.cli("get", "nosuch"), "getting service: Service 'nosuch' not found")
    is_error(daemon.cli("delete", "nosuch"), "deleting service: Service 'nosuch' not found")
    assert "invalid service name" in create(daemon, "a/b", b"exec: a\n")[2]
    assert create(daemon, "-x", b"exec: a\n")[0] == 0
    assert daemon.ok("get", "--", "-x") == "---\nexec: a\n"


def test_delete(daemon):
    for name in ("a", "b"):
        daemon.service(name, "sleep 1000")
    daemon.start()
    daemon.wait_all()
    assert daemon.ok("delete", "a", "b") == ""
    assert os.listdir(daemon.config) == []
    assert daemon.list() == {"a": "Running", "b": "Running"}
    assert daemon.status("a")["file"] == "removed"


@pytest.mark.parametrize("json_lines", [False, True])
def test_events(daemon, json_lines):
    needs("EVENTS", "the stream of events")
    for name in ("a", "b c"):
        daemon.service(name, "sleep 1000")
    daemon.start()
    daemon.wait_all()
    words = ["--json"] if json_lines else []
    with open(daemon.path("all"), "wb") as every, open(daemon.path("one"), "wb") as one:
        followers = [subprocess.Popen([ZINIT, "-s", daemon.socket, "events", *more, *words], stdout=out, stderr=subprocess.PIPE, text=True)
                     for more, out in (([], every), (["b c"], one))]
    try:
        # Each has its subscription once it shows a change.
        wait_until(lambda: daemon.ok("restart", "b c") == "" and os.path.getsize(daemon.path("all")) and os.path.getsize(daemon.path("one")))
        daemon.ok("stop", "a")
        daemon.ok("forget", "a")
        wait_until(lambda: "Unknown" in (daemon.dir / "all").read_text())
        daemon.ok("stop", "b c")
        wait_until(lambda: (daemon.dir / "all").read_text().rstrip().split("\n")[-1] == (daemon.dir / "one").read_text().rstrip().split("\n")[-1])
        daemon.stop()
        for follower in followers:
            assert follower.wait(PATIENCE) == 1
            assert follower.stderr.read() == f"zinit: the connection to the daemon at {daemon.socket} has ended\n"
    finally:
        for follower in followers:
            follower.kill()
            follower.wait()
            follower.stderr.close()
    lines = (daemon.dir / "all").read_text().splitlines()
    if json_lines:
        lines = [f"{e['time']} {e['name']} {e['from']} -> {e['to']} ({e['reason']})" for e in map(json.loads, lines)]
    pattern = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (a|b c) (\w+(?:\(.*\))?) -> (\w+(?:\(.*\))?)( \(.+\))?"
    changes = [re.fullmatch(pattern, line).groups() for line in lines]
    assert [change[2].split("(")[0] for change in changes if change[0] == "a"] == ["Error", "Unknown"]
    assert {line.split(" -> ")[0].split()[1] for line in (daemon.dir / "one").read_text().splitlines()} == {"b"} or json_lines


def test_events_of_nobody_and_head(daemon):
    needs("EVENTS", "the stream of events")
    daemon.service("a", sh("sleep 0.1"))
    daemon.start()
    done = subprocess.run(["bash", "-c", f"{ZINIT} -s {daemon.socket} events a | head -n 1"], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0 and done.stderr == "" and " a " in done.stdout
    is_error(daemon.cli("events", "a", "b"), "b")
    is_error(daemon.cli("events", "aa"), "aa", "did you mean 'a'?")
    follower = subprocess.Popen([ZINIT, "-s", daemon.socket, "events"], stdout=subprocess.DEVNULL,
                                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    follower.send_signal(signal.SIGINT)
    assert follower.wait(PATIENCE) == -signal.SIGINT
