#include "proc/spawn.h"
#include "base/kernel.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <paths.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// A copy of init's descriptors for every child, closed again at once, would make
// the start of n services cost n times n. So the child shares the table and its
// first call gives it one of its own, with only the lowest numbers in it: the
// three that it needs are put there before.
enum { STACK_SIZE = 64 * 1024, SLOTS = 3 };

// A sanitizer keeps its books in memory: a child that shares it and leaves by
// exec would leave them wrong. There it is a plain fork, as on qemu-user.
#if defined(__SANITIZE_ADDRESS__)
#define PLAIN_FORK 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PLAIN_FORK 1
#endif
#endif
#ifndef PLAIN_FORK
#define PLAIN_FORK 0
#endif

static char *stack_top;
static bool memory_is_shared;
static bool table_is_shared; // the above is possible
static int slots[SLOTS]; // low descriptors, kept for this
static int idle_fd; // what stands in them between two starts

struct child {
	const struct spawn *s;
	const char *path; // PATH list for a bare name
	int fds[SLOTS]; // become 0, 1, 2
	int report_fd; // -1 = the report below is shared memory
	volatile struct spawn_error report;
	volatile bool failed;
};

static void fail(struct child *c, enum spawn_stage stage)
{
	c->report.stage = stage;
	c->report.errnum = errno;
	c->failed = true;
	if (c->report_fd >= 0) {
		struct spawn_error e = { stage, errno };
		if (write(c->report_fd, &e, sizeof(e)) < 0)
			_exit(126);
	}
	_exit(127);
}

static void exec_file(const struct spawn *s, const char *file)
{
	execve(file, s->argv, s->envp);
	if (errno != ENOEXEC)
		return;
	char *first = s->argv[0];
	s->argv[-1] = (char *)"sh";
	s->argv[0] = (char *)file;
	execve(_PATH_BSHELL, s->argv - 1, s->envp);
	s->argv[0] = first;
	errno = ENOEXEC;
}

// execvp(3) with the child's PATH: EACCES is remembered while looking further.
static void exec_search(const struct spawn *s, const char *path)
{
	char file[PATH_MAX];
	size_t name_len = strlen(s->argv[0]);
	bool denied = false;
	if (!name_len) {
		errno = ENOENT;
		return;
	}
	for (const char *p = path;; p++) {
		const char *end = strchrnul(p, ':');
		size_t len = (size_t)(end - p);
		if (len + name_len + 2 <= sizeof(file)) {
			memcpy(file, p, len);
			if (len)
				file[len++] = '/';
			memcpy(file + len, s->argv[0], name_len + 1);
			exec_file(s, file);
			if (errno == EACCES)
				denied = true;
			else if (errno != ENOENT && errno != ENOTDIR && errno != ESTALE && errno != ENODEV)
				return;
		}
		p = end;
		if (!*p)
			break;
	}
	errno = denied ? EACCES : ENOENT;
}

// dup2() onto itself keeps close-on-exec, so that case is cleared by hand. The
// sources are 3 or higher unless they already are the wanted number.
static int put_fd(int fd, int at)
{
	if (fd == at)
		return fcntl(fd, F_SETFD, 0);
	return dup2(fd, at);
}

static int own_table(void)
{
#ifdef SYS_close_range
	enum { UNSHARE_FLAG = 2 };
	return (int)syscall(SYS_close_range, (unsigned)slots[SLOTS - 1] + 1, ~0u, UNSHARE_FLAG);
#else
	errno = ENOSYS;
	return -1;
#endif
}

static int child_main(void *arg)
{
	struct child *c = arg;
	const struct spawn *s = c->s;
	// A group that cannot be joined is done without: the service matters more.
	if (s->join_fd >= 0 && write(s->join_fd, "0", 1) < 0)
		errno = 0;
	if (table_is_shared && own_table() < 0)
		fail(c, SPAWN_STDIO);
	if (setsid() < 0)
		fail(c, SPAWN_SESSION);
	for (int i = 0; i < SLOTS; i++)
		if (put_fd(c->fds[i], i) < 0)
			fail(c, SPAWN_STDIO);
	if (s->nofile && setrlimit(RLIMIT_NOFILE, s->nofile) < 0)
		fail(c, SPAWN_LIMITS);
	if (chdir(s->dir) < 0)
		fail(c, SPAWN_DIR);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (strchr(s->argv[0], '/'))
		exec_file(s, s->argv[0]);
	else
		exec_search(s, c->path);
	fail(c, SPAWN_EXEC);
	return 0;
}

static const char *path_of(char *const *envp)
{
	for (; *envp; envp++)
		if (!strncmp(*envp, "PATH=", 5))
			return *envp + 5;
	return _PATH_STDPATH;
}

static pid_t start_child(int (*fn)(void *), int flags, void *arg)
{
	if (!PLAIN_FORK)
		return clone(fn, stack_top, CLONE_VM | CLONE_VFORK | SIGCHLD | flags, arg);
	pid_t pid = fork();
	return pid ? pid : fn(arg);
}

static volatile int probe_value;

static int probe_main(void *arg)
{
	(void)arg;
	probe_value = 1;
	_exit(own_table() < 0);
}

// The lowest free descriptors above the standard ones, one behind the other.
static int reserve_slots(void)
{
	idle_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = 0; i < SLOTS; i++)
		if ((slots[i] = fcntl(idle_fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)) < 0)
			return -1;
	return 0;
}

int spawn_init(void)
{
	char *low = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (low == MAP_FAILED)
		return -1;
	stack_top = low + STACK_SIZE;
	bool have_slots = reserve_slots() == 0;
	pid_t pid = start_child(probe_main, 0, NULL);
	if (pid < 0)
		return -1;
	int status = -1;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	memory_is_shared = probe_value == 1;
	table_is_shared = memory_is_shared && have_slots && status == 0;
	return 0;
}

// For `log: stdout` the child's own 1 and 2 are init's: they need no slot.
static int fill_slots(struct child *c)
{
	const int from[SLOTS] = { c->s->stdin_fd, c->s->stdout_fd, c->s->stderr_fd };
	for (int i = 0; i < SLOTS; i++) {
		c->fds[i] = from[i];
		if (!table_is_shared || from[i] <= STDERR_FILENO)
			continue;
		if (kernel_dup(from[i], slots[i]) < 0)
			return -1;
		c->fds[i] = slots[i];
	}
	return 0;
}

static void empty_slots(void)
{
	for (int i = 0; table_is_shared && i < SLOTS; i++)
		kernel_dup(idle_fd, slots[i]);
}

static pid_t clone_child(struct child *c)
{
	pid_t pid = fill_slots(c) < 0 ? -1 : start_child(child_main, table_is_shared ? CLONE_FILES : 0, c);
	if (pid < 0) {
		c->report.stage = SPAWN_CLONE;
		c->report.errnum = errno;
		c->failed = true;
	}
	return pid;
}

static pid_t spawn_with_pipe(struct child *c)
{
	int fds[2];
	if (kernel_pipe(fds) < 0) {
		c->report.stage = SPAWN_CLONE;
		c->report.errnum = errno;
		c->failed = true;
		return -1;
	}
	c->report_fd = fds[1];
	pid_t pid = clone_child(c);
	close(fds[1]);
	struct spawn_error e;
	if (pid > 0 && read(fds[0], &e, sizeof(e)) == sizeof(e)) {
		c->report.stage = e.stage;
		c->report.errnum = e.errnum;
		c->failed = true;
	}
	close(fds[0]);
	return pid;
}

pid_t proc_spawn(const struct spawn *s, struct spawn_error *e)
{
	struct child c = { .s = s, .path = path_of(s->envp), .report_fd = -1 };
	char *first = s->argv[0];
	pid_t pid = memory_is_shared ? clone_child(&c) : spawn_with_pipe(&c);
	s->argv[0] = first;
	empty_slots();
	if (!c.failed)
		return pid;
	e->stage = c.report.stage;
	e->errnum = c.report.errnum;
	if (pid > 0)
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			continue;
	return -1;
}

const char *spawn_stage_text(enum spawn_stage stage)
{
	switch (stage) {
	case SPAWN_CLONE:
		return "cannot create a process";
	case SPAWN_SESSION:
		return "cannot create a session";
	case SPAWN_STDIO:
		return "cannot set up its standard input and output";
	case SPAWN_LIMITS:
		return "cannot set its limits";
	case SPAWN_DIR:
		return "cannot enter its dir";
	case SPAWN_EXEC:
		return "cannot run its program";
	}
	return "failed";
}
