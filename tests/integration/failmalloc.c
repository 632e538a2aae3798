// Preloaded into init: makes allocations fail.
//   FAILMALLOC_NTH=n    the nth one after the start fails, once
//   FAILMALLOC_WHILE=F  all fail while the file F exists
// Only in zinit itself: what starts it, and what it starts, is left alone.
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *nth, *file;
static long count;

static void __attribute__((constructor)) start(void)
{
	if (strcmp(program_invocation_short_name, "zinit") != 0)
		return;
	nth = getenv("FAILMALLOC_NTH");
	file = getenv("FAILMALLOC_WHILE");
	unsetenv("LD_PRELOAD");
}

static int refused(void)
{
	count++;
	if ((nth && atol(nth) == count) || (file && access(file, F_OK) == 0)) {
		errno = ENOMEM;
		return 1;
	}
	return 0;
}

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

void *malloc(size_t size)
{
	return refused() ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return refused() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
	return refused() ? NULL : __libc_realloc(old, size);
}

char *strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = malloc(size);
	return copy ? memcpy(copy, text, size) : NULL;
}
