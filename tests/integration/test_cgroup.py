"""kill: tree with control groups: what hides from the environment and the tree is still known."""
import pathlib
import re

import pytest
from zinit import delegated, sh, wait_until

# Double-forked, in a session of its own, its environment cleared, its ancestors gone.
HIDDEN = "(env -i setsid /bin/sh -c '/bin/sleep 1234 & exit 0' &); exec sleep 999"

TREE = {"kill": "tree"}  # not run once more without groups, as other tests with this key are


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


@pytest.mark.skipif(not delegated(), reason="no cgroup v2 tree of our own here")
def test_who_starts_in_a_frozen_group_holds_nobody_up(daemon):
    daemon.service("a", "sleep 999", **TREE, shutdown_timeout=1)
    daemon.service("b", "sleep 998")
    daemon.start()
    leader = daemon.leader("a")
    group = re.search(r"^0::(.*)$", pathlib.Path(f"/proc/{leader}/cgroup").read_text(), re.M)[1]
    mount = re.search(r"^\S+ \S+ \S+ / (\S+) .* - cgroup2 ", pathlib.Path("/proc/self/mountinfo").read_text(), re.M)[1]
    freeze = pathlib.Path(f"{mount}{group}/cgroup.freeze")
    freeze.write_text("1")
    daemon.ok("stop", "a")
    daemon.ok("start", "a")
    daemon.wait_state("a", "Spawned")
    daemon.ok("restart", "b")
    daemon.wait_state("b", "Running")
    freeze.write_text("0")
    daemon.wait_state("a", "Running")
    wait_until(lambda: sorted(daemon.commands()) == ["sleep 998", "sleep 999"])


def test_without_groups_a_hidden_process_belongs_to_nobody_until_shutdown(daemon):
    start(daemon, "--no-cgroups")
    daemon.ok("stop", "a")
    assert daemon.commands() == ["/bin/sleep 1234"]
    daemon.stop()
