// Preloaded into init: what opens a file, or takes a client, fails with ENFILE
// while the file FAILFILE_WHILE exists. Only in zinit itself.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *file;

static void __attribute__((constructor)) start(void)
{
	if (strcmp(program_invocation_short_name, "zinit") != 0)
		return;
	file = getenv("FAILFILE_WHILE");
	unsetenv("LD_PRELOAD");
}

static int refused(void)
{
	if (!file || access(file, F_OK) != 0)
		return 0;
	errno = ENFILE;
	return 1;
}

static int open_at(const char *name, int dir, const char *path, int flags, mode_t mode)
{
	int (*next)(int, const char *, int, ...) = dlsym(RTLD_NEXT, name);
	return refused() ? -1 : next(dir, path, flags, mode);
}

#define MODE(flags) \
	mode_t mode = 0; \
	va_list ap; \
	va_start(ap, flags); \
	if (flags & (O_CREAT | O_TMPFILE)) \
		mode = va_arg(ap, mode_t); \
	va_end(ap)

int openat(int dir, const char *path, int flags, ...)
{
	MODE(flags);
	return open_at("openat", dir, path, flags, mode);
}

int openat64(int dir, const char *path, int flags, ...)
{
	MODE(flags);
	return open_at("openat64", dir, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
	MODE(flags);
	return open_at("openat", AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	MODE(flags);
	return open_at("openat64", AT_FDCWD, path, flags, mode);
}

int accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	int (*next)(int, struct sockaddr *, socklen_t *, int) = dlsym(RTLD_NEXT, "accept4");
	return refused() ? -1 : next(fd, addr, len, flags);
}
