// The last steps of process 1 of a machine.
#pragma once

enum power { POWER_OFF, POWER_REBOOT, POWER_HALT };

// Kills what is left, syncs, unmounts or remounts read-only, and asks the kernel
// for the end. A disk that does not answer is waited for as long as data goes to
// some disk, and then for seconds only; that is said. Does not return: should the
// kernel refuse, process 1 goes on reaping.
void power_end(enum power what) __attribute__((noreturn));
