"""Init without memory: any single allocation may fail, and all of them for a while; it goes on."""
import os
import pathlib
import shutil
import subprocess

import pytest

from zinit import SANITIZED, ZINIT, RpcError, sh, wait_until

pytestmark = [
    pytest.mark.skipif(SANITIZED, reason="a sanitizer has an allocator of its own"),
    pytest.mark.skipif(b"ld-linux" not in pathlib.Path(ZINIT).read_bytes(), reason="needs the GNU C library, shared"),
    pytest.mark.skipif(not (shutil.which("cc") or shutil.which("gcc")), reason="needs a C compiler"),
]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("failmalloc") / "failmalloc.so"
    source = pathlib.Path(__file__).with_name("failmalloc.c")
    compiler = shutil.which("cc") or shutil.which("gcc")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", path, source, "-ldl"], check=True)
    return str(path)


def environment(library, **more):
    return {**os.environ, "LD_PRELOAD": library, **more}


def life(daemon):
    """One life of services: each call may fail, none may be left without an answer."""
    def call(method, *params):
        try:
            return daemon.rpc(method, list(params))
        except RpcError as error:
            return error
    for name in ("a", "b", "one"):
        call("service_monitor", name)
        call("service_start", name)
    call("service_list")
    for name in ("a", "b", "one"):
        call("service_status", name)
        call("service_restart", name)
        call("service_stop", name)
        call("stream_currentLogs", name)
        call("service_forget", name)


SERVICES = {
    "a": dict(exec=sh("echo hello; printf part; exec sleep 1000"), test="true", after=["one"]),
    "b": dict(exec=sh("exit 3"), env={"A": "1"}),
    "one": dict(exec=sh("echo done"), oneshot=True),
}


# Every one while init starts and reads its files, then every fourth of what the calls take.
NUMBERS = [*range(1, 61), *range(61, 240, 4)]


@pytest.mark.parametrize("part", range(8))
def test_no_single_failed_allocation_ends_init(daemons, library, part):
    for nth in NUMBERS[part::8]:
        daemon = daemons()
        for name, keys in SERVICES.items():
            daemon.service(name, **keys)
        daemon.launch(env=environment(library, FAILMALLOC_NTH=str(nth)))
        wait_until(lambda: daemon.process.poll() is not None or daemon.answers(), what=f"an answer, allocation {nth}")
        if daemon.process.poll() is not None:
            # Before there is anything to run, a clear refusal is the right answer.
            assert daemon.process.returncode == 1, f"allocation {nth}"
            assert daemon.output().startswith("zinit: "), f"allocation {nth}: {daemon.output()}"
            daemon.ended = True
            continue
        daemon.find()
        life(daemon)
        daemon.rpc("service_list")
        daemon.stop()


def test_services_live_while_no_memory_can_be_had(daemon, library):
    out_of_memory = pathlib.Path(daemon.path("no-memory"))
    daemon.service("a", sh("exec sleep 1000"))
    daemon.service("b", sh(f"echo x >> {daemon.path('starts')}; sleep 0.2; exit 1"))
    daemon.service("s", sh("trap 'exit 0' TERM; while :; do sleep 0.1; done"), after=["a"])
    daemon.start(env=environment(library, FAILMALLOC_WHILE=str(out_of_memory)))
    daemon.wait_state("a", "Running")
    daemon.wait_state("s", "Running")
    with daemon.connect() as connection:
        connection.sendall(daemon.request("service_list", []))
        assert connection.recv(65536)
        out_of_memory.touch()
        count = len(pathlib.Path(daemon.path("starts")).read_text())
        # A crash is still seen and the service started again.
        wait_until(lambda: len(pathlib.Path(daemon.path("starts")).read_text()) >= count + 4)
        assert daemon.find() and daemon.process.poll() is None
        out_of_memory.unlink()
    assert daemon.state("a") == "Running"
    daemon.ok("restart", "a")
    daemon.wait_state("a", "Running")
    out_of_memory.touch()
    daemon.signal(15)
    assert daemon.wait_exit() == 0
