"""While nothing happens, the daemon does not wake up."""
from zinit import BANNER, holds, sh, status_field, wait_until


def switches(daemon):
    return tuple(int(status_field(daemon.pid, f"{kind}_ctxt_switches")) for kind in ("voluntary", "nonvoluntary"))


def sleeps_through(daemon, seconds):
    """Nothing is asked meanwhile. The last request may still be in the works at the beginning."""
    settled = {"now": switches(daemon)}

    def settle():
        before, settled["now"] = settled["now"], switches(daemon)
        return before == settled["now"]

    wait_until(settle)
    holds(lambda: True, 0.5)
    before = switches(daemon)
    holds(lambda: True, seconds)
    assert switches(daemon) == before


def test_fifty_services_cost_no_wakeup(daemon):
    for number in range(50):
        daemon.service(f"s{number}", "sleep 1000", **({"test": "true"} if number % 2 else {}))
    daemon.service("blocked", "sleep 1000", after=["ghost"])
    daemon.service("done", "true", oneshot=True)
    daemon.start()
    wait_until(lambda: sorted(daemon.list().values()) == ["Blocked"] + ["Running"] * 50 + ["Success"])
    sleeps_through(daemon, 4)


def test_waiting_clients_cost_no_wakeup(daemon):
    daemon.service("a", sh("echo x; trap '' TERM; exec sleep 1000"), shutdown_timeout=99999999)
    daemon.start()
    wait_until(lambda: daemon.log("a") == [f"[-] a: {BANNER}", "[+] a: x"])
    with open(daemon.path("followed"), "wb") as file:
        daemon.popen("log", stdout=file)
    wait_until(lambda: b"[+] a: x" in open(daemon.path("followed"), "rb").read())
    connections = [daemon.connect() for _ in range(10)]
    connections[0].sendall(b'{"jsonrpc":')
    sleeps_through(daemon, 3)
    for connection in connections:
        connection.close()


def test_after_the_last_question_for_stats_init_sleeps_again(daemon):
    daemon.service("a", "sleep 1000")
    daemon.start()
    daemon.wait_all()
    assert daemon.rpc("service_stats", ["a"])["pid"]
    holds(lambda: True, 7)
    sleeps_through(daemon, 3)
