"""service_stats, stream_subscribeEvents, who may use the socket, and what is logged of them."""
import json
import os
import re
import stat

import pytest
from zinit import cli, configured, sh, wait_until

pytestmark = pytest.mark.skipif(not (configured("STATS") and configured("EVENTS")), reason="stats or events are not built in")


def test_memory_and_processor_of_a_service_and_its_children(daemon):
    daemon.service("busy", sh("(while :; do :; done) & exec sleep 1000"))
    daemon.service("idle", "sleep 1000")
    daemon.start()
    daemon.wait_all()
    wait_until(lambda: len(daemon.rpc("service_stats", ["busy"])["children"]) == 1)
    busy = daemon.rpc("service_stats", ["busy"])
    assert list(busy) == ["name", "pid", "memory_usage", "cpu_usage", "children"]
    assert busy["pid"] == daemon.status("busy")["pid"] and busy["memory_usage"] > 0
    child = busy["children"][0]
    assert list(child) == ["pid", "memory_usage", "cpu_usage"] and child["memory_usage"] > 0
    wait_until(lambda: daemon.rpc("service_stats", ["busy"])["children"][0]["cpu_usage"] > 0)
    assert daemon.rpc("service_stats", ["idle"])["children"] == []


def test_the_text_of_the_answer(daemon):
    daemon.service("a", "sleep 1000")
    daemon.start()
    daemon.wait_all()
    with daemon.connect() as connection, connection.makefile("rb") as lines:
        connection.sendall(b'{"jsonrpc":"2.0","id":1,"method":"service_stats","params":["a"]}')
        assert re.fullmatch(rb'\{"jsonrpc":"2.0","id":1,"result":\{"name":"a","pid":\d+,"memory_usage":\d+,'
                            rb'"cpu_usage":\d+\.\d,"children":\[\]\}\}\n', lines.readline())


def test_a_service_that_goes_down_while_it_is_measured(daemon):
    daemon.service("a", "sleep 1000")
    daemon.start()
    daemon.wait_all()
    with daemon.connect() as connection:
        lines = connection.makefile("rb")
        for number, (method, params) in enumerate((("service_stats", ["a"]), ("service_stop", ["a"]))):
            connection.sendall(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode())
        answers = {(answer := json.loads(lines.readline()))["id"]: answer for _ in range(2)}
    assert answers[0]["error"]["code"] == -32003 and answers[1]["result"] is None
    daemon.ok("forget", "a")
    assert daemon.failure("service_stats", ["a"]).code == -32000


# -- events ------------------------------------------------------------------------------------


class Events:
    def __init__(self, daemon, *params):
        self.connection = daemon.connect()
        self.lines = self.connection.makefile("rb")
        call = {"jsonrpc": "2.0", "id": 1, "method": "stream_subscribeEvents", "params": list(params)}
        self.connection.sendall(json.dumps(call).encode())
        self.number = json.loads(self.lines.readline())["result"]

    def next(self):
        note = json.loads(self.lines.readline())
        assert note["method"] == "stream_subscribeEvents" and note["params"]["subscription"] == self.number
        return note["params"]["result"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.connection.close()


def test_the_life_of_a_service(daemon):
    daemon.service("dep", "sleep 1000")
    daemon.service("a", "sleep 1000", after=["dep"])
    daemon.start()
    daemon.wait_all()
    with Events(daemon) as events, Events(daemon, "dep") as of_dep:
        pid = daemon.status("a")["pid"]
        daemon.ok("stop", "a", "dep")
        daemon.ok("start", "a")
        daemon.ok("start", "dep")
        daemon.wait_all()
        daemon.ok("stop", "a")
        daemon.ok("forget", "a")
        seen = [events.next() for _ in range(7)]
        assert [list(event) for event in seen] == [["time", "name", "from", "to", "reason"]] * 7
        killed = f"Error(Signaled(Pid({pid}), SIGTERM, false))"
        brief = [(event["name"], re.sub(r"Pid\(\d+\)", "Pid(P)", event["from"]), re.sub(r"Pid\(\d+\)", "Pid(P)", event["to"]))
                 for event in seen]
        down = "Error(Signaled(Pid(P), SIGTERM, false))"
        assert seen[0]["to"] == killed and seen[0]["reason"] == "exit"
        assert brief == [("a", "Running", down), ("dep", "Running", down), ("a", down, "Blocked"),
                         ("dep", down, "Running"), ("a", "Blocked", "Running"), ("a", "Running", down),
                         ("a", down, "Unknown")]
        assert seen[6]["reason"] == "forgotten"
        assert [of_dep.next()["name"] for _ in range(2)] == ["dep", "dep"]


def test_who_does_not_read_is_told_what_was_missed(daemon):
    daemon.service("a", "true", oneshot=True)
    daemon.start()
    daemon.wait_state("a", "Success")
    with Events(daemon) as events:
        with daemon.connect() as connection:
            lines = connection.makefile("rb")
            call = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "service_start", "params": ["a", 60]}).encode()
            for _ in range(1500):
                connection.sendall(call)
                assert json.loads(lines.readline())["result"] is None
        dropped = 0
        while not dropped:
            dropped = events.next().get("dropped", 0)
        assert dropped > 0


def test_unsubscribe(daemon):
    daemon.service("a", "sleep 1000")
    daemon.start()
    daemon.wait_all()
    with Events(daemon) as events:
        for number, wanted in ((events.number + 1, False), (events.number, True), (events.number, False)):
            call = {"jsonrpc": "2.0", "id": 2, "method": "stream_unsubscribeEvents", "params": [number]}
            events.connection.sendall(json.dumps(call).encode())
            assert json.loads(events.lines.readline())["result"] is wanted


# -- who may connect ---------------------------------------------------------------------------


def test_a_group_may_use_the_socket(daemon):
    daemon.start("--socket-group", "0")
    info = os.stat(daemon.socket)
    assert stat.S_IMODE(info.st_mode) == 0o660 and info.st_gid == 0


def test_without_a_group_nobody_else_may(daemon):
    daemon.start()
    assert stat.S_IMODE(os.stat(daemon.socket).st_mode) == 0o600


def test_a_group_that_is_not_there(tmp_path):
    result = cli("-s", str(tmp_path / "s"), "init", "--container", "-c", str(tmp_path), "--socket-group", "no-such-group")
    assert result.code == 1 and "no-such-group" in result.err and not (tmp_path / "s").exists()


@pytest.mark.parametrize("speak", ["json", "text"])
def test_changes_are_logged_with_their_client(daemon, speak):
    daemon.service("a", "sleep 1000")
    daemon.start()
    daemon.wait_all()
    if speak == "json":
        daemon.rpc("service_stop", ["a"])
        daemon.rpc("service_status", ["a"])
    else:
        with daemon.connect() as connection:
            connection.sendall(b"stop a\n")
            assert connection.recv(1000)
    text = daemon.output()
    assert re.search(rf"{'service_stop' if speak == 'json' else 'stop'} 'a' by uid {os.geteuid()}, pid \d+", text)
    assert "service_status" not in text
