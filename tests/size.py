"""`make size`: what the static program weighs, by configuration and by object, and what its init holds in memory.

Usage: size.py [--check] BUDGET CONFIG=FOLDER...
A FOLDER holds zinit and zinit.map, the linker's map of it. BUDGET says what each number may be and why it was
moved last; with --check a number above it is an error.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

SHOWN = 25  # objects
SERVICES = 10


def read_budget(path):
    """Name -> (limit, goal or None, why). The last line of a name counts; the ones before tell its story."""
    budget = {}
    for line in pathlib.Path(path).read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            name, limit, goal, why = line.split(None, 3)
            budget[name] = (int(limit), None if goal == "-" else int(goal), why)
    return budget


def part_of(name):
    """The group and the object of an input of the linker."""
    member = re.search(r"([^/]+)\.a\((?:.*/)?([^/)]+)\)$", name)
    if member and member[1] == "libdeps":
        return "libyaml", member[2]
    if member and member[1] == "libzinit":
        return "lib", member[2]
    if member or "crt" in name:
        return "C library", member[2] if member else os.path.basename(name)
    if name == "<internal>":
        return "texts", "texts of all objects, each once"
    return "applets", os.path.basename(name)


def read_map(path):
    """(group, object) -> bytes in the file, from a map of lld: VMA LMA SIZE ALIGN, then a section or, indented, an input."""
    sizes, section = {}, ""
    for line in pathlib.Path(path).read_text(errors="replace").splitlines():
        row = re.match(r"\s*[0-9a-f]+\s+[0-9a-f]+\s+([0-9a-f]+)\s+\d+( +)(\S.*)$", line)
        if row and len(row[2]) == 1:
            section = row[3]
        elif row and 1 < len(row[2]) < 16 and section in (".text", ".rodata", ".data", ".data.rel.ro"):
            part = part_of(row[3].split(":(")[0])
            sizes[part] = sizes.get(part, 0) + int(row[1], 16)
    return sizes


def names_of_children(pid):
    names = []
    for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            names.append(pathlib.Path(f"/proc/{child}/comm").read_text().strip())
        except OSError:
            pass  # it has ended
    return names


def private_kib(zinit):
    """Private memory of an idle init with ten services, in KiB."""
    os.sync()  # a file that is not on the disk yet counts as changed memory
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/c")
        for i in range(SERVICES):
            pathlib.Path(f"{folder}/c/s{i}.yaml").write_text("exec: sleep 1000\n")
        init = subprocess.Popen([zinit, "-s", f"{folder}/s", "init", "--container", "-c", f"{folder}/c"],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until = time.monotonic() + 20
            while names_of_children(init.pid).count("sleep") < SERVICES:
                if time.monotonic() > until:
                    sys.exit("size: init did not start its services")
                time.sleep(0.05)
            time.sleep(0.3)
            rollup = pathlib.Path(f"/proc/{init.pid}/smaps_rollup").read_text()
            return sum(int(n) for n in re.findall(r"^Private_(?:Clean|Dirty): +(\d+)", rollup, re.M))
        finally:
            init.terminate()
            init.wait(20)


def print_table(columns, rows):
    widths = [max(len(str(row[i])) for row in [columns, *rows]) for i in range(len(columns))]
    for row in [columns, *rows]:
        print("  ".join(str(cell).rjust(width) if i else str(cell).ljust(width)
                        for i, (cell, width) in enumerate(zip(row, widths))).rstrip())
    print()


def main():
    arguments = sys.argv[1:]
    check = "--check" in arguments and not arguments.remove("--check")
    budget = read_budget(arguments[0])
    folders = dict(argument.split("=", 1) for argument in arguments[1:])
    maps = {name: read_map(f"{folder}/zinit.map") for name, folder in folders.items()}

    measured = {name: os.path.getsize(f"{folder}/zinit") for name, folder in folders.items()}
    for name, folder in folders.items():
        if f"{name}-private" in budget:
            measured[f"{name}-private"] = private_kib(f"{folder}/zinit")
    rows, over = [], []
    for name, value in measured.items():
        limit, goal, why = budget.get(name, (None, None, "not in the budget"))
        unit = "KiB" if name.endswith("-private") else "bytes"
        rows.append([name, value, unit, limit or "-", goal or "-", why])
        if limit is None or value > limit:
            over.append(f"{name} is {value} {unit}, its budget is {limit}")
        elif value < limit * 0.97:
            print(f"{name}: {value} {unit}, the budget of {limit} can be lowered\n")
    print_table(["what", "is", "", "budget", "goal", "moved last because"], rows)

    names = list(maps)
    groups = sorted({part[0] for sizes in maps.values() for part in sizes})
    print_table(["group", *names], [[group, *(sum(n for part, n in maps[name].items() if part[0] == group)
                                              for name in names)] for group in groups])
    parts = sorted({part for sizes in maps.values() for part in sizes},
                   key=lambda part: -max(maps[name].get(part, 0) for name in names))
    print_table(["object", "group", *names],
                [[part[1], part[0], *(maps[name].get(part, "-") for name in names)] for part in parts[:SHOWN]])
    if over and check:
        sys.exit("size: " + "; ".join(over) + f": make it smaller, or move the budget in {arguments[0]} and say why")


if __name__ == "__main__":
    main()
