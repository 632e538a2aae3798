"""What one client of the proxy must not be able to do to the others, nor to the proxy itself."""
import os
import shutil
import socket
import struct
import subprocess
import sys
from signal import SIGCONT, SIGSTOP

import pytest
from web import call, needs_proxy, post, proxy
from zinit import PATIENCE, SANITIZED, ZINIT, needs, sh, ticks, wait_until

pytestmark = needs_proxy
MIB = 1024 * 1024


@pytest.fixture
def world(daemon):
    daemon.service("a", "sleep 1000")
    daemon.service("slow", sh("trap '' TERM; while :; do sleep 1; done"), shutdown_timeout=4)
    daemon.start()
    daemon.wait_all()
    return daemon


def escaped(method):
    """The same name, each character as an escape."""
    return "".join(f"\\u{ord(c):04x}" for c in method)


def raw_call(method, params="[]", id=1):
    return f'{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}'


def resident(pid):
    return int(open(f"/proc/{pid}/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE")


def test_an_escaped_name_is_the_same_method(world):
    """However it is written, what streams is refused, and what waits goes the slow way."""
    http = proxy(world)
    for method in ("stream_subscribeLogs", "stream_subscribeEvents"):
        assert http.ask(post(raw_call(escaped(method)))).json()["error"]["code"] == -32603
        assert http.ask(post(f"[{raw_call(escaped(method))}]")).json()[0]["error"]["code"] == -32603
    with http.connect(post(raw_call(escaped("service_stop"), '["slow"]', 7))) as waits:
        with http.connect() as quick:
            for id in range(5):
                assert quick.send(post(call("service_status", ["a"], id=id))).response().json()["id"] == id
        assert waits.is_silent()
        assert waits.response().json() == {"jsonrpc": "2.0", "id": 7, "result": None}


def test_a_subscription_in_disguise_harms_nobody(world):
    """On a connection that all share its lines would be answers to no question."""
    http = proxy(world)
    with http.connect(post(call("service_stop", ["slow"], id="mine"))) as waits:
        world.wait_state("slow", lambda status: status["target"] == "Down")
        batch = ",".join([raw_call(escaped("stream_subscribeEvents"))] + [call("service_start", ["a"]), call("service_stop", ["a"])] * 50)
        assert len(http.ask(post(f"[{batch}]")).json()) == 101
        assert waits.response().json() == {"jsonrpc": "2.0", "id": "mine", "result": None}
    assert http.process.poll() is None


def test_a_request_that_grows_over_the_limit_harms_nobody(world):
    """Our number may be longer than the client's id: init must not be asked what it refuses without a number."""
    http = proxy(world)
    waiting = [http.connect(post(call("service_stop", ["slow"], id=i))) for i in range(12)]
    try:
        world.wait_state("slow", lambda status: status["target"] == "Down")
        head, tail = '{"jsonrpc":"2.0","id":1,"method":"service_status","params":["', '"]}'
        full = head + "x" * (10 * MIB - len(head) - len(tail)) + tail
        for _ in range(2):
            assert http.ask(post(full)).json()["error"]["code"] in (-32007, -32008)
        for i, connection in enumerate(waiting):
            assert connection.response().json() == {"jsonrpc": "2.0", "id": i, "result": None}
    finally:
        for connection in waiting:
            connection.socket.close()


def test_batches_have_a_budget(world):
    """Answers that are being collected count like all other buffers; who must wait is told so."""
    needs("DISCOVER", "a long answer")
    http = proxy(world)
    batch = post("[" + ",".join([call("rpc.discover")] * 400 + [call("service_stop", ["slow"])]) + "]")
    clients = [http.connect(batch) for _ in range(20)]
    try:
        peak = 0
        for _ in ticks(2):
            peak = max(peak, resident(http.process.pid))
        assert peak < 128 * MIB or SANITIZED
        assert {connection.response().status for connection in clients} == {200, 503}
        assert "result" in http.rpc("service_list")
    finally:
        for connection in clients:
            connection.socket.close()


def test_calls_that_init_does_not_read_have_a_budget(world):
    """While init stands still its part of the memory fills; then clients are refused, and what is small is not."""
    http = proxy(world)
    http.rpc("service_list")
    os.kill(world.find(), SIGSTOP)
    clients = [http.connect() for _ in range(12)]
    try:
        for connection in clients:
            connection.send(post(call("service_status", ["x" * (9 * MIB)])))
        wait_until(lambda: sum(not connection.is_silent() for connection in clients) >= 8)
        assert resident(http.process.pid) < 128 * MIB or SANITIZED
        small = http.connect(post(call("service_list")))
        os.kill(world.find(), SIGCONT)
        assert "result" in small.response().json()
        for connection in clients:
            connection.response()
    finally:
        os.kill(world.find(), SIGCONT)
        for connection in clients:
            connection.socket.close()
    assert "result" in http.rpc("service_list")


IN_A_NETWORK = """
import socket, subprocess, sys
from web import call, post
for words in ("link set lo up", "addr add 10.1.1.1/32 dev lo", "addr add 10.1.1.2/32 dev lo"):
    subprocess.run(["ip", *words.split()], check=True)
listener = socket.socket(socket.AF_INET6)
listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
listener.bind(("::", 0))
listener.listen()
proxy = subprocess.Popen(sys.argv[1:] + ["--fd", str(listener.fileno()), "--insecure"], pass_fds=[listener.fileno()])
def is_refused(plain):
    try:
        return not plain.recv(100)
    except ConnectionResetError:
        return True
def client(address):
    plain = socket.create_connection(("10.1.1.1", listener.getsockname()[1]), source_address=(address, 0), timeout=20)
    plain.sendall(post(call("service_list"), host="10.1.1.1"))
    return plain
try:
    many = [client("10.1.1.1") for _ in range(64)]
    assert all(plain.recv(100) for plain in many)
    assert is_refused(client("10.1.1.1"))
    assert client("10.1.1.2").recv(100).startswith(b"HTTP/1.1 200")
finally:
    proxy.terminate()
    proxy.wait()
"""


@pytest.mark.skipif(not shutil.which("ip"), reason="no ip here")
def test_ipv4_peers_of_an_ipv6_socket_are_told_apart(world):
    """Each has 64 connections, not all of them together."""
    if subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode:
        pytest.skip("cannot make a network namespace")
    where = os.path.dirname(os.path.abspath(__file__))
    result = subprocess.run(["unshare", "--net", sys.executable, "-c", IN_A_NETWORK, ZINIT, "-s", world.socket, "proxy"],
                            env={**os.environ, "PYTHONPATH": where}, capture_output=True, text=True, timeout=PATIENCE * 2)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("kind", ["call", "batch"])
def test_clients_that_leave_before_their_answers(daemon, kind):
    """What they asked for goes on; the places of what waits are for those who are still there."""
    daemon.service("a", "sleep 1000")
    daemon.service("slow", sh(f"trap '' TERM; touch {daemon.path('ready')}; while :; do sleep 1; done"), shutdown_timeout=1000)
    daemon.start()
    http = proxy(daemon)
    wait_until(lambda: os.path.exists(daemon.path("ready")))
    stop = raw_call("service_stop", '["slow"]')
    request = post(stop if kind == "call" else f"[{stop}]")
    for number in range(1, 28):
        leaving = [http.connect(request) for _ in range(40)]
        wait_until(lambda: daemon.output().count("service_stop 'slow'") == 40 * number, what=f"{number} times 40")
        for connection in leaving:  # at once, with a reset: an end of sending alone says nothing of reading
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.socket.close()
    assert http.ask(post(call("service_stop", ["a"]))).json()["result"] is None
    with http.connect(request) as waits:
        wait_until(lambda: daemon.output().count("service_stop 'slow'") == 40 * 27 + 1)
        daemon.rpc("service_kill", ["slow", "SIGKILL"])
        answer = waits.response().json()
        assert (answer if kind == "call" else answer[0])["result"] is None
