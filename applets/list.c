#include "call.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_JSON = OPT_FIRST_LONG, FIELD_MAX = 1024 };

APPLET(list, "", "all services and their states") = {
	{ 'l', "long", NULL, "a table with state, target, pid, uptime and restarts" },
	{ 'n', "names", NULL, "only the names, one a line" },
	{ OPT_JSON, "json", NULL, "print JSON" },
	{ 0, NULL, NULL, NULL },
};
//config: depends on CLIENT
//config: help
//config:   About 2.5 KB.

static void print_uptime(struct span seconds)
{
	char text[32] = "-";
	if (seconds.at && json_type(seconds) == JSON_NUMBER) {
		unsigned long s = (unsigned long)json_number(seconds);
		if (s >= 86400)
			snprintf(text, sizeof(text), "%lud%02luh", s / 86400, s % 86400 / 3600);
		else if (s >= 3600)
			snprintf(text, sizeof(text), "%luh%02lum", s / 3600, s % 3600 / 60);
		else if (s >= 60)
			snprintf(text, sizeof(text), "%lum%02lus", s / 60, s % 60);
		else
			snprintf(text, sizeof(text), "%lus", s);
	}
	printf(" %8s", text);
}

static const char *text_of(struct span status, const char *name, char out[FIELD_MAX])
{
	json_text(json_member(status, name), out, FIELD_MAX);
	return out;
}

static void print_why(struct span status)
{
	char text[FIELD_MAX];
	struct span names = json_member(status, "blocked_by"), key, name;
	struct json_iter it = json_iter(names);
	if (json_next(&it, &key, &name)) {
		json_text(name, text, sizeof(text));
		printf("  waits for %s%s", text, json_next(&it, &key, &name) ? ", ..." : "");
	} else if (*text_of(status, "reason", text)) {
		printf("  %s", text);
	}
}

// In characters, not bytes.
static int width_of(const char *text)
{
	int n = 0;
	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void print_column(const char *text, int width)
{
	printf("%s%*s ", text, width - width_of(text), "");
}

static void print_row(struct span status, int name_width, int state_width)
{
	char text[FIELD_MAX];
	print_column(text_of(status, "name", text), name_width);
	print_column(text_of(status, "state", text), state_width);
	printf("%-6s %7ld", text_of(status, "target", text), json_number(json_member(status, "pid")));
	print_uptime(json_member(status, "uptime"));
	printf(" %8ld", json_number(json_member(status, "restarts")));
	print_why(status);
	putchar('\n');
}

static void widen(int *width, struct span status, const char *field)
{
	char text[FIELD_MAX];
	int n = width_of(text_of(status, field, text));
	if (n > *width)
		*width = n;
}

// The status of each service, as one array: an answer lives until the next call. Ends
// at the first that cannot be had.
static int ask_all(struct session *s, struct buf *list, struct buf *rows)
{
	struct span key, value;
	char name[FIELD_MAX];
	buf_add(list, s->result.at, s->result.len);
	buf_add_char(rows, '[');
	if (!buf_text(list))
		return fail("out of memory");
	struct json_iter it = json_iter((struct span){ list->data, list->len });
	for (int rc; json_next(&it, &key, &value);) {
		json_text(key, name, sizeof(name));
		char *params = json_strings(name, NULL);
		rc = params ? session_call(s, "service_status", params, NULL, NULL) : fail("out of memory");
		free(params);
		if (rc)
			return rc;
		buf_add_str(rows, rows->len > 1 ? "," : "");
		buf_add(rows, s->result.at, s->result.len);
	}
	return 0;
}

static int print_table(struct session *s)
{
	struct buf list = BUF_INIT, rows = BUF_INIT;
	struct span key, row;
	int name_width = 4, state_width = 5, rc = ask_all(s, &list, &rows);
	buf_release(&list);
	buf_add_char(&rows, ']');
	if (!buf_text(&rows))
		return fail("out of memory");
	struct span all = { rows.data, rows.len };
	for (struct json_iter it = json_iter(all); json_next(&it, &key, &row);) {
		widen(&name_width, row, "name");
		widen(&state_width, row, "state");
	}
	printf("%-*s %-*s %-6s %7s %8s %8s\n", name_width, "NAME", state_width, "STATE", "TARGET", "PID", "UPTIME",
		"RESTARTS");
	for (struct json_iter it = json_iter(all); json_next(&it, &key, &row);)
		print_row(row, name_width, state_width);
	buf_release(&rows);
	return rc ? rc : finish_output();
}

static int print_names(struct span list)
{
	struct json_iter it = json_iter(list);
	char name[FIELD_MAX];
	for (struct span key, value; json_next(&it, &key, &value);) {
		json_text(key, name, sizeof(name));
		puts(name);
	}
	return finish_output();
}

static int run(struct cli *cli)
{
	struct session s;
	if (cli->argc)
		return usage_error(cli, "unexpected argument '%s'", cli->argv[0]);
	if (session_open(&s, cli))
		return 1;
	int rc = session_call(&s, "service_list", NULL, NULL, NULL);
	if (rc == 0 && cli_flag(cli, 'n')) {
		rc = print_names(s.result);
	} else if (rc == 0 && cli_flag(cli, OPT_JSON)) {
		rc = print_json(s.result);
	} else if (rc == 0 && cli_flag(cli, 'l')) {
		rc = print_table(&s);
	} else if (rc == 0) {
		rc = print_yaml(s.result);
	}
	session_close(&s);
	return rc;
}
