// Control groups, version 2 (Linux Documentation/admin-guide/cgroup-v2.rst), for
// one purpose: a process cannot leave its group, so the group knows what belongs
// to a service whatever its processes do to hide it. No controllers are used.
//
// Only in a part of the tree that is ours: of process 1 of a machine, of a cgroup
// namespace, or delegated (the xattr user.delegate, as systemd sets it).
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

// Looks for such a part and makes a folder in it. false: there is none.
bool cgroup_init(bool machine);
// Removes the folder, if nothing is left in it.
void cgroup_release(void);

// Makes the group of a service (or finds it). A descriptor of its folder, or -1.
int cgroup_open(const char *service);
// Removes it if it is empty; the descriptor is closed.
void cgroup_close(int group_fd, const char *service);
// A descriptor to which a process writes "0" to join; -1 with errno.
int cgroup_joiner(int group_fd);
// Calls fn for each process in it (not in groups below it). 0, or -1 with errno.
int cgroup_each(int group_fd, void (*fn)(void *ctx, pid_t pid), void *ctx);
// Is a process in it or below? Also true when that cannot be told.
bool cgroup_is_populated(int group_fd);
// SIGKILL to all of it at once. false: this kernel cannot (before 5.14).
bool cgroup_kill(int group_fd);
