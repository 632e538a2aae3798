// Collects every dead child in one pass, tracked or adopted.
#pragma once
#include <stdbool.h>
#include <sys/types.h>

// How a process ended. si_code and si_status of waitid(2), decoded by hand: the
// macros of some libraries do not know real-time signals.
struct exit_status {
	bool signaled;
	bool core;
	int value; // exit code, or signal number
};

typedef void reap_fn(void *ctx, pid_t pid, struct exit_status how);

// Whoever has no child has no descendant either, once it adopts orphans.
bool reap_have_children(void);
// Calls fn for each child that is dead now. Returns how many there were.
size_t reap_all(reap_fn *fn, void *ctx);
