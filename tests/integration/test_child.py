"""What a service finds when it starts."""
import os
import resource
import signal

import pytest
from zinit import BANNER, lines_of, sh, status_field, wait_until

SLEEP = "sleep 1000"


def test_it_leads_its_own_session(daemon):
    daemon.service("a", SLEEP)
    daemon.service("b", SLEEP, log="stdout")
    daemon.start()
    for name in "ab":
        pid = daemon.leader(name)
        assert (os.getpgid(pid), os.getsid(pid)) == (pid, pid)
        with open(f"/proc/{pid}/stat") as file:
            assert file.read().rpartition(")")[2].split()[4] == "0", "it has a controlling terminal"


@pytest.mark.parametrize("log", ["ring", "none", "stdout"])
def test_it_has_descriptors_0_1_2_only(daemon, log):
    daemon.service("a", SLEEP, log=log)
    first, second = os.pipe()
    with os.fdopen(first), os.fdopen(second) as leak:
        daemon.start(pass_fds=[leak.fileno()])
        pid = daemon.leader("a")
        wait_until(lambda: status_field(pid, "Name") == "sleep")
        fds = {number: os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")}
    assert sorted(fds) == ["0", "1", "2"]
    assert fds["0"] == "/dev/null"
    kind = {"ring": "pipe:", "none": "/dev/null", "stdout": daemon.path("stdout")}[log]
    assert fds["1"].startswith(kind)
    assert (fds["1"] != fds["2"]) == (log != "none")


def test_closed_descriptors_of_init_hurt_nobody(daemon):
    daemon.service("a", sh("echo out; echo err >&2; exec sleep 1000"))
    daemon.start(argv=["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *daemon.arguments()])
    wait_until(lambda: sorted(daemon.log("a")) == ["[+] a: out", f"[-] a: {BANNER}", "[-] a: err"])
    pid = daemon.leader("a")
    assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"
    assert sorted(os.listdir(f"/proc/{pid}/fd")) == ["0", "1", "2"]


def test_signals_are_as_new_whatever_init_inherited(daemon):
    def ignore_and_block():
        for number in (signal.SIGPIPE, signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD, signal.SIGRTMIN + 1):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT, signal.SIGRTMIN + 5])

    daemon.service("a", SLEEP)
    daemon.start(before=ignore_and_block)
    pid = daemon.leader("a")
    wait_until(lambda: status_field(pid, "Name") == "sleep")
    for field in ("SigBlk", "SigIgn", "SigCgt", "SigPnd", "ShdPnd"):
        assert int(status_field(pid, field), 16) == 0, field
    daemon.ok("stop", "a")


@pytest.mark.parametrize("umask", ["0077", "0002"])
def test_the_umask_is_inherited_where_init_is_not_pid_1(daemon, umask):
    daemon.service("a", SLEEP)
    daemon.start(beside=True, before=lambda: os.umask(int(umask, 8)))
    assert status_field(daemon.leader("a"), "Umask") == umask


def test_the_folder_is_the_root_or_dir(daemon):
    daemon.service("a", SLEEP)
    daemon.service("b", SLEEP, dir=str(daemon.dir))
    daemon.start()
    assert os.readlink(f"/proc/{daemon.leader('a')}/cwd") == "/"
    assert os.readlink(f"/proc/{daemon.leader('b')}/cwd") == str(daemon.dir)


def test_limits_are_as_init_found_them(daemon):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    soft = min(200, hard)

    def limits():
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_CPU, (12345, resource.getrlimit(resource.RLIMIT_CPU)[1]))

    for number in range(150):
        daemon.service(f"s{number}", SLEEP)
    daemon.start(before=limits)
    daemon.wait_all("Running")
    pid = daemon.leader("s149")
    assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (soft, hard)
    assert resource.prlimit(pid, resource.RLIMIT_CPU)[0] == 12345


def test_without_path_the_default_path_is_used(daemon):
    daemon.service("a", SLEEP)
    daemon.start(etc_environment=b"", env={})
    daemon.wait_state("a", "Running")


def test_a_script_without_an_interpreter_line_runs_in_sh(daemon):
    script = daemon.dir / "script"
    script.write_text("echo \"from script $1\"\nexec sleep 1000\n")
    script.chmod(0o755)
    daemon.service("a", f"{script} 'an argument'")
    daemon.service("b", "script x", env={"PATH": f"{daemon.dir}:/usr/bin:/bin"})
    daemon.start()
    wait_until(lambda: daemon.log("a") == [f"[-] a: {BANNER}", "[+] a: from script an argument"])
    wait_until(lambda: daemon.log("b") == [f"[-] b: {BANNER}", "[+] b: from script x"])


@pytest.mark.parametrize("make", ["missing", "folder", "not executable", "empty path"])
def test_what_cannot_be_executed_is_a_failure(daemon, make):
    path = daemon.dir / "thing"
    if make == "folder":
        path.mkdir()
    elif make == "not executable":
        path.write_text("#!/bin/sh\n")
    daemon.service("a", str(path) if make != "empty path" else "''")
    daemon.service("ok", SLEEP)
    daemon.start()
    assert daemon.wait_state("a", "Failure")["pid"] == 0
    daemon.wait_state("ok", "Running")
    assert daemon.log("a") == []


WORDS = {
    "plain": ("printf '<%s>' a b", "<a><b>"),
    "quotes": ("""printf '<%s>' 'a b' "c d" e\\ f""", "<a b><c d><e f>"),
    "inside quotes": ("""printf '<%s>' 'a"b' "c'd" """, """<a"b><c'd>"""),
    "backslash in double quotes": ('printf "<%s>" "a\\"b" "c\\\\\\\\d" "e\\x"', '<a"b><c\\\\d><e\\x>'),
    "comment": ("printf '<%s>' a#b # c", "<a#b>"),
    "nothing is expanded": ("printf '<%s>' $HOME * ~ `x` a;b >f", "<$HOME><*><~><`x`><a;b><>f>"),
    "empty words": ("""printf '<%s>' '' "" """, "<><>"),
    "glued": ("""printf '<%s>' a'b'"c"d""", "<abcd>"),
}


@pytest.mark.parametrize("case", WORDS)
def test_exec_is_split_like_a_shell_without_expansion(daemon, case):
    line, printed = WORDS[case]
    daemon.service("a", line, oneshot=True)
    daemon.start()
    daemon.wait_state("a", "Success")
    assert daemon.log("a") == [f"[-] a: {BANNER}", f"[+] a: {printed}"]


def test_names_of_services_reach_the_child(daemon):
    out = daemon.path("out")
    daemon.service("my.service-1", sh(f'echo "$ZINIT_SERVICE" > {out}'), oneshot=True)
    daemon.start()
    daemon.wait_state("my.service-1", "Success")
    assert lines_of(out) == ["my.service-1"]
