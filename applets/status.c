#include "call.h"
#include <stdlib.h>

APPLET(status, "SERVICE", "state of one service, and of what it waits for") = {
	{ OPT_FIRST_LONG, "json", NULL, "print JSON" },
	{ 0, NULL, NULL, NULL },
};
//config: depends on CLIENT

static int run(struct cli *cli)
{
	struct session s;
	cJSON *result = NULL;
	if (cli->argc != 1)
		return usage_error(cli, cli->argc ? "one service only" : "the name of a service is missing");
	if (session_open(&s, cli))
		return 1;
	char *params = json_strings(cli->argv[0], NULL);
	int rc = params ? session_call(&s, "service_status", params, NULL, cli->argv[0], &result)
			: fail("out of memory");
	free(params);
	if (rc == 0 && cli_flag(cli, OPT_FIRST_LONG)) {
		rc = print_json(result);
	} else if (rc == 0) {
		print_yaml(result);
		rc = finish_output();
	}
	cJSON_Delete(result);
	session_close(&s);
	return rc;
}
