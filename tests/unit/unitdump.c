// unitdump FILE: one service file as zinit understands it, as one JSON object.
// Not a test of its own: tests/integration/test_yaml.py reads what it prints.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "conf/unit.h"

static void add_string(struct buf *b, const char *text)
{
	if (!text) {
		buf_add_str(b, "null");
		return;
	}
	buf_add_char(b, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_add_char(b, '\\');
		if ((unsigned char)*text < 0x20)
			buf_printf(b, "\\u%04x", (unsigned)*text);
		else
			buf_add_char(b, *text);
	}
	buf_add_char(b, '"');
}

static void add_key(struct buf *b, const char *key)
{
	if (b->len > 1)
		buf_add_char(b, ',');
	add_string(b, key);
	buf_add_char(b, ':');
}

static void add_pair(struct buf *b, const char *key, const char *text)
{
	add_key(b, key);
	add_string(b, text);
}

static void add_flag(struct buf *b, const char *key, bool value)
{
	add_key(b, key);
	buf_add_str(b, value ? "true" : "false");
}

static void add_strings(struct buf *b, char **list, size_t n)
{
	buf_add_char(b, '[');
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_add_char(b, ',');
		add_string(b, list[i]);
	}
	buf_add_char(b, ']');
}

static void add_command(struct buf *b, const char *key, const struct unit_command *c)
{
	char name[32];

	add_pair(b, key, c->text);
	snprintf(name, sizeof(name), "%s_argv", key);
	add_key(b, name);
	if (c->argv)
		add_strings(b, c->argv, c->argc);
	else
		buf_add_str(b, "null");
	snprintf(name, sizeof(name), "%s_broken", key);
	add_pair(b, name, c->broken);
}

static void add_env(struct buf *b, const struct unit *u)
{
	add_key(b, "env");
	buf_add_char(b, '[');
	for (size_t i = 0; i < u->nenv; i++) {
		if (i)
			buf_add_char(b, ',');
		add_strings(b, (char *[]){ u->env[i].name, u->env[i].value }, 2);
	}
	buf_add_char(b, ']');
}

static void add_unit(struct buf *b, const struct unit *u)
{
	static const char *const logs[] = { "ring", "none", "stdout" };
	static const char *const kills[] = { "attached", "tree" };

	add_command(b, "exec", &u->exec);
	add_command(b, "test", &u->test);
	add_flag(b, "oneshot", u->oneshot);
	add_flag(b, "essential", u->essential);
	add_key(b, "after");
	add_strings(b, u->after, u->nafter);
	add_env(b, u);
	add_pair(b, "dir", u->dir);
	add_pair(b, "log", logs[u->log]);
	add_pair(b, "kill", kills[u->kill]);
	add_key(b, "signal_stop");
	buf_printf(b, "%d", u->stop_signal);
	add_key(b, "shutdown_timeout");
	buf_add_u64(b, u->shutdown_timeout);
}

static void take_warning(void *ctx, unsigned line, unsigned column, const char *text)
{
	struct buf *warnings = ctx;
	char place[64];

	snprintf(place, sizeof(place), "%u:%u: ", line, column);
	if (warnings->len)
		buf_add_char(warnings, ',');
	buf_add_char(warnings, '"');
	buf_add_str(warnings, place);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_add_char(warnings, '\\');
		buf_add_char(warnings, *text);
	}
	buf_add_char(warnings, '"');
}

static void add_name(struct buf *b, const char *path)
{
	const char *file = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	size_t len = unit_name_of_file(file);
	char name[256];

	snprintf(name, sizeof(name), "%.*s", (int)len, file);
	add_pair(b, "name", len ? name : NULL);
	add_pair(b, "name_problem", len ? unit_name_problem(name, len) : "no service file");
}

int main(int argc, char **argv)
{
	struct buf out = BUF_INIT, warnings = BUF_INIT;
	struct unit unit;
	struct err err;

	if (argc != 2) {
		fputs("usage: unitdump FILE\n", stderr);
		return 2;
	}
	buf_add_char(&out, '{');
	add_name(&out, argv[1]);
	if (unit_load(AT_FDCWD, argv[1], &unit, take_warning, &warnings, &err) == 0)
		add_unit(&out, &unit);
	else
		add_pair(&out, "error", err.text);
	unit_release(&unit);
	add_key(&out, "warnings");
	buf_add_char(&out, '[');
	buf_add(&out, warnings.data, warnings.len);
	buf_add_str(&out, "]}\n");
	fwrite(out.data, 1, out.len, stdout);
	buf_release(&out);
	buf_release(&warnings);
	return 0;
}
