"""list and status print what the recorded program prints, state by state.

The services have the shapes of the recordings; the expected texts are written out here. P stands for a pid.
Differences that are decided: list is sorted, start and restart act at once, status may add fields at its end.
"""
import json
import re

import pytest
from zinit import BANNER, is_error, sh, wait_until

SERVICES = {
    "sleeper": dict(exec="sleep 1000"),
    "one-ok": dict(exec="true", oneshot=True),
    "one-fail": dict(exec=sh("exit 3"), oneshot=True),
    "one-kill": dict(exec=sh("kill -KILL $$"), oneshot=True),
    "one-long": dict(exec="sleep 1000", oneshot=True),
    "blocked": dict(exec="sleep 1000", after=["ghost"]),
    "crash": dict(exec=sh("exit 1")),
    "okloop": dict(exec="true"),
    "testfail": dict(exec="sleep 1000", test="false"),
    "tested": dict(exec="sleep 1000", test=sh("echo probing")),
    "noexec": dict(exec="/no/such/binary"),
    "baddir": dict(exec="sleep 1000", dir="/no/such/dir"),
    "badquote": dict(exec='sh -c "unterminated'),
    "dep": dict(exec="sleep 1000", after=["sleeper", "one-ok"]),
    "depfail": dict(exec="sleep 1000", after=["one-fail"]),
    "dep3": dict(exec="sleep 1000", after=["sleeper", "ghost", "crash"]),
    "chatty": dict(exec=sh("echo out1; sleep 0.2; echo err1 >&2; sleep 0.2; echo '  two  spaces'; exec sleep 1000")),
    "trap": dict(exec=sh("trap '' TERM; exec sleep 1000"), shutdown_timeout=1),
    "onterm": dict(exec=sh("trap 'exit 0' TERM; sleep 1000 & while :; do wait; done")),
}

LIST = r'''---
baddir: Failure
badquote: Failure
blocked: Blocked
chatty: Running
crash: "Error\(Exited\(Pid\(P\), 1\)\)"|crash: Running
dep: Running
dep3: Blocked
depfail: Blocked
noexec: Failure
okloop: Success|okloop: Running
one-fail: "Error\(Exited\(Pid\(P\), 3\)\)"
one-kill: "Error\(Signaled\(Pid\(P\), SIGKILL, false\)\)"
one-long: Running
one-ok: Success
onterm: Running
sleeper: Running
tested: Running
testfail: Spawned
trap: Running'''

RUNNING = "pid: P\nstate: Running\ntarget: Up\nafter: {}"
STATUS = {
    "sleeper": RUNNING,
    "one-ok": "pid: 0\nstate: Success\ntarget: Up\nafter: {}",
    "one-fail": 'pid: 0\nstate: "Error(Exited(Pid(P), 3))"\ntarget: Up\nafter: {}',
    "one-kill": 'pid: 0\nstate: "Error(Signaled(Pid(P), SIGKILL, false))"\ntarget: Up\nafter: {}',
    "one-long": RUNNING,
    "blocked": "pid: 0\nstate: Blocked\ntarget: Up\nafter:\n  ghost: Unknown",
    "testfail": "pid: P\nstate: Spawned\ntarget: Up\nafter: {}",
    "tested": RUNNING,
    "noexec": "pid: 0\nstate: Failure\ntarget: Up\nafter: {}",
    "baddir": "pid: 0\nstate: Failure\ntarget: Up\nafter: {}",
    "badquote": "pid: 0\nstate: Failure\ntarget: Up\nafter: {}",
    "dep": "pid: P\nstate: Running\ntarget: Up\nafter:\n  one-ok: Success\n  sleeper: Running",
    "depfail": 'pid: 0\nstate: Blocked\ntarget: Up\nafter:\n  one-fail: "Error(Exited(Pid(P), 3))"',
    "chatty": RUNNING,
    "trap": RUNNING,
    "onterm": RUNNING,
}

# A command, the service whose status is read when it returned, and that status.
AFTER = [
    (["start", "sleeper"], "sleeper", RUNNING),
    (["stop", "sleeper"], "sleeper", 'pid: 0\nstate: "Error(Signaled(Pid(P), SIGTERM, false))"\ntarget: Down\nafter: {}'),
    ([], "dep", 'pid: P\nstate: Running\ntarget: Up\nafter:\n  one-ok: Success\n'
                '  sleeper: "Error(Signaled(Pid(P), SIGTERM, false))"'),
    (["stop", "sleeper"], "sleeper", 'pid: 0\nstate: "Error(Signaled(Pid(P), SIGTERM, false))"\ntarget: Down\nafter: {}'),
    (["start", "sleeper"], "sleeper", RUNNING),
    (["stop", "onterm"], "onterm", "pid: 0\nstate: Success\ntarget: Down\nafter: {}"),
    (["stop", "trap"], "trap", 'pid: 0\nstate: "Error(Signaled(Pid(P), SIGKILL, false))"\ntarget: Down\nafter: {}'),
    (["stop", "testfail"], "testfail", 'pid: 0\nstate: "Error(Signaled(Pid(P), SIGTERM, false))"\ntarget: Down\nafter: {}'),
    (["stop", "one-long"], "one-long", 'pid: 0\nstate: "Error(Signaled(Pid(P), SIGTERM, false))"\ntarget: Down\nafter: {}'),
    (["stop", "one-ok"], "one-ok", "pid: 0\nstate: Success\ntarget: Down\nafter: {}"),
    (["start", "one-ok"], "one-ok", "pid: 0\nstate: Success\ntarget: Up\nafter: {}"),
    (["stop", "blocked"], "blocked", "pid: 0\nstate: Blocked\ntarget: Down\nafter:\n  ghost: Unknown"),
    (["forget", "blocked"], "blocked", None),
    (["stop", "noexec"], "noexec", "pid: 0\nstate: Failure\ntarget: Down\nafter: {}"),
    (["start", "noexec"], "noexec", "pid: 0\nstate: Failure\ntarget: Up\nafter: {}"),
    (["stop", "okloop"], "okloop", "pid: 0\nstate: Success\ntarget: Down\nafter: {}"),
    (["forget", "okloop"], "okloop", None),
    (["restart", "onterm"], "onterm", RUNNING),
    (["restart", "one-fail"], "one-fail", 'pid: 0\nstate: "Error(Exited(Pid(P), 3))"\ntarget: Up\nafter: {}'),
    (["restart", "depfail"], "depfail", 'pid: 0\nstate: Blocked\ntarget: Up\nafter:\n  one-fail: "Error(Exited(Pid(P), 3))"'),
    (["kill", "tested", "SIGUSR1"], "tested", 'pid: 0\nstate: "Error(Signaled(Pid(P), SIGUSR1, false))"\ntarget: Up\nafter: {}'),
    (["kill", "dep", "SIGSEGV"], "dep", 'pid: 0\nstate: "Error(Signaled(Pid(P), SIGSEGV, false))"\ntarget: Up\nafter:\n'
                                        '  one-ok: Success\n  sleeper: Running'),
]

ERRORS = [
    (["status", "nosuch"], "getting status: service 'nosuch' not found"),
    (["status", 'a "b" \\ é\n'], "getting status: service "),
    (["start", "nosuch"], "starting service: service 'nosuch' not found"),
    (["stop", "nosuch"], "stopping service: service 'nosuch' not found"),
    (["forget", "nosuch"], "forgetting service: service 'nosuch' not found"),
    (["kill", "nosuch", "TERM"], "sending signal: service 'nosuch' not found"),
    (["kill", "nosuch"], "sending signal: service 'nosuch' not found"),
    (["kill", "nosuch", "FOO"], "parsing signal: invalid signal 'FOO'"),
    (["kill", "dep3"], "sending signal: service 'dep3' is down"),
    (["restart", "nosuch"], "restarting service: service 'nosuch' not found"),
    (["status", ""], "getting status: service '' not found"),
    (["status", "--", "-x"], "getting status: service '-x' not found"),
    (["log", "nosuch"], "getting status: service 'nosuch' not found"),
    (["log", "-s", "nosuch"], "getting status: service 'nosuch' not found"),
    (["monitor", "../zinit/sleeper"], "monitoring service: invalid service name '../zinit/sleeper'"),
    (["monitor", "a\\b"], "monitoring service: invalid service name 'a\\b'"),
    (["monitor", "nosuch"], "monitoring service: failed to load 'nosuch.yaml'"),
    (["monitor", "sleeper"], "monitoring service: service 'sleeper' already monitored"),
    (["kill", "sleeper", "FOO"], "parsing signal: invalid signal 'FOO'"),
    (["kill", "one-ok", "TERM"], "sending signal: service 'one-ok' is down"),
    (["kill", "blocked", "TERM"], "sending signal: service 'blocked' is down"),
    (["kill", "noexec", "TERM"], "sending signal: service 'noexec' is down"),
    (["forget", "sleeper"], "forgetting service: service 'sleeper' is up"),
    (["forget", "one-ok"], "forgetting service: service 'one-ok' is up"),
    (["forget", "blocked"], "forgetting service: service 'blocked' is up"),
]


@pytest.fixture
def base(daemon):
    for name, keys in SERVICES.items():
        daemon.service(name, **keys)
    daemon.start()
    daemon.wait_state("tested", "Running")
    daemon.wait_state("dep", "Running")
    for name in ("one-fail", "one-kill"):
        daemon.wait_state(name, r"Error\(.*")
    wait_until(lambda: len(daemon.log("chatty")) == 4)
    return daemon


def fields(daemon, name):
    """The first five fields of status, pids replaced, `after` sorted."""
    text = re.sub(r"(Pid\(|^pid: )[1-9]\d*", r"\1P", daemon.ok("status", name), flags=re.M)
    lines = text.split("\n")
    assert lines[:2] == ["---", f"name: {name}"]
    end = 5
    while end + 1 < len(lines) and lines[end + 1].startswith("  "):
        end += 1
    return "\n".join(lines[2:5] + lines[5:6] + sorted(lines[6:end + 1]))


def test_list(base):
    lines = base.ok("list").split("\n")
    wanted = LIST.split("\n")
    assert len(lines) == len(wanted) + 1 and lines[-1] == ""
    for line, pattern in zip(lines, wanted):
        assert re.fullmatch(pattern, re.sub(r"Pid\(\d+\)", "Pid(P)", line)), (line, pattern)
    assert re.sub(r"^(crash|okloop): .*\n", "", base.ok(), flags=re.M) == re.sub(
        r"^(crash|okloop): .*\n", "", base.ok("list"), flags=re.M)


def test_status(base):
    for name, wanted in STATUS.items():
        assert fields(base, name) == wanted, name


def test_errors(base):
    for command, message in ERRORS:
        is_error(base.cli(*command), message)


def test_commands_and_what_they_leave(base):
    for command, name, wanted in AFTER:
        if command:
            assert base.ok(*command) == "", command
        if wanted is None:
            is_error(base.cli("status", name), f"'{name}' not found")
        else:
            wait_until(lambda: fields(base, name) == wanted, 5, f"{name} after {command}: {fields(base, name)}")


def test_log(base):
    assert base.ok("log", "-s", "chatty").split("\n") == [f"[-] chatty: {BANNER}", "[+] chatty: out1", "[-] chatty: err1",
                                                          "[+] chatty:   two  spaces", ""]
    assert base.ok("log", "--snapshot", "tested") == f"[-] tested: {BANNER}\n"
    assert "[+] tested/test: probing" in base.log()
    assert base.ok("log", "chatty", "-s") == base.ok("log", "-s", "chatty")


# -- stats, and the files of services: what the recordings have no commands for is written out here -----------------


def stats(daemon, name):
    text = re.sub(r"^(  - )?(\s*)pid: [1-9]\d*$", r"\1\2pid: P", daemon.ok("stats", name), flags=re.M)
    return re.sub(r"memory_usage: \d+\n", "memory_usage: N\n", re.sub(r"cpu_usage: \d+\.\d\n", "cpu_usage: F\n", text))


def test_stats(daemon):
    daemon.service("sleeper", "sleep 1000")
    daemon.service("one-ok", "true", oneshot=True)
    daemon.service("blocked", "sleep 1000", after=["ghost"])
    daemon.service("trap", sh("trap '' TERM; sleep 1000; true"), shutdown_timeout=1)
    daemon.start()
    daemon.wait_state("sleeper", "Running")
    daemon.wait_state("one-ok", "Success")
    wait_until(lambda: daemon.count("sleep 1000") == 2)
    head = "---\nname: {}\npid: P\nmemory_usage: N\ncpu_usage: F\nchildren:"
    assert stats(daemon, "sleeper") == head.format("sleeper") + " []\n"
    assert stats(daemon, "trap") == head.format("trap") + "\n  - pid: P\n    memory_usage: N\n    cpu_usage: F\n"
    for name in ("one-ok", "blocked"):
        is_error(daemon.cli("stats", name), f"collecting stats: service '{name}' is down")
    is_error(daemon.cli("stats", "nosuch"), "collecting stats: service 'nosuch' not found")
    is_error(daemon.cli("stats"), "SERVICE")
    daemon.ok("stop", "sleeper")
    is_error(daemon.cli("stats", "sleeper"), "collecting stats: service 'sleeper' is down")
    answer = json.loads(daemon.ok("stats", "trap", "--json"))
    assert list(answer) == ["name", "pid", "memory_usage", "cpu_usage", "children"] and len(answer["children"]) == 1
