"""What is switched off leaves no bytes: the functions of its files are not among the symbols of the program."""
import re
import shutil
import subprocess

import pytest
from zinit import SYMBOLS, TREE, ZINIT

OWNERS = {
    "DISCOVER": ["lib/control/discover.c"], "FILES": ["lib/control/file.c"], "STATS": ["lib/control/stats.c"],
    "EVENTS": ["lib/control/events.c"], "PID1": ["lib/pid1/power.c"], "TLS": ["lib/http/tls_mbed.c", "lib/http/tls_self.c"],
    "REMOTE": ["lib/http/remote.c"], "APPLET_PROXY": ["lib/control/http.c"], "CLIENT": ["applets/call.c"],
    "SERVER": [f"lib/svc/{path.name}" for path in (TREE / "lib" / "svc").glob("*.c")],
    **{f"APPLET_{path.stem.upper()}": [f"applets/{path.name}"] for path in (TREE / "applets").glob("*.c")
       if path.stem not in ("main", "call")},
}


def functions(path):
    """The names of the functions that a file of ours defines: they begin a line, and a '{' alone ends the head."""
    return set(re.findall(r"^[a-z][\w *]*?\b(\w+)\([^;{]*?\)\n\{", path.read_text(), re.M))


def defined_where():
    where = {}
    for path in [*(TREE / "lib").rglob("*.c"), *(TREE / "applets").glob("*.c")]:
        for name in functions(path):
            where.setdefault(name, set()).add(str(path.relative_to(TREE)))
    return where


@pytest.fixture(scope="module")
def symbols():
    if SYMBOLS is None or not shutil.which("nm"):
        pytest.skip("no configuration beside the program, or no nm")
    done = subprocess.run(["nm", ZINIT], capture_output=True, text=True)
    names = {re.sub(r"\.\w+", "", line.split()[-1]) for line in done.stdout.splitlines()}
    if "main" not in names:
        pytest.skip("a program without symbols")
    return names


@pytest.mark.parametrize("symbol", sorted(OWNERS))
def test_what_is_off_is_not_there(symbols, symbol):
    where = defined_where()
    own = {name for name, paths in where.items() if paths <= set(OWNERS[symbol])}
    if symbol.startswith("APPLET_"):
        own.add("applet_" + symbol.removeprefix("APPLET_").lower())
    if symbol not in SYMBOLS:
        assert not own & symbols, f"{symbol} is off"
    elif symbol.startswith("APPLET_"):
        assert own & symbols, f"{symbol} is on, and nothing of {OWNERS[symbol]} is there"
