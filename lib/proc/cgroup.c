#include "proc/cgroup.h"
#include "proc/reserve.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static char folder[PATH_MAX]; // "" = none
static int folder_fd = -1;

// ---- where ----

static FILE *open_text(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? NULL : fdopen(fd, "r");
}

// The line "0::/path" of /proc/self/cgroup.
static bool own_path(char *out, size_t size)
{
	char line[PATH_MAX];
	bool found = false;
	FILE *f = open_text("/proc/self/cgroup");
	while (f && !found && fgets(line, sizeof(line), f))
		if (!strncmp(line, "0::", 3)) {
			line[strcspn(line, "\n")] = '\0';
			found = (size_t)snprintf(out, size, "%s", line + 3) < size;
		}
	if (f)
		fclose(f);
	return found;
}

// Where the hierarchy is mounted; only a mount of its own root is of use.
static bool mount_point(char *out, size_t size)
{
	char line[PATH_MAX], root[PATH_MAX], point[PATH_MAX];
	bool found = false;
	FILE *f = open_text("/proc/self/mountinfo");
	while (f && !found && fgets(line, sizeof(line), f)) {
		const char *type = strstr(line, " - ");
		if (!type || strncmp(type, " - cgroup2 ", 11) != 0)
			continue;
		if (sscanf(line, "%*s %*s %*s %4095s %4095s", root, point) == 2 && !strcmp(root, "/"))
			found = (size_t)snprintf(out, size, "%s", point) < size;
	}
	if (f)
		fclose(f);
	return found;
}

static bool is_ours(const char *path, const char *full, bool machine)
{
	char value[2] = "";
	return machine || !strcmp(path, "/") || (getxattr(full, "user.delegate", value, 1) == 1 && value[0] == '1');
}

bool cgroup_init(bool machine)
{
	char path[1024], point[1024];
	if (!own_path(path, sizeof(path)) || !mount_point(point, sizeof(point)))
		return false;
	snprintf(folder, sizeof(folder), "%s%s", point, strcmp(path, "/") ? path : "");
	if (!is_ours(path, folder, machine)) {
		folder[0] = '\0';
		return false;
	}
	// Several inits, each process 1 of its own PID namespace, may see the same tree.
	struct stat ns = { 0 };
	stat("/proc/self/ns/pid", &ns);
	size_t len = strlen(folder);
	snprintf(folder + len, sizeof(folder) - len, "/zinit-%llu-%d", (unsigned long long)ns.st_ino, (int)getpid());
	if ((mkdir(folder, 0755) < 0 && errno != EEXIST) ||
		(folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		folder[0] = '\0';
		return false;
	}
	return true;
}

void cgroup_release(void)
{
	if (folder_fd < 0)
		return;
	close(folder_fd);
	folder_fd = -1;
	rmdir(folder);
}

// ---- one group ----

static bool group_name(const char *service, char *out, size_t size)
{
	return folder_fd >= 0 && (size_t)snprintf(out, size, "s-%s", service) < size;
}

int cgroup_open(const char *service)
{
	char name[NAME_MAX];
	if (!group_name(service, name, sizeof(name)) || (mkdirat(folder_fd, name, 0755) < 0 && errno != EEXIST))
		return -1;
	return reserve_openat(folder_fd, name, O_RDONLY | O_DIRECTORY);
}

void cgroup_close(int group_fd, const char *service)
{
	char name[NAME_MAX];
	if (group_fd < 0)
		return;
	close(group_fd);
	if (group_name(service, name, sizeof(name)))
		unlinkat(folder_fd, name, AT_REMOVEDIR);
}

int cgroup_joiner(int group_fd)
{
	return reserve_openat(group_fd, "cgroup.procs", O_WRONLY);
}

int cgroup_each(int group_fd, void (*fn)(void *ctx, pid_t pid), void *ctx)
{
	char text[4096];
	pid_t pid = 0;
	ssize_t n;
	int fd = reserve_openat(group_fd, "cgroup.procs", O_RDONLY);
	if (fd < 0)
		return -1;
	while ((n = read(fd, text, sizeof(text))) > 0)
		for (ssize_t i = 0; i < n; i++) {
			if (text[i] >= '0' && text[i] <= '9') {
				pid = pid * 10 + (text[i] - '0');
			} else if (pid) {
				fn(ctx, pid);
				pid = 0;
			}
		}
	reserve_close(fd);
	return n < 0 ? -1 : 0;
}

bool cgroup_is_populated(int group_fd)
{
	char text[256];
	int fd = reserve_openat(group_fd, "cgroup.events", O_RDONLY);
	if (fd < 0)
		return true;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	reserve_close(fd);
	if (n <= 0)
		return true;
	text[n] = '\0';
	return strstr(text, "populated 1") != NULL;
}

bool cgroup_kill(int group_fd)
{
	int fd = reserve_openat(group_fd, "cgroup.kill", O_WRONLY);
	if (fd < 0)
		return false;
	bool done = write(fd, "1", 1) == 1;
	reserve_close(fd);
	return done;
}
