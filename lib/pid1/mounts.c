// What must be mounted before anything else works.
#include "base/log.h"
#include "pid1/parts.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

struct mount_row {
	const char *path, *type, *options;
	unsigned long flags;
	const char *proof; // exists if and only if it is mounted; NULL: see is_mounted()
};

static const struct mount_row mounts[] = {
	{ "/proc", "proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC, "/proc/self" },
	{ "/sys", "sysfs", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC, "/sys/kernel" },
	{ "/dev", "devtmpfs", "mode=0755", MS_NOSUID, NULL },
	{ "/run", "tmpfs", "mode=0755", MS_NOSUID | MS_NODEV, NULL },
	{ "/dev/pts", "devpts", "mode=0620,gid=5,ptmxmode=0666", MS_NOSUID | MS_NOEXEC, NULL },
	{ "/dev/shm", "tmpfs", "mode=1777", MS_NOSUID | MS_NODEV, NULL },
};

// A mount point is on another device than the folder that holds it.
static bool is_mounted(const struct mount_row *m)
{
	struct stat here, above;
	char parent[64];
	if (m->proof)
		return access(m->proof, F_OK) == 0;
	const char *slash = strrchr(m->path, '/');
	snprintf(parent, sizeof(parent), "%.*s", slash == m->path ? 1 : (int)(slash - m->path), m->path);
	return stat(m->path, &here) == 0 && stat(parent, &above) == 0 && here.st_dev != above.st_dev;
}

void boot_mounts(void)
{
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		const struct mount_row *m = &mounts[i];
		if (is_mounted(m))
			continue;
		mkdir(m->path, 0755);
		if (mount(m->type, m->path, m->type, m->flags, m->options) < 0 && errno != EBUSY)
			log_warn("cannot mount %s: %s", m->path, strerror(errno));
	}
}
