#!/usr/bin/env python3
"""make bench: how fast and how small, each figure beside a floor of this run.

    run.py [NAME...]    boot chain down memory idle list ring ticks react rpc http tls; all without NAME

An absolute time says more about the machine than about the program. So every
figure stands beside a floor or a reference that ran in turn with it, medians of
several rounds, and the bounds (wanted) are ratios wherever that is possible.
Other supervisors stand in columns of their own where they are installed.

Environment: ZINIT = the binary, BENCH_BIN = the folder of the compiled helpers
(a missing or stale one is compiled here). Exit code 1 only if something could
not be measured: a bound that is missed is a line of the table.
"""
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True  # of lab: nothing is left in the tree
import lab  # noqa: E402
from lab import (  # noqa: E402
    NULL, PEERS, Board, CannotMeasure, Floor, Ours, Running, S6, Runit, Supervisord, cpu_ns, descendants, folder,
    helper, output, peers, private_kib, service, sweep, switches, until, write)

PEER_CLASS = {"runit": Runit, "s6": S6, "supervisord": Supervisord}

# ---------------------------------------------------------------- the table

COLUMNS = (("figure", 45), ("ours", 12), ("floor", 12), ("ratio", 7), ("wanted", 9), ("", 5),
           ("runit", 11), ("s6", 11), ("supervisord", 11))


def table_line(cells):
    padded = [f"{cell:>{width}}" for cell, (_, width) in zip(cells, COLUMNS)]
    padded[0] = f"{cells[0]:<{COLUMNS[0][1]}}"
    print("  ".join(padded).rstrip(), flush=True)


def row(figure, ours, floor="", ratio=None, wanted="", ok=None, peers=None):
    peers = peers or {}
    table_line([figure, ours, floor, "" if ratio is None else f"{ratio:.2f}x", wanted,
                "" if ok is None else "ok" if ok else "OVER"] + [peers.get(p, "-") for p in PEERS])


def ms(ns):
    return f"{ns / 1e6:.2f} ms"


def us(ns):
    return f"{ns / 1e3:.1f} us"


def ratio_row(figure, ours, floor, bound, unit=ms, peers=None):
    ratio = ours / floor
    row(figure, unit(ours), unit(floor), ratio, f"<= {bound}x" if bound else "", ratio <= bound if bound else None,
        {p: unit(v) for p, v in (peers or {}).items()})


# ---------------------------------------------------------------- boot, chain, down

def clock(make, n):
    """One life of a supervisor: (up, down, the services' start times)."""
    board = Board()
    s = make(n, service("up", board))
    # a file, not a pipe: who fails may leave services behind that hold a pipe open
    with tempfile.TemporaryFile("w+", dir=lab.TMP) as said:
        code = subprocess.run([helper("clock"), board.path, str(n), str(int(s.sig)), "30", *s.command],
                              stdin=NULL, stdout=NULL, stderr=said).returncode
        said.seek(0)
        text = said.read()
    figures = re.findall(r"^clock: (\d+) (\d+)$", text, re.M)
    if code or not figures:
        sweep()
        raise CannotMeasure(f"{os.path.basename(s.command[0])}, N={n}: exit {code} {text.strip()[-200:]}")
    times = board.slots(n)
    os.unlink(board.path)
    if hasattr(s, "dir"):
        shutil.rmtree(s.dir, ignore_errors=True)
    return int(figures[-1][0]), int(figures[-1][1]), times


def in_turn(makers, n, rounds):
    """{name: ([up], [down], [hop])}, every round running each once."""
    got = {name: ([], [], []) for name in makers}
    for _ in range(rounds):
        for name, make in makers.items():
            up, down, times = clock(make, n)
            got[name][0].append(up)
            got[name][1].append(down)
            got[name][2].append((max(times) - min(times)) / (n - 1))
    return {name: [statistics.median(x) for x in v] for name, v in got.items()}


LIVES = {}


def lives(n):
    """Boot and down come from the same runs."""
    if n not in LIVES:
        got = in_turn({"ours": Ours, "floor": Floor}, n, 9 if n <= 100 else 7)
        for peer in peers():
            try:
                got.update(in_turn({peer: PEER_CLASS[peer]}, n, 3 if n <= 100 else 1))
            except CannotMeasure as why:
                print(f"# {peer}: {why}", file=sys.stderr)
        LIVES[n] = got
    return LIVES[n]


def bench_boot():
    for n in (100, 1000):
        got = lives(n)
        ratio_row(f"boot, N={n}: exec of init until the last is up", got["ours"][0], got["floor"][0], 1.10,
                  peers={p: got[p][0] for p in peers() if p in got})


def bench_down():
    for n in (100, 1000):
        got = lives(n)
        ratio_row(f"down, N={n}: SIGTERM until all are gone", got["ours"][1], got["floor"][1], 1.5,
                  peers={p: got[p][1] for p in peers() if p in got})


def bench_chain():
    hops = {}
    for n in (100, 1000):
        got = in_turn({"ours": lambda n, argv: Ours(n, argv, chain=True), "floor": Floor,
                       "step": lambda n, argv: Floor(n, argv, step=True)}, n, 7 if n <= 100 else 5)
        hops[n] = got["ours"][2]
        ratio_row(f"chain of {n} `after`: one hop", got["ours"][2], got["floor"][2], 1.15, us)
        ratio_row("  beside: spawn, await its first instruction", got["ours"][2], got["step"][2], None, us)
    ratio_row("chain: a hop of 1000 beside a hop of 100", hops[1000], hops[100], 1.15, us)


# ---------------------------------------------------------------- memory, idle, list

def own_processes(pid, program):
    """The supervisor and its helpers, without the services themselves."""
    return [pid] + [p for p, (name, _) in descendants(pid).items() if name != program]


def memory_of(make, n):
    board = Board()
    with Running(make(n, service("up", board)), board, n, settle=1) as pid:
        return sum(private_kib(p) for p in own_processes(pid, "up"))


def bench_memory():
    other = {p: (memory_of(PEER_CLASS[p], 1), memory_of(PEER_CLASS[p], 101)) for p in peers()}
    if others := lab.named("zinit"):
        print(f"# memory: {others} other processes named zinit run: pages shared with them are not counted", flush=True)
    for lines, note in ((None, "with its lines"), (1, "lines apart (-b 1)")):
        one, hundred, thousand = (memory_of(lambda n, argv: Ours(n, argv, lines=lines), n) for n in (1, 101, 1001))
        if lines is None:
            row("private memory, 1 service", f"{one} KiB", wanted="<= 400", ok=one <= 400,
                peers={p: f"{v[0]} KiB" for p, v in other.items()})
        for n, total in ((100, hundred), (1000, thousand)):
            slope = (total - one) / n
            row(f"  each further one of {n}, {note}", f"{slope:.2f} KiB", wanted="<= 1.0" if lines else "",
                ok=slope <= 1.0 if lines else None,
                peers={p: f"{(v[1] - v[0]) / 100:.1f} KiB" for p, v in other.items()} if n == 100 else {})


def bench_idle():
    running, counted = [], {}
    try:
        for name, make in [("ours", Ours)] + [(p, PEER_CLASS[p]) for p in peers()]:
            board = Board()
            running.append((name, Running(make(100, service("up", board)), board, 100)))
            running[-1][1].__enter__()
        time.sleep(3)
        pids = {name: own_processes(r.process.pid, "up") for name, r in running}
        before = {name: sum(map(switches, pids[name])) for name in pids}
        time.sleep(10)
        counted = {name: sum(map(switches, pids[name])) - before[name] for name in pids}
    finally:
        for _, r in running:
            r.process.send_signal(r.supervisor.sig)
        for _, r in running:
            r.__exit__()
    row("idle, 100 services: context switches in 10 s", str(counted["ours"]), wanted="0", ok=counted["ours"] == 0,
        peers={p: str(v) for p, v in counted.items()})


def turns(k, a, b):
    done = output([helper("turns"), str(k), *a, "--", *b])
    return [int(x) for x in done.stderr.split()[-2:]]


def bench_list():
    true = shutil.which("true")
    other = {}
    for peer in peers():
        board = Board()
        s = PEER_CLASS[peer](20, service("up", board))
        try:
            with Running(s, board, 20, settle=1):
                other[peer] = turns(5 if peer == "supervisord" else 200, s.list, [true])[0]
        except CannotMeasure as why:
            print(f"# {peer}: {why}", file=sys.stderr)
    board = Board()
    s = Ours(20, service("up", board))
    with Running(s, board, 20):
        ours, floor = turns(500, [lab.ZINIT, "-s", s.sock, "list"], [true])
        ratio_row("list of 20 services, a whole process; true", ours, floor, 1.5, peers=other)
        ours, floor = turns(500, [lab.ZINIT, "--version"], [true])
        ratio_row("  of that: zinit --version", ours, floor, None)


# ---------------------------------------------------------------- the ring

COUNT = 1000000


def piped(reader, chunk):
    """The writer into a reader: (wall of the writer, CPU of the reader)."""
    board = Board()
    read_fd, write_fd = os.pipe()
    r = subprocess.Popen(reader, stdin=read_fd, stdout=NULL, stderr=NULL)
    w = subprocess.Popen([helper("lines"), board.path, str(COUNT), str(chunk)], stdout=write_fd)
    os.close(read_fd)
    os.close(write_fd)
    w.wait()
    _, status, used = os.wait4(r.pid, 0)
    r.returncode = status
    if w.returncode or status:
        raise CannotMeasure(f"lines | {reader[0]}: {w.returncode}, {status}")
    start, end = board.slots(2)
    return end - start, (used.ru_utime + used.ru_stime) * 1e9


def ring_writer(chunk, extra="oneshot: true\n"):
    board = Board()
    return board, Ours(1, lambda i: [helper("lines"), board.path, str(COUNT), str(chunk)], extra=extra)


def numbers(lines, name="s0"):
    """The numbers that the writer gave its lines; None for one that is not whole."""
    prefix = f"[+] {name}: "
    return [int(m.group(1)) if (m := re.fullmatch(r"(\d{8}) x{90}", line[len(prefix):])) else None
            for line in lines if line.startswith(prefix)]


def ring_once(chunk):
    """(wall of the writer, CPU of init), and a look at the kept lines."""
    board, s = ring_writer(chunk)
    with Running(s, board, 2) as pid:
        kept = numbers(s.call("stream_currentLogs", "s0"))
        if not kept or kept[-1] != COUNT - 1 or kept != list(range(kept[0], COUNT)):
            raise CannotMeasure(f"the ring holds {len(kept)} lines, not the last ones: {kept[-3:]}")
        start, end = board.slots(2)
        return end - start, cpu_ns(pid)


def ring_followed():
    """How many of the lines a follower was given, and how many it was told to have missed."""
    board, s = ring_writer(65536, "oneshot: true\nafter: [gate]\n")
    path = os.path.join(s.dir, "followed")
    with Running(s, board, 0) as _, open(path, "wb") as out:
        until("the socket", lambda: os.path.exists(s.sock))
        follower = subprocess.Popen([lab.ZINIT, "-s", s.sock, "log", "s0"], stdin=NULL, stdout=out, stderr=NULL)
        time.sleep(0.3)
        write(os.path.join(s.dir, "services", "gate.yaml"), "exec: true\noneshot: true\n")
        s.call("service_monitor", "gate")
        until("the writer", lambda: board.count() >= 2)
        size = -1
        while size != os.path.getsize(path):
            size = os.path.getsize(path)
            time.sleep(0.3)
        follower.terminate()
        follower.wait()
    with open(path, errors="replace") as f:
        text = f.read().splitlines()
    seen = numbers(text)
    dropped = sum(int(m.group(1)) for line in text if (m := re.fullmatch(r"\[-\] zinit: (\d+) lines dropped", line)))
    broken = sum(x is None for x in seen)
    return len(set(seen) - {None}), dropped, broken


def bench_ring():
    for chunk, name in ((0, "one write a line"), (65536, "64 KiB a write")):
        ours, cat = [], []
        for _ in range(5):
            ours.append(ring_once(chunk))
            cat.append(piped(["cat"], chunk))
        other = {}
        for peer, tool in (("runit", ["svlogd"]), ("s6", ["s6-log", "n2", "s1000000"])):
            if shutil.which(tool[0]):
                other[peer] = [statistics.median(x) for x in zip(*(piped(tool + [folder()], chunk) for _ in range(3)))]
        ours, cat = ([statistics.median(x) for x in zip(*v)] for v in (ours, cat))
        ratio_row(f"ring, 1e6 lines of 100 B, {name}", ours[0], cat[0], 1.2,
                  peers={p: v[0] for p, v in other.items()})
        row("  CPU of the reader, a line", f"{ours[1] / COUNT / 1e3:.3f} us", f"{cat[1] / COUNT / 1e3:.3f} us",
            ours[1] / cat[1], "<= 0.3 us", ours[1] / COUNT <= 300,
            {p: f"{v[1] / COUNT / 1e3:.3f} us" for p, v in other.items()})
    seen, dropped, broken = ring_followed()
    row("  lines followed + told as dropped", f"{seen}+{dropped}", wanted=str(COUNT),
        ok=seen + dropped == COUNT and not broken)


def bench_ticks():
    n, ticks = 1000, 5
    board = Board()
    s = Ours(n, service("tick", board, str(ticks)), lines=4 * n * ticks)
    late, seen, log = [], [], None

    def follow():
        for line in log.stdout:
            arrived = time.time_ns()
            if m := re.match(rb"\[\+\] s(\d+): tick (\d+) (\d+)", line):
                late.append(arrived - int(m.group(3)))

    with Running(s, board, n, settle=0):
        log = subprocess.Popen([lab.ZINIT, "-s", s.sock, "log"], stdin=NULL, stdout=subprocess.PIPE, stderr=NULL)
        thread = threading.Thread(target=follow)
        thread.start()
        time.sleep(ticks + 2.5)
        for line in s.call("stream_currentLogs"):
            if m := re.match(r"\[\+\] (s\d+): tick (\d+) \d+", line):
                seen.append(m.groups())
        log.terminate()
        thread.join()
    row(f"{n} services, {ticks} lines each: lines in the ring", str(len(set(seen))), wanted=str(n * ticks),
        ok=len(seen) == len(set(seen)) == n * ticks)
    if not late:
        raise CannotMeasure("`zinit log` followed no line")
    row("  from its write to a follower: median", ms(statistics.median(late)))
    row("  from its write to a follower: the latest", ms(max(late)), wanted="<= 100 ms", ok=max(late) <= 1e8)


# ---------------------------------------------------------------- reaction

def react(board, times, pause_ms, *how):
    return int(output([helper("react"), board.path, "0", str(times), str(pause_ms), *how]).stdout)


def bench_react():
    other = {}
    for peer in peers():
        if peer != "supervisord":
            board = Board()
            s = PEER_CLASS[peer](1, service("up", board))
            with Running(s, board, 1):
                # both limit starts to one a second: the pause lets that pass where it can
                other[peer] = react(board, 3, 1500, "fifo", s.services[0] + "/supervise/control")
    for n in (1, 100):
        board, floor_board = Board(), Board()
        s = Ours(n, service("up", board))
        with Running(s, board, n):
            ours, floor = [], []
            for _ in range(3):
                ours.append(react(board, 31, 10, "rpc", s.sock, "s0"))
                floor.append(react(floor_board, 31, 10, "fork", helper("up")))
        ours, floor = statistics.median(ours), statistics.median(floor)
        row(f"restart of one of {n}, until its successor runs", ms(ours), ms(floor), ours / floor, "2x/1.5 ms",
            ours <= 2 * floor or ours <= 1.5e6, {p: ms(v) for p, v in other.items()} if n == 1 else {})


# ---------------------------------------------------------------- calls

def call_of(method, *params):
    return lab.json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, separators=(",", ":"))


def talk(pid, sock, count, window, request):
    """(median ns of a turn, ns of CPU the server took for a request, bytes of an answer)."""
    before = cpu_ns(pid)
    said = output([helper("talk"), sock, str(count), str(window), request]).stdout.split()
    return int(said[0]), (cpu_ns(pid) - before) / count, int(said[1])


def conversation(pid, sock, request, count, window):
    """The same of ours and of the echo server, which answers with as many bytes; medians of rounds in turn."""
    size = talk(pid, sock, window, window, request)[2]
    echo_sock = os.path.join(folder(), "socket")
    echo = subprocess.Popen([helper("echo"), echo_sock, str(size)], stdin=NULL)
    until("the echo server", lambda: os.path.exists(echo_sock))
    ours, floor = [], []
    try:
        for _ in range(9):
            ours.append(talk(pid, sock, count, window, request))
            floor.append(talk(echo.pid, echo_sock, count, window, request))
    finally:
        echo.kill()
        echo.wait()
    return [[statistics.median(x) for x in zip(*v)] for v in (ours, floor)]


def bench_rpc():
    board = Board()
    s = Ours(20, service("up", board))
    with Running(s, board, 20) as pid:
        ours, floor = conversation(pid, s.sock, call_of("service_status", "s0"), 5000, 1)
        ratio_row("service_status, one connection: a turn", ours[0], floor[0], 1.2, us)
        ratio_row("  CPU of the server", ours[1], floor[1], 1.5, us)
        ours, floor = conversation(pid, s.sock, call_of("service_status", "s0"), 32000, 16)
        row("  16 in one write: CPU a request", us(ours[1]), us(floor[1]), ours[1] / floor[1], "<= 1.5 us",
            ours[1] <= 1500)
        ours, floor = conversation(pid, s.sock, call_of("service_list"), 5000, 1)
        row("service_list of 20: CPU beyond the echo's", us(ours[1] - floor[1]), us(floor[1]), None, "<= 3 us",
            ours[1] - floor[1] <= 3000)
        before, idle = private_kib(pid), []
        for _ in range(100):
            idle.append(lab.socket.socket(lab.socket.AF_UNIX))
            idle[-1].connect(s.sock)
            idle[-1].sendall(call_of("service_list").encode())
            idle[-1].recv(65536)
        row("100 idle connections, each after one call", f"{private_kib(pid) - before} KiB", wanted="<= 100",
            ok=private_kib(pid) - before <= 100)
        for connection in idle:
            connection.close()
    board = Board()
    s = Ours(1000, service("up", board))
    with Running(s, board, 1000) as pid:
        ours, floor = conversation(pid, s.sock, call_of("service_list"), 500, 1)
        row("service_list of 1000: CPU", us(ours[1]), us(floor[1]), ours[1] / floor[1], "<= 150 us", ours[1] <= 150000)


# ---------------------------------------------------------------- the proxy

POST = """wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"jsonrpc":"2.0","id":1,"method":"service_status","params":["s0"]}'
"""
PIPELINED = POST + """init = function()
    local all = {}
    for i = 1, 16 do all[i] = wrk.format() end
    request = function() return table.concat(all) end
end
"""


def wrk(port, script, pids, seconds=2):
    """(requests a second, ns of CPU that the servers took for one)."""
    before, path = sum(map(cpu_ns, pids)), os.path.join(folder(), "wrk.lua")
    write(path, script)
    said = output(["taskset", "-c", "1", "wrk", "-t1", "-c16", f"-d{seconds}s", "-s", path, f"http://127.0.0.1:{port}/"])
    spent = sum(map(cpu_ns, pids)) - before
    count = int(re.search(r"(\d+) requests in", said.stdout)[1])
    return float(re.search(r"Requests/sec:\s*([\d.]+)", said.stdout)[1]), spent / count


def started(argv):
    """A server pinned to the first core, and its port."""
    server = subprocess.Popen(["taskset", "-c", "0", *argv], stdin=NULL, stdout=subprocess.PIPE, text=True)
    return server, int(re.search(r"(\d+)$", server.stdout.readline().strip())[1])


def post_p99(port, seconds=3):
    """Microseconds, of one client that asks now and then."""
    body, times, end = call_of("service_status", "s0").encode(), [], time.monotonic() + seconds
    request = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    with lab.socket.create_connection(("127.0.0.1", port)) as client:
        while time.monotonic() < end:
            began = time.perf_counter()
            client.sendall(request + body)
            client.recv(65536)
            times.append((time.perf_counter() - began) * 1e6)
            time.sleep(0.002)
    return statistics.quantiles(times, n=100)[98]


def slow_connections(port):
    """One that sends nothing, one that stops in the head, one that stops in the body, and so on."""
    texts = [b"", b"POST / HTTP/1.1\r\nHost: loc", b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
             b"Content-Length: 100\r\n\r\n{"]
    slow = []
    for i in range(200):
        slow.append(lab.socket.create_connection(("127.0.0.1", port)))
        slow[-1].sendall(texts[i % 3])
    return slow


def bench_http():
    if not shutil.which("wrk") or os.cpu_count() < 2:
        raise CannotMeasure("it takes wrk and two cores")
    board = Board()
    s = Ours(20, service("up", board))
    with Running(s, board, 20) as pid:
        os.sched_setaffinity(pid, {0})
        proxy, port = started([lab.ZINIT, "-s", s.sock, "proxy", "-a", "127.0.0.1:0"])
        floor, floor_port = started([helper("httpfloor")])
        try:
            for name, script, bound in (("POST service_status, 16 connections", POST, 1.5), ("  16 pipelined", PIPELINED, 0)):
                ours, bare = [], []
                for _ in range(5):
                    ours.append(wrk(port, script, [pid, proxy.pid]))
                    bare.append(wrk(floor_port, script, [floor.pid]))
                (rate, cpu), (bare_rate, bare_cpu) = [[statistics.median(x) for x in zip(*v)] for v in (ours, bare)]
                if bound:
                    ratio_row(f"{name}: CPU, with init", cpu, bare_cpu, bound, us)
                    row("  a second", f"{rate / 1e3:.1f} k", f"{bare_rate / 1e3:.1f} k", rate / bare_rate, ">= 0.85x",
                        rate / bare_rate >= 0.85)
                else:
                    row(f"{name}: CPU, with init", us(cpu), us(bare_cpu), cpu / bare_cpu, "<= 2.0 us", cpu <= 2000)
            alone = post_p99(port)
            slow = slow_connections(port)
            beside = post_p99(port)
            row("p99 of a client beside 200 slow ones", f"{beside:.0f} us", f"{alone:.0f} us", beside / alone, "<= 2x",
                beside / alone <= 2)
            for connection in slow:
                connection.close()
            idle = [lab.socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
            rss = int(open(f"/proc/{proxy.pid}/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE") // 1024
            row("RSS of the proxy with 100 idle connections", f"{rss} KiB", wanted="<= 3072", ok=rss <= 3072)
            for connection in idle:
                connection.close()
        finally:
            for server in (proxy, floor):
                server.kill()
                server.wait()
                server.stdout.close()


def handshakes(port, pid):
    """ns of CPU that the server takes for a full handshake."""
    before = cpu_ns(pid)
    said = output(["taskset", "-c", "1", "openssl", "s_time", "-connect", f"localhost:{port}", "-new", "-time", "3", "-tls1_2",
                   "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"])
    return (cpu_ns(pid) - before) / int(re.search(r"^(\d+) connections in \d+ real", said.stdout, re.M)[1])


def bench_tls():
    cert, key = os.path.join(folder(), "cert"), os.path.join(folder(), "key")
    bare_program = os.path.join(folder(), "tlsfloor")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tls", "floor.c")
    board = Board()
    s = Ours(1, service("up", board))
    with Running(s, board, 1):
        proxy = subprocess.Popen(["taskset", "-c", "0", lab.ZINIT, "-s", s.sock, "proxy", "-a", "127.0.0.1:0", "--tls-self-signed",
                                  "--tls-cert", cert, "--tls-key", key], stdin=NULL, stdout=subprocess.PIPE, text=True, stderr=NULL)
        if not proxy.stdout.readline():
            proxy.wait()
            proxy.stdout.close()
            print("# tls: this build has none", flush=True)
            return
        port = int(proxy.stdout.readline().rpartition(":")[2])
        servers = [proxy]
        try:
            if subprocess.run(["cc", "-O2", "-o", bare_program, source, "-lmbedtls", "-lmbedx509", "-lmbedcrypto"],
                              stderr=NULL).returncode:
                raise CannotMeasure("the floor needs mbedTLS 2")
            floor, floor_port = started([bare_program, cert, key])
            servers.append(floor)
            ours, bare = [], []
            for _ in range(3):
                ours.append(handshakes(port, proxy.pid))
                bare.append(handshakes(floor_port, floor.pid))
            ratio_row("TLS handshake, X25519 and ECDSA: CPU", statistics.median(ours), statistics.median(bare), 1.11, us)
        finally:
            for server in servers:
                server.kill()
                server.wait()
                server.stdout.close()


# ---------------------------------------------------------------- main

BENCHES = {f[len("bench_"):]: g for f, g in list(globals().items()) if f.startswith("bench_")}


def main():
    names = sys.argv[1:] or list(BENCHES)
    unknown = [n for n in names if n not in BENCHES]
    if unknown:
        sys.exit(f"run.py: no bench named {', '.join(unknown)}; there are: {' '.join(BENCHES)}")
    if not os.access(lab.ZINIT, os.X_OK):
        sys.exit(f"run.py: {lab.ZINIT} is not there: run `make` first")

    def ended(*_):
        raise KeyboardInterrupt

    ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for sig in ends:
        signal.signal(sig, ended)
    failed, began = 0, time.monotonic()
    lab.opened()
    try:
        print(f"# {os.uname().sysname} {os.uname().release}, {os.cpu_count()} CPUs; medians of rounds in turn")
        table_line([name for name, _ in COLUMNS])
        for name in names:
            busy = min(lab.others_busy() for _ in range(3))  # what this bench did before may still be ending
            if busy > 0.2:
                print(f"# {name}: other programs use {busy:.0%} of this machine: do not trust what follows", flush=True)
            try:
                BENCHES[name]()
            except (CannotMeasure, OSError, subprocess.SubprocessError) as why:
                failed = 1
                print(f"# {name}: could not be measured: {why}", flush=True)
            sweep()
        print(f"# {time.monotonic() - began:.0f} s")
    except KeyboardInterrupt:
        failed = 130
    finally:
        for sig in ends:
            signal.signal(sig, signal.SIG_IGN)  # nothing interrupts the tidying
        lab.closed()
    return failed


if __name__ == "__main__":
    sys.exit(main())
