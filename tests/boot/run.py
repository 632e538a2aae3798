"""`make boot`: zinit as process 1 of a machine, in qemu, with Debian's cloud kernel.

Each story is one boot of an initramfs that holds zinit as /init, its libraries,
busybox and the story's service files. What happened is read from the serial
console. Usage: run.py ZINIT WORKDIR [STORY...]

ARCH=aarch64 boots Debian's arm64 kernel with a static zinit for that machine.
"""

import concurrent.futures
import glob
import gzip
import os
import re
import shutil
import stat
import subprocess
import sys
import threading
import time

DEADLINE = 60  # seconds for one story; a boot takes about 2
ARCH = os.environ.get("ARCH") or "x86_64"
MACHINES = {  # qemu, its machine, the console, Debian's name, how many times slower than a pc here
    "x86_64": ("qemu-system-x86_64", "pc", "ttyS0", "amd64", 1),
    "aarch64": ("qemu-system-aarch64", "virt", "ttyAMA0", "arm64", 3),
}
QEMU, MACHINE, CONSOLE, DEBIAN, SLOWNESS = MACHINES[ARCH]
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEADLINE *= SLOWNESS
sys.path.insert(0, f"{ROOT}/configs")
from initramfs import Cpio  # noqa: E402
BUSYBOX = "/bin/busybox" if ARCH == "x86_64" else f"{sys.argv[2]}/kernel/bin/busybox"
LEAST_MB, SHARED_MB = 72 if ARCH == "x86_64" else 160, 4  # in less this kernel does not boot, whatever runs there; and for shared libraries


# ---- what is booted ----


def kernel(work):
    """Debian's kernel image, fetched as a package and unpacked beside the build."""
    found = glob.glob(f"{work}/kernel/boot/vmlinuz-*")
    if found:
        return found[0]
    if ARCH != "x86_64":
        subprocess.run(["sh", f"{ROOT}/configs/fetch-deb.sh", f"{work}/foreign", DEBIAN, f"linux-image-cloud-{DEBIAN}",
                        "busybox-static"], check=True)
        os.rename(f"{work}/foreign/root", f"{work}/kernel")
        return glob.glob(f"{work}/kernel/boot/vmlinuz-*")[0]
    depends = subprocess.run(["apt-cache", "depends", "linux-image-cloud-amd64"], capture_output=True, text=True).stdout
    names = re.findall(r"Depends: (linux-image-\S+)", depends)
    if not names:
        sys.exit("boot: no package linux-image-cloud-amd64 known here (Debian amd64, after apt-get update)")
    os.makedirs(work, exist_ok=True)
    subprocess.run(["apt-get", "download", "-q", names[0]], cwd=work, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    subprocess.run(["dpkg-deb", "-x", glob.glob(f"{work}/linux-image-*.deb")[0], f"{work}/kernel"], check=True)
    return glob.glob(f"{work}/kernel/boot/vmlinuz-*")[0]


def libraries(program):
    """The shared objects of a program, with the loader; none for a static one."""
    out = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    return re.findall(r"(/\S+\.so\S*)", out)


def stripped(program, work):
    small = f"{work}/zinit"
    subprocess.run(["strip", "-o", small, program], check=True)
    return small


def read(path):
    with open(path, "rb") as file:
        return file.read()


# As an initramfs does it: the real root is another file system, and init runs there.
SWITCH = """#!/bin/sh
mkdir /new
mount -t tmpfs none /new
for dir in bin sbin lib lib64 usr etc; do test -e /$dir && cp -a /$dir /new; done
mkdir /new/dev /new/proc /new/sys /new/run /new/tmp /new/var
exec switch_root /new /sbin/init "$@"
"""


def initramfs(zinit, files, console=True, init=None, busybox=True):
    cpio = Cpio()
    for folder in ("dev", "proc", "sys", "run", "tmp", "var/run", "etc"):
        cpio.folder(folder)
    if console:
        cpio.entry("dev/console", stat.S_IFCHR | 0o600, b"", 5, 1)
    cpio.file("sbin/zinit", read(zinit))
    cpio.link("sbin/init", "zinit")
    if init:
        cpio.file("init", init.encode())
    else:
        cpio.link("init", "/sbin/zinit")
    for library in libraries(zinit):
        cpio.file(library, read(library))
    if busybox:
        cpio.file("bin/busybox", read(BUSYBOX))
    for applet in "sh sleep kill cat echo reboot poweroff halt ps mount touch test true false seq grep date mkdir cp switch_root readlink".split():
        cpio.link(f"bin/{applet}", "busybox")
    for path, text in files.items():
        cpio.file(path, text.encode(), 0o644)
    return cpio.end()


# ---- a machine ----


class Machine:
    def __init__(self, zinit, name, files, kernel, words="", memory=128, image=None, **image_of):
        if not image:
            image = f"{name}.cpio.gz"
            with open(image, "wb") as file:
                file.write(gzip.compress(initramfs(zinit, files, **image_of), 6))
        self.log, self.changed = "", threading.Condition()
        self.process = subprocess.Popen(
            [QEMU, "-M", MACHINE, "-accel", "tcg", "-cpu", "max", "-m", str(memory), "-nographic",
             "-no-reboot", "-nic", "none", "-serial", "stdio", "-monitor", "none", "-kernel", kernel, "-initrd",
             image, "-append", f"console={CONSOLE} quiet panic=-1 {words}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            with self.changed:
                self.log += line.decode(errors="replace").replace("\r", "")
                self.changed.notify_all()
        with self.changed:
            self.log += "<end>\n"
            self.changed.notify_all()

    def wait(self, pattern, after=0):
        """Until the pattern is on the console; its end there."""
        until = time.monotonic() + DEADLINE
        with self.changed:
            while True:
                found = re.compile(pattern, re.M).search(self.log, after)
                if found:
                    return found.end()
                if "<end>" in self.log or "Kernel panic" in self.log:
                    raise AssertionError(f"the machine ended before {pattern!r}")
                if not self.changed.wait(until - time.monotonic()):
                    raise AssertionError(f"not within {DEADLINE} s: {pattern!r}")

    def ended(self):
        """Until the machine has powered off or rebooted by itself."""
        self.process.wait(DEADLINE)
        with self.changed:
            while "<end>" not in self.log:
                self.changed.wait(5)
        assert "Kernel panic" not in self.log, "the kernel panicked"

    def close(self):
        self.process.kill()
        self.process.wait()


def order(log, *patterns):
    at = 0
    for pattern in patterns:
        found = re.compile(pattern, re.M).search(log, at)
        assert found, f"{pattern!r} is not on the console, or not in its turn"
        at = found.end()


# ---- stories ----

# Up once it has said so: what comes after it on the console started after it.
STOPPED = ("exec: sh -c 'trap \"echo STOPPED {0}; exit 0\" TERM; echo STARTED {0}; touch /tmp/{0}; "
           "while :; do sleep 0.1; done'\ntest: test -e /tmp/{0}\nlog: stdout\n")
TREE = {
    "etc/zinit/a.yaml": STOPPED.format("a"),
    "etc/zinit/b.yaml": STOPPED.format("b") + "after: [a]\n",
    "etc/zinit/c.yaml": STOPPED.format("c") + "after: [b]\n",
}


def last(script, after="c"):
    """A oneshot that runs a script when the tree is up."""
    return {"etc/zinit/z.yaml": f"exec: sh -c '{script}'\noneshot: true\nlog: stdout\n" +
                                (f"after: [{after}]\n" if after else "")}


def boots_and_powers_off(start):
    """Boots with words that nobody knows, starts in order, lists, powers off in reverse order."""
    m = start({**TREE, **last("zinit list; echo LISTED; cat /proc/1/comm; zinit shutdown")},
              words="splash single x=y -z --frob")
    m.ended()
    order(m.log, "STARTED a", "STARTED b", "STARTED c", "a: Running", "LISTED", "^zinit$", "STOPPED c", "STOPPED b",
          "STOPPED a", "powering off")


def in_little_memory(start):
    """The least memory that the kernel itself needs, and no other program than zinit."""
    m = start({"etc/zinit/a.yaml": "exec: zinit log\nlog: none\n",
               "etc/zinit/b.yaml": "exec: zinit list\noneshot: true\nlog: stdout\nafter: [a]\n",
               "etc/zinit/c.yaml": "exec: zinit shutdown\noneshot: true\nafter: [b]\n"}, memory=LEAST_MB + (SHARED_MB if libraries(sys.argv[1]) else 0),
              busybox=False)
    m.ended()
    order(m.log, "a: Running", "powering off")


def console_missing(start):
    """No /dev/console in the image, /dev, /proc and /sys empty: found and mounted."""
    m = start({**TREE, **last("test -e /proc/1/stat && test -d /sys/kernel && test -c /dev/null && test -d /dev/pts "
                              "&& test -w /dev/shm && echo MOUNTED; zinit shutdown")}, console=False)
    m.ended()
    order(m.log, "MOUNTED", "powering off")


def after_switch_root(start):
    """/init is a script; its switch_root leads to a tmpfs with zinit as /sbin/init."""
    m = start({**TREE, **last("grep -q \"^none / tmpfs\" /proc/mounts && test -e /sys/kernel && test ! -e /init && "
                              "readlink /proc/1/exe; zinit list; zinit shutdown")}, init=SWITCH)
    m.ended()
    order(m.log, "STARTED a", "STARTED c", "^/sbin/zinit$", "a: Running", "STOPPED c", "STOPPED a", "powering off")


def as_sbin_init(start):
    """The kernel runs /sbin/init: the same program by that name."""
    m = start({**TREE, **last("cat /proc/1/comm; zinit reboot")}, words="rdinit=/sbin/init")
    m.ended()
    order(m.log, "STARTED c", "^zinit$", "STOPPED a", "rebooting the machine")


def killing_everything(start):
    """kill -9 -1 as root: process 1 stays, and everything comes back."""
    killer = "test -e /tmp/done && sleep 1000; touch /tmp/done; kill -9 -1; kill -9 $$"
    m = start({**TREE, "etc/zinit/killer.yaml": f"exec: sh -c '{killer}'\nlog: stdout\nafter: [c]\n"})
    at = m.wait("STARTED c")
    for name in "abc":
        m.wait(f"STARTED {name}", at)
    m.close()


def crashing(start):
    """A service that crashes is started again."""
    m = start({"etc/zinit/crash.yaml": "exec: sh -c 'echo RUN; kill -SEGV $$'\nlog: stdout\n"})
    at = m.wait("RUN")
    m.wait("RUN", m.wait("SIGSEGV", at))
    m.close()


def signals(start):
    """Ctrl-Alt-Del (SIGINT) and what busybox sends: each ends the machine in order."""
    for word, says in {"kill -INT 1": "rebooting the machine", "reboot": "rebooting the machine",
                       "poweroff": "powering off", "kill -PWR 1": "powering off", "halt": "halted"}.items():
        m = start({"etc/zinit/a.yaml": TREE["etc/zinit/a.yaml"], **last(word, after="a")})
        m.wait(says)
        order(m.log, "STARTED a", "STOPPED a", says)
        if says != "halted":
            m.ended()
        m.close()


def nothing_to_do(start):
    """No config folder at all: says so and stays up, also without a place for its socket."""
    m = start({})
    m.wait("cannot read the config folder.*starting with no services")
    at = m.wait("zinit: ")
    try:
        m.process.wait(3)
    except subprocess.TimeoutExpired:
        pass
    assert m.process.poll() is None and "panic" not in m.log[at:], "it did not stay up"
    m.close()


def config_is_a_file(start):
    """A config folder that is a file, and orphans by the hundred: still up, still reaping."""
    m = start({"etc/other": "", "etc/zinit/o.yaml":
               "exec: sh -c 'for i in $(seq 300); do (sleep 0.01 &); done; sleep 1; "
               "echo ZOMBIES $(cat /proc/[0-9]*/stat 2>/dev/null | grep -c \") Z \"); zinit shutdown'\noneshot: true\nlog: stdout\n"})
    m.ended()
    order(m.log, "ZOMBIES [01]$", "powering off")
    m = start({"etc/zinit": "a file\n"})
    m.wait("cannot read the config folder")
    m.close()


def a_fault_in_init(start):
    """SIGSEGV in process 1: said on the console, and the machine goes on."""
    m = start({"etc/zinit/a.yaml": "exec: sh -c 'kill -SEGV 1; while :; do (true &); echo STILL HERE; sleep 0.5; done'\nlog: stdout\n"})
    at = m.wait("FATAL SIGSEGV in init")
    m.wait("STILL HERE", m.wait("STILL HERE", at))
    m.close()


def the_clock_jumps(start):
    """The clock an hour back and forth: restarts and graces keep their time."""
    m = start({"etc/zinit/crash.yaml": "exec: sh -c 'echo RUN; exit 1'\nlog: stdout\n",
               **last("date -s 2020-01-01; sleep 3; date -s 2040-01-01; sleep 3; echo JUMPED; zinit status crash; "
                      "zinit stop crash; zinit log -s -t | grep RUN; zinit shutdown", after="")})
    m.ended()
    order(m.log, "RUN", "RUN", "RUN", "JUMPED", "since: .2040-", "powering off")


def full_and_read_only(start):
    """A full disk and a read-only root: services start, crash and stop all the same."""
    m = start({**last("mount -t tmpfs -o size=4k none /tmp; cat /sbin/zinit >/tmp/x; mount -o remount,ro /; "
                      "zinit restart a && zinit list && echo FINE; zinit shutdown", after="a"),
               "etc/zinit/a.yaml": "exec: sh -c 'echo HELLO; exec sleep 1000'\nlog: stdout\n"}, memory=160)
    m.ended()
    order(m.log, "HELLO", "HELLO", "a: Running", "FINE", "powering off")


def the_example_image(start):
    """What make initramfs makes: its example services run."""
    image = f"{sys.argv[2]}/example.cpio.gz"
    if libraries(sys.argv[1]):
        return  # only a static program fits into it
    subprocess.run([sys.executable, f"{ROOT}/configs/initramfs.py", sys.argv[1], image, "--busybox", BUSYBOX, "--services",
                    f"{ROOT}/configs/initramfs", "--link", "zinit-list"], check=True, stdout=subprocess.DEVNULL)
    m = start({}, image=image)
    m.wait("zinit runs on .*, kernel ")
    m.close()


STORIES = [boots_and_powers_off, the_example_image, in_little_memory, console_missing, after_switch_root, as_sbin_init, killing_everything,
           crashing, signals, nothing_to_do, config_is_a_file, a_fault_in_init, the_clock_jumps, full_and_read_only]


def tell(story, zinit, work):
    """Runs one story; what to print, and whether it went well."""
    machines, began = [], time.monotonic()

    def start(files, **how):
        machines.append(Machine(zinit, f"{work}/{story.__name__}", files, kernel(work), **how))
        return machines[-1]

    try:
        story(start)
        return f"ok    {story.__name__} ({time.monotonic() - began:.0f} s): {story.__doc__}", True
    except (AssertionError, subprocess.TimeoutExpired) as error:
        return f"FAIL  {story.__name__}: {error}\n--- console:\n{machines[-1].log if machines else ''}---", False
    finally:
        for machine in machines:
            machine.close()


def main():
    zinit, work, *wanted = sys.argv[1:]
    if not shutil.which(QEMU) or not os.path.exists("/bin/busybox"):
        sys.exit(f"boot: {QEMU} and busybox-static are needed")
    kernel(work)
    zinit = stripped(zinit, work) if ARCH == "x86_64" else zinit
    stories = [story for story in STORIES if not wanted or story.__name__ in wanted]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for text, good in pool.map(lambda story: tell(story, zinit, work), stories):
            print(text, flush=True)
            failed += not good
    print(f"{len(stories) - failed} passed, {failed} failed")
    return failed != 0


sys.exit(main())
