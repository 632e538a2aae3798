"""HTTP and WebSocket by hand: bytes as a test wants them, and servers to send them to."""
import base64
import json
import os
import pathlib
import re
import select
import socket
import struct
import subprocess
from typing import NamedTuple

import pytest
from zinit import PATIENCE, TREE, ZINIT, end

BUILD = pathlib.Path(os.environ.get("ZINIT_BUILD") or TREE / "build")
BUILT = re.search(r"^#define CONFIG_APPLET_PROXY 1", (BUILD / "config.h").read_text(), re.M)
TLS = re.search(r"^#define CONFIG_TLS 1", (BUILD / "config.h").read_text(), re.M)
MASK = b"\x01\x02\x03\x04"
KEY, ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

needs_proxy = pytest.mark.skipif(not BUILT, reason="this build has no proxy")
needs_tls = pytest.mark.skipif(not (BUILT and TLS), reason="this build has no TLS")


class Response(NamedTuple):
    status: int
    headers: dict
    body: bytes
    version: str

    def json(self):
        return json.loads(self.body)


class Connection:
    """One connection to a port of 127.0.0.1, or to a path."""

    def __init__(self, where, *data, wrap=None):
        self.socket = socket.socket(socket.AF_INET if isinstance(where, int) else socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(("127.0.0.1", where) if isinstance(where, int) else where)
        if wrap:
            self.socket = wrap(self.socket)
        self.seen = b""
        for piece in data:
            self.send(piece)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """What is refused may be cut off while it is still being sent."""
        try:
            self.socket.sendall(data if isinstance(data, bytes) else data.encode())
        except (BrokenPipeError, ConnectionResetError):
            pass
        return self

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def more(self):
        try:
            data = self.socket.recv(1 << 20)
        except ConnectionResetError:
            data = b""
        self.seen += data
        return data

    def take(self, count):
        while len(self.seen) < count:
            assert self.more(), f"closed after {self.seen[:500]!r}"
        data, self.seen = self.seen[:count], self.seen[count:]
        return data

    def response(self, head=False):
        while b"\r\n\r\n" not in self.seen:
            assert self.more(), f"closed after {self.seen[:500]!r}"
        text, _, _ = self.seen.partition(b"\r\n\r\n")
        lines = self.take(len(text) + 4).decode("latin-1").split("\r\n")[:-2]
        version, status, _ = lines[0].split(" ", 2)
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(": ")
            assert name not in headers and name == name.lower(), lines
            headers[name] = value
        length = int(headers.get("content-length", 0))
        return Response(int(status), headers, b"" if head else self.take(length), version)

    def ends(self):
        """Nothing more comes, and the other side closes."""
        while self.more():
            pass
        assert self.seen == b"", self.seen[:500]
        return True

    def is_silent(self):
        return not self.seen and not select.select([self.socket], [], [], 0)[0]

    # -- WebSocket -----------------------------------------------------------------------------

    def upgrade(self, *fields, path="/", host="localhost"):
        self.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                  f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n"
                  + "".join(f"{field}\r\n" for field in fields) + "\r\n")
        return self.response(head=True)

    def frame(self, opcode, payload=b"", fin=True, mask=MASK):
        return self.send(frame(opcode, payload, fin, mask))

    def text(self, value):
        return self.frame(1, value if isinstance(value, bytes) else json.dumps(value).encode())

    def receive(self):
        """(opcode, payload) of the next frame."""
        first, second = self.take(2)
        assert first & 0x80 and not second & 0x80, (first, second)
        length = second & 127
        if length > 125:
            length = int.from_bytes(self.take(2 if length == 126 else 8), "big")
        return first & 15, self.take(length)

    def message(self):
        opcode, payload = self.receive()
        assert opcode == 1, (opcode, payload)
        return json.loads(payload)

    def close_code(self):
        """The code of the close frame that comes now; None: an empty one."""
        opcode, payload = self.receive()
        assert opcode == 8, (opcode, payload)
        return struct.unpack(">H", payload[:2])[0] if payload else None


def frame(opcode, payload=b"", fin=True, mask=MASK, first=None):
    masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload)) if mask else payload
    size = len(payload)
    head = bytes([first if first is not None else (0x80 if fin else 0) | opcode])
    flag = 0x80 if mask else 0
    if size < 126:
        head += bytes([flag | size])
    elif size < 65536:
        head += bytes([flag | 126]) + struct.pack(">H", size)
    else:
        head += bytes([flag | 127]) + struct.pack(">Q", size)
    return head + (mask or b"") + masked


def call(method, params=None, id=1, **more):
    request = {"jsonrpc": "2.0", "id": id, "method": method, **more}
    if params is not None:
        request["params"] = params
    return json.dumps(request)


def post(body, *fields, host="localhost", version="1.1", ctype="application/json", path="/", method="POST", length=None):
    body = body if isinstance(body, bytes) else body.encode()
    lines = [f"{method} {path} HTTP/{version}", f"Host: {host}"] + ([f"Content-Type: {ctype}"] if ctype else [])
    lines += [f"Content-Length: {len(body) if length is None else length}", *fields]
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body


class Server:
    """A program that prints where it listens."""

    def __init__(self, *argv, **options):
        options.setdefault("stderr", subprocess.STDOUT)
        self.process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **options)
        self.first = self.process.stdout.readline().decode()
        found = re.search(r":(\d+)$", self.first.strip())
        self.port = int(found[1]) if found else 0

    def connect(self, *data, **options):
        return Connection(self.port, *data, **options)

    def ask(self, *data, **options):
        """The answer to one request on a connection of its own."""
        with self.connect(*data, **options) as connection:
            return connection.response()

    def rpc(self, method, params=None, *fields, **options):
        """The answer to a call, as JSON."""
        return self.ask(post(call(method, params), *fields), **options).json()

    def line(self):
        """What it prints next."""
        assert select.select([self.process.stdout], [], [], PATIENCE)[0], "it says nothing"
        return self.process.stdout.readline().decode()

    def output(self):
        """All that it printed; it must have ended."""
        return self.process.stdout.read().decode()

    def end(self):
        end(self.process)


def proxy(daemon, *options, address="127.0.0.1:0", **more):
    """`zinit proxy` in front of a daemon; ended with it."""
    server = Server(ZINIT, "-s", daemon.socket, "proxy", *(["-a", address] if address else []), *options, **more)
    daemon._helpers.append(server.process)
    assert server.process.poll() is None or not server.port, server.first
    return server


SPECIAL = {"fifo": os.mkfifo, "folder": os.mkdir, "device": lambda path: os.symlink("/dev/zero", path),
           "socket": lambda path: socket.socket(socket.AF_UNIX).bind(path)}


def special(path, kind):
    """Puts something else than a regular file at a path."""
    if os.path.lexists(path):
        os.unlink(path)
    SPECIAL[kind](str(path))


def test_server(name):
    return Server(BUILD / "tests" / name, "0")


test_server.__test__ = False


def basic(password):
    return "Authorization: Basic " + base64.b64encode(f"x:{password}".encode()).decode()
