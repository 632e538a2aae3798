"""Service files of every shape that was recorded of the original zinit, in words of our own.

ok(name, text, field=value...)  is accepted with these fields (the others have their defaults)
no(name, text, error)           is refused; the error begins with `error` after the file's name
why=                            ours decides otherwise than the original did, and this is the reason
warn=                           a word that must be in the warnings; without it there must be none

`E` is the exec line that most files share, so "2:" in an error is the first line of what is tested.
"""
import signal

E = "exec: run me\n"
DEFAULTS = {
    "exec": "run me", "exec_argv": ["run", "me"], "exec_broken": None, "test": None, "test_argv": None,
    "test_broken": None, "oneshot": False, "essential": False, "after": [], "env": [], "dir": None, "log": "ring",
    "kill": "attached", "signal_stop": int(signal.SIGTERM), "shutdown_timeout": 10,
}
NULL = "null means not set"
LENIENT = "ours takes every usual spelling"
CASES = []


class Case:
    def __init__(self, name, text, file=None, **rest):
        self.name = name
        self.bytes = text if isinstance(text, bytes) else text.encode()
        self.file = file or name + ".yaml"
        self.why = rest.pop("why", "")
        self.warn = rest.pop("warn", "")
        self.error = rest.pop("error", None)
        self.fields = None if self.error else {**DEFAULTS, **rest}


def ok(name, text, **fields):
    CASES.append(Case(name, text, **fields))


def no(name, text, error, **more):
    CASES.append(Case(name, text, error=error, **more))


def command(text, argv, key="exec"):
    return {key: text, key + "_argv": argv}


# ---- the document ----
ok("minimal", E)
ok("full", E + 'test: "probe"\noneshot: false\nshutdown_timeout: 33\nafter:\n  - net\nsignal:\n  stop: SIGHUP\n'
   "log: stdout\nenv:\n  K: v\ndir: /var\n", test="probe", test_argv=["probe"], shutdown_timeout=33, after=["net"],
   signal_stop=1, log="stdout", env=[["K", "v"]], dir="/var")
ok("ours", E + "kill: tree\nessential: true\n", kill="tree", essential=True)
ok("unknown-key", E + "what: ever\nlabel: y\n", warn="2:1: what: unknown key")
ok("unknown-key-nested", E + "signal:\n  stop: HUP\n  begin: INT\n", signal_stop=1, warn="4:3: begin: unknown key")
no("key-case", "EXEC: run me\n", "1:1: exec: missing", warn="did you mean 'exec'?")
ok("key-oneShot", E + "oneShot: yes\n", warn="2:1: oneShot: unknown key, did you mean 'oneshot'?")
ok("key-one_shot", E + "one_shot: yes\n", warn="2:1: one_shot: unknown key, did you mean 'oneshot'?")
ok("key-quoted", "'exec': run me\n")
ok("key-space-before-colon", "exec  : run me\n")
no("key-no-space", "exec:run me\n", "1:1: the document is plain text, expected a map")
no("empty-file", "", "1:1: the file is empty")
no("only-comment", "# todo\n", "1:1: the file is empty")
no("only-marker", "---\n\n", "3:1: the document is null")
no("null-doc", "null\n", "1:1: the document is null")
no("empty-map", "{ }\n", "1:1: exec: missing")
no("scalar-doc", "text\n", "1:1: the document is plain text")
no("list-doc", "- exec: run me\n", "1:1: the document is a list")
ok("doc-start", "---\n" + E)
ok("doc-end", E + "...\n")
no("two-docs", E + "---\nexec: other\n", "2:1: a second document")
no("two-docs-empty-second", E + "---\n", "2:1: a second document")
no("doc-end-then-garbage", E + "...\nmore\n", "3:1: did not find expected <document start>")
ok("yaml-directive", "%YAML 1.1\n---\n" + E)
ok("no-final-newline", "exec: run me")
ok("crlf", "exec: run me\r\nlog: stdout\r\n", log="stdout")
no("cr-only", "exec: run me\rlog: stdout\r", "1:13: a carriage return without a line feed")
ok("bom", b"\xef\xbb\xbf" + E.encode(), why="editors write it, and it means nothing")
ok("comment-trailing", "exec: run me  # why\n")
ok("comment-glued", "exec: run me#why\n", **command("run me#why", ["run", "me#why"]))
ok("comment-after-key", "exec: # why\n    run me\n")
ok("indented-top", "   exec: run me\n   log: stdout\n", log="stdout")
ok("blank-lines", "\n" + E + "\n\nlog: stdout\n\n", log="stdout")
no("tab-indent", E + "env:\n\tK: v\n", "3:1: found character that cannot start any token")
ok("tab-after-colon", "exec:\trun me\n")
ok("tab-in-value", "exec: run\tme\n", **command("run\tme", ["run", "me"]))
ok("trailing-spaces", "exec: run me \t \nlog: stdout \n", log="stdout")
ok("utf8", E + "env:\n  Ü: naïve ☂\n", env=[["Ü", "naïve ☂"]])
ok("flow-map", "{exec: run me, log: stdout, after: [net], env: {K: v}}\n", log="stdout", after=["net"],
   env=[["K", "v"]])
ok("json", '{"exec":"run me","oneshot":true,"after":["a"],"env":{"K":"2"},"shutdown_timeout":7}\n', oneshot=True,
   after=["a"], env=[["K", "2"]], shutdown_timeout=7)
ok("json-no-space", '{"exec":"run me","log":"stdout"}\n', log="stdout")
no("flow-unterminated", "{exec: run me, log: none\n", "2:1: did not find expected ',' or '}'")
ok("flow-multiline", E + "after: [\n    one,\n    two,\n]\n", after=["one", "two"])

# ---- bytes ----
no("nul-byte", b"exec: run\0 me\n", "1:10: a NUL byte", why="the original runs half of the command")
no("non-utf8", E.encode() + b"env:\n  K: \xff\n", "3:6: bytes that are not UTF-8")
no("non-utf8-comment", b"# na\xefve\n" + E.encode(), "1:5: bytes that are not UTF-8")
no("utf16le", "exec: x\n".encode("utf-16-le"), "1:2: a NUL byte")
no("utf16-bom", b"\xff\xfe" + "exec: x\n".encode("utf-16-le"), "1:1: bytes that are not UTF-8")
no("control-char", E + "env:\n  K: v\x01w\n", "3:7: the control character U+0001",
   why="YAML allows none; double quotes can name it (\"\\x01\")")
ok("control-char-named", E + 'env:\n  K: "v\\x01w"\n', env=[["K", "v\x01w"]])

# ---- the same key twice ----
no("dup-exec", "exec: a\n" + E, "2:1: exec: this key stands here twice")
no("dup-log", E + "log: stdout\nlog: stdout\n", "3:1: log: this key stands here twice")
ok("dup-unknown", E + "u: 1\nu: 2\n", warn="3:1: u: unknown key, and set twice")
ok("dup-env", E + "env:\n  K: 1\n  L: 2\n  K: 3\n", env=[["L", "2"], ["K", "3"]], warn="5:3: env.K: set twice")

# ---- anchors, aliases, tags ----
ok("anchor-alias", "exec: &cmd run me\ntest: *cmd\noneshot: false\n", **command("run me", ["run", "me"], "test"))
ok("anchor-map", E + "vars: &v\n  K: '8'\nenv: *v\n", env=[["K", "8"]], warn="2:1: vars: unknown key")
no("merge-key", E + "vars: &v {K: '8'}\nenv:\n  <<: *v\n  L: '9'\n", "4:3: env.<<: a merge key")
no("alias-undefined", "exec: *missing\n", "1:7: exec: this alias has no anchor before it")
no("alias-recursive", E + "loop: &l [a, *l]\n", "2:14: loop: this alias stands inside what it refers to",
   why="no tree can hold it")
no("billion-laughs", E + "".join(
    f"{c}: &{c} [{','.join(['*' + chr(ord(c) - 1)] * 8) if c > 'a' else 'ha'}]\n" for c in "abcdefghijkl"),
   "8:8: g: too many values, aliases counted", why="aliases are counted against the cap of a file")
ok("tag-str", "exec: !!str run me\n")
ok("tag-int", E + "shutdown_timeout: !!int 7\n", shutdown_timeout=7)
ok("tag-int-string", E + "shutdown_timeout: !!int '7'\n", shutdown_timeout=7)
no("tag-custom", "exec: !mine run me\n", "1:7: exec: a local tag has no meaning here",
   why="the original drops the word")
ok("tag-bool", E + "oneshot: !!bool true\n", oneshot=True)
no("tag-str-bool", E + "oneshot: !!str true\n", "2:10: oneshot: plain text 'true', expected true or false",
   why="not recorded: the tag decides")

# ---- log ----
for word in "none", "ring", "stdout":
    ok(f"log-{word}", E + f"log:  {word}\n", log=word)
for name, value in ("null", "null"), ("tilde", "~"), ("empty", ""):
    ok(f"log-{name}", E + f"log: {value}\n", log="none", why="the documents of the original promise it")
for name, value in ("bad", "file"), ("upper", "STDOUT"), ("title", "None"), ("quoted-null", "'null'"),\
        ("list", "[none]"), ("map-val", "{to: x}"), ("int", "2"), ("bool", "false"), ("tag", "!none"),\
        ("tagnull", "!none ~"):
    no(f"log-{name}", E + f"log: {value}\n", "2:6: log: ")
ok("log-quoted", E + "log: 'stdout'\n", log="stdout")
no("log-map", E + "log: {none: ~}\n", "2:6: log: a map", why="an accident of the original's parser")

# ---- after ----
for name, value in ("empty", ""), ("null", "~"):
    ok(f"after-{name}", E + f"after: {value}\n", why=NULL)
for name, value, after in ("empty-list", "[]", []), ("ints", "[7, 8]", ["7", "8"]), ("bool", "[no]", ["no"]),\
        ("null-item", "[~]", ["~"]), ("float", "[2.50]", ["2.50"]), ("tilde-quoted", "['~']", ["~"]),\
        ("block", "\n  - b\n  - a\n", ["b", "a"]), ("block-4indent", "\n    - b\n", ["b"]),\
        ("block-0indent", "\n- b\n- a\n", ["b", "a"]), ("block-comment", "\n  # b\n  - b # c\n", ["b"]),\
        ("self", "[after-self]", ["after-self"]), ("cycle-a", "[after-cycle-b]", ["after-cycle-b"]),\
        ("cycle-b", "[after-cycle-a]", ["after-cycle-a"]),\
        ("mixed-indent", "\n  - b\n    - a\n", ["b - a"]):
    ok(f"after-{name}", E + f"after: {value}\n", after=after)
ok("after-dup", E + "after: [b, a, b]\n", after=["b", "a"], why="one gate per service is enough")
ok("after-string", E + "after: net\n", after=["net"], warn="2:8: after: one string", why="people write it")
ok("after-multiline-string", E + "after: c\n  d\n", after=["c d"], warn="one string", why="people write it")
for name, value, place in ("empty-string", "['']", "2:9"), ("block-empty-item", "\n  -\n  - b\n", "3:4"):
    no(f"after-{name}", E + f"after: {value}\n", f"{place}: after[0]: an empty item", why="no service has that name")
no("after-nested", E + "after: [b, [c]]\n", "2:12: after[1]: a list")
no("after-map", E + "after: {b: c}\n", "2:8: after: a map")

# ---- signal ----
for name, value, number in ("SIGTERM", "SIGTERM", 15), ("lower", "sighup", 1), ("mixed", "sigQuit", 3),\
        ("SIGIO", "SIGIO", signal.SIGIO), ("SIGPWR", "SIGPWR", signal.SIGPWR),\
        ("SIGSTKFLT", "SIGSTKFLT", 16), ("SIGSTOP", "SIGSTOP", signal.SIGSTOP):
    ok(f"signal-{name}", E + f"signal:\n    stop: {value}\n", signal_stop=int(number))
for name, value, number in ("TERM", "HUP", 1), ("int", "9", 9), ("quoted-int", "'9'", 9),\
        ("RTMIN", "SIGRTMIN", signal.SIGRTMIN), ("RTMIN+1", "SIGRTMIN+4", signal.SIGRTMIN + 4),\
        ("SIGCLD", "SIGCLD", signal.SIGCHLD), ("SIGPOLL", "SIGPOLL", signal.SIGIO):
    ok(f"signal-{name}", E + f"signal:\n  stop: {value}\n", signal_stop=int(number), why=LENIENT)
for name, value in ("empty", ""), ("null", "~"):
    ok(f"signal-{name}", E + f"signal:\n  stop: {value}\n", why=NULL)
for name, value in ("bad", "SIGNONE"), ("zero", "SIG0"), ("space", "'SIGHUP '"), ("list", "[HUP]"), ("bool", "off"):
    no(f"signal-{name}", E + f"signal:\n  stop: {value}\n", "3:9: signal.stop: ")
no("signal-turkish", E + "signal:\n  stop: 'sıghup'\n", "3:9: signal.stop: ", why="not the name of a signal")
ok("signal-flow", E + "signal: {stop: SIGUSR2}\n", signal_stop=int(signal.SIGUSR2))
no("signal-string", E + "signal: SIGHUP\n", "2:9: signal: plain text, expected a map")
ok("signal-blank", E + "signal:\n", why=NULL)
ok("signal-empty-map", E + "signal: { }\n")
ok("signal-other-key", E + "signal:\n  reload: HUP\n", warn="3:3: reload: unknown key")
for name, value in ("", "[SIGHUP]"), ("-empty", "[]"):
    no(f"signal-as-list{name}", E + f"signal: {value}\n", "2:9: signal: a list, expected a map",
       why="an accident of the original's parser")

# ---- shutdown_timeout ----
ok("timeout-0", E + "shutdown_timeout: 0\n", why="clients write 0 for not set")
for name, value, seconds in ("5", "8", 8), ("hex", "0xFf", 255), ("octal-o", "0o17", 15), ("binary", "0b101", 5),\
        ("plus", "+6", 6), ("big", "18446744073709551615", 2**64 - 1), ("never", "99999999", 99999999):
    ok(f"timeout-{name}", E + f"shutdown_timeout: {value}\n", shutdown_timeout=seconds)
for name, value in ("neg", "-3"), ("float", "2.5"), ("float-int", "2.0"), ("exp", "2e1"), ("string", "'8'"),\
        ("unit", "8s"), ("bool", "no"), ("octal", "017"), ("under", "2_000"), ("too-big", "18446744073709551616"),\
        ("list", "[8]"), ("inf", ".INF"), ("space", "8 8"):
    no(f"timeout-{name}", E + f"shutdown_timeout: {value}\n", "2:19: shutdown_timeout: ")
for name, value in ("null", "~"), ("empty", ""):
    ok(f"timeout-{name}", E + f"shutdown_timeout: {value}\n", why=NULL)

# ---- oneshot ----
for value in "true", "false":
    ok(f"oneshot-{value}", f"oneshot: {value}\n" + E, oneshot=value == "true")
for value in "True", "TRUE", "yes", "on", "Off", "NO":
    ok(f"oneshot-{value}", f"oneshot: {value}\n" + E, oneshot=value.lower() in ("true", "yes", "on"), why=LENIENT)
for name, value in ("string-yes", '"yes"'), ("string-true", '"true"'), ("single-true", "'true'"), ("1", "1"),\
        ("0", "0"), ("y", "y"), ("list", "[yes]"):
    no(f"oneshot-{name}", f"oneshot: {value}\n" + E, "1:10: oneshot: ")
for name, value in ("null", "~"), ("empty", ""):
    ok(f"oneshot-{name}", f"oneshot: {value}\n" + E, why=NULL)

# ---- env: one variable K ----
for name, value, text in ("int", "4711", "4711"), ("neg", "-7", "-7"), ("float", "3.10", "3.10"),\
        ("exp", "2e5", "2e5"), ("bool", "false", "false"), ("bool-yes", "on", "on"), ("null", "~", "~"),\
        ("null-word", "Null", "Null"), ("quoted", '"c d"', "c d"), ("single", "'don''t'", "don't"),\
        ("hex", "0xAb", "0xAb"), ("octal", "0777", "0777"), ("date", "1999-12-31", "1999-12-31"),\
        ("url", "ftp://h:21/p?q=r#s", "ftp://h:21/p?q=r#s"), ("url-space-hash", "c #d", "c"),\
        ("colon-end", "'c:'", "c:"), ("at", "'@c'", "@c"), ("percent", "'%c'", "%c"), ("pipe", "|", ""),\
        ("dollar", "$SHELL", "$SHELL"), ("backslash", "c\\td", "c\\td"),\
        ("dq-escapes", r'"c\td\x42\u00fc\n\\\"\e\/"', 'c\tdBü\n\\"\x1b/'), ("inf", "-.inf", "-.inf"),\
        ("nan", ".NaN", ".NaN"), ("tilde-path", "~/.c", "~/.c"), ("under", "3_000", "3_000"), ("plus", "+7", "+7"),\
        ("big", "987654321098765432109876543210", "987654321098765432109876543210"), ("dot", ".7", ".7"),\
        ("trail-dot", "7.", "7."), ("leading-zero-float", "00.7", "00.7"), ("bool-case", "FALSE", "FALSE"),\
        ("tag-str-int", "!!str 7", "7"), ("multiline-plain", "c\n     d", "c d"), ("unicode", "ü☂", "ü☂"):
    ok(f"env-{name}", E + f"env:\n  K: {value}\n", env=[["K", text]])
ok("env-empty", E + "env:\n  K:\n  L: \n", env=[["K", ""], ["L", ""]], why="an empty value is the empty string")
for name, value in ("list", "[c]"), ("map", "{c: d}"), ("at-bare", "@c"), ("backtick", "`c`"),\
        ("percent-bare", "%c"), ("star", "*c"), ("dash", "- c"), ("dash-only", "-"), ("question", "? c"),\
        ("comma", ",c"):
    no(f"env-{name}", E + f"env:\n  K: {value}\n", "3:6: ")
no("env-colon-space", E + "env:\n  K: cc: d\n", "3:8: mapping values are not allowed")
no("env-dq-bad-escape", E + 'env:\n  K: "c\\wd"\n', "3:8: found unknown escape character")
for name, value in ("braces", "{c"), ("brackets", "[c"):
    no(f"env-{name}", E + f"env:\n  K: {value}\n", "4:1: did not find expected ','")
no("env-amp", E + "env:\n  K: &c d\n", "3:6: env: no alias uses this anchor", why="the value lost a word")
no("env-bang", E + "env:\n  K: !c\n", "3:6: env: a local tag", why="the value was lost")
for name, key, text in ("int", "7", "7"), ("bool", "on", "on"), ("null", "~", "~"):
    ok(f"env-key-{name}", E + f"env:\n  {key}: v\n", env=[[text, "v"]])
for name, key in ("empty", "''"), ("eq", "'K=L'"):
    ok(f"env-key-{name}", E + f"env:\n  {key}: v\n  M: w\n", env=[["M", "w"]], warn="3:3: env: a variable whose name",
       why="no program can read such a variable")
no("env-as-list", E + "env:\n  - K=v\n", "3:3: env: a list, expected a map")
no("env-as-string", E + "env: K=v\n", "2:6: env: plain text 'K=v', expected a map")
for name, value in ("null", "~"), ("blank", ""):
    ok(f"env-as-{name}", E + f"env: {value}\n", why=NULL)
ok("env-as-empty-map", E + "env: { }\n")
ok("env-path", E + "env:\n  PATH: /opt/bin\n", env=[["PATH", "/opt/bin"]])

# ---- exec as YAML ----
no("exec-missing", "log: none\n", "1:1: exec: missing")
no("exec-empty", "log: none\nexec: ''\n", "2:1: exec: empty")
for name, value in ("null", ""), ("tilde", "~"):
    no(f"exec-{name}", f"exec: {value}\n", "1:1: exec: empty", why="the original ran a command named ~")
for name, text in ("blank", "  "), ("comment-only", "# y"):
    ok(f"exec-{name}", f"exec: '{text}'\n", exec=text, exec_argv=None,
       exec_broken=f"holds no command, only blanks or a comment: line 1, column 1 of the command: {text}")
for name, text in ("int", "7"), ("bool", "false"), ("float", "2.50"):
    ok(f"exec-{name}", f"exec: {text}\n", **command(text, [text]))
no("exec-list", "exec: [run, me]\n", "1:7: exec: a list, expected one string")
no("exec-block-list", "exec:\n  - run\n  - me\n", "2:3: exec: a list, expected one string")
no("exec-map", "exec: {run: me}\n", "1:7: exec: a map")
for name, value, text, argv in (
        ("literal", "|\n  ash -c '\n    date\n    run me\n  '\n", "ash -c '\n  date\n  run me\n'\n",
         ["ash", "-c", "\n  date\n  run me\n"]),
        ("literal-keep", "|+\n  run me\n\n\n", "run me\n\n\n", ["run", "me"]),
        ("literal-strip", "|-\n  run me\n", "run me", ["run", "me"]),
        ("literal-indent", "|2\n     run me\n", "   run me\n", ["run", "me"]),
        ("literal-two-lines", "|\n  run me\n  and you\n", "run me\nand you\n", ["run", "me", "and", "you"]),
        ("literal-continued", "|\n  run \\\n    me \\\n    now\n", "run \\\n  me \\\n  now\n", ["run", "me", "now"]),
        ("folded", ">\n  run\n  me\n", "run me\n", ["run", "me"]),
        ("folded-blank", ">\n  run\n\n  me\n", "run\nme\n", ["run", "me"]),
        ("plain-multiline", "run\n    me\n", "run me", ["run", "me"]),
        ("dq-multiline", '"run\n  me"\n', "run me", ["run", "me"]),
        ("dq-line-cont", '"run \\\n  me"\n', "run me", ["run", "me"]),
        ("sq-multiline", "'run\n\n  me'\n", "run\nme", ["run", "me"]),
        ("literal-with-colon", '|\n  ash -c "date a: b # c"\n', 'ash -c "date a: b # c"\n',
         ["ash", "-c", "date a: b # c"]),
        ("plain-with-hash", "run me #now\n", "run me", ["run", "me"]),
        ("plain-quotes-inside", 'ash -c "run me"\n', 'ash -c "run me"', ["ash", "-c", "run me"]),
        ("plain-single-inside", "ash -c 'run me'\n", "ash -c 'run me'", ["ash", "-c", "run me"]),
        ("sq-outer", "'ash -c \"run me\"'\n", 'ash -c "run me"', ["ash", "-c", "run me"]),
        ("dq-outer", "\"ash -c 'run me'\"\n", "ash -c 'run me'", ["ash", "-c", "run me"]),
        ("starts-with-dash", "-run\n", "-run", ["-run"]),
        ("env-var", 'ash -c "run $PWD" $PWD ~ *.h\n', 'ash -c "run $PWD" $PWD ~ *.h',
         ["ash", "-c", "run $PWD", "$PWD", "~", "*.h"])):
    ok(f"exec-{name}", f"exec: {value}log: none\n", **command(text, argv), log="none")
no("exec-plain-multiline-noindent", "exec: run\nme\n", "3:1: could not find expected ':'")
no("exec-plain-with-colon-space", "exec: run it: me\n", "1:13: mapping values are not allowed")
no("exec-dq-then-more", 'exec: "run" me\n', "1:13: did not find expected key")
no("exec-starts-with-bracket", "exec: [ -d /y ]\n", "1:7: exec: a list")
no("exec-starts-with-brace", "exec: {run}\n", "1:7: exec: a map")
no("exec-starts-with-star", "exec: */run\n", "1:8: did not find expected alphabetic or numeric character")
for name, value in ("percent", "%run"), ("at", "@run"):
    no(f"exec-starts-with-{name}", f"exec: {value}\n", "1:7: found character that cannot start any token")
no("exec-starts-with-gt", "exec: >run\n", "1:8: did not find expected comment or line break")
no("exec-starts-with-bang", "exec: !run me\n", "1:7: exec: a local tag", why="the command lost its first word")
no("exec-starts-with-bang-blank", "exec: ! run me\n", "1:7: exec: a local tag", why="not recorded: the ! was lost")
no("exec-starts-with-amp", "exec: &run me\n", "1:7: exec: no alias uses this anchor",
   why="the command lost its first word")

# ---- exec as a command line ----
for name, text, argv in (
        ("bs-space", r"c\ d e", ["c d", "e"]), ("dq", 'c "d e" f', ["c", "d e", "f"]),
        ("sq", "c 'd e' f", ["c", "d e", "f"]), ("dq-esc-quote", r'c "d\"e"', ["c", 'd"e']),
        ("dq-esc-dollar", r'c "d\$e\`f\\g"', ["c", r"d$e`f\g"]), ("dq-esc-other", r'c "d\te\y"', ["c", r"d\te\y"]),
        ("dq-esc-newline", 'c "d\\\ne"', ["c", "de"]), ("sq-esc", r"c 'd\e'", ["c", r"d\e"]),
        ("adjacent", "c\"d\"'e'f", ["cdef"]), ("empty-dq", 'c "" d', ["c", "", "d"]),
        ("empty-sq", "c '' d", ["c", "", "d"]), ("hash-word", "c #d e", ["c"]), ("hash-mid", "c d#e", ["c", "d#e"]),
        ("hash-after-newline", "c\n#d\ne", ["c", "e"]), ("tab-newline", "c\td\ne", ["c", "d", "e"]),
        ("cr", "c\rd", ["c\rd"]), ("bs-newline", "c\\\nd", ["cd"]),
        ("semicolon", "c; d && e | f > g", ["c;", "d", "&&", "e", "|", "f", ">", "g"]),
        ("unicode", 'ü "☂ y"', ["ü", "☂ y"]), ("nbsp", "c\u00a0d", ["c\u00a0d"]), ("formfeed", "c\fd", ["c\fd"]),
        ("only-quotes", '""', [""]), ("leading-blanks", "    c", ["c"]), ("bs-plain", r"c\td", ["ctd"]),
        ("dollar", "$C ${D} $(e) `f`", ["$C", "${D}", "$(e)", "`f`"]), ("tilde", "~ ~/c", ["~", "~/c"]),
        ("glob", "? *", ["?", "*"]), ("eq", "C=d e", ["C=d", "e"])):
    ok(f"shlex-{name}", "exec: " + '"%s"\n' % text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
       .replace("\t", r"\t").replace("\r", r"\r").replace("\f", r"\f"), **command(text, argv))
for name, text, why in (
        ("bs-end", "c\\", "a backslash has nothing behind it: line 1, column 2 of the command: \\"),
        ("dq-open", 'cd "e', 'a double quote is not closed: line 1, column 4 of the command: "e'),
        ("sq-open", "cd\n e 'f", "a single quote is not closed: line 2, column 4 of the command: 'f")):
    ok(f"shlex-{name}", "exec: |-\n  %s\n" % text.replace("\n", "\n  "), exec=text, exec_argv=None, exec_broken=why)

# ---- test, dir ----
for name, value in ("empty", ""), ("tilde", "~"):
    ok(f"test-{name}", E + f"test: {value}\n", why="the original ran a command named ~")
    ok(f"dir-{'null' if not value else name}", E + f"dir: {value}\n", why="the original went to a folder named ~")
ok("test-empty-string", E + "test: ''\n")
ok("test-int", E + "test: 7\n", **command("7", ["7"], "test"))
ok("test-bool", E + "test: no\n", **command("no", ["no"], "test"))
no("test-list", E + "test: [c]\n", "2:7: test: a list")
ok("dir-relative", E + "dir: var\n", dir="var", warn="2:6: dir: a relative path")
ok("dir-int", E + "dir: 7\n", dir="7", warn="2:6: dir: a relative path")

# ---- sizes ----
ok("deep-nesting", E + "y: " + "[" * 210 + "]" * 210 + "\n", warn="2:1: y: unknown key")
no("deep-nesting-2000", E + "y: " + "[" * 2100 + "]" * 2100 + "\n", "2:259: y: nested too deeply")
no("huge-comment", E + "# " + "-" * 1_500_000 + "\n", " more than 1048576 bytes", why="a file has at most 1 MiB")
ok("large-comment", E + "# " + "-" * 1_000_000 + "\n")
ok("huge-env", E + "env:\n" + "".join(f"  K{i}: v{i}\n" for i in range(20000)),
   env=[[f"K{i}", f"v{i}"] for i in range(20000)])
ok("huge-exec", "exec: " + "y" * 250_000 + "\n", **command("y" * 250_000, ["y" * 250_000]))
ok("many-after", E + "after:\n" + "".join(f"- s{i}\n" for i in range(2000)), after=[f"s{i}" for i in range(2000)])

# ---- names of files: (name, file, the service's name or None, a part of what is wrong with it) ----
NAMES = [
    ("name-space", "c d.yaml", "c d", None), ("name-yml", "c.yml", "c", None),  # the original ignored .yml
    ("name-upper-ext", "c.YAML", None, None), ("name-no-ext", "plain", None, None),
    ("name-double-ext", "c.old.yaml", "c.old", None),
    ("name-hidden", ".c.yaml", ".c", "starts with '.'"),  # ours: an editor's swap file is no service
    ("name-only-ext", ".yaml", None, None), ("name-tilde", "c.yaml~", None, None), ("name-utf8", "nü.yaml", "nü", None),
    ("name-colon", "c:d.yaml", "c:d", None), ("name-quote", 'c"d.yaml', 'c"d', None),
    ("name-newline", "c\nd.yaml", "c\nd", "control byte"),  # ours: it would forge lines in the log
    ("name-dash", "-c.yaml", "-c", None), ("name-number", "77.yaml", "77", None), ("name-true", "no.yaml", "no", None),
    ("name-backslash", "c\\d.yaml", "c\\d", "'\\'"), ("name-long", "c" * 129 + ".yaml", "c" * 129, "128"),
]

# ---- shapes that people write, compared with PyYAML and shlex where they are installed ----
SHAPES = {
    "folded plain": "exec: /bin/zdb\n  --socket /run/z.sock\n  --data '/var/z d'\n",
    "folded plain, deep": "exec: zdb\n          --a\n          --b\n\nlog: none\n",
    "folded block": "exec: >-\n  zdb --a\n  --b\n",
    "folded block, more indented": "exec: >\n  zdb\n    --a\n  --b\n",
    "folded block, keep": "exec: >+\n  zdb --a\n\n\n",
    "literal sh": "exec: |\n  sh -c '\n  echo one\n  exec sleep 9\n  '\n",
    "literal, newline first": "exec: |\n  sh -c \"\n    set -e\n    echo hi\n  \"\n",
    "literal, blank lines": "exec: |\n\n  sh -c '\n\n    echo a\n\n  '\n",
    "literal, backslash-newline": "exec: |\n  zdb \\\n    --a \\\n    --b\nafter: [net]\n",
    "literal, backslash-newline in dq": "exec: |\n  sh -c \"a \\\n  b\"\n",
    "literal, backslash-newline in sq": "exec: |\n  sh -c 'a \\\n  b'\n",
    "literal, 4 blanks": "exec: |\n    zdb\n    --a\n",
    "literal, comment line": "exec: |\n  # start it\n  zdb --a\n  # and that is all\n",
    "literal, comment behind": "exec: |\n  zdb --a # first\n  --b\n",
    "literal, tabs": "exec: |\n  zdb\t--a\n  \t--b\n",
    "literal, crlf": "exec: |\r\n  zdb\r\n  --a\r\nafter:\r\n  - net\r\n",
    "crlf": "exec: zdb --a\r\ntest: zdb --ping\r\noneshot: true\r\nenv:\r\n  A: b\r\n",
    "list at column 0": "exec: zdb\nafter:\n- net\n- disk\ntest: ping\n",
    "list, 4 blanks": "exec: zdb\nafter:\n    - net\n    - disk\n",
    "list, flow": "exec: zdb\nafter: [ net , disk,]\n",
    "list, flow over lines": "exec: zdb\nafter: [net,\n        disk]\nlog: ring\n",
    "list, quoted": "exec: zdb\nafter:\n  - 'net'\n  - \"disk one\"\n",
    "list, comments": "exec: zdb\nafter: # these\n  # first\n  - net # here\n\n  - disk\n",
    "scalar after": "exec: zdb\nafter: zstor\n",
    "env map": "exec: zdb\nenv:\n  PORT: 8080\n  ON: true\n  RATE: 1.50\n  OCT: 010\n  BIG: 1_000\n",
    "env flow": "exec: zdb\nenv: {A: 1, 'B': two words, C: \"x: y\"}\n",
    "env, quotes": "exec: zdb\nenv:\n  A: \"it's\"\n  B: 'say \"hi\"'\n  C: a\"b\n  D: \"\\ttab\\u00e9\"\n",
    "env, multi-line": "exec: zdb\nenv:\n  A: |\n    one\n    two\n  B: >-\n    three\n    four\n",
    "env, url": "exec: zdb\nenv:\n  A: http://h:80/p#f\n  B: a=b=c\n  C: k #no\n",
    "env, empty value": "exec: zdb\nenv:\n  A:\n  B: ''\n  C: x\n",
    "env, 4 blanks, column 6": "exec: zdb\nenv:\n      A: b\n      C: d\ndir: /\n",
    "no final newline": "exec: zdb --a\nafter:\n  - net",
    "comments everywhere": "# head\n\nexec: zdb --a  # trailing\n# between\ntest: ping # p\n# end",
    "document markers": "---\nexec: zdb\n...\n",
    "quoted whole": "exec: \"sh -c 'echo \\\"a b\\\"'\"\n",
    "single quoted whole": "exec: 'sh -c \"echo it''s\"'\n",
    "quotes inside plain": "exec: sh -c \"a b\" 'c d' e\\ f \"\" ''\n",
    "backslashes in plain": "exec: printf a\\\\b c\\d\n",
    "json": "{\"exec\": \"zdb --a\", \"after\": [\"net\"], \"env\": {\"A\": \"b c\"}, \"oneshot\": true}\n",
    "flow over lines": "{exec: zdb --a,\n after: [net,\n disk],\n env: {A: b}}\n",
    "True": "exec: zdb\noneshot: True\nlog: stdout\ndir: /var/lib/z d\n",
    "unicode": "exec: écho \"naïve ☕\"\nafter: [größe]\n",
    "aliases": "exec: &c zdb --a\ntest: *c\nenv: {A: &v x, B: *v}\n",
    "block map in list is unknown": "exec: zdb\nextra:\n  - a: 1\n    b: [2, 3]\n  - - c\n",
}
