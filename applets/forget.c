#include "call.h"

APPLET(forget, "SERVICE...", "drop stopped services; their files stay") = {
	{ 0, NULL, NULL, NULL },
};
//config: depends on CLIENT
//config: help
//config:   About 200 bytes.

static int run(struct cli *cli)
{
	return for_each_service(cli, "service_forget", "", "waiting for the end of what is left of", false);
}
