#include "call.h"
#include "rpc/json.h"
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

APPLET(log, "[SERVICE]", "lines that services have written, then those to come") = {
	{ 's', "snapshot", NULL, "only what is there now" },
	{ 'n', "lines", "N", "begin with at most N old lines" },
	{ 't', "time", NULL, "with the time of each line" },
	{ 0, NULL, NULL, NULL },
};
//config: depends on CLIENT

// A service that does not exist is an error, though its name would filter well.
static int check_name(struct session *s, const char *name)
{
	cJSON *result = NULL;
	size_t len = strlen(name);
	char plain[256];
	if (!strcmp(name, "zinit") || len >= sizeof(plain))
		return 0;
	if (len > 5 && !strcmp(name + len - 5, "/test"))
		len -= 5;
	snprintf(plain, sizeof(plain), "%.*s", (int)len, name);
	char *params = json_strings(plain, NULL);
	int rc = params ? session_call(s, "service_status", params, NULL, plain, &result) : fail("out of memory");
	free(params);
	cJSON_Delete(result);
	return rc;
}

static char *make_params(const struct cli *cli, unsigned long long lines)
{
	struct buf b = BUF_INIT;
	buf_printf(&b, "{\"lines\":%llu,\"raw\":true,\"time\":%s,\"follow\":%s", lines,
		cli_flag(cli, 't') ? "true" : "false", cli_flag(cli, 's') ? "false" : "true");
	if (cli->argc) {
		buf_add_str(&b, ",\"filter\":");
		json_add_str(&b, cli->argv[0], strlen(cli->argv[0]));
	}
	buf_add_char(&b, '}');
	char *text = buf_text(&b);
	if (!text)
		buf_release(&b);
	return text;
}

// One notification: 1 printed, 0 the end, -1 not one.
static int print_line(char *text, size_t len)
{
	struct span object = { text, len }, key, value, params = { NULL, 0 }, line = { NULL, 0 };
	if (!json_check_answer(text, len) || json_type(object) != JSON_OBJECT)
		return -1;
	for (struct json_iter it = json_iter(object); json_next(&it, &key, &value);)
		if (json_is(key, "params"))
			params = value;
	if (!params.at || json_type(params) != JSON_OBJECT)
		return -1;
	for (struct json_iter it = json_iter(params); json_next(&it, &key, &value);)
		if (json_is(key, "result"))
			line = value;
	if (!line.at || json_type(line) == JSON_NULL)
		return 0;
	// Decoding never makes a string longer, so it can be done in its place.
	char *out = text + (line.at - text);
	fwrite(out, 1, json_decode(line, out), stdout);
	putchar('\n');
	return 1;
}

// Output goes on when nothing more is there to be read at once.
static int print_lines(struct session *s, bool follow)
{
	for (;;) {
		struct err err;
		char *text;
		size_t len;
		int rc = client_line(&s->client, 0, &text, &len, &err);
		if (rc == 0) {
			if (finish_output())
				return 1;
			if (ferror(stdout))
				return 0;
			rc = client_line(&s->client, follow ? NO_LIMIT : ANSWER_MS, &text, &len, &err);
			if (rc == 0)
				return fail("no answer from the daemon at %s within %d s", s->client.path,
					ANSWER_MS / 1000);
		}
		if (rc < 0)
			return fail("%s", err.text);
		if (print_line(text, len) <= 0)
			return finish_output();
		if (ferror(stdout))
			return finish_output();
	}
}

static int run(struct cli *cli)
{
	struct session s;
	cJSON *id = NULL;
	unsigned long long lines;
	if (cli->argc > 1)
		return usage_error(cli, "unexpected argument '%s'", cli->argv[1]);
	if (cli_number(cli, 'n', UINT64_MAX, &lines) < 0)
		return 1;
	if (session_open(&s, cli))
		return 1;
	signal(SIGPIPE, SIG_DFL);
	int rc = cli->argc ? check_name(&s, cli->argv[0]) : 0;
	char *params = rc ? NULL : make_params(cli, lines);
	if (params) {
		rc = session_call(&s, "stream_subscribeLogs", params, NULL, NULL, &id);
		free(params);
	}
	if (rc == 0)
		rc = print_lines(&s, !cli_flag(cli, 's'));
	cJSON_Delete(id);
	session_close(&s);
	return rc;
}
