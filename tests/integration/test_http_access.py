"""Who may use the proxy: web pages of strangers, other users, the network."""
import os
import re
import subprocess
import sys
from signal import SIGHUP

import pytest
from web import SPECIAL, basic, call, needs_proxy, post, proxy, special
from zinit import is_error, wait_until

pytestmark = needs_proxy
STOP = call("service_stop", ["a"])


@pytest.fixture
def world(daemon):
    daemon.service("a", "sleep 1000")
    daemon.start()
    daemon.wait_state("a", "Running")
    return daemon


def preflight(origin, *fields, host="localhost"):
    return (f"OPTIONS / HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: POST\r\n"
            "Access-Control-Request-Headers: content-type\r\n" + "".join(f"{field}\r\n" for field in fields) + "\r\n")


def allows(answer):
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control")}


PAGES = ("/", "/metrics", "/healthz")
GOOD_HOSTS = ["localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:8080", "127.1.2.3", "[::1]", "[::1]:80"]
BAD_HOSTS = ["evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "[::2]",
             "0.0.0.0", "2130706433", "127.1", "0177.0.0.1", "0x7f.1", "", ":80"]


@pytest.mark.parametrize("host", GOOD_HOSTS)
def test_hosts_that_are_ours(world, host):
    assert proxy(world).ask(post(call("service_list"), host=host)).status == 200


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_a_name_that_points_at_us_is_not_ours(world, host):
    """What a page sees after its own name was made to point at 127.0.0.1."""
    http = proxy(world)
    with http.connect(post(STOP, host=host)) as connection:
        answer = connection.response()
        assert (answer.status, answer.body) == (403, b"Provided Host header is not whitelisted.\n")
    for path in PAGES:
        assert http.ask(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").status == 403
    with http.connect() as connection:
        assert connection.upgrade(host=host).status == 403
    assert http.ask(preflight("http://x", host=host)).status == 403
    assert world.state("a") == "Running"


def test_names_that_are_allowed(world):
    http = proxy(world, "--allow-host", "box.example", "--allow-host", "other")
    for host, status in (("box.example", 200), ("BOX.example:99", 200), ("other", 200), ("another", 403), ("localhost", 200)):
        assert http.ask(post(call("service_list"), host=host)).status == status
    assert proxy(world, "--allow-host", "*").ask(post(call("service_list"), host="evil.example")).status == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://localhost", "file://"])
def test_pages_of_others_are_refused(world, origin):
    http = proxy(world)
    with http.connect(post(STOP, f"Origin: {origin}"), post(call("service_list"))) as connection:
        assert connection.response().status == 403 and connection.response().status == 200
    with http.connect() as connection:
        assert connection.upgrade(f"Origin: {origin}").status == 403
    answer = http.ask(preflight(origin, "Access-Control-Request-Private-Network: true"))
    assert answer.status == 200 and allows(answer) == {}
    assert http.ask(f"GET /metrics HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\n\r\n").status == 403
    assert world.state("a") == "Running"


def test_pages_that_are_allowed(world):
    http = proxy(world, "--allow-origin", "https://good.example", "--allow-origin", "http://127.0.0.1:3000")
    for origin in ("https://good.example", "http://127.0.0.1:3000"):
        answer = http.ask(post(call("service_list"), f"Origin: {origin}"))
        assert answer.status == 200 and allows(answer) == {"access-control-allow-origin": origin}
        answer = http.ask(preflight(origin, "Access-Control-Request-Private-Network: true"))
        assert allows(answer) == {"access-control-allow-origin": origin,
                                  "access-control-allow-methods": "POST, GET, OPTIONS",
                                  "access-control-allow-headers": "content-type, authorization"}
        with http.connect() as connection:
            assert connection.upgrade(f"Origin: {origin}").status == 101
        for path in PAGES:
            answer = http.ask(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\n\r\n")
            assert answer.status == 200 and allows(answer) == {"access-control-allow-origin": origin}
            assert answer.headers["vary"].startswith("origin")
    for path in PAGES:
        answer = http.ask(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer.status == 200 and allows(answer) == {} and answer.headers["vary"].startswith("origin")
    for origin in ("http://good.example", "https://good.example.evil", "https://good.example:444"):
        assert http.ask(post(STOP, f"Origin: {origin}")).status == 403
    # A page that came from the server itself.
    assert http.ask(post(call("service_list"), "Origin: http://localhost:8080", host="localhost:8080")).status == 200
    assert is_error(world.cli("proxy", "--allow-origin", "good.example"), "good.example")


def test_any_page_as_the_original(world):
    http = proxy(world, "--allow-origin", "*")
    answer = http.ask(preflight("http://evil.example"))
    assert list(answer.headers) == ["access-control-allow-origin", "vary", "access-control-allow-methods",
                                    "access-control-allow-headers", "content-length", "date"]
    assert set(allows(answer).values()) == {"*"} and answer.body == b""
    answer = http.ask(post(call("service_list"), "Origin: http://evil.example"))
    assert answer.status == 200 and allows(answer) == {"access-control-allow-origin": "*"}


def test_a_page_with_a_token(world):
    """Browsers ask first whether they may send it, and "*" does not mean that header."""
    file = world.dir / "tokens"
    file.write_text("first-secret\n")
    file.chmod(0o600)
    for allowed in ("*", "http://good.example"):
        http = proxy(world, "--allow-origin", allowed, "--token-file", str(file))
        answer = http.ask("OPTIONS /metrics HTTP/1.1\r\nHost: localhost\r\nOrigin: http://good.example\r\n"
                          "Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: authorization\r\n\r\n")
        assert answer.status == 200 and answer.headers["access-control-allow-origin"] == allowed
        assert "authorization" in re.split(", *", answer.headers["access-control-allow-headers"])
        for path in PAGES:
            answer = http.ask(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nOrigin: http://good.example\r\n"
                              "Authorization: Bearer first-secret\r\n\r\n")
            assert answer.status == 200 and allows(answer) == {"access-control-allow-origin": allowed}


# -- users -------------------------------------------------------------------------------------

OTHER = 4000
SEND = """
import os, socket, sys
"load it while that can be read".encode("idna")
os.setgid(int(sys.argv[1])), os.setuid(int(sys.argv[1]))
s = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
s.sendall(sys.stdin.buffer.read())
if sys.argv[3] == "close":
    s.close()
    sys.exit()
print(s.recv(65536).decode().split()[1])
"""


def as_user(uid, port, data, then="read"):
    """The status that a client of this user gets."""
    done = subprocess.run([sys.executable, "-c", SEND, str(uid), str(port), then], input=data, capture_output=True, timeout=60)
    return done.stdout.decode().strip()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become others")
def test_other_users_of_the_machine(world):
    """The control socket is for its owner, so the port is too: root, and who runs the proxy."""
    http = proxy(world)
    assert as_user(0, http.port, post(call("service_list"))) == "200"
    assert as_user(OTHER, http.port, post(STOP)) == "403"
    assert as_user(OTHER, http.port, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n") == "403"
    # A socket that nobody owns any more looks as if it were root's.
    for _ in range(20):
        as_user(OTHER, http.port, post(STOP), "close")
    assert world.state("a") == "Running"
    assert as_user(OTHER, proxy(world, "--any-local-user").port, post(call("service_list"))) == "200"


# -- tokens ------------------------------------------------------------------------------------


def test_tokens(world):
    file = world.dir / "tokens"
    file.write_text("# two of them\nfirst-secret\n\n  second-secret \n")
    file.chmod(0o600)
    http = proxy(world, "--token-file", str(file), address="0.0.0.0:0")
    listing = call("service_list")
    good = ["Authorization: Bearer first-secret", "Authorization: bearer  second-secret", basic("first-secret")]
    bad = ["X: y", "Authorization: Bearer first-secre", "Authorization: Bearer first-secrets", "Authorization: Bearer",
           "Authorization: Bearer ", "Authorization: first-secret", "Authorization: Digest first-secret", basic("x"), basic(""),
           "Authorization: Basic first-secret", "Authorization: Basic ====", "Authorization: Bearer # two of them"]
    for field in good:
        assert http.ask(post(listing, field)).status == 200, field
    for field in bad:
        answer = http.ask(post(STOP, field))
        assert answer.status == 401 and answer.headers["www-authenticate"] == 'Bearer, Basic realm="zinit"', field
    for path in PAGES:
        assert http.ask(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").status == 401
        assert http.ask(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{good[0]}\r\n\r\n").status == 200
    with http.connect() as connection:
        assert connection.upgrade().status == 401
    with http.connect() as connection:
        assert connection.upgrade(good[0]).status == 101
    assert world.state("a") == "Running"
    # Read again: old ones end, a bad file changes nothing.
    file.write_text("third-secret\n")
    http.process.send_signal(SIGHUP)
    wait_until(lambda: http.ask(post(listing, "Authorization: Bearer third-secret")).status == 200)
    assert http.ask(post(listing, good[0])).status == 401
    file.write_text("short\n")
    http.process.send_signal(SIGHUP)
    assert http.ask(post(listing, "Authorization: Bearer third-secret")).status == 200


@pytest.mark.parametrize("content", ["", "# none\n", "short\n", "a-good-token-at-once\n" + 7000 * "a-token-too-many\n"],
                         ids=["empty", "comment", "short", "cut off"])
def test_bad_token_files(world, content):
    file = world.dir / "tokens"
    file.write_text(content)
    assert is_error(world.cli("proxy", "-a", "127.0.0.1:0", "--token-file", str(file)), str(file))
    assert is_error(world.cli("proxy", "-a", "127.0.0.1:0", "--token-file", "/none"), "/none")


@pytest.mark.parametrize("kind", SPECIAL)
def test_what_is_no_file_of_tokens(world, kind):
    """None of them is waited for: not at the start, and not while clients are served."""
    file = world.dir / "tokens"
    file.write_text("first-secret\n")
    file.chmod(0o600)
    http = proxy(world, "--token-file", str(file))
    special(file, kind)
    http.process.send_signal(SIGHUP)
    said = http.line()
    assert str(file) in said and "expected a regular file; the old tokens stay" in said
    assert http.ask(post(call("service_list"), "Authorization: Bearer first-secret")).status == 200
    assert is_error(world.cli("proxy", "-a", "127.0.0.1:0", "--token-file", str(file)), str(file), "expected a regular file")


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0"])
def test_the_network_needs_a_reason(world, address):
    assert is_error(world.cli("proxy", "-a", address), "--token-file", "--insecure")
    http = proxy(world, "--insecure", address=address)
    assert http.process.poll() is None


# -- read only ---------------------------------------------------------------------------------


def test_read_only(world):
    http = proxy(world, "--read-only")
    assert http.rpc("service_status", ["a"])["result"]["state"] == "Running"
    for method in ("service_stop", "service.stop", "service_\\u0073top", "system_shutdown", "nope"):
        body = call("X", ["a"]).replace('"X"', f'"{method}"')
        assert http.ask(post(body)).json()["error"]["code"] == -32601
    answers = http.ask(post(f"[{STOP},{call('service_status', ['a'], id=2)}]")).json()
    assert [("error" in answer, answer["id"]) for answer in answers] == [(True, 1), (False, 2)]
    with http.connect() as web:
        web.upgrade()
        for text in (STOP, f"[{STOP}]", f"[{call('service_list', id=2)},{STOP}]"):
            web.text(text.encode())
            answer = web.message()
            assert all("error" in one for one in (answer if isinstance(answer, list) else [answer])), answer
        web.text(call("service_list").encode())
        assert web.message()["result"]["a"] == "Running"
    assert world.state("a") == "Running"
