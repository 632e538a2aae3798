#include "proc/tree.h"
#include "base/err.h"
#include "proc/reserve.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_ROOM = 128 };

static int proc_fd = -1;

int tree_init(struct tree *t)
{
	t->len = 0;
	t->cap = FIRST_ROOM;
	t->procs = calloc(t->cap, sizeof(*t->procs));
	return t->procs ? 0 : -1;
}

// Numbers of another PID namespace would be those of strangers: "self" must be
// this process.
int tree_open(void)
{
	char self[16] = "";
	if (proc_fd >= 0)
		return 0;
	int fd = reserve_openat(AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return -1;
	ssize_t n = readlinkat(fd, "self", self, sizeof(self) - 1);
	if (n > 0 && strtol(self, NULL, 10) == getpid()) {
		proc_fd = fd;
		return 0;
	}
	if (n >= 0)
		errno = ESRCH;
	reserve_close(fd);
	return -1;
}

static int open_proc_file(pid_t pid, const char *what)
{
	char path[64];
	if (tree_open() < 0)
		return -1;
	snprintf(path, sizeof(path), "%d/%s", (int)pid, what);
	int fd = reserve_openat(proc_fd, path, O_RDONLY);
	if (fd < 0 && errno == ENOENT)
		errno = ESRCH;
	return fd;
}

static ssize_t read_proc_file(pid_t pid, const char *what, char *out, size_t size)
{
	int fd = open_proc_file(pid, what);
	if (fd < 0)
		return -1;
	ssize_t n = read(fd, out, size - 1);
	reserve_close(fd);
	if (n >= 0)
		out[n] = '\0';
	return n;
}

// The name in parentheses may hold anything, so fields are counted from the
// last ')': state ppid pgrp session, and starttime as the 20th after it.
static const char *skip_fields(const char *at, int n)
{
	while (at && n--)
		at = strchr(at + 1, ' ');
	return at;
}

static int parse_stat(const char *text, struct proc *p)
{
	const char *at = strrchr(text, ')');
	int ppid, pgrp, sid;
	if (!at || sscanf(at + 1, " %c %d %d %d", &p->state, &ppid, &pgrp, &sid) != 4)
		return -1;
	at = skip_fields(at, 20);
	if (!at)
		return -1;
	p->ppid = ppid;
	p->pgrp = pgrp;
	p->sid = sid;
	p->start = strtoull(at + 1, NULL, 10);
	p->owner = NULL;
	p->mark = 0;
	return 0;
}

int tree_stat(pid_t pid, struct proc *p)
{
	char text[1024];
	p->pid = pid;
	if (read_proc_file(pid, "stat", text, sizeof(text)) < 0)
		return -1;
	if (parse_stat(text, p) == 0)
		return 0;
	errno = ESRCH;
	return -1;
}

// Behind the name: utime and stime are the 12th and 13th, starttime the 20th,
// rss the 22nd, in pages.
int tree_usage(pid_t pid, struct proc_usage *u)
{
	char text[1024];
	if (read_proc_file(pid, "stat", text, sizeof(text)) <= 0)
		return -1;
	const char *time = skip_fields(strrchr(text, ')'), 12), *start = skip_fields(time, 8);
	const char *rss = skip_fields(start, 2);
	if (!rss)
		return -1;
	char *stime;
	u->ticks = strtoull(time + 1, &stime, 10);
	u->ticks += strtoull(stime, NULL, 10);
	u->start = strtoull(start + 1, NULL, 10);
	u->memory = strtoull(rss + 1, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
	return 0;
}

static struct proc *next_slot(struct tree *t)
{
	if (t->len == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : FIRST_ROOM;
		struct proc *more = realloc(t->procs, cap * sizeof(*more));
		if (!more) {
			errno = ENOMEM;
			return NULL;
		}
		t->procs = more;
		t->cap = cap;
	}
	return &t->procs[t->len];
}

// readdir() would allocate; the kernel's records are read into the stack.
struct linux_dirent {
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

// -1 = the snapshot cannot be whole. Who ends meanwhile is no loss.
static int add_pid(struct tree *t, const char *name)
{
	char *end;
	long pid = strtol(name, &end, 10);
	if (pid <= 0 || *end)
		return 0;
	struct proc *p = next_slot(t);
	if (!p)
		return -1;
	if (tree_stat((pid_t)pid, p) == 0)
		t->len++;
	else if (err_is_shortage(errno))
		return -1;
	return 0;
}

int tree_scan(struct tree *t)
{
	t->len = 0;
	if (tree_open() < 0 || lseek(proc_fd, 0, SEEK_SET) < 0)
		return -1;
	_Alignas(struct linux_dirent) char chunk[8192];
	long n;
	while ((n = syscall(SYS_getdents64, proc_fd, chunk, sizeof(chunk))) > 0)
		for (long at = 0; at < n;) {
			struct linux_dirent *d = (void *)(chunk + at);
			if (add_pid(t, d->name) < 0)
				return -1;
			at += d->reclen;
		}
	return n < 0 ? -1 : 0;
}

struct proc *tree_find(const struct tree *t, pid_t pid)
{
	size_t low = 0, high = t->len;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (t->procs[mid].pid == pid)
			return &t->procs[mid];
		if (t->procs[mid].pid < pid)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

enum { ON_THE_WAY = -1 };

// Up to the first that has a mark, or was met before, and down again. Numbers that were
// given anew during the scan can make a circle: that is met too.
static void settle(const struct tree *t, struct proc *p, void (*fn)(struct proc *p, const struct proc *parent))
{
	struct proc *below = NULL;
	if (p->mark)
		return;
	do {
		p->mark = ON_THE_WAY;
		p->below = below;
		below = p;
		p = tree_find(t, p->ppid);
	} while (p && !p->mark);
	if (!p || p->mark == ON_THE_WAY)
		return;
	for (; below; p = below, below = below->below)
		fn(below, p);
}

void tree_inherit(struct tree *t, void (*fn)(struct proc *p, const struct proc *parent))
{
	for (size_t i = 0; i < t->len; i++)
		settle(t, &t->procs[i], fn);
	for (size_t i = 0; i < t->len; i++)
		if (t->procs[i].mark == ON_THE_WAY)
			t->procs[i].mark = 0;
}

// A task folder has one link per thread and two of its own; each thread lists
// the children that it forked.
int tree_has_children(pid_t pid)
{
	char path[64], text[16];
	struct stat st;
	snprintf(path, sizeof(path), "%d/task", (int)pid);
	if (tree_open() < 0)
		return -1;
	if (fstatat(proc_fd, path, &st, 0) < 0)
		return errno == ENOENT ? 0 : -1;
	if (st.st_nlink != 3)
		return -1;
	snprintf(path, sizeof(path), "task/%d/children", (int)pid);
	ssize_t n = read_proc_file(pid, path, text, sizeof(text));
	return n < 0 ? -1 : n > 0;
}

int tree_own_children(bool (*fn)(void *ctx, pid_t pid), void *ctx)
{
	int fd = tree_open() < 0 ? -1 : reserve_openat(proc_fd, "thread-self/children", O_RDONLY);
	if (fd < 0)
		return -1;
	char text[4096];
	pid_t pid = 0;
	ssize_t n = 0;
	bool go = true;
	while (go && (n = read(fd, text, sizeof(text))) > 0)
		for (ssize_t i = 0; go && i < n; i++) {
			if (text[i] >= '0' && text[i] <= '9') {
				pid = pid * 10 + (text[i] - '0');
			} else if (pid) {
				go = fn(ctx, pid);
				pid = 0;
			}
		}
	if (go && pid)
		fn(ctx, pid);
	reserve_close(fd);
	return n < 0 ? -1 : 0;
}

uint64_t tree_now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_BOOTTIME, &ts);
	uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK);
	return (uint64_t)ts.tv_sec * hz + (uint64_t)ts.tv_nsec * hz / 1000000000;
}

// Follows one variable through the NUL-separated list, byte by byte.
struct env_scan {
	const char *name;
	size_t name_len;
	size_t at; // bytes of the variable seen
	bool match;
	size_t len; // of the value
};

static bool env_byte(struct env_scan *e, char c, char *out, size_t size)
{
	if (!c) {
		bool found = e->match && e->at > e->name_len && e->len < size;
		if (found)
			out[e->len] = '\0';
		e->at = e->len = 0;
		e->match = true;
		return found;
	}
	if (e->at < e->name_len)
		e->match = e->match && c == e->name[e->at];
	else if (e->at == e->name_len)
		e->match = e->match && c == '=';
	else if (e->match && e->len < size)
		out[e->len++] = c;
	e->at++;
	return false;
}

// The n-th field after the name, counted from 0.
static uint64_t stat_field(const char *text, int n)
{
	const char *at = strrchr(text, ')');
	for (int field = 0; at && field <= n; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at + 1, NULL, 10) : 0;
}

// Its memory is there but the end of its environment is not known yet. Who has
// ended, and threads of the kernel, have no memory.
static bool is_in_exec(pid_t pid)
{
	enum { VSIZE = 20, ENV_START = 47, ENV_END };
	char text[1024];
	if (read_proc_file(pid, "stat", text, sizeof(text)) < 0)
		return err_is_shortage(errno);
	return stat_field(text, VSIZE) && !stat_field(text, ENV_START) && !stat_field(text, ENV_END);
}

static int read_env(int fd, struct env_scan *e, char *out, size_t size, bool *empty)
{
	char chunk[4096];
	ssize_t n;
	while ((n = read(fd, chunk, sizeof(chunk))) > 0) {
		*empty = false;
		for (ssize_t i = 0; i < n; i++)
			if (env_byte(e, chunk[i], out, size))
				return 1;
	}
	return n < 0 && err_is_shortage(errno) ? -1 : 0;
}

int tree_env(pid_t pid, const char *name, char *out, size_t size)
{
	int fd = open_proc_file(pid, "environ");
	if (fd < 0)
		return errno == ESRCH ? 0 : -1;
	struct env_scan e = { .name = name, .name_len = strlen(name), .match = true };
	bool empty = true;
	int rc = read_env(fd, &e, out, size, &empty);
	reserve_close(fd);
	if (rc || !empty || !is_in_exec(pid))
		return rc;
	errno = EAGAIN;
	return -1;
}

static int send_by_fd(int fd, int sig)
{
#ifdef SYS_pidfd_send_signal
	return (int)syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
#else
	errno = ENOSYS;
	return -1;
#endif
}

static int open_pidfd(pid_t pid)
{
	int fd = -1;
#ifdef SYS_pidfd_open
	do
		fd = (int)syscall(SYS_pidfd_open, pid, 0);
	while (fd < 0 && reserve_lend());
#endif
	return fd;
}

// The descriptor is opened first and the start time read after it: equal times
// then prove that the descriptor holds the process that was meant.
int tree_signal(pid_t pid, uint64_t start, int sig)
{
	int fd = open_pidfd(pid);
	struct proc now;
	int rc = tree_stat(pid, &now);
	if (rc == 0 && now.start != start) {
		errno = ESRCH;
		rc = -1;
	} else if (rc == 0) {
		rc = fd < 0 ? -1 : send_by_fd(fd, sig);
		if (fd < 0 || (rc < 0 && (errno == ENOSYS || errno == EPERM)))
			rc = kill(pid, sig);
	}
	if (fd >= 0)
		reserve_close(fd);
	return rc;
}
