"""kill: tree with control groups: what hides from the environment and the tree is still known."""
import pytest
from zinit import delegated, sh, wait_until

# Double-forked, in a session of its own, its environment cleared, its ancestors gone.
HIDDEN = "(env -i setsid /bin/sh -c '/bin/sleep 1234 & exit 0' &); exec sleep 999"


def start(daemon, *options):
    daemon.service("a", sh(HIDDEN), kill="tree", shutdown_timeout=2)
    daemon.start(*options)
    wait_until(lambda: sorted(daemon.commands()) == ["/bin/sleep 1234", "sleep 999"])


@pytest.mark.skipif(not delegated(), reason="no cgroup v2 tree of our own here")
def test_a_hidden_process_ends_with_its_service(daemon):
    start(daemon)
    daemon.ok("stop", "a")
    assert daemon.commands() == []


@pytest.mark.skipif(not delegated(), reason="no cgroup v2 tree of our own here")
def test_a_hidden_process_ends_before_the_restart(daemon):
    start(daemon)
    daemon.ok("restart", "a")
    wait_until(lambda: sorted(daemon.commands()) == ["/bin/sleep 1234", "sleep 999"])


def test_without_groups_a_hidden_process_belongs_to_nobody_until_shutdown(daemon):
    start(daemon, "--no-cgroups")
    daemon.ok("stop", "a")
    assert daemon.commands() == ["/bin/sleep 1234"]
    daemon.stop()
