#include "call.h"
#include "base/buf.h"
#include "control/convert.h"
#include <stdio.h>

enum { OPT_JSON = OPT_FIRST_LONG };

APPLET(get, "SERVICE", "print a service's file, without its comments") = {
	{ OPT_JSON, "json", NULL, "print JSON" },
	{ 0, NULL, NULL, NULL },
};
//config: depends on CLIENT
//config: help
//config:   About 500 bytes.

// As service_create would write it.
static int print_file(struct span content)
{
	struct buf text = BUF_INIT;
	convert_to_yaml(content, &text);
	int rc = text.failed ? fail("out of memory") : 0;
	if (rc == 0) {
		fwrite(text.data, 1, text.len, stdout);
		rc = finish_output();
	}
	buf_release(&text);
	return rc;
}

static int run(struct cli *cli)
{
	struct session s;
	int rc = call_for_one(&s, cli, "service_get", waits_for_file);
	if (rc == 0)
		rc = cli_flag(cli, OPT_JSON) ? print_json(s.result) : print_file(s.result);
	session_close(&s);
	return rc;
}
