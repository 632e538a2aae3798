#include "call.h"

APPLET(monitor, "SERVICE...", "load service files and start the services") = {
	{ 0, NULL, NULL, NULL },
};
//config: depends on CLIENT
//config: help
//config:   About 200 bytes.

static int run(struct cli *cli)
{
	return for_each_service(cli, "service_monitor", ",true", NULL, false);
}
