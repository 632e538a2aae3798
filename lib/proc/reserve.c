#include "proc/reserve.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

// A signal takes two at once, one more is for whoever comes in between.
enum { KEPT_MAX = 3 };

static int kept[KEPT_MAX];
static int nkept;

// Each is a description of its own, so that it also stands for one of the
// system's files. The root is always there to be opened.
void reserve_fill(void)
{
	while (nkept < KEPT_MAX) {
		int fd = open("/", O_PATH | O_CLOEXEC);
		if (fd < 0)
			return;
		kept[nkept++] = fd;
	}
}

bool reserve_lend(void)
{
	if ((errno != EMFILE && errno != ENFILE) || !nkept)
		return false;
	close(kept[--nkept]);
	return true;
}

int reserve_openat(int dir_fd, const char *path, int flags)
{
	int fd;
	do
		fd = openat(dir_fd, path, flags | O_CLOEXEC);
	while (fd < 0 && reserve_lend());
	return fd;
}

void reserve_close(int fd)
{
	int saved = errno;
	close(fd);
	if (nkept < KEPT_MAX)
		reserve_fill();
	errno = saved;
}
