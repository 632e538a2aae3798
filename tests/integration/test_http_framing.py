"""Framing of HTTP/1.1: what is ambiguous or malformed is refused once, and nothing behind it is ever read."""
import socket
from signal import SIGTERM

import pytest
from web import Connection, needs_proxy, post, test_server
from zinit import PATIENCE, holds, ticks, wait_until

pytestmark = needs_proxy
GOOD = "GET /x HTTP/1.1\r\nHost: a\r\n"


@pytest.fixture(scope="module")
def echo():
    server = test_server("h1echo")
    yield server
    server.process.send_signal(SIGTERM)
    assert server.process.wait(PATIENCE) == 0 and server.output() == ""


def body(framing, content="hello"):
    return f"POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n{content}"


HOSTILE = [
    # two framings in one request, and lengths that are none
    ("length and chunked", body("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), 400),
    ("chunked and length", body("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n"), 400),
    ("two lengths", body("Content-Length: 5\r\nContent-Length: 6"), 400),
    ("the same length twice", body("Content-Length: 5\r\nContent-Length: 5"), 400),
    ("list of lengths", body("Content-Length: 5, 5"), 400),
    ("length +5", body("Content-Length: +5"), 400),
    ("length -5", body("Content-Length: -5"), 400),
    ("length 0x5", body("Content-Length: 0x5"), 400),
    ("length 1_0", body("Content-Length: 1_0"), 400),
    ("no length", body("Content-Length:"), 400),
    ("length of 20 digits", body("Content-Length: 99999999999999999999"), 400),
    ("chunked twice", body("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), 400),
    ("chunked, chunked", body("Transfer-Encoding: chunked, chunked", "0\r\n\r\n"), 400),
    ("chunked, identity", body("Transfer-Encoding: chunked, identity", "0\r\n\r\n"), 400),
    (",chunked", body("Transfer-Encoding: ,chunked", "0\r\n\r\n"), 400),
    ("xchunked", body("Transfer-Encoding: xchunked", "0\r\n\r\n"), 501),
    ("gzip", body("Transfer-Encoding: gzip"), 501),
    ("chunked in 1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    # chunks
    ("chunk size zz", body("Transfer-Encoding: chunked", "zz\r\n"), 400),
    ("chunk size +5", body("Transfer-Encoding: chunked", "+5\r\nhello\r\n0\r\n\r\n"), 400),
    ("chunk size 0x5", body("Transfer-Encoding: chunked", "0x5\r\nhello\r\n0\r\n\r\n"), 400),
    ("chunk size of 17 digits", body("Transfer-Encoding: chunked", "fffffffffffffffff\r\n"), 400),
    ("chunk line ends in LF", body("Transfer-Encoding: chunked", "5\nhello\r\n0\r\n\r\n"), 400),
    ("chunk longer than said", body("Transfer-Encoding: chunked", "5\r\nhello!\r\n0\r\n\r\n"), 400),
    ("trailer ends in LF", body("Transfer-Encoding: chunked", "0\r\nX: y\n\n"), 400),
    ("endless extensions", body("Transfer-Encoding: chunked", "1;" + "x" * 20000), 400),
    ("endless tiny chunks", body("Transfer-Encoding: chunked", "1\r\nx\r\n" * 20000), 400),
    # request line
    ("no version", "GET /\r\n", 400),
    ("0.9", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", 400),
    ("1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
    ("2.0", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n", 400),
    ("two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("tab", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("method with a bracket", "G[T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("target with a byte above 127", "GET /\u00e9 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("long target", f"GET /{'a' * 9000} HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    ("a word", "HELLO\r\n", 400),
    ("bytes of TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ("JSON", '{"jsonrpc":"2.0"}', 400),
    # fields
    ("no Host", "GET / HTTP/1.1\r\n\r\n", 400),
    ("two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    ("Host with a blank", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("Host with a user", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
    ("Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    ("blank before the colon", GOOD + "X : y\r\n\r\n", 400),
    ("empty name", GOOD + ": y\r\n\r\n", 400),
    ("no colon", GOOD + "foo\r\n\r\n", 400),
    ("folded line", GOOD + "X: y\r\n z\r\n\r\n", 400),
    ("blank first", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    ("line ends in LF", "GET / HTTP/1.1\nHost: a\n\n", 400),
    ("field ends in LF", GOOD + "X: y\n\r\n", 400),
    ("bare CR", GOOD + "X: y\rz\r\n\r\n", 400),
    ("NUL", GOOD.encode() + b"X: y\0z\r\n\r\n", 400),
    ("control byte", GOOD.encode() + b"X: \x1b\r\n\r\n", 400),
    ("101 fields", GOOD + "X: y\r\n" * 100 + "\r\n", 431),
    ("long head", GOOD + f"X: {'y' * 17000}\r\n\r\n", 431),
    ("many empty lines", "\r\n" * 9 + GOOD + "\r\n", 400),
]


@pytest.mark.parametrize("request_bytes, status", [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
def test_it_is_refused_and_nothing_behind_it_is_read(echo, request_bytes, status):
    with echo.connect(request_bytes, post("hidden")) as connection:
        answer = connection.response()
        assert (answer.status, answer.body) == (status, b"")
        assert answer.headers.keys() == {"connection", "content-length", "date"} and answer.headers["connection"] == "close"
        assert connection.ends()


GOODS = [
    ("plain", body("Content-Length: 5"), b"hello"),
    ("zeros before the length", body("Content-Length: 00005"), b"hello"),
    ("chunked", body("Transfer-Encoding: Chunked", "2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\nX: y\r\n\r\n"), b"hello"),
    ("GET with a body", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    ("no body", "POST / HTTP/1.1\r\nHost: a\r\n\r\n", b""),
    ("empty lines before", "\r\n\r\n" + body("Content-Length: 5"), b"hello"),
    ("absolute target", "GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n", b""),
    ("any method", "FOO / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", b"x"),
    ("bytes above 127 in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: \u00e9\r\n\r\n", b""),
    ("value with blanks around", "GET / HTTP/1.1\r\nHost: \t a \t\r\n\r\n", b""),
    ("empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", b""),
]


@pytest.mark.parametrize("text, content", [case[1:] for case in GOODS], ids=[case[0] for case in GOODS])
def test_good_requests_however_they_are_cut(echo, text, content):
    data = text.encode("latin-1")
    cuts = range(1, len(data))
    with echo.connect() as connection:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for cut in cuts:
            connection.send(data[:cut]).send(data[cut:])
            answer = connection.response()
            assert (answer.status, answer.body) == (200, content)
        for byte in data:
            connection.send(bytes([byte]))
        assert connection.response().body == content
        assert connection.is_silent()


def test_pipelined_requests_are_answered_in_order(echo):
    many = [f"number {i}" for i in range(500)]
    data = b"".join(post(text) for text in many)
    with echo.connect(data) as connection:
        assert [connection.response().body.decode() for _ in many] == many


def test_http_1_0_and_close(echo):
    with echo.connect(post("a", version="1.0")) as connection:
        answer = connection.response()
        assert (answer.version, answer.status, answer.body) == ("HTTP/1.0", 200, b"a") and connection.ends()
    with echo.connect(post("a", "Connection: keep-alive", version="1.0")) as connection:
        assert connection.response().headers["connection"] == "keep-alive"
        assert connection.send(post("b")).response().body == b"b"
    with echo.connect(post("a", "Connection: x, CLOSE"), post("hidden")) as connection:
        assert connection.response().headers["connection"] == "close" and connection.ends()


def test_expect_100_continue(echo):
    with echo.connect("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n") as connection:
        assert connection.take(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert connection.send("hello").response().body == b"hello"


def test_the_answer_to_head_has_no_body(echo):
    with echo.connect("HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", post("next")) as connection:
        assert connection.response(head=True).headers["content-length"] == "5"
        assert connection.response().body == b"next"


def test_a_half_closed_client_is_answered(echo):
    with echo.connect(post("a"), post("b")) as connection:
        connection.half_close()
        assert (connection.response().body, connection.response().body) == (b"a", b"b") and connection.ends()


def test_large_bodies_and_what_is_too_large(echo):
    large = b"x" * (10 * 1024 * 1024)
    assert echo.ask(post(large)).body == large
    chunks = b"".join(b"10000\r\n" + large[:65536] + b"\r\n" for _ in range(160)) + b"0\r\n\r\n"
    assert echo.ask(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks).body == large
    with echo.connect(post(b"", length=len(large) + 1)) as connection:
        assert connection.response().status == 413 and connection.ends()
    over = b"10000\r\n" + large[:65536] + b"\r\n"
    with echo.connect(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", *[over] * 161) as connection:
        assert connection.response().status == 413 and connection.ends()


def test_all_buffers_together_are_bounded(echo):
    """Bodies that never end: whoever would go over the budget is told so; small requests go on."""
    part = b"x" * (9 * 1024 * 1024)
    holders = []
    try:
        refused = 0
        for _ in range(5):
            connection = echo.connect(post(part[:-1], length=len(part)))
            holders.append(connection)
            refused += bool([1 for _ in ticks(0.5) if not connection.is_silent()])
        assert refused and Connection(echo.port, post("small")).response().body == b"small"
    finally:
        for connection in holders:
            connection.socket.close()


def test_slow_heads_are_dropped_and_others_served(echo):
    """A byte now and then does not hold a place: the deadline is for the whole head."""
    with echo.connect("GET / HTTP/1.1\r\nX: ") as drip, echo.connect("G") as stuck, echo.connect() as good:
        for _ in ticks(9):
            if not drip.is_silent() or not stuck.is_silent():
                break
            drip.send("a")
            assert good.send(post("hello")).response().body == b"hello"
        else:
            for connection in (drip, stuck):
                assert connection.response().status == 408 and connection.ends()
            return
        raise AssertionError("dropped before its deadline")


def test_when_full_the_longest_waiting_gives_way(echo):
    old = echo.connect()
    others = [echo.connect() for _ in range(511)]
    try:
        assert others[-1].send(post("served")).response().body == b"served"
        with echo.connect(post("new")) as connection:
            assert connection.response().body == b"new" and old.ends()
        assert others[-1].send(post("served")).response().body == b"served"
    finally:
        for connection in [old, *others]:
            connection.socket.close()
    with echo.connect() as connection:
        holds(lambda: connection.send(post("x")).response().body == b"x", 0.1)
