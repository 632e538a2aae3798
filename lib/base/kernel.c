#include "base/kernel.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// Sandboxes refuse what they do not know with either.
static bool is_refused(void)
{
	return errno == ENOSYS || errno == EPERM;
}

int kernel_pipe(int fds[2])
{
	int rc = pipe2(fds, O_CLOEXEC);
#ifdef SYS_pipe
	if (rc == 0 || !is_refused() || (rc = (int)syscall(SYS_pipe, fds)) < 0)
		return rc;
	fcntl(fds[0], F_SETFD, FD_CLOEXEC);
	fcntl(fds[1], F_SETFD, FD_CLOEXEC);
#endif
	return rc;
}

int kernel_dup(int fd, int at)
{
	int rc = dup3(fd, at, O_CLOEXEC);
	if (rc >= 0 || !is_refused() || (rc = dup2(fd, at)) < 0)
		return rc;
	fcntl(at, F_SETFD, FD_CLOEXEC);
	return rc;
}

int kernel_accept(int listen_fd)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0 || !is_refused() || (fd = accept(listen_fd, NULL, NULL)) < 0)
		return fd;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

// Each is called with arguments that cannot do anything. A number of -1 is not
// known to the headers that this was compiled with.
size_t kernel_missing(char *out, size_t size)
{
#ifndef SYS_pidfd_open
#define SYS_pidfd_open (-1)
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal (-1)
#endif
#ifndef SYS_close_range
#define SYS_close_range (-1)
#endif
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 (-1)
#endif
	static const struct {
		const char *name;
		long number;
	} calls[] = {
		{ "signalfd4", SYS_signalfd4 },
		{ "pipe2", SYS_pipe2 },
		{ "dup3", SYS_dup3 },
		{ "pidfd_open", SYS_pidfd_open },
		{ "pidfd_send_signal", SYS_pidfd_send_signal },
		{ "close_range", SYS_close_range },
		{ "epoll_pwait2", SYS_epoll_pwait2 },
	};
	size_t n = 0, len = 0;
	*out = '\0';
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		// As a first argument: no descriptor, no process, no address, above any range.
		if (syscall(calls[i].number, -1L, -1L, -1L, -1L, -1L, -1L) == 0 || !is_refused())
			continue;
		int more = snprintf(out + len, size - len, "%s%s", n++ ? ", " : "", calls[i].name);
		len = (size_t)more < size - len ? len + (size_t)more : size - 1;
	}
	return n;
}
