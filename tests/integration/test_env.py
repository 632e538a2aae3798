"""Environment: the file's `env` over /etc/environment over what init inherited."""
import re

from zinit import wait_until


def environment(daemon, **keys):
    """Starts a service that writes down its environment; returns it as a dict."""
    out = daemon.dir / "environ"
    daemon.service("e", f"cp /proc/self/environ {out}", oneshot=True, **keys.pop("keys", {}))
    daemon.start(**keys)
    daemon.wait_state("e", "Success")
    found = {}
    for item in out.read_bytes().split(b"\0")[:-1]:
        name, _, value = item.partition(b"=")
        assert name not in found, f"{name} twice"
        found[name.decode("utf-8", "surrogateescape")] = value.decode("utf-8", "surrogateescape")
    found.pop("PWD", None)  # of the shell that makes the mount
    return found


def test_the_nearer_one_wins(daemon):
    found = environment(
        daemon, keys={"env": {"BOTH": "service", "ALL": "service", "OWN": "service"}},
        etc_environment=b"BOTH=etc\nALL=etc\nETC=etc\nINHERITED_TOO=etc\n",
        env={"PATH": "/usr/bin:/bin", "ALL": "parent", "INHERITED_TOO": "parent", "PARENT": "parent"})
    assert found.pop("ZINIT_SERVICE") == "e"
    assert found == {"PATH": "/usr/bin:/bin", "BOTH": "service", "ALL": "service", "OWN": "service", "ETC": "etc",
                     "INHERITED_TOO": "etc", "PARENT": "parent"}


def test_plain_scalars_are_strings(daemon):
    daemon.write("e.yaml", f"exec: cp /proc/self/environ {daemon.path('environ')}\noneshot: true\nenv:\n  PORT: 8080\n"
                           "  FLAG: true\n  HALF: 0.50\n  VOID:\n  NOTHING: ''\n  TEXT: \"a b\"\n  YES: yes\n  OCT: 010\n")
    daemon.start()
    daemon.wait_state("e", "Success")
    items = (daemon.dir / "environ").read_bytes().decode().split("\0")
    assert {"PORT=8080", "FLAG=true", "HALF=0.50", "VOID=", "NOTHING=", "TEXT=a b", "YES=yes", "OCT=010"} <= set(items)


def test_etc_environment_dialect(daemon):
    big = "x" * 1000
    text = (b'PATH="/usr/local/bin:/usr/bin:/bin"\n' b"X='y z'\n" b"export Z=1\n" b"EMPTY=\n" b"\n" b"   \n" b"# c\n"
            b"  # indented\n" b"A=b # not a comment\n" b"EQ=a=b=c\n" b"  TRIM=t  \n" b"HOMEISH=$HOME\n"
            b"BIG=" + big.encode() + b"\n" b"BYTES=\xff\xfe\n" b"CRLF=c\r\n" b'HALF="open\n' b'INNER=a"b"c\n' b'LAST="end"')
    found = environment(daemon, etc_environment=text, env={"PATH": "/nowhere"})
    assert found == {
        "PATH": "/usr/local/bin:/usr/bin:/bin", "X": "y z", "Z": "1", "EMPTY": "", "A": "b # not a comment", "EQ": "a=b=c",
        "TRIM": "t", "HOMEISH": "$HOME", "BIG": big, "BYTES": "\udcff\udcfe", "CRLF": "c", "HALF": '"open', "INNER": 'a"b"c',
        "LAST": "end", "ZINIT_SERVICE": "e"}


def test_bad_lines_are_reported_by_number_and_skipped(daemon):
    found = environment(daemon, etc_environment=b"GOOD=1\nNOEQ\n=v\n\nALSO=2\n", env={"PATH": "/usr/bin:/bin"})
    assert (found["GOOD"], found["ALSO"]) == ("1", "2")
    assert "" not in found and "NOEQ" not in found
    for line in (2, 3):
        assert re.search(rf"/etc/environment:{line}\b", daemon.output())
    for line in (1, 4, 5):
        assert not re.search(rf"/etc/environment:{line}\b", daemon.output())


def test_a_huge_value_hurts_nobody(daemon):
    found = environment(daemon, etc_environment=b"BIG=" + b"x" * 1000000 + b"\nGOOD=1\n", env={"PATH": "/usr/bin:/bin"})
    assert found["GOOD"] == "1"
    assert len(found.get("BIG", "")) in (0, 1000000)


def test_env_of_the_service_wins_over_path_of_etc(daemon):
    tool = daemon.dir / "bin" / "unheard-of-tool"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\nexec /bin/sleep 1000\n")
    tool.chmod(0o755)
    daemon.service("a", "unheard-of-tool", env={"PATH": f"{tool.parent}"})
    daemon.service("b", "unheard-of-tool")
    daemon.start(etc_environment=b"PATH=/usr/bin:/bin\n")
    daemon.wait_state("a", "Running")
    daemon.wait_state("b", "Failure")


def test_a_missing_etc_environment_is_fine(daemon):
    daemon.service("a", "sleep 1000")
    (daemon.dir / "etc").mkdir()
    daemon.start(argv=["/bin/sh", "-c", '/bin/mount --bind "$0" /etc && exec "$@"', daemon.path("etc"), *daemon.arguments()])
    daemon.wait_state("a", "Running")


def test_a_probe_sees_it_too(daemon):
    out = daemon.path("out")
    daemon.service("a", "sleep 1000", test=f"cp /proc/self/environ {out}", env={"MARK": "m"})
    daemon.start(etc_environment=b"ETC=1\n")
    daemon.wait_state("a", "Running")
    items = wait_until(lambda: open(out, "rb").read().split(b"\0"))
    assert b"MARK=m" in items and b"ETC=1" in items
