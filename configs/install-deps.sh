#!/bin/sh
# Installs what is missing for a purpose: "build", "test", "boot", "fetch" (the libraries'
# sources), "cross" (static and foreign builds), "deb", "emulator". Does nothing, and asks nobody, when all of
# it is there. Without the right to install it says what to do.
set -u
missing=
optional=
python_packages=
tools=build/tools # where Python's packages go: nothing of the machine's own changes

need() { # is it there?, Debian, Alpine, Fedora
	eval "$1" >/dev/null 2>&1 && return
	if command -v apt-get >/dev/null 2>&1; then missing="$missing $2"
	elif command -v apk >/dev/null 2>&1; then missing="$missing $3"
	else missing="$missing $4"; fi
}

want() { # the same for what only some tests use: left out where nothing can be installed
	before=$missing
	need "$@"
	[ "$missing" = "$before" ] || optional="$optional${missing#"$before"}"
	missing=$before
}

python_has() {
	for p in "${PYTHON:-python3}" /usr/bin/python3; do "$p" -c "import $1" && return; done
	return 1
}

for purpose; do
	case $purpose in
	build)
		need "command -v ${CC:-cc} || command -v gcc" "gcc libc6-dev" "gcc musl-dev" "gcc glibc-devel"
		need "command -v pkg-config" pkg-config pkgconf pkgconf-pkg-config
		need "pkg-config --exists yaml-0.1" libyaml-dev yaml-dev libyaml-devel
		need "command -v awk" gawk gawk gawk
		;;
	tls)
		need "test -e /usr/include/mbedtls/ssl.h" libmbedtls-dev mbedtls-dev mbedtls-devel
		;;
	cross)
		if ! command -v zig >/dev/null && ! python_has ziglang && [ ! -x $tools/ziglang/zig ]; then
			need "python_has pip" python3-pip py3-pip python3-pip
			python_packages=ziglang==0.15.2
		fi 2>/dev/null
		;;
	deb)
		need "command -v dpkg-buildpackage && command -v dh" "dpkg-dev debhelper fakeroot" "" ""
		need "command -v lintian" lintian "" ""
		;;
	boot-aarch64)
		need "command -v qemu-system-aarch64" qemu-system-arm qemu-system-aarch64 qemu-system-aarch64-core
		;;
	emulator)
		need "command -v qemu-aarch64-static" qemu-user-static "qemu-aarch64 qemu-arm qemu-riscv64" qemu-user-static
		;;
	fetch)
		need "command -v dpkg-source" dpkg-dev dpkg-dev dpkg-dev
		;;
	boot)
		need "command -v qemu-system-x86_64" qemu-system-x86 qemu-system-x86_64 qemu-system-x86
		need "test -x /bin/busybox" busybox-static busybox-static busybox
		need "command -v strip" binutils binutils binutils
		;;
	test)
		need "pkg-config --exists cmocka || test -e /usr/include/cmocka.h" libcmocka-dev cmocka-dev libcmocka-devel
		need "python_has 'pytest, xdist'" "python3-pytest python3-pytest-xdist" "py3-pytest py3-pytest-xdist" \
			"python3-pytest python3-pytest-xdist"
		need "command -v curl" curl curl curl
		need "command -v openssl" openssl openssl openssl
		need "python_has 'requests, websockets'" "python3-requests python3-websockets" "py3-requests py3-websockets" \
			"python3-requests python3-websockets"
		need "command -v unshare && command -v nsenter" util-linux util-linux util-linux
		want "command -v socat" socat socat socat
		want "command -v nc" netcat-openbsd netcat-openbsd nmap-ncat
		want "command -v sslscan" sslscan "" sslscan
		want "command -v slowhttptest" slowhttptest "" slowhttptest
		want "command -v zsh" zsh zsh zsh
		want "command -v fish" fish fish fish
		want "command -v mandoc" mandoc mandoc mandoc
		;;
	esac
done

install_python() {
	[ -n "$python_packages" ] || return 0
	for p in "${PYTHON:-python3}" /usr/bin/python3; do
		"$p" -c "import pip" 2>/dev/null || continue
		echo "installing: $python_packages into $tools"
		"$p" -m pip install -q --disable-pip-version-check --no-warn-script-location --root-user-action=ignore \
			--target $tools $python_packages
		return
	done
	echo "no python3 with pip, to install $python_packages" >&2
	return 1
}

nothing_more() {
	install_python
	exit
}
[ -n "$missing$optional" ] || nothing_more

if command -v apt-get >/dev/null 2>&1; then install="apt-get install -y --no-install-recommends"
elif command -v apk >/dev/null 2>&1; then install="apk add"
elif command -v dnf >/dev/null 2>&1; then install="dnf install -y"
elif [ -n "$missing" ]; then
	echo "missing:$missing; install them with your system's package manager" >&2
	exit 1
else
	nothing_more
fi
sudo=
if [ "$(id -u)" != 0 ]; then
	if sudo -n true 2>/dev/null; then sudo=sudo
	elif [ -n "$missing" ]; then
		echo "missing packages; as root: $install$missing" >&2
		exit 1
	else
		nothing_more
	fi
fi

put() { # packages
	DEBIAN_FRONTEND=noninteractive $sudo $install "$@" >/dev/null 2>&1
}

echo "installing:$missing$optional"
[ "${install%% *}" != apt-get ] || $sudo apt-get update -q >/dev/null 2>&1
[ -z "$optional" ] || put $optional || echo "not installed:$optional; tests that use them are skipped"
[ -z "$missing" ] || put $missing || DEBIAN_FRONTEND=noninteractive $sudo $install $missing || exit
install_python
