#include "call.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { OPT_JSON = OPT_FIRST_LONG, FIELD_MAX = 1024 };

APPLET(events, "[SERVICE]", "changes of states as they happen") = {
	{ OPT_JSON, "json", NULL, "print JSON, one object a line" },
	{ 0, NULL, NULL, NULL },
};
//config: depends on CLIENT
//config: help
//config:   About 1 KB.

static const char *field(struct span event, const char *name, char out[FIELD_MAX])
{
	json_text(json_member(event, name), out, FIELD_MAX);
	return out;
}

static void print_event(struct span event, void *ctx)
{
	char time[FIELD_MAX], name[FIELD_MAX], from[FIELD_MAX], to[FIELD_MAX], reason[FIELD_MAX];
	struct span dropped = json_member(event, "dropped");
	(void)ctx;
	if (dropped.at) {
		printf("%.*s changes dropped\n", (int)dropped.len, dropped.at);
		return;
	}
	printf("%s %s %s -> %s", field(event, "time", time), field(event, "name", name), field(event, "from", from),
		field(event, "to", to));
	if (*field(event, "reason", reason))
		printf(" (%s)", reason);
	putchar('\n');
}

static void print_object(struct span event, void *ctx)
{
	(void)ctx;
	fwrite(event.at, 1, event.len, stdout);
	putchar('\n');
}

static int run(struct cli *cli)
{
	struct session s;
	if (cli->argc > 1)
		return usage_error(cli, "unexpected argument '%s'", cli->argv[1]);
	if (session_open(&s, cli))
		return 1;
	signal(SIGPIPE, SIG_DFL);
	int rc = cli->argc ? check_service(&s, cli->argv[0]) : 0;
	char *params = cli->argc && !rc ? json_strings(cli->argv[0], NULL) : NULL;
	if (rc == 0)
		rc = cli->argc && !params ? fail("out of memory")
					  : session_call(&s, "stream_subscribeEvents", params, NULL, NULL);
	free(params);
	if (rc == 0)
		rc = session_follow(&s, true, cli_flag(cli, OPT_JSON) ? print_object : print_event, NULL);
	session_close(&s);
	return rc;
}
