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
	{ 'f', "follow", NULL, "go on with lines to come, as without -s" },
	{ 't', "time", NULL, "with the time of each line" },
	{ 0, NULL, NULL, NULL },
};
//config: depends on CLIENT
//config: help
//config:   About 1.2 KB.

static bool follows(const struct cli *cli)
{
	return cli_flag(cli, 'f') || !cli_flag(cli, 's');
}

static char *make_params(const struct cli *cli, unsigned long long lines)
{
	struct buf b = BUF_INIT;
	buf_printf(&b, "{\"lines\":%llu,\"raw\":true,\"time\":%s,\"follow\":%s", lines,
		cli_flag(cli, 't') ? "true" : "false", follows(cli) ? "true" : "false");
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

static void print_line(struct span line, void *ctx)
{
	char *out = (char *)line.at; // decoding never makes it longer: it is done in its place
	(void)ctx;
	fwrite(out, 1, json_decode(line, out), stdout);
	putchar('\n');
}

static int run(struct cli *cli)
{
	struct session s;
	unsigned long long lines;
	if (cli_flag(cli, 's') && cli->argc && (cli->argv[0][0] == '/' || cli->argv[0][0] == '.'))
		return usage_error(
			cli, "'%s' is no service (-s means --snapshot here, the socket is --socket)", cli->argv[0]);
	if (cli->argc > 1)
		return usage_error(cli, "unexpected argument '%s'", cli->argv[1]);
	if (cli_number(cli, 'n', UINT64_MAX, &lines) < 0)
		return 1;
	if (session_open(&s, cli))
		return 1;
	signal(SIGPIPE, SIG_DFL);
	int rc = cli->argc ? check_service(&s, cli->argv[0]) : 0;
	char *params = rc ? NULL : make_params(cli, lines);
	if (params) {
		rc = session_call(&s, "stream_subscribeLogs", params, NULL, NULL);
		free(params);
	}
	if (rc == 0)
		rc = session_follow(&s, follows(cli), print_line, NULL);
	session_close(&s);
	return rc;
}
