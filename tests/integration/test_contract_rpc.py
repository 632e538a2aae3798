"""Every recorded request to the original, sent to ours: the same answer, or a difference that is decided."""
import json
import re
from signal import SIGTERM
import socket

import pytest
import replay
from replay import Report, ask, compact, left_out, prepare, receive, start
from zinit import wait_until

SESSIONS = replay.sessions("rpc.jsonl")
LIMIT = 10 * 1024 * 1024
OVER = '"Exceeded max limit of 10485760"'


def error(code, message, data=None, id="1"):
    data = "" if data is None else f',"data":{data}'
    return f'{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"{message}"{data}}}}}\n'


PARSE_ERROR = error(-32700, "Parse error", id="null")


def text_error(command):
    return f"{{\"state\":\"error\",\"body\":\"unknown command '{command}' or wrong arguments count\"}}"


def without_cause(answer):
    """Ours says in the data of an error what was wrong with the file."""
    return re.sub(r'"cause_chain":\["(?:[^"\\]|\\.)*"\],', "", answer)


def with_old_hint(answer):
    """The rules of names are others, so is the hint."""
    return answer.replace("Name must be 1-128 bytes without '/', '\\\\', control bytes or a leading '.'",
                          "Name must not contain '/', '\\\\\\\\' or '.'")


def bad_name(action, name):
    return re.compile(re.escape(f'{{"jsonrpc":"2.0","id":1,"error":{{"code":-32602,"message":"{action} service: invalid '
                                f"service name '") + name + r'.*"code_name":"InvalidServiceName".*\}\}\}\n')


STRICT = "JSON is checked before it is read: UTF-8, no U+0000, no lone surrogate, at most 128 levels"
DIALECT = "the first byte of a connection that is no blank decides: this is a line of the older protocol"
JUNK = "a run of bytes that begin no value is answered once, up to the end of its line"
CAUSE = "the data of the error says what is wrong with the file"
NAMES = "names are 1 to 128 bytes without '/', '\\', control bytes and a leading '.'; a dot inside is fine"
CHECKED = "what is created must be a service: the content is checked and, if it is none, nothing is written"
SIGNALS = "signals are taken in every spelling"
AT_ONCE = "stats are ready at once, so the answers come in order, and before the end of the connection"
ACTIONS = {"monitor": "monitoring", "get": "getting", "delete": "deleting", "create": "creating"}
WRITTEN = "numbers are kept as they are written"
BIG = "123456789012345678901234567890"


def no_service(name, cause):
    return (CHECKED, re.compile(re.escape(
        '{"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"creating service: the content is no service, nothing is '
        'written","data":{"action":"checking service content","cause_chain":["' + f"{name}.yaml:{cause}") +
        r'[^"]*"\],"code_name":"ConfigError",[^{]*"service":"' + name + r'"\}\}\}\n'))


def no_file(action, doing, name):
    return (CHECKED, error(-32000, f"{action} service: Service '{name}' not found", compact(
        {"action": doing, "code_name": "ServiceNotFound", "hint": "Ensure the service file exists", "service": name})))


DIFFERENT = {
    **{name: (STRICT, PARSE_ERROR) for name in (
        "id-string-nul", "env-syntax-lone-surrogate", "env-syntax-lone-surrogate-param", "env-deep-params-128",
        "env-deep-params-200", "env-deep-params-200-status", "env-deep-extra-200", "env-invalid-utf8-in-id",
        "env-invalid-utf8-in-param", "monitor-name-nul", "get-name-nul", "delete-name-nul", "create-name-nul",
        "create-deep-126", "create-deep-127", "create-deep-128", "create-deep-200")},
    "env-utf8-bom": (DIALECT, text_error("\ufeff{jsonrpc:2.0,id:1,method:nope}")),
    "env-garbage-word": (DIALECT, text_error("hello")),
    "env-garbage-number": (DIALECT, text_error("42")),
    "env-garbage-string": (DIALECT, text_error("x")),
    "env-garbage-null": (DIALECT, text_error("null")),
    "env-garbage-true": (DIALECT, text_error("true")),
    "env-garbage-close": (DIALECT, text_error("}")),
    "env-text-protocol-list": (DIALECT, re.compile(r'\{"state":"ok","body":\{"baddir":"Failure",.*"trap":"Running"\}\}')),
    "frame-garbage-then-object": (DIALECT, text_error("xyz{jsonrpc:2.0,id:1,method:service_status,params:[sleeper]}")),
    "frame-garbage-line-then-object": (DIALECT, text_error("hello")),
    "frame-eof-at-once": (DIALECT, '{"state":"error","body":"unknown command"}'),
    "env-http-on-socket": ("HTTP is handed to the proxy, or refused where there is none", re.compile(r"HTTP/1\.1 .*", re.S)),
    "env-syntax-extra-close": (JUNK, error(-32601, "Method not found") + PARSE_ERROR),
    "frame-object-then-garbage": (JUNK, lambda answer: PARSE_ERROR + answer),
    "frame-back-to-back": ("short calls are answered in the order in which they came", lambda answer: "".join(
        answer.splitlines(keepends=True)[number] for number in (2, 0, 1))),
    "frame-concurrent": (AT_ONCE, lambda answer: "".join(reversed(answer.splitlines(keepends=True)))),
    "frame-slow-then-eof": (AT_ONCE, re.compile(r'\{"jsonrpc":"2.0","id":1,"result":\{"name":"sleeper",.*\}\}\n')),
    "size-5MiB": ("a text about a name is cut, for no service has such a name; so the answer fits",
                  re.compile(r'\{"jsonrpc":"2.0","id":1,"error":\{"code":-32000,"message":"getting status: service \'y{200,400}'
                             r'","data":\{.*"service":"y{5242880}"\}\}\}\n')),
    "discover": ("the result is the document itself, as the specification has it, no string", re.compile(
        r'\{"jsonrpc":"2.0","id":1,"result":\{"openrpc":"1.2.6","info":.*\}\}\n')),
    **{name: (CAUSE, without_cause) for name in (
        "monitor-unknown", "monitor-name-space", "monitor-name-dash", "monitor-name-tilde", "monitor-empty-content",
        "get-bad-yaml", "get-non-utf8", "get-empty-file", "get-multi-doc", "monitor-bad-service")},
    **{f"{verb}-name-{kind}": (NAMES, with_old_hint) for verb in ACTIONS for kind in ("slash", "backslash", "dotdot")},
    **{f"{verb}-name-{kind}": (NAMES, bad_name(ACTIONS[verb], name)) for verb in ACTIONS
       for kind, name in (("empty", "'"), ("long", "n{200,400}"))},
    "create-name-dot": (NAMES, '{"jsonrpc":"2.0","id":1,"result":"Service \'a.b\' created successfully"}\n'),
    "monitor-name-dot": (NAMES, re.compile(
        r'\{"jsonrpc":"2.0","id":1,"error":\{"code":-32005,"message":"monitoring service: failed to load \'a\.b\.yaml\'".*\n')),
    "get-name-dot": no_file("getting", "reading service file", "a.b"),
    "delete-name-dot": no_file("deleting", "deleting service file", "a.b"),
    "created-files": (NAMES, '{"files":["-x.yaml","a b.yaml","a.b.yaml","~.yaml"]}'),
    "create-empty-content": no_service("empty", "2:1: exec: missing"),
    "create-empty-file": (CHECKED, ""),
    "get-empty-content": no_file("getting", "reading service file", "empty"),
    "delete-empty": no_file("deleting", "deleting service file", "empty"),
    "create-deep-100": no_service("deep100", "2:1: exec: missing"),
    "create-deep-125": no_service("deep125", "2:1: exec: missing"),
    "create-big-int": no_service("bigint", "2:1: exec: missing"),
    "create-bad-service": no_service("badsvc", "3:6: log: "),
    "get-types": (WRITTEN, lambda answer: answer.replace('"f":1e3', '"f":1000.0')),
    "get-numbers": (WRITTEN, lambda answer: answer.replace("1e5", "100000.0").replace(BIG, "1.2345678901234568e29")),
    "create-numbers-file": (WRITTEN, lambda text: text.replace("1e5", "100000.0").replace(BIG, "1.2345678901234568e29")),
    "get-tags": ("a local tag is refused, for it would lose a word of a command", re.compile(
        r'\{"jsonrpc":"2.0","id":1,"error":\{"code":-32005,"message":"getting service: failed to parse YAML","data":\{'
        r'"action":"parsing service file","cause_chain":\["ytag\.yaml:2:4: b: [^"]*"\],.*\n')),
    "start-http-not-local": ("an address that others can reach needs a token first", re.compile(
        r'\{"jsonrpc":"2.0","id":1,"error":\{"code":-32603,"message":"starting http server: 192\.0\.2\.1:8080 can be reached by '
        r'others .*","data":\{"action":"starting http server","cause_chain":null,"code_name":"InternalError",.*\n')),
    "kill-short": (SIGNALS, '{"jsonrpc":"2.0","id":1,"result":null}\n'),
    "kill-number-string": (SIGNALS, '{"jsonrpc":"2.0","id":1,"result":null}\n'),
}
# What a build may leave out: the methods, and the rows that live on what they did.
OPTIONAL = {
    "DISCOVER": {"rpc.discover"},
    "FILES": {"service_create", "service_get", "service_delete"},
    "STATS": {"service_stats"},
    "APPLET_PROXY": {"system_start_http_server", "system_stop_http_server"},
}
FILE_ROWS = {"monitor-created", "status-created", "status-deleted"}
LEFT_OUT = set().union(*(OPTIONAL[option] for option in OPTIONAL if left_out(option)))


def is_left_out(row):
    if "service_create" in LEFT_OUT and (row.name in FILE_ROWS or isinstance(row.send, dict) and "look" in row.send):
        return True
    if row.name == "discover":
        return "rpc.discover" in LEFT_OUT
    return isinstance(row.send, str) and any(f'"{method}"' in row.send for method in LEFT_OUT)


def session(daemon, name):
    kind, rows = SESSIONS[name]
    start(daemon, kind)
    if kind == "base":
        wait_until(lambda: daemon.state("tested") == "Running" and daemon.state("testfail") == "Spawned")
        wait_until(lambda: len(daemon.log("chatty")) == 4)
    return rows


# -- rows that are no text and its answer --------------------------------------------------------------


def look(daemon, row):
    """A file of the config folder."""
    if row.name == "created-files":
        names = {path.name for path in daemon.config.iterdir()} - set(replay.SETS["base"])
        return compact({"files": sorted(names)}), compact(row.expect)
    path = daemon.config / row.send["look"]
    return (path.read_text() if path.exists() else "", row.expect)


def ring(daemon, row):
    """All lines of all services."""
    lines = json.loads(ask(daemon, row))["result"]
    for name in ("chatty", "tested/test", "one-ok", "trap"):
        assert f"[-] {name}: ------------ [start] ------------" in lines or "/" in name, row.name
    assert [line for line in lines if " chatty: " in line] == daemon.log("chatty")


def batch_of_200(daemon, row):
    row.send = compact([{"jsonrpc": "2.0", "id": number, "method": "nope"} for number in range(200)])
    row.expect = "[" + ",".join(error(-32601, "Method not found", id=number)[:-1] for number in range(200)) + "]\n"


def size(row, length):
    """A service's name of many bytes stands twice in its answer."""
    head, tail = '{"jsonrpc":"2.0","id":1,"method":"service_status","params":["', '"]}'
    row.send = head + "y" * length + tail
    return len(row.send)


def over_10_mib(daemon, row):
    size(row, LIMIT)
    row.expect = error(-32007, "Request is too big", OVER, "null")


def exactly_10_mib(daemon, row):
    assert size(row, LIMIT - 64) == LIMIT
    row.expect = error(-32008, "Response is too big", OVER)


def five_mib(daemon, row):
    size(row, LIMIT // 2)
    row.expect = error(-32008, "Response is too big", OVER)


def discover(daemon, row):
    """The original gives the text of its file as a string."""
    row.send = compact({"jsonrpc": "2.0", "id": 1, "method": "rpc.discover"})
    row.expect = '{"jsonrpc":"2.0","id":1,"result":"{\\n  \\"openrpc\\": \\"1.2.6\\","}\n'


def pipelined_300(daemon, row):
    request = compact({"jsonrpc": "2.0", "id": 1, "method": "service_status", "params": ["one-ok"]})
    answer = compact({"jsonrpc": "2.0", "id": 1, "result": {"name": "one-ok", "pid": 0, "state": "Success", "target": "Up",
                                                            "after": {}}})
    row.send, row.expect = request * 300, (answer + "\n") * 300


def to_one_that_ignores_it(daemon, row):
    """The original refused it; ours would end the service that later rows look at."""
    row.send = row.send.replace("sleeper", "trap")


def with_exec(daemon, row):
    """The same content as a service."""
    row.send = row.send.replace(',{"', ',{"exec":"true","', 1)


def file_with_exec(daemon, row):
    row.expect = row.expect.replace("\nf:", '\nexec: "true"\nf:')


def answer_with_exec(daemon, row):
    row.expect = row.expect.replace(',"f":', ',"exec":"true","f":')


MADE = {"kill-short": to_one_that_ignores_it, "kill-number-string": to_one_that_ignores_it, "create-numbers": with_exec,
        "create-numbers-file": file_with_exec, "get-numbers": answer_with_exec, "batch-of-200": batch_of_200, "size-over-10MiB": over_10_mib, "size-exactly-10MiB": exactly_10_mib,
        "size-5MiB": five_mib, "discover": discover, "pipelined-300": pipelined_300}


def run(daemon, rows):
    report, port = Report(DIFFERENT), free_port()
    for row in rows:
        if is_left_out(row):
            continue
        prepare(daemon, row)
        if row.name in MADE:
            MADE[row.name](daemon, row)
        if isinstance(row.send, str):
            row.send = row.send.replace("<PORT>", port)
        if isinstance(row.expect, str):
            row.expect = row.expect.replace("<PORT>", port)
        if isinstance(row.send, dict) and "look" in row.send:
            answered, recorded = look(daemon, row)
            report.check(row, recorded, answered)
        elif isinstance(row.expect, dict):
            assert row.expect == {"ring": "all"}
            ring(daemon, row)
        elif row.until:
            report.until(row, lambda: ask(daemon, row))
        else:
            report.check(row, row.expect, ask(daemon, row))
    report.end()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_requests(daemon):
    run(daemon, session(daemon, "rpc-1"))


def test_more_requests(daemon):
    run(daemon, session(daemon, "rpc-extra"))


# -- subscriptions: "> " is sent, "< " is received, "* " happens meanwhile -------------------------------


# In a batch the original answers a subscription twice, once alone and once in the array.
TALKS_DIFFERENT = {
    "sub-name-key": ("`name` is what the published document calls the filter: it filters", lambda text: re.sub(
        r'^< .*"\[[+-]\] two: .*\n', "", text, flags=re.M)),
    "sub-in-batch": ("a subscription in a batch is answered in the array only", lambda text: text.replace(
        '< {"jsonrpc":"2.0","id":1,"result":<SUBID>}\n', "", 1)),
    "sub-two-on-one-connection": ("short calls are answered in the order in which they came", lambda text: re.sub(
        r'^(< .*"id":2,"result":)<SUBID>(.*\n)(< .*"id":1,"result":)\d+(.*\n)', r"\3<SUBID>\4\1<SUBID>\2", text, flags=re.M)),
}


def events(text):
    """[(kind, line)]: what is sent in one piece is one; neighbours that are notifications have no order."""
    found = []
    for line in text.splitlines():
        if line[:2] in ("> ", "< ", "* "):
            found.append((line[0], line[2:]))
        else:
            found[-1] = (found[-1][0], found[-1][1] + "\n" + line)
    return found


def settled(daemon, name, starts):
    """The service has run once more, to its end, and its lines have come."""
    daemon.rpc("service_start", [name])
    lines = {"one": 2, "two": 3}[name]
    wait_until(lambda: daemon.state(name) == "Success" and len(daemon.log(name)) == lines * (starts + 1))


def next_line(reader):
    """Ours has init's own messages among the lines of all services."""
    line = b'"[-] zinit: '
    while b'"[-] zinit: ' in line:
        line = reader.readline()
    assert line
    return line.decode().rstrip("\n")


def talk(daemon, connection, text):
    """Replays a conversation; what was received, in the same notation."""
    reader, ids, heard, starts = connection.makefile("rb"), {}, [], {}
    for name in ("one", "two"):
        wait_until(lambda: daemon.state(name) == "Success")
        starts[name] = len(daemon.log(name)) // {"one": 2, "two": 3}[name]
    for kind, line in events(text):
        if kind == ">":
            heard.append(f"> {line}")
            for known, number in ids.items():
                line = line.replace(known, number)
            connection.sendall(line.encode() + b"\n")
        elif kind == "<":
            got = next_line(reader)
            # Every id that a subscription was given is called the same.
            if (found := re.fullmatch(r'\{"jsonrpc":"2.0","id":.*,"result":(\d+)\}|\[\{.*"result":(\d+)\},.*', got)):
                ids.setdefault("<SUBID>", found[1] or found[2])
                got = got.replace(found[1] or found[2], "<SUBID>")
            heard.append("< " + re.sub(r'"subscription":\d+', '"subscription":<SUBID>', got))
        else:
            heard.append(f"* {line}")
            name = line.rpartition(" ")[2]
            settled(daemon, name, starts[name])
            starts[name] += 1
    # Nothing more came: the next line is the answer to this.
    connection.sendall(b'{"jsonrpc":"2.0","id":"end","method":"nope"}')
    while '"end"' not in (got := next_line(reader)):
        heard.append(f"< {got}")
    return "".join(f"{line}\n" for line in heard)


def in_no_order(text):
    """Notifications of stdout and stderr have no order among themselves."""
    out, run = [], []
    for line in plain_talk(text) + [""]:
        if '"params":{"subscription"' in line and line.startswith("< "):
            run.append(line)
        else:
            out += sorted(run) + [line]
            run = []
    return out


def plain_talk(text):
    return ["< " + replay.line(line[2:]) if line.startswith("< ") else line for line in text.splitlines()]


SUBSCRIPTIONS = {row.name: row for row in SESSIONS["rpc-sub"][1]}
TALKS = [name for name, row in SUBSCRIPTIONS.items() if isinstance(row.expect, dict) and "transcript" in row.expect]


def test_conversations(daemon):
    start(daemon, "subs")
    wrong = []
    for name in TALKS:
        wanted = SUBSCRIPTIONS[name].expect["transcript"]
        _, change = TALKS_DIFFERENT.get(name, ("", lambda text: text))
        if name in TALKS_DIFFERENT and change(wanted) == wanted:
            wrong.append(f"{name}: listed as different, but it is not")
        wanted = change(wanted)
        with daemon.connect() as connection:
            heard = talk(daemon, connection, wanted)
        if in_no_order(heard) != in_no_order(wanted):
            wrong.append(f"{name}: recorded\n{wanted}heard\n{heard}")
    assert not wrong, "\n" + "\n".join(wrong)
    assert len(TALKS) == 17 and set(SUBSCRIPTIONS) - set(TALKS) == {"sub-unsub-from-other-connection", "sub-id-range"}


def test_subscription_ids_are_whole_numbers_of_a_connection(daemon):
    """sub-unsub-from-other-connection, sub-id-range; ours: ids below 2^49, which every JSON reader keeps whole."""
    start(daemon, "subs")
    # Nothing of theirs is still on its way.
    wait_until(lambda: len(daemon.log("one")) == 2 and len(daemon.log("two")) == 3 and daemon.log("say"))
    wait_until(lambda: set(daemon.list().values()) == {"Success"})
    with daemon.connect() as first, daemon.connect() as second:
        first_lines, second_lines = first.makefile("rb"), second.makefile("rb")
        ids = []
        for number in range(20):
            first.sendall(b'{"jsonrpc":"2.0","id":%d,"method":"stream_subscribeLogs"}' % number)
            ids.append(json.loads(next_line(first_lines))["result"])
        assert len(set(ids)) == 20 and all(type(id) is int and 0 <= id < 2 ** 49 for id in ids)
        for id in ids[1:]:
            first.sendall(b'{"jsonrpc":"2.0","id":1,"method":"stream_unsubscribeLogs","params":[%d]}' % id)
            assert json.loads(next_line(first_lines))["result"] is True
        second.sendall(b'{"jsonrpc":"2.0","id":1,"method":"stream_unsubscribeLogs","params":[%d]}' % ids[0])
        assert second_lines.readline() == b'{"jsonrpc":"2.0","id":1,"result":false}\n'
        settled(daemon, "one", 1)
        wanted = ["[-] one: ------------ [start] ------------", "[+] one: one"]
        assert [json.loads(next_line(first_lines))["params"] for _ in wanted] == [
            {"subscription": ids[0], "result": line} for line in wanted]


def test_a_lagging_subscriber(daemon):
    """rpc-lag: all lines come, or are counted as dropped; the ring holds the last 2,000 lines."""
    kind, rows = SESSIONS["rpc-lag"]
    daemon.service("gate", "true", oneshot=True)
    daemon.write("flood.yaml", replay.SETS[kind]["flood.yaml"] + "after: [gate]\n")
    (daemon.config / "gate.yaml").rename(daemon.config / "gate.later")
    daemon.start()
    with daemon.connect() as slow:
        slow.sendall(b'{"jsonrpc":"2.0","id":1,"method":"stream_subscribeLogs","params":["flood"]}')
        reader = slow.makefile("rb")
        assert type(json.loads(reader.readline())["result"]) is int
        (daemon.config / "gate.later").rename(daemon.config / "gate.yaml")
        daemon.rpc("service_monitor", ["gate"])
        daemon.wait_state("flood", "Success")
        seen, dropped, last = [], 0, ""
        while last != "[+] flood: line 29999":
            last = json.loads(reader.readline())["params"]["result"]
            if found := re.fullmatch(r"\[-\] zinit: (\d+) lines dropped", last):
                dropped += int(found[1])
            else:
                seen.append(last)
        assert len(set(seen)) == len(seen) and len(seen) + dropped == 30001 and dropped > 0
    lines = json.loads(ask(daemon, rows[1]))["result"]
    assert [line for line in lines if "flood" in line] == daemon.log("flood")
    # The recorded ring was full of them; ours has some lines of init and of the gate as well.
    assert rows[1].expect["last"] in lines and 1900 < len(daemon.log("flood")) <= rows[1].expect["lines"] == 2000


def test_the_limit_of_connections(daemon):
    """rpc-conn"""
    start(daemon, "one")
    connections = []
    for number in range(103):
        connections.append(daemon.connect())
        answered = b"Too many connections. Please try again later."
        if number < 100:
            connections[-1].sendall(b'{"jsonrpc":"2.0","id":%d,"method":"nope"}' % number)
            assert connections[-1].recv(1000) == error(-32601, "Method not found", id=number).encode()
        else:
            assert receive(connections[-1]) == answered
    for connection in connections:
        connection.close()
    wait_until(daemon.answers)
    assert ask(daemon, SESSIONS["rpc-conn"][1][1]) == SESSIONS["rpc-conn"][1][1].expect


# -- the end -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["system_shutdown", "system_reboot"])
def test_the_end(daemon, method):
    """The original exits without an answer; ours answers before the work begins."""
    rows = session(daemon, f"rpc-{method}")
    assert [row.name for row in rows] == [method, f"{method}-exit"] and rows[0].expect == "" and rows[0].closed
    assert ask(daemon, rows[0]) == '{"jsonrpc":"2.0","id":1,"result":null}\n'
    assert daemon.wait_exit() == rows[1].expect["exit"]


def test_requests_during_a_shutdown(daemon):
    """rpc-during: services that take their time keep the daemon there for the questions."""
    for name in "abc":
        daemon.service(name, f"sh -c 'trap \"\" TERM; touch {daemon.path(name)}; while :; do sleep 0.1; done'",
                       shutdown_timeout=60)
    daemon.start()
    wait_until(lambda: all((daemon.dir / name).exists() for name in "abc"))
    rows = {row.name: row for row in SESSIONS["rpc-during"][1]}
    daemon.signal(SIGTERM)
    daemon.wait_state("a", lambda status: status["target"] == "Down")
    report = Report({"during-monitor-unknown": (CAUSE, without_cause)})
    for name in ("during-start", "during-start-unknown", "during-monitor", "during-monitor-unknown"):
        report.check(rows[name], rows[name].expect, ask(daemon, rows[name]))
    daemon.rpc("service_kill", ["a", "SIGTERM"])
    # In the recording a had ended by its signal; here it has to be killed first.
    daemon.rpc("service_kill", ["a", "SIGKILL"])
    killed = [row.expect.replace("SIGTERM", "SIGKILL") for row in (rows["during-status"], rows["during-forget"])]
    rows["during-status"].expect = killed[0]
    report.until(rows["during-status"], lambda: ask(daemon, rows["during-status"]))
    report.check(rows["during-forget"], killed[1], ask(daemon, rows["during-forget"]))
    listed = json.loads(ask(daemon, rows["during-list"]))["result"]
    assert listed == {"b": "Running", "c": "Running"} and set(json.loads(
        rows["during-list"].expect.replace("<PID>", "1"))["result"]) == set(listed)
    report.end()


# -- a real-time signal ends it: the original loses such a service for good ------------------------------


def test_a_death_by_a_realtime_signal(daemon):
    rows = {row.name: row for row in session(daemon, "rpc-rt")}
    daemon.wait_state("rt", r"Error\(Signaled\(Pid\(\d+\), SIGRTMIN, false\)\)")
    assert "SIGRTMIN" not in rows["rt-status"].expect
    for name, code in (("rt-kill", -32003), ("rt-stats", -32601 if left_out("STATS") else -32003)):
        assert json.loads(ask(daemon, rows[name]))["error"]["code"] == code
    assert ask(daemon, rows["rt-stop"]) == rows["rt-stop"].expect
    assert ask(daemon, rows["rt-forget"]) == '{"jsonrpc":"2.0","id":1,"result":null}\n'
    assert set(rows) == {"rt-status", "rt-kill", "rt-stats", "rt-stop", "rt-forget"}


def test_every_recording_is_replayed():
    assert set(SESSIONS) == {"rpc-1", "rpc-extra", "rpc-sub", "rpc-lag", "rpc-conn", "rpc-system_shutdown",
                             "rpc-system_reboot", "rpc-during", "rpc-rt"}
    names = {row.name for session in ("rpc-1", "rpc-extra") for row in SESSIONS[session][1]}
    assert set(DIFFERENT) <= names and set(MADE) <= names
