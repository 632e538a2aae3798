#!/bin/sh
# fetch-deb.sh DIR ARCH PACKAGE...: packages of Debian for another kind of machine, unpacked
# into DIR. A package named *-cloud-* that has no files stands for the one it depends on.
# apt works on a list, a cache and a state of its own below DIR: dpkg and the machine's
# apt know nothing of it.
set -eu
dir=$1 arch=$2
shift 2
mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial" "$dir/root"
dir=$(cd "$dir" && pwd)
apt=$dir/apt
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ ! -r $keys ] && signed= || signed="[signed-by=$keys] "
apt-get indextargets --format "deb $signed"'$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' |
	sort -u >"$apt/sources.list"
own() {
	command=$1
	shift
	"$command" -q -o "APT::Architecture=$arch" -o "APT::Architectures=$arch" -o Dir::State::status=/dev/null \
		-o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User= "$@"
}
run() {
	own "$@" >"$apt/log" 2>&1 && return
	cat "$apt/log" >&2
	echo "fetch-deb: $* failed" >&2
	exit 1
}
run apt-get update
for package; do
	real=$(own apt-cache depends "$package" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-.*\)$/\1/p' | head -1)
	(cd "$apt/cache" && run apt-get download "${real:-$package}")
done
for deb in "$apt"/cache/*.deb; do dpkg-deb -x "$deb" "$dir/root"; done
