"""Clients that take more than their share, or leave what they asked for behind: the others go on."""
import array
import contextlib
import fcntl
import json
import os
import socket
import termios

import pytest
from test_unbreakable import NO_SUCH, NOPE, SLEEP, back_to_normal, ignoring, line_of, private_kib
from zinit import METHODS, SANITIZED, cpu_seconds, holds, needs, sh, status_field, wait_until

CROWDED = "too many calls wait, try again later"


def call(number, method, *params):
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode()


def waiting(connection):
    """Bytes that have come and are not read."""
    size = array.array("i", [0])
    fcntl.ioctl(connection, termios.FIONREAD, size)
    return size[0]


def slow_service(daemon):
    ignoring(daemon, "slow", 1000)
    daemon.start()
    daemon.wait_state("slow", lambda status: os.path.exists(daemon.path("slow")))


def asked(connection, requests):
    """Sends REQUESTS, which wait, and goes on when init has seen them all."""
    connection.sendall(b"\n".join(requests) + b"\n" + NOPE % 9)
    assert line_of(connection) == NO_SUCH % 9


# -- time --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["calls", "batch"])
def test_requests_that_take_long_leave_room_for_others(daemon, kind):
    """A file of a mebibyte takes its time to be refused; somebody has it read a hundred times."""
    daemon.service("a", SLEEP)
    daemon.write("big.yaml", "exec: true\n" + "".join(f"unknown{n}: x\n" for n in range(48000)) + "dir: [1]\n")
    daemon.start()
    daemon.wait_state("a", "Running")
    calls = [call(n, "service_monitor", "big") for n in range(100)]
    with daemon.connect() as connection:
        connection.sendall(b"[" + b",".join(calls) + b"]" if kind == "batch" else b"".join(calls))
        assert daemon.list() == {"a": "Running"}
        got = connection.recv(1 << 20, socket.MSG_DONTWAIT).count(b"\n") if waiting(connection) else 0
        assert got < (1 if kind == "batch" else 50)
        # What init has to do by itself is done meanwhile too.
        daemon.rpc("service_kill", ["a", "SIGKILL"])
        daemon.wait_state("a", lambda status: status["restarts"] == 1)


@pytest.mark.parametrize("method", [b"POST", b"OPTIONS"])
def test_http_on_the_socket_a_byte_at_a_time(daemon, method):
    daemon.start()
    text = method + b" / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n"
    with daemon.connect() as connection:
        for at in range(len(text)):
            with contextlib.suppress(BrokenPipeError):
                connection.sendall(text[at:at + 1])
            daemon.list()  # init has seen it
        answer = connection.recv(4096)
        assert answer.startswith(b"HTTP/1.1 "), answer


def test_the_beginning_of_a_request_costs_nothing(daemon):
    daemon.start()
    with daemon.connect() as connection:
        connection.sendall(b"PO")
        daemon.list()
        before = cpu_seconds(daemon.pid)
        holds(lambda: waiting(connection) == 0, 1)
        assert cpu_seconds(daemon.pid) < before + 0.3
        connection.sendall(b"X\n")
        assert b"unknown command 'POX'" in connection.recv(4096)
    with daemon.connect() as connection:
        connection.sendall(b"G")
        daemon.list()
        connection.shutdown(socket.SHUT_WR)
        assert b"unknown command 'G'" in connection.recv(4096)
    with daemon.connect() as connection:
        connection.sendall(b"GET")
        daemon.list()
    assert daemon.list() == {}


# -- memory ------------------------------------------------------------------------------------


def test_a_follower_that_never_quite_catches_up(daemon):
    """It reads all the time, but something is always left: it may read as much as it likes."""
    daemon.service("a", sh(f"yes {'x' * 1000}"))
    daemon.start()
    before = private_kib(daemon)
    with daemon.connect() as connection:
        connection.sendall(call(1, "stream_subscribeLogs", "a") + b"\n")
        got = 0
        while got < 100 << 20:
            wait_until(lambda: waiting(connection) > 8192)
            got += len(connection.recv(4096))
        assert SANITIZED or private_kib(daemon) < before + 8 * 1024


def test_answers_that_nobody_reads_have_one_bound(daemons):
    """Also when none of the clients has left much."""
    daemon = daemons()
    daemon.start()
    before = private_kib(daemon)
    size = len(daemon.raw(call(1, "rpc.discover")))
    with contextlib.ExitStack() as stack:
        for _ in range(98):
            connection = stack.enter_context(daemon.connect())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(call(1, "rpc.discover") * ((1000 * 1024) // size))
        daemon.list()
        wait_until(lambda: "was dropped: it left" in daemon.output())
        assert SANITIZED or private_kib(daemon) < before + 80 * 1024
    back_to_normal(daemon, before)


def test_an_answer_that_is_too_large_is_not_made_first(daemon):
    daemon.service("a", sh(f"yes {'x' * 8000} | head -n 6000"), oneshot=True)
    daemon.start("-b", "200000")
    daemon.wait_state("a", "Success")
    wait_until(lambda: len(daemon.rpc("stream_currentLogs", ["a", 1])[0]) > 8000)
    before = int(status_field(daemon.pid, "VmHWM").split()[0])
    assert daemon.failure("stream_currentLogs", ["a"]).code == -32008
    assert SANITIZED or int(status_field(daemon.pid, "VmHWM").split()[0]) < before + 32 * 1024


# -- places ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["stream_subscribeLogs", "stream_subscribeEvents"])
def test_a_newcomer_has_a_few_subscriptions(daemon, method):
    if method in METHODS:
        needs(METHODS[method], method)
    daemon.start()
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            connection = stack.enter_context(daemon.connect())
            connection.sendall(call(1, method) * 1024)
            lines = connection.makefile("rb")
            assert all("result" in json.loads(lines.readline()) for _ in range(1024))
        connection = stack.enter_context(daemon.connect())
        connection.sendall(call(1, method) * 9)
        lines = connection.makefile("rb")
        answers = [json.loads(lines.readline()) for _ in range(9)]
        assert ["result" in answer for answer in answers] == [True] * 8 + [False]
        assert "too many subscriptions" in answers[8]["error"]["message"]


def test_waiting_calls_have_a_bound_for_all_and_a_place_for_each(daemon):
    slow_service(daemon)
    before = private_kib(daemon)
    stop = call(1, "service_stop", "slow")
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            asked(stack.enter_context(daemon.connect()), [stop] * 1000)
        for request in (stop, b"[" + stop + b"]"):
            greedy = stack.enter_context(daemon.connect())
            greedy.sendall(request * 300)
            assert CROWDED in line_of(greedy).decode()
            modest = stack.enter_context(daemon.connect())
            asked(modest, [request] * 3)
        daemon.rpc("service_kill", ["slow", "SIGKILL"])
        assert json.loads(line_of(modest)) == [{"jsonrpc": "2.0", "id": 1, "result": None}]
    back_to_normal(daemon, before, 4096)


@pytest.mark.parametrize("kind", ["call", "batch", "forget"])
def test_what_clients_leave_behind_does_not_pile_up(daemon, kind):
    daemon.service("once", sh(f"trap '' TERM; touch {daemon.path('once')}; (trap '' TERM; sleep 1000 & wait; sleep 1000) & exit 0"),
                   oneshot=True, shutdown_timeout=1000)
    slow_service(daemon)
    daemon.wait_state("once", "Success")
    daemon.rpc("service_stop", ["once", False])
    before = private_kib(daemon)
    stop = call(1, "service_stop", "slow")
    request = {"call": stop, "batch": b"[" + stop + b"," + NOPE % 2 + b"]", "forget": call(1, "service_forget", "once")}[kind]
    for _ in range(30):
        with daemon.connect() as connection:
            asked(connection, [request] * 1000)
    daemon.list()
    back_to_normal(daemon, before, 4096)
    if kind == "batch":
        # There are too many to be waited for: what comes after is done at once.
        daemon.service("other", SLEEP)
        daemon.ok("monitor", "other")
        with daemon.connect() as connection:
            asked(connection, [b"[" + stop + b"," + call(2, "service_stop", "other") + b"]"])
        daemon.wait_state("other", lambda status: status["target"] == "Down")
    with daemon.connect() as connection:
        asked(connection, [stop])
        daemon.rpc("service_kill", ["slow", "SIGKILL"])
        assert json.loads(line_of(connection))["result"] is None
    if kind == "forget":
        for process in daemon.procs():
            if "sleep" in process.command:
                os.kill(process.pid, 9)
        wait_until(lambda: "once" not in daemon.list())
