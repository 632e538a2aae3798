#!/bin/sh
# `make check-configs`: nothing, the least, everything and N random configurations are
# built without a warning, and their binaries pass the tests that apply. Each runs its own
# share of the tests, another one each time: a test skips by name what is not built in.
# Usage: configs.sh OUT N FIRST-SEED
set -u
out=$1 n=$2 first=$3
build="${MAKE:-make} -s --no-print-directory O=$out WERROR=1"
shares=16
failed=0 number=0

try() { # name, command that makes the configuration
	name=$1
	shift
	number=$((number + 1))
	if ! "$@" >"$out.log" 2>&1 || ! $build all >>"$out.log" 2>&1 || ! $build check-integration PYTEST_ARGS=-rf >>"$out.log" 2>&1; then
		cp "$out/.config" "$out.failed-$name" 2>/dev/null
		tail -40 "$out.log"
		echo "FAIL  $name: its configuration is $out.failed-$name"
		failed=$((failed + 1))
		return
	fi
	echo "ok    $name: $(grep -c '=y$' "$out/.config") symbols, $(stat -c %s "$out/zinit") bytes, $(tail -1 "$out.log")"
}
random() {
	KCONFIG_SEED=$1 $build randconfig
}

export ZINIT_SAMPLE
mkdir -p "$out"
for config in allnoconfig tiny_defconfig allyesconfig; do
	ZINIT_SAMPLE=$number/$shares
	try $config $build $config
done
i=0
while [ $i -lt "$n" ]; do
	ZINIT_SAMPLE=$number/$shares
	try "randconfig-$((first + i))" random $((first + i))
	i=$((i + 1))
done
echo "$((number - failed)) passed, $failed failed"
[ $failed = 0 ]
