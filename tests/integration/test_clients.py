"""Clients as they are in the field: their libraries and tools talk to this daemon unchanged.

What must be fetched from a registry, in pinned versions, is kept in clients/ of the build folder. A test whose tool
or registry is missing is skipped.
"""
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import socket
import subprocess

import pytest
from replay import left_out
from zinit import BANNER, PATIENCE, TREE, sh

SOURCES = TREE / "tests" / "clients"
CACHE = pathlib.Path(os.environ.get("ZINIT_BUILD") or TREE / "build") / "clients"
FETCH_PATIENCE = 900


def once(name, key, make):
    """Calls MAKE(folder) unless an earlier run, or another one of these, has done it for the same KEY."""
    folder = CACHE / name
    folder.mkdir(parents=True, exist_ok=True)
    stamp = folder / "stamp"
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != key:
            make(folder)
            stamp.write_text(key)
    return folder


def need(*tools):
    for tool in tools:
        if not shutil.which(tool):
            pytest.skip(f"no {tool} here")


def digest(*files):
    return hashlib.sha256(b"\0".join((SOURCES / file).read_bytes() for file in files)).hexdigest()


def run(command, **options):
    return subprocess.run(command, stdin=options.pop("stdin", subprocess.DEVNULL), capture_output=True, text=True,
                          timeout=options.pop("timeout", PATIENCE), **options)


def fetched(command, **options):
    done = run(command, timeout=FETCH_PATIENCE, **options)
    if done.returncode:
        pytest.skip(f"{command[0]} could not fetch what it needs: {done.stderr.strip()[-300:]}")


@pytest.fixture
def node_modules():
    need("node", "npm")

    def make(folder):
        for file in ("package.json", "package-lock.json"):
            shutil.copy(SOURCES / file, folder)
        fetched(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=0",
                 "--fetch-timeout=30000"], cwd=folder)

    return once("npm", digest("package.json", "package-lock.json"), make) / "node_modules"


def node(modules, script, *arguments, **options):
    # The module loader of a script looks beside the script.
    copy = modules.parent / script
    copy.write_bytes((SOURCES / script).read_bytes())
    done = run(["node", str(copy), *arguments], **options)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def with_a(daemon, script="exec sleep 1000"):
    """A service a that nobody monitors yet."""
    daemon.start()
    daemon.service("a", sh(script))
    return daemon


# -- node ----------------------------------------------------------------------------------------------


def test_jayson(daemon, node_modules):
    with_a(daemon)
    said = node(node_modules, "calls.js", daemon.socket)
    codes = [(method, answer["code"]) if isinstance(answer, dict) and "code" in answer else (method, answer)
             for method, answer in said]
    assert codes[:7] == [("service_list", {}), ("service_monitor", None), ("service_monitor", -32001),
                         ("service_status", -32000), ("service_nosuch", -32601), ("service_list", {"a": "Running"}),
                         ("batch", [{"a": "Running"}, {"code": -32601, "message": "Method not found"}])]
    assert codes[7:] == [("many", ["a"] * 50), ("service_stop", None), ("service_forget", None), ("service_list", {})]


def test_the_document_is_valid_openrpc(daemon, node_modules):
    """By the reference implementation of the specification, as the file and as the daemon gives it."""
    daemon.start()
    document = (TREE / "openrpc.json").read_text()
    served = json.loads(document) if left_out("DISCOVER") else daemon.rpc("rpc.discover")
    for text in (document, json.dumps(served)):
        path = daemon.dir / "document"
        path.write_text(text)
        with open(path) as file:
            assert node(node_modules, "openrpc.js", stdin=file) == [len(served["methods"])]


# -- rust ----------------------------------------------------------------------------------------------


def test_jsonrpsee(daemon):
    need("cargo")
    source = SOURCES / "jsonrpsee"

    def make(folder):
        fetched(["cargo", "fetch", "--quiet", "--locked", "--manifest-path", str(source / "Cargo.toml")],
                env={**os.environ, "CARGO_NET_RETRY": "0", "CARGO_HTTP_TIMEOUT": "30"})
        done = run(["cargo", "build", "--quiet", "--locked", "--offline", "--manifest-path", str(source / "Cargo.toml"),
                    "--target-dir", str(folder)], timeout=FETCH_PATIENCE)
        assert done.returncode == 0, done.stderr

    files = ("jsonrpsee/Cargo.toml", "jsonrpsee/Cargo.lock", "jsonrpsee/src/main.rs")
    program = once("cargo", digest(*files), make) / "debug" / "calls"
    with_a(daemon, "echo up; exec sleep 1000")
    done = run([str(program), daemon.socket])
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr


# -- go ------------------------------------------------------------------------------------------------


def test_the_life_of_a_go_client(daemon):
    need("go")
    environment = {**os.environ, "GOCACHE": str(CACHE / "go" / "cache"), "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"}

    def make(folder):
        done = run(["go", "build", "-o", str(folder / "life"), str(SOURCES / "life.go")], env=environment,
                   timeout=FETCH_PATIENCE)
        assert done.returncode == 0, done.stderr

    program = once("go", digest("life.go"), make) / "life"
    daemon.start()
    done = run([str(program), daemon.socket, str(daemon.config)])
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr


# -- tools and sockets ---------------------------------------------------------------------------------


TOOLS = {"socat": ["socat", "-t5", "-", "UNIX-CONNECT:{}"], "nc": ["nc", "-N", "-U", "{}"],
         "socat, one way": ["socat", "-t5", "-", "UNIX-CONNECT:{},shut-none"]}


@pytest.mark.parametrize("tool", TOOLS)
def test_tools(daemon, tool):
    command = [word.format(daemon.socket) for word in TOOLS[tool]]
    need(command[0])
    if tool == "nc" and "OpenBSD" not in run(["nc", "-h"]).stderr:
        pytest.skip("not the nc of OpenBSD")
    daemon.service("a", sh("exec sleep 1000"))
    daemon.start()
    daemon.wait_state("a", "Running")
    for sent, answer in (('{"jsonrpc":"2.0","id":1,"method":"service_list"}\n',
                          '{"jsonrpc":"2.0","id":1,"result":{"a":"Running"}}\n'),
                         ("list\n", '{"state":"ok","body":{"a":"Running"}}')):
        if "one way" in tool and sent.startswith("{"):
            continue  # it waits for an end that does not come
        done = subprocess.run(command, input=sent, capture_output=True, text=True, timeout=PATIENCE)
        assert (done.returncode, done.stdout) == (0, answer), done.stderr


def test_a_client_that_reads_once(daemon):
    """An answer is one write: clients exist that take what the first read gives for the whole."""
    for number in range(200):
        daemon.service(f"service-{number}", "sleep 1000", after=["ghost"])
    daemon.start()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(daemon.socket)
        for _ in range(20):
            connection.sendall(daemon.request("service_list"))
            assert len(json.loads(connection.recv(65536))["result"]) == 200


def test_a_client_that_reads_lines(daemon):
    """The older log follower: raw lines until it goes away."""
    daemon.service("a", sh("echo one; echo two; exec sleep 1000"))
    daemon.start()
    with daemon.connect() as connection:
        connection.sendall(b"log\n")
        lines = connection.makefile()
        seen = []
        while seen[-1:] != ["[+] a: two\n"]:
            seen.append(lines.readline())
            assert seen[-1]
    assert [line for line in seen if " a: " in line] == [f"[-] a: {BANNER}\n", "[+] a: one\n", "[+] a: two\n"]
