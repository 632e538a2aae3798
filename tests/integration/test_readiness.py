"""The `test` of a daemon: tried until it passes, alone, bounded, and gone with the service."""
import json
import re
import time

from zinit import BANNER, SLACK, cpu_seconds, holds, lines_of, sh, wait_until

SLEEP = "sleep 1000"


def test_spawned_until_the_first_success(daemon):
    ready, trace = daemon.path("ready"), daemon.path("trace")
    daemon.service("a", SLEEP, test=sh(f"date +%s.%N >> {trace}; test -e {ready}"))
    daemon.start()
    pid = daemon.wait_state("a", "Spawned")["pid"]
    assert pid != 0
    wait_until(lambda: len(lines_of(trace)) >= 3)
    assert daemon.status("a")["state"] == "Spawned"
    open(ready, "w").close()
    assert daemon.wait_state("a", "Running")["pid"] == pid
    times = [float(line) for line in lines_of(trace)]
    for first, second in zip(times, times[1:]):
        assert 2.0 <= second - first < 2.2 + SLACK
    holds(lambda: len(lines_of(trace)) == len(times), 2.5)


def test_runs_with_the_environment_and_folder_of_exec(daemon):
    trace = daemon.path("trace")
    daemon.service("a", SLEEP, test=sh(f'echo "$MARK $(pwd)" > {trace}'), dir=str(daemon.dir), env={"MARK": "here"})
    daemon.start()
    daemon.wait_state("a", "Running")
    assert lines_of(trace) == [f"here {daemon.dir}"]


def test_its_output_carries_its_own_prefix(daemon):
    daemon.service("a", SLEEP, test=sh("echo probing; echo trouble >&2"))
    daemon.start()
    daemon.wait_state("a", "Running")
    wait_until(lambda: {"[+] a/test: probing", "[-] a/test: trouble"} <= set(daemon.log()))
    assert daemon.log("a") == [f"[-] a: {BANNER}"]


def test_failing_tries_do_not_flood_the_ring_with_banners(daemon):
    trace = daemon.path("trace")
    daemon.service("a", SLEEP, test=sh(f"echo x >> {trace}; false"))
    daemon.start()
    wait_until(lambda: len(lines_of(trace)) >= 3)
    assert daemon.log().count(f"[-] a/test: {BANNER}") <= 1


def test_a_try_that_hangs_ends_after_ten_seconds_with_all_its_children(daemon):
    daemon.service("a", SLEEP, test=sh("sleep 3600 & sleep 3600"))
    daemon.service("late", SLEEP, test=sh("sleep 11; exit 0"))
    daemon.start()
    wait_until(lambda: daemon.count("sleep 3600") == 2)
    start = time.monotonic()
    first = {process.pid for process in daemon.procs() if process.command == "sleep 3600"}
    seen = []

    def next_try():
        now = {process.pid for process in daemon.procs() if process.command == "sleep 3600"}
        seen.append(len(now))
        return len(now) == 2 and not now & first

    wait_until(next_try)
    assert 9.5 <= time.monotonic() - start < 13 + SLACK
    assert max(seen) == 2
    assert daemon.zombies() == []
    assert daemon.list() == {"a": "Spawned", "late": "Spawned"}
    holds(lambda: daemon.state("late") == "Spawned", 1)
    daemon.ok("stop", "a", "late")
    assert daemon.procs() == []


def test_a_test_that_cannot_start_is_no_busy_loop(daemon):
    daemon.service("a", SLEEP, test="/no/such/probe")
    daemon.service("b", SLEEP, after=["a"])
    daemon.start()
    assert daemon.wait_state("a", "TestFailure")["pid"] != 0
    before = cpu_seconds(daemon.pid)
    holds(lambda: daemon.state("b") == "Blocked", 3)
    assert cpu_seconds(daemon.pid) - before < 1


def test_a_service_that_dies_is_tested_anew(daemon):
    ready = daemon.path("ready")
    daemon.service("a", sh("exec sleep 1000"), test=sh(f"test -e {ready}"))
    open(ready, "w").close()
    daemon.start()
    pid = daemon.wait_state("a", "Running")["pid"]
    (daemon.dir / "ready").unlink()
    daemon.ok("kill", "a", "KILL")
    status = daemon.wait_state("a", "Spawned")
    assert status["pid"] not in (0, pid)
    open(ready, "w").close()
    daemon.wait_state("a", "Running")


def test_a_test_dies_with_its_service(daemon):
    daemon.service("a", sh("sleep 1.5; exit 1"), test="sleep 1001")
    daemon.start()
    wait_until(lambda: daemon.count("sleep 1001") == 1)
    daemon.wait_state("a", r"Error\(.*")
    wait_until(lambda: daemon.count("sleep 1001") == 0, 2 + SLACK)


def test_a_oneshot_is_not_tested(daemon):
    trace = daemon.path("trace")
    daemon.service("once", "true", oneshot=True, test=sh(f"echo x >> {trace}"))
    daemon.start()
    daemon.wait_state("once", "Success")
    holds(lambda: lines_of(trace) == [], 0.5)


def test_an_empty_test_is_no_test(daemon):
    for name, value in (("empty", ""), ("null", "null"), ("tilde", "~"), ("quotes", '""')):
        daemon.write(f"{name}.yaml", f"exec: {json.dumps(SLEEP)}\ntest: {value}\n")
    daemon.start()
    wait_until(lambda: {daemon.list()[name] for name in ("empty", "null", "tilde")} == {"Running"})
    assert not re.search(r"\b(ERROR|error)\b.*\b(empty|null|tilde)\b", daemon.output())
