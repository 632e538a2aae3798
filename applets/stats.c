#include "call.h"

enum { OPT_JSON = OPT_FIRST_LONG };

APPLET(stats, "SERVICE", "memory and processor use of a running service and its children") = {
	{ OPT_JSON, "json", NULL, "print JSON" },
	{ 0, NULL, NULL, NULL },
};
//config: depends on CLIENT
//config: help
//config:   About 300 bytes.

static int run(struct cli *cli)
{
	struct session s;
	int rc = call_for_one(&s, cli, "service_stats", NULL);
	if (rc == 0)
		rc = cli_flag(cli, OPT_JSON) ? print_json(s.result) : print_yaml(s.result);
	session_close(&s);
	return rc;
}
