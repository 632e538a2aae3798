#include "call.h"
#include "base/signame.h"
#include <string.h>
#include <stdlib.h>

APPLET(kill, "SERVICE [SIGNAL]", "send a signal (SIGTERM) to the processes of a running service") = {
	{ 0, NULL, NULL, NULL },
};
//config: depends on CLIENT
//config: help
//config:   About 500 bytes.

static bool is_signal(const char *text)
{
	return signame_parse(text, strlen(text)) > 0;
}

static int run(struct cli *cli)
{
	struct session s;
	if (cli->argc < 1 || cli->argc > 2)
		return usage_error(cli, cli->argc ? "too many arguments" : "the name of a service is missing");
	if (cli->argc == 2 && is_signal(cli->argv[0]) && !is_signal(cli->argv[1]))
		return usage_error(cli, "'%s' is no signal (did you mean 'zinit kill %s %s'?)", cli->argv[1],
			cli->argv[1], cli->argv[0]);
	if (session_open(&s, cli))
		return 1;
	char *params = json_strings(cli->argv[0], cli->argc > 1 ? cli->argv[1] : "SIGTERM", NULL);
	int rc = params ? session_call(&s, "service_kill", params, NULL, cli->argv[0]) : fail("out of memory");
	free(params);
	session_close(&s);
	return rc;
}
