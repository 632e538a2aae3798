"""Faults that were found once, each kept from coming back."""
import json
import os
import pty

from zinit import holds, sh, wait_until


def batch(*calls):
    return json.dumps([{"jsonrpc": "2.0", "id": n, "method": method, "params": params}
                       for n, (method, params) in enumerate(calls)]).encode() + b"\n"


def test_a_batch_may_stop_and_forget_and_start_again(daemon):
    """The answer that waits for the stop must not run the next call inside the supervisor."""
    daemon.service("a", sh("trap 'sleep 0.3; exit 0' TERM; while :; do sleep 0.1; done"))
    daemon.start()
    for last in ("service_start", "service_monitor"):
        daemon.wait_state("a", "Running")
        with daemon.connect() as connection:
            connection.sendall(batch(("service_stop", ["a"]), ("service_forget", ["a"]), (last, ["a"])))
            answers = json.loads(connection.makefile().readline())
        assert [("error" in a) for a in answers] == [False, False, last == "service_start"]
        if last == "service_start":
            daemon.rpc("service_monitor", ["a"])


def test_several_forgets_wait_for_what_a_oneshot_left(daemon):
    daemon.service("one", sh("(trap 'sleep 0.5; exit 0' TERM; while :; do sleep 0.1; done) & exit 0"), oneshot=True)
    daemon.start()
    daemon.wait_state("one", "Success")
    daemon.rpc("service_stop", {"name": "one", "wait": False})
    waiting = [daemon.popen("forget", "one") for _ in range(3)]
    codes = sorted(process.wait() for process in waiting)
    assert codes[0] == 0
    assert daemon.list() == {}


def test_pipelined_large_answers_all_arrive(daemon):
    daemon.service("a", sh("head -c 400000 /dev/zero | tr '\\0' x; echo"), oneshot=True)
    daemon.start()
    daemon.wait_state("a", "Success")
    with daemon.connect() as connection:
        connection.sendall(daemon.request("stream_currentLogs", ["a"]) * 30)
        connection.shutdown(1)
        got = sum(1 for line in connection.makefile() if '"result"' in line)
    assert got == 30


def test_a_leftover_that_is_no_child_of_init_is_seen_to_end(daemon):
    """Its parent has detached itself, so its end brings init no signal."""
    daemon.service("a", sh("( sh -c 'trap \"\" TERM; sleep 2' & exec setsid sleep 1001 ) & exec sleep 1000"),
                   shutdown_timeout=30)
    daemon.start()
    wait_until(lambda: "sleep 1001" in daemon.commands())
    daemon.ok("stop", "a")
    assert daemon.status("a")["pid"] == 0


def test_a_terminal_that_nobody_reads_does_not_stop_init(daemon):
    master, slave = pty.openpty()
    try:
        daemon.service("a", "sleep 1000")
        daemon.start("-d", stdout=slave)
        for _ in range(300):
            daemon.rpc("service_restart", ["a"])
        assert daemon.state("a") == "Running"
    finally:
        os.close(slave)
        os.close(master)


def test_a_guest_of_an_earlier_run_survives_a_launcher_like_end(daemon):
    daemon.service("m", sh("test -e MARK && exit 0; touch MARK; (setsid sleep 1001 &); exec sleep 1000".replace(
        "MARK", daemon.path("mark"))))
    daemon.start()
    wait_until(lambda: sorted(daemon.commands()) == ["sleep 1000", "sleep 1001"])
    holds(lambda: True, 0.1)  # start times count in hundredths of a second: the next run is a later one
    daemon.ok("stop", "m")
    daemon.ok("start", "m")
    daemon.wait_state("m", "Success")
    daemon.ok("stop", "m")
    assert daemon.commands() == ["sleep 1001"]
