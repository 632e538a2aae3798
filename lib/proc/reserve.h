// Descriptors kept back: what ends services must work when no other is left.
//
// At EMFILE and ENFILE one of them is given up for the call that needs it, and
// taken back as soon as that one is closed. Nothing here sets errno on success.
#pragma once
#include <stdbool.h>

// Opens those that are missing; what cannot be had now is had later.
void reserve_fill(void);
// After a call that failed: gives one up when descriptors are what it lacked, so
// that it can be repeated. false, errno kept: it lacked something else, or none is left.
bool reserve_lend(void);
// openat(2) and close(2) with the reserve behind them; O_CLOEXEC is added.
int reserve_openat(int dir_fd, const char *path, int flags);
void reserve_close(int fd); // keeps errno
