#include "call.h"

enum { OPT_NO_WAIT = OPT_FIRST_LONG };

APPLET(stop, "SERVICE...", "stop services and wait until their processes are gone") = {
	{ OPT_NO_WAIT, "no-wait", NULL, "return at once" },
	{ 0, NULL, NULL, NULL },
};
//config: depends on CLIENT
//config: help
//config:   About 300 bytes.

static int run(struct cli *cli)
{
	bool wait = !cli_flag(cli, OPT_NO_WAIT);
	return for_each_service(
		cli, "service_stop", wait ? "" : ",false", wait ? "waiting for the end of" : NULL, false);
}
