"""Recorded conversations with the original program, and what is needed to hold ours against them.

contract/*.jsonl: one line is {"session", "set"}, which begins a daemon with the services of sets.json, or
[name, what is sent, what was answered, {more}]. What is sent is text, {"hex"}, {"look": file}, {"event"} or
{"transcript"}; null = it is made by the test. more: before (files written or removed), until (the original was
given time: ask until the answer is right), then, closed.
<PID> stands for a pid, <SUBID> for a subscription, <PORT> for a port.
"""
import fcntl
import json
import os
import pathlib
import re
import socket
import struct
import termios

from zinit import TREE, wait_until

FOLDER = pathlib.Path(__file__).with_name("contract")
SETS = json.loads((FOLDER / "sets.json").read_text())
# What the original leaves to chance, or to the moment: they restart every 2 s.
MOMENT = {"crash": {"Running", "Error(Exited(Pid(<PID>), 1))"}, "okloop": {"Running", "Success"}}


def left_out(option):
    """Is it a build without this option?"""
    config = pathlib.Path(os.environ.get("ZINIT_BUILD") or TREE / "build") / ".config"
    return config.exists() and f"CONFIG_{option}=y" not in config.read_text().splitlines()


class Row:
    def __init__(self, name, send, expect, more=None):
        self.name, self.send, self.expect = name, send, expect
        self.before, self.until, self.then, self.closed = (
            (more or {}).get(key) for key in ("before", "until", "then", "closed"))
        self.second = []  # lines that a second connection sends

    def bytes(self):
        return bytes.fromhex(self.send["hex"]) if isinstance(self.send, dict) else self.send.encode()


def sessions(file):
    """{session: (set, [Row])}."""
    found = {}
    for line in (FOLDER / file).read_text().splitlines():
        row = json.loads(line)
        if isinstance(row, dict):
            rows = []
            found[row["session"]] = (row["set"], rows)
        else:
            rows.append(Row(*row))
    return found


def start(daemon, name):
    for file, content in SETS[name].items():
        daemon.write(file, content)
    return daemon.start()


def prepare(daemon, row):
    """Does what happened between the previous row and this one."""
    for step in row.before or []:
        if "write" in step:
            content = step["content"]
            daemon.write(step["write"], bytes.fromhex(content["hex"]) if isinstance(content, dict) else content)
        elif "unlink" in step:
            (daemon.config / step["unlink"]).unlink(missing_ok=True)
        elif "on_second_connection" in step:
            row.second = step["on_second_connection"]
        elif "signal_daemon" not in step:
            raise AssertionError(f"a step that this test does not know: {step}")


def taken(connection):
    """Waits until the daemon has read all that was sent."""
    def left():
        return struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, b"\0" * 4))[0]
    wait_until(lambda: left() == 0, what="the daemon reads")


def receive(connection):
    """All until the daemon closes."""
    reply = b""
    try:
        while more := connection.recv(1 << 20):
            reply += more
    except ConnectionResetError:
        pass
    return reply


# -- texts in a form in which they can be compared ------------------------------------------------------


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def moment(name, state):
    state = re.sub(r"Pid\(\d+\)", "Pid(<PID>)", state)
    return "*" if state in MOMENT.get(name, ()) else state


def status(value):
    """The fields that the original has, which come first; sorted within `after`; ours adds fields after them."""
    after = value["after"]
    return {**{key: value[key] for key in list(value)[:5]}, "state": moment(value["name"], value["state"]),
            "pid": "*" if value["name"] in MOMENT else value["pid"] and "<PID>",
            "after": {name: moment(name, after[name]) for name in sorted(after)}}


def result(value):
    if isinstance(value, dict) and {"name", "pid", "state", "target", "after"} <= set(value):
        return status(value)
    if isinstance(value, dict) and {"memory_usage", "cpu_usage"} <= set(value):
        assert value["memory_usage"] in (0, "*") or value["memory_usage"] > 4096
        return {**value, "pid": "<PID>", "memory_usage": "*", "cpu_usage": "*",
                **({"children": [result(child) for child in value["children"]]} if "children" in value else {})}
    if isinstance(value, dict) and "sleeper" in value or isinstance(value, dict) and set(value) & {"a", "b", "slow"}:
        if all(isinstance(state, str) for state in value.values()):
            return {name: moment(name, value[name]) for name in sorted(value)}
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return sorted(value)  # stdout and stderr of one service have no order
    return value


def line(text):
    """One message, its answer freed of what varies. What needs no such care is compared byte for byte."""
    text = text.replace('"pid":<PID>', '"pid":1').replace("Pid(<PID>)", "Pid(1)")
    try:
        message = json.loads(text)
    except ValueError:
        return text
    if isinstance(message, list):
        return "[" + ",".join(line(compact(item)) for item in message) + "]"
    if not isinstance(message, dict):
        return text
    for key in ("result", "body"):
        if key in message:
            loose = result(message[key])
            if loose != message[key]:
                assert compact(message) == text, f"not compact: {text}"
                return compact({**message, key: loose})
    return text


def plain(text):
    return [line(part) for part in text.split("\n")]


def both(recorded, answered, wanted):
    """What is wrong, or None. WANTED: None where the answers must be the same, else (reason, how ours differs):
    our answer, a pattern of it, or a function that undoes the difference."""
    same = plain(recorded) == plain(answered)
    if wanted is None:
        return None if same else f"recorded {recorded!r}\n      answered {answered!r}"
    _, ours = wanted
    if same:
        return "is listed as different and is the same"
    if callable(ours):
        fits = plain(ours(answered)) == plain(recorded)
    else:
        fits = ours.fullmatch(answered) if isinstance(ours, re.Pattern) else plain(ours) == plain(answered)
    return None if fits else f"wanted {getattr(ours, 'pattern', ours)!r}\n      answered {answered!r}"


class Report:
    """Runs all rows, then fails with everything that was wrong."""

    def __init__(self, different):
        self.different, self.wrong = different, []

    def check(self, row, recorded, answered):
        wrong = both(recorded, answered, self.different.get(row.name))
        if wrong:
            self.wrong.append(f"{row.name}: {wrong}")

    def until(self, row, answer):
        """The row's answer comes after a while."""
        wanted, last = self.different.get(row.name), {}

        def right():
            last["wrong"] = both(row.expect, answer(), wanted)
            return not last["wrong"]

        try:
            wait_until(right, 15)
        except AssertionError:
            self.wrong.append(f"{row.name}: {last['wrong']}")

    def end(self):
        assert not self.wrong, "\n" + "\n".join(text if len(text) < 3000 else text[:3000] + "..." for text in self.wrong)


def ask(daemon, row):
    """Sends the row on a connection of its own. An answer comes without an end of the connection; then that end,
    which all complete requests are answered before, shows that there is nothing more."""
    with daemon.connect() as connection:
        sent = row.bytes()
        if row.name in ("frame-byte-at-a-time", "frame-split", "frame-split-utf8"):
            for at in range(len(sent)):
                connection.sendall(sent[at:at + 1])
                taken(connection)
        else:
            connection.sendall(sent)
        reply = b""
        if isinstance(row.expect, str) and row.expect and row.then is None:
            while b"\n" not in reply and (more := connection.recv(1 << 20)):
                reply += more
        try:
            taken(connection)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        return (reply + receive(connection)).decode("utf-8", "surrogateescape")
