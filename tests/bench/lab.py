"""The laboratory of run.py: processes and what they cost, the board on which
services leave their start times, and how each supervisor is told to run N
services. Whatever is started here is ended by sweep(), whoever lost it.
"""
import ctypes
import fcntl
import json
import mmap
import os
import resource
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
ZINIT = os.path.abspath(os.environ.get("ZINIT") or os.path.join(REPO, "build", "zinit"))
BIN = os.path.abspath(os.environ.get("BENCH_BIN") or os.path.join(REPO, "build", "tests", "bench"))
SLOTS = 4096  # as in board.h
PEERS = {"runit": "runsvdir", "s6": "s6-svscan", "supervisord": "supervisord"}
NULL = subprocess.DEVNULL
TMP = ""  # between opened() and closed()


class CannotMeasure(Exception):
    """This figure could not be had; the message says why."""


def opened():
    """From here on nothing that is started below can get away from sweep()."""
    global TMP
    lock = os.open(HERE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("# waits for another bench of this tree: two at once would measure each other", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # for the peers: 1000 services want many
    TMP = tempfile.mkdtemp(prefix="zinit-bench-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)


def closed():
    sweep()
    shutil.rmtree(TMP, ignore_errors=True)


# ---------------------------------------------------------------- processes

def descendants(root):
    """Every process below root, by pid: (name, parent)."""
    table = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", errors="replace") as f:
                    stat = f.read()
            except OSError:
                continue
            name = stat[stat.index("(") + 1:stat.rindex(")")]
            table[int(entry)] = (name, int(stat[stat.rindex(")") + 2:].split()[1]))
    found, todo = {}, [root]
    while todo:
        parent = todo.pop()
        for pid, (name, ppid) in table.items():
            if ppid == parent and pid not in found:
                found[pid] = (name, ppid)
                todo.append(pid)
    return found


def named(name):
    """How many processes have this name."""
    return sum(1 for found, _ in descendants(0).values() if found == name)


def sweep():
    """Ends everything below this process (it is a subreaper: nothing escapes upward)."""
    for _ in range(50):
        left = descendants(os.getpid())
        if not left:
            return
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        time.sleep(0.02)


def until(what, condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise CannotMeasure(f"{what}: not within {seconds} s")
        time.sleep(0.005)


def cpu_ns(pid):
    with open(f"/proc/{pid}/schedstat") as f:
        return int(f.read().split()[0])


def private_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return sum(int(line.split()[1]) for line in f if line.startswith(("Private_Clean:", "Private_Dirty:")))


def switches(pid):
    with open(f"/proc/{pid}/status") as f:
        return sum(int(line.split()[1]) for line in f if "ctxt_switches:" in line)


def helper(name):
    """Path of a compiled helper, compiled now where the Makefile has not done it."""
    path, source = os.path.join(BIN, name), os.path.join(HERE, name + ".c")
    sources = [source, os.path.join(HERE, "board.h")]
    if not os.path.exists(path) or any(os.path.getmtime(s) > os.path.getmtime(path) for s in sources):
        os.makedirs(BIN, exist_ok=True)
        cc = os.environ.get("CC", "cc").split()
        # static: the smaller the measured program, the more its starter shows
        for flags in (["-static"], []):
            if subprocess.run(cc + ["-O2", *flags, "-o", path, source], stderr=NULL).returncode == 0:
                break
        else:
            raise CannotMeasure(f"{source} does not compile")
    return path


def others_busy(seconds=0.3):
    """How much of all CPUs is used while nothing of this bench runs, 0 to 1."""
    def sample():
        with open("/proc/stat") as f:
            times = [int(x) for x in f.readline().split()[1:9]]
        return sum(times), times[3] + times[4]
    total, idle = sample()
    time.sleep(seconds)
    total2, idle2 = sample()
    return 1 - (idle2 - idle) / max(1, total2 - total)


class Board:
    """See board.h."""

    def __init__(self):
        self.path = tempfile.mktemp(prefix="board-", dir=TMP)
        with open(self.path, "wb") as f:
            f.truncate(8 + 8 * SLOTS)
        with open(self.path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 0)

    def count(self):
        return struct.unpack_from("=I", self.map, 0)[0]

    def want(self, n):
        struct.pack_into("=I", self.map, 4, n)

    def slots(self, n):
        return struct.unpack_from(f"={n}q", self.map, 8)


# ---------------------------------------------------------------- supervisors: how each is told to run N services

def folder():
    return tempfile.mkdtemp(dir=TMP)


def write(path, text, mode=0o644):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)


def service(program, board, *args):
    """The n-th service's argument vector, as a function of n."""
    return lambda i: [helper(program), board.path, str(i), *args]


class Ours:
    sig = signal.SIGTERM

    def __init__(self, n, argv, chain=False, extra="", lines=None):
        self.dir = folder()
        self.sock = os.path.join(self.dir, "socket")
        config = os.path.join(self.dir, "services")
        os.mkdir(config)
        for i in range(n):
            text = f"exec: {' '.join(argv(i))}\nlog: ring\n" + extra
            if chain and i:
                text += f"after: [s{i - 1}]\n"
            write(os.path.join(config, f"s{i}.yaml"), text)
        self.command = [ZINIT, "-s", self.sock, "init", "--container", "-c", config]
        if lines:
            self.command += ["-b", str(lines)]

    def call(self, method, *params):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(self.sock)
            s.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode())
            answer = b""
            while not answer.endswith(b"\n"):
                piece = s.recv(1 << 20)
                if not piece:
                    raise CannotMeasure(f"{method}: the daemon hung up")
                answer += piece
        answer = json.loads(answer)
        if "result" not in answer:
            raise CannotMeasure(f"{method}: {answer.get('error')}")
        return answer["result"]


class Floor:
    sig = signal.SIGTERM

    def __init__(self, n, argv, step=False):
        self.command = [helper("floor"), argv(0)[1], str(n), argv(0)[0]] + (["step"] if step else [])


class Scanned:
    """runit and s6: a folder for each service with an executable `run`."""

    def __init__(self, n, argv):
        self.dir = folder()
        self.services = [os.path.join(self.dir, f"s{i}") for i in range(n)]
        for i, path in enumerate(self.services):
            os.mkdir(path)
            write(os.path.join(path, "run"), "#!" + " ".join(argv(i)) + "\n", 0o755)


class Runit(Scanned):
    sig = signal.SIGHUP  # ends its services too; SIGTERM would leave them

    def __init__(self, n, argv):
        super().__init__(n, argv)
        self.command = ["runsvdir", self.dir]
        self.list = ["sv", "status", *self.services]


class S6(Scanned):
    sig = signal.SIGTERM

    def __init__(self, n, argv):
        super().__init__(n, argv)
        self.command = ["s6-svscan", "-c", "1100", self.dir]
        self.list = ["s6-svstat", self.services[0]]  # it has no command for all


class Supervisord:
    sig = signal.SIGTERM

    def __init__(self, n, argv):
        self.dir = folder()
        conf = os.path.join(self.dir, "conf")
        url = f"{self.dir}/socket"
        text = f"""[supervisord]
nodaemon=true
minfds=8192
logfile=/dev/null
logfile_maxbytes=0
pidfile={self.dir}/pid
[unix_http_server]
file={url}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{url}
"""
        for i in range(n):
            text += f"[program:s{i}]\ncommand={' '.join(argv(i))}\nstartsecs=0\n"
            text += "stdout_logfile=NONE\nstderr_logfile=NONE\n"
        write(conf, text)
        self.command = ["supervisord", "-c", conf]
        self.list = ["supervisorctl", "-c", conf, "status"]


def peers():
    return [p for p in PEERS if shutil.which(PEERS[p])]


class Running:
    """with Running(supervisor, board, n) as pid: all n services have come up."""

    def __init__(self, supervisor, board, n, settle=0.3):
        self.supervisor, self.board, self.n, self.settle = supervisor, board, n, settle

    def __enter__(self):
        self.board.want(self.n)
        self.process = subprocess.Popen(self.supervisor.command, stdin=NULL, stdout=NULL, stderr=NULL,
                                        start_new_session=True)
        until(f"{self.n} services of {self.supervisor.command[0]}", lambda: self.board.count() >= self.n)
        time.sleep(self.settle)
        return self.process.pid

    def __exit__(self, *_):
        self.process.send_signal(self.supervisor.sig)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        sweep()


def output(command):
    done = subprocess.run(command, stdin=NULL, text=True, capture_output=True, timeout=60)
    if done.returncode:
        raise CannotMeasure(f"{os.path.basename(command[0])}: {done.stderr.strip() or done.returncode}")
    return done
