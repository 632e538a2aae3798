"""openrpc.json, lib/rpc/methods.def and docs/api.md say the same, and the daemon does what they say."""
import json
import os
import re
from signal import SIGKILL

import pytest
from zinit import METHODS as OPTIONAL
from zinit import TREE, configured, needs, sh, wait_until

SPEC = json.loads((TREE / "openrpc.json").read_text())
API = (TREE / "docs" / "api.md").read_text()
METHODS = {method["name"]: method for method in SPEC["methods"]}
SCHEMA = {"STRING": {"type": "string"}, "BOOL": {"type": "boolean"}, "NUMBER": {"type": "integer", "minimum": 0},
          "MAP": {"type": "object", "additionalProperties": True}}
# Read by its handler, not by the table: whatever is given, the answer is true or false.
BY_HAND = {f"stream_unsubscribe{what}": [("subscription", "NUMBER", False)] for what in ("Logs", "Events")}
SUBSCRIBE = ("stream_subscribeLogs", "stream_subscribeEvents")
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def source(path):
    return re.sub(r"//.*", "", (TREE / path).read_text())


def methods_def():
    """{name: [(parameter, type, required)]} and {old name: name}."""
    text = source("lib/rpc/methods.def")
    rows = re.findall(r'^METHOD(?:_NAMED\("([\w.]+)", \w+|\((\w+)), [A-Z |]+((?:,\s*P\([^()]*\))*)\)', text, re.M)
    assert len(rows) == len(re.findall(r"METHOD(_NAMED)?\(", text)), "a row that this test cannot read"
    methods = {wire or name: [(param, kind, need == "REQ") for param, kind, need in
                              re.findall(r"P\((\w+),\s*(\w+),\s*(REQ|OPT)\)", params)] for wire, name, params in rows}
    return {**methods, **BY_HAND}, dict(re.findall(r'^ALIAS\("([^"]+)", "([^"]+)"\)', text, re.M))


def errors_def():
    """{code name: code}."""
    return {name: int(code) for code, name in re.findall(r'ERR\(\w+, (-\d+), "(\w+)"', source("lib/base/errors.def"))}


# -- the document ------------------------------------------------------------------------------


def test_it_has_the_methods_of_the_program():
    methods, _ = methods_def()
    assert list(METHODS) == list(methods) and len(METHODS) == len(SPEC["methods"])
    for name, method in METHODS.items():
        found = [(param["name"], param["schema"], param["required"]) for param in method["params"]]
        assert found == [(param, SCHEMA[kind], need) for param, kind, need in methods[name]], name


def test_its_errors_are_those_of_the_program():
    errors = errors_def()
    for name, method in METHODS.items():
        for error in method.get("errors", []):
            assert errors[error["message"]] == error["code"], name


def test_it_is_an_openrpc_document():
    version = re.search(r'#define ZINIT_VERSION "(.*)"', (TREE / "applets/applet.h").read_text())[1]
    assert SPEC["openrpc"] == "1.2.6" and SPEC["info"]["version"] == version
    for name, method in METHODS.items():
        assert set(method) <= {"name", "summary", "description", "paramStructure", "params", "result", "errors",
                               "examples"}
        assert method["summary"] and method["description"] and method["examples"]
        needed = [param["required"] for param in method["params"]]
        assert needed == sorted(needed, reverse=True), f"{name}: optional before required"
        for example in method["examples"]:
            known = {param["name"]: param for param in method["params"]}
            given = [param["name"] for param in example["params"]]
            assert set(given) <= set(known) and {param for param in known if known[param]["required"]} <= set(given)
            for param in example["params"]:
                assert mismatch(param["value"], known[param["name"]]["schema"]) is None, name
            assert mismatch(example["result"]["value"], method["result"]["schema"]) is None, name


def mismatch(value, schema, where="$"):
    """What about VALUE is not as SCHEMA has it, or None. Members that are not described count as wrong."""
    if "$ref" in schema:
        schema = SPEC["components"]["schemas"][re.fullmatch("#/components/schemas/(.*)", schema["$ref"])[1]]
    if not schema:
        return None
    unknown = set(schema) - {"type", "minimum", "pattern", "enum", "oneOf", "items", "required", "properties",
                             "additionalProperties", "description"}
    assert not unknown, f"this test does not know {unknown}"
    if "oneOf" in schema:
        return None if sum(mismatch(value, one) is None for one in schema["oneOf"]) == 1 else f"{where}: {value!r}"
    kinds = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None), "array": list, "object": dict}
    if "type" in schema and (not isinstance(value, kinds[schema["type"]])
                             or isinstance(value, bool) and schema["type"] != "boolean"):
        return f"{where}: {value!r} is no {schema['type']}"
    if value not in schema.get("enum", [value]) or "minimum" in schema and value < schema["minimum"]:
        return f"{where}: {value!r}"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return f"{where}: {value!r} does not match"
    if isinstance(value, list):
        faults = [mismatch(item, schema.get("items", {}), f"{where}[{i}]") for i, item in enumerate(value)]
    elif isinstance(value, dict):
        missing = set(schema.get("required", [])) - set(value)
        if missing:
            return f"{where}: no {missing}"
        described = schema.get("properties", {})
        rest = schema.get("additionalProperties") or {"enum": []}
        if rest is True:
            rest = {}
        faults = [mismatch(item, described.get(key, rest), f"{where}.{key}") for key, item in value.items()]
    else:
        return None
    return next((fault for fault in faults if fault), None)


# -- what the examples say ---------------------------------------------------------------------


@pytest.fixture
def world(daemon):
    """The services of the examples: `web` runs, `prepare` is done, `old` is stopped, `new` is not loaded yet."""
    daemon.service("prepare", "echo ready", oneshot=True)
    daemon.service("web", sh("trap '' HUP; sleep 1000 & wait"), after=["prepare"])
    daemon.service("old", "sleep 1000")
    daemon.start()
    daemon.wait_state("web", "Running")
    daemon.wait_state("old", "Running")
    daemon.rpc("service_stop", ["old"])
    wait_until(lambda: len(daemon.rpc("stream_currentLogs", ["prepare"])) == 2)
    daemon.write("new.yaml", "exec: sleep 1000\ncolour: red\n")
    return daemon


def comparable(value, key=None):
    """VALUE with what varies replaced: pids, times, numbers of subscriptions."""
    if isinstance(value, dict):
        return {name: comparable(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if key in ("uptime", "subscription", "memory_usage") or key == "pid" and value:
        return type(value).__name__
    if isinstance(value, str):
        return re.sub(TIME, "TIME", re.sub(r"Pid\(\d+\)", "Pid(P)", value))
    return value


def same(got, wanted):
    got, wanted = comparable(got), comparable(wanted)
    assert got == wanted
    if isinstance(got, dict):
        assert list(got) == list(wanted)


class Line:
    """One connection and its lines."""

    def __init__(self, daemon):
        self.connection = daemon.connect()
        self.file = self.connection.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.connection.close()

    def ask(self, call):
        self.connection.sendall(call if isinstance(call, bytes) else json.dumps(call).encode())
        return self.read()

    def read(self):
        return json.loads(self.file.readline())


EXAMPLES = [pytest.param(name, example, how, id=f"{name}-{example['name']}-{how}")
            for name, method in METHODS.items() for example in method["examples"]
            for how in ("by position", "by name") if how == "by position" or "paramStructure" not in method]


@pytest.mark.parametrize("name, example, how", EXAMPLES)
def test_its_examples_are_true(world, name, example, how):
    if name in OPTIONAL:
        needs(OPTIONAL[name], name)
    params = {param["name"]: param["value"] for param in example["params"]}
    result = example["result"]["value"]
    with Line(world) as line:
        if name in BY_HAND:
            method = name.replace("unsubscribe", "subscribe")
            params["subscription"] = line.ask({"jsonrpc": "2.0", "id": 0, "method": method})["result"]
        if name == "system_stop_http_server":
            line.ask({"jsonrpc": "2.0", "id": 0, "method": "system_start_http_server", "params": ["127.0.0.1:0"]})
        if how == "by position":
            order = [param["name"] for param in METHODS[name]["params"]]
            count = max([order.index(param) + 1 for param in params], default=0)
            params = [params.get(param) for param in order[:count]]
        answer = line.ask({"jsonrpc": "2.0", "id": "x", "method": name, "params": params})
    assert list(answer) == ["jsonrpc", "id", "result"] and (answer["jsonrpc"], answer["id"]) == ("2.0", "x"), answer
    assert mismatch(answer["result"], METHODS[name]["result"]["schema"]) is None
    if name in SUBSCRIBE:
        assert type(answer["result"]) is int
    elif name == "rpc.discover":
        assert answer["result"] == SPEC
    else:
        same(answer["result"], result)
    if name in ("system_shutdown", "system_reboot"):
        assert world.wait_exit() == 0


def test_each_error_is_given_and_has_its_data(world):
    """All but InternalError, where only a start that fails can be arranged."""
    world.write("bad.yaml", "exec: [\n")
    (world.config / "dir.yaml").mkdir()
    (world.config / ".zinit-new" / "in the way").mkdir(parents=True)
    world.service("fails", "false", oneshot=True)
    world.service("slow", sh("trap '' TERM; echo up; while :; do sleep 1; done"))
    for name in ("fails", "slow"):
        world.rpc("service_monitor", [name])
    world.wait_state("fails", r"Error\(.*")
    wait_until(lambda: world.rpc("stream_currentLogs", ["slow"])[-1:] == ["[+] slow: up"])
    calls = [("service_status", ["nope"]), ("service_start", ["nope"]), ("service_stop", ["nope"]),
             ("service_restart", ["nope"]), ("service_forget", ["nope"]), ("service_kill", ["nope", "HUP"]),
             ("service_start", ["fails", 60]), ("service_monitor", ["web"]), ("service_monitor", ["bad"]),
             ("service_monitor", ["a/b"]), ("service_create", ["a/b", {}]), ("service_get", [".a"]), ("service_delete", [""]),
             ("service_create", ["new", {"exec": "true"}]), ("service_create", ["c", {}]), ("service_get", ["nope"]),
             ("service_delete", ["nope"]), ("service_get", ["bad"]), ("service_get", ["dir"]), ("service_delete", ["dir"]),
             ("service_stats", ["nope"]), ("service_stats", ["prepare"]), ("service_create", ["unwritable", {"exec": "true"}]), ("service_forget", ["web"]), ("service_kill", ["prepare", "HUP"]),
             ("service_kill", ["web", "SIGNO"]), ("system_start_http_server", ["nonsense"]), ("system_stop_http_server", [])]
    calls = [(name, params, world.failure(name, params)) for name, params in calls]
    world.write("web.yaml", "exec: [\n")
    calls += [("service_restart", ["web"], world.failure("service_restart", ["web"]))]
    with Line(world) as line:
        line.ask({"jsonrpc": "2.0", "id": 1, "method": "system_shutdown"})
        for name, params in (("service_start", ["old"]), ("service_restart", ["old"]), ("service_monitor", ["new"]),
                             ("system_start_http_server", ["127.0.0.1:0"])):
            error = line.ask({"jsonrpc": "2.0", "id": 2, "method": name, "params": params})["error"]
            calls += [(name, params, type("Error", (), error))]
    os.kill(world.outer(world.status("slow")["pid"]), SIGKILL)
    assert world.wait_exit() == 0
    errors = errors_def()
    given = {name: set() for name in METHODS}
    for name, params, error in calls:
        code_name = error.data["code_name"]
        given[name].add((error.code, code_name))
        assert errors[code_name] == error.code and error.data["hint"] and list(error.data) == sorted(error.data)
        of_file = name in ("service_create", "service_get", "service_delete")
        assert error.message.startswith(f"{error.data['action']}: ") or code_name == "ConfigError" or of_file
        if code_name == "InvalidSignal":
            assert error.data["signal"] == params[1] and "service" not in error.data
        else:
            assert error.data["service"] == (None if name.startswith("system_") else params[0])
            assert "signal" not in error.data
        lacks = re.search(rf"^\| {error.code} \| `{code_name}` \|.*\| (.*)\|$", API, re.M)[1]
        lacks = {"cause_chain", "retryable"} if of_file else set(re.findall(r"`(\w+)`", lacks))
        assert {"cause_chain", "retryable"} - set(error.data) in (lacks, lacks - {"cause_chain"})
    for name, method in METHODS.items():
        if name.startswith("system_") and name.endswith("_http_server") and not configured("APPLET_PROXY"):
            continue  # always the same InternalError
        listed = {(error["code"], error["message"]) for error in method.get("errors", [])}
        assert listed - given[name] <= {(-32603, "InternalError")} and given[name] <= listed, name


def test_what_status_adds_is_described(daemon):
    detach = sh("(setsid sleep 1001 &); exec sleep 1000")
    daemon.service("blocked", "sleep 1000", after=["ghost"])
    daemon.service("crash", sh("sleep 0.1; exit 3"))
    daemon.service("noexec", "/no/such/program")
    daemon.service("detached", detach)
    daemon.service("killed", sh("kill -KILL $$"), oneshot=True)
    daemon.service("changed", "sleep 1000")
    daemon.service("removed", "sleep 1000")
    daemon.start()
    daemon.service("changed", "sleep 1001")
    os.unlink(daemon.config / "removed.yaml")
    schema = SPEC["components"]["schemas"]["Status"]
    seen = set()

    def all_seen():
        for name in daemon.list():
            status = daemon.status(name)
            assert mismatch(status, schema) is None
            assert list(status)[:5] == ["name", "pid", "state", "target", "after"]
            seen.update(status)
            if "file" in status:
                seen.add(status["file"])
        return seen == {*schema["properties"], "changed", "removed"}

    wait_until(all_seen, what="all members were seen")
    assert daemon.status("killed")["exit"] == "SIGKILL"


def test_old_names_are_other_names_of_methods(world):
    methods, aliases = methods_def()
    assert aliases
    for old, name in aliases.items():
        assert name in methods
        if methods[name]:
            assert world.failure(old, []).message == "Invalid params"
    assert world.rpc("service.list") == world.rpc("service_list")


# -- docs/api.md -------------------------------------------------------------------------------


def test_the_page_names_each_method():
    rows = dict(re.findall(r"^\| `([\w.]+)` \| (.*) \|$", API, re.M))
    for name, method in METHODS.items():
        params, _, errors = f" {rows[name]} ".split(" | ")
        wanted = [("" if param["required"] else "*", param["name"]) for param in method["params"]]
        assert re.findall(r"(\*?)`(\w+)`", params) == wanted, name
        assert {int(code) for code in re.findall(r"-\d+", errors)} == {e["code"] for e in method.get("errors", [])}, name
    used = {(error["code"], error["message"]) for method in METHODS.values() for error in method.get("errors", [])}
    assert {(int(code), name) for code, name in re.findall(r"^\| (-\d+) \| `(\w+)` \|", API, re.M)} == used
    for old in methods_def()[1]:
        assert f"`{old}`" in API
    for member in SPEC["components"]["schemas"]["Status"]["properties"]:
        assert re.search(rf"^\| `{member}` \|", API, re.M), member


TALKS = [block for block in re.findall(r"^```\n(.*?)^```$", API, re.M | re.S) if block.startswith("-> ")]


@pytest.mark.parametrize("talk", range(len(TALKS)))
def test_its_conversations_are_true(world, talk):
    with Line(world) as line:
        for text in TALKS[talk].splitlines():
            if text.startswith("-> "):
                line.connection.sendall((text[3:] + "\n").encode())
                continue
            wanted, got = json.loads(text[3:]), line.read()
            if "stream_subscribeLogs" in TALKS[talk].splitlines()[0] and type(wanted.get("result")) is int:
                wanted["result"] = got["result"]
                assert type(got["result"]) is int
            same(got, wanted)


MALFORMED = re.findall(r"^\| `(\S.*?)` \| (?:none|``(.*)``|`([^`]*)`) \|$", API[API.index("| request | answer |"):], re.M)


@pytest.mark.parametrize("request_text, answer", [(row[0], row[1] or row[2]) for row in MALFORMED])
def test_its_malformed_requests_are_answered_so(daemon, request_text, answer):
    daemon.start()
    probe = '{"jsonrpc":"2.0","id":"probe","method":"service_list"}'
    with Line(daemon) as line:
        line.connection.sendall(f"{request_text}\n{probe}".encode())
        got = line.file.readline().decode()
        if answer:
            assert got == answer + "\n"
            got = line.file.readline().decode()
        assert got == '{"jsonrpc":"2.0","id":"probe","result":{}}\n'


def test_its_limits(daemon):
    daemon.start()
    assert len(MALFORMED) > 15 and len(TALKS) == 4
    limit = 10 * 1024 * 1024
    with Line(daemon) as line:
        error = line.ask(b'{"jsonrpc":"2.0","id":1,"method":"' + b"x" * limit + b'"}')
        assert error == {"jsonrpc": "2.0", "id": None, "error": {"code": -32007, "message": "Request is too big",
                                                                  "data": "Exceeded max limit of 10485760"}}
        assert line.ask({"jsonrpc": "2.0", "id": 1, "method": "service_list"})["result"] == {}
    others = [daemon.connect() for _ in range(100)]
    with daemon.connect() as one_more:
        assert one_more.recv(1000) == b"Too many connections. Please try again later." and one_more.recv(1000) == b""
    for connection in others:
        connection.close()
    wait_until(daemon.answers)
