#include "call.h"
#include <stdio.h>

enum { WAIT_SECONDS = 3600 };

APPLET(start, "SERVICE...", "start services; one that is up stays as it is") = {
	{ 'w', "wait", "[=SECS]", "until they are up (oneshots: done), at most so long (3600)" },
	{ 0, NULL, NULL, NULL },
};
//config: depends on CLIENT
//config: help
//config:   About 400 bytes.

static int run(struct cli *cli)
{
	unsigned long long seconds;
	char more[32] = "";
	if (cli_number(cli, 'w', WAIT_SECONDS, &seconds) < 0)
		return 1;
	bool wait = cli_flag(cli, 'w');
	if (wait)
		snprintf(more, sizeof(more), ",%llu", seconds);
	return for_each_service(cli, "service_start", more, wait ? "waiting for" : NULL, true);
}
