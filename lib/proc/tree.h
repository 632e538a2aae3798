// What /proc knows of processes: a snapshot of all, quick questions about one,
// and a signal that cannot hit a stranger.
//
// /proc is held open, with the descriptors of proc/reserve.h behind it. A folder
// that is not the /proc of this process's own PID namespace is not used: every
// call then fails, with ENOENT (nothing is mounted there) or ESRCH (another's).
// Formats: proc(5), /proc/PID/stat, /proc/PID/task/TID/children, /proc/PID/environ.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proc {
	pid_t pid;
	pid_t ppid;
	pid_t pgrp;
	pid_t sid;
	char state; // R S D T Z X ...
	uint64_t start; // clock ticks since boot; with pid it names a process for good
	void *owner; // for the caller; NULL after a scan
	int mark; // for the caller; 0 after a scan
	struct proc *below; // on the way of tree_inherit()
};

struct tree {
	struct proc *procs; // in ascending order of pid
	size_t len, cap;
};

// Room for the first snapshot, so that later ones work without memory. 0 or -1/errno.
int tree_init(struct tree *t);
// Opens /proc; every other call does so too. 0, or -1 with errno.
int tree_open(void);
// Takes a snapshot. 0, or -1 with errno: then it is not whole and proves nothing.
int tree_scan(struct tree *t);
struct proc *tree_find(const struct tree *t, pid_t pid);
// Calls fn, which must set a mark, for every process that has none and descends from
// one that has: parents first, each once, whatever their numbers are.
void tree_inherit(struct tree *t, void (*fn)(struct proc *p, const struct proc *parent));
// One process by number, without a snapshot. 0, or -1 with errno: ESRCH when there
// is none.
int tree_stat(pid_t pid, struct proc *p);

struct proc_usage {
	uint64_t start; // as in struct proc
	uint64_t ticks; // processor time of all its threads, user and system
	uint64_t memory; // resident bytes
};
// 0, or -1 when there is no such process.
int tree_usage(pid_t pid, struct proc_usage *u);

// Has the process children? 1 yes, 0 no, -1 the kernel does not say cheaply.
int tree_has_children(pid_t pid);
// Calls fn for each child of this process until it returns false.
// 0, or -1 when the kernel does not list children.
int tree_own_children(bool (*fn)(void *ctx, pid_t pid), void *ctx);
// The clock-tick time of now, comparable with proc.start.
uint64_t tree_now(void);
// The value of a variable in the environment that the process was started with.
// 1, or 0 when it is not there or does not fit, or -1 with errno when that cannot
// be told: EAGAIN for a process in the middle of its exec, EACCES for one whose
// environment is not for us (for a non-root caller also in the middle of an exec).
int tree_env(pid_t pid, const char *name, char *out, size_t size);
// Signals exactly the process that had this start time. 0, or -1 with errno
// (ESRCH when it is gone).
int tree_signal(pid_t pid, uint64_t start, int sig);
