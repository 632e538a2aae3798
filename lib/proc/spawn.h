// Starts a program in a new session, with everything prepared before the clone.
//
// The child shares memory with the caller until exec (clone(2) CLONE_VM, on a
// stack of its own), so nothing is copied and the stage and errno of a failure come
// back without a pipe. Where memory is not really shared (qemu-user, valgrind), and
// for a while after a file system has been too slow, it is a fork(2) with a
// close-on-exec pipe: that may take as long as it likes while the caller goes on.
#pragma once
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

enum spawn_stage { SPAWN_CLONE, SPAWN_SESSION, SPAWN_STDIO, SPAWN_LIMITS, SPAWN_DIR, SPAWN_EXEC };

struct spawn_error {
	enum spawn_stage stage;
	int errnum;
};

struct spawn {
	// NULL-terminated. argv[-1] must exist and be writable: a script without
	// "#!" is run as /bin/sh FILE ..., as execvp(3) does. argv is unchanged afterwards.
	char **argv;
	char *const *envp; // PATH in here is what a name without '/' is looked up in
	const char *dir;
	int stdin_fd; // these three become 0, 1 and 2
	int stdout_fd;
	int stderr_fd;
	int join_fd; // a control group's cgroup.procs, see cgroup_joiner(); -1: none
	const struct rlimit *nofile; // RLIMIT_NOFILE of the child; NULL = as it is
	pid_t ends_with; // the caller: the child gets SIGTERM when it ends. 0: it does not
};

// Prepares the stack and finds out whether memory is shared. Call once, before
// any child exists and with SIGCHLD blocked. 0, or -1 with errno.
int spawn_init(void);
// The pid, or -1 with *e filled. Takes no memory. The caller has all signals
// blocked that it handles; the child starts with none blocked. Returns within about
// half a second: when the dir or the program is on a file system that has not
// answered by then, *pending_fd tells later (else it is -1). The caller closes it.
pid_t proc_spawn(const struct spawn *s, int *pending_fd, struct spawn_error *e);
// Once *pending_fd is readable: 1 the program runs, or was ended before; 0 not known
// yet; -1 it does not, *e says why, and the child ends.
int spawn_outcome(int pending_fd, struct spawn_error *e);
// A child that was too slow is killed, which may take long too. Until its end has
// been seen it is no process of anybody's.
bool spawn_is_abandoned(pid_t pid);
void spawn_reaped(pid_t pid);
// "cannot enter the directory", ... for messages.
const char *spawn_stage_text(enum spawn_stage stage);
