"""A daemon comes back whatever ended it."""
import os
import re
import signal
import time

import pytest
from zinit import SLACK, holds, lines_of, sh, wait_until

SLEEP = "sleep 1000"
HARMLESS = {"SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGWINCH"}
REALTIME = {signal.SIGRTMIN: r"SIGRTMIN(\+0)?", signal.SIGRTMIN + 2: r"SIGRTMIN\+2", signal.SIGRTMIN + 6: r"SIGRTMIN\+6",
            signal.SIGRTMAX: r"SIGRTM(AX|IN\+30)"}


def deaths():
    """signal number -> the name that the state must carry, as a pattern"""
    found = dict(REALTIME)
    for number in signal.Signals:
        if number < signal.SIGRTMIN and number.name not in HARMLESS:
            found[int(number)] = {"SIGPOLL": "SIGIO", "SIGIOT": "SIGABRT"}.get(number.name, number.name)
    return found


def test_every_deadly_signal_is_named_and_means_restart(daemon):
    wanted = deaths()
    for number in wanted:
        daemon.service(f"s{number}", SLEEP)
    daemon.start()
    daemon.wait_all("Running")
    before = {number: daemon.status(f"s{number}")["pid"] for number in wanted}
    outer = {process.inner: process.pid for process in daemon.procs()}
    for number, pid in before.items():
        os.kill(outer[pid], number)
    seen = {}

    def all_seen():
        for number in wanted:
            state = daemon.state(f"s{number}")
            if state.startswith("Error"):
                seen[number] = state
        return len(seen) == len(wanted)

    wait_until(all_seen, what=f"all deaths are seen, {seen}")
    for number, name in wanted.items():
        assert re.fullmatch(rf"Error\(Signaled\(Pid\({before[number]}\), {name}, false\)\)", seen[number]), (number, seen)
    daemon.wait_all("Running")
    for number, pid in before.items():
        assert daemon.status(f"s{number}")["pid"] != pid


@pytest.mark.parametrize("code, state", [(0, r"Success"), (1, r"Error\(Exited\(Pid\(\d+\), 1\)\)"),
                                         (255, r"Error\(Exited\(Pid\(\d+\), 255\)\)")])
def test_every_exit_code_means_restart(daemon, code, state):
    daemon.service("a", sh(f"sleep 0.3; exit {code}"))
    daemon.start()
    first = daemon.wait_state("a", "Running")["pid"]
    ended = daemon.wait_state("a", state)
    assert (ended["pid"], ended["target"]) == (0, "Up")
    assert daemon.wait_state("a", "Running")["pid"] != first


def test_the_pause_before_a_restart_is_two_seconds(daemon):
    trace = daemon.path("trace")
    daemon.service("a", sh(f"date +%s.%N >> {trace}; exit 1"))
    daemon.start()
    wait_until(lambda: len(lines_of(trace)) >= 3)
    times = [float(line) for line in lines_of(trace)[:3]]
    for gap in (times[1] - times[0], times[2] - times[1]):
        assert 2.0 <= gap <= 2.2 + SLACK


def test_a_service_that_fails_for_long_is_never_given_up(daemon):
    ready, trace = daemon.path("ready"), daemon.path("trace")
    daemon.service("w", sh(f"echo x >> {trace}; test -e {ready} || exit 1; exec sleep 1000"))
    start = time.monotonic()
    daemon.start()
    wait_until(lambda: len(lines_of(trace)) >= 5)
    assert len(lines_of(trace)) <= (time.monotonic() - start) / 2 + 1
    assert daemon.status("w")["restarts"] >= 4
    open(ready, "w").close()
    daemon.wait_state("w", "Running")
    holds(lambda: daemon.state("w") == "Running", 1)


def test_a_launcher_never_piles_up_copies(daemon):
    daemon.service("d", sh("setsid sleep 1000 & sleep 0.2; exit 0"))
    daemon.start()
    most = 0

    def watch():
        nonlocal most
        most = max(most, daemon.count("sleep 1000"))
        return most <= 1

    holds(watch, 7, "one copy at most")
    assert most == 1
    assert "background" in daemon.output()
    daemon.ok("stop", "d")
    assert daemon.procs() == []


def test_leftovers_of_a_crashed_leader_are_ended_before_the_next_start(daemon):
    trace = daemon.path("trace")
    stubborn = sh("trap '' TERM; exec sleep 601")
    daemon.service("g", sh(f"echo x >> {trace}; {stubborn} & sleep 0.2; exit 1"), shutdown_timeout=3)
    daemon.start()
    most = 0

    def three_starts():
        nonlocal most
        most = max(most, daemon.count("sleep 601"))
        return len(lines_of(trace)) >= 3

    wait_until(three_starts)
    assert most == 1
    daemon.ok("stop", "g")
    assert daemon.procs() == []


def test_a_program_that_appears_later_is_started(daemon):
    program = daemon.path("program")
    daemon.service("a", program)
    daemon.service("once", program, oneshot=True)
    daemon.start()
    daemon.wait_state("a", "Failure")
    daemon.wait_state("once", "Failure")
    with open(program, "w") as file:
        file.write("#!/bin/sh\nexec sleep 1000\n")
    holds(lambda: daemon.state("a") == "Failure", 0.3)
    os.chmod(program, 0o755)
    daemon.wait_state("a", "Running")
    assert daemon.state("once") == "Failure"
    daemon.ok("start", "once")
    daemon.wait_state("once", "Running")


def test_a_folder_that_appears_later_is_used(daemon):
    folder = daemon.path("folder")
    daemon.service("a", SLEEP, dir=folder)
    daemon.start()
    daemon.wait_state("a", "Failure")
    os.mkdir(folder)
    daemon.wait_state("a", "Running")


def test_open_quotes_wait_for_a_new_file(daemon):
    daemon.service("a", 'sh -c "sleep 1000')
    daemon.start()
    daemon.wait_state("a", "Failure")
    holds(lambda: daemon.state("a") == "Failure", 3)
    daemon.service("a", 'sh -c "sleep 1000"')
    daemon.ok("restart", "a")
    daemon.wait_state("a", "Running")


def test_start_after_stop_acts_at_once(daemon):
    daemon.service("a", SLEEP)
    daemon.start()
    old = daemon.wait_state("a", "Running")["pid"]
    daemon.ok("stop", "a")
    start = time.monotonic()
    daemon.ok("start", "a")
    assert daemon.wait_state("a", "Running")["pid"] != old
    assert time.monotonic() - start < 1.8


def test_restart_leaves_no_gap(daemon):
    daemon.service("a", SLEEP)
    daemon.start()
    old = daemon.wait_state("a", "Running")["pid"]
    start = time.monotonic()
    daemon.ok("restart", "a")
    daemon.wait_state("a", lambda status: status["state"] == "Running" and status["pid"] not in (0, old))
    assert time.monotonic() - start < 1.8


def test_many_that_end_together_are_all_seen(daemon):
    go = daemon.path("go")
    for number in range(60):
        daemon.service(f"s{number}", sh(f"while ! test -e {go}; do sleep 0.2; done; exit 9"), oneshot=True)
    daemon.start()
    daemon.wait_all("Running")
    open(go, "w").close()
    wait_until(lambda: all(re.fullmatch(r"Error\(Exited\(Pid\(\d+\), 9\)\)", state) for state in daemon.list().values()))
    assert daemon.zombies() == []


def test_orphans_are_reaped(daemon):
    daemon.service("a", sh("for i in 1 2 3 4 5 6 7 8 9; do sh -c 'sleep 0.3 & exit 0'; done; exec sleep 1000"))
    daemon.start()
    wait_until(lambda: daemon.commands() == ["sleep 1000"])
    assert daemon.zombies() == []
