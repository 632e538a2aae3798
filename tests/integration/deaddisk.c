// Preloaded into init: a disk that never answers. sync() and umount2("/run") hang,
// and /proc/meminfo is empty, since other disks of the machine are not meant.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int in_init;

static void __attribute__((constructor)) start(void)
{
	in_init = strcmp(program_invocation_short_name, "zinit") == 0;
	if (in_init)
		unsetenv("LD_PRELOAD");
}

static void hang(void)
{
	while (in_init)
		pause();
}

void sync(void)
{
	hang();
}

int umount2(const char *path, int flags)
{
	int (*next)(const char *, int) = dlsym(RTLD_NEXT, "umount2");
	if (strcmp(path, "/run") == 0)
		hang();
	return next(path, flags);
}

int open(const char *path, int flags, ...)
{
	int (*next)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
	va_list ap;
	va_start(ap, flags);
	mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return next(in_init && strcmp(path, "/proc/meminfo") == 0 ? "/dev/null" : path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list ap;
	va_start(ap, flags);
	mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return open(path, flags | O_LARGEFILE, mode);
}
