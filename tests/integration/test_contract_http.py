"""What the recorded program answered over HTTP, ours answers; where it does not, the row says why."""
import json
import pathlib
import re
import socket

import pytest
import replay
from web import needs_proxy, proxy

pytestmark = needs_proxy
ROWS = [json.loads(line) for line in (pathlib.Path(__file__).with_name("contract") / "http.jsonl").read_text().splitlines()]

PAGES = "GET and HEAD answer a page"
FRAMING = "a head or body that can be read in two ways is refused"
HANDSHAKE = "a WebSocket handshake that is wrong is refused"
HOST = "exactly one valid Host is needed (RFC 9112, 3.2)"
CODES = "the status is the one that RFC 9110 gives for it"
HALF = "who closes its sending side is answered all the same"
CLOSES = "says that it closes, and does"
# name: (why, status of each answer, closed)
DIFFERENT = {
    "method-get": (PAGES, [200], False), "method-head": (PAGES, [200], False), "origin-error-405": (PAGES, [200], False),
    "pipelined": (PAGES, [200, 200, 200], False), "keepalive-after-405": (PAGES, [200, 200], False),
    "content-length-long-then-eof": (CODES, [400], True), "te-gzip": (CODES, [501], True), "te-identity": (CODES, [501], True),
    "chunked-bad-size": (CODES, [400], True), "chunked-lf": (CODES, [400], True),
    "chunked-incomplete-eof": (CODES, [400], True), "chunked-size-overflow": (CODES, [400], True),
    "http12": (CODES, [505], True), "http2-version": (CODES, [505], True), "h2-preface": (CODES, [505], True),
    "content-length-twice-same": (FRAMING, [400], True), "chunked-and-length": (FRAMING, [400], True),
    "chunked-twice": (FRAMING, [400], True), "te-gzip-chunked": (FRAMING, [400], True), "lf-only": (FRAMING, [400], True),
    "chunked-trailer": ("trailers are read and dropped", [200], False),
    "host-none": (HOST, [400], True), "host-two": (HOST, [400], True), "host-bad": (HOST, [400], True),
    "content-length-over": (CLOSES, [413], True), "keepalive-after-413": (CLOSES, [413], True),
    "expect-continue-415": (CLOSES, [415], True), "http10": (CLOSES, [200], True),
    "ws-post-method": (HANDSHAKE, [400], True), "ws-no-key": (HANDSHAKE, [400], True),
    "ws-short-key": (HANDSHAKE, [400], True), "ws-no-version": (HANDSHAKE, [426], True),
    "ws-version-8": (HANDSHAKE, [426], True), "ws-no-connection": (HANDSHAKE, [400], True),
    "ws-no-upgrade": (HANDSHAKE, [400], True), "ws-upgrade-other": (HANDSHAKE, [400], True),
    "ws-http10": (HANDSHAKE, [400], True), "ws-options-method": (HANDSHAKE, [400], True),
    "half-close-after-request": (HALF, [200], True), "half-close-slow": (HALF, [200], True),
}
ALLOW = "allow"  # ours adds it to every 405
PROBE = "OPTIONS /probe HTTP/1.1\r\nHost: localhost\r\n\r\n"
VARIES = rb',"(exit|restarts|since|uptime|retry_in_ms|reason|blocked_by)":("[^"]*"|\d+|\[[^]]*\])'
USAGE = rb'"(memory_usage|cpu_usage)":[\d.]+'


def comparable(body):
    body = re.sub(rb'"pid":([1-9]\d*|<PID>)', b'"pid":P', body)
    return re.sub(USAGE, rb'"\1":U', re.sub(VARIES, b"", re.sub(rb"Pid\((\d+|<PID>)\)", b"Pid(P)", body)))


def take(data, has_body=True):
    """The first answer of the bytes as (status, fields, body), and the rest; None when it is not all there."""
    match = re.match(rb"HTTP/1\.[01] (\d+)[^\r]*\r\n((?:[^\r]+\r\n)*)\r\n", data)
    if not match:
        return None, data
    fields = dict(line.split(": ", 1) for line in match[2].decode("latin-1").split("\r\n") if line)
    end = match.end() + int(fields.pop("content-length", 0)) * has_body
    fields.pop("date", None)
    return ((int(match[1]), fields, comparable(data[match.end():end])), data[end:]) if len(data) >= end else (None, data)


def recorded(text):
    answers, rest = [], text.encode()
    while rest:
        # The length of what holds a <PID> is that of the number.
        head, found, body = rest.partition(b"\r\n\r\n")
        if b"<PID>" in body:
            body, more = (body.split(b"HTTP/1.1 ", 1) + [b""])[:2]
            head = re.sub(rb"content-length: \d+", b"content-length: %d" % len(body), head)
            rest = head + found + body + (b"HTTP/1.1 " + more if more else b"")
        answer, left = take(rest)
        if not answer:
            break
        answers.append(answer)
        rest = left
    return answers


@pytest.fixture(scope="module")
def rows():
    assert set(DIFFERENT) <= {row["name"] for row in ROWS}
    return ROWS


class Talk:
    def __init__(self, port, row):
        self.socket = socket.create_connection(("127.0.0.1", port), 60)
        self.seen, self.closed, self.port, self.has_body = b"", False, port, not row["send"][0].startswith("HEAD ")
        self.first = None
        for text in row["send"]:
            self.send(text)
            if "Expect: 100-continue" in row["send"][0] and text == row["send"][0]:
                self.first = self.answer()  # what comes then depends on when the body comes
        if row["half_close"]:
            self.socket.shutdown(socket.SHUT_WR)

    def send(self, text):
        try:
            self.socket.sendall(text.replace("<PORT>", str(self.port)).encode())
        except OSError:
            pass

    def answer(self):
        """The next answer, or None at the end."""
        if self.first:
            answer, self.first = self.first, None
            return answer
        while True:
            answer, self.seen = take(self.seen, self.has_body)
            if answer or self.closed:
                return answer
            try:
                data = self.socket.recv(1 << 20)
            except ConnectionResetError:
                data = b""
            self.seen += data
            self.closed = not data

    def is_closed(self):
        """One more request tells."""
        self.has_body = True
        self.send(PROBE)
        return self.answer() is None


def faults(port, row):
    wanted = recorded(row["expect"])
    statuses, closed = [answer[0] for answer in wanted], row["closed"]
    same = row["name"] not in DIFFERENT
    if not same:
        _, statuses, closed = DIFFERENT[row["name"]]
    talk = Talk(port, row)
    try:
        got = [answer for answer in (talk.answer() for _ in statuses) if answer]
        if [answer[0] for answer in got] != statuses:
            return f"{row['name']}: status {statuses}, got {[answer[0] for answer in got]}"
        upgraded = 101 in statuses
        if not upgraded and talk.is_closed() != closed:
            return f"{row['name']}: closed should be {closed}"
        if same:
            for one, other in zip(wanted, got):
                fields = {name: value for name, value in other[1].items() if name != ALLOW or other[0] != 405}
                if (one[1], one[2]) != (fields, other[2]):
                    return f"{row['name']}: {one}\n  got {other}"
        elif wanted == got and closed == row["closed"]:
            return f"{row['name']}: is listed as different, and is not"
    finally:
        talk.socket.close()
    return None


def test_what_was_recorded(daemon, rows):
    for name, text in replay.SETS["base"].items():
        daemon.write(name, text)
    daemon.start()
    daemon.wait_state("one-ok", "Success")
    server = proxy(daemon, "--allow-origin", "*", "--allow-host", "*")
    wrong = [fault for fault in (faults(server.port, row) for row in rows) if fault]
    assert not wrong, "\n".join(wrong)
