"""`make initramfs`: zinit as /init, its links, example services, and busybox where there is one for that machine.

Usage: initramfs.py ZINIT OUT [--busybox FILE] [--services DIR] [--link NAME...]
No right of root is needed, and the same input gives the same bytes.
"""
import argparse
import gzip
import pathlib
import stat
import sys

BUSYBOX = "sh ash cat cp echo false grep halt kill ls mkdir mount mv poweroff ps reboot rm seq sleep switch_root test true umount".split()
FOLDERS = "bin dev etc/zinit proc root run sbin sys tmp var/run".split()


class Cpio:
    """A "newc" archive (cpio(5)), the form of an initramfs."""

    def __init__(self):
        self.data, self.inode, self.folders = bytearray(), 1, set()

    def entry(self, name, mode, content=b"", major=0, minor=0):
        name = name.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, 0, len(content), 0, 0, major, minor, len(name), 0)
        self.inode += 1
        self.data += b"070701" + b"".join(b"%08X" % f for f in fields) + name
        self.data += b"\0" * (-len(self.data) % 4) + content
        self.data += b"\0" * (-len(self.data) % 4)

    def folder(self, path):
        path = path.strip("/")
        if path and path not in self.folders:
            self.folder(path.rpartition("/")[0])
            self.folders.add(path)
            self.entry(path, stat.S_IFDIR | (0o1777 if path == "tmp" else 0o755))

    def file(self, path, content, mode=0o755):
        self.folder(path.rpartition("/")[0])
        self.entry(path.strip("/"), stat.S_IFREG | mode, content)

    def link(self, path, target):
        self.folder(path.rpartition("/")[0])
        self.entry(path.strip("/"), stat.S_IFLNK | 0o777, target.encode())

    def end(self):
        self.entry("TRAILER!!!", 0)
        return bytes(self.data)


def machine(program):
    """The kind of machine in a program's ELF header."""
    head = program[:20]
    return head[4:6] + head[18:20] if head[:4] == b"\x7fELF" else None


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].split("\n")[0].removeprefix("Usage: "))
    parser.add_argument("zinit", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--busybox", type=pathlib.Path)
    parser.add_argument("--services", type=pathlib.Path)
    parser.add_argument("--link", nargs="*", default=[])
    options = parser.parse_args()
    zinit = options.zinit.read_bytes()
    if b"/ld-" in zinit[:4096]:
        sys.exit(f"initramfs: {options.zinit} needs shared libraries; make static builds one that does not")
    cpio = Cpio()
    for folder in FOLDERS:
        cpio.folder(folder)
    cpio.entry("dev/console", stat.S_IFCHR | 0o600, major=5, minor=1)
    cpio.file("sbin/zinit", zinit)
    cpio.link("init", "sbin/zinit")
    for name in ["init", *options.link]:
        cpio.link(f"sbin/{name}", "zinit")
    busybox = options.busybox.read_bytes() if options.busybox and options.busybox.exists() else b""
    if machine(busybox) == machine(zinit):
        cpio.file("bin/busybox", busybox)
        for name in BUSYBOX:
            cpio.link(f"bin/{name}", "busybox")
    else:
        print(f"initramfs: no busybox for this kind of machine (BUSYBOX=FILE names one): no shell in it", file=sys.stderr)
    for file in sorted(options.services.glob("*.yaml")) if options.services else []:
        cpio.file(f"etc/zinit/{file.name}", file.read_bytes(), 0o644)
    options.out.write_bytes(gzip.compress(cpio.end(), 9, mtime=0))
    print(f"initramfs: {options.out}, {options.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
