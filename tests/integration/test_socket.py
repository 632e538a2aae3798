"""The control socket: one daemon per path, and nothing foreign is ever removed."""
import os
import shutil
import socket
import stat
import subprocess
import time

import pytest
from zinit import PATIENCE, SLACK, ZINIT, children, cli, is_error, needs, wait_until

SLEEP = "sleep 1000"


def init(daemon, path):
    """A second init, outside of the namespace, that must give up."""
    return cli("-s", str(path), "init", "--container", "-c", str(daemon.config), timeout=30)


def test_its_mode_is_0600_whatever_the_umask(daemon):
    daemon.start(before=lambda: os.umask(0))
    found = os.stat(daemon.socket).st_mode
    assert stat.S_ISSOCK(found) and stat.S_IMODE(found) == 0o600


def test_a_stale_socket_is_replaced(daemon):
    daemon.service("a", SLEEP)
    daemon.start()
    daemon.kill()
    assert os.path.exists(daemon.socket)
    start = time.monotonic()
    daemon.start()
    assert time.monotonic() - start < 1 + SLACK
    daemon.wait_state("a", "Running")


def test_a_second_init_is_refused_and_takes_nothing_away(daemon):
    daemon.service("a", SLEEP)
    daemon.start()
    pid = daemon.wait_state("a", "Running")["pid"]
    inode = os.stat(daemon.socket).st_ino
    done = init(daemon, daemon.socket)
    assert done.code == 1 and daemon.socket in done.err
    assert os.stat(daemon.socket).st_ino == inode
    assert daemon.status("a")["pid"] == pid


def test_ten_starters_at_once_give_one_winner(daemons):
    first = daemons()
    first.start()
    first.kill()
    starters = [daemons() for _ in range(10)]
    for starter in starters:
        starter.socket = first.socket
        starter.service("a", SLEEP)
    for starter in starters:
        starter.launch()

    def alone():
        alive = [starter for starter in starters if starter.process.poll() is None]
        return alive if len(alive) <= 1 else None

    winner, = wait_until(alone)
    wait_until(winner.answers)
    for starter in starters:
        if starter is not winner:
            assert starter.wait_exit() == 1
            assert starter.socket in starter.output()
    winner.wait_state("a", "Running")
    assert len(winner.procs()) == 1
    winner.stop()
    with pytest.raises(OSError):
        first.connect()


@pytest.mark.parametrize("kind", ["file", "folder", "link to a file", "dangling link", "fifo"])
def test_what_is_no_socket_is_never_removed(daemon, kind):
    path = daemon.dir / "thing"
    target = daemon.dir / "target"
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        if kind == "link to a file":
            target.write_text("precious")
        path.symlink_to(target)
    before = os.lstat(path)
    done = init(daemon, path)
    assert done.code == 1 and str(path) in done.err
    assert os.lstat(path).st_ino == before.st_ino
    assert not target.exists() or target.read_text() == "precious"


@pytest.mark.parametrize("accepts", [True, False])
def test_a_foreign_socket_that_lives_is_never_removed(daemon, accepts):
    path = daemon.dir / "foreign"
    with socket.socket(socket.AF_UNIX) as foreign:
        foreign.bind(str(path))
        foreign.listen(100 if accepts else 0)
        held = []
        if not accepts:
            for _ in range(3):
                held.append(socket.socket(socket.AF_UNIX))
                held[-1].setblocking(False)
                try:
                    held[-1].connect(str(path))
                except BlockingIOError:
                    break
        inode = os.stat(path).st_ino
        done = init(daemon, path)
        assert done.code == 1 and str(path) in done.err
        assert os.stat(path).st_ino == inode
        for filler in held:
            filler.close()


def test_a_missing_folder_is_made(daemon):
    daemon.socket = daemon.path("x/y/s")
    daemon.start()
    assert daemon.list() == {}


def test_a_folder_that_cannot_be_made_is_an_error(daemon):
    (daemon.dir / "file").write_text("")
    done = init(daemon, daemon.dir / "file" / "s")
    assert done.code == 1 and str(daemon.dir / "file") in done.err


def test_a_relative_path_is_the_callers(daemon):
    daemon.start(argv=["/bin/sh", "-c", 'cd "$0" && exec "$@"', str(daemon.dir), ZINIT, "-s", "s", "init", "--container", "-c",
                       str(daemon.config)])
    assert daemon.list() == {} and not (daemon.config / "s").exists()


def test_without_a_path_it_listens_on_both_default_paths(daemon):
    needs("LEGACY_SOCKET", "the second socket")
    if os.geteuid() != 0 or not shutil.which("nsenter"):
        pytest.skip("needs root and nsenter for a /run and a /tmp of its own")
    daemon.service("a", SLEEP)
    shutil.copy(ZINIT, daemon.dir / "zinit")
    script = ('mkdir -p /mnt && mount --bind "$0" /mnt && mount -t tmpfs -o mode=1777 none /tmp && mount -t tmpfs none /run && '
              '{ [ -L /var/run ] || mount -t tmpfs none /var/run; } && exec /mnt/zinit init --container -c /mnt/c')
    daemon.launch(argv=["/bin/sh", "-c", script, str(daemon.dir)], env={"PATH": os.environ["PATH"]})

    def inside():
        for pid in children(daemon.process.pid):
            with open(f"/proc/{pid}/comm") as file:
                if file.read() == "zinit\n":
                    return pid

    daemon.pid = pid = wait_until(inside)
    root = f"/proc/{pid}/root"
    for path in ("/var/run/zinit.sock", "/tmp/zinit.sock"):
        real = root + ("/run/zinit.sock" if path.startswith("/var/run") and os.path.islink("/var/run") else path)
        daemon.socket = real
        wait_until(lambda: os.path.exists(real) and daemon.answers(), what=path)
        assert stat.S_IMODE(os.stat(real).st_mode) == 0o600
        wait_until(lambda: daemon.list() == {"a": "Running"})
    enter = ["nsenter", "-t", str(pid), "-m", "-p", "/mnt/zinit", "list"]
    for missing in (None, "/run/zinit.sock", "/tmp/zinit.sock"):
        if missing:
            os.unlink(root + missing)
        done = subprocess.run(enter, capture_output=True, text=True, timeout=PATIENCE, env={"PATH": os.environ["PATH"]})
        if missing != "/tmp/zinit.sock":
            assert (done.returncode, done.stdout) == (0, "---\na: Running\n"), done
        else:
            assert done.returncode == 1 and "cannot connect to /var/run/zinit.sock: No such file or directory" in done.stderr


def test_connections_that_say_nothing_harm_nobody(daemon):
    daemon.service("a", SLEEP)
    daemon.start()
    silent = [daemon.connect() for _ in range(60)]
    silent[0].sendall(b'{"jsonrpc":"2.0","id":1,"method":"service_')
    silent[1].sendall(b"\n\n   \n")
    assert daemon.wait_state("a", "Running")
    for connection in silent:
        connection.close()
    before = daemon.output()
    for _ in range(50):
        daemon.connect().close()
    assert daemon.list() == {"a": "Running"}
    assert daemon.output() == before


def test_a_client_may_half_close_after_its_request(daemon):
    daemon.service("a", SLEEP)
    daemon.start()
    daemon.wait_state("a", "Running")
    for request in (daemon.request("service_list"), daemon.request("service_list").strip()):
        with daemon.connect() as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            reply = b""
            while chunk := connection.recv(4096):
                reply += chunk
        assert reply.endswith(b'"result":{"a":"Running"}}\n') and reply.count(b"\n") == 1


def test_requests_need_no_newline(daemon):
    daemon.start()
    reply = daemon.raw(daemon.request("service_list").strip())
    assert reply.startswith(b'{"jsonrpc":"2.0","id":') and reply.endswith(b',"result":{}}\n')


def test_many_clients_at_once(daemon):
    daemon.service("a", SLEEP)
    daemon.start()
    daemon.wait_state("a", "Running")
    processes = [daemon.popen("list") for _ in range(60)]
    for process in processes:
        assert process.communicate(timeout=PATIENCE) == (b"---\na: Running\n", b"")


def test_the_errors_of_a_bad_socket_are_one_line(daemon):
    (daemon.dir / "file").write_text("")
    done = init(daemon, daemon.dir / "file")
    is_error(type(done)(done.code, "", done.err))
