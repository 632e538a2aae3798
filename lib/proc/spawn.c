#include "proc/spawn.h"
#include "base/clock.h"
#include "base/kernel.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <paths.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
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

// Its file system may not answer for long, or ever, and its control group may be
// frozen: that is waited for elsewhere.
enum { WAIT_MS = 500, WAITS = 10, SHORT_WAIT_MS = 20, KILL_WAIT_MS = 50, SUSPECT_MS = 60 * 1000, WORDS = 8 };

static char *stack_top;
static bool memory_is_shared;
static bool table_is_shared; // the above is possible
static int slots[SLOTS]; // low descriptors, kept for this
static int idle_fd; // what stands in them between two starts
static int words[WORDS]; // the kernel clears one when the child leaves the memory, see clone_child()
static unsigned nwords; // used up by children that did not, although killed
static pid_t abandoned[WORDS]; // these; 0: its end has been seen
static uint64_t suspect_until_ms; // a file system has not answered lately

struct child {
	const struct spawn *s;
	const char *path; // PATH list for a bare name
	int fds[SLOTS]; // become 0, 1, 2
	bool shares_table;
	int report_fd; // -1 = the report below is shared memory
	volatile bool begun; // it has run: what takes long from here on is not for want of a processor
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
	c->begun = true;
	// A group that cannot be joined is done without: the service matters more.
	if (s->join_fd >= 0 && write(s->join_fd, "0", 1) < 0)
		errno = 0;
	if (c->shares_table && own_table() < 0)
		fail(c, SPAWN_STDIO);
	if (s->ends_with)
		prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (s->ends_with && getppid() != s->ends_with) // its end came before that
		_exit(0);
	if (setsid() < 0)
		fail(c, SPAWN_SESSION);
	for (int i = 0; i < SLOTS; i++)
		if (put_fd(c->fds[i], i) < 0)
			fail(c, SPAWN_STDIO);
	// Not setrlimit(): musl's brings 1.4 KB for the threads that kernels without prlimit(2) need.
	if (s->nofile && prlimit(0, RLIMIT_NOFILE, s->nofile, NULL) < 0)
		fail(c, SPAWN_LIMITS);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (chdir(s->dir) < 0)
		fail(c, SPAWN_DIR);
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

// The kernel clears the word and wakes who waits for it when the child leaves
// the memory that both share: by exec or by its end (CLONE_CHILD_CLEARTID). That
// is what CLONE_VFORK does, but with a limit to the wait.
static pid_t clone_child(int (*fn)(void *), int flags, void *arg)
{
	words[nwords] = 1;
	return clone(fn, stack_top, CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD | flags, arg, NULL, NULL, &words[nwords]);
}

// false: it is still not cleared.
static bool wait_for_word(uint64_t limit_ms)
{
	const int *word = &words[nwords];
	uint64_t now = clock_mono_ms(), end = now + limit_ms;
	for (; __atomic_load_n(word, __ATOMIC_ACQUIRE) && now < end; now = clock_mono_ms()) {
		uint64_t ms = end - now;
#ifdef SYS_futex
		const struct {
			long sec, nsec;
		} wait = { (long)(ms / 1000), (long)(ms % 1000) * 1000000 };
		syscall(SYS_futex, word, FUTEX_WAIT, 1, &wait, NULL, 0);
#else
		const struct {
			int64_t sec, nsec;
		} wait = { (int64_t)(ms / 1000), (int64_t)(ms % 1000) * 1000000 };
		syscall(SYS_futex_time64, word, FUTEX_WAIT, 1, &wait, NULL, 0);
#endif
	}
	return !__atomic_load_n(word, __ATOMIC_ACQUIRE);
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

// Where there is no process to try it with, it is taken as impossible.
int spawn_init(void)
{
	char *low = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (low == MAP_FAILED)
		return -1;
	stack_top = low + STACK_SIZE;
	bool have_slots = reserve_slots() == 0;
	pid_t pid = PLAIN_FORK ? -1 : clone_child(probe_main, 0, NULL);
	int status = -1;
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	memory_is_shared = pid > 0 && probe_value == 1 && !words[0];
	table_is_shared = memory_is_shared && have_slots && status == 0;
	return 0;
}

// For `log: stdout` the child's own 1 and 2 are init's: they need no slot.
static int fill_slots(struct child *c)
{
	const int from[SLOTS] = { c->s->stdin_fd, c->s->stdout_fd, c->s->stderr_fd };
	for (int i = 0; i < SLOTS; i++) {
		c->fds[i] = from[i];
		if (!c->shares_table || from[i] <= STDERR_FILENO)
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

static pid_t no_process(struct spawn_error *e)
{
	*e = (struct spawn_error){ SPAWN_CLONE, errno };
	return -1;
}

// A child that shares memory and is stuck in a file system cannot be left to
// itself: it would go on with memory that is used for something else by then. It
// is killed; if even that takes time it never runs code of ours again.
static void abandon(pid_t pid)
{
	kill(pid, SIGKILL);
	suspect_until_ms = clock_mono_ms() + SUSPECT_MS;
	if (wait_for_word(KILL_WAIT_MS))
		return;
	abandoned[nwords++] = pid;
	if (nwords == WORDS)
		memory_is_shared = table_is_shared = false;
}

bool spawn_is_abandoned(pid_t pid)
{
	for (unsigned i = 0; i < nwords; i++)
		if (abandoned[i] == pid)
			return true;
	return false;
}

void spawn_reaped(pid_t pid)
{
	for (unsigned i = 0; i < nwords; i++)
		if (abandoned[i] == pid)
			abandoned[i] = 0;
}

// Some kernels clear no word for a child that dumps core.
static bool is_dead(pid_t pid)
{
	siginfo_t si = { 0 };
	return waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT) == 0 && si.si_pid == pid;
}

// The pid; -1 with *e; 0: it takes too long this way.
static pid_t spawn_sharing(const struct spawn *s, struct spawn_error *e)
{
	struct child c = { .s = s, .path = path_of(s->envp), .report_fd = -1, .shares_table = table_is_shared };
	char *first = s->argv[0];
	pid_t pid = fill_slots(&c) < 0 ? -1 : clone_child(child_main, c.shares_table ? CLONE_FILES : 0, &c);
	if (pid < 0)
		no_process(e);
	bool done = pid < 0;
	for (int i = 0; i < WAITS && !done && (!i || !c.begun); i++)
		done = wait_for_word(WAIT_MS) || is_dead(pid);
	empty_slots();
	if (!done)
		abandon(pid);
	s->argv[0] = first;
	if (!done)
		return 0;
	if (!c.failed)
		return pid;
	waitpid(pid, NULL, WNOHANG);
	*e = (struct spawn_error){ c.report.stage, c.report.errnum };
	return -1;
}

int spawn_outcome(int fd, struct spawn_error *e)
{
	ssize_t n = read(fd, e, sizeof(*e));
	if (n == sizeof(*e))
		return -1;
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : 1;
}

// With memory of its own it may take as long as it likes.
static pid_t spawn_apart(const struct spawn *s, int limit_ms, int *pending_fd, struct spawn_error *e)
{
	struct child c = { .s = s, .path = path_of(s->envp) };
	int fds[2];
	fill_slots(&c);
	if (kernel_pipe(fds) < 0)
		return no_process(e);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	c.report_fd = fds[1];
	pid_t pid = fork();
	if (pid == 0)
		child_main(&c);
	if (pid < 0)
		no_process(e);
	close(fds[1]);
	struct pollfd p = { .fd = fds[0], .events = POLLIN };
	int rc = pid < 0 ? 1 : poll(&p, 1, limit_ms) == 1 ? spawn_outcome(fds[0], e) : 0;
	if (rc == 0) {
		*pending_fd = fds[0];
		return pid;
	}
	close(fds[0]);
	if (rc > 0)
		return pid;
	waitpid(pid, NULL, WNOHANG); // else it is reaped with the others
	return -1;
}

pid_t proc_spawn(const struct spawn *s, int *pending_fd, struct spawn_error *e)
{
	*pending_fd = -1;
	if (!memory_is_shared)
		return spawn_apart(s, WAIT_MS, pending_fd, e);
	pid_t pid = clock_mono_ms() < suspect_until_ms ? 0 : spawn_sharing(s, e);
	return pid ? pid : spawn_apart(s, SHORT_WAIT_MS, pending_fd, e);
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
