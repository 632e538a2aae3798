// /etc/environment and what was inherited: the variables services start from.
#include "conf/environment.h"
#include "base/buf.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX = 1024 * 1024, VAR_MAX = 128 * 1024 - 1 }; // execve(2): MAX_ARG_STRLEN

extern char **environ;

static int set_var(char ***list, size_t *n, const char *name, size_t name_len, const char *value, size_t value_len)
{
	char *var = malloc(name_len + value_len + 2);
	if (!var)
		return -1;
	memcpy(var, name, name_len);
	var[name_len] = '=';
	memcpy(var + name_len + 1, value, value_len);
	var[name_len + 1 + value_len] = '\0';
	for (size_t i = 0; i < *n; i++)
		if (!strncmp((*list)[i], var, name_len + 1)) {
			free((*list)[i]);
			(*list)[i] = var;
			return 0;
		}
	char **more = realloc(*list, (*n + 2) * sizeof(*more));
	if (!more) {
		free(var);
		return -1;
	}
	*list = more;
	more[(*n)++] = var;
	more[*n] = NULL;
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void trim(const char **p, size_t *len)
{
	while (*len && is_blank(**p)) {
		(*p)++;
		(*len)--;
	}
	while (*len && is_blank((*p)[*len - 1]))
		(*len)--;
}

// One pair of quotes around the whole value.
static void unquote(const char **p, size_t *len)
{
	if (*len >= 2 && ((*p)[0] == '"' || (*p)[0] == '\'') && (*p)[*len - 1] == (*p)[0]) {
		(*p)++;
		*len -= 2;
	}
}

// What is wrong with the line, or NULL.
static const char *read_line(char ***list, size_t *n, const char *line, size_t len, int *failed)
{
	trim(&line, &len);
	if (!len || *line == '#')
		return NULL;
	if (len > 7 && !memcmp(line, "export", 6) && is_blank(line[6])) {
		line += 7;
		len -= 7;
		trim(&line, &len);
	}
	const char *eq = memchr(line, '=', len);
	if (!eq)
		return "no '=', expected NAME=value";
	if (eq == line)
		return "no name before '='";
	if (memchr(line, '\0', len))
		return "a NUL byte";
	if (len >= VAR_MAX)
		return "128 KiB or longer, no program could be started with it";
	const char *value = eq + 1;
	size_t value_len = len - (size_t)(value - line), name_len = (size_t)(eq - line);
	trim(&value, &value_len);
	unquote(&value, &value_len);
	while (name_len && is_blank(line[name_len - 1]))
		name_len--;
	if (set_var(list, n, line, name_len, value, value_len) < 0)
		*failed = -1;
	return NULL;
}

static int read_file(char ***list, size_t *n, environment_warn_fn *warn, void *ctx)
{
	int fd = open(ENVIRONMENT_FILE, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		if (errno != ENOENT)
			warn(ctx, 0, strerror(errno));
		return 0;
	}
	struct buf b = { .max = FILE_MAX + 4096 };
	ssize_t got = 1;
	while (got > 0 && b.len <= FILE_MAX && buf_reserve(&b, 4096) == 0)
		if ((got = read(fd, b.data + b.len, 4096)) > 0)
			b.len += (size_t)got;
	close(fd);
	if (got < 0 || b.failed || b.len > FILE_MAX)
		warn(ctx, 0, got < 0 ? strerror(errno) : "larger than 1 MiB: the rest is left out");
	int failed = 0;
	unsigned number = 0;
	for (size_t at = 0; at < b.len;) {
		const char *end = memchr(b.data + at, '\n', b.len - at);
		size_t len = end ? (size_t)(end - b.data) - at : b.len - at;
		const char *wrong = read_line(list, n, b.data + at, len, &failed);
		number++;
		if (wrong)
			warn(ctx, number, wrong);
		at += len + 1;
	}
	buf_release(&b);
	return failed;
}

int environment_read(char ***list, environment_warn_fn *warn, void *ctx)
{
	size_t n = 0;
	*list = calloc(1, sizeof(char *));
	if (!*list)
		return -1;
	for (char **e = environ; *e; e++) {
		size_t name = strcspn(*e, "=");
		if (!(*e)[name] || !strncmp(*e, "ZINIT_SERVICE=", 14))
			continue;
		if (set_var(list, &n, *e, name, *e + name + 1, strlen(*e + name + 1)) < 0)
			return -1;
	}
	return read_file(list, &n, warn, ctx);
}

void environment_free(char **list)
{
	for (char **e = list; e && *e; e++)
		free(*e);
	free(list);
}
