"""What init cannot look at is not gone: no descriptor left, a full file table, a /proc that is another's or none."""
import json
import os
import pathlib
import resource
import socket

import pytest
from test_faults_more import USER, does_not_spin, own
from test_stop_more import compiled
from zinit import SANITIZED, ZINIT, configured, holds, sh, wait_until

SLEEP = "sleep 1000"
WORKER = sh("setsid sleep 1001 & exec sleep 1000")

def preloaded(test):
    test = pytest.mark.skipif(SANITIZED, reason="a sanitizer must be loaded first")(test)
    shared = b"ld-linux" in pathlib.Path(ZINIT).read_bytes()
    return pytest.mark.skipif(not shared, reason="needs the GNU C library, shared")(test)


def fill(daemon, connections):
    """Connects until init has no descriptor for one more and says so."""
    while len(connections) < 100:
        connections.append(daemon.connect())
        connections[-1].settimeout(0.3)
        try:
            assert b"Too many" in connections[-1].recv(200)
            return
        except socket.timeout:
            continue
    raise AssertionError("nobody was turned away")


def ask(daemon, connection, method, *params):
    connection.sendall(daemon.request(method, list(params)))
    reply = b""
    while b"\n" not in reply:
        reply += connection.recv(1 << 16)
    return json.loads(reply)["result"]


def test_a_stop_works_when_clients_have_taken_every_descriptor(daemon):
    own(daemon)
    daemon.service("a", WORKER)
    daemon.service("b", sh("setsid sleep 1002 & exec sleep 1000"), kill="tree")
    daemon.start(argv=[*USER, *daemon.arguments()], before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40)))
    wait_until(lambda: daemon.commands() == [SLEEP, SLEEP, "sleep 1001", "sleep 1002"])
    connections = [daemon.connect()]
    try:
        fill(daemon, connections)
        assert "file" not in ask(daemon, connections[0], "service_status", "a")
        ask(daemon, connections[0], "service_stop", "a")
        assert daemon.commands() == [SLEEP, "sleep 1002"]
        ask(daemon, connections[0], "service_stop", "b")
        assert daemon.commands() == []
    finally:
        for connection in connections:
            connection.close()


@pytest.fixture
def no_files(daemon, tmp_path):
    """Starts the daemon so that it can open nothing while this file exists."""
    path = daemon.dir / "no-files"
    library = compiled("failfile", tmp_path, "-shared", "-fPIC")

    def start():
        daemon.start(env={**os.environ, "LD_PRELOAD": library, "FAILFILE_WHILE": str(path)})
        return path
    return start


@preloaded
def test_a_stop_waits_while_it_can_not_be_seen_what_is_left(daemon, no_files):
    daemon.service("a", WORKER, shutdown_timeout=30)
    path = no_files()
    wait_until(lambda: daemon.commands() == [SLEEP, "sleep 1001"])
    with daemon.connect() as held:
        assert ask(daemon, held, "service_status", "a")["state"] == "Running"
        stop = daemon.connect()
        assert ask(daemon, stop, "service_status", "a")["state"] == "Running"
        path.touch()
        stop.sendall(daemon.request("service_stop", ["a"]))
        wait_until(lambda: daemon.commands() == ["sleep 1001"])
        holds(lambda: "cannot see" in ask(daemon, held, "service_status", "a").get("reason", ""), 1)
        assert "file" not in ask(daemon, held, "service_status", "a")
        stop.setblocking(False)
        with pytest.raises(BlockingIOError):
            stop.recv(1)
        path.unlink()
        stop.setblocking(True)
        assert b"result" in stop.recv(1000)
        assert daemon.commands() == []
        stop.close()
    assert not [line for line in daemon.own_log() if "killed" in line]


@preloaded
def test_a_full_file_table_makes_listening_rest(daemon, no_files):
    daemon.service("a", SLEEP)
    path = no_files()
    daemon.wait_state("a", "Running")
    path.touch()
    with daemon.connect() as waiting:
        does_not_spin(daemon, 2)
        path.unlink()
        assert ask(daemon, waiting, "service_status", "a")["state"] == "Running"


# What lies below the namespace's own /proc is that of the namespace outside.
PROCS = {"of another namespace": "umount /proc", "that is none": "mount -t tmpfs none /proc"}


@pytest.mark.parametrize("kind", PROCS)
@pytest.mark.skipif(SANITIZED, reason="a sanitizer looks for leaks in /proc")
def test_a_proc(daemon, kind):
    daemon.service("a", sh("sleep 1001 & exec sleep 1000"))
    daemon.service("deaf", sh("(trap '' TERM; exec sleep 1002) & exec sleep 1003"), shutdown_timeout=1)
    daemon.service("slow", sh("trap 'sleep 0.5; exit 0' TERM; sleep 1004 & while :; do wait; done"))
    daemon.service("one", sh("sleep 1005 & exit 0"), oneshot=True)
    daemon.start(argv=["/bin/sh", "-c", f'{PROCS[kind]} && exec "$@"', "sh", *daemon.arguments()])
    daemon.wait_state("one", "Success")
    wait_until(lambda: len(daemon.procs()) == 7)
    said = [line for line in daemon.own_log() if "no use of /proc" in line]
    assert len(said) == 1 and ("none is mounted" if "none" in kind else "another PID namespace") in said[0]
    if configured("STATS"):
        assert "there is no /proc" in daemon.failure("service_stats", ["a"]).message  # it is not down
    daemon.ok("stop", "a")
    assert daemon.count(SLEEP) == daemon.count("sleep 1001") == 0
    daemon.ok("stop", "deaf")
    assert daemon.count("sleep 1002") == 0 and any("deaf" in line and "killed" in line for line in daemon.own_log())
    daemon.ok("stop", "one")
    assert daemon.count("sleep 1005") == 0
    daemon.ok("restart", "slow")
    daemon.wait_state("slow", "Running")
    wait_until(lambda: daemon.count("sleep 1004") == 1 and len(daemon.procs()) == 2)
    daemon.ok("start", "a")
    os.kill(daemon.leader("a"), 9)
    daemon.wait_state("a", r"Error\(.*")
    daemon.wait_state("a", "Running")
    wait_until(lambda: daemon.count("sleep 1001") == 1)
