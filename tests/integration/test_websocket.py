"""WebSocket: the state machine of RFC 6455, and JSON-RPC with subscriptions over it."""
import json
import os
import socket
import struct
from signal import SIGTERM

import pytest
from web import ACCEPT, KEY, MASK, call, frame, needs_proxy, proxy, test_server
from zinit import NO_METHOD, PATIENCE, SANITIZED, sh, wait_until

pytestmark = needs_proxy
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def echo():
    server = test_server("wsecho")
    yield server
    server.process.send_signal(SIGTERM)
    assert server.process.wait(PATIENCE) == 0 and server.output() == ""


@pytest.fixture
def web(echo):
    with echo.connect() as connection:
        assert connection.upgrade().headers["sec-websocket-accept"] == ACCEPT
        yield connection


def length16(opcode, size, payload=b""):
    return bytes([0x80 | opcode, 0xfe]) + struct.pack(">H", size) + MASK + payload


def length64(opcode, size, payload=b""):
    return bytes([0x80 | opcode, 0xff]) + struct.pack(">Q", size) + MASK + payload


BROKEN = [
    ("not masked", frame(1, b"abc", mask=None), 1002),
    ("RSV1", frame(1, b"abc", first=0xc1), 1002),
    ("RSV2", frame(1, b"abc", first=0xa1), 1002),
    ("RSV3", frame(1, b"abc", first=0x91), 1002),
    ("opcode 3", frame(3), 1002),
    ("opcode 7", frame(7), 1002),
    ("opcode 11", frame(11), 1002),
    ("opcode 15", frame(15), 1002),
    ("ping of 126 bytes", frame(9, b"x" * 126), 1002),
    ("fragmented ping", frame(9, b"x", fin=False), 1002),
    ("fragmented close", frame(8, b"", fin=False), 1002),
    ("continuation of nothing", frame(0, b"x"), 1002),
    ("a message inside another", frame(1, b"x", fin=False) + frame(1, b"y"), 1002),
    ("length of 5 in 16 bits", length16(1, 5), 1002),
    ("length of 5 in 64 bits", length64(1, 5), 1002),
    ("length with the top bit", length64(1, 1 << 63), 1002),
    ("impossible length", length64(1, (1 << 63) - 1), 1009),
    ("over 16 MiB", length64(2, 16 * MIB + 1), 1009),
    ("over 16 MiB in two", frame(2, b"x" * 10, fin=False) + b"\x80" + length64(0, 16 * MIB)[1:], 1009),
    ("close of 1 byte", frame(8, b"\x03"), 1002),
    *[(f"close {code}", frame(8, struct.pack(">H", code)), 1002) for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535)],
    ("close with a bad reason", frame(8, b"\x03\xe8\xff"), 1007),
    ("text of 0xff", frame(1, b"\xff"), 1007),
    ("surrogate", frame(1, b"\xed\xa0\x80"), 1007),
    ("overlong", frame(1, b"\xc0\xaf"), 1007),
    ("above U+10FFFF", frame(1, b"\xf4\x90\x80\x80"), 1007),
    ("half a character at the end", frame(1, b"\xc3"), 1007),
    ("half a character over fragments", frame(1, b"\xe2\x82", fin=False) + frame(0, b""), 1007),
    ("bad in the middle of a fragment", frame(1, b"ab\xff" + b"x" * 100, fin=False)[:20], 1007),
]


@pytest.mark.parametrize("data, code", [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_it_is_closed_and_nothing_behind_it_counts(web, data, code):
    web.send(data).send(frame(1, b"hidden"))
    assert web.close_code() == code and web.ends()


@pytest.mark.parametrize("code", [None, 1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999])
def test_a_close_is_given_back(web, code):
    web.frame(8, b"" if code is None else struct.pack(">H", code) + b"bye").frame(1, b"hidden")
    assert web.close_code() == code and web.ends()


SIZES = [0, 1, 7, 125, 126, 127, 65535, 65536, MIB, 16 * MIB]


@pytest.mark.parametrize("size", SIZES)
def test_messages_come_back(web, size):
    for opcode in (1, 2):
        payload = os.urandom(size) if opcode == 2 else b"x" * size
        assert web.frame(opcode, payload).receive() == (opcode, payload)


def test_fragments_with_pings_between(web):
    text = "\u00e9\u20ac\U0001f600".encode()
    web.frame(1, text[:1], fin=False).frame(9, b"one")
    for i in range(1, len(text) - 1):
        web.frame(0, text[i:i + 1], fin=False)
    web.frame(0, b"", fin=False).frame(9, b"").frame(10, b"unasked").frame(0, text[-1:])
    assert [web.receive() for _ in range(3)] == [(10, b"one"), (10, b""), (1, text)]
    part = b"y" * 64
    web.send(frame(2, part, fin=False) + frame(0, part, fin=False) * (MIB // 64 - 2) + frame(0, part))
    assert web.receive() == (2, part * (MIB // 64))


def test_bytes_one_at_a_time(web):
    web.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for data in (frame(1, "\u20ac".encode()), frame(9, b"p"), frame(2, b"z" * 126)):
        for byte in data:
            web.send(bytes([byte]))
    assert [web.receive() for _ in range(3)] == [(1, "\u20ac".encode()), (10, b"p"), (2, b"z" * 126)]


def test_a_flood_of_pings_to_a_reader_that_sleeps(web, echo):
    """Pongs do not pile up: only the newest waits."""
    web.socket.settimeout(0.5)
    flood = frame(9, b"x" * 125) * 5000
    sent = 0
    try:
        for _ in range(200):
            sent += web.socket.send(flood)
    except TimeoutError:
        pass
    rss = int(open(f"/proc/{echo.process.pid}/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE")
    assert sent > MIB and (rss < 60 * MIB or SANITIZED)


HANDSHAKES = [
    ("no Connection", f"Upgrade: websocket\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n", 400),
    ("no Upgrade", f"Connection: upgrade\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n", 400),
    ("other Upgrade", f"Connection: upgrade\r\nUpgrade: h2c\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n", 400),
    ("no key", "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n", 400),
    ("short key", "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: abc\r\nSec-WebSocket-Version: 13\r\n", 400),
    ("two keys", f"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Key: {KEY}\r\n", 400),
    ("version 8", f"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 8\r\n", 426),
    ("no version", f"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: {KEY}\r\n", 426),
]


@pytest.mark.parametrize("fields, status", [case[1:] for case in HANDSHAKES], ids=[case[0] for case in HANDSHAKES])
def test_bad_handshakes(echo, fields, status):
    with echo.connect(f"GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n", frame(1, b"hidden")) as connection:
        answer = connection.response()
        assert answer.status == status and connection.ends()
        assert answer.headers.get("sec-websocket-version") == ("13" if status == 426 else None)


@pytest.mark.parametrize("line", ["GET / HTTP/1.0", "POST / HTTP/1.1"])
def test_handshakes_of_other_requests(echo, line):
    with echo.connect(f"{line}\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: {KEY}\r\n"
                      "Sec-WebSocket-Version: 13\r\n\r\n") as connection:
        assert connection.response().status == 400 and connection.ends()


def test_a_frame_right_behind_the_handshake(echo):
    with echo.connect(f"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: "
                      f"{KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode() + frame(1, b"first")) as connection:
        assert connection.response(head=True).status == 101 and connection.receive() == (1, b"first")


# -- JSON-RPC ----------------------------------------------------------------------------------


@pytest.fixture
def world(daemon):
    daemon.service("a", "sleep 1000")
    daemon.start()
    daemon.wait_state("a", "Running")
    return daemon


@pytest.fixture
def rpc(world):
    with proxy(world).connect() as connection:
        answer = connection.upgrade("Sec-WebSocket-Protocol: a, b", "Sec-WebSocket-Extensions: permessage-deflate", path="/any?x")
        assert answer.status == 101 and list(answer.headers) == ["connection", "upgrade", "sec-websocket-accept", "vary", "date"]
        yield connection


PARSE_ERROR = {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "Parse error"}}


def test_calls(rpc, world):
    assert rpc.text(call("service_status", ["a"]).encode()).message()["result"]["state"] == "Running"
    assert rpc.frame(2, call("service_list").encode()).message()["result"] == {"a": "Running"}
    assert rpc.text(f"[{call('nope')},1]".encode()).message()[0]["error"]["code"] == NO_METHOD
    for bad in (b"{", b"hello", b"", b" " * 200 + call("service_list").encode(), call("a").encode() * 2, b'{"id":"\\u0000"}'):
        assert rpc.text(bad).message() == PARSE_ERROR
    rpc.text(b'{"jsonrpc":"2.0","method":"service_stop","params":["a"]}')
    assert rpc.text(call("service_list", id="x").encode()).message() == {"jsonrpc": "2.0", "id": "x", "result": {"a": "Running"}}
    rpc.frame(1, call("service_stop", ["a"]).encode()[:20], fin=False).frame(8, b"\x03\xe8").text(call("service_stop", ["a"]).encode())
    assert rpc.close_code() == 1000 and rpc.ends() and world.state("a") == "Running"


def test_the_limit_of_a_message(rpc):
    """Between the limit and 16 MiB a message is dropped and answered, as recorded; the connection goes on."""
    rpc.frame(1, b"z" * (10 * MIB + 1))
    assert rpc.message() == {"jsonrpc": "2.0", "id": None, "error": {
        "code": -32007, "message": "Request is too big", "data": "Exceeded max limit of 10485760"}}
    assert rpc.text(call("service_list").encode()).message()["result"] == {"a": "Running"}
    rpc.send(length64(1, 16 * MIB + 1))
    assert rpc.close_code() == 1009 and rpc.ends()


def test_subscriptions(rpc, world):
    world.service("talk", sh("echo one; echo two; exec sleep 1000"), log="ring")
    number = rpc.text(call("stream_subscribeLogs", ["talk"]).encode()).message()["result"]
    world.rpc("service_monitor", ["talk"])
    lines = [rpc.message() for _ in range(3)]
    assert all(line["method"] == "stream_subscribeLogs" and line["params"]["subscription"] == number for line in lines)
    assert [line["params"]["result"] for line in lines][1:] == ["[+] talk: one", "[+] talk: two"]
    assert rpc.text(call("stream_unsubscribeLogs", [number]).encode()).message()["result"] is True
    assert rpc.text(call("stream_unsubscribeLogs", [number]).encode()).message()["result"] is False


def test_a_reader_that_does_not_read(world):
    """The service goes on, the lines it would have cost are counted, others are served."""
    world.service("flood", sh("i=0; while :; do echo $i; i=$((i+1)); done"), log="ring")
    server = proxy(world)
    with server.connect() as sleeper, server.connect() as reader:
        for connection in (sleeper, reader):
            connection.upgrade()
            connection.text(call("stream_subscribeLogs", ["flood"]).encode())
        world.rpc("service_monitor", ["flood"])
        for _ in range(5000):
            reader.receive()
        rss = int(open(f"/proc/{server.process.pid}/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE")
        assert rss < 40 * MIB or SANITIZED
        dropped = (message for message in iter(sleeper.receive, None) if b"lines dropped" in message[1])
        assert next(dropped)
    world.rpc("service_stop", ["flood"])


def test_readers_that_vanish(world):
    world.service("chatty", sh("while :; do echo x; sleep 0.01; done"), log="ring")
    world.rpc("service_monitor", ["chatty"])
    server = proxy(world)
    before = world.descriptors()
    for i in range(40):
        connection = server.connect()
        connection.upgrade()
        connection.text(call("stream_subscribeLogs", ["chatty"]).encode())
        connection.receive()
        if i % 2:
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.socket.close()
    wait_until(lambda: world.descriptors() <= before + 2)
    assert world.state("chatty") == "Running"


def test_init_keeps_places_for_others(world):
    """However many WebSockets there are, the command line works."""
    server = proxy(world)
    connections = [server.connect() for _ in range(102)]
    try:
        statuses = [connection.upgrade().status for connection in connections]
        assert statuses[:70] == [101] * 70 and statuses[-1] == 429
        assert world.ok("list") and server.rpc("service_list")["result"] == {"a": "Running"}
    finally:
        for connection in connections:
            connection.socket.close()


def test_init_ends(rpc, world):
    world.kill()
    assert rpc.close_code() == 1013 and rpc.frame(8, b"\x03\xe8").ends()
