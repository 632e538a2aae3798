#!/bin/sh
# fetch-src.sh DIR NAME...: the sources of libraries, as DIR/NAME, from Debian's (or
# Ubuntu's) source packages. apt verifies their signatures and checksums. It works on a
# list, a cache and a state of its own below DIR: the machine's stay as they are, and no
# right of root is needed.
set -eu
dir=$1
shift
missing=
for name; do [ -d "$dir/$name" ] || missing="$missing $name"; done
[ -n "$missing" ] || exit 0

! command -v apt-get >/dev/null || sh "$(dirname "$0")/install-deps.sh" fetch
say() { echo "fetch-src: $*" >&2; }
if ! command -v apt-get >/dev/null || ! command -v dpkg-source >/dev/null; then
	say "apt-get and dpkg-source (Debian: dpkg-dev) are needed; elsewhere unpack the sources of$missing" \
		"as folders of these names and name their place: LIBSRC=DIR"
	exit 1
fi
mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial"
dir=$(cd "$dir" && pwd)
apt=$dir/apt

# The same archives as for the machine's programs, asked for sources.
index() {
	apt-get indextargets --format "deb-src $1"'$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' ${2:+"Origin: $2"} |
		sort -u >"$apt/sources.list"
	[ -s "$apt/sources.list" ]
}
signed() {
	[ ! -r "$1" ] || echo "[signed-by=$1] "
}
keys=/usr/share/keyrings
index "$(signed $keys/debian-archive-keyring.gpg)" Debian ||
	index "$(signed $keys/ubuntu-archive-keyring.gpg)" Ubuntu || index ''
own() {
	apt-get -q -o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User= "$@"
}
log=$apt/log
if ! own update >"$log" 2>&1; then
	cat "$log" >&2
	say "apt-get cannot read the lists of source packages"
	exit 1
fi
for name in $missing; do
	rm -rf "$apt/$name"
	mkdir "$apt/$name"
	if ! (cd "$apt/$name" && own source "$name") >"$log" 2>&1; then
		cat "$log" >&2
		say "no source package $name"
		exit 1
	fi
	mv "$apt/$name"/*/ "$dir/$name"
	say "$(sed -n 's/^Version: //p' "$apt/$name"/*.dsc | head -1 | sed "s/^/$name /")"
done
