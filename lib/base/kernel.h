// System calls that old kernels do not have and thin sandboxes refuse, with
// something else in their place.
#pragma once
#include <stddef.h>

// pipe2(2), dup3(2), accept4(2); everything they open is close-on-exec.
int kernel_pipe(int fds[2]);
int kernel_dup(int fd, int at); // not for fd == at
int kernel_accept(int listen_fd); // and does not block
// Writes the names of the calls that are missing and done without, ", " between
// them. How many there are.
size_t kernel_missing(char *out, size_t size);
