"""Limits reached, thin kernels, clocks that jump, and many clients with everything that services can be."""
import json
import os
import pathlib
import random
import re
import resource
import select
import shutil
import signal
import subprocess
import threading
import time

import pytest
from test_stop_more import compiled, few_pids, forks  # noqa: F401 (a fixture)
from zinit import (ALREADY_MONITORED, IS_DOWN, IS_UP, NOT_FOUND, PATIENCE, SANITIZED, ZINIT, configured, cpu_seconds,
                   holds, lines_of, sh, status_field, ticks, wait_until)

SLEEP = "sleep 1000"
USER = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--"]

NO_DESCRIPTORS = "Too many open files|No file descriptors available"  # EMFILE, as glibc and musl say it


def own(daemon):
    if os.geteuid() != 0:
        pytest.skip("only root can take another uid")
    os.chown(daemon.dir, 12345, 12345)
    os.chmod(daemon.dir, 0o755)


def does_not_spin(daemon, seconds):
    switches, cpu = int(status_field(daemon.pid, "voluntary_ctxt_switches")), cpu_seconds(daemon.pid)
    holds(lambda: True, seconds)
    assert int(status_field(daemon.pid, "voluntary_ctxt_switches")) - switches < 100 * seconds
    assert cpu_seconds(daemon.pid) - cpu < seconds / 2


# -- limits ------------------------------------------------------------------------------------


def test_few_descriptors_make_services_wait_with_the_reason(daemon):
    own(daemon)
    for number in range(40):
        daemon.service(f"s{number:02}", SLEEP)
    daemon.start(argv=[*USER, *daemon.arguments()], before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (72, 72)))
    names = sorted(daemon.list())
    wait_until(lambda: set(daemon.list().values()) == {"Running", "Blocked"})
    waiting = [name for name in names if daemon.state(name) == "Blocked"]
    running = [name for name in names if name not in waiting]
    assert len(running) > 10 and len(waiting) > 2
    for name in waiting:
        status = daemon.status(name)
        assert re.search(NO_DESCRIPTORS, status["reason"]) and status["target"] == "Up", status
    assert any(re.search(NO_DESCRIPTORS, line) for line in daemon.own_log())
    does_not_spin(daemon, 2)
    for name in running[:len(waiting)]:
        daemon.ok("stop", name)
    wait_until(lambda: {daemon.state(name) for name in waiting} == {"Running"})
    assert len(daemon.procs()) == len(running)


def test_no_room_for_processes_is_waited_out(daemon, forks):  # noqa: F811
    """A service fills the namespace; others crash, and come back when it has been stopped."""
    daemon.service("a", SLEEP)
    daemon.service("hog", f"{forks} bomb", shutdown_timeout=1)
    daemon.service("one", "true", oneshot=True)
    daemon.start(argv=few_pids(daemon, 400))
    wait_until(lambda: len(daemon.procs()) >= 95)
    daemon.wait_state("one", "Success")
    os.kill(daemon.leader("a"), signal.SIGKILL)
    daemon.rpc("service_start", ["one"])
    daemon.wait_state("a", r"Error\(.*")

    def refused():
        status = daemon.status("a")
        return "Resource temporarily unavailable" in status.get("reason", "") and status

    status = wait_until(lambda: refused() or daemon.count(SLEEP) == 1)
    if status is True:
        pytest.skip("there was room for one")
    assert (status["state"], status["target"], status["pid"]) == ("Blocked", "Up", 0)
    assert any("cannot create a process" in line for line in daemon.own_log())
    does_not_spin(daemon, 2)
    daemon.ok("stop", "hog")
    daemon.wait_state("a", "Running")
    daemon.wait_state("one", "Success")
    assert daemon.commands() == [SLEEP]


@pytest.mark.parametrize("cause", ["EACCES", "ETXTBSY", "ENOENT"])
def test_a_program_that_can_not_be_run_for_a_while(daemon, cause):
    program = daemon.dir / "program"
    shutil.copy(shutil.which("sleep"), program)
    daemon.service("a", f"{program} 1001")
    daemon.service("one", f"{program} 0", oneshot=True)
    busy = None
    if cause == "EACCES":
        program.chmod(0o644)
    elif cause == "ENOENT":
        program.rename(daemon.dir / "aside")
    else:
        busy = open(program, "ab")
    daemon.start()
    word = {"EACCES": "Permission denied", "ETXTBSY": "Text file busy", "ENOENT": "No such file"}[cause]
    for name in ("a", "one"):
        assert word in daemon.wait_state(name, "Failure")["reason"]
    if cause == "EACCES":
        program.chmod(0o755)
    elif cause == "ENOENT":
        (daemon.dir / "aside").rename(program)
    else:
        busy.close()
    daemon.wait_state("a", "Running")
    assert daemon.state("one") == "Failure"
    daemon.ok("start", "one")
    daemon.wait_state("one", "Success")


def test_ten_thousand_orphans_are_reaped(daemon, forks):  # noqa: F811
    daemon.service("a", f"{forks} orphans 10000")
    daemon.service("b", SLEEP)
    daemon.start()
    pid = daemon.wait_state("b", "Running")["pid"]
    wait_until(lambda: "[+] a: done" in daemon.log("a"))
    wait_until(lambda: len(daemon.procs()) == 2 and daemon.zombies() == [])
    assert daemon.status("b")["pid"] == pid
    assert daemon.list() == {"a": "Running", "b": "Running"}


def test_output_on_a_full_file_system_goes_on_when_there_is_room(daemon):
    """Init and a service share a stdout that is full; then somebody clears it."""
    room = daemon.dir / "room"
    room.mkdir()
    daemon.service("a", sh("while :; do echo tick; sleep 0.1; done"), log="stdout")
    daemon.service("b", SLEEP)
    daemon.service("crash", sh("exit 1"))
    daemon.service("clear", sh(f"rm {room}/filler"), oneshot=True, after=["go"])
    daemon.service("look", sh(f"until grep -q tick {room}/out && grep -q WARN {room}/out; do sleep 0.1; done"),
                   after=["clear"], oneshot=True)
    fill = f"mount -t tmpfs -o size=64k none {room} || exit; cat /dev/zero >{room}/filler; exec \"$@\" >{room}/out 2>&1"
    daemon.start(argv=["/bin/sh", "-c", fill, "sh", *daemon.arguments()])
    daemon.wait_state("a", "Running")
    daemon.wait_state("crash", r"Error\(.*")
    assert any("crash" in line for line in daemon.own_log())
    daemon.ok("restart", "b")
    daemon.service("go", "true", oneshot=True)
    daemon.ok("monitor", "go")
    daemon.wait_state("look", "Success")


# -- clocks ------------------------------------------------------------------------------------


@pytest.mark.skipif(SANITIZED, reason="a sanitizer must be loaded first")
@pytest.mark.skipif(b"ld-linux" not in pathlib.Path(ZINIT).read_bytes(), reason="needs the GNU C library, shared")
def test_the_system_clock_jumps_back_and_forth(daemon, tmp_path):
    """Only in the eyes of init: its timers go by a clock that cannot be set."""
    shift, trace = daemon.dir / "shift", daemon.path("trace")
    shift.write_text("0")

    def jump(seconds):
        (daemon.dir / "shift.new").write_text(str(seconds))
        os.rename(daemon.dir / "shift.new", shift)

    daemon.service("crash", sh(f"date +%s.%N >> {trace}; exit 1"))
    daemon.service("deaf", sh("trap '' TERM; exec sleep 1001"), shutdown_timeout=2)
    daemon.service("tree", sh("(setsid sleep 1002 &); setsid sleep 1003 & exec sleep 1004"), kill="tree")
    library = compiled("clockshift", tmp_path, "-shared", "-fPIC")
    daemon.start(env={**os.environ, "LD_PRELOAD": library, "CLOCKSHIFT": str(shift)})
    wait_until(lambda: len(daemon.procs()) >= 4 and lines_of(trace))
    stop = daemon.popen("stop", "deaf")
    begin = time.monotonic()
    jumps = [3600, -3600, 0, -3600, 3600]
    while stop.poll() is None or len(lines_of(trace)) < 4:
        assert time.monotonic() - begin < PATIENCE
        jump(jumps[0])
        jumps.append(jumps.pop(0))
        holds(daemon.list, 0.2)
        if stop.poll() is None:
            assert time.monotonic() - begin < 2 + 3
    assert stop.returncode == 0 and daemon.state("deaf").startswith("Error(Signaled(")
    daemon.ok("stop", "tree", "crash")
    assert daemon.procs() == []
    starts = [float(line) for line in lines_of(trace)]
    assert all(1.9 < second - first < 5 for first, second in zip(starts, starts[1:])), starts
    assert re.match(r"\d{4}-", daemon.ok("log", "-s", "-t", "-n", "1"))
    daemon.ok("start", "deaf")
    daemon.wait_state("deaf", "Running")


@pytest.mark.parametrize("offset", [1000000, -1])
def test_clocks_of_a_time_namespace(daemon, offset):
    """A container that was moved here: its monotonic clocks are not those of the machine."""
    shifted = ["unshare", "--time", f"--boottime={offset}", f"--monotonic={offset}"]
    if subprocess.run([*shifted, "true"], capture_output=True).returncode:
        pytest.skip("no time namespaces here")
    daemon.service("a", sh("setsid " + sh("sleep 1001 & exec sleep 1002") + " & exec sleep 1003"))
    daemon.service("late", sh(f"trap 'setsid {SLEEP} & sleep 0.2; exit 0' TERM; sleep 1004 & while :; do wait; done"),
                   shutdown_timeout=2)
    daemon.start(argv=["/bin/sh", "-c", 'exec "$@"', "sh", *shifted, *daemon.arguments()])
    wait_until(lambda: len(daemon.procs()) == 5)
    daemon.ok("stop", "a", "late")
    assert daemon.procs() == []


# -- many clients ------------------------------------------------------------------------------


class Hammer:
    """A client that does not wait: ten commands a second down one connection, the answers as they come."""
    METHODS = ["service_start", "service_stop", "service_restart", "service_kill", "service_status", "service_forget",
               "service_monitor"]
    ALLOWED = {"service_kill": {IS_DOWN, NOT_FOUND}, "service_forget": {IS_UP, NOT_FOUND},
               "service_monitor": {ALREADY_MONITORED}}

    def __init__(self, daemon, names, seed):
        self.daemon, self.names, self.choose = daemon, names, random.Random(seed)
        self.connection = daemon.connect()
        self.sent, self.faults, self.buffer = {}, [], b""
        self.answered = 0

    def command(self):
        method = self.choose.choice(self.METHODS)
        params = [self.choose.choice(self.names)]
        if method == "service_kill":
            params.append(self.choose.choice(["SIGKILL", "SIGTERM", "SIGUSR1"]))
        request = self.daemon.request(method, params)
        self.sent[json.loads(request)["id"]] = method, params
        self.connection.sendall(request)

    def read(self):
        self.buffer += self.connection.recv(1 << 16)
        *lines, self.buffer = self.buffer.split(b"\n")
        for line in lines:
            reply = json.loads(line)
            method, params = self.sent.pop(reply["id"])
            self.answered += 1
            if "error" in reply and reply["error"]["code"] not in self.ALLOWED.get(method, {NOT_FOUND}):
                self.faults.append((method, params, reply["error"]))

    def run(self, seconds):
        try:
            for _ in ticks(seconds, 0.1):
                self.command()
                while select.select([self.connection], [], [], 0)[0]:
                    self.read()
            while self.sent:
                self.read()
        except Exception as error:
            self.faults.append(repr(error))
        self.connection.close()


def test_twenty_clients_and_services_of_every_kind(daemon):
    """200 commands a second for a minute, then the table is right, and there is no process that no service has."""
    kinds = [dict(exec=SLEEP),
             dict(exec=sh("setsid sleep 1001 & sleep 1001 & exec sleep 1000"), kill="tree", shutdown_timeout=2),
             dict(exec=sh("(setsid sleep 1001 &); exec sleep 1000"), kill="tree", shutdown_timeout=2),
             dict(exec=sh("trap '' TERM; exec sleep 1000"), shutdown_timeout=1),
             dict(exec=SLEEP, test="true"),
             dict(exec=sh("sleep 0.2; exit 0"), oneshot=True),
             dict(exec=sh("sleep 0.3; exit 1")),
             dict(exec=SLEEP, after=["s00"]),
             dict(exec="/no/such/program"),
             dict(exec=SLEEP, log="none")]
    names = [f"s{number:02}" for number in range(100)]
    for number, name in enumerate(names):
        daemon.service(name, **kinds[number % len(kinds)])
    daemon.start(beside=True)
    daemon.wait_state("s00", "Running")
    seconds = 10 if SANITIZED else 60
    clients = [Hammer(daemon, names, seed) for seed in range(20)]
    threads = [threading.Thread(target=client.run, args=(seconds,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [client.faults for client in clients if client.faults] == []
    assert sum(client.answered for client in clients) > 100 * seconds
    for name in names:
        if name not in daemon.list():
            daemon.rpc("service_monitor", [name])
        daemon.rpc("service_start", [name])
    for number, name in enumerate(names):
        state = {5: "Success", 6: r"Error\(.*|Running", 8: "Failure"}.get(number % len(kinds), "Running")
        assert daemon.wait_state(name, state)["target"] == "Up"
    wait_until(lambda: daemon.count(SLEEP) == 70 and daemon.count("sleep 1001") == 30)
    leaders = {daemon.status(name)["pid"] for number, name in enumerate(names) if number % 10 not in (5, 6, 8)}
    assert leaders == {process.inner for process in daemon.procs() if process.command == SLEEP}
    daemon.ok("stop", *names)
    assert daemon.procs() == [] and daemon.zombies() == []
    daemon.ok("forget", *names)
    assert daemon.list() == {}
    daemon.stop()


def test_a_stop_that_meets_a_process_on_its_way_into_its_own_session(daemon):
    """Nobody here ignores SIGTERM, so nobody may have to be killed after the grace."""
    names = [f"s{number:02}" for number in range(12)]
    for name in names:
        daemon.service(name, sh("setsid sleep 1001 & sleep 1001 & exec sleep 1000"), shutdown_timeout=3)
    daemon.service("detached", sh("(setsid sleep 1002 &); exec sleep 1000"))
    daemon.start()
    end = time.monotonic() + 6

    def client(seed):
        choose = random.Random(seed)
        while time.monotonic() < end:
            daemon.rpc(choose.choice(["service_start", "service_stop", "service_restart"]), [choose.choice(names)])

    clients = [threading.Thread(target=client, args=(seed,)) for seed in range(10)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    assert [line for line in daemon.own_log() if "killed" in line] == []


# -- thin kernels ------------------------------------------------------------------------------

NEW_CALLS = ["pidfd_open", "pidfd_send_signal", "clone3", "close_range", "openat2", "statx", "memfd_create",
             "epoll_pwait2", "signalfd4", "pipe2", "dup3", "accept4"]
SAID = ["signalfd4", "pipe2", "dup3", "pidfd_open", "pidfd_send_signal", "close_range", "epoll_pwait2"]
OTHERS = ["timerfd_create", "getrandom", "inotify_init1", "renameat2"]


@pytest.mark.skipif(SANITIZED, reason="a sanitizer needs some of them")
@pytest.mark.parametrize("missing", [NEW_CALLS + OTHERS, NEW_CALLS, ["pidfd_open"], ["pidfd_send_signal"],
                                     ["close_range"], ["epoll_pwait2"], ["signalfd4"], ["pipe2", "dup3"]],
                         ids=["all", "new", "open", "send", "range", "wait", "signals", "pipes"])
def test_system_calls_that_old_kernels_lack(daemon, tmp_path, missing):
    trace = daemon.path("trace")
    daemon.service("one", sh(f"echo one >> {trace}"), oneshot=True)
    daemon.service("a", sh(f"echo a >> {trace}; echo hello; setsid sleep 1001 & trap 'sleep 0.2; exit 0' TERM; "
                           "sleep 1002 & while :; do wait; done"), after=["one"], test=f"grep -qx a {trace}")
    daemon.service("deaf", sh(f"echo deaf >> {trace}; trap '' TERM; setsid sleep 1003 & exec sleep 1004"), after=["a"],
                   shutdown_timeout=1)
    daemon.service("d", sh("(setsid sleep 1005 &); exec sleep 1006"), kill="tree", log="none")
    argv = daemon.arguments()
    leak = os.open("/dev/null", os.O_RDONLY)
    try:
        daemon.start(argv=[compiled("thin", tmp_path), ",".join(missing), *argv], beside=True, pass_fds=[leak])
    finally:
        os.close(leak)
    wait_until(lambda: daemon.commands()[-6:] == [f"sleep {n}" for n in range(1001, 1007)])
    assert lines_of(trace) == ["one", "a", "deaf"]
    wait_until(lambda: "[+] a: hello" in daemon.log("a"))
    said = [line for line in daemon.own_log() if "this kernel has no" in line]
    assert len(said) == 1 and all(name in said[0] for name in SAID if name in missing), said
    assert not any(name in said[0] for name in SAID if name not in missing), said
    assert sorted(os.listdir(f"/proc/{daemon.leader('d')}/fd")) == ["0", "1", "2"]
    if configured("FILES"):
        assert daemon.rpc("service_get", ["a"])["after"] == ["one"]
    pid = daemon.status("a")["pid"]
    daemon.ok("restart", "a")
    assert daemon.wait_state("a", "Running")["pid"] != pid
    daemon.ok("stop", "deaf")
    daemon.ok("stop", "d")
    wait_until(lambda: [daemon.count(f"sleep {n}") for n in range(1001, 1007)] == [1, 1, 0, 0, 0, 0])
    daemon.ok("kill", "a", "KILL")
    daemon.wait_state("a", lambda status: status["pid"] not in (0, pid) and status["state"] == "Running")
    daemon.stop()
