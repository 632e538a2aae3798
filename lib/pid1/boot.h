// What process 1 of a machine does before anything else, and what keeps it alive.
#pragma once
#include <stdbool.h>

// Is this process the first one of the machine itself, not of a container?
// (The initial PID namespace has a fixed inode: include/linux/proc_ns.h.)
bool boot_is_machine(void);
// Mounts /proc /sys /dev /run /dev/pts /dev/shm where they are missing, opens the
// console, sets umask, hostname and PATH, brings the loopback up, makes
// Ctrl-Alt-Del a signal. What fails is said, and does not matter further.
void boot_prepare(void);
// SIGSEGV and its kind end in boot_survive() on a stack of their own.
void boot_catch_faults(void);
// Says why on the console, then reaps children for ever. For process 1, which
// must not end, when nothing else is left to do.
void boot_survive(const char *why) __attribute__((noreturn));
