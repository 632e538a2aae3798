"""The proxy under public tools: sslscan finds nothing that is old or weak, slowhttptest holds nobody up."""
import re
import shutil
import subprocess

import pytest
from test_tls import secure, world  # noqa: F401 (fixtures)
from web import call, needs_proxy, needs_tls, post, proxy

pytestmark = needs_proxy
TOO_LONG = 120


def needs(tool):
    return pytest.mark.skipif(not shutil.which(tool), reason=f"no {tool} here")


@needs_tls
@needs("sslscan")
def test_sslscan_finds_nothing_old(secure):  # noqa: F811
    done = subprocess.run(["sslscan", "--no-colour", f"127.0.0.1:{secure.server.port}"], capture_output=True, text=True,
                          timeout=TOO_LONG)
    versions = dict(re.findall(r"^(SSLv2|SSLv3|TLSv1\.\d)\s+(enabled|disabled)$", done.stdout, re.M))
    assert versions.pop("TLSv1.2") == "enabled", done.stdout
    versions.pop("TLSv1.3", None)
    assert versions and set(versions.values()) == {"disabled"}
    suites = re.findall(r"^(?:Preferred|Accepted)\s+TLSv1\.\d\s+(\d+) bits\s+(\S+)", done.stdout, re.M)
    assert suites
    for bits, suite in suites:
        assert int(bits) >= 128 and re.search(r"GCM|CHACHA20|CCM", suite), suite
    assert not re.search(r"Compression enabled", done.stdout)
    assert not re.search(r"vulnerable to heartbleed", re.sub(r"not vulnerable to heartbleed", "", done.stdout))
    groups = re.findall(r"^TLSv1\.\d\s+\d+ bits\s+(\S+)", done.stdout, re.M)
    assert not [group for group in groups if not re.search(r"25519|256", group)], groups


@needs("slowhttptest")
@pytest.mark.parametrize("kind", ["-H", "-B", "-X"])
def test_slow_clients_hold_nobody_up_and_are_dropped(world, tmp_path, kind):  # noqa: F811
    """Slow heads, slow bodies, slow readers: others are served meanwhile, and in the end no connection is left."""
    server = proxy(world)
    url = f"http://127.0.0.1:{server.port}/"
    command = ["slowhttptest", kind, "-c", "150", "-r", "150", "-i", "5", "-l", "40", "-p", "3", "-x", "24", "-u", url,
               "-t", "POST", "-f", "application/json", "-s", "8192", "-w", "10", "-y", "20", "-n", "5", "-z", "32"]
    with open(tmp_path / "out", "wb") as out:
        tool = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=tmp_path)
    served = 0
    try:
        while tool.poll() is None:
            assert server.ask(post(call("service_list"))).json()["result"] == {"a": "Running"}
            served += 1
            try:
                tool.wait(0.2)
            except subprocess.TimeoutExpired:
                pass
    finally:
        tool.kill()
        tool.wait()
    said = re.sub(rb"\x1b\[[0-9;]*[A-Za-z]", b"", (tmp_path / "out").read_bytes()).decode(errors="replace")
    assert served and "NO" not in re.findall(r"service available:\s+(\w+)", said), said[-2000:]
