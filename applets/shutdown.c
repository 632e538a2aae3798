#include "call.h"

APPLET(shutdown, "", "stop all services in order, then power off (in a container: end)") = {
	{ 0, NULL, NULL, NULL },
};
//config: depends on CLIENT

static int run(struct cli *cli)
{
	struct session s;
	cJSON *result = NULL;
	if (cli->argc)
		return usage_error(cli, "unexpected argument '%s'", cli->argv[0]);
	if (session_open(&s, cli))
		return 1;
	int rc = session_call(&s, "system_shutdown", NULL, NULL, NULL, &result);
	cJSON_Delete(result);
	session_close(&s);
	return rc;
}
