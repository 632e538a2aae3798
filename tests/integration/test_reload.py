"""Changed service files: monitor, forget and restart apply them, whatever state the file is in."""
import os
import random
import re
import time

import pytest
from zinit import (ALREADY_MONITORED, BANNER, CONFIG_ERROR, IS_UP, NOT_FOUND, SLACK, RpcError, holds, is_error, lines_of, sh,
                   wait_until)

SLEEP = "sleep 1000"


def version(daemon, number):
    """A service that records its starts and its stop signals."""
    trace = daemon.path("trace")
    return sh(f"echo start{number} >> {trace}; trap 'echo stop{number} >> {trace}; exit 0' TERM; "
              "sleep 1000 & while :; do wait; done")


def running(daemon, number):
    daemon.service("a", version(daemon, number))
    daemon.start()
    wait_until(lambda: daemon.count("sleep 1000") == 1)
    return daemon.status("a")["pid"]


def test_restart_uses_the_new_file_with_one_stop_and_one_start(daemon):
    running(daemon, 1)
    daemon.service("a", version(daemon, 2))
    daemon.ok("restart", "a")
    wait_until(lambda: lines_of(daemon.path("trace")) == ["start1", "stop1", "start2"])
    holds(lambda: len(lines_of(daemon.path("trace"))) == 3, 0.5)
    daemon.wait_state("a", "Running")


def test_restart_of_an_unchanged_file_keeps_the_definition(daemon):
    running(daemon, 1)
    daemon.ok("restart", "a")
    wait_until(lambda: lines_of(daemon.path("trace")) == ["start1", "stop1", "start1"])


def test_stop_forget_monitor_uses_the_new_file(daemon):
    running(daemon, 1)
    daemon.service("a", version(daemon, 2))
    daemon.ok("stop", "a")
    daemon.ok("forget", "a")
    assert daemon.list() == {}
    daemon.ok("monitor", "a")
    wait_until(lambda: lines_of(daemon.path("trace")) == ["start1", "stop1", "start2"])
    daemon.wait_state("a", "Running")


@pytest.mark.parametrize("content, place", [("exec: [\n", ""), ("exec: sleep 1000\nshutdown_timeout: soon\n", ":2:"),
                                            ("exec: sleep 1000\nsig", ""), ("", "")],
                         ids=["broken", "bad value", "half written", "empty"])
def test_restart_with_a_bad_file_fails_and_leaves_the_service_alone(daemon, content, place):
    pid = running(daemon, 1)
    with open(daemon.config / "a.yaml", "w") as file:
        file.write(content)
    is_error(daemon.cli("restart", "a"), "a.yaml" + place)
    assert daemon.status("a") == {**daemon.status("a"), "pid": pid, "state": "Running", "target": "Up"}
    assert lines_of(daemon.path("trace")) == ["start1"]
    daemon.service("a", version(daemon, 2))
    daemon.ok("restart", "a")
    wait_until(lambda: lines_of(daemon.path("trace")) == ["start1", "stop1", "start2"])


def test_a_removed_file_does_not_touch_the_running_service(daemon):
    pid = running(daemon, 1)
    os.unlink(daemon.config / "a.yaml")
    holds(lambda: daemon.status("a")["pid"] == pid, 1)
    os.kill(daemon.outer(pid), 9)
    daemon.wait_state("a", lambda status: status["state"] == "Running" and status["pid"] not in (0, pid))
    daemon.cli("restart", "a")
    wait_until(lambda: daemon.count("sleep 1000") == 1)
    daemon.ok("stop", "a")
    daemon.ok("start", "a")
    wait_until(lambda: daemon.count("sleep 1000") == 1)
    daemon.ok("stop", "a")
    daemon.ok("forget", "a")
    is_error(daemon.cli("monitor", "a"), "a.yaml")


def test_monitor_says_what_is_wrong_and_where(daemon):
    daemon.start()
    daemon.write("bad.yaml", "exec: sleep 1000\nshutdown_timeout: soon\n")
    error = daemon.failure("service_monitor", ["bad"])
    assert (error.code, error.message) == (CONFIG_ERROR, "monitoring service: failed to load 'bad.yaml'")
    assert any(re.search(r"bad\.yaml:2:\d+.*shutdown_timeout", cause) for cause in error.data["cause_chain"])
    is_error(daemon.cli("monitor", "bad"), "bad.yaml:2:", "shutdown_timeout")
    assert daemon.list() == {}


def test_monitor_tells_warnings(daemon):
    daemon.start()
    daemon.write("a.yaml", "exec: sleep 1000\nlogs: stdout\n")
    done = daemon.cli("monitor", "a")
    assert (done.code, done.out) == (0, "")
    assert re.fullmatch(r"zinit: [^\n]*a\.yaml:2:\d+[^\n]*logs[^\n]*\n", done.err)


def test_verbs_in_the_wrong_state_fail_with_the_known_codes(daemon):
    daemon.service("a", SLEEP)
    daemon.service("blocked", SLEEP, after=["ghost"])
    daemon.service("done", "true", oneshot=True)
    daemon.start()
    daemon.wait_state("a", "Running")
    daemon.wait_state("done", "Success")
    for name in ("a", "blocked", "done"):
        assert daemon.failure("service_monitor", [name]).code == ALREADY_MONITORED
        assert daemon.failure("service_forget", [name]).code == IS_UP
    assert daemon.failure("service_forget", ["nosuch"]).code == NOT_FOUND
    daemon.ok("stop", "a")
    daemon.ok("forget", "a")
    assert daemon.failure("service_forget", ["a"]).code == NOT_FOUND


def test_a_name_with_a_dot_can_be_monitored_again(daemon):
    daemon.service("a.b", SLEEP)
    daemon.start()
    daemon.wait_state("a.b", "Running")
    daemon.ok("stop", "a.b")
    daemon.ok("forget", "a.b")
    daemon.ok("monitor", "a.b")
    daemon.wait_state("a.b", "Running")


def test_forget_and_monitor_leave_nothing_of_the_old_service(daemon):
    daemon.service("b", SLEEP, after=["ghost"])
    daemon.service("k", "true", oneshot=True)
    daemon.start()
    daemon.wait_state("b", "Blocked")
    daemon.ok("stop", "b")
    daemon.ok("forget", "b")
    daemon.service("b", SLEEP)
    daemon.ok("monitor", "b")
    pid = daemon.wait_state("b", "Running")["pid"]
    daemon.ok("start", "k")
    holds(lambda: daemon.status("b")["pid"] == pid and daemon.state("b") == "Running", 1)
    assert daemon.status("b")["after"] == {}


def test_list_goes_on_while_services_are_forgotten(daemon):
    for number in range(20):
        daemon.service(f"s{number}", SLEEP)
    daemon.start()
    daemon.wait_all()
    with daemon.connect() as connection:
        names = [f"s{number}" for number in range(20)]
        for name in names:
            connection.sendall(daemon.request("service_stop", [name]) + daemon.request("service_forget", [name]) +
                               daemon.request("service_list"))
            daemon.list()
        wait_until(lambda: all(status == "Running" or status.startswith(("Error", "Success")) for status in daemon.list().values()))


def test_a_swap_of_two_files(daemon):
    daemon.service("a", "sleep 1001")
    daemon.service("b", "sleep 1002", after=["a"])
    daemon.start()
    daemon.wait_all()
    os.rename(daemon.config / "a.yaml", daemon.dir / "x")
    os.rename(daemon.config / "b.yaml", daemon.config / "a.yaml")
    os.rename(daemon.dir / "x", daemon.config / "b.yaml")
    daemon.ok("restart", "b")
    daemon.wait_state("b", "Running")
    daemon.ok("restart", "a")
    daemon.wait_state("a", lambda status: status["after"] == {"a": "Blocked"})
    wait_until(lambda: daemon.commands() == ["sleep 1001"])
    assert daemon.status("a")["state"] == "Blocked"


FILES = [
    dict(exec=SLEEP), dict(exec=SLEEP, test="true"), dict(exec=SLEEP, test="sleep 1002"), dict(exec=SLEEP, oneshot=True),
    dict(exec="true", oneshot=True), dict(exec="false"), dict(exec=SLEEP, after=["b"]), dict(exec=SLEEP, after=["a"]),
    dict(exec=SLEEP, after=["ghost", "c"]), dict(exec="/no/such/program"), dict(exec="sh -c 'open"), dict(exec=SLEEP, log="none"),
    dict(exec=sh("sleep 1003 & exec sleep 1004")), dict(exec=SLEEP, kill="tree"), dict(exec=SLEEP, test="/no/such/probe"),
    dict(exec=sh("trap '' TERM; exec sleep 1000"), shutdown_timeout=1),
]


@pytest.mark.parametrize("seed", range(4))
def test_edits_and_commands_in_any_order(daemon, seed):
    choose = random.Random(seed)
    names = ["a", "b", "c", "d"]
    for name in names:
        daemon.service(name, **choose.choice(FILES))
    daemon.start()
    calls = ["service_start", "service_stop", "service_monitor", "service_forget", "service_restart", "service_kill",
             "service_status", "edit", "edit", "break", "remove", "swap"]
    for _ in range(250):
        call, name = choose.choice(calls), choose.choice(names)
        if call == "edit":
            daemon.service(name, **choose.choice(FILES))
        elif call == "break":
            daemon.write(f"{name}.yaml", choose.choice(["exec: [\n", "", "exec: sleep 1\nafter: {\n"]))
        elif call == "remove":
            (daemon.config / f"{name}.yaml").unlink(missing_ok=True)
        elif call == "swap":
            try:
                os.replace(daemon.config / f"{name}.yaml", daemon.config / f"{choose.choice(names)}.yaml")
            except FileNotFoundError:
                pass
        else:
            params = {"service_kill": [name, choose.choice(["SIGUSR1", "SIGKILL", "SIGHUP"])],
                      "service_stop": {"name": name, "wait": choose.random() < 0.3}}.get(call, [name])
            start = time.monotonic()
            try:
                daemon.rpc(call, params)
            except RpcError as error:
                assert -32005 <= error.code <= -32000, (call, error)
            assert time.monotonic() - start < 4 + SLACK, call
        assert set(daemon.list()) <= set(names)
    for name in names:
        daemon.service(name, SLEEP)
        try:
            daemon.rpc("service_stop", [name])
            daemon.rpc("service_forget", [name])
        except RpcError as error:
            assert error.code == NOT_FOUND
    assert daemon.list() == {} and daemon.procs() == []
    for name in names:
        daemon.rpc("service_monitor", [name])
    daemon.wait_all()
    wait_until(lambda: daemon.commands() == [SLEEP] * 4)
    assert f"[-] a: {BANNER}" in daemon.log("a")
