"""Clients that are broken, hostile, slow or gone: none of them blocks init, grows it, or undoes a call."""
import contextlib
import json
import os
import re
import select
import signal
import socket

import pytest
from replay import receive, taken
from zinit import METHODS, PATIENCE, SANITIZED, lines_of, needs, sh, wait_until

LIMIT = 10 * 1024 * 1024
NOPE = b'{"jsonrpc":"2.0","id":%d,"method":"nope"}'
NO_SUCH = b'{"jsonrpc":"2.0","id":%d,"error":{"code":-32601,"message":"Method not found"}}\n'
TOO_BIG = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32007,"message":"Request is too big",' \
          b'"data":"Exceeded max limit of 10485760"}}\n'
UNREADABLE = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}\n'
SLEEP = "sleep 1000"


def private_kib(daemon):
    with open(f"/proc/{daemon.find()}/smaps_rollup") as file:
        return sum(int(size) for size in re.findall(r"^Private_(?:Clean|Dirty):\s*(\d+)", file.read(), re.M))


def back_to_normal(daemon, before, more=512):
    """What a test took is given back: not more than MORE KiB are left of it."""
    try:
        assert SANITIZED or wait_until(lambda: private_kib(daemon) <= before + more, 20)
    except AssertionError:
        raise AssertionError(f"the memory is not given back: {before} KiB before, {private_kib(daemon)} after") from None


def ignoring(daemon, name, grace):
    daemon.service(name, sh(f"trap '' TERM; touch {daemon.path(name)}; while :; do sleep 0.1; done"), shutdown_timeout=grace)


def count(daemon, name):
    return len(lines_of(daemon.path(name)))


def line_of(connection):
    """One line, and nothing behind it is taken."""
    reply = b""
    while not reply.endswith(b"\n"):
        seen = connection.recv(1 << 16, socket.MSG_PEEK)
        assert seen, f"closed after {reply!r}"
        end = seen.find(b"\n") + 1
        reply += connection.recv(end or len(seen))
    return reply


def request_of(size, method=b"nope"):
    """A request of exactly SIZE bytes."""
    head, tail = b'{"jsonrpc":"2.0","id":7,"method":"' + method + b'","x":"', b'"}'
    return head + b"x" * (size - len(head) - len(tail)) + tail


# -- sizes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size, answer", [(LIMIT - 1, NO_SUCH % 7), (LIMIT, NO_SUCH % 7), (LIMIT + 1, TOO_BIG),
                                          (64 * 1024 * 1024, TOO_BIG)])
def test_a_request_of_ten_mebibytes_and_one_more(daemon, size, answer):
    daemon.start()
    before = private_kib(daemon)
    with daemon.connect() as connection:
        connection.sendall(request_of(size) + NOPE % 8)
        assert line_of(connection) == answer
        assert line_of(connection) == NO_SUCH % 8
    back_to_normal(daemon, before)


def test_answers_over_ten_mebibytes(daemon):
    daemon.start()
    before = private_kib(daemon)
    with daemon.connect() as connection:
        # Each item is answered with about twice its size.
        batch = b"[" + b",".join([b'{"jsonrpc":"2.0","id":1,"method":"n"}'] * 200000) + b"]"
        assert len(batch) < LIMIT
        connection.sendall(batch)
        assert json.loads(line_of(connection)) == {"jsonrpc": "2.0", "id": None, "error": {
            "code": -32011, "message": "The batch response was too large", "data": "Exceeded max limit of 10485760"}}
        # The name stands in the answer, the escapes of its bytes are six times as long.
        call = b'{"jsonrpc":"2.0","id":3,"method":"service_status","params":["' + b"\\u0001" * 1740000 + b'"]}'
        connection.sendall(call)
        answer = json.loads(line_of(connection))
        assert answer["id"] == 3 and answer["error"]["code"] in (-32000, -32008)
        connection.sendall(NOPE % 8)
        assert line_of(connection) == NO_SUCH % 8
    back_to_normal(daemon, before)


@pytest.mark.parametrize("bomb", [b"[", b'{"a":', b'[{"a":'])
def test_depth_without_end(daemon, bomb):
    daemon.service("a", SLEEP)
    daemon.start(argv=["/bin/sh", "-c", 'ulimit -s 64 && exec "$@"', "sh", *daemon.arguments()])
    before = private_kib(daemon)
    text = bomb * (1024 * 1024 // len(bomb))
    with daemon.connect() as connection, daemon.connect() as other:
        connection.sendall(text)
        taken(connection)
        other.sendall(NOPE % 1)
        assert line_of(other) == NO_SUCH % 1
        # Now closed: complete, and too deep.
        close = {b"[": b"]", b'{"a":': b"}", b'[{"a":': b"}]"}[bomb]
        connection.sendall(b"1" + close * (len(text) // len(bomb)))
        assert line_of(connection) == UNREADABLE
    back_to_normal(daemon, before)


def test_a_request_with_ten_thousand_members(daemon):
    daemon.start()
    members = {f"key{number}": number for number in range(10000)}
    assert json.loads(daemon.raw(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "service_list", **members}).encode() +
                                 b"\n"))["result"] == {}
    assert json.loads(daemon.raw(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "service_status",
                                             "params": members}).encode() + b"\n"))["error"]["code"] == -32602


# -- many --------------------------------------------------------------------------------------


def test_a_hundred_clients_and_no_more(daemon):
    daemon.start()
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(daemon.connect()) for _ in range(100)]
        for number, connection in enumerate(connections):
            connection.sendall(NOPE % number)
            assert line_of(connection) == NO_SUCH % number
        for _ in range(3):
            with daemon.connect() as one_more:
                assert receive(one_more) == b"Too many connections. Please try again later."
        connections[50].close()
        wait_until(daemon.answers)
        for number, connection in enumerate(connections):
            if number != 50:
                connection.sendall(NOPE % number)
                assert line_of(connection) == NO_SUCH % number


def test_a_hundred_idle_clients_cost_little(daemon):
    daemon.start()
    with contextlib.ExitStack() as stack:
        # What the first ones cost is not theirs alone.
        for _ in range(20):
            with daemon.connect() as connection:
                connection.sendall(NOPE % 1)
                line_of(connection)
        before = private_kib(daemon)
        for number in range(100):
            connection = stack.enter_context(daemon.connect())
            connection.sendall(NOPE % number)
            assert line_of(connection) == NO_SUCH % number
        assert SANITIZED or private_kib(daemon) - before <= 100


def test_ten_thousand_clients_that_vanish(daemon):
    daemon.service("a", SLEEP)
    daemon.start()
    pid = daemon.wait_state("a", "Running")["pid"]
    descriptors, before, said = daemon.descriptors(), private_kib(daemon), daemon.output()
    pieces = [b"", b"\n", b"{", NOPE % 1, b'{"jsonrpc":"2.0","id":1,"method":"service_', b"[" + NOPE % 1 + b",", b" "]
    for number in range(10000):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(daemon.socket)
            with contextlib.suppress(OSError):  # turned away: too many at once
                connection.send(pieces[number % len(pieces)])
    wait_until(daemon.answers)
    wait_until(lambda: daemon.descriptors() == descriptors)
    assert daemon.status("a")["pid"] == pid and daemon.output() == said
    back_to_normal(daemon, before)


def test_a_thousand_requests_in_one_write(daemon):
    daemon.service("a", SLEEP)
    daemon.start()
    daemon.wait_state("a", "Running")
    request = b"".join(b'{"jsonrpc":"2.0","id":%d,"method":"service_status","params":["a"]}' % number
                       for number in range(1000))
    with daemon.connect() as connection:
        # One write: the receiver's buffer must hold it all.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * len(request))
        assert connection.send(request) == len(request)
        reader = connection.makefile("rb")
        answers = [json.loads(reader.readline()) for _ in range(1000)]
    assert [answer["id"] for answer in answers] == list(range(1000))
    assert {answer["result"]["state"] for answer in answers} == {"Running"}


def test_a_hundred_thousand_notifications(daemon):
    daemon.service("a", SLEEP)
    daemon.start()
    pid = daemon.wait_state("a", "Running")["pid"]
    before = private_kib(daemon)
    with daemon.connect() as connection:
        connection.sendall(b'{"jsonrpc":"2.0","method":"service_stop","params":["a"]}\n' * 50000)
        connection.sendall(b"[" + b",".join([b'{"jsonrpc":"2.0","method":"nope"}'] * 50000) + b"]")
        connection.sendall(NOPE % 1)
        assert line_of(connection) == NO_SUCH % 1
    assert daemon.status("a")["pid"] == pid
    back_to_normal(daemon, before)


# -- slow --------------------------------------------------------------------------------------


def test_a_hundred_clients_a_byte_at_a_time(daemon):
    daemon.start()
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(daemon.connect()) for _ in range(99)]
        request = NOPE % 5
        for at in range(len(request)):
            for connection in connections:
                connection.sendall(request[at:at + 1])
            if at % 16 == 0:
                assert daemon.answers()
        for connection in connections:
            assert line_of(connection) == NO_SUCH % 5


def test_a_client_that_reads_late_gets_everything_in_order(daemon):
    for number in range(100):
        daemon.service(f"s{number}", SLEEP, after=["ghost"])
    daemon.start()
    wait_until(lambda: set(daemon.list().values()) == {"Blocked"})
    before = private_kib(daemon)
    requests = b"".join(b'{"jsonrpc":"2.0","id":%d,"method":"service_list"}' % number for number in range(4000))
    with daemon.connect() as slow:
        slow.setblocking(False)
        sent, answers = 0, b""
        # Written until the daemon takes no more: it stops reading where its answers are not read.
        while sent < len(requests) and select.select([], [slow], [], 1)[1]:
            sent += slow.send(requests[sent:sent + 65536])
        assert daemon.answers()
        assert SANITIZED or private_kib(daemon) - before < 4 * 1024
        while answers.count(b"\n") < 4000:
            readable, writable, _ = select.select([slow], [slow] if sent < len(requests) else [], [], PATIENCE)
            assert readable or writable
            if readable:
                answers += slow.recv(1 << 20)
            if writable and sent < len(requests):
                sent += slow.send(requests[sent:sent + 65536])
    assert [json.loads(line)["id"] for line in answers.splitlines()] == list(range(4000))
    back_to_normal(daemon, before)


def test_a_subscriber_that_never_reads_while_a_service_floods(daemon):
    daemon.service("flood", sh(f"while :; do yes {'x' * 200} | head -n 500; echo t >> {daemon.path('tick')}; done"))
    daemon.start()
    with contextlib.ExitStack() as stack:
        wait_until(lambda: count(daemon, "tick") > 2)
        before = private_kib(daemon)
        connections = [stack.enter_context(daemon.connect()) for _ in range(10)]
        for connection in connections:
            connection.sendall(daemon.request("stream_subscribeLogs", ["flood"]))
        first = count(daemon, "tick")
        # 20 MB of lines, 200 MB for the ten of them.
        wait_until(lambda: count(daemon, "tick") > first + 200)
        assert SANITIZED or private_kib(daemon) - before < 10 * 1024
        assert daemon.state("flood") == "Running"
        # One of them reads after all: lines, and how many it missed.
        reader = connections[0].makefile("rb")
        assert type(json.loads(reader.readline())["result"]) is int
        while not re.search(rb'"\[-\] zinit: \d+ lines dropped"', line := reader.readline()):
            assert line
    daemon.rpc("service_stop", ["flood"])
    back_to_normal(daemon, before, 2048)


def test_large_requests_that_stay_half_sent(daemon):
    daemon.service("a", SLEEP)
    daemon.start()
    daemon.wait_state("a", "Running")
    before = private_kib(daemon)
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(daemon.connect()) for _ in range(60)]
        part = request_of(LIMIT)[:8 * 1024 * 1024]
        for connection in connections:
            connection.sendall(part)
        # 480 MiB were sent.
        assert SANITIZED or private_kib(daemon) < 64 * 1024
        assert daemon.list() == {"a": "Running"}
        # Those that were refused are told; their connection goes on.
        for connection in connections:
            connection.sendall(b'"}' + NOPE % 9)
        told = [json.loads(line_of(connection).splitlines()[0]) for connection in connections]
        assert {answer["error"]["code"] for answer in told} <= {-32601, -32603} and -32603 in {
            answer["error"]["code"] for answer in told}
    back_to_normal(daemon, before)


def test_answers_that_nobody_reads_from_all_sides(daemon):
    for number in range(300):
        daemon.service(f"s{number}", SLEEP, after=["ghost"])
    daemon.start()
    before = private_kib(daemon)
    requests = b'{"jsonrpc":"2.0","id":1,"method":"service_list"}' * 2000
    with contextlib.ExitStack() as stack:
        for _ in range(90):
            connection = stack.enter_context(daemon.connect())
            connection.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                connection.send(requests)
        assert len(daemon.list()) == 300
        # 100 connections with 1 MiB each are more than all may hold together.
        assert SANITIZED or private_kib(daemon) - before < 100 * 1024
    wait_until(daemon.answers)
    back_to_normal(daemon, before, 4 * 1024)


# -- half closed, and gone ---------------------------------------------------------------------


def test_a_half_closed_client_gets_an_answer_that_takes_long(daemon):
    ignoring(daemon, "a", 1)
    daemon.start()
    daemon.wait_state("a", lambda status: os.path.exists(daemon.path("a")))
    with daemon.connect() as connection:
        connection.sendall(b'{"jsonrpc":"2.0","id":1,"method":"service_stop","params":["a"]}'
                           b'[{"jsonrpc":"2.0","id":2,"method":"service_stop","params":["a"]},' + NOPE % 3 + b']' +
                           NOPE % 4 + b'{"cut')
        connection.shutdown(socket.SHUT_WR)
        first, second, third = sorted(receive(connection).splitlines(keepends=True))
    assert {first, second, third} == {b'[{"jsonrpc":"2.0","id":2,"result":null},' + (NO_SUCH % 3)[:-1] + b']\n',
                                      b'{"jsonrpc":"2.0","id":1,"result":null}\n', NO_SUCH % 4}


def test_calls_run_to_their_end_whoever_hangs_up(daemon):
    ignoring(daemon, "slow", 1)
    daemon.service("r", sh(f"echo x >> {daemon.path('r')}; exec sleep 1000"))
    daemon.service("one", sh(f"echo x >> {daemon.path('one')}"), oneshot=True)
    daemon.start()
    daemon.wait_state("slow", lambda status: os.path.exists(daemon.path("slow")))
    daemon.wait_state("r", "Running")
    daemon.wait_state("one", "Success")
    starts = count(daemon, "r"), count(daemon, "one")
    # Sent and gone: one call, several at once, and a batch that waits in its first item.
    for request in (daemon.request("service_restart", ["r"]),
                    daemon.request("service_start", ["one"]),
                    b'[{"jsonrpc":"2.0","id":1,"method":"service_stop","params":["slow"]},'
                    b'{"jsonrpc":"2.0","id":2,"method":"service_forget","params":["slow"]}]'):
        with daemon.connect() as connection:
            connection.sendall(request)
    wait_until(lambda: (count(daemon, "r"), count(daemon, "one")) == (starts[0] + 1, starts[1] + 1))
    wait_until(lambda: set(daemon.list()) == {"r", "one"})
    daemon.wait_state("r", "Running")


def test_what_was_sent_before_hanging_up_is_done(daemon):
    """However much it is, and although the answers before it can not be delivered any more."""
    daemon.service("one", sh(f"echo x >> {daemon.path('one')}"), oneshot=True)
    daemon.start()
    daemon.wait_state("one", "Success")
    for fill in (1, 100, 3000, 10000):
        starts = count(daemon, "one")
        request = NOPE % 1 * fill + daemon.request("service_start", ["one"])
        with daemon.connect() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 21)
            os.kill(daemon.find(), signal.SIGSTOP)
            try:
                sent = connection.send(request)
            finally:
                connection.close()
                os.kill(daemon.find(), signal.SIGCONT)
        if sent == len(request):
            wait_until(lambda: count(daemon, "one") == starts + 1, what=f"the call behind {fill} others")


def test_subscribers_that_vanish(daemon):
    daemon.service("a", sh(f"while :; do echo line; echo t >> {daemon.path('tick')}; sleep 0.01; done"))
    daemon.start()
    descriptors, before = daemon.descriptors(), private_kib(daemon)
    for _ in range(300):
        with daemon.connect() as connection:
            connection.sendall(daemon.request("stream_subscribeLogs") * 3)
    wait_until(lambda: daemon.descriptors() == descriptors)
    now = count(daemon, "tick")
    wait_until(lambda: count(daemon, "tick") > now + 5)
    back_to_normal(daemon, before, 2048)


def test_a_stop_with_a_long_grace_delays_nobody(daemon):
    """Proof by order: whatever the others ask is answered before the stop is."""
    ignoring(daemon, "a", 30)
    daemon.service("b", SLEEP)
    daemon.start()
    daemon.wait_state("a", lambda status: os.path.exists(daemon.path("a")))
    daemon.wait_state("b", "Running")
    with daemon.connect() as patient, daemon.connect() as other:
        patient.sendall(b'{"jsonrpc":"2.0","id":1,"method":"service_stop","params":["a"]}\n')
        daemon.wait_state("a", lambda status: status["target"] == "Down")
        for number in range(100):
            other.sendall(b'{"jsonrpc":"2.0","id":%d,"method":"service_status","params":["b"]}\n' % number)
            assert json.loads(line_of(other))["id"] == number
        for method in ("service_stop", "service_start", "service_restart"):
            daemon.rpc(method, ["b"])
        # The stopping client may go on as well.
        patient.sendall(NOPE % 2)
        assert line_of(patient) == NO_SUCH % 2
        assert not select.select([patient], [], [], 0)[0] and daemon.status("a")["target"] == "Down"
        daemon.rpc("service_kill", ["a", "SIGKILL"])
        assert line_of(patient) == b'{"jsonrpc":"2.0","id":1,"result":null}\n'


# -- subscriptions -----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["stream_subscribeLogs", "stream_subscribeEvents"])
def test_subscriptions_without_end(daemon, method):
    if method in METHODS:
        needs(METHODS[method], method)
    daemon.start()
    before = private_kib(daemon)
    request = b'{"jsonrpc":"2.0","id":1,"method":"%s","params":["a"]}\n' % method.encode()
    with daemon.connect() as connection, connection.makefile("rb") as lines:
        connection.sendall(request * 1024)
        assert all("result" in json.loads(lines.readline()) for _ in range(1024))
        connection.sendall(request)
        error = json.loads(lines.readline())["error"]
        assert error["code"] == -32603 and "too many subscriptions" in error["message"]
        with daemon.connect() as other, other.makefile("rb") as answers:
            other.sendall(request)
            assert "result" in json.loads(answers.readline())
    back_to_normal(daemon, before)


@pytest.mark.parametrize("method", ["stream_subscribeLogs", "stream_subscribeEvents"])
def test_a_long_filter_is_not_kept(daemon, method):
    daemon.start()
    before = private_kib(daemon)
    request = b'{"jsonrpc":"2.0","id":1,"method":"%s","params":["%s"]}' % (method.encode(), b"x" * (1 << 20))
    with daemon.connect() as connection, connection.makefile("rb") as lines:
        for _ in range(16):
            connection.sendall(request)
            assert "result" in json.loads(lines.readline())
        back_to_normal(daemon, before, 4096)


@pytest.mark.parametrize("kind", ["batch", "id"])
def test_large_requests_that_wait_have_a_bound(daemon, kind):
    """A waiting call keeps its id, a waiting batch its text: a client may not have init keep them without end."""
    ignoring(daemon, "slow", 1000)
    daemon.start()
    daemon.wait_state("slow", lambda status: os.path.exists(daemon.path("slow")))
    before, filler = private_kib(daemon), b"x" * (4 * 1024 * 1024)
    stop = b'{"jsonrpc":"2.0","id":"%s","method":"service_stop","params":["slow"]}'
    request = b"[" + stop % b"1" + b',{"x":"' + filler + b'"}]' if kind == "batch" else stop % filler
    with daemon.connect() as connection:
        for _ in range(9 if kind == "batch" else 8):  # the answer that refuses has the id too
            connection.sendall(request)
        assert b"too many large requests" in line_of(connection)[-200:]
        assert SANITIZED or private_kib(daemon) < before + 64 * 1024
    with daemon.connect() as connection:
        connection.sendall(NOPE % 8)
        assert line_of(connection) == NO_SUCH % 8
    daemon.rpc("service_kill", ["slow", "SIGKILL"])
    back_to_normal(daemon, before)
