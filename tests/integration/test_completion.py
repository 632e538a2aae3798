"""Completion scripts and manual pages: made of the program's tables, tried in the shells themselves."""
import os
import pty
import re
import select
import shlex
import shutil
import signal
import subprocess
import time

import pytest
from zinit import PATIENCE, ZINIT, cli, is_error, needs_applet

APPLETS = cli("--list").out.split()
SIGNALS = ["HUP", "INT", "TERM", "KILL", "USR1", "STOP", "CONT"]
ODD = ["a b", "it's", 'say "x"', "c:d", "c:e", "k=v", "é", "$HOME", "*", "semi;colon", "(x)", "-dash", "tab`tick`", "#no", "~me", "a&b",
       "user@host", "start", "{b}", "[z]", "!bang", "web-1", "web-2"]

pytestmark = pytest.mark.skipif(not {"completion", "help"} <= set(APPLETS), reason="completion is not built in")


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"there is no {program} here")


@pytest.fixture
def lab(daemon):
    """A daemon with oddly named services, and a folder with links to the program in PATH."""
    for command in ("list", "start", "stop", "status", "kill", "log", "monitor", "check"):
        needs_applet([command])
    for name in ODD:
        daemon.service(name, "sleep 1000")
    daemon.start()
    folder = daemon.dir / "bin"
    folder.mkdir()
    for name in ("zinit", "zinitctl", "zinit-start", "zinit-list", "zinit-kill"):
        (folder / name).symlink_to(ZINIT)
    daemon.env = {"PATH": f"{folder}:{os.environ['PATH']}", "ZINIT_SOCKET": daemon.socket, "HOME": str(daemon.dir),
                  "LC_ALL": "C.UTF-8", "TERM": "dumb"}
    return daemon


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_scripts_are_valid(shell):
    done = cli("completion", shell)
    assert (done.code, done.err) == (0, "") and done.out.endswith("\n")
    assert cli("help", f"--{shell}") == done
    if shutil.which(shell):
        checked = subprocess.run([shell, "-n"], input=done.out, capture_output=True, text=True, timeout=PATIENCE)
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_shells_that_are_not_known():
    is_error(cli("completion"), "shell")
    is_error(cli("completion", "tcsh"), "tcsh")
    is_error(cli("completion", "bash", "zsh"), "shell")


# -- bash: the function by itself --------------------------------------------------------------

WORDBREAKS = " \t\n\"'@><=;|&(:"


def bash(lab, line, breaks=WORDBREAKS):
    """What _zinit offers at the end of LINE."""
    script = ('source <(zinit completion bash); COMP_WORDBREAKS=$1 COMP_LINE=$2 COMP_POINT=${#2}; _zinit; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "--norc", "-c", script, "bash", breaks, line], capture_output=True, text=True, env=lab.env,
                          cwd=lab.dir, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split("\n")[:-1] if done.stdout != "\n" else []


def test_bash_commands_and_options(lab):
    assert bash(lab, "zinit ") == APPLETS
    assert bash(lab, "zinit st") == bash(lab, "zinit -d st") == bash(lab, "zinitctl --socket x -d st") == [
        name for name in APPLETS if name.startswith("st")]
    assert bash(lab, "zinit help sta") == [name for name in APPLETS if name.startswith("sta")]
    assert bash(lab, "zinit --i") == ["--install"]
    remote = ["--token-file", "--tls-ca"] if "--tls-ca" in cli("list", "--help").out else []
    assert bash(lab, "zinit list --") == ["--long", "--names", "--json", "--socket", *remote, "--debug", "--help", "--version"]
    assert bash(lab, "zinit log -") == ["-s", "--snapshot", "-n", "--lines", "-f", "--follow", "-t", "--time", "--socket",
                                        *remote, "-d", "--debug", "-h", "--help", "-V", "--version"]
    assert bash(lab, "zinit-list --n") == bash(lab, "./bin/zinit-list --n") == ["--names"]
    assert bash(lab, "zinit start --w") == ["--wait"]
    assert bash(lab, "zinit completion ") == ["bash", "zsh", "fish"]
    assert bash(lab, "zinit list ") == bash(lab, "zinit foo ") == bash(lab, "zinit foo -") == []


def test_bash_services(lab):
    offered = bash(lab, "zinit start ")
    unquoted = [shlex.split(name)[0] if not name.startswith("$'") else name for name in offered]
    assert sorted(unquoted) == sorted(set(ODD) - {"-dash"})
    assert bash(lab, "zinit stop -- -") == ["-dash"]
    assert bash(lab, "zinit start web-1 web-2 we") == bash(lab, "zinit-start we") == ["web-1", "web-2"]
    assert bash(lab, "zinit status web-1 ") == []
    for line in ("zinit log -s we", "zinit log -n 5 we", "zinit -s s log we", "zinit log --socket s we", "zinit log --socket=s we"):
        assert bash(lab, line) == ["web-1", "web-2"], line
    del lab.env["ZINIT_SOCKET"]
    assert bash(lab, "zinit start we") == []
    for line in ("zinit -s s start we", "zinit start -ds s we", "zinit --socket=s start we", "zinit start we -s 's' we"):
        assert bash(lab, line) == ["web-1", "web-2"], line
    lab.signal(signal.SIGSTOP)
    try:
        assert bash(lab, "zinit -s s start we") == []
    finally:
        lab.signal(signal.SIGCONT)


def test_bash_quotes_as_the_word_is_quoted(lab):
    assert bash(lab, "zinit stop a") == ["a\\ b", "a\\&b"]
    assert bash(lab, "zinit stop a\\ ") == ["a\\ b"]
    assert bash(lab, 'zinit stop "a ') == ["a b"]
    assert bash(lab, "zinit stop 'a ") == ["a b"]
    assert bash(lab, "zinit stop 'it") == []
    assert bash(lab, 'zinit stop "it') == ["it's"]
    assert bash(lab, 'zinit stop "say') == ['say \\"x\\"']
    assert bash(lab, 'zinit stop "$H') == ["\\$HOME"]
    assert bash(lab, "zinit stop c:") == ["d", "e"]
    assert bash(lab, "zinit stop c:", " ") == ["c:d", "c:e"]
    assert bash(lab, "zinit stop k=") == ["v"]


def test_bash_values(lab):
    assert set(SIGNALS) <= set(bash(lab, "zinit kill web-1 "))
    assert bash(lab, "zinit kill web-1 SIGT") == ["SIGTRAP", "SIGTERM", "SIGTSTP", "SIGTTIN", "SIGTTOU"]
    assert bash(lab, "zinit-kill web-1 U") == ["USR1", "USR2", "URG"]
    assert bash(lab, "zinit kill web-1 HUP ") == []
    (lab.dir / "a file").write_text("")
    assert sorted(bash(lab, "zinit -s ")) == sorted(os.listdir(lab.dir))
    assert bash(lab, "zinit --socket=a") == ["a file"]
    assert bash(lab, "zinit --socket=a", " ") == ["--socket=a file"]
    assert bash(lab, "zinit init -c ") == bash(lab, "zinit init --config=") == bash(lab, "zinit init ")
    assert "bin" in bash(lab, "zinit init ") and "a file" not in bash(lab, "zinit init ")
    assert bash(lab, "zinit check c") == ["c"]
    assert "root" in bash(lab, "zinit init --socket-group ro") and bash(lab, "zinit start --wait=") == []


# -- the shells themselves ---------------------------------------------------------------------

class Terminal:
    """An interactive shell at a terminal; `zinit` there shows its words."""

    def __init__(self, argv, env, folder):
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.chdir(folder)
            os.execvpe(argv[0], argv, env)
        self.seen = ""

    def read_until(self, pattern):
        end = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.seen)):
            assert time.monotonic() < end, f"{pattern!r} does not come: {self.seen!r}"
            if select.select([self.fd], [], [], 0.1)[0]:
                self.seen += os.read(self.fd, 65536).decode(errors="replace")
        self.seen = self.seen[found.end():]
        return found

    def type(self, text):
        os.write(self.fd, text.encode())

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


CASES = [("zinit star\tweb-\t1", ["start", "web-1"]), ("zinit status web-\t2", ["status", "web-2"]), ("zinit start é\t", ["start", "é"]),
         ("zinit stop it\t", ["stop", "it's"]), ("zinit stop say\t", ["stop", 'say "x"']), ("zinit stop user\t", ["stop", "user@host"]),
         ("zinit stop sem\t", ["stop", "semi;colon"]), ("zinit stop c:d\t", ["stop", "c:d"]), ("zinit stop k\t", ["stop", "k=v"]),
         ("zinit stop \"a \t", ["stop", "a b"]), ("zinit stop '$H\t", ["stop", "$HOME"]), ("zinit kill web-1 USR\t1", ["kill", "web-1", "USR1"]),
         ("zinit kill web-1 HU\t", ["kill", "web-1", "HUP"]), ("zinit moni\t", ["monitor"]), ("zinit list --lo\t", ["list", "--long"]),
         ("zinit-start us\t", ["user@host"]), ("zinit log -s us\t", ["log", "-s", "user@host"]), ("zinit completion fi\t", ["completion", "fish"]),
         ("zinit --socket s status us\t", ["--socket", "s", "status", "user@host"])]
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"],
             "PS1='> ' PS2=; bind 'set enable-bracketed-paste off'; bind 'set show-all-if-ambiguous off'; bind 'set bell-style none'\n"
             "source <(zinit completion bash)\nzinit() {{ printf '<%s>' \"$@\"; echo .; }}; zinit-start() {{ zinit \"$@\"; }}\n"),
    "zsh": (["zsh", "-f", "-i"],
            "PS1='> ' PS2= RPS1=; unsetopt beep zle_bracketed_paste; unset zle_bracketed_paste; autoload -Uz compinit; compinit -D -u\n"
            "source <(zinit completion zsh)\nzinit() {{ printf '<%s>' \"$@\"; echo . }}; zinit-start() {{ zinit \"$@\" }}\n"),
    "zsh-file": (["zsh", "-f", "-i"],
            "PS1='> ' PS2= RPS1=; unsetopt beep zle_bracketed_paste; unset zle_bracketed_paste; mkdir f; zinit completion zsh > f/_zinit; fpath=(f $fpath)\n"
            "autoload -Uz compinit; compinit -D -u\n"
            "zinit() {{ printf '<%s>' \"$@\"; echo . }}; zinit-start() {{ zinit \"$@\" }}\n"),
}


@pytest.mark.parametrize("shell", SHELLS)
def test_typed_at_a_terminal(lab, shell):
    argv, setup = SHELLS[shell]
    if not shutil.which(argv[0]):
        pytest.skip(f"there is no {argv[0]} here")
    terminal = Terminal(argv, lab.env, lab.dir)
    try:
        terminal.type(setup.format() + "echo rea''dy\n")
        terminal.read_until("ready")
        for typed, wanted in CASES:
            terminal.type(typed)
            terminal.type("\n")
            found = terminal.read_until(r"(<[^\r\n]*>)\.\r?\n").group(1)
            assert found == "".join(f"<{word}>" for word in wanted), typed
    finally:
        terminal.close()


@needs("fish")
def test_fish(lab):
    def fish(line):
        done = subprocess.run(["fish", "--no-config", "-c", "zinit completion fish | source; complete -C $argv[1]", line],
                              capture_output=True, text=True, env=lab.env, cwd=lab.dir, timeout=PATIENCE)
        assert (done.returncode, done.stderr) == (0, "")
        return [entry.split("\t")[0] for entry in done.stdout.splitlines()]

    assert fish("zinit ") == APPLETS
    assert fish("zinit st") == fish("zinitctl -d st") == [name for name in APPLETS if name.startswith("st")]
    assert fish("zinit list --n") == fish("zinit-list --n") == ["--names"]
    assert sorted(fish("zinit start ")) == sorted(set(ODD) - {"-dash"})
    assert fish("zinit stop -- -d") == ["-dash"]
    for line in ("zinit start web-1 we", "zinit-start we", "zinit log -s we", "zinit log -n 5 we", "zinit -s s log we"):
        assert fish(line) == ["web-1", "web-2"], line
    assert fish("zinit status web-1 ") == fish("zinit list ") == []
    assert fish("zinit kill web-1 SIGT") == ["SIGTERM", "SIGTRAP", "SIGTSTP", "SIGTTIN", "SIGTTOU"]
    assert set(SIGNALS) <= set(fish("zinit kill web-1 "))
    assert "root" in fish("zinit init --socket-group ro")
    assert fish("zinit completion ") == ["bash", "fish", "zsh"]
    assert "bin/" in fish("zinit init ") and "s" not in fish("zinit init ")
    del lab.env["ZINIT_SOCKET"]
    assert fish("zinit start we") == []
    assert fish("zinit start --socket=s we") == fish("zinit start -s s we") == ["web-1", "web-2"]


# -- manual pages ------------------------------------------------------------------------------

@pytest.mark.parametrize("applet", ["", *APPLETS])
def test_the_manual_page_has_no_warnings(tmp_path, applet):
    done = cli("help", "--man", *([applet] if applet else []))
    assert (done.code, done.err) == (0, "")
    page = tmp_path / "page.8"
    page.write_text(done.out)
    if shutil.which("mandoc"):
        linted = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True, timeout=PATIENCE)
        assert (linted.returncode, linted.stdout) == (0, "")
    if shutil.which("groff"):
        shown = subprocess.run(["groff", "-mandoc", "-Tutf8", "-ww", "-P-cbou", page], capture_output=True, text=True, timeout=PATIENCE)
        assert (shown.returncode, shown.stderr) == (0, "")
        for option in re.findall(r"--[a-z-]+", cli("help", *([applet] if applet else [])).out):
            assert option in shown.stdout, option


def test_the_manual_names_every_command_and_key():
    page = cli("help", "--man").out
    for applet in APPLETS:
        assert re.search(rf"^\.It Cm {applet}\b", page, re.M)
    for key in ("exec", "signal.stop", "essential"):
        assert f".It Ic {key} " in page
    is_error(cli("help", "--man", "nosuch"), "nosuch")
    needs_applet(["list"])
    is_error(cli("help", "lst"), "did you mean 'list'?")
