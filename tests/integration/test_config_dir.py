"""One bad file never hurts the others."""
import os
import re
import resource
import time

import pytest
from zinit import SLACK, ZINIT, holds, wait_for_all, wait_until

SLEEP = "sleep 1000"
GOOD = f"exec: {SLEEP}\n"
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{here}: &{here} [{', '.join(['*' + before] * 9)}]\n" for before, here in zip("abcdefgh", "bcdefghi")) + f"exec: {SLEEP}\n"

# What must be refused with a report that names the file and, where one is given, the line.
BAD = {
    "notyaml": ("exec: [\n", None), "nul": (f"exec: {SLEEP}\0\n", 1), "laughs": (LAUGHS, None), "list": (f"- exec: {SLEEP}\n", 1),
    "scalar": ("sleep 1000\n", 1), "empty": ("", None), "no-exec": ("oneshot: true\n", None), "deep": ("exec: " + "[" * 5000, None),
    "two-documents": (GOOD + "---\n" + GOOD, 2), "tag": ("exec: !sleep 1000\n", 1), "twice": (GOOD + GOOD, 2),
    "negative": (GOOD + "shutdown_timeout: -1\n", 2), "fraction": (GOOD + "shutdown_timeout: 1.5\n", 2),
    "words": (GOOD + "shutdown_timeout: soon\n", 2), "tab": (GOOD + "\tlog: none\n", None), "bool": (GOOD + "oneshot: maybe\n", 2),
    "signal": (GOOD + "signal:\n  stop: SIGNOPE\n", 3), "log": (GOOD + "log: file\n", 2), "env": (GOOD + "env: [a]\n", 2),
    "utf16": (GOOD.encode("utf-16"), None), "binary": (bytes(range(256)), None), "exec-list": ("exec: [sleep, '1000']\n", 1),
    "anchor": ("exec: &a sleep 1000\n", 1), "after-map": (GOOD + "after: {a: b}\n", 2), "exec-empty": ("exec:\n", None),
}


def reports(daemon, name):
    return [line for line in daemon.output().split("\n") if name in line]


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_reported_and_the_others_load(daemon, name):
    content, line = BAD[name]
    daemon.write("good.yaml", GOOD)
    daemon.write(f"{name}.yaml", content)
    start = time.monotonic()
    daemon.start()
    daemon.wait_state("good", "Running")
    assert time.monotonic() - start < 3 + SLACK
    assert daemon.list() == {"good": "Running"}
    where = rf"\b{name}\.yaml:{line or ''}" + (r":\d+" if line else "")
    assert any(re.search(where, report) for report in reports(daemon, f"{name}.yaml")), daemon.output()
    error = daemon.failure("service_monitor", [name])
    assert (error.code, error.message) == (-32005, f"monitoring service: failed to load '{name}.yaml'")
    assert any(re.search(where, cause) for cause in error.data["cause_chain"])


def test_all_bad_files_at_once(daemon):
    for name, (content, _) in BAD.items():
        daemon.write(f"{name}.yaml", content)
    for name in ("aaa", "mmm", "zzz"):
        daemon.write(f"{name}.yaml", GOOD)
    daemon.start()
    wait_until(lambda: daemon.list() == dict.fromkeys(("aaa", "mmm", "zzz"), "Running"))


def test_a_gigabyte_of_nothing_is_refused_at_once(daemon):
    with open(daemon.config / "big.yaml", "wb") as file:
        file.truncate(1 << 30)
    daemon.write("good.yaml", GOOD)
    start = time.monotonic()
    daemon.start()
    daemon.wait_state("good", "Running")
    assert time.monotonic() - start < 2 + SLACK
    assert daemon.list() == {"good": "Running"}
    assert reports(daemon, "big.yaml")


def test_a_file_just_over_the_limit_is_refused(daemon):
    daemon.write("big.yaml", GOOD + "#" * (1 << 20) + "\n")
    daemon.write("fits.yaml", GOOD + "#" * ((1 << 20) - len(GOOD) - 2) + "\n")
    daemon.start()
    wait_until(lambda: daemon.list() == {"fits": "Running"})
    assert reports(daemon, "big.yaml")


def test_what_is_no_regular_file_is_skipped(daemon):
    os.mkdir(daemon.config / "folder.yaml")
    (daemon.config / "folder.yaml" / "inside.yaml").write_text(GOOD)
    os.mkdir(daemon.config / "sub")
    (daemon.config / "sub" / "inside.yaml").write_text(GOOD)
    os.mkfifo(daemon.config / "fifo.yaml")
    os.symlink("/dev/zero", daemon.config / "device.yaml")
    os.symlink("nowhere", daemon.config / "dangling.yaml")
    os.symlink("loop.yaml", daemon.config / "loop.yaml")
    (daemon.dir / "elsewhere").write_text(GOOD)
    os.symlink("../elsewhere", daemon.config / "link.yaml")
    os.link(daemon.dir / "elsewhere", daemon.config / "hard.yaml")
    daemon.start()
    wait_until(lambda: daemon.list() == {"hard": "Running", "link": "Running"})
    for name in ("folder", "fifo", "device", "dangling", "loop"):
        assert daemon.failure("service_monitor", [name]).code == -32005
    assert daemon.list() == {"hard": "Running", "link": "Running"}


def test_other_files_are_ignored_in_silence(daemon):
    for name in ("README", "start.sh", "a.yaml.bak", "b.yaml~", "c.json", "yaml", ".d.yaml.swp"):
        daemon.write(name, "exec: [\n")
    daemon.write(b"n\xff.txt", "exec: [\n")
    daemon.write("good.yaml", GOOD)
    daemon.start()
    wait_until(lambda: daemon.list() == {"good": "Running"})
    for name in ("README", "start.sh", "a.yaml", "b.yaml", "c.json", ".d.yaml", "n\udcff"):
        assert not reports(daemon, name), name


def test_names_that_cannot_be_services_are_reported(daemon):
    for name in (b"n\xff.yaml", b"a\\b.yaml", b"a\nb.yaml", b"a\x01b.yaml", b"x" * 129 + b".yaml"):
        daemon.write(name, GOOD)
    for name in ("a b", "x" * 128, "a.b", "\u00e9", "UPPER", "start"):
        daemon.write(f"{name}.yaml", GOOD)
    daemon.start()
    wait_until(lambda: daemon.list() == dict.fromkeys(("a b", "x" * 128, "a.b", "\u00e9", "UPPER", "start"), "Running"))
    warnings = [line for line in daemon.output().split("\n") if "WARN" in line or "ERROR" in line]
    assert len(warnings) >= 5
    for line in daemon.output().split("\n"):
        assert "\x01" not in line and not line.startswith("b.yaml"), "bytes of a name reach the console"


def test_yaml_wins_over_yml(daemon):
    daemon.write("a.yml", "exec: sleep 2000\n")
    daemon.write("a.yaml", GOOD)
    daemon.write("only.yml", GOOD)
    daemon.start()
    wait_until(lambda: daemon.list() == {"a": "Running", "only": "Running"})
    wait_until(lambda: daemon.commands() == ["sleep 1000", "sleep 1000"])
    assert reports(daemon, "a.yml")


def test_an_unknown_key_is_a_warning_with_its_place(daemon):
    daemon.write("a.yaml", GOOD + "shutdown_timout: 60\nlogs: stdout\nname: a\nafte: [b]\n")
    daemon.start()
    daemon.wait_state("a", "Running")
    for line, key, near in ((2, "shutdown_timout", "shutdown_timeout"), (3, "logs", "log"), (4, "name", ""), (5, "afte", "after")):
        found = [report for report in reports(daemon, "a.yaml") if re.search(rf"a\.yaml:{line}:\d+", report) and key in report]
        assert len(found) == 1 and near in found[0] and "WARN" in found[0], (key, daemon.output())


def test_an_unreadable_file_hurts_nobody(daemon):
    daemon.write("good.yaml", GOOD)
    daemon.write("secret.yaml", GOOD)
    os.chmod(daemon.config / "secret.yaml", 0)
    argv = daemon.arguments()
    if os.geteuid() == 0:
        os.chown(daemon.dir, 12345, 12345)
        argv = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", "--", *argv]
    daemon.start(argv=argv)
    wait_until(lambda: daemon.list() == {"good": "Running"})
    assert any("Permission denied" in report for report in reports(daemon, "secret.yaml"))


def test_a_missing_folder_starts_no_services_and_says_so(daemon):
    daemon.config.rmdir()
    daemon.start()
    assert daemon.list() == {}
    assert reports(daemon, str(daemon.config))
    daemon.config.mkdir(exist_ok=True)
    daemon.service("a", SLEEP)
    daemon.ok("monitor", "a")
    daemon.wait_state("a", "Running")


def test_a_folder_that_is_a_file_starts_no_services_and_says_so(daemon):
    daemon.config.rmdir()
    daemon.config.write_text("")
    daemon.start()
    assert daemon.list() == {}
    assert reports(daemon, str(daemon.config))


def test_a_relative_folder_is_the_callers(daemon):
    daemon.service("a", SLEEP)
    daemon.start(argv=["/bin/sh", "-c", 'cd "$0" && exec "$@"', str(daemon.dir), ZINIT, "-s", "s", "init", "--container", "-c",
                       "c"])
    daemon.wait_state("a", "Running")
    daemon.service("b", SLEEP)
    daemon.ok("monitor", "b")
    daemon.wait_state("b", "Running")


def test_two_thousand_services(daemon):
    for number in range(2000):
        daemon.service(f"s{number}", "true", oneshot=True, after=[f"s{number - 1}"] if number % 100 else [])
    daemon.start()
    wait_for_all(lambda: list(daemon.list().values()).count("Success"), 2000)
    assert len(daemon.list()) == 2000


def test_more_services_than_descriptors(daemon):
    if os.geteuid() != 0:
        pytest.skip("only root can lower its bounding set")
    for number in range(100):
        daemon.service(f"s{number:02}", SLEEP)

    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))

    daemon.start(argv=["setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource", "--", *daemon.arguments()],
                 before=few)
    wait_until(lambda: set(daemon.list().values()) == {"Running", "Blocked"})
    wait_until(lambda: len(daemon.procs()) >= 20)
    blocked = [name for name, state in daemon.list().items() if state == "Blocked"]
    running = [name for name, state in daemon.list().items() if state == "Running"]
    assert re.search(r"descriptor|Too many open files", daemon.status(blocked[0])["reason"])
    daemon.ok("stop", *running[:10])
    wait_until(lambda: sum(daemon.state(name) == "Running" for name in blocked) >= 8)
    holds(lambda: daemon.state(running[-1]) == "Running", 0.2)
