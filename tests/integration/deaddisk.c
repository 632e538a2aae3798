// Preloaded into init: a disk that never answers. sync() and umount2("/run") hang.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
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
