import inspect
import os
import shutil
import tempfile
import zlib

import pytest
import zinit

SANITIZER = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:")


def pytest_collection_modifyitems(config, items):
    """ZINIT_SKIP=FILE: lines of a test and the reason why it cannot run. ZINIT_SAMPLE=I/N: of every N tests one."""
    for line in open(os.environ["ZINIT_SKIP"]) if "ZINIT_SKIP" in os.environ else []:
        name, reason = line.split(None, 1) if not line.startswith("#") and line.strip() else ("", "")
        for item in items if name else []:
            if item.nodeid.rpartition("/")[2].startswith(name):
                item.add_marker(pytest.mark.skip(reason=reason.strip()))
    sample = os.environ.get("ZINIT_SAMPLE")
    if not sample:
        return
    index, count = map(int, sample.split("/"))
    rest = [item for item in items if zlib.crc32(item.nodeid.encode()) % count != index % count]
    config.hook.pytest_deselected(items=rest)
    items[:] = [item for item in items if item not in set(rest)]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    missing = zinit.missing_in(report.longreprtext) if report.when == "call" and report.failed else None
    if missing:  # what a smaller build says when it is asked for what it has not got
        report.outcome = "skipped"
        report.longrepr = (str(item.path), item.location[1] or 0, f"Skipped: {missing} is not built in")
    setattr(item, "report_" + call.when, report)


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
