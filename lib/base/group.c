#include "base/group.h"
#include "base/buf.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX = 4 * 1024 * 1024, READ_SIZE = 4096 };

static int number(const char *text, gid_t *gid)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || (*end && *end != ':') || n >= (gid_t)-1)
		return -1;
	*gid = (gid_t)n;
	return 0;
}

// name:password:GID:members
static int line(const char *text, const char *name, gid_t *gid)
{
	size_t n = strlen(name);
	const char *at = !strncmp(text, name, n) && text[n] == ':' ? strchr(text + n + 1, ':') : NULL;
	return at ? number(at + 1, gid) : -1;
}

int group_id(const char *name, gid_t *gid)
{
	if (number(name, gid) == 0)
		return 0;
	int fd = open("/etc/group", O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct buf b = { .max = FILE_MAX };
	ssize_t n = fd < 0 ? 0 : 1;
	while (n > 0 && buf_reserve(&b, READ_SIZE) == 0 && (n = read(fd, b.data + b.len, READ_SIZE)) > 0)
		b.len += (size_t)n;
	if (fd >= 0)
		close(fd);
	int rc = -1;
	char *rest = buf_text(&b);
	for (char *at; rc < 0 && (at = strsep(&rest, "\n"));)
		rc = line(at, name, gid);
	buf_release(&b);
	return rc;
}
