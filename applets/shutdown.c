#include "call.h"

APPLET(shutdown, "", "stop all services in order, then power off (in a container: end)") = {
	{ 0, NULL, NULL, NULL },
};
//config: depends on CLIENT
//config: help
//config:   About 200 bytes.

static int run(struct cli *cli)
{
	return call_plainly(cli, "system_shutdown");
}
