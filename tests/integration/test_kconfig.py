"""configs/conf reads Kconfig as kconfig-conf (Debian: kconfig-frontends-nox) does.

The comparison runs both over the snippets below and the project's own Kconfig, with random
configurations from fixed seeds: the same bytes, or it is a bug. The other cases hold conf to
what kconfig-conf is lax about: each mistake has a message that names file and line.
"""

import os
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = shutil.which("kconfig-conf")
ROUNDS = 10  # random configurations for each Kconfig

needs_reference = pytest.mark.skipif(
    not REFERENCE, reason="kconfig-conf is not installed (Debian: kconfig-frontends-nox)"
)

SNIPPETS = {
    "bools": """
mainmenu "A title"
config ONE
	bool "one"
config TWO
	bool "two"
	default y
config THREE
	bool
	prompt "three" if ONE || TWO
	default ONE
config HIDDEN_N
	bool
	default n
config HIDDEN_Y
	def_bool y
config HIDDEN
	bool
""",
    "defaults": """
config A
	bool "a"
config B
	bool "b"
config C
	bool "c"
	default y if A && !B
	default n if B
	default A = B
config D
	def_bool A && B if A || B
	default !C
config S
	string "s" if C
	default "both" if A && B
	default "one" if A || B
	default none/at-all.x
config N
	int "n" if !C
	default 12 if A
	default -7
config M
	int "m"
	default N
config T
	string "t"
	default S
config U
	string
	default M if B
""",
    "expressions": """
config A
	bool "a"
config B
	bool "b"
config C
	bool "c"
config D
	bool "d"
	depends on A || B && C
config E
	bool "e"
	depends on (A || B) && !(C && !D)
config F
	bool "f"
	depends on !A=y || B!=n
config G
	bool "g" if !!A && ((B) || (!(!C)))
	depends on A || \\
		B || C	# a remark
config H
	def_bool n = A || "y" = B
config I
	def_bool A != B
config J
	bool "j"
	depends on y && !n
config K
	bool "k"
	depends on A
	depends on B || C
config L
	def_bool UNDEFINED != "UNDEFINED" || UNDEFINED = n
config M
	def_bool A = UNDEFINED || UNDEFINED2
""",
    "comparisons": """
config S
	string "s"
	default "10"
config T
	string "t"
	default "a"
config N
	int "n"
	default 10
config M
	int "m"
	default 3
config A
	def_bool S = N
config B
	def_bool S = "0xa" || N = "0xa"
config C
	def_bool S = T
config D
	bool "d"
	depends on N != M && N != 7
config E
	bool "e"
	depends on S != ""
config F
	def_bool N = 10 || M = "20" || T = a
config G
	def_bool T = '\\"q\\" \\\\' || S = "5"
config H
	def_bool D = S
config V
	string
	default "0xa"
config I
	def_bool S = V
config J
	def_bool N = V && S = 10
""",
    "menus": """
config A
	bool "a"
menu "Outer"
	depends on A
comment "a comment"
config B
	bool "b"
	default y
menu "Inner"
config C
	bool "c"
	depends on B
endmenu
comment "only with C"
	depends on C
	depends on !D
config D
	bool "d"
endmenu
menu " padded \\"title\\" "
endmenu
menu ''
config E
	string "e"
endmenu
comment "the end"
	depends on !A
""",
    "ifs": """
config A
	bool "a"
config B
	bool "b"
if A
config C
	bool "c"
if !B || C
config D
	bool "d"
	default y
comment "within"
endif
menu "menu in if"
config E
	bool "e"
	depends on D
endmenu
config F
	string
	default "x"
endif
if A && B
config G
	def_bool y
endif
""",
    "menuconfig": """
menuconfig NET
	bool "net"
	default y
	help
	  Text.
if NET
config TLS
	bool "tls"
config PORT
	int "port"
	default 80 if !TLS
	default 443
	range 1 65535
endif
menuconfig SUB
	bool "sub"
	depends on NET
config X
	bool "x"
	depends on SUB
""",
    "choice": """
config A
	bool "a"
choice
	prompt "which"
	default TWO
config ONE
	bool "one"
config TWO
	bool "two"
config THREE
	bool "three"
endchoice
config AFTER
	bool "after"
	depends on TWO
	default y
""",
    "choice with conditions": """
config A
	bool "a"
config B
	bool "b"
choice
	bool "which" if A
	depends on A || B
	default TWO if B
	default THREE
	help
	  Text.
config ONE
	bool "one"
	depends on B
	help
	  Text.
if !B
config TWO
	bool "two"
endif
config THREE
	bool "three" if A
comment "in the choice"
	depends on B
config FOUR
	bool "four"
	depends on !A || B
endchoice
config R
	def_bool ONE || FOUR
""",
    "two choices": """
choice
	prompt "first"
config F1
	bool "f1"
config F2
	bool
	prompt "f2"
endchoice
choice
	prompt "second"
	depends on F2
	default S2
config S1
	bool "s1"
config S2
	bool "s2"
	depends on F1
config S3
	bool "s3"
endchoice
config X
	string
	default "f1" if F1
	default "s1" if S1
	default "s3" if S3
""",
    "choice without a visible value": """
config A
	bool "a"
choice
	prompt "which"
config ONE
	bool "one"
	depends on A
config TWO
	bool "two"
	depends on A
endchoice
""",
    "select": """
config A
	bool "a"
	select LIB
config B
	bool "b"
	select LIB if A
	select DEEP
config LIB
	bool
config DEEP
	bool "deep"
	depends on C
	select LIB
config C
	bool "c"
config D
	bool "d"
	default y
	depends on LIB
	select E if !C
config E
	def_bool n
	select F
config F
	bool "f"
""",
    "select from a choice": """
choice
	prompt "tls"
config TLS_NONE
	bool "none"
config TLS_MBED
	bool "mbed"
	select HEAP
	select FILES if HEAP
endchoice
config HEAP
	bool "heap"
config FILES
	bool
""",
    "ranges": """
config A
	bool "a"
config LOW
	int "low"
	default 5
	range 0 10
config N
	int "n"
	default 50
	range 1 20 if A
	range LOW 100
config M
	int "m" if A
	default 1
	range -5 -2
config FREE
	int "free"
	default 0
config D
	def_bool N = 20 || LOW = 5
""",
    "strings": """
config S
	string "s"
config T
	string "t"
	default "a \\"quoted\\" word and a \\\\ backslash"
config U
	string "u" if S != ""
	default 'single "quotes"'
config V
	string
	default "$HOME # not a remark"
config W
	string
	depends on T = ""
	default "w"
config X
	string "x"
	default "y"
""",
    "help texts": """
config A
	bool "a"
	help
	  First line.
	    config NOT_AN_ENTRY

	  if more
	# a remark that ends it
	default y
config B
	bool "b"
	---help---
	    Deeper
        	  mixed tabs and spaces
	depends on A
config C
	bool "c"
	help
	 last line without an end""",
    "several entries of one symbol": """
config A
	bool "a"
config X
	bool "x"
	depends on A
config B
	bool "b"
config X
	bool
	default y if B
config S
	string "s" if B
	default "first" if A
menu "again"
	depends on B
config X
	bool "x again"
	select Z
config S
	string "s again"
	default "second"
endmenu
config Z
	bool
""",
    "a chain": "config C0\n\tbool \"c0\"\n"
    + "".join(f'config C{n}\n\tbool "c{n}"\n\tdepends on C{n - 1}\n\tdefault y\n' for n in range(1, 30)),
    "order": """
config LAST
	bool "last"
	default FIRST
	depends on S = "x"
config N
	int "n"
	default M
	range 0 M
config M
	int "m"
	default 4 if LAST
	default 6
config S
	string "s"
	default "x" if FIRST
config FIRST
	bool "first"
	default y
""",
    "source": """
config A
	bool "a"
source "sub.kconfig"
if A
source 'sub.kconfig'
endif
choice
	prompt "which"
source "values.kconfig"
endchoice
""",
}

SOURCED = {
    "sub.kconfig": 'config SUB\n\tbool "sub"\n\tdepends on A\ncomment "from sub"\n',
    "values.kconfig": 'config V1\n\tbool "v1"\nconfig V2\n\tbool "v2"\n\tdepends on SUB',
}

TEXTS = ["", "x", "a", "y", "10", "0xa", "5", "012", "two words", 'q"uo\\te', "$HOME #", "ümlaut", "\\"]
INTEGERS = ["-7", "-4", "0", "1", "3", "5", "10", "20", "50", "99", "65536", "1000000"]


@pytest.fixture(scope="session")
def conf(tmp_path_factory):
    if os.environ.get("CONF"):
        return os.environ["CONF"]
    binary = tmp_path_factory.mktemp("conf") / "conf"
    sources = sorted((ROOT / "configs").glob("*.c"))
    flags = ["-std=gnu11", "-Wall", "-Wextra", "-Wshadow", "-Werror", "-O1", "-g"]
    subprocess.run([os.environ.get("CC", "cc"), *flags, "-o", binary, *sources], check=True)
    return str(binary)


class Tree:
    """A directory with a Kconfig, and the programs run in it."""

    def __init__(self, conf, path, kconfig=None, work=None):
        self.conf = conf
        self.path = path
        self.work = work or path
        if kconfig is not None:
            (path / "Kconfig").write_bytes(kconfig if isinstance(kconfig, bytes) else kconfig.encode())

    def run(self, program, config, *args, **env):
        env = {**os.environ, "KCONFIG_CONFIG": str(self.work / config), **env}
        return subprocess.run([program, *args, "Kconfig"], cwd=self.path, env=env, capture_output=True, timeout=60)

    def ours(self, config, *args, **env):
        done = self.run(self.conf, config, *args, **env)
        assert done.returncode == 0, done.stderr.decode()
        return done.stderr.decode()

    def fails(self, *args, **env):
        done = self.run(self.conf, ".config", *args, **env)
        assert done.returncode == 1, (done.returncode, done.stderr)
        return done.stderr.decode(errors="replace")

    def theirs(self, config, *args):
        done = self.run(REFERENCE, config, *args)
        assert done.returncode == 0, done.stderr.decode()

    def read(self, name):
        return (self.work / name).read_bytes()

    def write(self, name, text):
        (self.work / name).write_bytes(text.encode())


@pytest.fixture
def tree(conf, tmp_path):
    return lambda kconfig: Tree(conf, tmp_path, kconfig)


def symbols(tree):
    """The types of all symbols by name, read from the Kconfig and what it sources."""
    types, name = {}, None
    texts = [(tree.path / "Kconfig").read_text()]
    for text in texts:
        for line in text.splitlines():
            words = line.split()
            if words[:1] == ["source"]:
                texts.append((tree.path / words[1].strip("\"'")).read_text())
            elif words[:1] in (["config"], ["menuconfig"]):
                name = words[1]
                types.setdefault(name, "bool")
            elif words[:1] in (["int"], ["string"]) and name:
                types[name] = words[0]
    return types


def random_config(rng, types):
    lines = []
    for name, kind in types.items():
        if rng.random() < 0.25:
            continue
        if kind == "int":
            lines.append(f"CONFIG_{name}={rng.choice(INTEGERS)}")
        elif kind == "string":
            text = rng.choice(TEXTS).replace("\\", "\\\\").replace('"', '\\"')
            lines.append(f'CONFIG_{name}="{text}"')
        else:
            lines.append(rng.choice([f"CONFIG_{name}=y", f"# CONFIG_{name} is not set"]))
    if rng.random() < 0.5:
        rng.shuffle(lines)
    return "\n".join(lines) + "\n"


def settle(tree, config):
    """Runs the reference until its result stands.

    Where it drops an answer that is out of range, it keeps what it computed from that answer
    before; the second run puts that right.
    """
    for _ in range(5):
        before = tree.read(config)
        tree.theirs(config, "--olddefconfig")
        if tree.read(config) == before:
            return
    pytest.fail("the reference does not settle")


def compare_modes(tree):
    for mode in ("--allnoconfig", "--allyesconfig", "--olddefconfig"):
        for config in ("ours", "theirs"):
            (tree.work / config).unlink(missing_ok=True)
        tree.ours("ours", mode)
        tree.theirs("theirs", mode)
        assert tree.read("ours") == tree.read("theirs"), mode
    for seed in range(3):
        tree.ours("ours", "--randconfig", KCONFIG_SEED=str(seed))
        shutil.copy(tree.work / "ours", tree.work / "theirs")
        tree.theirs("theirs", "--olddefconfig")
        assert tree.read("ours") == tree.read("theirs"), f"randconfig {seed}"


def compare_random(tree, rng, types):
    start = random_config(rng, types)
    for config in ("ours", "theirs"):
        tree.write(config, start)
    tree.ours("ours", "--olddefconfig")
    settle(tree, "theirs")
    assert tree.read("ours") == tree.read("theirs"), start

    small = str(tree.work / "ours.small"), str(tree.work / "theirs.small")
    tree.ours("ours", f"--savedefconfig={small[0]}")
    tree.theirs("theirs", f"--savedefconfig={small[1]}")
    assert tree.read("ours.small") == tree.read("theirs.small"), start

    tree.ours("ours.back", f"--defconfig={small[0]}")
    tree.theirs("theirs.back", f"--defconfig={small[1]}")
    assert tree.read("ours.back") == tree.read("theirs.back"), start


@needs_reference
@pytest.mark.parametrize("name", SNIPPETS)
def test_same_as_the_reference(tree, tmp_path, name):
    for path, text in SOURCED.items():
        (tmp_path / path).write_text(text)
    tree = tree(SNIPPETS[name])
    compare_modes(tree)
    rng = random.Random(name)
    types = symbols(tree)
    for _ in range(ROUNDS):
        compare_random(tree, rng, types)


@needs_reference
def test_same_as_the_reference_for_the_project(conf, tmp_path):
    if not (ROOT / "Kconfig").exists():
        pytest.skip("the tree has no Kconfig yet")
    for path in re.findall(r'^\s*source "(.*)"', (ROOT / "Kconfig").read_text(), re.M):
        if not (ROOT / path).exists():
            pytest.skip(f"{path} is not generated yet")
    tree = Tree(conf, ROOT, work=tmp_path)
    compare_modes(tree)
    rng = random.Random("project")
    types = symbols(tree)
    for _ in range(200):
        compare_random(tree, rng, types)


def test_each_question_says_what_it_costs():
    text = (ROOT / "Kconfig").read_text() + "".join(path.read_text() for path in [ROOT / "build" / "Kconfig.applets"] if path.exists())
    for name, entry in re.findall(r"^config (\w+)\n((?:\t.*\n|\n)*)", text, re.M):
        if re.search(r'^\tbool "', entry, re.M):
            assert re.search(r"\d (KB|bytes)", entry.partition("\thelp\n")[2]), f"{name} does not say what it costs"


# ---- a bad Kconfig: one message with file and line, exit 1 ----

ENTRY = 'config A\n\tbool "a"\n'

BAD_KCONFIG = {
    "tristate": ("config A\n\ttristate\n", r"Kconfig:2: found 'tristate', expected a keyword"),
    "hex": ("config A\n\thex\n", r"Kconfig:2: found 'hex', expected a keyword"),
    "imply": (ENTRY + "\timply B\n", r"Kconfig:3: found 'imply', expected a keyword"),
    "option": (ENTRY + "\toption env=X\n", r"Kconfig:3: found 'option', expected a keyword"),
    "optional": ('choice\n\tprompt "c"\n\toptional\n', r"Kconfig:3: found 'optional', expected a keyword"),
    "visible": ('menu "m"\n\tvisible if A\nendmenu\n', r"Kconfig:2: found 'visible', expected a keyword"),
    "rsource": ('rsource "x"\n', r"Kconfig:1: found 'rsource', expected a keyword"),
    "m": (ENTRY + "\tdepends on m\n", r"Kconfig:3: found 'm', but tristate is not supported, expected y or n"),
    "macro": ("X := y\n", r"Kconfig:1: found 'X', expected a keyword"),
    "macro in a condition": (ENTRY + "\tdepends on $(shell)\n", r"Kconfig:3: found '\$', but macros are not supported"),
    "macro in source": ('source "$X/Kconfig"\n', r"Kconfig:1: found '\$', but macros are not supported"),
    "less": (ENTRY + "\tdepends on A < 3\n", r"Kconfig:3: found '<', expected the end of the line"),
    "one ampersand": (ENTRY + "\tdepends on A & B\n", r"Kconfig:3: found '&', expected the end of the line"),
    "control byte": (b"config A\x01\n", r"Kconfig:1: found byte 0x01, expected the end of the line"),
    "nul": (b"\0\0\0", r"Kconfig:1: found byte 0x00, expected a keyword"),
    "utf-8 outside of text": ("cönfig A\n", r"Kconfig:1: found 'c', expected a keyword"),
    "carriage return": ('config A\r\n\tbool "a"\r\n', r"Kconfig:1: found byte 0x0d"),
    "quote": ('config A\n\tbool "a\n', r"Kconfig:2: quoted text does not end, expected \""),
    "quote at the end": ("config A\n\tbool 'a\\", r"Kconfig:2: quoted text does not end, expected '"),
    "no name": ("config\n", r"Kconfig:1: found the end of the line, expected the name of a symbol"),
    "cut off": ("config", r"Kconfig:1: found the end of the file, expected the name of a symbol"),
    "bad name": ("config A-B\n", r"Kconfig:1: 'A-B', expected a name of letters"),
    "name y": ("config y\n", r"Kconfig:1: 'y', expected a name"),
    "text after a name": ("config A B\n", r"Kconfig:1: found 'B', expected the end of the line"),
    "unquoted prompt": ("config A\n\tbool prompt\n", r"Kconfig:2: found 'prompt', expected a text in quotes"),
    "two prompts": (ENTRY + '\tprompt "b"\n', r"Kconfig:3: second prompt"),
    "two types": (ENTRY + "\tint\n", r"Kconfig:3: second type of A"),
    "no type": ("config A\n\thelp\n\t  text\n", r"Kconfig:1: A has no type, expected bool, int or string"),
    "help without text": (ENTRY + "\thelp\n\n" + "config B\n", r"Kconfig:3: help has no text, expected indented lines"),
    "stray option": ('bool "a"\n', r"Kconfig:1: 'bool' does not belong here"),
    "option after menu": ('menu "m"\n\tbool "x"\nendmenu\n', r"Kconfig:2: 'bool' does not belong here"),
    "depends without on": (ENTRY + "\tdepends B\n", r"Kconfig:3: found 'B', expected 'on'"),
    "missing operand": (
        ENTRY + "\tdepends on B &&\n",
        r"Kconfig:3: found the end of the line, expected a symbol, y or n",
    ),
    "missing )": (ENTRY + "\tdepends on (B || C\n", r"Kconfig:3: found the end of the line, expected &&, \|\| or \)"),
    "extra )": (ENTRY + "\tdepends on B)\n", r"Kconfig:3: found '\)', expected the end of the line"),
    "two words": (ENTRY + "\tdepends on B C\n", r"Kconfig:3: found 'C', expected the end of the line"),
    "default if": (ENTRY + "\tdefault if y\n", r"Kconfig:3: found 'if', expected a symbol"),
    "text as bool": (ENTRY + '\tdepends on "B"\n', r'Kconfig:3: "B" is text, expected a symbol, y or n'),
    "string as bool": (ENTRY + '\tdepends on S\nconfig S\n\tstring "s"\n', r"Kconfig:3: S is not a bool"),
    "string as default": ('config A\n\tdef_bool S\nconfig S\n\tstring "s"\n', r"Kconfig:2: S is not a bool"),
    "select of a string": (ENTRY + '\tselect S\nconfig S\n\tstring "s"\n', r"Kconfig:3: S is not a bool"),
    "select in a string": ('config S\n\tstring "s"\n\tselect A\n' + ENTRY, r"Kconfig:3: select in S"),
    "bool as text": (ENTRY + "config S\n\tstring\n\tdefault A\n", r"Kconfig:5: default of S is the bool A"),
    "condition as text": (ENTRY + "config S\n\tstring\n\tdefault A && A\n", r"Kconfig:5: default of S is a condition"),
    "int without default": ('config N\n\tint "n"\n', r"Kconfig:1: N has no default, expected one for each int"),
    "int without a default that applies": (
        'config N\n\tint "n"\n\tdefault 1 if A\n' + ENTRY,
        r"Kconfig:1: no default of the int N applies",
    ),
    "bad int": ("config N\n\tint\n\tdefault 010\n", r"Kconfig:3: '010' is not an integer"),
    "huge int": ("config N\n\tint\n\tdefault 99999999999999999999\n", r"Kconfig:3: '9+' is not an integer"),
    "range of a bool": (ENTRY + "\trange 1 2\n", r"Kconfig:3: range of A, expected it for an int only"),
    "empty range": ("config N\n\tint\n\tdefault 1\n\trange 2 1\n", r"Kconfig:4: range 2 1 is empty"),
    "half a range": (
        "config N\n\tint\n\tdefault 1\n\trange 2\n",
        r"Kconfig:4: found the end of the line, expected the largest",
    ),
    "open menu": ('\nmenu "m"\n' + ENTRY, r"Kconfig:2: block does not end"),
    "open if": ("if A\n", r"Kconfig:1: block does not end"),
    "stray endmenu": ("endmenu\n", r"Kconfig:1: endmenu closes nothing"),
    "crossed ends": ('if y\nmenu "m"\nendif\nendmenu\n', r"Kconfig:3: endif closes nothing"),
    "late mainmenu": (ENTRY + 'mainmenu "x"\n', r"Kconfig:3: misplaced mainmenu"),
    "missing source": ('\nsource "none"\n', r"Kconfig:2: cannot read none: No such file"),
    "directory as source": ('source "."\n', r"Kconfig:1: cannot read \.: Is a directory"),
    "source of itself": (
        'source "Kconfig"\n',
        r"Kconfig:1: source nests too deep, expected at most 16 files: does one read itself",
    ),
    "choice without prompt": ("choice\n" + ENTRY + "endchoice\n", r"Kconfig:1: choice has no prompt"),
    "choice without type": (
        'choice\n\tprompt "c"\nif y\n' + ENTRY + "endif\nendchoice\n",
        r"Kconfig:1: choice has no type",
    ),
    "choice without values": ('choice\n\tprompt "c"\nendchoice\n', r"Kconfig:1: choice has no values"),
    "choice of ints": (
        'choice\n\tprompt "c"\nconfig N\n\tint "n"\nendchoice\n',
        r"Kconfig:3: N is a value of a choice, expected a bool with a prompt",
    ),
    "menu in a choice": ('choice\n\tprompt "c"\nmenu "m"\n', r"Kconfig:3: 'menu' inside a choice"),
    "default elsewhere": (
        ENTRY + 'choice\n\tprompt "c"\n\tdefault A\nconfig B\n\tbool "b"\nendchoice\n',
        r"Kconfig:5: default A, expected a value of this choice",
    ),
    "default in a value": (
        'choice\n\tprompt "c"\nconfig B\n\tbool "b"\n\tdefault y\nendchoice\n',
        r"Kconfig:5: default for a value of a choice",
    ),
    "value without prompt": (
        'choice\n\tprompt "c"\nconfig B\n\tbool\nendchoice\n',
        r"Kconfig:3: B is a value of a choice, expected a bool with a prompt",
    ),
    "value defined twice": (
        'choice\n\tprompt "c"\nconfig B\n\tbool "b"\nendchoice\nconfig B\n\tbool "b"\n',
        r"Kconfig:6: B is also at Kconfig:3, expected one entry",
    ),
    "select of a value": (
        'choice\n\tprompt "c"\nconfig B\n\tbool "b"\nendchoice\n' + ENTRY + "\tselect B\n",
        r"Kconfig:8: select of B, a value of a choice",
    ),
    "cycle": (
        'config A\n\tbool "a"\n\tdepends on B\nconfig B\n\tbool "b"\n\tdepends on n && A\n',
        r"Kconfig:1: dependency cycle A -> B -> A",
    ),
    "cycle of one": (ENTRY + "\tdepends on A\n", r"Kconfig:1: dependency cycle A -> A"),
    "cycle through select": (
        ENTRY + '\tselect B\nconfig B\n\tbool "b"\nconfig C\n\tdef_bool B\n\tselect A\n',
        r"Kconfig:1: dependency cycle A -> C -> B -> A",
    ),
    "cycle through a choice": (
        'choice\n\tprompt "c"\nconfig B\n\tbool "b"\nconfig C\n\tbool "c"\n\tdepends on B\nendchoice\n',
        r"Kconfig:1: dependency cycle choice at Kconfig:1 -> B -> choice at Kconfig:1",
    ),
    "cycle through a range": (
        "config N\n\tint\n\tdefault 1\n\trange 0 M\nconfig M\n\tint\n\tdefault N\n",
        r"Kconfig:1: dependency cycle N -> M -> N",
    ),
    "parentheses": (ENTRY + "\tdepends on " + "(" * 5000 + "B\n", r"Kconfig:3: parentheses nest too deep"),
    "long condition": (ENTRY + "\tdepends on " + "B && " * 5000 + "B\n", r"Kconfig:3: conditions nest too deep"),
    "nested ifs": ("if A\n" * 5000, r"Kconfig:\d+: conditions nest too deep"),
    "long chain": (
        "".join(f"config A{n}\n\tdef_bool A{n + 1}\n" for n in range(4000)),
        r"Kconfig:\d+: dependencies of A\d+ nest too deep",
    ),
}


@pytest.mark.parametrize("name", BAD_KCONFIG)
def test_bad_kconfig_is_an_error_at_its_line(tree, name):
    text, expected = BAD_KCONFIG[name]
    t = tree(text)
    errors = [line for line in t.fails("--olddefconfig").splitlines() if ": warning: " not in line]
    assert len(errors) == 1 and re.match(expected, errors[0]), errors
    assert not (t.path / ".config").exists()


def test_source_nests_only_so_deep(tree, tmp_path):
    for n in range(40):
        (tmp_path / f"k{n}").write_text(f'source "k{n + 1}"\n')
    assert re.match(r"k14:1: source nests too deep", tree('source "k0"\n').fails("--olddefconfig"))


def test_blocks_end_in_the_file_where_they_begin(tree, tmp_path):
    (tmp_path / "end").write_text("endif\n")
    message = tree('if y\nsource "end"\nendif\n').fails("--olddefconfig")
    assert message == "end:1: endif closes a block of another file (Kconfig:1), expected both in one\n"
    (tmp_path / "open").write_text('\nmenu "m"\n')
    assert tree('source "open"\nendmenu\n').fails("--olddefconfig").startswith("open:2: block does not end")


def test_no_prefix_of_a_good_file_crashes(tree, tmp_path):
    for path, text in SOURCED.items():
        (tmp_path / path).write_text(text)
    rng = random.Random(1)
    for text in SNIPPETS.values():
        data = text.encode()
        for _ in range(8):
            cut = bytearray(data[: rng.randrange(len(data))])
            if cut and rng.random() < 0.7:
                cut[rng.randrange(len(cut))] = rng.choice(b"\0\n\\\"'#()=!&|\xff $y")
            t = tree(bytes(cut))
            done = t.run(t.conf, ".config", "--allyesconfig")
            assert done.returncode in (0, 1), (done.returncode, bytes(cut))
            if done.returncode:
                assert re.search(rb"^[\w.]+:\d+: .*expected ", done.stderr, re.M), (done.stderr, bytes(cut))


def test_undefined_symbols_are_warned_about(tree):
    t = tree(ENTRY + '\tdepends on !TYPO\nconfig S\n\tstring "s" if TPYO = "x"\n')
    warnings = t.ours(".config", "--allnoconfig")
    assert warnings.splitlines() == [
        "Kconfig:3: warning: TYPO is not defined, taken as n",
        "Kconfig:5: warning: TPYO is not defined, taken as n",
    ]


def test_select_against_dependencies_is_warned_about(tree):
    t = tree(ENTRY + '\tselect B\nconfig B\n\tbool "b"\n\tdepends on C\nconfig C\n\tbool "c"\n')
    t.write(".config", "CONFIG_A=y\n")
    assert t.ours(".config") == "Kconfig:3: warning: A selects B, whose dependencies are not met\n"
    assert b"CONFIG_B=y\n" in t.read(".config")


# ---- a bad .config: a warning with file and line, and a good one is written ----

ALL_TYPES = ENTRY + 'config N\n\tint "n"\n\tdefault 4\n\trange 1 9\nconfig S\n\tstring "s"\n\tdefault "d"\n'

BAD_LINES = {
    "CONFIG_A=yes": "1: warning: bad value yes of CONFIG_A, expected y or n; its default is used",
    "CONFIG_A=m": "1: warning: bad value m of CONFIG_A, expected y or n",
    "CONFIG_A=": "1: warning: bad value  of CONFIG_A, expected y or n",
    "CONFIG_N=": "1: warning: bad value  of CONFIG_N, expected an integer",
    "CONFIG_N=07": "1: warning: bad value 07 of CONFIG_N, expected an integer",
    "CONFIG_N=99999999999999999999": "1: warning: bad value 99999999999999999999 of CONFIG_N, expected an integer",
    "# CONFIG_N is not set": "1: warning: bad value n of CONFIG_N, expected an integer",
    "CONFIG_N=12": " warning: CONFIG_N=12 is dropped, expected 1 to 9",
    "CONFIG_S=bare": "1: warning: bad value bare of CONFIG_S, expected text in quotes",
    'CONFIG_S="open': "1: warning: bad value \"open of CONFIG_S, expected text in quotes",
    'CONFIG_S="': "1: warning: bad value \" of CONFIG_S, expected text in quotes",
    'CONFIG_S="a\\"': "1: warning: bad value \"a\\\" of CONFIG_S, expected text in quotes",
    'CONFIG_S="a" b': "1: warning: bad value \"a\" b of CONFIG_S, expected text in quotes",
    "CONFIG_OLD=y": "1: warning: CONFIG_OLD is skipped, no entry defines it",
    "# CONFIG_OLD is not set": "1: warning: CONFIG_OLD is skipped, no entry defines it",
    "CONFIG_=y": "1: warning: CONFIG_ is skipped, no entry defines it",
    "CONFIG_A=y\nCONFIG_A=y": "2: warning: CONFIG_A is set a second time, the last one counts",
    "A=y": "1: warning: line 'A=y' skipped, expected CONFIG_NAME=value",
    "\x01garbage": "1: warning: line '\x01garbage' skipped, expected CONFIG_NAME=value",
    "CONFIG_A": "1: warning: line 'CONFIG_A' skipped, expected CONFIG_NAME=value",
}


@pytest.mark.parametrize("line", BAD_LINES)
def test_bad_line_of_a_config_is_warned_about(tree, line):
    t = tree(ALL_TYPES)
    t.write(".config", line)
    warning = t.ours(".config", "--olddefconfig")
    assert warning.startswith(f"{t.path / '.config'}:{BAD_LINES[line]}") and warning.count("\n") == 1
    assert re.search(rb'\n(# CONFIG_A is not set|CONFIG_A=y)\nCONFIG_N=4\nCONFIG_S="d"\n$', t.read(".config"))
    assert t.ours(".config", "--olddefconfig") == ""


def test_two_values_of_one_choice_are_warned_about(tree):
    t = tree(SNIPPETS["choice"])
    t.write(".config", "CONFIG_ONE=y\n# a remark\nCONFIG_THREE=y\r\n")
    assert ".config:3: warning: CONFIG_THREE=y overrides CONFIG_ONE=y of the same choice" in t.ours(".config")
    assert b"# CONFIG_ONE is not set\n# CONFIG_TWO is not set\nCONFIG_THREE=y\n" in t.read(".config")


@pytest.mark.parametrize("name", SNIPPETS)
def test_a_second_run_changes_nothing(tree, tmp_path, name):
    for path, text in SOURCED.items():
        (tmp_path / path).write_text(text)
    t = tree(SNIPPETS[name])
    rng = random.Random(name)
    for _ in range(3):
        t.write(".config", random_config(rng, symbols(t)))
        t.ours(".config", "--olddefconfig")
        first = t.read(".config")
        t.ours(".config", "--olddefconfig")
        assert t.read(".config") == first
        t.ours(".config", f"--savedefconfig={tmp_path}/small")
        t.ours(".config.back", f"--defconfig={tmp_path}/small")
        assert t.read(".config.back") == first


# ---- the command line and the other files ----

TRICKY = ["", "plain", " blanks ", "a#b", "a\\#b", "a\\\\#b", "#", "$(HOME) $$", 'q"uo\\te', "end\\", "end\\\\", "\\"]
TRICKY += ["a,b;c&d", "'"]


@pytest.mark.parametrize("text", TRICKY)
def test_header_and_make_fragment_give_the_very_text(tree, tmp_path, text):
    t = tree(ALL_TYPES + 'config OFF\n\tbool "off"\n')
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    t.write(".config", f'CONFIG_A=y\nCONFIG_N=7\nCONFIG_S="{quoted}"\n')
    assert t.ours(".config", f"--header={tmp_path}/config.h", f"--mk={tmp_path}/config.mk") == ""
    assert f'#define CONFIG_A 1\n#define CONFIG_N 7\n#define CONFIG_S "{quoted}"\n' in t.read("config.h").decode()
    assert b"OFF" not in t.read("config.h") + t.read("config.mk")
    t.write("Makefile", "include config.mk\nexport CONFIG_A CONFIG_N CONFIG_S\nall:\n\t@env -0\n")
    out = subprocess.run(["make", "-s"], cwd=tmp_path, capture_output=True, check=True, timeout=60).stdout.decode()
    assert {"CONFIG_A=y", "CONFIG_N=7", f"CONFIG_S={text}"} <= set(out.split("\0"))


def test_files_are_written_only_when_they_change(tree, tmp_path):
    t = tree(ALL_TYPES)
    files = [tmp_path / name for name in (".config", "config.h", "config.mk")]
    args = [f"--header={files[1]}", f"--mk={files[2]}"]
    t.ours(".config", *args)
    for f in files:
        os.utime(f, (1, 1))
    t.ours(".config", *args)
    assert [f.stat().st_mtime for f in files] == [1, 1, 1]
    t.ours(".config", "--olddefconfig", *args)
    assert [f.stat().st_mtime == 1 for f in files] == [False, True, True]
    t.ours(".config", "--allyesconfig", *args)
    assert not [f for f in files if f.stat().st_mtime == 1]
    assert sorted(f.name for f in tmp_path.iterdir()) == [".config", "Kconfig", "config.h", "config.mk"]


def test_savedefconfig_leaves_the_config_alone(tree, tmp_path):
    t = tree(ALL_TYPES)
    t.write(".config", "CONFIG_A=y\n")
    t.ours(".config", f"--savedefconfig={tmp_path}/small", f"--mk={tmp_path}/config.mk")
    assert t.read(".config") == t.read("small") == b"CONFIG_A=y\n"
    assert b"CONFIG_N=4\n" in t.read("config.mk")


def test_randconfig_repeats_with_the_seed_that_it_prints(tree):
    t = tree(SNIPPETS["a chain"])
    first = t.run(t.conf, "one", "--randconfig", KCONFIG_SEED="").stdout.decode()
    seed = re.fullmatch(r"KCONFIG_SEED=(0x[0-9A-F]+)\n", first).group(1)
    t.ours("two", "--randconfig", KCONFIG_SEED=seed)
    assert t.read("one") == t.read("two")
    t.ours("three", "--randconfig", KCONFIG_SEED=str(int(seed, 16) + 1))
    assert t.fails("--randconfig", KCONFIG_SEED="x1") .endswith(": KCONFIG_SEED=x1, expected a number\n")


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--allnoconfig", "--allyesconfig"], ": two modes, expected one\nusage: conf "),
        (["--unknown"], "usage: conf "),
        (["another-Kconfig"], "usage: conf "),
        (["--defconfig=none"], ": cannot read none: No such file or directory\n"),
        (["--header=none/config.h"], ": cannot create none/config.h."),
    ],
)
def test_bad_command_line_is_an_error(tree, args, expected):
    assert expected in tree(ALL_TYPES).fails(*args)


def test_missing_kconfig_is_an_error(tree):
    assert tree(None).fails() == "Kconfig:1: cannot read Kconfig: No such file or directory, expected a Kconfig file\n"
