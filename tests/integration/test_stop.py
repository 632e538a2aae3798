"""stop ends all that belongs to a service, within its grace, and nothing else."""
import re
import time

import pytest
from zinit import BAD_SIGNAL, IS_DOWN, IS_UP, SLACK, holds, is_error, lines_of, sh, wait_until

SLEEP = "sleep 1000"
IGNORES_TERM = sh("trap '' TERM; exec sleep 1000")
BY_TERM = r"Error\(Signaled\(Pid\(\d+\), SIGTERM, false\)\)"
BY_KILL = r"Error\(Signaled\(Pid\(\d+\), SIGKILL, false\)\)"


def on_signal(action, name="TERM"):
    """A program that does ACTION at the signal, and signals readiness by having a child."""
    return sh(f"trap '{action}' {name}; sleep 1000 & while :; do wait; done")


def trap_is_set(daemon, name, command="sleep 1000"):
    """The shell of on_signal() has set its trap, for its child runs."""
    pid = daemon.leader(name)
    wait_until(lambda: [p for p in daemon.procs() if p.parent == pid and p.command == command])


def start_ignoring(daemon, name, timeout):
    daemon.service(name, IGNORES_TERM, shutdown_timeout=timeout)
    daemon.start()
    wait_until(lambda: daemon.count("sleep 1000") == 1)


# -- whose processes ---------------------------------------------------------------------------


TREES = {
    "child": (sh(sh("sleep 1001 & wait") + " & wait"), {}),
    "own session": (sh(sh("setsid sleep 1001 & wait") + " & wait"), {}),
    "own session, leader dies first": (sh(sh("trap : TERM; setsid sleep 1001 & wait; wait") + " & exec sleep 999"), {}),
    "detached": (sh(sh("setsid sleep 1001 & exit 0") + "; exec sleep 999"), {"kill": "tree"}),
    "detached in steps": (sh("setsid sh -c \"setsid sleep 1001 & exit 0\"; exec sleep 999"), {"kill": "tree"}),
    "ignores TERM": (sh(sh("trap '' TERM; exec sleep 1001") + " & exec sleep 999"), {"shutdown_timeout": 1}),
    "ignores TERM in its own session": (sh("setsid " + sh("trap '' TERM; exec sleep 1001") + " & exec sleep 999"),
                                        {"shutdown_timeout": 1}),
    "stopped": (sh("sleep 1001 & sleep 0.5; kill -STOP $!; exec sleep 999"), {"shutdown_timeout": 1}),
}


@pytest.mark.parametrize("tree", TREES)
def test_the_whole_tree_ends(daemon, tree):
    command, keys = TREES[tree]
    daemon.service("a", command, **{"shutdown_timeout": 2, **keys})
    daemon.service("other", SLEEP)
    daemon.start()
    wait_until(lambda: daemon.count("sleep 1001") == 1)
    wait_until(lambda: "sleep 999" not in command or daemon.count("sleep 999") == 1)
    other = daemon.wait_state("other", "Running")["pid"]
    start = time.monotonic()
    daemon.ok("stop", "a")
    assert time.monotonic() - start < 4 + SLACK
    assert daemon.commands() == ["sleep 1000"]
    status = daemon.status("a")
    assert (status["pid"], status["target"]) == (0, "Down")
    assert daemon.status("other")["pid"] == other


def test_fifty_sessions_end(daemon):
    daemon.service("a", sh("for i in $(seq 50); do setsid sleep 1001 & done; wait"), shutdown_timeout=2)
    daemon.start()
    wait_until(lambda: daemon.count("sleep 1001") == 50)
    daemon.ok("stop", "a")
    assert daemon.procs() == []


def test_what_detached_itself_lives_on_and_is_counted(daemon):
    daemon.service("a", sh("(setsid sleep 1001 &); exec sleep 999"))
    daemon.start()
    wait_until(lambda: daemon.commands() == ["sleep 1001", "sleep 999"])
    wait_until(lambda: daemon.status("a").get("detached") == 1)
    daemon.ok("stop", "a")
    assert daemon.commands() == ["sleep 1001"]
    assert daemon.status("a")["pid"] == 0
    holds(lambda: daemon.commands() == ["sleep 1001"], 0.5)
    daemon.stop()


def test_a_survivor_that_holds_stdout_does_not_hide_the_exit(daemon):
    daemon.service("a", sh("(setsid sleep 1001 &); exec sleep 999"))
    daemon.service("once", sh("sleep 1002 & exit 0"), oneshot=True)
    daemon.start()
    daemon.wait_state("once", "Success", 5 + SLACK)
    wait_until(lambda: daemon.commands() == ["sleep 1001", "sleep 1002", "sleep 999"])
    daemon.ok("kill", "a", "KILL")
    daemon.wait_state("a", BY_KILL, 2 + SLACK)


def test_leftovers_of_a_oneshot_go_on_and_belong_to_it(daemon):
    daemon.service("once", sh("sleep 1001 & exit 0"), oneshot=True)
    daemon.start()
    assert daemon.wait_state("once", "Success")["pid"] == 0
    wait_until(lambda: daemon.commands() == ["sleep 1001"])
    holds(lambda: daemon.commands() == ["sleep 1001"], 0.5)
    daemon.ok("start", "once")
    wait_until(lambda: daemon.commands() == ["sleep 1001"] * 2)
    daemon.ok("restart", "once")
    wait_until(lambda: daemon.state("once") == "Success" and daemon.commands() == ["sleep 1001"])
    holds(lambda: daemon.commands() == ["sleep 1001"], 0.3)
    daemon.ok("stop", "once")
    assert daemon.procs() == []


def test_a_worker_that_outlives_its_leader_has_the_same_grace(daemon):
    daemon.service("a", sh(sh("trap '' TERM; exec sleep 1001") + " & exec sleep 999"), shutdown_timeout=3)
    daemon.start()
    wait_until(lambda: daemon.commands() == ["sleep 1001", "sleep 999"])
    start = time.monotonic()
    stop = daemon.popen("stop", "a")
    status = daemon.wait_state("a", lambda status: status["pid"] == 0)
    assert (status["state"], status["target"]) == ("Running", "Down")
    assert re.search(r"waits for 1 process", status["reason"])
    assert daemon.failure("service_forget", ["a"]).code == IS_UP
    assert daemon.commands() == ["sleep 1001"]
    assert stop.communicate()[1] == b"" and stop.returncode == 0
    assert 3 <= time.monotonic() - start < 4 + SLACK
    assert daemon.procs() == []
    daemon.wait_state("a", BY_TERM)


# -- grace -------------------------------------------------------------------------------------


def test_stop_returns_when_the_processes_are_gone(daemon):
    daemon.service("a", on_signal("sleep 1; exit 7"))
    daemon.start()
    trap_is_set(daemon, "a")
    start = time.monotonic()
    daemon.ok("stop", "a")
    assert time.monotonic() - start >= 1
    assert daemon.procs() == []
    status = daemon.status("a")
    assert re.fullmatch(r"Error\(Exited\(Pid\(\d+\), 7\)\)", status["state"]) and status["pid"] == 0


def test_the_default_grace_is_not_half_a_second(daemon):
    daemon.service("a", on_signal("sleep 4; exit 0"))
    daemon.start()
    trap_is_set(daemon, "a")
    daemon.ok("stop", "a")
    assert daemon.state("a") == "Success"


def test_after_the_grace_it_is_killed(daemon):
    start_ignoring(daemon, "a", 1)
    start = time.monotonic()
    daemon.ok("stop", "a")
    assert 1 <= time.monotonic() - start < 2 + SLACK
    assert re.fullmatch(BY_KILL, daemon.state("a"))
    assert daemon.procs() == []


@pytest.mark.parametrize("timeout", [0, 99999999, 30])
def test_a_long_grace_is_kept(daemon, timeout):
    start_ignoring(daemon, "a", timeout)
    daemon.rpc("service_stop", {"name": "a", "wait": False})
    holds(lambda: daemon.commands() == ["sleep 1000"], 3)
    assert daemon.failure("service_forget", ["a"]).code == IS_UP


def test_stop_without_waiting_answers_at_once(daemon):
    start_ignoring(daemon, "a", 2)
    start = time.monotonic()
    daemon.ok("stop", "--no-wait", "a")
    assert time.monotonic() - start < 2
    status = daemon.status("a")
    assert (status["state"], status["target"]) == ("Running", "Down") and status["pid"] != 0
    daemon.wait_state("a", BY_KILL, 4 + SLACK)


def test_a_client_that_leaves_does_not_cancel_the_stop(daemon):
    start_ignoring(daemon, "a", 1)
    with daemon.connect() as connection:
        connection.sendall(daemon.request("service_stop", ["a"]))
    daemon.wait_state("a", BY_KILL, 3 + SLACK)
    assert daemon.status("a")["target"] == "Down"


def test_a_waiting_stop_says_for_what(daemon):
    daemon.service("slow", on_signal("sleep 6; exit 0"))
    daemon.start()
    trap_is_set(daemon, "slow")
    done = daemon.cli("stop", "slow")
    assert (done.code, done.out) == (0, "")
    assert re.fullmatch(r"zinit: [^\n]*slow[^\n]*\n", done.err)


def test_two_stops_both_wait(daemon):
    start_ignoring(daemon, "a", 2)
    first = daemon.popen("stop", "a")
    daemon.wait_state("a", lambda status: status["target"] == "Down")
    second = daemon.popen("stop", "a")
    for stop in (first, second):
        assert stop.communicate() == (b"", b"") and stop.returncode == 0
        assert daemon.procs() == []


def test_several_names_stop_together(daemon):
    for name in "abc":
        daemon.service(name, IGNORES_TERM, shutdown_timeout=2)
    daemon.start()
    wait_until(lambda: daemon.count("sleep 1000") == 3)
    daemon.ok("stop", "a", "b", "c")
    assert daemon.procs() == []
    assert all(re.fullmatch(BY_KILL, state) for state in daemon.list().values())


@pytest.mark.parametrize("spelling", ["SIGUSR1", "USR1", "usr1", "SigUsr1", "10", 10])
def test_the_stop_signal_in_every_spelling(daemon, spelling):
    daemon.service("a", on_signal("exit 7", "USR1"), signal={"stop": spelling})
    daemon.start()
    trap_is_set(daemon, "a")
    daemon.ok("stop", "a")
    assert re.fullmatch(r"Error\(Exited\(Pid\(\d+\), 7\)\)", daemon.state("a"))


def test_a_realtime_stop_signal(daemon):
    daemon.service("a", SLEEP, signal={"stop": "SIGRTMIN+3"})
    daemon.start()
    daemon.wait_state("a", "Running")
    daemon.ok("stop", "a")
    assert re.fullmatch(r"Error\(Signaled\(Pid\(\d+\), SIGRTMIN\+3, false\)\)", daemon.state("a"))


def test_a_stop_signal_that_does_not_end_it_is_followed_by_kill(daemon):
    daemon.service("a", SLEEP, signal={"stop": "SIGSTOP"}, shutdown_timeout=1)
    daemon.start()
    daemon.wait_state("a", "Running")
    daemon.ok("stop", "a")
    assert re.fullmatch(BY_KILL, daemon.state("a"))


def test_a_stop_under_way_is_not_a_restart(daemon):
    trace = daemon.path("trace")
    daemon.service("a", sh(f"echo x >> {trace}; trap 'sleep 3; exit 7' TERM; sleep 1000 & while :; do wait; done"),
                   shutdown_timeout=8)
    daemon.start()
    trap_is_set(daemon, "a")
    pid = daemon.status("a")["pid"]
    stop = daemon.popen("stop", "a")
    daemon.wait_state("a", lambda status: status["target"] == "Down")

    def polled():
        status = daemon.status("a")
        assert status["target"] == "Down" and status["pid"] in (0, pid)
        return stop.poll() is not None

    wait_until(polled)
    assert stop.returncode == 0
    assert re.fullmatch(rf"Error\(Exited\(Pid\({pid}\), 7\)\)", daemon.state("a"))
    holds(lambda: lines_of(trace) == ["x"], 2.5)


# -- the states that a stop can meet -----------------------------------------------------------


def test_stop_during_the_restart_pause(daemon):
    trace = daemon.path("trace")
    daemon.service("a", sh(f"echo x >> {trace}; exit 1"))
    daemon.start()
    ended = daemon.wait_state("a", r"Error\(.*")["state"]
    daemon.ok("stop", "a")
    starts = len(lines_of(trace))
    holds(lambda: len(lines_of(trace)) == starts, 4)
    status = daemon.status("a")
    assert status["target"] == "Down" and (status["state"] == ended or starts > 1)


STATES = {
    "Blocked": (dict(exec=SLEEP, after=["ghost"]), "Blocked", "Blocked"),
    "Spawned": (dict(exec=SLEEP, test="false"), "Spawned", BY_TERM),
    "Spawned, test runs": (dict(exec=SLEEP, test="sleep 1001"), "Spawned", BY_TERM),
    "TestFailure": (dict(exec=SLEEP, test="/no/such/probe"), "TestFailure", BY_TERM),
    "Running": (dict(exec=SLEEP), "Running", BY_TERM),
    "Failure": (dict(exec="/no/such/program"), "Failure", "Failure"),
    "oneshot Running": (dict(exec=SLEEP, oneshot=True), "Running", BY_TERM),
    "oneshot Success": (dict(exec="true", oneshot=True), "Success", "Success"),
    "oneshot Error": (dict(exec="false", oneshot=True), r"Error\(Exited\(Pid\(\d+\), 1\)\)",
                      r"Error\(Exited\(Pid\(\d+\), 1\)\)"),
    "oneshot Failure": (dict(exec="/no/such/program", oneshot=True), "Failure", "Failure"),
}


@pytest.mark.parametrize("state", STATES)
def test_stop_in_every_state(daemon, state):
    keys, before, after = STATES[state]
    daemon.service("a", **keys)
    daemon.start()
    daemon.wait_state("a", before)
    if keys.get("test") == "sleep 1001":
        wait_until(lambda: daemon.count("sleep 1001") == 1)
    for _ in range(2):
        daemon.ok("stop", "a")
        status = daemon.status("a")
        assert re.fullmatch(after, status["state"])
        assert (status["pid"], status["target"]) == (0, "Down")
        assert daemon.procs() == []
    holds(lambda: daemon.procs() == [] and daemon.status("a")["state"] == status["state"], 2.5)
    daemon.ok("forget", "a")
    assert daemon.list() == {}


# -- kill --------------------------------------------------------------------------------------


def test_kill_signals_the_group_and_the_service_comes_back(daemon):
    daemon.service("a", sh("sleep 1001 & setsid sleep 1002 & wait; sleep 1003"))
    daemon.start()
    wait_until(lambda: daemon.count("sleep 1001") == 1 and daemon.count("sleep 1002") == 1)
    daemon.ok("kill", "a", "USR1")
    daemon.wait_state("a", r"Error\(Signaled\(Pid\(\d+\), SIGUSR1, false\)\)")
    daemon.wait_state("a", "Running")


@pytest.mark.parametrize("arguments, name", [([], "SIGTERM"), (["SIGUSR1"], "SIGUSR1"), (["usr2"], "SIGUSR2"),
                                             (["9"], "SIGKILL"), (["TERM"], "SIGTERM"), (["SIGRTMIN+2"], r"SIGRTMIN\+2")])
def test_kill_takes_every_spelling(daemon, arguments, name):
    daemon.service("a", SLEEP, oneshot=True)
    daemon.start()
    daemon.wait_state("a", "Running")
    daemon.ok("kill", "a", *arguments)
    daemon.wait_state("a", rf"Error\(Signaled\(Pid\(\d+\), {name}, false\)\)")


@pytest.mark.parametrize("name", ["FOO", "", "SIG", "65", "-1", "SIGRTMIN+99", "9x"])
def test_a_bad_signal_is_refused(daemon, name):
    daemon.service("a", SLEEP)
    daemon.start()
    pid = daemon.wait_state("a", "Running")["pid"]
    error = daemon.failure("service_kill", ["a", name])
    assert (error.code, error.message) == (BAD_SIGNAL, f"parsing signal: invalid signal '{name}'")
    is_error(daemon.cli("kill", "--", "a", name), "signal")
    assert daemon.status("a")["pid"] == pid


def test_kill_of_a_service_that_is_down_is_refused(daemon):
    daemon.service("a", SLEEP)
    daemon.service("done", "true", oneshot=True)
    daemon.service("blocked", SLEEP, after=["ghost"])
    daemon.start()
    daemon.wait_state("a", "Running")
    daemon.wait_state("done", "Success")
    daemon.ok("stop", "a")
    for name in ("a", "done", "blocked"):
        error = daemon.failure("service_kill", [name, "SIGTERM"])
        assert (error.code, error.message) == (IS_DOWN, f"sending signal: service '{name}' is down")


def test_stopping_one_does_not_delay_others(daemon):
    start_ignoring(daemon, "a", 4)
    daemon.service("b", SLEEP)
    daemon.ok("monitor", "b")
    daemon.rpc("service_stop", {"name": "a", "wait": False})
    daemon.wait_state("b", "Running")
    start = time.monotonic()
    daemon.ok("stop", "b")
    assert time.monotonic() - start < 3
    assert daemon.state("a") == "Running"


def test_other_calls_are_answered_while_a_stop_waits(daemon):
    start_ignoring(daemon, "a", 3)
    with daemon.connect() as connection:
        connection.sendall(daemon.request("service_stop", ["a"]) + daemon.request("service_list"))
        reader = connection.makefile()
        assert '"result":{"a":"Running"}' in reader.readline()
        assert daemon.count("sleep 1000") == 1
        assert '"result":null' in reader.readline()
        assert daemon.procs() == []


def test_start_during_a_stop_starts_it_again_afterwards(daemon):
    start_ignoring(daemon, "a", 1)
    pid = daemon.status("a")["pid"]
    stop = daemon.popen("stop", "a")
    daemon.wait_state("a", lambda status: status["target"] == "Down")
    daemon.ok("start", "a")
    status = daemon.wait_state("a", lambda status: status["pid"] not in (0, pid))
    assert status["target"] == "Up"
    wait_until(lambda: stop.poll() is not None)
    assert daemon.count("sleep 1000") == 1
