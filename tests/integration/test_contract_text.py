"""Every recorded line of the older protocol, sent to ours: the same answer, or a difference that is decided."""
import json
import re
import select
import socket

import replay
from replay import Report, prepare, receive, start, taken
from zinit import lines_of, wait_until

SESSIONS = replay.sessions("text.jsonl")
OK = '{"state":"ok","body":null}'
SIGNALS = "signals are taken in every spelling"
STATUS = '{"state":"ok","body":{"after":{},"name":"fresh","pid":%s,"state":"%s","target":"%s"}}'
DIFFERENT = {
    "list-crlf": ("a line may end in CRLF", re.compile(r'\{"state":"ok","body":\{"baddir":.*\}\}')),
    "non-utf8": ("names are bytes: such a service is not known", '{"state":"error","body":"service name \\"\ufffd\ufffd\\" unknown"}'),
    "nul-byte": ("no word has a NUL byte", '{"state":"error","body":"invalid command syntax"}'),
    "kill-number": (SIGNALS, OK),
    "kill-short": (SIGNALS, OK),
    "monitor-bad-signal": (SIGNALS, OK),
    "monitor-traversal": ("a name is no path", '{"state":"error","body":"failed to load service config"}'),
    "status-start-within-2s": ("a start acts at once", STATUS % ("<PID>", "Running", "Up")),
}


def say(daemon, sent, half_close=False):
    """One connection, one line, all until the daemon closes."""
    with daemon.connect(10) as connection:
        connection.sendall(sent)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        try:
            return receive(connection).decode("utf-8", "surrogateescape")
        except TimeoutError:
            return "no end of the connection"


def waits_for_the_end_of_the_line(daemon, row):
    with daemon.connect() as connection:
        connection.sendall(row.bytes())
        taken(connection)
        assert daemon.answers() and not select.select([connection], [], [], 0)[0]
        connection.sendall(b"\n")
        assert replay.plain(receive(connection).decode()) == replay.plain(say(daemon, b"list\n"))


def blanks_decide_nothing(daemon, row):
    """A JSON client may begin with an empty line, so ours answers at the end only."""
    with daemon.connect() as connection:
        connection.sendall(row.bytes())
        taken(connection)
        assert daemon.answers() and not select.select([connection], [], [], 0)[0]
        connection.shutdown(socket.SHUT_WR)
        assert receive(connection).decode() == row.expect


def snapshot(daemon, row):
    """All lines of the ring, raw, then the end; ours has those of init as well."""
    lines, known = say(daemon, row.bytes()).split("\n"), set(row.expect.split("\n"))
    assert lines[-1] == ""
    assert known - {""} <= set(lines)
    assert [line for line in lines if " chatty: " in line] == daemon.log("chatty")


def stream(daemon, row):
    """First the ring, then what comes; the order of stdout and stderr of one service is not fixed."""
    prepare(daemon, row)
    with daemon.connect() as connection:
        connection.sendall(row.bytes())
        reader = connection.makefile("rb")
        last = daemon.log()[-1]
        while reader.readline().decode().rstrip("\n") != last:
            pass
        for line in row.second:
            assert say(daemon, line.encode()) == OK
        wanted = {line for line in row.expect["bytes_after_the_snapshot"].split("\n") if re.match(r".{4}(one-ok|say): ", line)}
        assert len(wanted) == 5
        while wanted:
            line = reader.readline().decode()
            assert line
            wanted.discard(line.rstrip("\n"))


def instead(old, new):
    def change(row):
        assert old in row.send
        row.send = row.send.replace(old, new)
    return change


def a_json_request(daemon, row):
    """The old daemon knew no JSON; ours hears it by its first byte, and stays for more."""
    with daemon.connect() as connection:
        connection.sendall(row.bytes())
        connection.shutdown(socket.SHUT_WR)
        assert list(json.loads(receive(connection))) == ["jsonrpc", "id", "result"]


def races_with_the_death(daemon, row):
    answer = replay.line(say(daemon, row.bytes()))
    dead = STATUS % (0, "Error(Signaled(Pid(<PID>), SIGTERM, false))", "Down")
    assert answer in (replay.line(row.expect), replay.line(dead)), answer


# What the original refuses and ours does must not end a service that later rows look at.
CHANGED = {"kill-number": instead("sleeper 9", "trap 15"), "kill-short": instead("sleeper", "trap")}


def test_lines(daemon):
    kind, rows = SESSIONS["text-1"]
    start(daemon, kind)
    wait_until(lambda: daemon.state("tested") == "Running" and daemon.state("testfail") == "Spawned")
    wait_until(lambda: len(daemon.log("chatty")) == 4)
    report = Report(DIFFERENT)
    special = {"list-no-newline-open": waits_for_the_end_of_the_line, "empty-line": blanks_decide_nothing,
               "blanks": blanks_decide_nothing, "log-snapshot": snapshot, "log-stream": stream,
               "json-rpc-request": a_json_request, "status-right-after-stop": races_with_the_death}
    for row in rows:
        if row.name in special:
            special[row.name](daemon, row)
            continue
        prepare(daemon, row)
        if row.name in CHANGED:
            CHANGED[row.name](row)
        if row.until:
            report.until(row, lambda: say(daemon, row.bytes(), row.then))
        else:
            report.check(row, row.expect, say(daemon, row.bytes(), row.then))
    report.end()
    assert set(DIFFERENT) | set(special) | set(CHANGED) <= {row.name for row in rows}


def test_shutdown(daemon):
    kind, rows = SESSIONS["text-2"]
    rows = {row.name: row for row in rows}
    for name, content in replay.SETS[kind].items():
        # As long as it takes here, not as long as it took there.
        daemon.write(name, content.replace("shutdown_timeout: 3", "shutdown_timeout: 60").replace(
            "while", f"touch {daemon.path('ready')}; while"))
    daemon.start()
    wait_until(lambda: (daemon.dir / "ready").exists())
    daemon.wait_all()
    report = Report({})
    report.check(rows["shutdown"], rows["shutdown"].expect, say(daemon, rows["shutdown"].bytes()))
    report.until(rows["list-during-shutdown"], lambda: say(daemon, rows["list-during-shutdown"].bytes()))
    for name in ("start-during-shutdown", "monitor-during-shutdown", "stop-during-shutdown", "shutdown-twice"):
        report.check(rows[name], rows[name].expect, say(daemon, rows[name].bytes()))
    report.end()
    assert say(daemon, b"kill slow SIGKILL\n") == OK
    assert daemon.wait_exit() == rows["shutdown-exit"].expect["exit"]
    assert len(rows) == 7


def test_reboot(daemon):
    kind, (reboot, end) = SESSIONS["text-3"]
    daemon.service("a", "sleep 1000")
    daemon.start()
    daemon.wait_all()
    assert say(daemon, reboot.bytes()) == reboot.expect
    assert daemon.wait_exit() == end.expect["exit"]


def test_a_death_by_a_realtime_signal(daemon):
    """The original loses such a service for good."""
    kind, rows = SESSIONS["text-rt"]
    start(daemon, kind)
    daemon.wait_state("rt", r"Error\(Signaled\(Pid\(\d+\), SIGRTMIN, false\)\)")
    status, stop, kill, forget = (row.bytes() for row in rows)
    assert "SIGRTMIN" in say(daemon, status) and "SIGRTMIN" not in rows[0].expect
    assert say(daemon, stop) == OK
    assert say(daemon, kill) == '{"state":"error","body":"service \\"rt\\" is down"}'
    assert say(daemon, forget) == OK


def test_every_recording_is_replayed():
    assert set(SESSIONS) == {"text-1", "text-2", "text-3", "text-rt"}


# -- the life of the Go client -------------------------------------------------------------------------


class Client:
    """As the library of that language does: a connection for each command, read to its end. It takes the
    version from the command line and the state with its regular expression."""

    STATE = re.compile(r"^\w+(\(.+\))?$")

    def __init__(self, daemon, half_close):
        self.daemon, self.half_close = daemon, half_close

    def command(self, *words):
        answer = json.loads(say(self.daemon, (" ".join(words) + "\n").encode(), self.half_close))
        assert set(answer) == {"state", "body"}
        assert answer["state"] == "ok", answer
        return answer["body"]

    def status(self, name):
        body = self.command("status", name)
        assert set(body) == {"name", "pid", "state", "target", "after"} and self.STATE.match(body["state"])
        return body

    def state(self, name):
        return re.match(r"\w+", self.status(name)["state"])[0]


def life(daemon, half_close):
    client = Client(daemon, half_close)
    version = daemon.cli("--version").out.split()
    assert len(version) == 2 and re.fullmatch(r"v\d+\.\d+\.\d+", version[1])
    assert tuple(map(int, version[1][1:].split("."))) >= (0, 2, 9)
    assert client.command("list") == {"there": "Running"}
    daemon.service("new", f"sh -c 'trap \"exit 0\" TERM; echo up >> {daemon.path('new')}; while :; do sleep 0.1; done'",
                   after=["there"])
    assert client.command("monitor", "new") is None
    assert client.command("start", "new") is None
    wait_until(lambda: client.state("new") == "Running")
    wait_until(lambda: lines_of(daemon.path("new")))
    assert client.status("new")["after"] == {"there": "Running"} and client.command("list")["new"] == "Running"
    assert client.command("kill", "new", "SIGHUP") is None
    wait_until(lambda: len(lines_of(daemon.path("new"))) == 2 and client.state("new") == "Running")
    assert client.command("stop", "new") is None
    wait_until(lambda: (lambda status: status["target"] == "Down" and re.match(r"\w+", status["state"])[0] in (
        "Success", "Error", "Failure", "Blocked") and status["pid"] == 0)(client.status("new")))
    assert client.command("forget", "new") is None
    assert client.command("list") == {"there": "Running"}


def test_the_life_of_a_client(daemon):
    daemon.service("there", "sleep 1000")
    daemon.start()
    daemon.wait_all()
    life(daemon, False)
    life(daemon, True)
