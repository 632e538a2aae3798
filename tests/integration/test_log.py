"""The ring of log lines: what goes in, what stays, who reads it."""
import json
import re
import signal
import socket
import struct
import subprocess

import pytest
from zinit import BANNER, PATIENCE, SANITIZED, ZINIT, holds, is_error, lines_of, sh, status_field, wait_until


def once(daemon, script, *options, name="l", **keys):
    """Runs SCRIPT as a oneshot to its end; returns its lines in the ring, prefix cut."""
    daemon.service(name, sh(script), oneshot=True, **keys)
    daemon.start(*options)
    daemon.wait_state(name, "Success")
    return daemon.log(name)


def rss_kib(daemon):
    return int(status_field(daemon.find(), "VmRSS").split()[0])


# -- lines -------------------------------------------------------------------------------------


def test_stdout_stderr_and_banner_have_their_forms(daemon):
    lines = once(daemon, "echo out; sleep 0.3; echo err >&2; sleep 0.3; echo '  two  blanks'")
    assert lines == [f"[-] l: {BANNER}", "[+] l: out", "[-] l: err", "[+] l:   two  blanks"]


def test_bytes_are_kept_and_a_cr_before_lf_is_dropped(daemon):
    lines = once(daemon, r'''printf 'a\r\nb\rc\n\n\ttab\n\033[31mred\033[0m\nnul\000x\n\303\251\nbad \377\376 end\nno newline' ''')
    assert lines == [f"[-] l: {BANNER}", "[+] l: a", "[+] l: b\rc", "[+] l: ", "[+] l: \ttab", "[+] l: \x1b[31mred\x1b[0m",
                     "[+] l: nul\0x", "[+] l: \u00e9", "[+] l: bad \udcff\udcfe end", "[+] l: no newline"]


def test_json_replaces_bytes_that_are_not_utf8(daemon):
    once(daemon, r"printf 'bad \377 end\n'")
    assert daemon.rpc("stream_currentLogs", ["l"])[-1] == "[+] l: bad \ufffd end"


def test_output_that_is_not_utf8_does_not_end_the_service(daemon):
    daemon.service("a", sh(r"printf 'x\377y\n'; sleep 0.3; echo two; exec sleep 1000"))
    daemon.start()
    wait_until(lambda: daemon.log("a")[-1:] == ["[+] a: two"])
    assert daemon.state("a") == "Running"


@pytest.mark.parametrize("length, pieces", [(8191, [8191]), (8192, [8192]), (8193, [8192, 1]), (20000, [8192, 8192, 3616])])
def test_a_long_line_is_cut_at_8_kib_and_goes_on(daemon, length, pieces):
    lines = once(daemon, f"head -c {length} /dev/zero | tr '\\0' x; echo; echo after")
    assert [len(line) - len("[+] l: ") for line in lines[1:]] == [*pieces, 5]
    assert set("".join(line[7:] for line in lines[1:-1])) == {"x"} and lines[-1] == "[+] l: after"


def test_a_line_without_end_does_not_grow_the_daemon(daemon):
    numbers = "i=0; while [ $i -lt 1000 ]; do echo $i; i=$((i+1)); done"
    daemon.service("l", sh(f"head -c 30000000 /dev/zero | tr '\\0' x; echo; {numbers}"), oneshot=True)
    daemon.service("idle", "sleep 1000")
    daemon.start("-b", "4000")
    before = rss_kib(daemon)
    peak = 0

    def done():
        nonlocal peak
        peak = max(peak, rss_kib(daemon))
        return daemon.state("l") == "Success"

    wait_until(done)
    assert daemon.log("l")[-1000:] == [f"[+] l: {number}" for number in range(1000)]
    assert SANITIZED or peak - before < 64 * 1024


@pytest.mark.parametrize("value", ["none", None])
def test_log_none_goes_nowhere(daemon, value):
    fds = daemon.path("fds")
    assert once(daemon, f"echo hidden; readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2 > {fds}", log=value) == []
    assert lines_of(fds)[0] == "/dev/null" and "hidden" not in daemon.output()


@pytest.mark.parametrize("value", ["null", "~", "none", "'none'", ""])
def test_log_none_in_every_spelling(daemon, value):
    daemon.write("l.yaml", f"exec: echo hidden\noneshot: true\nlog: {value}\n")
    daemon.start()
    daemon.wait_state("l", "Success")
    assert daemon.log("l") == []


def test_log_stdout_goes_to_the_daemons_own(daemon):
    assert once(daemon, "echo to-stdout; echo to-stderr >&2", log="stdout") == []
    assert "to-stdout" in daemon.stdout()
    assert "to-stderr" in lines_of(daemon.path("stderr"))


def test_a_service_that_closes_its_output_costs_nothing(daemon):
    daemon.service("a", sh("exec >&- 2>&-; exec sleep 1000"))
    daemon.start()
    daemon.wait_state("a", "Running")
    first = status_field(daemon.pid, "voluntary_ctxt_switches")
    holds(lambda: True, 0.5)
    second = status_field(daemon.pid, "voluntary_ctxt_switches")
    assert int(second) - int(first) < 50


# -- size --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3])
def test_the_ring_holds_the_last_lines(daemon, size):
    once(daemon, "for i in 1 2 3 4 5 6 7; do echo $i; done", "-b", str(size))
    lines = daemon.log()
    assert 1 <= len(lines) <= size and lines == [f"[+] l: {number}" for number in range(8 - len(lines), 8)]


def test_a_ring_of_no_lines(daemon):
    assert once(daemon, "for i in 1 2 3; do echo $i; done", "-b", "0") == []
    follower = daemon.popen("log")
    daemon.service("b", sh("sleep 0.5; echo live; exec sleep 1000"))
    daemon.ok("monitor", "b")
    holds(lambda: daemon.state("b") in ("Running", "Unknown", "Spawned"), 1)
    follower.terminate()


@pytest.mark.parametrize("size", ["-1", "x", "", "1e3", "99999999999999999999"])
def test_a_bad_ring_size_is_refused(daemon, size):
    is_error(daemon.cli("init", "--container", "-c", str(daemon.config), "-b", size, timeout=20))


def test_a_flood_leaves_the_lines_of_others(daemon):
    daemon.service("quiet", sh("echo one; echo two; exec sleep 1000"))
    daemon.start("-b", "300")
    wait_until(lambda: len(daemon.log("quiet")) == 3)
    daemon.service("flood", sh("i=0; while [ $i -lt 30000 ]; do echo $i; i=$((i+1)); done"), oneshot=True)
    daemon.ok("monitor", "flood")
    daemon.wait_state("flood", "Success")
    assert daemon.log("quiet") == [f"[-] quiet: {BANNER}", "[+] quiet: one", "[+] quiet: two"]
    lines = daemon.log("flood")
    assert 100 <= len(lines) <= 300
    assert lines == [f"[+] flood: {number}" for number in range(30000 - len(lines), 30000)]


def test_six_hundred_services_get_all_their_lines_out(daemon):
    for number in range(600):
        daemon.service(f"s{number}", sh("echo one; sleep 2; echo two; exec sleep 1000"))
    daemon.start("-b", "4000")
    wanted = {f"[+] s{number}: {word}" for number in range(600) for word in ("one", "two")}
    wait_until(lambda: set(daemon.log()) >= wanted)
    assert len(daemon.log()) == 1800


# -- readers -----------------------------------------------------------------------------------


def test_n_gives_the_last_lines(daemon):
    once(daemon, "for i in 1 2 3 4 5; do echo $i; done")
    for arguments in (["-s", "-n", "2", "l"], ["l", "-n2", "-s"], ["--snapshot", "-n", "2", "l"]):
        assert daemon.ok("log", *arguments) == "[+] l: 4\n[+] l: 5\n"
    assert daemon.ok("log", "-s", "-n", "100", "l").count("\n") == 6
    assert daemon.ok("log", "-s", "-n", "0", "l") == ""


def test_t_gives_the_time_of_each_line(daemon):
    once(daemon, "echo one; sleep 1.2; echo two")
    lines = daemon.ok("log", "-s", "-t", "l").splitlines()
    assert len(lines) == 3
    stamps = [re.fullmatch(r"(\d\S*(?: \d\S*)?) (\[[+-]\] l: .*)", line) for line in lines]
    assert all(stamps)
    assert [stamp[2] for stamp in stamps] == daemon.log("l")
    assert stamps[1][1] < stamps[2][1]


def test_an_unknown_service_is_an_error(daemon):
    daemon.service("sleeper", "sleep 1000")
    daemon.start()
    for arguments in (["-s", "sleper"], ["sleper"]):
        is_error(daemon.cli("log", *arguments, timeout=20), "sleper", "not found", "sleeper")


def test_follow_shows_old_and_new_lines_and_ends_with_the_daemon(daemon):
    go = daemon.path("go")
    daemon.service("a", sh(f"echo old; while ! test -e {go}; do sleep 0.1; done; echo new; exec sleep 1000"))
    daemon.service("b", sh("echo noise; exec sleep 1000"))
    daemon.start()
    wait_until(lambda: len(daemon.log("a")) == 2)
    with open(daemon.path("followed"), "wb") as file:
        follower = daemon.popen("log", "a", stdout=file)
    wanted = [f"[-] a: {BANNER}", "[+] a: old"]
    wait_until(lambda: lines_of(daemon.path("followed")) == wanted)
    holds(lambda: follower.poll() is None, 0.5)
    open(go, "w").close()
    wait_until(lambda: lines_of(daemon.path("followed")) == [*wanted, "[+] a: new"])
    daemon.stop()
    follower.wait(PATIENCE)


def test_followers_lose_and_repeat_no_line(daemon):
    daemon.service("tick", sh("i=0; while [ $i -lt 4000 ]; do echo $i; i=$((i+1)); done; exec sleep 1000"))
    daemon.start("-b", "10000")
    files = []
    for number in range(6):
        files.append(daemon.path(f"f{number}"))
        with open(files[-1], "wb") as file:
            daemon.popen("log", "tick", stdout=file)
    for file in files:
        wait_until(lambda: "[+] tick: 3999" in lines_of(file)[-1:])
        assert lines_of(file) == [f"[-] tick: {BANNER}"] + [f"[+] tick: {number}" for number in range(4000)]


def test_a_subscription_gives_new_lines_only_of_its_service(daemon):
    go = daemon.path("go")
    for name in "ab":
        daemon.service(name, sh(f"echo old; while ! test -e {go}; do sleep 0.1; done; echo new; exec sleep 1000"))
    daemon.start()
    wait_until(lambda: len(daemon.log()) == 4)
    with daemon.connect() as connection:
        connection.sendall(daemon.request("stream_subscribeLogs", ["a"]))
        reader = connection.makefile()
        identity = json.loads(reader.readline())["result"]
        open(go, "w").close()
        assert json.loads(reader.readline()) == {
            "jsonrpc": "2.0", "method": "stream_subscribeLogs",
            "params": {"subscription": identity, "result": "[+] a: new"}}
        connection.sendall(daemon.request("stream_unsubscribeLogs", [identity]))
        assert json.loads(reader.readline())["result"] is True


def test_log_into_head_ends_quietly(daemon):
    daemon.service("a", sh("i=0; while :; do echo $i; i=$((i+1)); sleep 0.01; done"))
    daemon.start()
    wait_until(lambda: len(daemon.log("a")) > 20)
    for flags in ("", "-s"):
        done = subprocess.run(["sh", "-c", f'{{ "$0" -s "$1" log {flags} a; echo $? >"$2"; }} | head -n 3', ZINIT, daemon.socket,
                               daemon.path("code")], capture_output=True, timeout=PATIENCE)
        assert (done.stdout.count(b"\n"), done.stderr) == (3, b"")
        assert wait_until(lambda: lines_of(daemon.path("code")))[0] in ("0", "141")


def test_readers_that_go_away_disturb_nobody(daemon):
    daemon.service("a", sh("i=0; while :; do echo $i; i=$((i+1)); sleep 0.005; done"))
    daemon.start("-b", "20000")
    with open(daemon.path("steady"), "wb") as file:
        daemon.popen("log", "a", stdout=file)
    wait_until(lambda: len(lines_of(daemon.path("steady"))) > 10)
    pid, descriptors = daemon.status("a")["pid"], daemon.descriptors()
    for number in range(15):
        with daemon.popen("log", "a", stdout=subprocess.DEVNULL) as leaver:
            (leaver.terminate, leaver.kill)[number % 2]()
        with daemon.connect() as connection:
            connection.sendall(daemon.request("stream_subscribeLogs", ["a"]))
            if number % 2:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with daemon.connect():
            pass
    wait_until(lambda: daemon.descriptors() == descriptors)
    assert daemon.status("a")["pid"] == pid
    lines = lines_of(daemon.path("steady"))
    assert lines[1:] == [f"[+] a: {number}" for number in range(len(lines) - 1)]


def test_a_reader_that_stands_still_stops_nobody(daemon):
    tick = daemon.path("tick")
    block = f"i=0; while [ $i -lt 200 ]; do echo {'x' * 1000}; i=$((i+1)); done"
    daemon.service("a", sh(f"while :; do {block}; echo t >> {tick}; done"))
    daemon.service("quiet", sh("exec sleep 1000"))
    daemon.start()
    with open(daemon.path("still"), "wb") as file:
        still = daemon.popen("log", "a", stdout=subprocess.PIPE, stderr=file)
    still.stdout.readline()
    still.send_signal(signal.SIGSTOP)
    with daemon.connect() as silent:
        silent.sendall(daemon.request("stream_subscribeLogs", ["a"]))
        first = len(lines_of(tick))
        before = rss_kib(daemon)
        wait_until(lambda: len(lines_of(tick)) >= first + 60)
        assert SANITIZED or rss_kib(daemon) - before < 32 * 1024
        assert daemon.state("quiet") == "Running"
        daemon.ok("stop", "a")
        still.send_signal(signal.SIGCONT)

        def told():
            return re.search(rb"\[-\] zinit: \d+ lines dropped", still.stdout.readline())

        wait_until(told)


def test_many_readers_half_of_them_killed(daemon):
    tick = daemon.path("tick")
    daemon.service("a", sh(f"while :; do echo line; echo t >> {tick}; sleep 0.02; done"))
    daemon.start()
    descriptors = daemon.descriptors()
    readers = [daemon.popen("log", "a", stdout=subprocess.DEVNULL) for _ in range(30)]
    wait_until(lambda: daemon.descriptors() >= descriptors + 30)
    for reader in readers[::2]:
        reader.kill()
    wait_until(lambda: daemon.descriptors() == descriptors + 15)
    count = len(lines_of(tick))
    wait_until(lambda: len(lines_of(tick)) > count + 5)
    assert all(reader.poll() is None for reader in readers[1::2])


def test_a_snapshot_over_ten_mebibytes_works(daemon):
    once(daemon, f"i=0; while [ $i -lt 2000 ]; do echo $i {'y' * 7000}; i=$((i+1)); done", "-b", "30000")
    lines = daemon.log("l")
    assert lines[-1].startswith("[+] l: 1999 y")
    numbers = [int(line.split()[2]) for line in lines if line.startswith("[+]")]
    assert numbers == list(range(2000 - len(numbers), 2000)) and len(numbers) > 1500


def test_inits_own_messages_are_in_the_ring(daemon):
    daemon.write("bad.yaml", "exec: [\n")
    daemon.start()
    assert any("bad.yaml" in line for line in daemon.own_log())
    assert any("bad.yaml" in line and line.startswith("zinit: ") for line in daemon.stdout())
