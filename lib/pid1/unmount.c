// Before the power goes: data to the disks, file systems away. Nothing here can hold
// process 1 up for good.
#include "base/clock.h"
#include "base/log.h"
#include "pid1/parts.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOUNTS_MAX = 64 * 1024, LINES_MAX = 512 };

// Octal escapes (\040 is a blank) back to bytes; fstab(5).
static void unescape(char *text)
{
	char *out = text;
	for (const char *p = text; *p;) {
		if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] && p[3]) {
			*out++ = (char)((p[1] - '0') * 64 + (p[2] - '0') * 8 + (p[3] - '0'));
			p += 4;
		} else {
			*out++ = *p++;
		}
	}
	*out = '\0';
}

static size_t read_mounts(char *text, size_t size)
{
	size_t n = 0;
	ssize_t got = 1;
	int fd = open("/proc/self/mounts", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && n < size - 1 && (got = read(fd, text + n, size - 1 - n)) > 0)
		n += (size_t)got;
	if (fd >= 0)
		close(fd);
	text[n] = '\0';
	return n;
}

// Kernel views need no unmounting, and the console must stay.
static bool is_virtual(const char *type)
{
	static const char *const types[] = { "proc", "sysfs", "devtmpfs", "devpts", "cgroup", "cgroup2", "rootfs" };
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(type, types[i]))
			return true;
	return false;
}

// ---- what a dead disk may hold up ----

enum { LOOK_MS = 5, SAY_MS = 5000, SYNC_IDLE_MS = 15000, UNMOUNT_MS = 5000, LAST_SYNC_MS = 5000 };

// KiB that are still on their way to disks; 0 when /proc does not say.
static unsigned long unwritten_kib(void)
{
	char text[1024];
	int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = '\0';
	unsigned long sum = 0;
	static const char *const names[] = { "Dirty:", "Writeback:" };
	for (size_t i = 0; i < 2; i++) {
		const char *at = strstr(text, names[i]);
		sum += at ? strtoul(at + strlen(names[i]), NULL, 10) : 0;
	}
	return sum;
}

static bool has_ended(pid_t pid)
{
	pid_t got = waitpid(pid, NULL, WNOHANG);
	return got == pid || (got < 0 && errno == ECHILD);
}

// Until the child has ended, or for idle_ms without any data reaching a disk.
static bool wait_for(pid_t pid, const char *what, uint64_t idle_ms)
{
	uint64_t idle_since = clock_mono_ms(), said = idle_since;
	unsigned long least = unwritten_kib();
	while (!has_ended(pid)) {
		uint64_t now = clock_mono_ms();
		if (now - said >= SAY_MS) {
			unsigned long left = unwritten_kib();
			log_info("%s: still waiting, %lu KiB are not written yet", what, left);
			said = now;
			if (left < least)
				idle_since = now;
			least = left < least ? left : least;
		}
		if (now - idle_since >= idle_ms)
			return false;
		poll(NULL, 0, LOOK_MS);
	}
	return true;
}

// In a child: what hangs there does not hang process 1.
static void apart(void (*fn)(const char *arg), const char *arg, const char *what, uint64_t idle_ms)
{
	pid_t pid = fork();
	if (pid <= 0)
		fn(arg);
	if (pid == 0)
		_exit(0);
	if (pid > 0 && !wait_for(pid, what, idle_ms))
		log_error("%s: no answer from a disk: going on without it", what);
}

static void flush(const char *arg)
{
	(void)arg;
	sync();
}

static void let_go(const char *path)
{
	if (strcmp(path, "/") != 0 && umount2(path, 0) == 0)
		return;
	if (mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0 && errno != EINVAL && errno != EROFS)
		log_warn("cannot unmount %s or make it read-only: %s", path, strerror(errno));
}

// The latest mount first: what lies on another one goes before it.
static void unmount_all(void)
{
	static char text[MOUNTS_MAX];
	static char *paths[LINES_MAX];
	size_t n = 0;
	read_mounts(text, sizeof(text));
	char *save = NULL;
	for (char *line = strtok_r(text, "\n", &save); line && n < LINES_MAX; line = strtok_r(NULL, "\n", &save)) {
		char *word = NULL;
		if (!strtok_r(line, " ", &word))
			continue;
		char *path = strtok_r(NULL, " ", &word), *type = strtok_r(NULL, " ", &word);
		if (!path || !type || is_virtual(type))
			continue;
		unescape(path);
		paths[n++] = path;
	}
	while (n--)
		apart(let_go, paths[n], paths[n], UNMOUNT_MS);
}

void power_put_away(void)
{
	apart(flush, NULL, "writing to disks", SYNC_IDLE_MS);
	unmount_all();
	apart(flush, NULL, "writing to disks", LAST_SYNC_MS);
}
