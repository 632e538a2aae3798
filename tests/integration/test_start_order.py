"""`after` is a start gate, and only that."""
import pytest
from zinit import holds, lines_of, sh, wait_until

SLEEP = "sleep 1000"


def test_a_service_waits_until_its_dependency_is_running(daemon):
    ready = daemon.path("ready")
    daemon.service("a", SLEEP, test=sh(f"test -e {ready}"))
    daemon.service("b", SLEEP, after=["a"])
    daemon.start()
    daemon.wait_state("a", "Spawned")
    holds(lambda: daemon.state("b") == "Blocked", 0.5)
    open(ready, "w").close()
    daemon.wait_state("a", "Running")
    assert daemon.wait_state("b", "Running")["after"] == {"a": "Running"}


def test_a_chain_starts_in_its_order(daemon):
    trace = daemon.path("trace")
    names = [f"s{number:02}" for number in range(20)]
    for number, name in reversed(list(enumerate(names))):
        daemon.service(name, sh(f"echo {name} >> {trace}"), oneshot=True, after=names[number - 1:number] if number else [])
    daemon.start()
    daemon.wait_state(names[-1], "Success")
    assert lines_of(trace) == names


def test_a_running_oneshot_holds_its_dependents_back(daemon):
    go = daemon.path("go")
    daemon.service("prepare", sh(f"while ! test -e {go}; do sleep 0.05; done"), oneshot=True)
    daemon.service("app", SLEEP, after=["prepare"])
    daemon.start()
    daemon.wait_state("prepare", "Running")
    holds(lambda: daemon.state("app") == "Blocked", 0.5)
    open(go, "w").close()
    assert daemon.wait_state("app", "Running")["after"] == {"prepare": "Success"}


def test_an_unknown_name_blocks_until_it_is_monitored(daemon):
    daemon.service("b", SLEEP, after=["late"])
    daemon.start()
    assert daemon.wait_state("b", "Blocked")["after"] == {"late": "Unknown"}
    daemon.service("late", SLEEP)
    holds(lambda: daemon.state("b") == "Blocked", 0.3)
    daemon.ok("monitor", "late")
    assert daemon.wait_state("b", "Running")["after"] == {"late": "Running"}


def test_all_names_must_be_met(daemon):
    daemon.service("a", SLEEP)
    daemon.service("b", SLEEP, after=["a", "ghost1", "ghost2"])
    daemon.start()
    daemon.wait_state("a", "Running")
    for name in ("ghost1", "ghost2"):
        holds(lambda: daemon.state("b") == "Blocked", 0.3)
        daemon.service(name, SLEEP)
        daemon.ok("monitor", name)
    daemon.wait_state("b", "Running")


def test_a_repaired_oneshot_moves_its_dependents(daemon):
    ok = daemon.path("ok")
    daemon.service("prep", f"test -e {ok}", oneshot=True)
    daemon.service("app", SLEEP, after=["prep"])
    daemon.start()
    failed = daemon.wait_state("prep", r"Error\(Exited\(Pid\(\d+\), 1\)\)")["state"]
    status = daemon.status("app")
    assert (status["state"], status["after"]) == ("Blocked", {"prep": failed})
    open(ok, "w").close()
    daemon.ok("start", "prep")
    daemon.wait_state("prep", "Success")
    daemon.wait_state("app", "Running")


def test_a_failed_oneshot_is_not_tried_again(daemon):
    trace = daemon.path("trace")
    daemon.service("prep", sh(f"echo x >> {trace}; exit 1"), oneshot=True)
    daemon.start()
    daemon.wait_state("prep", r"Error\(.*")
    holds(lambda: lines_of(trace) == ["x"], 3)


@pytest.mark.parametrize("ring", [["a"], ["a", "b"], ["a", "b", "c"]])
def test_a_cycle_blocks_and_hurts_nobody(daemon, ring):
    for number, name in enumerate(ring):
        daemon.service(name, SLEEP, after=[ring[number - 1]])
    daemon.service("behind", SLEEP, after=["a", "free"])
    daemon.service("free", SLEEP)
    daemon.start()
    daemon.wait_state("free", "Running")
    wanted = {**dict.fromkeys(ring, "Blocked"), "behind": "Blocked", "free": "Running"}
    wait_until(lambda: daemon.list() == wanted)
    holds(lambda: daemon.list() == wanted, 0.5)


def test_a_crashed_dependency_does_not_stop_its_dependents(daemon):
    daemon.service("a", sh("exec sleep 1000"))
    daemon.service("b", SLEEP, after=["a"])
    daemon.start()
    pid = daemon.wait_state("b", "Running")["pid"]
    daemon.ok("kill", "a", "KILL")
    daemon.wait_state("a", r"Error\(.*")
    daemon.wait_state("a", "Running")
    assert daemon.status("b")["pid"] == pid


def test_a_stopped_dependency_holds_a_restart_back(daemon):
    daemon.service("a", SLEEP)
    daemon.service("b", SLEEP, after=["a"])
    daemon.start()
    daemon.wait_state("b", "Running")
    daemon.ok("stop", "a")
    assert daemon.state("b") == "Running"
    daemon.ok("kill", "b", "KILL")
    daemon.wait_state("b", "Blocked")
    daemon.ok("start", "a")
    daemon.wait_state("b", "Running")


def test_a_service_stopped_while_blocked_stays_down(daemon):
    daemon.service("b", SLEEP, after=["late"])
    daemon.start()
    daemon.wait_state("b", "Blocked")
    daemon.ok("stop", "b")
    daemon.service("late", SLEEP)
    daemon.ok("monitor", "late")
    daemon.wait_state("late", "Running")
    holds(lambda: daemon.status("b")["pid"] == 0, 0.5)
    assert daemon.status("b")["target"] == "Down"


def test_a_diamond_starts_each_service_once(daemon):
    trace = daemon.path("trace")
    for name, after in (("top", []), ("left", ["top"]), ("right", ["top"]), ("bottom", ["left", "right", "left"])):
        daemon.service(name, sh(f"echo {name} >> {trace}; exec sleep 1000"), after=after)
    daemon.start()
    daemon.wait_all("Running")
    lines = wait_until(lambda: len(lines_of(trace)) == 4 and lines_of(trace))
    assert sorted(lines) == ["bottom", "left", "right", "top"]
    assert daemon.status("bottom")["after"] == {"left": "Running", "right": "Running"}


def test_after_may_be_one_string(daemon):
    daemon.service("a", SLEEP)
    daemon.service("b", SLEEP, after="a")
    daemon.service("c", SLEEP, after="ghost")
    daemon.start()
    assert daemon.wait_state("b", "Running")["after"] == {"a": "Running"}
    assert daemon.status("c")["after"] == {"ghost": "Unknown"}


def test_forgetting_a_dependency_makes_it_unknown_again(daemon):
    daemon.service("a", SLEEP)
    daemon.service("b", SLEEP, after=["a"])
    daemon.start()
    daemon.wait_state("b", "Running")
    daemon.ok("stop", "a")
    daemon.ok("forget", "a")
    assert daemon.status("b")["after"] == {"a": "Unknown"}
    assert daemon.state("b") == "Running"
