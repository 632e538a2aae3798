"""The command line against a proxy: -s http://HOST:PORT, tokens, TLS."""
import fcntl
import os
import re
import socket
import struct
import subprocess
import termios
import threading

import pytest
from web import BUILD, TLS, needs_tls, proxy, special
from zinit import PATIENCE, ZINIT, cli, is_error, sh, wait_until

pytestmark = pytest.mark.skipif(not re.search(r"^#define CONFIG_REMOTE 1", (BUILD / "config.h").read_text(), re.M)
                                or not re.search(r"^#define CONFIG_APPLET_PROXY 1", (BUILD / "config.h").read_text(), re.M),
                                reason="this build has no remote commands")


@pytest.fixture
def world(daemon):
    daemon.service("a", "sleep 1000")
    daemon.service("talk", sh("i=0; while :; do echo line $i; i=$((i+1)); sleep 0.05; done"), log="ring")
    daemon.start()
    daemon.wait_state("a", "Running")
    daemon.wait_state("talk", "Running")
    return daemon


@pytest.fixture
def url(world):
    return f"http://127.0.0.1:{proxy(world).port}"


def good(*args, **options):
    done = cli(*args, **options)
    assert (done.code, done.err) == (0, ""), done
    return done.out


def without_times(text):
    return re.sub(r"\b(uptime|restarts)\"?: ?\d+", "", text)


def test_commands(world, url):
    for command in (["list"], ["list", "--json"], ["status", "a"], ["status", "a", "--json"]):
        assert without_times(good("-s", url, *command)) == without_times(world.ok(*command))
    assert good("list", env={**os.environ, "ZINIT_SOCKET": url}) == world.ok("list")
    good("-s", url, "stop", "a")
    assert world.status("a")["target"] == "Down"
    good("-s", url, "start", "a", "--wait=30")
    assert world.state("a") == "Running"
    good("-s", url, "kill", "talk", "SIGCONT")
    assert is_error(cli("-s", url, "status", "nope"), "nope")
    assert is_error(cli("-s", url, "stop", "aa"), "did you mean 'a'?")


def test_logs(world, url):
    wait_until(lambda: "line 3" in world.ok("log", "-s", "talk"))
    assert "[+] talk: line 0\n[+] talk: line 1\n" in good("-s", url, "log", "-s", "talk")
    follower = subprocess.Popen([ZINIT, "-s", url, "log", "talk"], stdout=subprocess.PIPE, text=True)
    try:
        numbers = [int(line.split()[-1]) for line in (follower.stdout.readline() for _ in range(30)) if "start" not in line]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    finally:
        follower.kill()
        follower.wait()
        follower.stdout.close()
    head = subprocess.run(["sh", "-c", f'"{ZINIT}" -s {url} log talk | head -3'], capture_output=True, timeout=PATIENCE)
    assert head.stdout.count(b"\n") == 3 and head.stderr == b""


def test_large_answers(world, url):
    """More than one read, and more than one frame can carry in 16 bits of length."""
    world.service("flood", sh("i=0; while [ $i -lt 1500 ]; do echo $i xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; "
                              "i=$((i+1)); done"), log="ring", oneshot=True)
    world.rpc("service_monitor", ["flood"])
    world.wait_state("flood", "Success")
    assert good("-s", url, "log", "-s", "flood") == world.ok("log", "-s", "flood")


@pytest.mark.parametrize("address", ["http://", "http://:80", "http://a:b", "http://u:p@127.0.0.1", "http://[::1", "http://a:123456"])
def test_bad_addresses(address):
    assert is_error(cli("-s", address, "list"), address, "expected http://HOST[:PORT]")


def answer_once(text):
    """The port of a server that says TEXT to whoever comes first."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        connection.recv(4096)
        connection.sendall(text)
        connection.recv(4096)
        connection.close()
        listener.close()

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


@pytest.mark.parametrize("text, words", [
    (b"SSH-2.0-x\r\n\r\n", "refuses"), (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "404 Not Found"),
    (b"HTTP/1.1 101 X\r\n\r\n", "does not speak WebSocket"), (b"x" * 40000, "does not speak HTTP")])
def test_servers_that_are_something_else(text, words):
    assert is_error(cli("-s", f"http://127.0.0.1:{answer_once(text)}", "list"), words)


def test_nobody_there():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        for command in (["list"], ["status", "a"], ["start", "a"], ["log"]):
            assert is_error(cli("-s", url, *command), url, "Connection refused")


def test_tokens(world):
    server_file, file = world.dir / "tokens", world.dir / "token"
    server_file.write_text("one-of-ours\nanother-of-ours\n")
    server_file.chmod(0o600)
    file.write_text("# mine\nanother-of-ours\n")
    url = f"http://127.0.0.1:{proxy(world, '--token-file', str(server_file)).port}"
    assert is_error(cli("-s", url, "list"), "--token-file")
    assert good("-s", url, "--token-file", str(file), "list") == world.ok("list")
    assert good("-s", url, "list", env={**os.environ, "ZINIT_TOKEN_FILE": str(file)}) == world.ok("list")
    file.write_text("of-somebody-else\n")
    assert is_error(cli("-s", url, "list", "--token-file", str(file)), "--token-file")
    assert is_error(cli("-s", url, "list", "--token-file", "/none"), "/none")


def test_a_token_from_a_pipe(world):
    """As <(command) of a shell gives it, in pieces; but a FIFO without an end is not waited for."""
    file = world.dir / "tokens"
    file.write_text("one-of-ours\n")
    file.chmod(0o600)
    url = f"http://127.0.0.1:{proxy(world, '--token-file', str(file)).port}"
    out, into = os.pipe()
    client = subprocess.Popen([ZINIT, "-s", url, "list", "--token-file", f"/dev/fd/{out}"], stdout=subprocess.PIPE, pass_fds=[out])
    os.close(out)
    os.write(into, b"one-of-")
    wait_until(lambda: waits(into))
    os.write(into, b"ours\n")
    os.close(into)
    assert client.communicate(timeout=PATIENCE)[0].decode() == world.ok("list")
    fifo = world.path("fifo")
    special(fifo, "fifo")
    assert is_error(cli("-s", url, "list", "--token-file", fifo), fifo, "holds no token")
    held = os.open(fifo, os.O_RDWR)
    assert is_error(cli("-s", url, "list", "--token-file", fifo), fifo, "does not end")
    os.close(held)
    assert is_error(cli("-s", url, "list", "--token-file", "/dev/zero"), "too large")


def waits(pipe):
    """Has all been read out of it?"""
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0] == 0


def test_refusals_are_told(world):
    url = f"http://127.0.0.1:{proxy(world, '--read-only').port}"
    assert is_error(cli("-s", url, "stop", "a"), "read-only")
    assert good("-s", url, "list") == world.ok("list")


@needs_tls
def test_tls(world):
    cert, key = world.path("cert.pem"), world.path("key.pem")
    server = proxy(world, "--tls-self-signed", "--tls-cert", cert, "--tls-key", key)
    port = re.search(r":(\d+)$", server.process.stdout.readline().decode().strip())[1]
    url = f"https://localhost:{port}"
    assert good("-s", url, "--tls-ca", cert, "list") == world.ok("list")
    assert "[+] talk: line 0" in good("-s", url, "--tls-ca", cert, "log", "-s", "talk")
    assert is_error(cli("-s", url, "list"), "certificate")
    assert is_error(cli("-s", f"http://localhost:{port}", "list"))
    plain = f"https://127.0.0.1:{proxy(world).port}"
    assert is_error(cli("-s", plain, "--tls-ca", cert, "list"), "TLS")


@pytest.mark.skipif(TLS is not None, reason="this build has TLS")
def test_a_build_without_tls_says_so(world):
    assert is_error(cli("-s", "https://127.0.0.1:1", "list"))
