"""Programs and libraries that people use, against the proxy; each is skipped where it is not there.

What comes from a registry is fetched once and kept, as for test_clients.py.
"""
import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import urllib.parse

import pytest
from test_clients import FETCH_PATIENCE, SOURCES, digest, fetched, need, once
from web import Server, call, needs_proxy, proxy
from zinit import PATIENCE, sh, wait_until

pytestmark = needs_proxy
TYPE = ["-H", "Content-Type: application/json"]


def tool(name):
    path = shutil.which(name)
    if not path:
        pytest.skip(f"no {name} here")
    return path


@pytest.fixture
def world(daemon):
    daemon.service("a", "sleep 1000")
    daemon.service("talk", sh("while :; do echo hello; sleep 0.05; done"), log="ring")
    daemon.start()
    daemon.wait_all()
    return daemon


@pytest.fixture
def http(world):
    return proxy(world)


def run(*argv, **options):
    done = subprocess.run([str(word) for word in argv], capture_output=True, timeout=PATIENCE, stdin=subprocess.DEVNULL, **options)
    assert done.returncode == 0, done
    return done.stdout.decode()


def test_curl(world, http):
    curl, url = tool("curl"), f"http://localhost:{http.port}/"
    assert json.loads(run(curl, "-sSf", *TYPE, "-d", call("service_list"), url))["result"]["a"] == "Running"
    assert "HTTP/1.1 415" in run(curl, "-sSi", "-d", call("service_list"), url)
    assert "HTTP/1.1 200" in run(curl, "-sSi", "-I", url)
    answer = json.loads(run(curl, "-sSf", "--unix-socket", world.socket, *TYPE, "-d", call("service_list"), "http://x/"))
    assert answer["result"]["a"] == "Running"
    # It waits for the server to go on when a body is large.
    large = world.dir / "large"
    large.write_text(call("service_status", ["x" * (2 * 1024 * 1024)]))
    told = run(curl, "-sSi", *TYPE, "--data-binary", f"@{large}", url)
    assert told.startswith("HTTP/1.1 100 Continue") and "HTTP/1.1 200" in told
    told = run(curl, "-sSi", *TYPE, "-H", "Transfer-Encoding: chunked", "--data-binary", f"@{large}", url)
    assert "HTTP/1.1 200" in told


def test_python_requests(http):
    requests = pytest.importorskip("requests")
    url = f"http://127.0.0.1:{http.port}/rpc"
    with requests.Session() as session:
        for id in range(20):
            answer = session.post(url, json={"jsonrpc": "2.0", "id": id, "method": "service_status", "params": {"name": "a"}})
            assert answer.status_code == 200 and answer.json()["id"] == id
        assert session.post(url, data="x").status_code == 415
        assert session.get(f"http://127.0.0.1:{http.port}/healthz").text == "ok\n"


def test_python_websockets(http):
    websockets = pytest.importorskip("websockets")

    async def talk():
        async with websockets.connect(f"ws://localhost:{http.port}/x") as web:
            await web.send(call("service_list"))
            assert json.loads(await web.recv())["result"]["a"] == "Running"
            await web.send(["[", call("nope"), "]"])
            assert json.loads(await web.recv())[0]["error"]["code"] == -32601
            await (await web.ping())
            await web.send(call("stream_subscribeLogs", ["talk"]))
            assert "result" in json.loads(await web.recv())
            for _ in range(5):
                assert json.loads(await web.recv())["params"]["result"].endswith("talk: hello")

    asyncio.run(asyncio.wait_for(talk(), PATIENCE))


def test_npm_ws(http):
    need("node", "npm")
    source = SOURCES / "ws"

    def make(folder):
        for file in ("package.json", "package-lock.json"):
            shutil.copy(source / file, folder)
        fetched(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=0",
                 "--fetch-timeout=30000"], cwd=folder)

    folder = once("npm-ws", digest("ws/package.json", "ws/package-lock.json"), make)
    env = {**os.environ, "NODE_PATH": str(folder / "node_modules")}
    assert run("node", source / "calls.js", f"127.0.0.1:{http.port}", env=env) == "ok\n"


def test_rust_jsonrpsee(world, http):
    """HTTP and WebSocket, also with a token."""
    need("cargo")
    source = SOURCES / "jsonrpsee-http"

    def make(folder):
        manifest = ["--locked", "--manifest-path", str(source / "Cargo.toml")]
        fetched(["cargo", "fetch", "--quiet", *manifest],
                env={**os.environ, "CARGO_NET_RETRY": "0", "CARGO_HTTP_TIMEOUT": "30"})
        subprocess.run(["cargo", "build", "--quiet", "--offline", *manifest, "--target-dir", str(folder)], check=True,
                       timeout=FETCH_PATIENCE)

    files = ("Cargo.toml", "Cargo.lock", "src/main.rs")
    program = once("cargo-http", digest(*(f"jsonrpsee-http/{file}" for file in files)), make) / "debug" / "http"
    assert run(program, f"127.0.0.1:{http.port}") == "ok\n"
    tokens = world.dir / "tokens"
    tokens.write_text("a-token-of-ours\n")
    tokens.chmod(0o600)
    assert run(program, f"127.0.0.1:{proxy(world, '--token-file', tokens).port}", "a-token-of-ours") == "ok\n"


# -- a browser ---------------------------------------------------------------------------------

PAGE = """<!doctype html><script>
const http = "http://HOST", ws = "ws://HOST", call = '{"jsonrpc":"2.0","id":1,"method":"service_stop","params":["a"]}';
const attempts = {
    json: async () => (await fetch(http, {method: "POST", headers: {"content-type": "application/json"}, body: call})).text(),
    text: async () => (await fetch(http, {method: "POST", mode: "no-cors", body: call})).type,
    page: async () => (await fetch(http + "/metrics")).text(),
    health: async () => (await fetch(http + "/healthz", {headers: {"authorization": "Bearer a-token-of-ours"}})).text(),
    socket: () => new Promise((good, bad) => {
        const web = new WebSocket(ws);
        web.onopen = () => { web.send(call); };
        web.onmessage = (event) => good(event.data);
        web.onerror = web.onclose = () => bad(new Error("closed"));
    }),
};
(async () => {
    const result = {};
    for (const [name, attempt] of Object.entries(attempts))
        try { result[name] = await attempt(); } catch (error) { result[name] = "refused"; }
    fetch("/done?" + encodeURIComponent(JSON.stringify(result)));
})();
</script>"""


@pytest.fixture
def site(world):
    """A web server on another port: another origin."""
    folder = world.dir / "site"
    folder.mkdir()
    log = open(world.dir / "site.log", "w")
    server = Server("python3", "-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", folder, "0", stderr=log)
    log.close()
    server.port = int(server.first.split(" port ")[1].split()[0])
    server.folder, server.log = folder, world.dir / "site.log"
    world._helpers.append(server.process)
    return server


def browse(world, site, target, page_host="127.0.0.1", *options):
    """What the page could do: its own server is told in the end."""
    chrome = shutil.which("chromium") or tool("google-chrome")
    (site.folder / "page.html").write_text(PAGE.replace("HOST", target))
    log = world.dir / "chrome.log"
    with open(log, "wb") as out:
        browser = subprocess.Popen([chrome, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                                    "--no-first-run", "--no-proxy-server", f"--user-data-dir={world.dir / 'chrome'}", *options,
                                    "--remote-debugging-port=0", f"http://{page_host}:{site.port}/page.html"],
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
    try:
        found = wait_until(lambda: browser.poll() is not None or re.search(r"GET /done\?(\S+)", site.log.read_text()),
                           what="the page tells what it could do")
        if found is True:
            pytest.skip(f"the browser does not run here: {log.read_text()[-300:]!r}")
        return json.loads(urllib.parse.unquote(found[1]))
    finally:
        os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()


def test_a_page_of_another_origin_cannot_call(world, http, site):
    result = browse(world, site, f"127.0.0.1:{http.port}")
    assert result == {"json": "refused", "text": "opaque", "page": "refused", "health": "refused", "socket": "refused"}
    assert world.status("a")["target"] == "Up"


def test_a_name_made_to_point_at_us_cannot_call(world, http, site):
    """The page and the proxy have one name, as after DNS rebinding."""
    result = browse(world, site, f"evil.example:{http.port}", "evil.example",
                    "--host-resolver-rules=MAP evil.example 127.0.0.1")
    assert result["json"] == "refused" and result["socket"] == "refused" and result["page"] == "refused"
    assert world.status("a")["target"] == "Up"


def test_a_page_of_an_allowed_origin_can_call(world, site):
    http = proxy(world, "--allow-origin", f"http://127.0.0.1:{site.port}")
    result = browse(world, site, f"127.0.0.1:{http.port}")
    assert json.loads(result["json"])["result"] is None and json.loads(result["socket"])["result"] is None
    assert result["page"].endswith("# EOF\n") and result["health"] == "ok\n"
    assert world.status("a")["target"] == "Down"


@pytest.mark.parametrize("allowed", ["*", None])
def test_a_page_of_an_allowed_origin_can_send_a_token(world, site, allowed):
    tokens = world.dir / "tokens"
    tokens.write_text("a-token-of-ours\n")
    tokens.chmod(0o600)
    http = proxy(world, "--allow-origin", allowed or f"http://127.0.0.1:{site.port}", "--token-file", tokens)
    result = browse(world, site, f"127.0.0.1:{http.port}")
    assert result["health"] == "ok\n" and result["socket"] == "refused" and "token is required" in result["page"]
    assert world.status("a")["target"] == "Up"
