"""The command line: words in, text and exit code out."""
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest
from zinit import (APPLETS, PATIENCE, SLACK, ZINIT, Result, cli, configured, holds, is_error, lines_of, needs_applet, sh,
                   wait_until)

SLEEP = "sleep 1000"
COMMANDS = [["list"], [], ["status", "a"], ["start", "a"], ["stop", "a"], ["restart", "a"], ["monitor", "a"], ["forget", "a"],
            ["kill", "a"], ["log"], ["log", "-s"], ["log", "a"], ["log", "-s", "a"], ["list", "-l"], ["list", "--json"],
            ["status", "a", "--json"], ["start", "--wait", "a"], ["stop", "--no-wait", "a"], ["stats", "a"],
            ["get", "a"], ["delete", "a"], ["events"], ["events", "--json", "a"], ["stop", "a", "b", "c"], ["monitor", "a", "b", "c"]]


def named(command):
    return " ".join(command) or "nothing"


def needs_command(command):
    """As needs_applet(); nothing stands for `list`."""
    needs_applet(command or ["list"])


# -- without a daemon --------------------------------------------------------------------------


def test_version_is_two_words_that_a_client_parses():
    for flag in ("--version", "-V"):
        done = cli(flag)
        version = re.fullmatch(r"zinit v(\d+)\.(\d+)\.(\d+)\n", done.out)
        assert (done.code, done.err) == (0, "") and version
        assert tuple(map(int, version.groups())) >= (0, 2, 9)


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["help"]])
def test_help_names_every_command(arguments):
    done = cli(*arguments)
    assert (done.code, done.err) == (0, "")
    for command in (name for name in APPLETS if configured(f"APPLET_{name.upper()}")):
        assert re.search(rf"^\s+{command}\b", done.out, re.M), command


@pytest.mark.parametrize("command", ["init", "list", "status", "start", "stop", "restart", "monitor", "forget", "kill", "log"])
def test_every_command_has_help(command):
    first, second = cli("help", command), cli(command, "--help")
    assert first == second and first.code == 0 and first.err == ""
    assert re.search(rf"zinit.*\b{command}\b", first.out)


def test_the_applets_are_listed():
    done = cli("--list")
    assert (done.code, done.err) == (0, "")
    assert done.out.split() == sorted(name for name in APPLETS if configured(f"APPLET_{name.upper()}"))


@pytest.mark.parametrize("arguments, words", [
    (["foo"], ["foo"]), (["lst"], ["lst", "list"]), (["stauts", "a"], ["stauts", "status"]), (["help", "foo"], ["foo"]),
    (["--foo"], ["--foo"]), (["list", "--foo"], ["--foo"]), (["list", "x"], ["x"]), (["list", "-x"], ["-x"]),
    (["status"], ["SERVICE"]), (["start"], ["SERVICE"]), (["stop"], ["SERVICE"]), (["restart"], ["SERVICE"]),
    (["forget"], ["SERVICE"]), (["monitor"], ["SERVICE"]), (["kill"], ["SERVICE"]), (["status", "a", "b"], ["status"]),
    (["kill", "a", "SIGTERM", "x"], ["kill"]), (["log", "a", "b"], ["b"]), (["list", "-s"], ["-s"]), (["-s"], ["-s"]),
    (["list", "--socket"], ["--socket"]), (["log", "-n", "x", "-s"], ["x"]), (["start", "--wait=x", "a"], ["wait"]),
], ids=lambda value: " ".join(value))
def test_usage_errors(arguments, words):
    needs_applet(words)
    is_error(cli(*arguments, env={"PATH": os.environ["PATH"], "ZINIT_SOCKET": "/no/such/folder/socket"}), *words)


@pytest.mark.parametrize("arguments, hint", [
    (["web", "start"], "did you mean 'zinit start web'?"), (["version"], "did you mean '--version'?"), (["-v"], "did you mean '-V'?"),
    (["lsit"], "did you mean 'list'?"), (["stauts", "a"], "did you mean 'status'?"), (["list", "--jsno"], "did you mean '--json'?"),
    (["list", "--na"], "did you mean '--names'?"), (["stop", "--nowait", "a"], "did you mean '--no-wait'?"),
    (["list", "-L"], "did you mean '-l'?"), (["status", "-x"], "stands behind '--'"), (["kill", "a", "-HUP"], "stands behind '--'"),
    (["log", "-s", "/run/zinit.sock", "web"], "the socket is --socket"), (["log", "-s", "/run/zinit.sock"], "the socket is --socket"),
    (["kill", "HUP", "web"], "did you mean 'zinit kill web HUP'?"), (["--hlep"], "did you mean '--help'?"),
    (["--instal", "x"], "did you mean '--install'?")], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_hints(arguments, hint):
    needs_applet(re.findall(r"\w+", hint))
    is_error(cli(*arguments), hint)


def test_only_what_is_built_in_is_recommended():
    said = cli("--help").out
    built = [name for name in sorted(APPLETS) if configured(f"APPLET_{name.upper()}")]
    assert ("without one: list" in said) == ("list" in built)
    assert "zinit COMMAND --help" in said
    for name in built:
        if "help" not in built:
            is_error(cli("help", name), "did you mean '--help'?")
        assert cli(name, "--help").out.startswith(f"zinit {name}")


@pytest.mark.parametrize("arguments", [["x" * 3000], ["foo"], ["help", "qqq"], ["list", "--" + "x" * 3000], ["--", "zzzz"], ["", "list"]],
                         ids=lambda arguments: arguments[-1][:5])
def test_no_hint_is_better_than_a_silly_one(arguments):
    done = cli(*arguments)
    is_error(done)
    assert "mean 'zinit list '" in done.err or "mean" not in done.err


@pytest.mark.parametrize("command", [["--version"], ["--help"], ["help", "list"], ["--list"], ["help", "--markdown"]], ids=named)
def test_without_standard_output_it_is_an_error(command):
    """And with no descriptor at all nothing hangs or crashes."""
    if not any(configured(f"APPLET_{name.upper()}") for name in APPLETS):
        pytest.skip("without a command nothing is listed")
    is_error(closed(command, 1), "Bad file descriptor")
    assert closed(command, 0).out == cli(*command).out
    assert closed(command, 0, 1, 2).code == 1


def closed(words, *descriptors):
    """Runs zinit with these descriptors closed."""
    closing = " ".join(f"{fd}{'<' if fd == 0 else '>'}&-" for fd in descriptors)
    done = subprocess.run(["bash", "-c", f'"$0" "$@" {closing}', ZINIT, *words], capture_output=True, text=True, timeout=PATIENCE)
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("command", COMMANDS, ids=named)
def test_no_socket(command):
    needs_command(command)
    path = "/no/such/folder/socket"
    done = cli("--socket", path, *command)
    is_error(done)
    assert done.err == f"zinit: cannot connect to {path}: No such file or directory; is 'zinit init' running?\n"


@pytest.mark.parametrize("command", COMMANDS, ids=named)
def test_a_stale_socket(tmp_path, command):
    needs_command(command)
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    done = cli("--socket", path, *command)
    is_error(done)
    assert done.err == f"zinit: cannot connect to {path}: Connection refused; is 'zinit init' running?\n"


def test_a_path_that_is_no_socket(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path):
        is_error(cli("-s", str(path), "list"), f"cannot connect to {path}: Connection refused; it is not a socket")
    is_error(cli("-s", str(tmp_path / "file" / "s"), "list"), "Not a directory")
    is_error(cli("-s", "/" + "x" * 200, "list"), "too long")
    is_error(cli("-s", "", "list"), "the path of the socket is empty")


def test_no_permission(daemon):
    if os.geteuid() != 0:
        pytest.skip("only root can take another uid")
    daemon.start()
    os.chmod(daemon.dir, 0o755)

    def someone():
        os.setgid(12345)
        os.setuid(12345)

    for command in COMMANDS:
        is_error(cli("--socket", daemon.socket, *command, preexec_fn=someone), daemon.socket,
                 "Permission denied; it belongs to another user")


class Listener:
    """A socket that is served by BEHAVIOUR(connection) instead of a daemon."""

    def __init__(self, path, behaviour=None, backlog=100):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen(backlog)
        self.behaviour = behaviour
        self.kept = []
        if behaviour:
            threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        try:
            while True:
                connection = self.socket.accept()[0]
                self.kept.append(connection)
                self.behaviour(connection)
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        for connection in self.kept:
            connection.close()


def all_fail_after_five_seconds(path):
    start = time.monotonic()
    commands = [command for command in COMMANDS if configured(f"APPLET_{(command or ['list'])[0].upper()}")]
    running = [(command, subprocess.Popen([ZINIT, "--socket", path, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                          stdin=subprocess.DEVNULL, text=True))
               for command in commands]
    for command, process in running:
        out, err = process.communicate(timeout=PATIENCE)
        assert 4.9 <= time.monotonic() - start < 8 + SLACK, command
        assert (process.returncode, out) == (1, ""), command
        assert re.fullmatch(rf"zinit: [^\n]*{re.escape(path)}[^\n]*\b5 s[^\n]*\n", err), (command, err)


def test_a_daemon_that_never_answers(tmp_path):
    path = str(tmp_path / "s")
    with Listener(path, lambda connection: None):
        all_fail_after_five_seconds(path)


def test_a_daemon_that_never_accepts(tmp_path):
    path = str(tmp_path / "s")
    with Listener(path, backlog=0):
        fillers = []
        for _ in range(3):
            fillers.append(socket.socket(socket.AF_UNIX))
            fillers[-1].setblocking(False)
            try:
                fillers[-1].connect(path)
            except BlockingIOError:
                break
        all_fail_after_five_seconds(path)
        for filler in fillers:
            filler.close()


def test_a_stopped_daemon(daemon):
    daemon.service("a", SLEEP)
    daemon.start()
    daemon.signal(signal.SIGSTOP)
    try:
        all_fail_after_five_seconds(daemon.socket)
    finally:
        daemon.signal(signal.SIGCONT)


HANGUPS = {
    "at once": lambda c: c.close(),
    "after the request": lambda c: (c.recv(1000), c.close()),
    "in the middle": lambda c: (c.recv(1000), c.sendall(b'{"jsonrpc":"2.0","id":0,"resu'), c.close()),
    "garbage": lambda c: (c.recv(1000), c.sendall(b"hello\n"), c.close()),
    "HTTP": lambda c: (c.recv(1000), c.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), c.close()),
    "another id": lambda c: (c.recv(1000), c.sendall(b'{"jsonrpc":"2.0","id":987654,"result":{"a":"Running"}}\n'), c.close()),
    "neither result nor error": lambda c: (c.recv(1000), c.sendall(b'{"jsonrpc":"2.0","id":0}\n'), c.close()),
    "full": lambda c: (c.sendall(b"Too many connections. Please try again later."), c.close()),
}


@pytest.mark.parametrize("hangup", HANGUPS)
def test_a_daemon_that_hangs_up(tmp_path, hangup):
    path = str(tmp_path / "s")
    with Listener(path, HANGUPS[hangup]):
        for command in COMMANDS:
            is_error(cli("--socket", path, *command, timeout=20))


def test_the_socket_comes_from_the_environment(tmp_path):
    wanted = tmp_path / "from-environment"
    environment = {"PATH": os.environ["PATH"], "ZINIT_SOCKET": str(wanted)}
    is_error(cli("list", env=environment), str(wanted))
    is_error(cli("-s", "/no/such/socket", "list", env=environment), "/no/such/socket")


# -- with a daemon -----------------------------------------------------------------------------


def test_options_are_accepted_anywhere(daemon):
    daemon.service("a", SLEEP)
    daemon.start()
    daemon.wait_state("a", "Running")
    path = daemon.socket
    for words in (["-s", path, "list"], ["list", "-s", path], [f"--socket={path}", "list"], ["--socket", path, "list"],
                  [f"-s{path}", "list"], ["list", f"--socket={path}"], ["-d", "-s", path], [f"-ds{path}", "list"],
                  ["list", "-ds", path], ["-s", path], ["--debug", "list", "-s", path]):
        done = cli(*words)
        assert (done.code, done.out) == (0, "---\na: Running\n"), words
    for words in (["status", "a", "-s", path], ["status", "-s", path, "a"], ["-s", path, "status", "--", "a"]):
        assert cli(*words).out.startswith("---\nname: a\n"), words
    assert cli("log", "a", "-s", "--socket", path).out.startswith("[-] a: ")
    assert cli("list", env={"ZINIT_SOCKET": path, "PATH": os.environ["PATH"]}).out == "---\na: Running\n"


def test_two_dashes_end_the_options(daemon):
    daemon.service("-x", SLEEP)
    daemon.start()
    daemon.wait_state("-x", "Running")
    assert daemon.ok("status", "--", "-x").startswith("---\nname: ")
    daemon.ok("stop", "--", "-x")
    is_error(daemon.cli("status", "--", "--json"), "'--json' not found")
    is_error(daemon.cli("status", "-x"))


def test_a_relative_socket_is_the_callers(daemon):
    daemon.service("a", SLEEP)
    daemon.start()
    daemon.wait_state("a", "Running")
    assert cli("-s", "s", "list", cwd=daemon.dir).out == "---\na: Running\n"


@pytest.mark.parametrize("name", ["start", "list", "init", "help", "log", "0", "true"])
def test_a_service_may_be_called_like_a_command(daemon, name):
    daemon.service(name, SLEEP)
    daemon.start()
    pid = daemon.wait_state(name, "Running")["pid"]
    assert f"\npid: {pid}\nstate: Running\n" in daemon.ok("status", name)
    daemon.ok("stop", name)
    daemon.ok("start", name)
    daemon.ok("restart", name)
    assert daemon.log(name)
    assert daemon.status(name)["target"] == "Up"


def test_errors_of_the_daemon_are_one_line(daemon):
    daemon.service("sleeper", SLEEP)
    daemon.start()
    daemon.wait_state("sleeper", "Running")
    for command, action in (("status", "getting status"), ("start", "starting service"), ("stop", "stopping service"),
                            ("forget", "forgetting service"), ("kill", "sending signal")):
        is_error(daemon.cli(command, "nosuch"), f"{action}: service 'nosuch' not found")
        is_error(daemon.cli(command, "sleper"), "'sleper' not found", "sleeper")
    is_error(daemon.cli("restart", "nosuch"), "service 'nosuch' not found")
    is_error(daemon.cli("monitor", "sleeper"), "monitoring service: service 'sleeper' already monitored")
    is_error(daemon.cli("forget", "sleeper"), "forgetting service: service 'sleeper' is up")
    is_error(daemon.cli("kill", "sleeper", "FOO"), "parsing signal: invalid signal 'FOO'")
    is_error(daemon.cli("monitor", "nosuch"), "monitoring service: failed to load 'nosuch.yaml'")
    is_error(daemon.cli("status", ""), "not found")


@pytest.mark.parametrize("name", ["../c/a", "a/b", "a\\b", "", ".hidden", "a\nb", "x" * 129])
def test_monitor_refuses_what_is_no_name(daemon, name):
    daemon.start()
    done = daemon.cli("monitor", "--", name)
    is_error(done)
    assert daemon.failure("service_monitor", [name]).code in (-32602, -32005)
    assert daemon.list() == {}


def test_status_and_list_of_every_state_are_no_errors(daemon):
    for name, keys in {"running": {}, "blocked": {"after": ["ghost"]}, "spawned": {"test": "false"},
                       "testfailure": {"test": "/no/such/probe"}, "success": {"exec": "true", "oneshot": True},
                       "error": {"exec": "false", "oneshot": True}, "failure": {"exec": "/no/such/program"},
                       "stopped": {}}.items():
        daemon.service(name, **{"exec": SLEEP, **keys})
    daemon.start()
    daemon.wait_state("stopped", "Running")
    daemon.ok("stop", "stopped")
    wait_until(lambda: "Unknown" not in daemon.list().values())
    for name in daemon.list():
        daemon.ok("status", name)
        daemon.ok("status", name, "--json")
    assert daemon.ok("list").count("\n") == 9
    is_error(daemon.cli("status", "nosuch"))


def test_json_output(daemon):
    daemon.service("b", SLEEP, after=["a"])
    daemon.service("a", SLEEP)
    daemon.start()
    daemon.wait_all()
    assert json.loads(daemon.ok("list", "--json")) == {"a": "Running", "b": "Running"}
    status = json.loads(daemon.ok("status", "b", "--json"))
    assert list(status)[:5] == ["name", "pid", "state", "target", "after"]
    assert (status["name"], status["state"], status["target"], status["after"]) == ("b", "Running", "Up", {"a": "Running"})
    assert status["pid"] == daemon.status("b")["pid"]


def test_the_long_list_is_an_aligned_table(daemon):
    daemon.service("a", SLEEP)
    daemon.service("quite-a-long-name", sh("exit 1"), oneshot=True)
    daemon.start()
    daemon.wait_state("a", "Running")
    failed = daemon.wait_state("quite-a-long-name", r"Error\(.*")["state"]
    text = daemon.ok("list", "-l")
    rows = {line.split()[0]: line for line in text.splitlines()}
    row = rows["a"].split()
    assert row[:4] == ["a", "Running", "Up", str(daemon.status("a")["pid"])]
    assert failed in rows["quite-a-long-name"]
    assert rows["a"].index("Running") == rows["quite-a-long-name"].index("Error(")
    assert rows["a"].index(" Up ") == rows["quite-a-long-name"].index(" Up ")


def test_columns_are_counted_in_characters(daemon):
    for name in ("é", "日本", "plain"):
        daemon.service(name, SLEEP)
    daemon.start()
    daemon.wait_all()
    assert len({line.index("Running") for line in daemon.ok("list", "-l").splitlines()[1:]}) == 1


def test_names_only(daemon):
    names = ["a b", "c: d", "\"q\"", "é", "-x"]
    for name in names:
        daemon.service(name, SLEEP)
    daemon.start()
    assert daemon.ok("list", "--names").split("\n") == [*sorted(names), ""]


def test_a_closed_standard_output_is_not_the_socket(daemon):
    """A closed descriptor 1 must not become the connection, nor what is printed go to the daemon."""
    daemon.service("a", SLEEP)
    daemon.start()
    daemon.wait_all()
    for command in (["list"], ["status", "a"], ["log", "-s"], ["stats", "a"], ["get", "a"], ["list", "-l"]):
        is_error(closed(["-s", daemon.socket, *command], 1), "Bad file descriptor")
        assert closed(["-s", daemon.socket, *command], 0, 1, 2) == (1, "", "")
        assert closed(["-s", daemon.socket, *command], 0).out.count("\n")
    for command in (["stop", "a"], ["start", "a"], ["restart", "a"]):
        assert closed(["-s", daemon.socket, *command], 0, 1, 2) == (0, "", "")
    assert closed(["-s", daemon.socket, "start", "nosuch"], 0, 1, 2) == (1, "", "")


def test_hints_about_services(daemon):
    daemon.service("web", SLEEP)
    daemon.start()
    daemon.wait_all()
    is_error(daemon.cli("monitor", "web.yaml"), "names stand without the ending: 'web'")
    is_error(daemon.cli("monitor", f"{daemon.config}/web.yaml"), "invalid service name", "holds '/'")
    is_error(daemon.cli("monitor", ".web"), "starts with '.'")
    is_error(daemon.cli("monitor", "x" * 129), "longer than 128 bytes")
    is_error(daemon.cli("status", "wbe"), "did you mean 'web'?")
    assert "mean" not in daemon.cli("status", "x" * 200).err + daemon.cli("status", "abc").err


def test_the_seconds_of_wait_in_every_spelling(daemon):
    daemon.service("a", SLEEP)
    daemon.start()
    for words in (["-w5"], ["-w=5"], ["--wait=5"], ["-w"], ["--wait"], ["-dw5"], ["-wd"]):
        daemon.ok("start", *words, "a")
    is_error(daemon.cli("start", "-w5x", "a"), "5x")


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "xx_YY", "tr_TR.UTF-8"])
def test_the_locale_changes_nothing(daemon, locale):
    daemon.service("ı é", SLEEP)
    daemon.start()
    daemon.wait_all()
    environments = ({"LC_ALL": locale}, {})
    assert {daemon.cli("list", env=env).out for env in environments} == {"---\nı é: Running\n"}
    assert len({daemon.cli("list", "-l", env=env).out[:30] for env in environments}) == 1


def test_many_services(daemon):
    for i in range(1500):
        daemon.write(f"service-{i:04}.yaml", "exec: 'true'\noneshot: true\nafter: [none]\n")
    daemon.start()
    wait_until(lambda: daemon.ok("list").count("Blocked") == 1500)
    assert daemon.ok("list", "-l").count("\n") == 1501
    is_error(daemon.cli("status", "servce-1499"), "did you mean 'service-")
    with subprocess.Popen([ZINIT, "-s", daemon.socket, "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(PATIENCE) in (0, -signal.SIGPIPE)
        assert process.stderr.read() == b""


def test_yaml_quotes_what_yaml_needs(daemon):
    names = ["true", "null", "~", "12", "1.5", "a: b", "# c", "- x", "[x", "{x", "'q", '"d', "no", "é", " lead", "trail ", "&a",
             "*a", "!t", "%p", "@at", "`b", "|", ">", "0x1F", "=", "? q", "plain", "a#b", "a:b"]
    for name in names:
        daemon.service(name, SLEEP)
    daemon.start()
    daemon.wait_all()
    lines = daemon.ok("list").splitlines()
    assert lines[0] == "---" and len(lines) == len(names) + 1
    read = {}
    for line in lines[1:]:
        key = line[:-len(": Running")]
        assert line == f"{key}: Running"
        if key.startswith('"'):
            read[json.loads(key)] = True
        elif key.startswith("'"):
            read[key[1:-1].replace("''", "'")] = True
        else:
            read[key] = False
    assert set(read) == set(names)
    for name in ("é", "plain"):
        assert not read[name], name
    for name in set(names) - {"é", "plain", "a#b", "a:b", "no", "=", "0x1F"}:
        assert read[name], f"{name} needs quotes"


def test_an_empty_list(daemon):
    daemon.start()
    assert daemon.ok("list") == "---\n{}\n"
    assert daemon.ok() == "---\n{}\n"
    assert json.loads(daemon.ok("list", "--json")) == {}


@pytest.mark.parametrize("command", [["list"], ["status", "a"], ["log", "-s"], ["list", "-l"], ["list", "--json"], ["--help"],
                                     ["--version"]], ids=named)
def test_a_full_disk_is_an_error(daemon, command):
    daemon.service("a", SLEEP)
    daemon.start()
    daemon.wait_state("a", "Running")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([ZINIT, "--socket", daemon.socket, *command], stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=PATIENCE)
    assert done.returncode == 1
    assert re.fullmatch(r"zinit: [^\n]*No space left on device[^\n]*\n", done.stderr)


# -- verbs -------------------------------------------------------------------------------------


def test_start_and_stop_twice_change_nothing(daemon):
    daemon.service("a", SLEEP)
    daemon.start()
    pid = daemon.wait_state("a", "Running")["pid"]
    assert daemon.ok("start", "a") == ""
    assert daemon.status("a")["pid"] == pid
    assert daemon.ok("stop", "a") == ""
    state = daemon.state("a")
    assert daemon.ok("stop", "a") == ""
    status = daemon.status("a")
    assert (status["state"], status["target"]) == (state, "Down")


RESTARTS = {
    "running": (dict(exec=SLEEP), "Running"),
    "stopped": (dict(exec=SLEEP), "Running"),
    "blocked": (dict(exec=SLEEP, after=["ghost"]), "Blocked"),
    "blocked and stopped": (dict(exec=SLEEP, after=["ghost"]), "Blocked"),
    "crashed": (dict(exec=sh("test -e MARK && exec sleep 1000; touch MARK; exit 1")), "Running"),
    "oneshot done": (dict(exec="true", oneshot=True), "Success"),
    "oneshot running": (dict(exec=SLEEP, oneshot=True), "Running"),
    "oneshot failed": (dict(exec="false", oneshot=True), r"Error\(.*"),
}


@pytest.mark.parametrize("case", RESTARTS)
def test_restart_brings_every_state_up(daemon, case):
    keys, wanted = RESTARTS[case]
    keys = {**keys, "exec": keys["exec"].replace("MARK", daemon.path("mark"))}
    daemon.service("a", **keys)
    daemon.start()
    before = daemon.wait_state("a", r"Error\(.*" if case == "crashed" else wanted)
    if "stopped" in case:
        daemon.ok("stop", "a")
    assert daemon.ok("restart", "a") == ""
    status = daemon.wait_state("a", wanted)
    assert status["target"] == "Up"
    if before["pid"]:
        assert daemon.wait_state("a", lambda status: status["pid"] not in (0, before["pid"]))
    assert len(daemon.procs()) <= 1


def test_start_of_a_finished_oneshot_runs_it_again(daemon):
    trace = daemon.path("trace")
    daemon.service("a", sh(f"echo x >> {trace}"), oneshot=True)
    daemon.start()
    daemon.wait_state("a", "Success")
    daemon.ok("start", "a")
    wait_until(lambda: lines_of(trace) == ["x", "x"])
    holds(lambda: lines_of(trace) == ["x", "x"], 0.3)


def test_start_with_wait_returns_when_it_is_up(daemon):
    ready = daemon.path("ready")
    daemon.service("a", sh(f"sleep 1; touch {ready}; exec sleep 1000"), test=sh(f"test -e {ready}"))
    daemon.start()
    assert daemon.ok("start", "--wait", "a") == ""
    assert daemon.state("a") == "Running"
    daemon.ok("stop", "a")
    os.unlink(ready)
    daemon.ok("start", "--wait=30", "a")
    assert daemon.state("a") == "Running"


def test_start_with_wait_gives_up_in_time(daemon):
    daemon.service("a", SLEEP, test="false")
    daemon.service("b", SLEEP, after=["a", "ghost"])
    daemon.start()
    for name, why in (("a", "'a' did not come up in time: Spawned"), ("b", "'b' did not come up in time: Blocked, waits for a\n")):
        start = time.monotonic()
        is_error(daemon.cli("start", "--wait=1", name), why)
        assert 1 <= time.monotonic() - start < 2 + SLACK


def test_start_with_wait_sees_a_failure(daemon):
    daemon.service("a", sh("sleep 0.5; exit 3"), oneshot=True)
    daemon.start()
    daemon.wait_state("a", r"Error\(.*")
    is_error(daemon.cli("start", "--wait=30", "a"), "a", "3")


def test_several_names_at_once(daemon):
    for name in "abc":
        daemon.service(name, SLEEP)
    daemon.start()
    daemon.wait_all()
    daemon.ok("stop", "a", "b")
    assert (daemon.status("a")["target"], daemon.status("b")["target"], daemon.state("c")) == ("Down", "Down", "Running")
    daemon.ok("start", "a", "b")
    daemon.wait_all()
    daemon.ok("restart", "a", "b", "c")
    daemon.wait_all()
    daemon.ok("stop", "a", "b", "c")
    daemon.ok("forget", "a", "b", "c")
    assert daemon.list() == {}
    daemon.ok("monitor", "a", "b", "c")
    daemon.wait_all()


def test_start_with_wait_of_several_names_waits_for_all_at_once(daemon):
    """b is up only when a is, which is named after it."""
    daemon.service("a", SLEEP)
    daemon.service("b", SLEEP, after=["a"])
    daemon.start()
    daemon.wait_all()
    daemon.ok("stop", "b", "a")
    assert daemon.ok("start", "--wait=60", "b", "a") == ""
    assert daemon.list() == {"a": "Running", "b": "Running"}
    done = daemon.cli("start", "--wait=60", *["b", "nosuch", "a"] * 20)
    assert done.code == 1 and done.err.count("\n") == 20


def test_several_names_are_stopped_in_their_order(daemon):
    trace = daemon.path("trace")
    for name in "abc":
        daemon.service(name, sh(f"trap 'sleep 0.3; echo {name} >> {trace}; exit 0' TERM; sleep 1000 & while :; do wait; done"))
    daemon.start()
    wait_until(lambda: daemon.count(SLEEP) == 3)
    daemon.ok("stop", "c", "a", "b")
    assert lines_of(trace) == ["c", "a", "b"]


def test_a_daemon_that_is_gone_is_told_once(daemon):
    is_error(daemon.cli("stop", "a", "b", "c"), "cannot connect")
    is_error(daemon.cli("monitor", "a", "b", "c"), "cannot connect")


def test_one_bad_name_among_several_does_not_keep_the_others(daemon):
    for name in "ab":
        daemon.service(name, SLEEP)
    daemon.start()
    daemon.wait_all()
    done = daemon.cli("stop", "a", "nosuch", "b")
    assert done.code == 1 and "'nosuch' not found" in done.err and done.out == ""
    assert daemon.status("a")["target"] == "Down"


# -- names of the binary -----------------------------------------------------------------------


def test_argv0_selects_the_applet(daemon):
    needs_applet(["list"])
    needs_applet(["status"])
    daemon.service("a", SLEEP)
    daemon.start()
    daemon.wait_state("a", "Running")
    for name, words in (("list", []), ("zinit-list", []), ("zinitctl", ["list"]), ("zinitctl", []), ("zinit", ["list"]),
                        ("anything", ["list"])):
        link = daemon.dir / name
        if not link.exists():
            link.symlink_to(ZINIT)
        done = subprocess.run([link, "-s", daemon.socket, *words], capture_output=True, text=True, timeout=PATIENCE)
        assert (done.returncode, done.stdout, done.stderr) == (0, "---\na: Running\n", ""), name
    link = daemon.dir / "status"
    link.symlink_to(ZINIT)
    done = subprocess.run([link, "-s", daemon.socket, "a"], capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout.startswith("---\nname: a\n")


@pytest.mark.parametrize("symbolic", [True, False])
def test_install_makes_links_that_work(daemon, symbolic):
    needs_applet(["status"])
    daemon.service("a", SLEEP)
    daemon.start()
    folder = daemon.dir / "bin"
    folder.mkdir()
    done = cli("--install", *(["-s"] if symbolic else []), str(folder))
    if not symbolic and "Invalid cross-device link" in done.err:
        pytest.skip("hard links cannot cross file systems")
    assert (done.code, done.err) == (0, "")
    made = list(folder.iterdir())
    assert made and all(os.path.samefile(link, ZINIT) and link.is_symlink() == symbolic for link in made)
    for link in made:
        if link.name.removeprefix("zinit-") == "status":
            done = subprocess.run([link, "-s", daemon.socket, "a"], capture_output=True, timeout=PATIENCE)
            assert done.returncode == 0
            break
    else:
        raise AssertionError(f"no link for status: {made}")
    assert cli("--install", *(["-s"] if symbolic else []), str(folder)).code in (0, 1)
    is_error(cli("--install", str(folder / "missing")))


@pytest.mark.parametrize("name", ["zinit", "init", "zinit-init"])
def test_the_process_name_is_zinit(daemon, name):
    link = daemon.dir / name
    link.symlink_to(ZINIT)
    words = daemon.arguments()[1:]
    if name != "zinit":
        words.remove("init")
    daemon.start(argv=[str(link), *words])
    with open(f"/proc/{daemon.pid}/comm") as file:
        assert file.read() == "zinit\n"


def test_as_pid_1_unknown_words_never_end_it(daemon):
    daemon.service("a", SLEEP)
    daemon.start(argv=[ZINIT, "--container", "-s", daemon.socket, "-c", str(daemon.config), "splash", "single", "x=y", "--quux",
                       "-b", "many"])
    daemon.wait_state("a", "Running")


def test_init_takes_its_folder_as_a_word_with_a_slash(daemon):
    daemon.service("a", SLEEP)
    daemon.start(argv=[ZINIT, "-s", daemon.socket, "init", "--container", str(daemon.config) + "/"])
    daemon.wait_state("a", "Running")


def test_options_of_init_may_follow_it(daemon):
    daemon.service("a", SLEEP)
    daemon.start(argv=[ZINIT, "init", f"--config={daemon.config}", "-d", "--container", "--socket", daemon.socket])
    daemon.wait_state("a", "Running")
