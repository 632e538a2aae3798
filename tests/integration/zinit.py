"""Runs one zinit daemon as PID 1 of its own namespace, talks to it, and looks at what it left.

A test writes service files with Daemon.service(), starts the daemon, and asks it through rpc(), cli() or
status(). Nothing here pauses except ticks(): tests wait for a condition, never for a time.

ZINIT             the binary under test (default: build/zinit of this tree)
ZINIT_EXE         what /proc/PID/exe of it is, where that is an emulator
ZINIT_TEST_SLACK  seconds that a loaded machine may add to an upper bound (default 5)
"""
import itertools
import json
import os
import pathlib
import re
import resource
import shlex
import shutil
from signal import SIGKILL, SIGTERM
import socket
import subprocess
import time
from typing import NamedTuple

import pytest

TREE = pathlib.Path(__file__).resolve().parents[2]
ZINIT = os.path.abspath(os.environ.get("ZINIT") or TREE / "build" / "zinit")
# A build with sanitizers keeps freed memory back, so bounds on memory mean nothing there.
SANITIZED = os.path.exists(ZINIT) and b"__asan_init" in pathlib.Path(ZINIT).read_bytes()
# A build with fewer commands or methods: what it has not got is skipped, by name.
CONFIG = pathlib.Path(ZINIT).with_name(".config")
SYMBOLS = dict(re.findall(r"^CONFIG_(\w+)=(.*)$", CONFIG.read_text(), re.M)) if CONFIG.exists() else None
APPLETS = {path.stem for path in (TREE / "applets").glob("*.c")} - {"main", "call"}
METHODS = {"rpc.discover": "DISCOVER", "service_stats": "STATS", "service_create": "FILES", "service_delete": "FILES",
           "service_get": "FILES", "stream_subscribeEvents": "EVENTS", "stream_unsubscribeEvents": "EVENTS",
           "system_start_http_server": "APPLET_PROXY", "system_stop_http_server": "APPLET_PROXY"}
SLACK = float(os.environ.get("ZINIT_TEST_SLACK", "5"))
PATIENCE = 60 + SLACK
BANNER = "------------ [start] ------------"

NOT_FOUND, ALREADY_MONITORED, IS_UP, IS_DOWN, BAD_SIGNAL, CONFIG_ERROR, SHUTTING_DOWN = range(-32000, -32007, -1)
NO_METHOD = -32601


def configured(symbol):
    """Is it built in? Without a configuration beside the binary everything is."""
    return SYMBOLS is None or symbol in SYMBOLS


def needs(symbol, what):
    if not configured(symbol):
        pytest.skip(f"{what} is not built in", allow_module_level=True)


def needs_applet(args):
    """Skips the test when the command that ARGS name is not built in."""
    for word in args:
        if word in APPLETS:
            needs(f"APPLET_{word.upper()}", word)
            return


def missing_in(failure):
    """The command or method that is not built in and is what the text of a failure is about."""
    for word in re.findall(r"unknown command '([\w-]+)'", failure):
        if word in APPLETS and not configured(f"APPLET_{word.upper()}"):
            return word
    if re.search(r"Method not found|-32601", failure):
        return next((method for method, symbol in METHODS.items() if not configured(symbol)), None)
    return None


def ticks(seconds, interval=0.03):
    """Yields again and again for SECONDS, and once more after them. The only pause in the tests."""
    end = time.monotonic() + seconds
    while True:
        last = time.monotonic() >= end
        yield
        if last:
            return
        time.sleep(interval)


def wait_until(condition, deadline=PATIENCE, what=""):
    """The first true value of condition(); an AssertionError when DEADLINE seconds pass without one."""
    for _ in ticks(deadline):
        value = condition()
        if value:
            return value
    raise AssertionError(f"not within {deadline} s: {what or 'the condition'} (last value: {value!r})")


def wait_for_all(count, wanted):
    """Waits until count() is WANTED, and goes on while it grows: slow is no failure, standing still is."""
    best = 0
    while best < wanted:
        best += wait_until(lambda: max(count() - best, 0), what=f"more than {best} of {wanted}")


def holds(condition, seconds, what=""):
    """Asserts that condition() is true all the time for SECONDS."""
    for _ in ticks(seconds):
        value = condition()
        assert value, f"did not stay true for {seconds} s: {what or 'the condition'}"


def sh(script):
    """The exec line that runs SCRIPT in a shell."""
    return shlex.join(["sh", "-c", script])


def lines_of(path):
    try:
        return pathlib.Path(path).read_text(errors="surrogateescape").split("\n")[:-1]
    except FileNotFoundError:
        return []


class RpcError(Exception):
    def __init__(self, error):
        super().__init__(f"{error.get('code')} {error.get('message')}")
        self.code, self.message, self.data = error.get("code"), error.get("message"), error.get("data")


class Result(NamedTuple):
    code: int
    out: str
    err: str


class Process(NamedTuple):
    """One process of the namespace; pid is the number out here, inner the number in there."""
    pid: int
    inner: int
    parent: int
    group: int
    session: int
    state: str
    command: str


def children(pid):
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as file:
                found += map(int, file.read().split())
    except OSError:
        pass
    return found


def look(pid):
    """The Process with this pid, or None when it has gone."""
    try:
        with open(f"/proc/{pid}/stat", errors="surrogateescape") as file:
            fields = file.read().rpartition(")")[2].split()
        with open(f"/proc/{pid}/status", errors="surrogateescape") as file:
            inner = int(re.search(r"^NSpid:.*?(\d+)$", file.read(), re.M)[1])
        with open(f"/proc/{pid}/cmdline", errors="surrogateescape") as file:
            command = file.read().replace("\0", " ").strip()
    except (OSError, TypeError):
        return None
    return Process(pid, inner, int(fields[1]), int(fields[2]), int(fields[3]), fields[0], command)


def status_field(pid, name):
    """A field of /proc/PID/status as text."""
    with open(f"/proc/{pid}/status", errors="surrogateescape") as file:
        return re.search(rf"^{name}:\s*(.*)$", file.read(), re.M)[1]


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", errors="surrogateescape") as file:
        fields = file.read().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def namespace():
    """The command that makes a new PID namespace whose PID 1 is the command that follows it."""
    return ["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]),
            "--fork", "--pid", "--mount-proc", "--kill-child"]


def delegated():
    """Is there a cgroup v2 tree that init takes for its own?"""
    mounted = " - cgroup2 " in pathlib.Path("/proc/self/mountinfo").read_text()
    return os.geteuid() == 0 and mounted and "0::/" in pathlib.Path("/proc/self/cgroup").read_text().splitlines()


_namespace_works = []


def namespace_works():
    if not _namespace_works:
        done = subprocess.run([*namespace(), "true"], capture_output=True)
        _namespace_works.append(done.returncode == 0)
    return _namespace_works[0]


# Runs zinit as a child of PID 1 and writes down which processes it left when it exited.
BESIDE_PID1 = """
"$@"
code=$?
for file in /proc/[0-9]*/stat; do
    read -r line <"$file" || continue
    case $line in 1\\ *|*")"\\ [ZX]\\ *) ;; *) echo "$line" ;; esac
done 2>/dev/null >"$LEFT"
exit $code
"""


def end(process):
    if process.poll() is None:
        process.kill()
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe:
            pipe.close()


class Daemon:
    def __init__(self, workdir):
        self.dir = pathlib.Path(workdir)
        self.config = self.dir / "c"
        self.config.mkdir()
        self.socket = str(self.dir / "s")
        self.options = []  # of init, besides those that every test needs
        self.ended = False
        self.process = None
        self.pid = 0
        self._helpers = []
        self._ids = itertools.count(1)

    # -- files ---------------------------------------------------------------------------------

    def path(self, name):
        return str(self.dir / name)

    def write(self, name, content):
        """Puts a file of any content into the config folder, as one rename."""
        temporary = self.dir / "new"
        temporary.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape"))
        os.rename(temporary, os.path.join(os.fsencode(self.config), os.fsencode(name)))

    def service(self, name, exec, **keys):
        """Writes NAME.yaml. JSON is YAML."""
        keys = {"exec": exec, **keys}
        self.write(f"{name}.yaml", "".join(f"{key}: {json.dumps(value)}\n" for key, value in keys.items()))

    # -- life ----------------------------------------------------------------------------------

    def arguments(self, *more):
        return [ZINIT, "-s", self.socket, "init", "--container", "-c", str(self.config), *self.options, *more]

    def launch(self, *more, argv=None, env=None, etc_environment=None, beside=False, before=None, stdout=None,
               pass_fds=()):
        """Starts the daemon and returns at once. BESIDE: not as PID 1 but as a child of it.
        ETC_ENVIRONMENT: the bytes of /etc/environment that it sees; BEFORE: a callable run before unshare."""
        needs("APPLET_INIT", "init")
        assert os.access(ZINIT, os.X_OK), f"no binary at {ZINIT}; build it, or set ZINIT"
        argv = argv or self.arguments(*more)
        env = dict(os.environ if env is None else env)
        if beside:
            env["LEFT"] = self.path("left")
            argv = ["/bin/sh", "-c", BESIDE_PID1, "sh", *argv]
        if etc_environment is not None:
            argv = ["/bin/sh", "-c", '/bin/mount --bind "$0" /etc && exec "$@"', self._own_etc(etc_environment), *argv]
        path = shutil.which("unshare")
        command = [path, *namespace()[1:], *argv]
        self.beside = beside

        def prepare():
            resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
            if before:
                before()

        with open(self.path("stdout"), "ab") as out, open(self.path("stderr"), "ab") as err:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout or out, stderr=stdout or err,
                                            env=env, preexec_fn=prepare, pass_fds=pass_fds, start_new_session=True)
        self.ended = False
        self.pid = 0
        return self

    def start(self, *more, **options):
        """Starts the daemon and waits until it answers."""
        self.launch(*more, **options)
        wait_until(lambda: self.process.poll() is not None or self.answers(), what="the daemon answers")
        assert self.process.poll() is None, f"the daemon ended at once with {self.process.returncode}"
        self.find()
        return self

    def find(self):
        """The pid of zinit itself, seen from out here; 0 when it does not run."""
        if not self.pid:
            inside = children(self.process.pid)
            if self.beside and inside:
                inside = children(inside[0])
            for pid in inside:
                try:
                    if os.path.samefile(f"/proc/{pid}/exe", os.environ.get("ZINIT_EXE") or ZINIT):
                        self.pid = pid
                except OSError:
                    pass
        return self.pid

    def answers(self):
        try:
            self.rpc("service_list", timeout=PATIENCE)
            return True
        except (OSError, EOFError):
            return False

    def signal(self, number):
        os.kill(self.find(), number)

    def wait_exit(self, deadline=PATIENCE):
        try:
            code = self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the daemon did not exit within {deadline} s; alive: {self.procs()}") from None
        self.ended = True
        return code

    def stop(self, number=SIGTERM, deadline=PATIENCE):
        """Orders the daemon to end: it must exit 0 and, where that can be seen, leave no process."""
        self.signal(number)
        assert self.wait_exit(deadline) == 0
        if self.beside:
            assert lines_of(self.path("left")) == []

    def kill(self):
        """Kills the daemon and with it its namespace, as a crash would."""
        os.kill(self.find(), SIGKILL)
        self.wait_exit()

    def close(self):
        """The end of every test: the daemon must still be there and exit cleanly, helped over services that resist."""
        for helper in self._helpers:
            end(helper)
        if not self.process or self.ended:
            return
        gone = self.process.poll()
        assert gone is None, f"the daemon ended by itself with {gone}"
        self.signal(SIGTERM)
        for _ in ticks(PATIENCE):
            if self.process.poll() is not None:
                break
            for process in self.procs():
                try:
                    os.kill(process.pid, SIGKILL)
                except ProcessLookupError:
                    pass
        code = self.wait_exit(1)
        assert code == 0, f"the daemon exited {code}"

    def abandon(self):
        if self.process and self.process.poll() is None:
            for pid in children(self.process.pid):
                os.kill(pid, SIGKILL)
            self.process.kill()
            self.process.wait()

    def stdout(self):
        return lines_of(self.path("stdout"))

    def output(self):
        """All that the daemon printed so far."""
        return "\n".join(self.stdout() + lines_of(self.path("stderr")))

    # -- processes -----------------------------------------------------------------------------

    def procs(self):
        """Live processes of the namespace: no zombies, not zinit, nothing of its own (a child before its exec)."""
        found, todo = {}, [self.find()]
        own = look(self.find())
        while todo:
            for pid in children(todo.pop()):
                process = look(pid)
                if process and pid not in found:
                    todo.append(pid)
                    found[pid] = process
        return [process for process in found.values()
                if process.state not in "ZX" and own and process.command != own.command]

    def zombies(self):
        return [process for process in map(look, children(self.find())) if process and process.state == "Z"]

    def commands(self):
        return sorted(process.command for process in self.procs())

    def count(self, command):
        return self.commands().count(command)

    def outer(self, inner):
        """The pid out here of the process that is INNER in there."""
        return next((process.pid for process in self.procs() if process.inner == inner), 0)

    def leader(self, name):
        """The outer pid of the process that leads service NAME."""
        return wait_until(lambda: self.outer(self.status(name)["pid"]), what=f"{name} runs")

    def descriptors(self):
        """How many the daemon has open, when the connections of earlier calls are closed."""
        return min(len(os.listdir(f"/proc/{self.find()}/fd")) for _ in ticks(0.3))

    # -- the socket ----------------------------------------------------------------------------

    def connect(self, timeout=PATIENCE):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout)
        try:
            connection.connect(self.socket)
        except OSError:
            connection.close()
            raise
        return connection

    def request(self, method, params=None):
        call = {"jsonrpc": "2.0", "id": next(self._ids), "method": method}
        if params is not None:
            call["params"] = params
        return json.dumps(call).encode() + b"\n"

    def raw(self, request, timeout=PATIENCE):
        """Sends bytes, returns the first line of the answer (or all, when the daemon closes)."""
        with self.connect(timeout) as connection:
            connection.sendall(request)
            reply = b""
            while b"\n" not in reply:
                more = connection.recv(1 << 20)
                if not more:
                    break
                reply += more
        return reply

    def rpc(self, method, params=None, timeout=PATIENCE):
        reply = self.raw(self.request(method, params), timeout)
        if not reply:
            raise EOFError("the daemon closed the connection without an answer")
        reply = json.loads(reply)
        if "error" in reply and reply["error"]["code"] == NO_METHOD and method in METHODS:
            needs(METHODS[method], method)
        if "error" in reply:
            raise RpcError(reply["error"])
        return reply["result"]

    def failure(self, method, params=None):
        """The RpcError that a call must give."""
        try:
            result = self.rpc(method, params)
        except RpcError as error:
            return error
        raise AssertionError(f"{method} {params} succeeded: {result!r}")

    def list(self):
        return self.rpc("service_list")

    def status(self, name):
        return self.rpc("service_status", [name])

    def state(self, name):
        return self.status(name)["state"]

    def wait_state(self, name, wanted, deadline=PATIENCE):
        """Waits for a state: a word, a pattern, or a predicate on the whole status. Returns the status."""
        if callable(wanted):
            test = wanted
        else:
            test = lambda status: re.fullmatch(wanted, status["state"])
        last = {}

        def matches():
            last["status"] = self.status(name)
            return last["status"] if test(last["status"]) else None

        try:
            return wait_until(matches, deadline)
        except AssertionError:
            raise AssertionError(f"{name} did not become {wanted} within {deadline} s: {last}") from None

    def wait_all(self, state="Running", deadline=PATIENCE):
        wait_until(lambda: set(self.list().values()) == {state}, deadline, f"all are {state}")

    # -- the command line ----------------------------------------------------------------------

    def cli(self, *args, timeout=PATIENCE, **options):
        """Runs `zinit -s SOCKET ARGS`."""
        return cli("-s", self.socket, *args, timeout=timeout, **options)

    def ok(self, *args):
        """Runs a command that must succeed with nothing on stderr; returns its stdout."""
        done = self.cli(*args)
        assert (done.code, done.err) == (0, ""), f"zinit {shlex.join(args)}: {done}"
        return done.out

    def popen(self, *args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options):
        needs_applet(args)
        helper = subprocess.Popen([ZINIT, "-s", self.socket, *args], stdin=subprocess.DEVNULL, stdout=stdout,
                                  stderr=stderr, **options)
        self._helpers.append(helper)
        return helper

    def log(self, name=None):
        """The ring's lines of one service (or of all but zinit's own)."""
        text = self.ok("log", "-s", *([name] if name else []))
        return [line for line in text.split("\n")[:-1] if not re.match(r"\[[+-]\] zinit: ", line)]

    def own_log(self):
        return [line for line in self.ok("log", "-s").split("\n") if re.match(r"\[[+-]\] zinit: ", line)]

    # -- helpers -------------------------------------------------------------------------------

    def _own_etc(self, environment):
        etc = self.dir / "etc"
        etc.mkdir()
        for name in ("ld.so.cache", "passwd", "group", "nsswitch.conf"):
            if os.path.exists(f"/etc/{name}"):
                shutil.copy(f"/etc/{name}", etc)
        if os.path.isdir("/etc/alternatives"):
            shutil.copytree("/etc/alternatives", etc / "alternatives", symlinks=True)
        (etc / "environment").write_bytes(environment)
        return str(etc)


def cli(*args, timeout=PATIENCE, **options):
    needs_applet(args)
    done = subprocess.run([ZINIT, *args], stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, **options)
    return Result(done.returncode, done.stdout.decode("utf-8", "surrogateescape"),
                  done.stderr.decode("utf-8", "surrogateescape"))


def is_error(result, *words):
    """Exit 1, nothing on stdout, one line `zinit: ...` on stderr that holds all WORDS."""
    assert result.code == 1 and result.out == "", result
    assert re.fullmatch(r"zinit: [^\n]+\n", result.err), result
    for word in words:
        assert word in result.err, f"{word!r} is not in {result.err!r}"
    return True
