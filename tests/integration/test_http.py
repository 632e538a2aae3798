"""JSON-RPC over HTTP: what clients of the recorded program get, get they here."""
import os
import re
import resource
import shlex
import socket
from signal import SIGINT, SIGKILL, SIGTERM

import pytest
from test_shortage import preloaded
from test_stop_more import compiled
from web import Connection, call, needs_proxy, post, proxy
from zinit import (NO_METHOD, NOT_FOUND, PATIENCE, children, cli, cpu_seconds, is_error, look, sh, status_field, ticks,
                   wait_until)

pytestmark = needs_proxy
PARSE_ERROR = {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "Parse error"}}
INVALID = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "Invalid request"}}
VARY = "origin, access-control-request-method, access-control-request-headers"
JSON_TYPE = "application/json; charset=utf-8"


@pytest.fixture
def world(daemon):
    daemon.service("a", "sleep 1000")
    daemon.service("one-ok", "true", oneshot=True)
    daemon.start()
    daemon.wait_state("a", "Running")
    daemon.wait_state("one-ok", "Success")
    return daemon


@pytest.fixture
def http(world):
    server = proxy(world)
    server.world = world
    return server


def error(code, message, id=1, **more):
    return {"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message, **more}}


def test_calls_and_their_errors(http):
    answer = http.ask(post(call("service_status", ["one-ok"])))
    assert answer.status == 200 and answer.headers["content-type"] == JSON_TYPE
    assert list(answer.headers) == ["content-type", "vary", "content-length", "date"] and answer.headers["vary"] == VARY
    assert answer.body.startswith(b'{"jsonrpc":"2.0","id":1,"result":{"name":"one-ok","pid":0,"state":"Success","target":"Up"')
    assert http.rpc("service_status", ["nosuch"])["error"]["code"] == NOT_FOUND
    assert http.rpc("nope") == error(NO_METHOD, "Method not found")
    assert http.rpc("service_status") == error(-32602, "Invalid params", data="No more params")
    assert http.rpc("rpc.discover")["result"]["openrpc"] == "1.2.6"


# (what is sent, status, what comes back)
BODIES = [
    ('{"jsonrpc":"2.0","method":"service_stop","params":["a"]}', 200, None),
    ('[{"jsonrpc":"2.0","method":"service_stop","params":["a"]}]', 200, None),
    ('{"jsonrpc":"2.0","id":-1,"method":"nope"}', 200, None),
    ('{"jsonrpc":"2.0","id":1.5,"method":"nope"}', 200, None),
    ('{"jsonrpc":"2.0","id":1,"id":2,"method":"nope"}', 200, None),
    ('{"jsonrpc":"2.0","id":null,"method":"nope"}', 200, error(NO_METHOD, "Method not found", None)),
    ('{"jsonrpc":"2.0","id":18446744073709551615,"method":"nope"}', 200, error(NO_METHOD, "Method not found", 2**64 - 1)),
    ('{"jsonrpc":"2.0","id":"\\u00e9\\n","method":"nope"}', 200, error(NO_METHOD, "Method not found", "\u00e9\n")),
    ('{"jsonrpc":"2.0","id":"' + "x" * 5000 + '","method":"nope"}', 200, error(NO_METHOD, "Method not found", "x" * 5000)),
    ('{"id":1,"method":"nope"}', 200, error(-32600, "Invalid request")),
    ('{"jsonrpc":"2.0","id":"a","method":5}', 200, error(-32600, "Invalid request", "a")),
    ("{}", 200, PARSE_ERROR),
    ("[]", 200, INVALID),
    ("[1,2]", 200, [INVALID, INVALID]),
    ('{"jsonrpc":"2.0","id":1,', 200, PARSE_ERROR),
    ("[1,2", 200, PARSE_ERROR),
    ('{"jsonrpc":"2.0","id":1,"method":"nope"}x', 200, PARSE_ERROR),
    ('{"jsonrpc":"2.0","id":1,"method":"nope"}\0', 200, PARSE_ERROR),
    ('{"jsonrpc":"2.0","id":1,"method":"no\\u0000pe"}', 200, PARSE_ERROR),
    (call("nope") + call("nope"), 200, PARSE_ERROR),
    ('{"jsonrpc":"2.0","id":1,"method":"nope","params":' + "[" * 200 + "]" * 200 + "}", 200, PARSE_ERROR),
    ("[" * 1000000, 200, PARSE_ERROR),
    (b'{"jsonrpc":"2.0","id":"\xff","method":"nope"}', 200, PARSE_ERROR),
    ("", 400, PARSE_ERROR),
    ("   \r\n", 400, PARSE_ERROR),
    ("hello", 400, PARSE_ERROR),
    ("42", 400, PARSE_ERROR),
    ("\ufeff" + call("nope"), 400, PARSE_ERROR),
    (" " * 127 + call("nope"), 200, error(NO_METHOD, "Method not found")),
    (" " * 128 + call("nope"), 400, PARSE_ERROR),
    (call("stream_subscribeLogs"), 200, error(-32603, "Internal error")),
    (call("stream_unsubscribeLogs", [1]), 200, error(-32603, "Internal error")),
    ("[" + call("stream_subscribeLogs") + "," + call("nope", id=2) + "]", 200,
     [error(-32603, "Internal error"), error(NO_METHOD, "Method not found", 2)]),
]


@pytest.mark.parametrize("body, status, wanted", BODIES, ids=[str(case[0])[:40] for case in BODIES])
def test_bodies(http, body, status, wanted):
    with http.connect(post(body), post(call("service_status", ["a"], id="next"))) as connection:
        answer = connection.response()
        assert (answer.status, answer.json()) == (status, wanted) and answer.headers["content-type"] == JSON_TYPE
        answer = connection.response().json()
        assert answer["id"] == "next" and answer["result"]["state"] == "Running"


TYPES = [("application/json", 200), ("APPLICATION/JSON", 200), ("application/json;charset=utf-8", 200),
         ("application/json; charset=UTF-8", 200), ("application/json-rpc", 200), ("application/json-rpc; charset=utf-8", 200),
         ("application/json  ", 200), ("application/json;", 415), ("application/json;  charset=utf-8", 415),
         ('application/json; charset="utf-8"', 415), ("application/json, text/plain", 415), ("text/plain", 415),
         ("application/x-www-form-urlencoded", 415), ("multipart/form-data", 415), ("*/*", 415), ("application/jsonp", 415),
         (None, 415)]


@pytest.mark.parametrize("ctype, status", TYPES)
def test_content_types(http, ctype, status):
    """All that a web page can send without asking first is refused."""
    with http.connect(post(call("nope"), ctype=ctype)) as connection:
        answer = connection.response()
        assert answer.status == status
        if status == 415:
            assert answer.headers["content-type"] == "text/plain" and answer.body == (
                b"Supplied content type is not allowed. Content-Type: application/json is required\n")
        assert connection.send(post(call("nope"))).response().json() == error(NO_METHOD, "Method not found")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "post", "FOO"])
def test_other_methods(http, method):
    with http.connect(post(call("service_stop", ["a"]), method=method), post(call("nope"))) as connection:
        answer = connection.response()
        assert (answer.status, answer.headers["allow"]) == (405, "POST, OPTIONS")
        assert answer.body == b"Used HTTP Method is not allowed. POST is required\n"
        assert connection.response().status == 200
    assert http.world.state("a") == "Running"


@pytest.mark.parametrize("path", ["/x/y", "/rpc?a=b", "/%zz", "*", "http://example.org/x", "//"])
def test_any_path(http, path):
    assert "result" in http.ask(post(call("service_list"), path=path)).json()


def test_what_is_behind_a_refused_body_is_no_request(http):
    hidden = post(call("service_stop", ["a"]))
    with http.connect(post(b"x" * 100000 + hidden, ctype="text/plain")) as connection:
        answer = connection.response()
        assert answer.status == 415 and answer.headers["connection"] == "close" and connection.ends()
    with http.connect(f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(hidden)}\r\nExpect: 100-continue\r\n\r\n",
                      hidden) as connection:
        assert connection.response().status == 415 and connection.ends()
    with http.connect(post(hidden, ctype="text/plain"), post(call("service_status", ["a"]))) as connection:
        assert connection.response().status == 415 and connection.response().json()["result"]["state"] == "Running"


def test_batches(http):
    calls = [call("service_status", ["a"]), "1", call("service_stop", ["a"], id="stop"), call("service_status", ["a"], id=3),
             '{"jsonrpc":"2.0","method":"service_start","params":["a"]}', call("service_start", ["a"], id=4), call("nope", id=5)]
    answers = http.ask(post("[" + ",".join(calls) + "]")).json()
    assert [answer["id"] for answer in answers] == [1, None, "stop", 3, 4, 5]
    assert answers[0]["result"]["state"] == "Running" and answers[3]["result"]["target"] == "Down"
    assert [answer.get("result", 0) for answer in answers[2:5:2]] == [None, None]
    many = http.ask(post("[" + ",".join(call("service_status", ["a"], id=i) for i in range(3000)) + "]")).json()
    assert [answer["id"] for answer in many] == list(range(3000))


def test_too_much_to_answer(http):
    """An answer over the limit is an error with its id; a batch of such is refused as a whole."""
    name = "x" * (9 * 1024 * 1024)
    answer = http.ask(post(call("service_status", [name + "y" * (1024 * 1024 - 100)]))).json()
    assert answer == error(-32008, "Response is too big", data="Exceeded max limit of 10485760")
    answer = http.ask(post("[" + ",".join([call("rpc.discover")] * 1000) + "]")).json()
    assert answer == error(-32011, "The batch response was too large", None, data="Exceeded max limit of 10485760")


def test_slow_calls_hold_up_nobody_else(daemon):
    daemon.service("slow", sh("trap '' TERM; while :; do sleep 1; done"), shutdown_timeout=3)
    daemon.service("b", "sleep 1000")
    daemon.start()
    daemon.wait_all()
    http = proxy(daemon)
    with http.connect(post(call("service_stop", ["slow"])), post(call("service_status", ["b"], id=2))) as slow:
        with http.connect() as quick:
            for id in range(50):
                assert quick.send(post(call("service_status", ["b"], id=id))).response().json()["id"] == id
        assert slow.is_silent()
        # Answers keep the order of the requests of one connection.
        assert [slow.response().json()["id"] for _ in range(2)] == [1, 2]


def test_a_forget_that_waits_holds_up_nobody_else(daemon):
    daemon.service("left", sh("trap '' TERM; (while :; do sleep 1; done) & exit 0"), oneshot=True, shutdown_timeout=3)
    daemon.start()
    daemon.wait_state("left", "Success")
    server = proxy(daemon)
    server.rpc("service_stop", ["left", False])
    with server.connect(post(call("service_forget", ["left"]))) as slow:
        assert "left" in server.rpc("service_list")["result"]
        assert server.rpc("service_status", ["left"])["result"]["reason"].startswith("waits for")
        assert slow.response().json()["result"] is None
    assert server.rpc("service_list")["result"] == {}


def test_a_client_that_leaves_does_not_undo_its_call(http):
    with http.connect(post(call("service_list"))) as connection:
        connection.response()
        connection.send(post(call("service_stop", ["a"])))
    http.world.wait_state("a", lambda status: status["target"] == "Down" and not status["pid"])
    connection = http.connect(post(call("service_list")))
    connection.response()
    connection.send(post("[" + ",".join([call("service_start", ["a"]), call("service_stop", ["one-ok"])]) + "]"))
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.socket.close()
    http.world.wait_state("a", "Running")
    http.world.wait_state("one-ok", lambda status: status["target"] == "Down")


def test_many_clients_at_once_get_their_own_answers(http):
    connections = [http.connect() for _ in range(90)]
    try:
        for turn in range(20):
            for i, connection in enumerate(connections):
                connection.send(post(call("service_status", ["a" if i % 2 else "one-ok"], id=f"{turn}-{i}")))
            for i, connection in enumerate(connections):
                answer = connection.response().json()
                assert answer["id"] == f"{turn}-{i}" and answer["result"]["name"] == ("a" if i % 2 else "one-ok")
    finally:
        for connection in connections:
            connection.socket.close()
    # All of them cost init two connections.
    assert http.world.descriptors() < 40


def test_more_than_a_hundred_requests_at_once(daemon):
    daemon.service("slow", sh("trap '' TERM; while :; do sleep 1; done"), shutdown_timeout=4)
    daemon.start()
    daemon.wait_all()
    http = proxy(daemon)
    idle = [http.connect() for _ in range(120)]
    busy = [http.connect(post(call("service_stop", ["slow"], id=i))) for i in range(100)]
    try:
        with http.connect() as connection:
            answer = wait_until(lambda: (r := connection.send(post(call("service_list"))).response()).status == 429 and r)
            assert answer.body == b"Too many connections. Please try again later."
            assert [c.response().json()["id"] for c in busy] == list(range(100))
            assert connection.send(post(call("service_list"))).response().status == 200
    finally:
        for connection in idle + busy:
            connection.socket.close()


# -- init goes away ----------------------------------------------------------------------------


def test_without_init(http):
    http.world.kill()
    with http.connect(post(call("service_list", id="x"))) as connection:
        answer = connection.response()
        assert answer.status == 200
        failure = answer.json()["error"]
        assert failure["code"] == -32603 and http.world.socket in failure["data"] and answer.json()["id"] == "x"
        assert connection.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").response().status == 503
    http.world.start()
    assert "result" in http.rpc("service_list")


def test_init_lost_while_it_is_asked(daemon):
    daemon.service("slow", sh("trap '' TERM; while :; do sleep 1; done"), shutdown_timeout=60)
    daemon.start()
    daemon.wait_all()
    http = proxy(daemon)
    with http.connect(post(call("service_stop", ["slow"]))) as connection:
        daemon.wait_state("slow", lambda status: status["target"] == "Down")
        daemon.kill()
        assert connection.response().json()["error"]["code"] == -32603


def test_it_needs_init_to_start(daemon):
    assert is_error(cli("-s", daemon.path("none"), "proxy", "-a", "127.0.0.1:0"), daemon.path("none"))


# -- pages -------------------------------------------------------------------------------------


def get(path, *fields, host="localhost", method="GET"):
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n" + "".join(f"{field}\r\n" for field in fields) + "\r\n"


def test_pages(http):
    answer = http.ask(get("/"))
    assert answer.status == 200 and answer.headers["content-type"] == "text/plain" and b"zinit" in answer.body
    assert http.ask(get("/nothing")).status == 405
    answer = http.ask(get("/healthz"))
    assert (answer.status, answer.body) == (200, b"ok\n")
    http.world.service("bad", sh("exit 1"))
    http.world.rpc("service_monitor", ["bad"])
    http.world.wait_state("bad", r"Error.*")
    answer = http.ask(get("/healthz"))
    assert (answer.status, answer.body) == (503, b"bad: Error\n")
    http.world.rpc("service_stop", ["bad"])
    assert http.ask(get("/healthz")).status == 200
    with http.connect(get("/metrics", method="HEAD"), post(call("service_list"))) as connection:
        assert connection.response(head=True).status == 200 and connection.response().status == 200


def test_metrics(http):
    http.world.service("we.ird-\u00e9", "sleep 1000")
    http.world.rpc("service_monitor", ["we.ird-\u00e9"])
    http.world.wait_state("we.ird-\u00e9", "Running")
    answer = http.ask(get("/metrics"))
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    lines = answer.body.decode().split("\n")
    assert lines[-2:] == ["# EOF", ""]
    values = {}
    for line in lines[:-2]:
        found = re.fullmatch(r"# (TYPE|HELP) (\w+) .+|(\w+)(\{\w+=\"[^\"]*\"\})? ([0-9.]+)", line)
        assert found, line
        if found[3]:
            values[found[3] + (found[4] or "")] = float(found[5])
    assert values['zinit_services{state="Running"}'] == 2 and values['zinit_services{state="Success"}'] == 1
    assert values['zinit_service_up{service="we.ird-\u00e9"}'] == 1
    assert values['zinit_service_restarts_total{service="a"}'] == 0
    assert values['zinit_service_memory_bytes{service="a"}'] > 0 and 'zinit_service_cpu_percent{service="a"}' in values
    assert values["zinit_init_memory_bytes"] > 0 and values["zinit_init_cpu_seconds_total"] >= 0


# -- the command -------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1", "127.0.0.1:99999", "127.0.0.1:1x", "localhost:", "[::1", "::1:80",
                                     "example.org:80", "unix:"])
def test_bad_addresses(world, address):
    assert is_error(world.cli("proxy", "-a", address))


def test_a_port_in_use(http):
    assert is_error(http.world.cli("proxy", "-a", f"127.0.0.1:{http.port}"), "Address already in use")


@pytest.mark.parametrize("number", [SIGINT, SIGTERM])
def test_it_ends_in_order(world, number):
    http = proxy(world)
    assert http.first == f"HTTP/RPC server started at 127.0.0.1:{http.port}\n"
    with http.connect() as idle, http.connect() as web:
        assert web.upgrade().status == 101
        http.process.send_signal(number)
        assert web.close_code() == 1000
        web.frame(8, b"\x03\xe8")
        assert web.ends() and idle.ends()
    assert http.process.wait(PATIENCE) == 0 and http.output() == ""


def test_localhost_unix_and_inherited_sockets(world):
    http = proxy(world, address="localhost:0")
    assert "result" in http.rpc("service_list")
    path = world.path("h")
    http = proxy(world, address=f"unix:{path}")
    assert os.stat(path).st_mode & 0o777 == 0o600
    with Connection(path, post(call("service_list"), host="whatever")) as connection:
        assert "result" in connection.response().json()
    assert is_error(world.cli("proxy", "-a", f"unix:{path}"), path)
    http.process.send_signal(SIGTERM)
    assert http.process.wait(PATIENCE) == 0 and not os.path.exists(path)
    with socket.socket() as inherited:
        inherited.bind(("127.0.0.1", 0))
        helper = world.popen("proxy", "--fd", str(inherited.fileno()), pass_fds=[inherited.fileno()])
        port = inherited.getsockname()[1]
        wait_until(lambda: helper.poll() is not None or listens(port))
        with Connection(port, post(call("service_list"))) as connection:
            assert "result" in connection.response().json()
    assert is_error(world.cli("proxy", "--fd", "77"), "77")


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# -- through init ------------------------------------------------------------------------------


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def helpers(world):
    return [process for process in world.procs() if "proxy" in process.command]


def test_init_starts_and_stops_the_server(world):
    port = free_port()
    assert world.rpc("system_start_http_server", [f"127.0.0.1:{port}"]) == f"HTTP/RPC server started at 127.0.0.1:{port}"
    helper = wait_until(lambda: helpers(world))[0]
    with Connection(port, post(call("service_list"))) as connection:
        assert connection.response().status == 200
        assert int(status_field(helper.pid, "NoNewPrivs")) == 1 and int(status_field(helper.pid, "CapEff"), 16) == 0
        failure = world.failure("system_start_http_server", [f"127.0.0.1:{port}"])
        assert (failure.code, failure.message) == (-32603, "starting http server: Address already in use (os error 98)")
        answer = connection.send(post(call("system_stop_http_server"))).response().json()
        assert answer["result"] is None and connection.ends()
    wait_until(lambda: not helpers(world) and not listens(port))
    assert world.failure("system_stop_http_server").message == "stopping http server: No HTTP/RPC server is currently running"
    assert world.state("a") == "Running"


def test_a_second_server_replaces_the_first(world):
    first, second = free_port(), free_port()
    world.rpc("system_start_http_server", [f"127.0.0.1:{first}"])
    world.rpc("system_start_http_server", [f"127.0.0.1:{second}"])
    wait_until(lambda: not listens(first) and len(helpers(world)) == 1)
    with Connection(second, post(call("service_list"))) as connection:
        assert connection.response().status == 200


@pytest.mark.parametrize("address, words", [("nonsense", "Failed to parse socket address"), ("localhost:1", "Failed to parse"),
                                            ("127.0.0.1", "Failed to parse"), ("192.0.2.1:1", "--http-token-file"),
                                            ("0.0.0.0:0", "--http-token-file"), ("[::]:0", "--http-token-file")])
def test_addresses_that_init_refuses(world, address, words):
    failure = world.failure("system_start_http_server", [address])
    assert failure.code == -32603 and words in failure.message and not helpers(world)


def test_the_network_with_tokens(daemon):
    tokens = daemon.dir / "tokens"
    tokens.write_text("a-secret-of-ours\n")
    daemon.service("a", "sleep 1000")
    daemon.start("--http-token-file", str(tokens))
    port = free_port()
    daemon.rpc("system_start_http_server", [f"0.0.0.0:{port}"])
    with Connection(port, post(call("service_list"))) as connection:
        assert connection.response().status == 401
        assert connection.send(post(call("service_list"), "Authorization: Bearer a-secret-of-ours")).response().status == 200


@preloaded
def test_a_helper_does_not_outlive_init(daemon, tmp_path):
    """Neither when init ends while it is served, nor before the helper could ask for a signal at that."""
    trace = daemon.path("trace")
    library = compiled("parentdies", tmp_path, "-shared", "-fPIC")
    zinit = daemon.arguments()
    run = f"{shlex.join(zinit)}; LD_PRELOAD={library} PARENTDIES={trace} {shlex.join(zinit)}; exec sleep 1000"
    daemon.start(argv=["/bin/sh", "-c", run])
    daemon.rpc("system_start_http_server", ["127.0.0.1:0"])
    shell = wait_until(lambda: len(family(daemon)) == 3 and children(daemon.process.pid)[0])
    os.kill(children(shell)[0], SIGKILL)
    wait_until(daemon.answers)
    assert len(family(daemon)) == 2
    with daemon.connect() as connection:
        connection.sendall(call("system_start_http_server", ["127.0.0.1:0"]).encode())
        wait_until(lambda: os.path.exists(trace) and family(daemon) == ["sleep 1000"])
    daemon.abandon()
    daemon.ended = True


def family(daemon):
    """The commands of all processes of the namespace."""
    found, todo = [], [daemon.process.pid]
    while todo:
        for pid in children(todo.pop()):
            found.append(look(pid))
            todo.append(pid)
    return [process.command for process in found if process and process.state != "Z"]


def test_a_crash_of_the_server_is_a_line_of_the_log(world):
    world.rpc("system_start_http_server", ["127.0.0.1:0"])
    os.kill(wait_until(lambda: helpers(world))[0].pid, SIGKILL)
    wait_until(lambda: any("the HTTP server (pid" in line and "SIGKILL" in line for line in world.own_log()))
    assert world.state("a") == "Running"
    world.rpc("system_start_http_server", ["127.0.0.1:0"])


def test_http_on_the_control_socket(world):
    with Connection(world.socket, post(call("service_list"))) as connection:
        assert connection.response().json()["result"]["a"] == "Running"
        assert connection.send(get("/healthz")).response().status == 200
        assert len(helpers(world)) == 1
    wait_until(lambda: not helpers(world))
    many = [Connection(world.socket, get("/")) for _ in range(4)]
    assert [connection.response().status for connection in many] == [200] * 4
    with Connection(world.socket, get("/")) as connection:
        assert connection.response().status == 503 and connection.ends()
    for connection in many:
        connection.socket.close()
    wait_until(lambda: not helpers(world))
    assert Connection(world.socket, get("/")).response().status == 200


def test_without_descriptors(world):
    """More clients than descriptors: no spinning, and the rest is served as soon as there is room."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
    http = proxy(world, preexec_fn=limit)
    before = cpu_seconds(http.process.pid)
    with http.connect() as good:
        many = [http.connect() for _ in range(60)]
        for _ in ticks(1.5):
            assert good.send(post(call("service_list"))).response().status == 200
        assert cpu_seconds(http.process.pid) - before < 0.8
        for connection in many:
            connection.socket.close()
    assert wait_until(lambda: served(http))


def served(http):
    try:
        return http.rpc("service_list")["result"]
    except (AssertionError, OSError):
        return None
