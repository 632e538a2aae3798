"""service_create, service_get, service_delete: files of the config folder, whole or not at all."""
import fcntl
import json
import os
import random
import signal
import string
import threading

import pytest
from test_stop_more import boot, machine_namespaces  # noqa: F401
from zinit import RpcError, children, configured, look, status_field, wait_until

pytestmark = pytest.mark.skipif(not configured("FILES"), reason="service files by call are not built in")


DAEMON = {"exec": "sleep 1000"}


def files(daemon):
    return sorted(os.listdir(daemon.config))


def test_what_is_created_can_be_read_and_started(daemon):
    daemon.start()
    content = {"exec": "sh -c 'echo \"$A\"; exec sleep 1000'", "env": {"A": "x: y"}, "after": [], "shutdown_timeout": 3}
    assert daemon.rpc("service_create", ["made", content]) == "Service 'made' created successfully"
    assert daemon.rpc("service_get", ["made"]) == content
    assert daemon.list() == {}
    daemon.ok("monitor", "made")
    daemon.wait_state("made", "Running")
    wait_until(lambda: daemon.rpc("stream_currentLogs", ["made"])[-1:] == ["[+] made: x: y"])
    assert daemon.rpc("service_delete", ["made"]) == "Service 'made' deleted successfully"
    assert files(daemon) == [] and daemon.state("made") == "Running"


def test_it_never_replaces_a_file(daemon):
    daemon.write("a.yml", "exec: sleep 1\n")
    daemon.write("b.yaml", "exec: sleep 2\n")
    os.symlink("/nowhere", daemon.config / "c.yaml")
    daemon.start()
    for name in ("a", "b", "c"):
        assert daemon.failure("service_create", [name, DAEMON]).code == -32007
    assert files(daemon) == ["a.yml", "b.yaml", "c.yaml"] and not os.path.exists("/nowhere")


@pytest.mark.parametrize("content, cause", [
    ({}, "exec: missing"),
    ({"exec": ""}, "exec: empty"),
    ({"exec": ["a"]}, "exec: a list"),
    ({"exec": "a", "after": {"b": 1}}, "after: a map"),
    ({"exec": "a", "shutdown_timeout": -1}, "shutdown_timeout"),
    ({"exec": "a", "signal": {"stop": "SIGNO"}}, "signal"),
    ({"exec": "a", "x": "y" * 2_000_000}, "longer than 1 MiB"),
    ({"exec": "a", "k" * 2000: 1}, ":"),
])
def test_what_is_no_service_is_not_written(daemon, content, cause):
    daemon.start()
    error = daemon.failure("service_create", ["bad", content])
    assert error.code == -32005 and cause in error.data["cause_chain"][0]
    assert files(daemon) == []


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "a\\b", "a\nb", "x" * 129])
def test_names_that_no_service_can_have(daemon, name):
    daemon.start()
    for method, params in (("service_create", [name, DAEMON]), ("service_get", [name]), ("service_delete", [name])):
        assert daemon.failure(method, params).code == -32602
    assert files(daemon) == []


def test_a_folder_that_is_gone(daemon):
    daemon.start()
    os.rmdir(daemon.config)
    for method, params in (("service_create", ["a", DAEMON]), ("service_get", ["a"]), ("service_delete", ["a"])):
        error = daemon.failure(method, params)
        assert error.code == -32008 and "No such file" in error.data["cause_chain"][0]


def test_of_many_at_once_one_wins(daemon):
    daemon.start()
    results = []

    def create(number):
        try:
            results.append(daemon.rpc("service_create", ["same", {"exec": f"sleep {number}"}]))
        except RpcError as error:
            results.append(error.code)

    threads = [threading.Thread(target=create, args=(i,)) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count("Service 'same' created successfully") == 1 and results.count(-32007) == 11
    assert files(daemon) == ["same.yaml"]


def test_calls_go_on_while_a_file_is_slow(daemon):
    daemon.service("a", "sleep 1000")
    daemon.start()
    lock = os.open(daemon.config, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with daemon.connect() as connection:
        line = connection.makefile("rb")
        create = {"jsonrpc": "2.0", "id": 1, "method": "service_create", "params": ["b", DAEMON]}
        connection.sendall(json.dumps(create).encode())
        connection.sendall(b'{"jsonrpc":"2.0","id":2,"method":"service_list"}')
        assert json.loads(line.readline())["id"] == 2
        daemon.ok("restart", "a")
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert json.loads(line.readline())["id"] == 1
    os.close(lock)
    assert files(daemon) == ["a.yaml", "b.yaml"] and not daemon.zombies()


def workers(daemon):
    """The processes that work on files: they are copies of init."""
    own = look(daemon.find()).command
    return [pid for pid in children(daemon.pid) if (process := look(pid)) and process.command == own and process.state != "Z"]


def test_a_disk_that_does_not_answer(daemon):
    """The client is told in time, also when the kernel does not let the process go; what hangs is not forgotten."""
    daemon.service("a", "sleep 1000")
    daemon.start()
    with open(daemon.path("b.yaml"), "w") as file:
        file.write("exec: true\n")
    lock = os.open(daemon.config, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    create = {"jsonrpc": "2.0", "id": 1, "method": "service_create", "params": ["stuck", DAEMON]}
    with daemon.connect() as stuck, daemon.connect() as held:
        stuck.sendall(json.dumps(create).encode())
        pid, = wait_until(lambda: workers(daemon))
        os.kill(pid, signal.SIGSTOP)
        create["params"][0] = "held"
        for _ in range(14):
            held.sendall(json.dumps(create).encode())
        command = daemon.popen("create", "b", daemon.path("b.yaml"))
        wait_until(lambda: len(workers(daemon)) == 16)
        assert "try again" in daemon.failure("service_create", ["more", DAEMON]).message
        for connection in (stuck, held):
            error = json.loads(connection.makefile("rb").readline())["error"]
            assert error["code"] == -32008 and "no answer from the config folder within 30 s" in error["message"]
        out, err = command.communicate(timeout=60)
        assert command.returncode == 1 and out == b"" and b"waits for the file of 'b'\n" in err and b"no answer from the config" in err
        wait_until(lambda: workers(daemon) == [pid])
        with daemon.connect() as more:
            for _ in range(16):
                more.sendall(json.dumps(create).encode())
            assert "the config folder does not answer" in json.loads(more.makefile("rb").readline())["error"]["message"]
        os.kill(pid, signal.SIGCONT)
        fcntl.flock(lock, fcntl.LOCK_UN)
        wait_until(lambda: not workers(daemon))
    os.close(lock)
    daemon.rpc("service_create", ["after", DAEMON])
    assert files(daemon) == ["a.yaml", "after.yaml", "held.yaml"] and not daemon.zombies()


def test_a_fault_of_the_process_is_its_own(daemon, machine_namespaces):  # noqa: F811
    """Process 1 of a machine outlives faults; what it forks for a file must not."""
    boot(daemon)
    lock = os.open(daemon.config, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with daemon.connect() as connection:
        create = {"jsonrpc": "2.0", "id": 1, "method": "service_create", "params": ["a", DAEMON]}
        connection.sendall(json.dumps(create).encode())
        pid, = wait_until(lambda: workers(daemon))
        wait_until(lambda: int(status_field(pid, "SigCgt"), 16) == 0)  # no longer a bare copy of init
        os.kill(pid, signal.SIGSEGV)
        assert "ended without a result" in json.loads(connection.makefile("rb").readline())["error"]["message"]
    os.close(lock)
    assert daemon.list() == {} and "FATAL" not in daemon.output()


def test_a_client_that_leaves_changes_nothing(daemon):
    daemon.start()
    with daemon.connect() as connection:
        call = {"jsonrpc": "2.0", "id": 1, "method": "service_create", "params": ["a", DAEMON]}
        connection.sendall(json.dumps(call).encode())
    wait_until(lambda: files(daemon) == ["a.yaml"])
    assert daemon.rpc("service_get", ["a"]) == DAEMON


def thing(rng, depth):
    kind = rng.randrange(9 if depth else 6)
    if kind == 0:
        return None
    if kind == 1:
        return rng.choice([True, False])
    if kind == 2:
        return rng.choice([0, 7, -3, 2**64 - 1, -(2**63), 10**30])
    if kind in (3, 4, 5):
        letters = string.ascii_letters + string.digits + " \t\n\r:#-[]{}'\"\\|>&*!%@`,?=~.\x01\x7f\x85\xa0\u2028\u2029\ufeff\u00e9\U0001f600"
        return rng.choice(["yes", "null", "~", "0x1f", "1e3", ".5", "010", "- a", "on", "", " a", "a "]) \
            if rng.random() < .3 else "".join(rng.choice(letters) for _ in range(rng.randrange(12)))
    if kind == 6:
        return [thing(rng, depth - 1) for _ in range(rng.randrange(4))]
    return {str(thing(rng, 0)): thing(rng, depth - 1) for _ in range(rng.randrange(4))}


def test_whatever_is_written_reads_the_same(daemon):
    daemon.start()
    rng = random.Random(7)
    for number in range(120):
        content = {"exec": "true", "a": thing(rng, 4), "b": thing(rng, 4), "c": {"d": thing(rng, 4)}}
        daemon.rpc("service_create", [f"n{number}", content])
        assert daemon.rpc("service_get", [f"n{number}"]) == content, content


def test_a_full_disk_leaves_nothing_behind(daemon):
    if os.geteuid():
        pytest.skip("mounting needs root")
    daemon.start()
    os.system(f"nsenter -t {daemon.pid} -m mount -t tmpfs -o size=16k,nr_inodes=4 none {daemon.config}")
    where = f"/proc/{daemon.pid}/root{daemon.config}"
    content = {"exec": "true", "x": "y" * 100_000}
    error = daemon.failure("service_create", ["big", content])
    assert error.code == -32008 and "No space" in error.data["cause_chain"][0]
    assert os.listdir(where) == []
    assert daemon.rpc("service_create", ["small", DAEMON])
    assert os.listdir(where) == ["small.yaml"]
