#!/bin/sh
# oci.sh ZINIT SERVICES OUT: an OCI bundle (config.json and rootfs) of zinit and service
# files alone, for runc, crun or podman. The services must be static programs: nothing
# else is in there.
set -eu
zinit=$1 services=$2 out=$3
mkdir -p "$out/rootfs/usr/sbin" "$out/rootfs/etc/zinit" "$out/rootfs/run" "$out/rootfs/tmp" "$out/rootfs/proc" \
	"$out/rootfs/dev" "$out/rootfs/sys" "$out/rootfs/var"
ln -sfn ../run "$out/rootfs/var/run"
cp "$zinit" "$out/rootfs/usr/sbin/zinit"
cp "$services"/*.yaml "$out/rootfs/etc/zinit/"
cat >"$out/config.json" <<'JSON'
{
	"ociVersion": "1.0.2",
	"process": {
		"user": { "uid": 0, "gid": 0 },
		"args": ["/usr/sbin/zinit", "init"],
		"env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
		"cwd": "/"
	},
	"root": { "path": "rootfs" },
	"hostname": "zinit",
	"mounts": [
		{ "destination": "/proc", "type": "proc", "source": "proc" },
		{ "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=64k"] },
		{ "destination": "/run", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=755"] }
	],
	"linux": { "namespaces": [{ "type": "pid" }, { "type": "mount" }, { "type": "ipc" }, { "type": "uts" }] }
}
JSON
echo "oci: $out"
