import inspect
import shutil
import tempfile

import pytest
import zinit

SANITIZER = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    setattr(item, "report_" + call.when, outcome.get_result())


def pytest_generate_tests(metafunc):
    """Whoever has services with `kill: tree` is run with control groups and without, where there are some."""
    if 'kill="tree"' in inspect.getsource(metafunc.function) and zinit.delegated():
        metafunc.fixturenames.append("init_options")
        metafunc.parametrize("init_options", [[], ["--no-cgroups"]], ids=["cgroups", "no-cgroups"])


@pytest.fixture
def daemons(request):
    """Makes daemons; each must have survived its test and end cleanly."""
    if not zinit.namespace_works():
        pytest.skip("cannot make a PID namespace: run as root, or allow user namespaces")
    made = []

    def make():
        daemon = zinit.Daemon(tempfile.mkdtemp(prefix="zi-"))
        daemon.options = getattr(request.node, "callspec", None) and request.node.callspec.params.get("init_options") or []
        made.append(daemon)
        return daemon

    yield make
    failed = getattr(request.node, "report_call", None) is None or request.node.report_call.failed
    try:
        for daemon in made:
            if failed:
                print(f"--- {daemon.dir}: processes {daemon.procs() if daemon.process else ''}")
            try:
                if not failed:
                    daemon.close()
            finally:
                daemon.abandon()
                print(f"--- output of the daemon in {daemon.dir} (exit {daemon.process and daemon.process.poll()})")
                print(daemon.output()[-20000:])
            for sign in SANITIZER:
                assert sign not in daemon.output()
    finally:
        for daemon in made:
            for helper in daemon._helpers:
                zinit.end(helper)
            shutil.rmtree(daemon.dir, ignore_errors=True)


@pytest.fixture
def daemon(daemons):
    """One daemon, not started yet."""
    return daemons()
