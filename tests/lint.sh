#!/bin/sh
# The rules of the tree, checked: `make lint`. Arguments: build folder, compiler
# flags. Prints what is wrong and ends with 1, or one line and 0.
set -u
out=$1
shift
bad=0
say() {
	bad=1
	echo "lint: $1"
}

# 1. Includes go down only: base < loop < conf proc rpc < http svc < control pid1.
climbs=$(grep -nE '^#include "[a-z0-9]+/' lib/*/*.c lib/*/*.h lib/*/*.def 2>/dev/null | awk -F: '
	function level(d) {
		if (d == "base") return 0
		if (d == "loop") return 1
		if (d ~ /^(conf|proc|rpc)$/) return 2
		if (d ~ /^(http|svc)$/) return 3
		return d ~ /^(control|pid1)$/ ? 4 : 9
	}
	{
		split($1, from, "/")
		to = $3
		gsub(/.*#include "|\/.*/, "", to)
		if (from[2] != to && level(to) >= level(from[2]))
			print "  " $1 ":" $2 " includes " to "/"
	}')
[ -z "$climbs" ] || say "an include climbs or goes sideways:
$climbs"
grep -n '#include "applets/\|#include "applet.h' lib/*/*.[ch] && say "lib/ includes from applets/"

# 2. What init is made of never calls these.
for o in "$out"/applets/init.o "$out"/lib/*/*.o; do
	case $o in */rpc/client.o | */lib/http/*) continue ;; esac
	calls=$(nm -u "$o" | awk '{ print $2 }' | grep -xE \
		'exit|abort|sleep|usleep|nanosleep|system|popen|fopen|malloc_usable_size|x[a-z]*alloc|mbedtls_.*|http_.*|ws_.*')
	[ -z "$calls" ] || say "$o calls $(echo $calls)"
done

# 3. Sizes of things.
wc -l lib/*/*.c lib/*/*.h applets/*.c configs/*.c tests/unit/*.c | awk '$2 != "total" && $1 > 600 { print "  " $2 ": " $1 " lines" }' |
	grep . && say "files over 600 lines"
awk '
	FNR == 1 { name = "" }
	/^[a-z].*\)$/ { name = $0; start = FNR }
	/^}/ { if (name != "" && FNR - start > 75) { print "  " FILENAME ":" start " " FNR - start " lines"; found = 1 } name = "" }
	END { exit !found }' lib/*/*.c applets/*.c && say "functions over 75 lines"

# What a build makes is not part of the tree.
made=$(git ls-files 2>/dev/null | grep -E '^build|\.(o|a|d|so|pyc)$' | head -3)
[ -z "$made" ] || say "build products are tracked: $made"

# 4. Format.
if command -v clang-format >/dev/null; then
	clang-format --dry-run -Werror lib/*/*.c applets/*.c tests/unit/*.c tests/fuzz/*.c 2>&1 | grep -E 'error' | head -5 |
		grep . && say "clang-format would change files (clang-format -i lib/*/*.c applets/*.c tests/unit/*.c tests/fuzz/*.c)"
else
	echo "lint: no clang-format here: formatting is not checked"
fi

# 5. Analysers, each file by itself, two at a time.
files=$(ls lib/*/*.c applets/*.c)
# What needs a library that is not here cannot be looked at.
test -e /usr/include/mbedtls/ssl.h || files=$(printf '%s\n' $files | grep -v 'lib/http/tls_\(mbed\|self\)')
if command -v clang-tidy >/dev/null; then
	printf '%s\n' $files | xargs -P 2 -n 4 sh -c '
		flags=$1; shift
		clang-tidy --quiet --warnings-as-errors="*" "$@" -- $flags 2>/dev/null || exit 1' _ "$*" >"$out/tidy.log" ||
		{ grep -E 'error|warning' "$out/tidy.log" | head -20; say "clang-tidy found something"; }
else
	echo "lint: no clang-tidy here: not run"
fi
# Memory here hangs in embedded lists, which this analyser takes for leaks; the
# tests look for those under LeakSanitizer.
if command -v gcc >/dev/null; then
	printf '%s\n' $files | xargs -P 2 -n 1 sh -c '
		flags=$1; shift
		gcc $flags -fanalyzer -Wno-analyzer-malloc-leak -Werror -c -o /dev/null "$@"' _ "$*" 2>"$out/analyzer.log" ||
		{ grep -E 'error|warning' "$out/analyzer.log" | head -20; say "gcc -fanalyzer found something"; }
fi
[ $bad = 0 ] && echo "lint: clean"
exit $bad
