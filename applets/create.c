// The file is read and checked here, so that messages name its own lines; the daemon
// gets its content and checks that again.
#include "call.h"
#include "base/buf.h"
#include "conf/unit.h"
#include "control/convert.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { READ_SIZE = 65536 };

APPLET(create, "NAME [FILE|-]", "make the file of a new service from a file or stdin (YAML or JSON)") = {
	{ 0, NULL, NULL, NULL },
};
//config: depends on CLIENT
//config: help
//config:   About 2.5 KB, and the reading of service files where init is not built in.

static int read_all(int fd, const char *label, struct buf *b)
{
	ssize_t n = 1;
	while (n > 0 && b->len <= UNIT_FILE_MAX && buf_reserve(b, READ_SIZE) == 0) {
		n = read(fd, b->data + b->len, READ_SIZE);
		if (n > 0)
			b->len += (size_t)n;
		else if (n < 0 && errno == EINTR)
			n = 1;
	}
	return n < 0 ? fail("cannot read %s: %s", label, strerror(errno)) : b->failed ? fail("out of memory") : 0;
}

static int read_content(const char *path, const char *label, struct buf *b)
{
	int fd = STDIN_FILENO;
	if (path)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	else if (isatty(fd))
		fprintf(stderr, "zinit: reading the service from the terminal, up to Ctrl-D\n");
	if (fd < 0)
		return fail("cannot open %s: %s", label, strerror(errno));
	int rc = read_all(fd, label, b);
	if (path)
		close(fd);
	return rc;
}

static void print_warning(void *ctx, unsigned line, unsigned column, const char *text)
{
	fprintf(stderr, "zinit: WARN %s:%u:%u: %s\n", (const char *)ctx, line, column, text);
}

static void add_key(struct buf *b, const char *key)
{
	buf_add_char(b, b->len ? ',' : '{');
	json_add_str(b, key, strlen(key));
	buf_add_char(b, ':');
}

static void add_text(struct buf *b, const char *key, const char *text)
{
	if (!text)
		return;
	add_key(b, key);
	json_add_str(b, text, strlen(text));
}

// What is text to the daemon stays the text it is: 010 and 0x1f are no numbers there.
static void add_texts(struct buf *b, const struct unit *u)
{
	add_text(b, "exec", u->exec.text);
	add_text(b, "test", u->test.text);
	add_text(b, "dir", u->dir);
	if (u->nafter)
		add_key(b, "after");
	for (size_t i = 0; i < u->nafter; i++) {
		buf_add_char(b, i ? ',' : '[');
		json_add_str(b, u->after[i], strlen(u->after[i]));
	}
	buf_add_str(b, u->nafter ? "]" : "");
	if (u->nenv)
		add_key(b, "env");
	for (size_t i = 0; i < u->nenv; i++) {
		buf_add_char(b, i ? ',' : '{');
		json_add_str(b, u->env[i].name, strlen(u->env[i].name));
		buf_add_char(b, ':');
		json_add_str(b, u->env[i].value, strlen(u->env[i].value));
	}
	buf_add_str(b, u->nenv ? "}" : "");
}

// The other keys as they are.
static void add_rest(struct buf *b, struct span content)
{
	static const char *const texts[] = { "exec", "test", "dir", "after", "env" };
	struct json_iter it = json_iter(content);
	for (struct span key, value; json_next(&it, &key, &value);) {
		bool done = false;
		for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
			done = done || json_is(key, texts[i]);
		if (done)
			continue;
		buf_add_char(b, ',');
		buf_add(b, key.at, key.len);
		buf_add_char(b, ':');
		buf_add(b, value.at, value.len);
	}
	buf_add_char(b, '}');
}

// The content as JSON.
static int convert(const struct buf *text, const char *label, struct buf *json)
{
	struct unit unit;
	struct err err;
	struct buf content = BUF_INIT;
	if (unit_parse(text->data ? text->data : "", text->len, label, &unit, print_warning, (void *)label, &err) < 0)
		return fail("%s", err.text);
	int rc = convert_to_json(text->data, text->len, label, &content, &err);
	if (rc == 0) {
		add_texts(json, &unit);
		add_rest(json, (struct span){ content.data, content.len });
	}
	unit_release(&unit);
	buf_release(&content);
	return rc < 0 ? fail("%s: %s%s%s", label, err.text, *err.cause ? ": " : "", err.cause) : 0;
}

static int create(struct cli *cli, const struct buf *content)
{
	struct session s;
	struct buf params = BUF_INIT;
	buf_add_char(&params, '[');
	json_add_str(&params, cli->argv[0], strlen(cli->argv[0]));
	buf_add_char(&params, ',');
	buf_add(&params, content->data, content->len);
	buf_add_char(&params, ']');
	const char *text = buf_text(&params);
	int rc = text ? session_open(&s, cli) : fail("out of memory");
	if (rc == 0) {
		rc = session_call(&s, "service_create", text, waits_for_file, cli->argv[0]);
		session_close(&s);
	}
	buf_release(&params);
	return rc;
}

static int run(struct cli *cli)
{
	struct buf text = BUF_INIT, json = BUF_INIT;
	if (cli->argc < 1 || cli->argc > 2)
		return usage_error(cli, cli->argc ? "too many arguments" : "the name of the new service is missing");
	const char *path = cli->argc > 1 && strcmp(cli->argv[1], "-") != 0 ? cli->argv[1] : NULL;
	const char *label = path ? path : "stdin";
	int rc = read_content(path, label, &text);
	if (rc == 0)
		rc = convert(&text, label, &json);
	if (rc == 0)
		rc = create(cli, &json);
	buf_release(&text);
	buf_release(&json);
	return rc;
}
