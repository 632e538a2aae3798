"""Stop and shutdown where it gets tight: recycled pids, fork bombs, long graces, and process 1 of a machine."""
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest
from zinit import (PATIENCE, SANITIZED, SHUTTING_DOWN, ZINIT, RpcError, configured, holds, lines_of, look, needs, sh, wait_until)

SLEEP = "sleep 1000"
BY_KILL = r"Error\(Signaled\(Pid\(\d+\), SIGKILL, false\)\)"


def compiled(name, folder, *flags):
    """The program, or shared object, made of NAME.c beside this file."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        pytest.skip("needs a C compiler")
    out = folder / name
    source = pathlib.Path(__file__).with_name(f"{name}.c")
    subprocess.run([compiler, "-O1", *flags, "-o", out, source, "-ldl"], check=True)
    return str(out)


@pytest.fixture(scope="module")
def forks(tmp_path_factory):
    return compiled("forks", tmp_path_factory.mktemp("forks"))


def on_term(action):
    """A program that does ACTION at SIGTERM; it is ready when it has a child."""
    return sh(f"trap '{action}' TERM; sleep 1000 & while :; do wait; done")


_own_limit = []


def has_own_pid_max():
    """Is pid_max one of the PID namespace (Linux 6.14)? Elsewhere it must not be touched."""
    if not _own_limit:
        version = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2]))
        _own_limit.append(os.geteuid() == 0 and version >= (6, 14))
    return _own_limit[0]


def few_pids(daemon, most):
    """The command line of the daemon in a namespace that recycles the numbers from 300 to MOST."""
    if not has_own_pid_max():
        pytest.skip("needs root, and a kernel where each PID namespace has a pid_max")
    burn = "i=0; while [ $i -lt 310 ]; do /bin/true; i=$((i+1)); done"
    return ["/bin/sh", "-c", f'echo {most} >/proc/sys/kernel/pid_max && {burn}; exec "$@"', "sh", *daemon.arguments()]


# -- no stranger is signalled ------------------------------------------------------------------

# Takes the numbers $@, one after the other, for processes that stay.
TAKE = """
for number; do
    got=0
    while [ $got != $number ]; do
        setsid $CLEAR /bin/sh -c 'test $$ = $0 || exit 0; exec sleep 1002' $number &
        got=$!
        [ $got = $number ] || wait $got
    done
done
"""


@pytest.mark.parametrize("stranger", ["of a service", "of nobody"])
def test_who_takes_the_number_of_a_member_is_left_alone(daemon, stranger):
    deaf = "setsid " + sh("trap '' TERM; exec sleep 1001")
    daemon.service("a", sh(f"{deaf} & {deaf} & trap 'exit 0' TERM; while :; do wait; done"), shutdown_timeout=4)
    daemon.start(argv=few_pids(daemon, 360))
    wait_until(lambda: daemon.count("sleep 1001") == 2)
    leader = daemon.status("a")["pid"]
    first, second = sorted(process.inner for process in daemon.procs() if process.command == "sleep 1001")
    stop = daemon.popen("stop", "a")
    daemon.wait_state("a", lambda status: status["pid"] == 0)
    os.kill(daemon.outer(first), signal.SIGKILL)
    take = daemon.dir / "take"
    take.write_text(TAKE.replace("$CLEAR", "env -i" if stranger == "of nobody" else ""))
    if stranger == "of nobody":
        daemon.service("s", f"sh {take} {leader} {first}", oneshot=True)
    else:
        daemon.service("s", sh(f". {take}; exec sleep 1003"))
        take.write_text(f"set -- {leader} {first}\n" + take.read_text())
    daemon.ok("monitor", "s")

    def strangers():
        return sorted(process.inner for process in daemon.procs() if process.command == "sleep 1002")

    wait_until(lambda: strangers() == sorted([leader, first]))
    assert stop.poll() is None and daemon.count("sleep 1001") == 1, "the numbers were taken too late to mean anything"
    assert stop.communicate() == (b"", b"") and stop.returncode == 0
    assert daemon.count("sleep 1001") == 0
    holds(lambda: strangers() == sorted([leader, first]), 0.5)
    daemon.ok("stop", "a")
    daemon.rpc("service_start", ["a"])
    wait_until(lambda: daemon.count("sleep 1001") == 2)
    daemon.rpc("service_stop", {"name": "a", "wait": False})
    holds(lambda: strangers() == sorted([leader, first]), 0.5)


def test_churn_among_few_numbers_harms_no_bystander(daemon):
    for number in range(4):
        daemon.service(f"by{number}", sh("setsid sleep 1001 & exec sleep 1002"))
        daemon.service(f"churn{number}", sh("(setsid sleep 999 &); setsid sleep 999 & sleep 999 & sleep 0.05; wait"),
                       kill="tree" if number % 2 else "attached", shutdown_timeout=2)
    daemon.start(argv=few_pids(daemon, 360))
    wait_until(lambda: daemon.count("sleep 1001") == daemon.count("sleep 1002") == 4)

    def bystanders():
        return sorted(process.pid for process in daemon.procs() if process.command in ("sleep 1001", "sleep 1002"))

    before, seen, highest = bystanders(), set(), 0
    for _ in range(12):
        for number in range(4):
            daemon.rpc("service_restart", [f"churn{number}"])
        numbers = [daemon.status(f"churn{number}")["pid"] for number in range(4)]
        seen.update(numbers)
        highest = max(highest, *numbers)
        assert bystanders() == before
    daemon.rpc("service_stop", ["churn0"])
    assert bystanders() == before and highest < 360
    assert min(numbers) < highest or len(seen) < 48, "no number was used twice"
    for number in (1, 3):
        daemon.rpc("service_stop", [f"churn{number}"])


# -- fork bombs --------------------------------------------------------------------------------


@pytest.mark.parametrize("words, kill", [("", "attached"), ("session", "attached"), ("session deaf", "attached"),
                                         ("daemon", "tree"), ("daemon deaf", "tree")])
def test_a_fork_bomb_of_500_ends(daemon, forks, words, kill):
    daemon.service("other", SLEEP)
    daemon.service("bomb", f"{forks} bomb {words}", kill=kill, shutdown_timeout=1, after=["other"])  # which leaves no room
    daemon.start(argv=few_pids(daemon, 820))
    wait_until(lambda: len(daemon.procs()) >= 490)
    other = daemon.wait_state("other", "Running")["pid"]
    daemon.ok("stop", "bomb")
    assert daemon.commands() == [SLEEP]
    assert daemon.status("other")["pid"] == other
    holds(lambda: daemon.commands() == [SLEEP], 0.2)


def test_generations_whose_numbers_descend(daemon, forks):
    """Whose a process is does not depend on the order in which parents and children are met."""
    if os.geteuid() != 0:
        pytest.skip("needs root: the next number is chosen")
    daemon.service("a", sh(f"echo 20000 >/proc/sys/kernel/ns_last_pid; {forks} chain 100 & wait"))
    daemon.service("other", SLEEP)
    daemon.start()
    wait_until(lambda: any("done" in line for line in daemon.log("a")))
    numbers = [process.inner for process in daemon.procs() if process.command.startswith(forks)]
    assert len(numbers) == 101 and numbers == sorted(numbers, reverse=True)
    if configured("STATS"):
        assert len(daemon.rpc("service_stats", ["a"])["children"]) == 101
    daemon.ok("stop", "a")
    assert daemon.commands() == [SLEEP]


# -- who lives on, and how long ----------------------------------------------------------------


def test_a_machine_outlives_its_stopped_manager_and_ends_after_all_services(daemon):
    trace = daemon.path("trace")
    vm = sh(f"trap 'echo vm >> {trace}; exit 0' TERM; sleep 1001 & while :; do wait; done")
    daemon.service("manager", sh(f"(setsid {vm} &); exec sleep 999"))
    daemon.service("db", on_term(f"sleep 1; echo db >> {trace}; exit 0"))
    daemon.start(beside=True)
    wait_until(lambda: [daemon.count(f"sleep {n}") for n in (999, 1000, 1001)] == [1, 1, 1])
    machine = sorted(process.pid for process in daemon.procs() if "vm" in process.command or "1001" in process.command)
    daemon.ok("stop", "manager")
    assert daemon.status("manager")["detached"] == 2
    daemon.ok("start", "manager")
    wait_until(lambda: daemon.count("sleep 999") == 1 and daemon.count("sleep 1001") == 2)
    daemon.ok("stop", "manager")
    assert {look(pid) and look(pid).state for pid in machine} <= {"S", "R"}
    daemon.stop()
    assert lines_of(trace) == ["db", "vm", "vm"]


def test_a_worker_that_flushes_gets_the_grace_of_its_service(daemon):
    """The leader ends at once; its worker, in a session of its own, needs 3 of 5 seconds."""
    trace = daemon.path("trace")
    worker = sh(f"trap 'sleep 3; echo flushed >> {trace}; exit 0' TERM; sleep 1000 & while :; do wait; done")
    daemon.service("db", sh(f"setsid {worker} & trap 'exit 0' TERM; while :; do wait; done"), shutdown_timeout=5)
    daemon.start(beside=True)
    wait_until(lambda: daemon.count(SLEEP) == 1)
    daemon.ok("stop", "db")
    assert lines_of(trace) == ["flushed"]
    daemon.ok("start", "db")
    wait_until(lambda: daemon.count(SLEEP) == 1)
    daemon.stop()
    assert lines_of(trace) == ["flushed"] * 2
    assert not re.search("killed", daemon.output())


def test_a_hundred_do_not_wait_for_a_slow_one_nor_for_each_other(daemon):
    for number in range(100):
        daemon.service(f"s{number}", "sleep 999")
    daemon.service("slow", on_term("sleep 3; exit 0"))
    daemon.start()
    wait_until(lambda: daemon.count("sleep 999") == 100 and daemon.count(SLEEP) == 1)
    daemon.signal(signal.SIGTERM)
    wait_until(lambda: daemon.count("sleep 999") == 0)
    assert daemon.state("slow") == "Running" and daemon.status("slow")["pid"]
    daemon.wait_exit()


# -- shutdown ----------------------------------------------------------------------------------


def code_of(daemon, method, *params):
    try:
        return daemon.rpc(method, list(params))
    except RpcError as error:
        return error.code


def test_orders_that_come_during_a_shutdown(daemon):
    """Everything at once while one service takes 11 s: progress is told every 5 s, and nothing begins again."""
    trace = daemon.path("trace")
    daemon.service("tortoise", on_term(f"sleep 10.6; echo tortoise >> {trace}; exit 0"), shutdown_timeout=20)
    daemon.service("one", sh(f"echo one >> {trace}"), oneshot=True)
    daemon.service("down", SLEEP)
    daemon.service("crash", sh(f"echo crash >> {trace}; exit 1"))
    daemon.start(beside=True)
    wait_until(lambda: daemon.count(SLEEP) == 2 and daemon.state("one") == "Success")
    daemon.ok("stop", "down")
    daemon.wait_state("crash", r"Error\(.*")
    daemon.service("late", SLEEP)
    before = len(daemon.stdout())
    assert daemon.rpc("system_shutdown") is None
    lines = lines_of(trace)
    for name in ("tortoise", "one", "down", "crash"):
        assert code_of(daemon, "service_start", name) == SHUTTING_DOWN, name
        assert code_of(daemon, "service_restart", name) == SHUTTING_DOWN, name
    assert code_of(daemon, "service_monitor", "late") == SHUTTING_DOWN
    assert daemon.rpc("system_shutdown") is None
    assert daemon.rpc("system_reboot") is None
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        daemon.signal(number)
    assert daemon.rpc("service_stop", ["down"]) is None
    assert set(daemon.list()) == {"tortoise", "one", "down", "crash"}
    assert daemon.state("tortoise") == "Running"
    assert daemon.wait_exit() == 0
    assert lines_of(trace) == [*lines, "tortoise"]
    assert lines_of(daemon.path("left")) == []
    left = [int(seconds) for line in daemon.stdout()[before:]
            for seconds in re.findall(r"waits for tortoise \(at most (\d+) s more\)", line)]
    assert len(left) == 2 and left[0] - left[1] == 5, left
    assert sum("shutting down" in line for line in daemon.stdout()[before:]) == 1


@pytest.mark.parametrize("method", ["system_shutdown", "system_reboot", "system.shutdown"])
def test_the_answer_comes_before_the_work_and_a_client_that_leaves_changes_nothing(daemon, method):
    trace = daemon.path("trace")
    daemon.service("slow", on_term(f"sleep 1; echo slow >> {trace}; exit 0"))
    daemon.start(beside=True)
    wait_until(lambda: daemon.count(SLEEP) == 1)
    with daemon.connect() as connection:
        connection.sendall(daemon.request(method))
        if method == "system_shutdown":
            assert b'"result":null' in connection.recv(4096)
            assert lines_of(trace) == [] and daemon.procs()
    assert daemon.wait_exit() == 0
    assert lines_of(trace) == ["slow"]
    assert lines_of(daemon.path("left")) == []


def test_two_unknown_names_do_not_let_a_dependency_end_early(daemon):
    trace = daemon.path("trace")
    for name in ("g1", "g2"):
        daemon.service(name, "true", oneshot=True)
    daemon.service("db", on_term(f"echo db >> {trace}; exit 0"))
    daemon.service("app", on_term(f"sleep 1; echo app >> {trace}; exit 0"), after=["g1", "db", "g2"])
    daemon.start(beside=True)
    wait_until(lambda: daemon.count(SLEEP) == 2)
    daemon.ok("stop", "g1", "g2")
    daemon.ok("forget", "g1", "g2")
    assert sorted(daemon.list()) == ["app", "db"]
    daemon.stop()
    assert lines_of(trace) == ["app", "db"]


def test_a_cycle_ends_in_order_as_far_as_there_is_one(daemon):
    """a and b wait for each other but once ran; top hangs on them, bottom below them."""
    trace = daemon.path("trace")

    def put(name, after):
        pause = "" if name == "bottom" else "sleep 0.5; "
        daemon.service(name, on_term(f"{pause}echo {name} >> {trace}; exit 0"), after=after)

    put("bottom", [])
    put("a", ["bottom"])
    put("b", ["a"])
    put("top", ["b", "nobody"])
    daemon.service("nobody", "true", oneshot=True)
    daemon.start(beside=True)
    wait_until(lambda: daemon.count(SLEEP) == 4)
    daemon.ok("stop", "nobody", "a")
    daemon.ok("forget", "nobody", "a")
    put("a", ["bottom", "b"])
    daemon.ok("monitor", "a")
    wait_until(lambda: daemon.count(SLEEP) == 4)
    (daemon.dir / "trace").unlink()
    daemon.stop()
    order = lines_of(trace)
    # a and b have no order between them; bottom waits for a, which needs it.
    assert order[0] == "top" and sorted(order) == ["a", "b", "bottom", "top"]
    assert order.index("a") < order.index("bottom")


def test_one_that_dies_by_itself_meanwhile_frees_those_below(daemon):
    trace = daemon.path("trace")
    daemon.service("db", on_term(f"echo db >> {trace}; exit 0"))
    daemon.service("app", sh("trap '' TERM; exec sleep 999"), after=["db"], shutdown_timeout=99999999)
    daemon.start(beside=True)
    wait_until(lambda: daemon.count("sleep 999") == daemon.count(SLEEP) == 1)
    app = daemon.leader("app")
    daemon.signal(signal.SIGTERM)
    daemon.wait_state("app", lambda status: status["target"] == "Down")
    holds(lambda: lines_of(trace) == [], 0.3)
    os.kill(app, signal.SIGKILL)
    assert daemon.wait_exit() == 0
    assert lines_of(trace) == ["db"] and lines_of(daemon.path("left")) == []


# -- containers --------------------------------------------------------------------------------


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- 2>&-"])
def test_any_closed_descriptor(daemon, closed):
    daemon.service("a", sh("echo out; exec sleep 1000"))
    daemon.service("b", sh("echo b; exec sleep 1000"), log="stdout")
    daemon.start(argv=["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *daemon.arguments()])
    wait_until(lambda: "[+] a: out" in daemon.log("a"))
    for name in "ab":
        pid = daemon.leader(name)
        assert sorted(os.listdir(f"/proc/{pid}/fd")) == ["0", "1", "2"]
        assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"
    daemon.stop()


HARD = sh("setsid " + sh("trap '' TERM; exec sleep 1001") + " & sleep 1002 & exec sleep 999")


@pytest.mark.parametrize("hidepid", [1, 2, 4])
def test_a_proc_that_hides_others(daemon, hidepid):
    """As an ordinary user in a namespace of which only the own processes can be seen."""
    if os.geteuid() != 0:
        pytest.skip("only root can take another uid")
    os.chown(daemon.dir, 12345, 12345)
    os.chmod(daemon.dir, 0o755)
    daemon.service("a", HARD, shutdown_timeout=1)
    daemon.service("d", sh("(setsid sleep 1003 &); exec sleep 998"), kill="tree")
    user = "setpriv --reuid=12345 --regid=12345 --clear-groups --inh-caps=-all --bounding-set=-all --"
    hide = f'mount -t proc -o hidepid={hidepid} proc /proc && exec {user} "$@"'
    daemon.start(argv=["/bin/sh", "-c", hide, "sh", *daemon.arguments()])
    wait_until(lambda: daemon.commands() == [f"sleep {n}" for n in (1001, 1002, 1003, 998, 999)])
    daemon.ok("stop", "d")
    assert daemon.commands() == ["sleep 1001", "sleep 1002", "sleep 999"]
    daemon.ok("stop", "a")
    assert daemon.procs() == []
    assert re.fullmatch(r"Error\(Signaled\(Pid\(\d+\), SIGTERM, false\)\)", daemon.state("a"))
    daemon.stop()


@pytest.mark.skipif(SANITIZED, reason="a sanitizer needs /proc")
def test_without_proc_groups_are_stopped(daemon):
    daemon.service("a", sh("sleep 1001 & exec sleep 999"))
    daemon.service("deaf", sh("trap '' TERM; sleep 1002 & exec sleep 998"), shutdown_timeout=1)
    daemon.service("gone", sh("exit 1"))
    daemon.start(argv=["/bin/sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh", *daemon.arguments()])
    wait_until(lambda: daemon.commands() == ["sleep 1001", "sleep 1002", "sleep 998", "sleep 999"])
    daemon.wait_state("gone", r"Error\(.*")
    daemon.ok("stop", "a", "deaf")
    assert daemon.procs() == []
    assert re.fullmatch(BY_KILL, daemon.state("deaf"))
    daemon.ok("restart", "a")
    wait_until(lambda: daemon.commands() == ["sleep 1001", "sleep 999"])
    daemon.stop()


def test_a_terminal_and_its_keys_reach_the_daemon_only(daemon):
    trace = daemon.path("trace")
    daemon.service("a", sh(f"for s in INT HUP QUIT TERM; do trap \"echo $s >> {trace}; exit 0\" $s; done; "
                           "(exec sleep 1000) & while :; do wait; done"))
    daemon.service("p", sh("echo says p; (true </dev/tty) 2>/dev/null && echo HAS; exec sleep 999"), log="stdout")
    master, slave = os.openpty()
    with os.fdopen(master, "r+b", buffering=0) as keys:
        name = os.ttyname(slave)
        os.close(slave)
        on_it = 'exec setsid --ctty sh -c \'stty tostop; exec "$@"\' sh "$@" <"$0" >"$0" 2>&1'
        daemon.start(argv=["/bin/sh", "-c", on_it, name, *daemon.arguments()])
        wait_until(lambda: daemon.count(SLEEP) == 1 and daemon.count("sleep 999") == 1)
        assert {process.state for process in daemon.procs()} <= {"S", "R"}
        keys.write(b"\x03")
        assert daemon.wait_exit() == 0
        shown = b""
        try:
            while more := keys.read(4096):
                shown += more
        except OSError:
            pass
    assert b"says p" in shown and b"HAS" not in shown
    assert lines_of(trace) == ["TERM"]


# -- process 1 of a machine, in a namespace ----------------------------------------------------

# Everything below happens in new namespaces of all kinds, the user's among them, so that the kernel itself
# refuses whatever would reach the machine: no file system that is not of this namespace can be remounted,
# and reboot(2) ends the PID namespace only. The root is a tmpfs of its own; what it takes from outside are
# bind mounts. $1: the folder of the test, $2: the program under test, then the command.
MACHINE = """
set -e
here=$1 zinit=$2
shift 2
test "$(id -u)" = 0 && test $$ = 1
root=$here/root
mkdir $root
mount -t tmpfs root $root
for dir in bin sbin lib lib32 lib64 usr; do
    test -e /$dir || continue
    mkdir $root/$dir
    mount --rbind /$dir $root/$dir
done
mkdir -p $root/etc $root/dev $root/proc $root/sys $root/run $root/tmp $root/old $root$here $root$(dirname $zinit)
mount --bind $here $root$here
mount --bind $(dirname $zinit) $root$(dirname $zinit)
mount -t proc proc $root/proc
cp /etc/ld.so.cache $root/etc
cp -RP /etc/alternatives $root/etc
echo inside >$root/etc/hostname
touch $root/dev/null
mount --bind /dev/null $root/dev/null
cd $root
pivot_root . old
umount -l /old
exec "$@"
"""
SPACES = ["--user", "--map-root-user", "--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--kill-child"]


@pytest.fixture(scope="module")
def machine_namespaces():
    script = (f"test $(readlink /proc/self/ns/user) != '{os.readlink('/proc/self/ns/user')}' && "
              "mount -t tmpfs none /mnt && mkdir /mnt/a && cd /mnt && pivot_root . a")
    done = subprocess.run(["unshare", *SPACES, "sh", "-c", script], capture_output=True)
    if done.returncode:
        pytest.skip(f"no user namespace that can have mounts of its own: {done.stderr.decode().strip()}")


def boot(daemon, **env):
    """Starts the daemon as process 1 of a machine that does not exist."""
    needs("APPLET_INIT", "init")
    needs("PID1", "process 1 of a machine")
    command = ["unshare", *SPACES, "sh", "-c", MACHINE, "sh", str(daemon.dir), ZINIT,
               ZINIT, "-s", daemon.socket, "init", "--machine", "-c", str(daemon.config)]
    with open(daemon.path("stdout"), "ab") as out:
        daemon.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                          env={**os.environ, **env}, start_new_session=True)
    daemon.beside = False
    wait_until(lambda: daemon.process.poll() is not None or daemon.answers(), what="the machine answers")
    assert daemon.process.poll() is None, f"it ended with {daemon.process.returncode}"
    assert daemon.find()
    # A machine never exits, so close() does not apply: the test ends it, or abandon() does.
    daemon.ended = True


HALTS, RESTARTS = -signal.SIGINT, -signal.SIGHUP


@pytest.mark.parametrize("how, code", [(signal.SIGTERM, RESTARTS), (signal.SIGINT, RESTARTS), (signal.SIGUSR1, HALTS),
                                       (signal.SIGUSR2, HALTS), (signal.SIGPWR, HALTS), ("system_shutdown", HALTS),
                                       ("system_reboot", RESTARTS)])
def test_the_end_of_a_machine(daemon, machine_namespaces, how, code):
    trace = daemon.path("trace")
    mounts = {line for line in lines_of("/proc/self/mountinfo") if "slowfs" not in line}  # another test's
    host = os.uname().nodename
    daemon.service("a", on_term(f"echo a >> {trace}; exit 0"))
    daemon.service("b", on_term(f"sleep 1; echo b >> {trace}; exit 0"), after=["a"])
    daemon.service("name", sh(f"cat /proc/sys/kernel/hostname > {daemon.path('name')}"), oneshot=True)
    boot(daemon)
    wait_until(lambda: daemon.count(SLEEP) == 2 and daemon.state("name") == "Success")
    for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGALRM):
        daemon.signal(number)
    assert daemon.state("b") == "Running"
    if isinstance(how, str):
        assert daemon.rpc(how) is None
    else:
        daemon.signal(how)
    daemon.wait_state("b", lambda status: status["target"] == "Down")
    # What comes second changes neither the order nor the end.
    daemon.signal(signal.SIGUSR1 if code == RESTARTS else signal.SIGTERM)
    assert code_of(daemon, "service_start", "a") == SHUTTING_DOWN
    assert daemon.process.wait(PATIENCE) == code
    assert lines_of(trace) == ["b", "a"]
    assert lines_of(daemon.path("name")) == ["inside" if configured("PID1_NAMES") else host]
    assert mounts <= set(lines_of("/proc/self/mountinfo")) and os.uname().nodename == host


def test_a_machine_ends_what_belongs_to_nobody(daemon, machine_namespaces):
    daemon.service("a", sh("(setsid env -i /bin/sh -c \"trap '' TERM; exec sleep 1001\" &); exec sleep 999"))
    boot(daemon)
    wait_until(lambda: daemon.commands() == ["sleep 1001", "sleep 999"])
    left = [process.pid for process in daemon.procs()]
    daemon.signal(signal.SIGUSR2)
    assert daemon.process.wait(PATIENCE) == HALTS
    assert [pid for pid in left if look(pid)] == []


@pytest.mark.skipif(SANITIZED, reason="a sanitizer must be loaded first")
@pytest.mark.skipif(b"ld-linux" not in pathlib.Path(ZINIT).read_bytes(), reason="needs the GNU C library, shared")
def test_a_dead_disk_does_not_keep_a_machine_from_its_end(daemon, machine_namespaces):
    needs("PID1_MOUNTS", "mounting /run")
    needs("PID1_UNMOUNT", "unmounting at the end")
    daemon.service("a", SLEEP)
    boot(daemon, LD_PRELOAD=compiled("deaddisk", daemon.dir, "-shared", "-fPIC"))
    daemon.wait_state("a", "Running")
    daemon.signal(signal.SIGTERM)
    assert daemon.process.wait(PATIENCE) == RESTARTS
    output = daemon.output()
    assert "writing to disks: still waiting" in output and output.count("writing to disks: no answer from a disk") == 2
    assert "/run: no answer from a disk" in output


def test_machine_is_for_process_1_only(daemon):
    daemon.launch(beside=True, argv=[ZINIT, "-s", daemon.socket, "init", "--machine", "-c", str(daemon.config)])
    assert daemon.wait_exit() == 1
    assert "--machine is for process 1 only" in daemon.output()
