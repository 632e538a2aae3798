"""An `essential` service decides how long its container lives, and the exit code."""
import pytest
from zinit import SLACK, holds, lines_of, sh, wait_until


@pytest.mark.parametrize("script, code", [("sleep 0.3; exit 23", 23), ("sleep 0.3; exit 0", 0),
                                          ("sleep 0.3; kill -KILL $$", 137)])
@pytest.mark.parametrize("beside", [False, True], ids=["pid1", "beside"])
def test_its_end_is_the_exit_code(daemon, script, code, beside):
    trace = daemon.path("trace")
    daemon.service("main", sh(script), essential=True)
    daemon.service("other", sh(f"trap 'echo x >> {trace}; exit 0' TERM; sleep 1000 & while :; do wait; done"))
    daemon.launch(beside=beside)
    assert daemon.wait_exit(10 + SLACK) == code
    assert lines_of(trace) in (["x"], [])
    if beside:
        assert lines_of(daemon.path("left")) == []


def test_a_oneshot_counts_when_it_fails(daemon):
    daemon.service("main", sh("sleep 0.3; exit 5"), essential=True, oneshot=True)
    daemon.launch()
    assert daemon.wait_exit(10 + SLACK) == 5


def test_a_oneshot_that_succeeds_does_not(daemon):
    daemon.service("main", "true", essential=True, oneshot=True)
    daemon.start()
    daemon.wait_state("main", "Success")
    holds(lambda: daemon.state("main") == "Success", 1)


def test_a_term_to_init_exits_0(daemon):
    daemon.service("main", sh("trap 'exit 9' TERM; sleep 1000 & while :; do wait; done"), essential=True)
    daemon.start()
    wait_until(lambda: daemon.count("sleep 1000") == 1)
    daemon.stop()


def test_a_stop_by_hand_does_not_end_the_container(daemon):
    daemon.service("main", "sleep 1000", essential=True)
    daemon.start()
    daemon.wait_state("main", "Running")
    daemon.ok("stop", "main")
    holds(lambda: daemon.status("main")["pid"] == 0, 0.5)


def test_without_the_mark_the_daemon_stays(daemon):
    daemon.service("main", sh("exit 23"))
    daemon.start()
    daemon.wait_state("main", r"Error\(.*")
    holds(lambda: "main" in daemon.list(), 1)
