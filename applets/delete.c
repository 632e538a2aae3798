#include "call.h"

APPLET(delete, "SERVICE...", "remove the files of services; what runs goes on") = {
	{ 0, NULL, NULL, NULL },
};
//config: depends on CLIENT
//config: help
//config:   About 200 bytes.

static int run(struct cli *cli)
{
	return for_each_service(cli, "service_delete", "", waits_for_file, false);
}
