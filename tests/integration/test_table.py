"""Every state meets every event. One daemon holds all states; each test applies one event to all of them."""
import os
import re
import signal

import pytest
from zinit import ALREADY_MONITORED, IS_DOWN, IS_UP, lines_of, sh, wait_until

SLEEP = "sleep 1000"
TERMED = r"Error\(Signaled\(Pid\(\d+\), SIGTERM, false\)\)"
KILLED = r"Error\(Signaled\(Pid\(\d+\), SIGKILL, false\)\)"
FAILED = r"Error\(Exited\(Pid\(\d+\), 1\)\)"

# state -> its service, and the status that it shows (pid: has it a process?)
STATES = {
    "blocked": (dict(exec=SLEEP, after=["ghost"]), "Blocked"),
    "testing": (dict(exec=SLEEP, test="sleep 1001"), "Spawned"),
    "testfailure": (dict(exec=SLEEP, test="/no/such/probe"), "TestFailure"),
    "running": (dict(exec=SLEEP), "Running"),
    "pause": (dict(exec=sh("test -e MARK && exec sleep 1000; touch MARK; exit 1")), FAILED),
    "failure": (dict(exec="/no/such/program"), "Failure"),
    "oneshot-running": (dict(exec=SLEEP, oneshot=True), "Running"),
    "oneshot-done": (dict(exec=sh("echo x >> TRACE"), oneshot=True), "Success"),
    "oneshot-error": (dict(exec="false", oneshot=True), FAILED),
    "oneshot-failure": (dict(exec="/no/such/program", oneshot=True), "Failure"),
    "stopping": (dict(exec=sh("trap '' TERM; exec sleep 1000"), shutdown_timeout=3), "Running"),
    "stopped": (dict(exec=SLEEP), "Running"),
    "stopped-blocked": (dict(exec=SLEEP, after=["ghost"]), "Blocked"),
}
ALIVE = {"testing", "testfailure", "running", "oneshot-running", "stopping"}


@pytest.fixture
def table(daemon):
    """The daemon in all states, and the pids that the services had."""
    for name, (keys, _) in STATES.items():
        keys = {**keys, "exec": keys["exec"].replace("MARK", daemon.path("mark")).replace("TRACE", daemon.path("trace"))}
        if name != "pause":
            daemon.service(name, **keys)
        else:
            pause = keys
    daemon.start()
    for name, (_, state) in STATES.items():
        if name != "pause":
            daemon.wait_state(name, state)
    wait_until(lambda: daemon.count("sleep 1001") == 1 and daemon.count(SLEEP) == 6)
    daemon.rpc("service_stop", ["stopped"])
    daemon.rpc("service_stop", ["stopped-blocked"])
    daemon.service("pause", **pause)
    daemon.rpc("service_monitor", ["pause"])
    daemon.wait_state("pause", FAILED)
    daemon.rpc("service_stop", {"name": "stopping", "wait": False})
    return daemon, {name: daemon.status(name)["pid"] for name in STATES}


def becomes(daemon, name, state, target="Up", pid=None):
    """Waits for the final status. PID: what it must be, or a predicate."""
    def test(status):
        return (re.fullmatch(state, status["state"]) and status["target"] == target and
                (pid is None or (pid(status["pid"]) if callable(pid) else status["pid"] == pid)))
    daemon.wait_state(name, test)


def test_start(table):
    daemon, pids = table
    for name in STATES:
        assert daemon.rpc("service_start", [name]) is None, name
    for name in ("testing", "testfailure", "running", "oneshot-running"):
        becomes(daemon, name, STATES[name][1], pid=pids[name])
    for name in ("blocked", "stopped-blocked"):
        becomes(daemon, name, "Blocked", pid=0)
    for name in ("pause", "stopped", "stopping"):
        becomes(daemon, name, "Running", pid=lambda pid: pid not in (0, pids[name]))
    for name in ("failure", "oneshot-done", "oneshot-error", "oneshot-failure"):
        becomes(daemon, name, STATES[name][1], pid=0)
    assert lines_of(daemon.path("trace")) == ["x", "x"]


def test_stop(table):
    daemon, _ = table
    for name in STATES:
        assert daemon.rpc("service_stop", [name]) is None, name
    for name in ("testing", "testfailure", "running", "oneshot-running", "stopped"):
        becomes(daemon, name, TERMED, "Down", 0)
    becomes(daemon, "stopping", KILLED, "Down", 0)
    becomes(daemon, "pause", f"{FAILED}|{TERMED}", "Down", 0)
    for name in ("blocked", "stopped-blocked", "failure", "oneshot-done", "oneshot-error", "oneshot-failure"):
        becomes(daemon, name, STATES[name][1], "Down", 0)
    assert daemon.procs() == []


def test_restart(table):
    daemon, pids = table
    for name in STATES:
        assert daemon.rpc("service_restart", [name]) is None, name
    for name in ("testing", "testfailure", "running", "oneshot-running", "stopping"):
        becomes(daemon, name, STATES[name][1], pid=lambda pid: pid not in (0, pids[name]))
    for name in ("pause", "stopped"):
        becomes(daemon, name, "Running", pid=lambda pid: pid != 0)
    for name in ("blocked", "stopped-blocked", "failure", "oneshot-done", "oneshot-error", "oneshot-failure"):
        becomes(daemon, name, STATES[name][1], pid=0)
    wait_until(lambda: lines_of(daemon.path("trace")) == ["x", "x"])
    wait_until(lambda: daemon.count("sleep 1001") == 1 and daemon.count(SLEEP) == 7)


def killed(daemon, pids):
    for name in ("testing", "testfailure", "running"):
        becomes(daemon, name, KILLED, pid=0)
    becomes(daemon, "oneshot-running", KILLED, pid=0)
    becomes(daemon, "stopping", KILLED, "Down", 0)
    for name in ("testing", "testfailure", "running"):
        becomes(daemon, name, STATES[name][1], pid=lambda pid: pid not in (0, pids[name]))
    becomes(daemon, "oneshot-running", KILLED, pid=0)
    wait_until(lambda: daemon.count("sleep 1001") == 1)


def test_kill(table):
    daemon, pids = table
    daemon.wait_state("pause", "Running")
    daemon.rpc("service_stop", ["pause"])
    for name in STATES:
        if name in ALIVE:
            assert daemon.rpc("service_kill", [name, "SIGKILL"]) is None, name
        else:
            assert daemon.failure("service_kill", [name, "SIGKILL"]).code == IS_DOWN, name
    killed(daemon, pids)


def test_exit(table):
    daemon, pids = table
    outer = {process.inner: process.pid for process in daemon.procs()}
    for name in ALIVE:
        os.kill(outer[pids[name]], signal.SIGKILL)
    killed(daemon, pids)


def test_forget(table):
    daemon, pids = table
    for name in STATES:
        if name.startswith("stopped"):
            assert daemon.rpc("service_forget", [name]) is None
        else:
            assert daemon.failure("service_forget", [name]).code == IS_UP, name
    assert sorted(daemon.list()) == sorted(name for name in STATES if not name.startswith("stopped"))
    for name in ("testing", "testfailure", "running", "oneshot-running"):
        assert daemon.status(name)["pid"] == pids[name]


def test_monitor(table):
    daemon, pids = table
    for name in STATES:
        assert daemon.failure("service_monitor", [name]).code == ALREADY_MONITORED, name
    for name in ("testing", "testfailure", "running", "oneshot-running"):
        assert daemon.status(name)["pid"] == pids[name]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_shutdown(table, number):
    daemon, _ = table
    daemon.stop(number)
    assert lines_of(daemon.path("trace")) == ["x"]


def test_a_test_that_passes(daemon):
    daemon.service("a", SLEEP, test=sh("sleep 0.5; exit 0"))
    daemon.service("b", SLEEP, test=sh("sleep 0.5; exit 0"))
    daemon.start()
    daemon.rpc("service_stop", ["b"])
    becomes(daemon, "a", "Running", pid=lambda pid: pid != 0)
    becomes(daemon, "b", TERMED, "Down", 0)
