#!/bin/sh
# `make check-cross ARCH=X`: the integration tests on a program for another kind of machine,
# run by qemu-user. The services are programs of this machine. What cannot run like that is
# skipped by name: tests/cross-skip says what and why.
# Usage: cross.sh FOLDER ARCH PYTEST...
set -eu
folder=$(cd "$1" && pwd) arch=$2
shift 2
mkdir -p "$folder/emulated"
cp "$folder/.config" "$folder/emulated/"
if [ "$arch" = "$(uname -m)" ]; then
	cp "$folder/zinit" "$folder/emulated/zinit"
else
	case $arch in
	armhf) qemu=qemu-arm-static ;;
	*) qemu=qemu-$arch-static ;;
	esac
	qemu=$(command -v "$qemu") || { echo "check-cross: no $qemu (Debian: qemu-user-static)" >&2; exit 1; }
	printf '#!/bin/sh\nexec %s -0 "$0" %s "$@"\n' "$qemu" "$folder/zinit" >"$folder/emulated/zinit"
	chmod +x "$folder/emulated/zinit"
	export ZINIT_EXE="$qemu" ZINIT_SKIP=tests/cross-skip
fi
ZINIT=$folder/emulated/zinit ZINIT_TEST_SLACK=30 PYTHONDONTWRITEBYTECODE=1 \
	exec "$@" -p no:cacheprovider -q tests/integration
