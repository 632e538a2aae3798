#include "call.h"

APPLET(reboot, "", "stop all services in order, then reboot (in a container: end)") = {
	{ 0, NULL, NULL, NULL },
};
//config: depends on CLIENT
//config: help
//config:   About 200 bytes.

static int run(struct cli *cli)
{
	return call_plainly(cli, "system_reboot");
}
