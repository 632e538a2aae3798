// Without the proxy nobody here speaks HTTP.
#include "control/control.h"

static void refuse(struct rpc_call *c, const char *action)
{
	c->action = action;
	rpc_refuse(c, ERR_INTERNAL, NULL, "this zinit is built without its HTTP server");
}

void system_start_http_server(struct rpc_call *c, const struct param *p)
{
	(void)p;
	refuse(c, "starting http server");
}

void system_stop_http_server(struct rpc_call *c, const struct param *p)
{
	(void)p;
	refuse(c, "stopping http server");
}

void helpers_init(struct control *c)
{
	(void)c;
}
