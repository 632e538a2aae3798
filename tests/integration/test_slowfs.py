"""Programs and folders on a file system that does not answer: init goes on, and starts them when it does."""
import os
import shutil
import subprocess
import time

import pytest
from test_stop_more import compiled
from zinit import end, holds, sh, wait_until

SLEEP = "sleep 1000"


class SlowFolder:
    def __init__(self, path):
        self.path, self.switch = path / "slow", path / "hang"

    def hang(self, word=""):
        self.switch.write_text(word)

    def answer(self):
        self.switch.unlink(missing_ok=True)


@pytest.fixture
def slow(tmp_path):
    """A file system with a folder `d` and a `program` (sleep), mounted out here, before the daemon."""
    if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
        pytest.skip("needs root and /dev/fuse")
    folder = SlowFolder(tmp_path)
    folder.path.mkdir()
    server = subprocess.Popen([compiled("slowfs", tmp_path), folder.path, shutil.which("sleep"), folder.switch])
    try:
        wait_until(lambda: server.poll() is not None or os.path.ismount(folder.path))
        if server.poll() is not None:
            pytest.skip("no FUSE file system can be mounted here")
        yield folder
    finally:
        folder.answer()
        subprocess.run(["umount", "-l", folder.path], check=False)
        end(server)


def answers_quickly(daemon):
    begin = time.monotonic()
    daemon.list()
    return time.monotonic() - begin < 5


@pytest.mark.parametrize("place", ["exec", "dir"])
def test_init_does_not_wait_for_it(daemon, slow, place):
    keys = dict(exec=f"{slow.path}/program 1001") if place == "exec" else dict(exec="sleep 1001", dir=f"{slow.path}/d")
    daemon.service("a", **keys)
    daemon.service("tested", **keys, test="true")
    daemon.service("one", **{**keys, "exec": keys["exec"].replace("1001", "0.1")}, oneshot=True)
    daemon.service("stopped", **keys, shutdown_timeout=1)
    daemon.service("after", SLEEP, after=["a"])
    daemon.service("other", SLEEP)
    slow.hang()
    daemon.start()
    daemon.wait_state("other", "Running")
    for name in ("a", "tested", "one", "stopped"):
        status = daemon.wait_state(name, "Spawned")
        assert "file system" in status["reason"] and status["pid"], status
    assert daemon.state("after") == "Blocked"
    holds(lambda: answers_quickly(daemon), 1)
    daemon.ok("restart", "other")
    daemon.wait_state("other", "Running")
    stop = daemon.popen("stop", "stopped")
    daemon.wait_state("stopped", lambda status: status["target"] == "Down")
    slow.answer()
    for name in ("a", "tested", "after"):
        daemon.wait_state(name, "Running")
    daemon.wait_state("one", "Success")
    assert stop.wait(60) == 0
    status = daemon.status("a")
    assert "reason" not in status and daemon.count("sleep 1001") + daemon.count(f"{slow.path}/program 1001") == 2
    assert not any(daemon.status(name)["restarts"] for name in ("a", "tested", "after"))
    daemon.ok("stop", "a", "tested")
    assert daemon.commands() == [SLEEP, SLEEP] and daemon.zombies() == []


def test_a_program_that_is_not_there_after_all(daemon, slow):
    daemon.service("a", f"{slow.path}/nothing")
    daemon.service("one", f"{slow.path}/nothing", oneshot=True)
    slow.hang()
    daemon.start()
    for name in ("a", "one"):
        daemon.wait_state(name, "Spawned")
    slow.answer()
    for name in ("a", "one"):
        status = daemon.wait_state(name, "Failure")
        assert "No such file" in status["reason"] and status["pid"] == 0


def test_a_shutdown_goes_on_without_it(daemon, slow):
    daemon.service("a", f"{slow.path}/program 1001", shutdown_timeout=1)
    daemon.service("b", SLEEP)
    slow.hang()
    daemon.start()
    daemon.wait_state("a", "Spawned")
    daemon.signal(15)
    wait_until(lambda: SLEEP not in daemon.commands())
    holds(lambda: daemon.process.poll() is None, 1)
    slow.answer()
    assert daemon.wait_exit() == 0


def test_who_is_met_in_the_middle_of_its_exec_is_not_forgotten(daemon, slow):
    """Its environment is empty then; it belongs to its service all the same."""
    daemon.service("a", sh(f"(setsid {slow.path}/program 1001 &); exec sleep 1000"), kill="tree", shutdown_timeout=30)
    slow.hang("late")
    daemon.start()
    wait_until(lambda: daemon.commands() == ["", SLEEP])
    stop = daemon.popen("stop", "a")
    daemon.wait_state("a", lambda status: status["pid"] == 0)
    holds(lambda: stop.poll() is None, 0.5)
    slow.answer()
    assert stop.wait(60) == 0
    assert daemon.commands() == []
    assert not [line for line in daemon.own_log() if "killed" in line]
