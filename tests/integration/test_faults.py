"""What the machine can do to an init: no processes left, nothing writable, everything at once."""
import fcntl
import json
import os
import random
import resource
import threading
import time

import pytest
from zinit import IS_DOWN, METHODS, SANITIZED, RpcError, configured, holds, sh, status_field, wait_until

SLEEP = "sleep 1000"


def test_a_thousand_orphans_are_reaped(daemon):
    done = daemon.path("done")
    daemon.service("a", sh(f"i=0; while [ $i -lt 1000 ]; do (true &); i=$((i+1)); done; echo > {done}; exec sleep 1000"))
    daemon.start()
    wait_until(lambda: os.path.exists(done))
    wait_until(lambda: daemon.commands() == [SLEEP] and daemon.zombies() == [])


def test_many_clients_change_everything_at_once(daemon):
    names = [f"s{number}" for number in range(30)]
    for name in names:
        daemon.service(name, SLEEP)
    daemon.start()
    daemon.wait_all()
    end = time.monotonic() + 5
    faults = []

    def client(seed):
        choose = random.Random(seed)
        while time.monotonic() < end:
            call = choose.choice(["service_start", "service_stop", "service_restart", "service_kill", "service_list"])
            params = [choose.choice(names)] + (["SIGKILL"] if call == "service_kill" else [])
            try:
                daemon.rpc(call, params)
            except RpcError as error:
                if (call, error.code) != ("service_kill", IS_DOWN):
                    faults.append((call, error))
            except Exception as error:
                faults.append((call, error))

    clients = [threading.Thread(target=client, args=(seed,)) for seed in range(12)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    assert faults == []
    daemon.ok("start", *names)
    daemon.wait_all()
    wait_until(lambda: len(daemon.procs()) == len(names))
    assert sorted(process.inner for process in daemon.procs()) == sorted(daemon.status(name)["pid"] for name in names)
    daemon.ok("stop", *names)
    assert daemon.procs() == []


def test_a_fork_that_fails_is_tried_again(daemon):
    if os.geteuid() != 0:
        pytest.skip("only root can take another uid")
    uid = 60000 + os.getpid() % 5000
    os.chown(daemon.dir, uid, uid)
    for number in range(12):
        daemon.service(f"s{number:02}", SLEEP)
    daemon.start(argv=["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--", *daemon.arguments()],
                 before=lambda: resource.setrlimit(resource.RLIMIT_NPROC, (6, 6)))
    running = wait_until(lambda: [name for name, state in daemon.list().items() if state == "Running"])
    waiting = [name for name, state in daemon.list().items() if state != "Running"]
    assert running and waiting
    before = int(status_field(daemon.pid, "voluntary_ctxt_switches"))
    holds(lambda: True, 3)
    assert int(status_field(daemon.pid, "voluntary_ctxt_switches")) - before < 500, "it spins"
    daemon.ok("stop", *running[:2])
    wait_until(lambda: sum(daemon.state(name) == "Running" for name in waiting) >= 1)


def test_a_read_only_root(daemon):
    daemon.service("a", sh("echo x; exec sleep 1000"))
    script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro / && exec "$@"'
    daemon.start(argv=["/bin/sh", "-c", script, str(daemon.dir), *daemon.arguments()])
    daemon.wait_state("a", "Running")
    wait_until(lambda: "[+] a: x" in daemon.log("a"))


def test_a_full_disk_behind_stdout(daemon):
    daemon.service("a", SLEEP)
    daemon.write("bad.yaml", "exec: [\n")
    daemon.start(argv=["/bin/sh", "-c", 'exec "$@" >/dev/full 2>&1', "sh", *daemon.arguments()])
    daemon.wait_state("a", "Running")
    assert any("bad.yaml" in line for line in daemon.own_log())


def test_a_stdout_that_nobody_reads(daemon):
    reader, writer = os.pipe()
    daemon.service("a", sh("exit 1"))
    for number in range(3000):
        daemon.write(f"bad{number}.yaml", "exec: [\n")
    with os.fdopen(reader), os.fdopen(writer, "w") as stdout:
        daemon.start(stdout=stdout)
        daemon.wait_state("a", r"Error\(.*")
        daemon.service("b", SLEEP)
        daemon.ok("monitor", "b")
        daemon.wait_state("b", "Running")


def test_a_stopped_client_does_not_hold_the_others_up(daemon):
    for number in range(300):
        daemon.service(f"s{number}", SLEEP, after=["ghost"])
    daemon.start()
    wait_until(lambda: set(daemon.list().values()) == {"Blocked"})
    with daemon.connect() as lazy:
        lazy.setblocking(False)
        request = daemon.request("service_list") * 50
        for _ in range(50):
            try:
                lazy.send(request)
            except BlockingIOError:
                break
        start = time.monotonic()
        assert len(daemon.list()) == 300
        assert time.monotonic() - start < 10
        assert SANITIZED or int(status_field(daemon.pid, "VmRSS").split()[0]) < 256 * 1024


def test_the_end_frees_what_is_under_way(daemon):
    """A build with sanitizers tells what of it leaked."""
    daemon.service("stubborn", sh("trap '' TERM; while :; do sleep 1; done"), shutdown_timeout=2)
    daemon.service("a", sh("echo line; exec sleep 1000"))
    daemon.start()
    daemon.wait_state("a", "Running")
    daemon.wait_state("stubborn", "Running")
    lock = os.open(daemon.config, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    calls = [*[("service_create", [f"new{number}", {"exec": "true"}]) for number in range(4)], ("service_stats", ["a"]), ("service_stop", ["stubborn"]),
             ("stream_subscribeLogs", []), ("stream_subscribeEvents", []), ("system_start_http_server", [f"unix:{daemon.path('h')}"])]
    calls = [call for call in calls if call[0] not in METHODS or configured(METHODS[call[0]])]
    batch = [{"jsonrpc": "2.0", "id": number, "method": method, "params": params} for number, (method, params) in enumerate(calls)]
    with daemon.connect() as stays, daemon.connect() as batched, daemon.connect() as leaves:
        for connection in (stays, leaves):
            connection.sendall(b"".join(json.dumps(request).encode() for request in batch))
        batched.sendall(json.dumps(batch).encode())
        leaves.close()
        wait_until(lambda: daemon.status("stubborn")["target"] == "Down")
        daemon.stop()
    os.close(lock)
