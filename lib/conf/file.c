// A unit from a file, and what the file's name says.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "conf/load.h"
#include "conf/unit.h"
#include "conf/yaml.h"

#define READ_MAX (UNIT_FILE_MAX + 1)
#define READ_FIRST 4096

struct content {
	char *bytes;
	size_t len;
	size_t cap;
};

static int grow(struct content *c)
{
	size_t cap = c->cap ? c->cap * 2 : READ_FIRST;
	char *bytes;

	if (cap > READ_MAX)
		cap = READ_MAX;
	bytes = realloc(c->bytes, cap);
	if (!bytes)
		return -1;
	c->bytes = bytes;
	c->cap = cap;
	return 0;
}

// Reads to the end or to READ_MAX bytes: what fstat says of a file's size is
// not true of /proc and may change while we read. 0, or -1 with errno.
static int read_content(int fd, struct content *c)
{
	for (;;) {
		ssize_t n;

		if (c->len == READ_MAX)
			return 0;
		if (c->len == c->cap && grow(c) < 0)
			return -1;
		n = read(fd, c->bytes + c->len, c->cap - c->len);
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0)
			c->len += (size_t)n;
	}
}

static int fail_read(const char *file, struct err *err)
{
	if (errno == ENOMEM)
		return err_set(err, ERR_INTERNAL, "%s: out of memory", file);
	return err_set(err, ERR_CONFIG, "%s: %s", file, strerror(errno));
}

int unit_read(int dirfd, const char *file, char **bytes, size_t *len, struct err *err)
{
	struct content c = { 0 };
	const char *why;
	struct stat st;
	int fd = file_open(dirfd, file, &st, &why);
	int rc;

	if (fd < 0)
		return err_set(err, ERR_CONFIG, "%s: %s", file, why);
	rc = read_content(fd, &c);
	if (rc < 0) {
		fail_read(file, err);
		free(c.bytes);
	} else {
		*bytes = c.bytes;
		*len = c.len;
	}
	close(fd);
	return rc;
}

int unit_load(int dirfd, const char *file, struct unit *u, unit_warn_fn *warn, void *ctx, struct err *err)
{
	char *bytes = NULL;
	size_t len = 0;
	int rc = unit_read(dirfd, file, &bytes, &len, err);

	*u = (struct unit){ 0 };
	if (rc == 0)
		rc = unit_parse(bytes, len, file, u, warn, ctx, err);
	free(bytes);
	return rc;
}

int unit_check(int dirfd, const char *file, struct unit *u, unit_finding_fn *say, void *ctx)
{
	char *bytes = NULL;
	size_t len = 0;
	struct err err = { 0 };
	struct notes notes = { .label = file, .err = &err, .say = say, .ctx = ctx };
	int rc = unit_read(dirfd, file, &bytes, &len, &err);

	*u = (struct unit){ 0 };
	if (rc == 0)
		rc = load_bytes(bytes, len, u, &notes);
	free(bytes);
	if (rc < 0 && (!notes.nfail || err.code == ERR_INTERNAL)) // without a place: "file: text"
		say(ctx, true, 0, 0, err.text + strlen(file) + 2);
	return rc;
}

// ---- names ----

bool yaml_is_utf8(const char *text, size_t len)
{
	while (len) {
		uint32_t cp;
		size_t n = yaml_utf8(text, len, &cp);

		if (n == 0)
			return false;
		text += n;
		len -= n;
	}
	return true;
}

const char *unit_name_problem(const char *name, size_t len)
{
	if (len == 0)
		return "the name is empty";
	if (len > UNIT_NAME_MAX)
		return "the name is longer than 128 bytes";
	if (name[0] == '.')
		return "the name starts with '.'";
	for (size_t i = 0; i < len; i++) {
		if (name[i] == '/' || name[i] == '\\')
			return "the name holds '/' or '\\'";
		if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
			return "the name holds a control byte";
	}
	return yaml_is_utf8(name, len) ? NULL : "the name is not UTF-8";
}

static const char *const endings[] = { ".yaml", ".yml" };

bool unit_find(int dirfd, const char *name, int flags, char file[UNIT_FILE_NAME_MAX], struct stat *st)
{
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		*st = (struct stat){ 0 };
		snprintf(file, UNIT_FILE_NAME_MAX, "%s%s", name, endings[i]);
		if (fstatat(dirfd, file, st, flags) == 0 || errno != ENOENT)
			return true;
	}
	return false;
}

size_t unit_name_of_file(const char *file)
{
	size_t len = strlen(file);

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		size_t n = strlen(endings[i]);

		if (len > n && strcmp(file + len - n, endings[i]) == 0)
			return len - n;
	}
	return 0;
}
