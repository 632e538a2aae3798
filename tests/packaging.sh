#!/bin/sh
# `make check-packaging`: the Debian package is installed into a folder and runs as a
# container's init there; the recipes are read by the tools that know them, as far as this
# machine has these; lists of files are what the documents say.
# Usage: packaging.sh OUT VERSION
set -eu
out=$(cd "$1" && pwd) version=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() {
	echo "FAIL  $*" >&2
	exit 1
}
ok() { echo "ok    $*"; }

# ---- deb ----
deb=$(ls "$out"/deb/zinit_"$version"_*.deb)
root=$dir/root
mkdir -p "$root/var/lib/dpkg/updates" "$root/var/lib/dpkg/info"
touch "$root/var/lib/dpkg/status"
dpkg --root="$root" --force-depends --force-not-root --force-bad-path -i "$deb" >"$dir/log" 2>&1 || { cat "$dir/log"; fail "dpkg -i"; }
for path in sbin/init usr/sbin/init etc/inittab lib/systemd; do
	[ ! -e "$root/$path" ] || fail "the package brings $path"
done
mkdir "$dir/c"
echo 'exec: sleep 1000' >"$dir/c/a.yaml"
unshare --fork --pid --mount-proc --kill-child "$root/usr/sbin/zinit" init -c "$dir/c" -s "$dir/s" >"$dir/init.log" 2>&1 &
init=$!
i=0
until "$root/usr/sbin/zinitctl" -s "$dir/s" list 2>/dev/null | grep -q 'a: Running'; do
	i=$((i + 1))
	[ $i -lt 100 ] || { cat "$dir/init.log"; fail "the installed init does not start its service"; }
	sleep 0.1
done
"$root/usr/sbin/zinit" -s "$dir/s" shutdown
wait $init || fail "the installed init ended with $?"
dpkg --root="$root" --force-not-root --force-bad-path -P zinit >"$dir/log" 2>&1 || { cat "$dir/log"; fail "dpkg -P"; }
[ ! -e "$root/usr/sbin/zinit" ] || fail "dpkg -P leaves the program"
ok "deb: installed, ran as a container's init, removed"

# ---- the archive ----
tar -tf "$out/zinit-$version.tar.gz" >"$dir/names"
for file in Makefile README.md LICENSE applets/main.c configs/defconfig docs/installation.md tests/unit/ring.c; do
	grep -qx "zinit-$version/$file" "$dir/names" || fail "the archive has no $file"
done
! grep -E '/(build|\.git)[/-]|\.pyc$' "$dir/names" || fail "the archive has what is generated"
ok "dist: $(wc -l <"$dir/names") files"

# ---- recipes ----
packaging=$out/packaging
! grep -rn '@[A-Z0-9_]*@' "$packaging" --include=APKBUILD --include='*.bb' --include='*.mk' || fail "what was to be filled in is not"
sh -n "$packaging/alpine/APKBUILD" && sh -n "$packaging/oci.sh"
(
	. "$packaging/alpine/APKBUILD"
	[ "$pkgname-$pkgver" = "zinit-$version" ] && [ -f "$packaging/alpine/$source" ]
	for word in $license $arch $pkgrel $pkgdesc; do [ -n "$word" ] || exit 1; done
) || fail "APKBUILD"
ok "APKBUILD: its shell is right, its source is there"

printf 'define generic-package\nall:\n\t@echo $(ZINIT_VERSION) $(ZINIT_DEPENDENCIES)\nendef\nqstrip = $(1)\n' >"$dir/br.mk"
echo "include $packaging/buildroot/zinit/zinit.mk" >>"$dir/br.mk"
[ "$(make -s -f "$dir/br.mk" all)" = "$version host-gawk host-pkgconf libyaml" ] || fail "zinit.mk"
printf 'mainmenu "x"\nconfig BR2_USE_MMU\n\tdef_bool y\nconfig BR2_INIT_NONE\n\tdef_bool y\nconfig BR2_PACKAGE_LIBYAML\n\tbool\nsource "%s"\n' \
	"$packaging/buildroot/zinit/Config.in" >"$dir/Kconfig"
KCONFIG_CONFIG=$dir/.config "$out/host/conf" --allyesconfig "$dir/Kconfig" >/dev/null || fail "Config.in"
grep -q BR2_PACKAGE_LIBYAML=y "$dir/.config" || fail "Config.in selects no libyaml"
ok "Buildroot: zinit.mk is read by make, Config.in by conf"

bb=$packaging/yocto/zinit_$version.bb
grep -q "md5=$(md5sum <LICENSE | cut -c1-32)" "$bb" && [ -f "$packaging/yocto/files/zinit-$version.tar.gz" ] || fail "$bb"
ok "Yocto: the sum of the license and the archive are right"

sh "$packaging/oci.sh" "$out/zinit" "$packaging/docker/services" "$dir/oci" >/dev/null
python3 -c "import json, sys; c = json.load(open(sys.argv[1])); assert c['process']['args'][1] == 'init'" "$dir/oci/config.json" || fail config.json
"$out/zinit" check "$packaging/docker/services" >/dev/null && "$out/zinit" check configs/initramfs >/dev/null || fail "example services"
if command -v hadolint >/dev/null; then hadolint "$packaging/docker/Dockerfile"; fi
ok "containers: the bundle's config.json, the example services"
