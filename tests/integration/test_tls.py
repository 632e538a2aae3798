"""TLS in front of the proxy, and what it does to connections that are slow, silent or something else."""
import hashlib
import os
import re
import shutil
import ssl
import subprocess
from signal import SIGHUP

import pytest
from web import SPECIAL, TLS, Connection, call, needs_proxy, needs_tls, post, proxy, special
from zinit import PATIENCE, cpu_seconds, is_error, ticks, wait_until

pytestmark = needs_proxy
MIB = 1024 * 1024
needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl here")


@pytest.fixture
def world(daemon):
    daemon.service("a", "sleep 1000")
    daemon.start()
    daemon.wait_state("a", "Running")
    return daemon


def client(ca, least=ssl.TLSVersion.TLSv1_2, most=None, name="localhost", cert=None):
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = least
    if most:
        context.maximum_version = most
    if cert:
        context.load_cert_chain(*cert)
    return lambda plain: context.wrap_socket(plain, server_hostname=name)


class Secure:
    def __init__(self, world, *options, **more):
        self.world = world
        self.cert, self.key = world.path("cert.pem"), world.path("key.pem")
        self.server = proxy(world, "--tls-cert", self.cert, "--tls-key", self.key, *options, **more)

    def connect(self, *data, **options):
        return Connection(self.server.port, *data, wrap=client(self.cert, **options))


@pytest.fixture
def secure(world):
    first = Secure(world, "--tls-self-signed")
    line = first.server.first
    assert line.startswith("wrote "), line
    first.fingerprint = line.split()[-1].replace(":", "").lower()
    first.server.port = int(re.search(r":(\d+)$", first.server.process.stdout.readline().decode().strip())[1])
    return first


@pytest.mark.skipif(TLS is not None, reason="this build has TLS")
def test_a_build_without_it_says_so(world):
    assert is_error(world.cli("proxy", "-a", "127.0.0.1:0", "--tls-cert", "a", "--tls-key", "b"), "without TLS")


@needs_tls
def test_calls(secure):
    with secure.connect(post(call("service_list"))) as connection:
        assert connection.response().json()["result"] == {"a": "Running"}
        assert connection.socket.selected_alpn_protocol() is None and re.search("GCM|POLY1305", connection.socket.cipher()[0])
        der = connection.socket.getpeercert(binary_form=True)
        assert hashlib.sha256(der).hexdigest() == secure.fingerprint
    assert os.stat(secure.key).st_mode & 0o777 == 0o600


@needs_tls
def test_files_that_are_there_stay(secure):
    again = secure.world.cli("proxy", "-a", "127.0.0.1:0", "--tls-self-signed", "--tls-cert", secure.cert, "--tls-key", secure.key)
    assert is_error(again, secure.key, "File exists")


@needs_tls
def test_bad_files(secure):
    world = secure.world
    def fails(cert, key, *words):
        return is_error(world.cli("proxy", "-a", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key), *words)
    assert fails("/none", secure.key, "/none", "No such file")
    assert fails(secure.key, secure.key, secure.key, "certificate")
    assert fails(secure.cert, secure.cert, "key")
    other = Secure(world, "--tls-self-signed", "--tls-cert", world.path("c2"), "--tls-key", world.path("k2"))
    assert other.server.first.startswith("wrote ")
    assert fails(secure.cert, world.path("k2"), "not that of the certificate")
    assert is_error(world.cli("proxy", "--tls-cert", secure.cert), "--tls-key")


@needs_tls
@pytest.mark.parametrize("kind", SPECIAL)
def test_what_is_no_file(secure, kind):
    """None of them is waited for: not at the start, and not while clients are served."""
    world, other = secure.world, secure.world.path("other")
    special(other, kind)
    for cert, key, more in ((other, secure.key, []), (secure.cert, other, []), (secure.cert, secure.key, ["--tls-client-ca", other])):
        done = world.cli("proxy", "-a", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key, *more)
        assert is_error(done, other, "expected a regular file")
    special(secure.key, kind)
    secure.server.process.send_signal(SIGHUP)
    assert re.search("expected a regular file; the old certificate stays", secure.server.line())
    with secure.connect(post(call("service_list"))) as connection:
        assert connection.response().status == 200


@needs_tls
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_are_refused(secure, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        context.minimum_version = context.maximum_version = version
        context.set_ciphers("ALL:@SECLEVEL=0")
    except (ValueError, ssl.SSLError):
        pytest.skip("this Python cannot speak it")
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        Connection(secure.server.port, wrap=context.wrap_socket)


@needs_tls
@pytest.mark.parametrize("ciphers", ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-CCM"])
def test_other_suites_are_refused(secure, ciphers):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers + ":@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        Connection(secure.server.port, wrap=context.wrap_socket)


@needs_tls
def test_alpn_and_resumption(secure):
    context = ssl.create_default_context(cafile=secure.cert)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2", "http/1.1"])
    wrap = lambda session: lambda plain: context.wrap_socket(plain, server_hostname="localhost", session=session)
    with Connection(secure.server.port, post(call("nope")), wrap=wrap(None)) as connection:
        assert connection.response().status == 200 and connection.socket.selected_alpn_protocol() == "http/1.1"
        session = connection.socket.session
    with Connection(secure.server.port, post(call("nope")), wrap=wrap(session)) as connection:
        assert connection.response().status == 200 and connection.socket.session_reused


@needs_tls
def test_requests_in_one_record_and_over_many(secure):
    """What the library has decrypted already makes no socket readable."""
    with secure.connect() as connection:
        connection.send(b"".join(post(call("service_status", ["a"], id=id)) for id in range(3)))
        assert [connection.response().json()["id"] for _ in range(3)] == [0, 1, 2]
        padded = " " * 16000 + "]"
        big = "[" + call("service_list") + padded
        assert connection.send(post(big)).response().status == 200
        large = call("service_status", ["x" * (5 * MIB)])
        assert connection.send(post(large)).response().json()["error"]["code"] == -32000


@needs_tls
def test_a_slow_reader_of_a_large_answer(secure):
    """Records that did not fit are finished later, whatever was added behind them."""
    with secure.connect() as connection:
        body = post("[" + ",".join([call("rpc.discover")] * 300) + "]")
        connection.send(body + post(call("service_list", id="next")))
        for _ in ticks(0.5):
            pass
        answer = connection.response()
        assert len(answer.json()) == 300 and len(answer.body) > 3 * MIB
        assert connection.response().json()["id"] == "next"


@needs_tls
def test_websocket(secure):
    with secure.connect() as web:
        assert web.upgrade().status == 101
        text = call("service_status", ["x" * MIB]).encode()
        pieces = [text[i:i + 1024] for i in range(0, len(text), 1024)]
        for i, piece in enumerate(pieces):
            web.frame(1 if i == 0 else 0, piece, fin=i == len(pieces) - 1)
            if i % 100 == 0:
                web.frame(9, b"ping")
        pongs = [web.receive() for _ in range((len(pieces) + 99) // 100)]
        assert pongs == [(10, b"ping")] * len(pongs) and web.message()["error"]["code"] == -32000
        web.frame(8, b"\x03\xe8")
        assert web.close_code() == 1000 and web.ends()


@needs_tls
def test_silent_peers_cost_nothing_and_are_dropped(secure):
    hello = bytes.fromhex("16030100") + b"\xc8" + b"\x01\x00\x00\xc4\x03\x03" + b"x" * 60
    silent = [Connection(secure.server.port) for _ in range(25)] + [Connection(secure.server.port, hello) for _ in range(25)]
    try:
        before = cpu_seconds(secure.server.process.pid)
        for _ in ticks(8):
            pass
        assert cpu_seconds(secure.server.process.pid) - before < 0.5
        assert all(connection.is_silent() for connection in silent)
        with secure.connect(post(call("service_list"))) as connection:
            assert connection.response().status == 200
        for connection in silent:
            assert connection.more() == b""
    finally:
        for connection in silent:
            connection.socket.close()


@needs_tls
def test_silent_handshakes_keep_nobody_out(secure):
    """There is a limit of handshakes; over it the oldest gives way, not who comes last."""
    silent = [Connection(secure.server.port) for _ in range(140)]
    try:
        with secure.connect(post(call("service_list"))) as connection:
            assert connection.response().status == 200
        assert silent[0].more() == b"" and silent[-1].is_silent()
    finally:
        for connection in silent:
            connection.socket.close()


@needs_tls
def test_plain_http_gets_an_end(secure):
    with Connection(secure.server.port, post(call("service_list"))) as connection:
        connection.more()
        assert connection.more() == b""


@needs_tls
@needs_openssl
def test_a_new_handshake_on_an_old_connection_is_refused(secure):
    """It costs the server more than the client, who could ask for it again and again."""
    words = ["openssl", "s_client", "-connect", f"127.0.0.1:{secure.server.port}", "-tls1_2", "-legacy_renegotiation"]
    clients = [subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(5)]
    for asking in clients:
        while b"Verify return code" not in (line := asking.stdout.readline()):
            assert line, "s_client ended"
        said, _ = asking.communicate(b"R\n", timeout=PATIENCE)
        assert b"RENEGOTIATING" in said and b"no renegotiation" in said, said
    with secure.connect(post(call("service_list"))) as connection:
        assert "result" in connection.response().json()


@needs_tls
@needs_openssl
def test_certificates_are_read_again(secure, world):
    with secure.connect(post(call("service_list"))) as old:
        assert old.response().status == 200
        Secure(world, "--tls-self-signed", "--tls-cert", world.path("c2"), "--tls-key", world.path("k2"))
        os.rename(world.path("c2"), secure.cert)
        os.rename(world.path("k2"), secure.key)
        secure.server.process.send_signal(SIGHUP)

        def is_new():
            try:
                with secure.connect(post(call("service_list"))) as connection:
                    return connection.response().status == 200
            except ssl.SSLError:
                return False

        wait_until(is_new)
        assert old.send(post(call("service_list"))).response().status == 200
        open(secure.cert, "w").write("nonsense")
        secure.server.process.send_signal(SIGHUP)
        assert old.send(post(call("service_list"))).response().status == 200


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


@needs_tls
@needs_openssl
def test_client_certificates(secure, world):
    ca, key, ours, own_key, request = (world.path(name) for name in ("ca.pem", "ca.key", "me.pem", "me.key", "me.csr"))
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", ca,
            "-subj", "/CN=ca", "-days", 30)
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", own_key, "-out", request,
            "-subj", "/CN=me")
    openssl("x509", "-req", "-in", request, "-CA", ca, "-CAkey", key, "-CAcreateserial", "-out", ours, "-days", 30)
    server = Secure(world, "--tls-client-ca", ca, address="0.0.0.0:0")
    with server.connect(post(call("service_list")), cert=(ours, own_key)) as connection:
        assert connection.response().status == 200
    with pytest.raises((ssl.SSLError, ConnectionResetError, BrokenPipeError, AssertionError)):
        with server.connect(post(call("service_list"))) as connection:
            connection.response()
    with pytest.raises((ssl.SSLError, ConnectionResetError, BrokenPipeError, AssertionError)):
        with server.connect(post(call("service_list")), cert=(secure.cert, secure.key)) as connection:
            connection.response()
