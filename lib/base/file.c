#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const char *kind_problem(mode_t mode)
{
	if (S_ISREG(mode))
		return NULL;
	if (S_ISDIR(mode))
		return "a directory, expected a regular file";
	if (S_ISFIFO(mode))
		return "a FIFO, expected a regular file";
	if (S_ISSOCK(mode))
		return "a socket, expected a regular file";
	return "a device, expected a regular file";
}

// Looks before it opens: opening a device can have an effect of its own (a tape
// rewinds). The second look is for a file that was exchanged in between.
int file_open(int dir_fd, const char *path, struct stat *st, const char **why)
{
	int fd = -1;
	*why = fstatat(dir_fd, path, st, 0) < 0 ? strerror(errno) : kind_problem(st->st_mode);
	if (*why)
		return -1;
	fd = openat(dir_fd, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	*why = fd < 0 || fstat(fd, st) < 0 ? strerror(errno) : kind_problem(st->st_mode);
	if (!*why)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

int file_read(const char *path, struct buf *b, struct stat *st, const char **why)
{
	ssize_t n = -1;
	int fd = file_open(AT_FDCWD, path, st, why);
	if (fd < 0)
		return -1;
	if (buf_reserve(b, b->max) == 0)
		while (b->len < b->max && (n = read(fd, b->data + b->len, b->max - b->len)) > 0)
			b->len += (size_t)n;
	if (n != 0)
		*why = strerror(n > 0 ? EFBIG : errno);
	close(fd);
	return n == 0 ? 0 : -1;
}
