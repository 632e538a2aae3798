// system_*: the end of everything. Answered before the work begins.
#include "control/control.h"

static void halt(struct rpc_call *c, enum halt_mode mode)
{
	struct control *k = c->server->ctx;
	rpc_result_null(c);
	rpc_flush_all(k->server);
	super_shutdown(k->super, mode);
}

void system_shutdown(struct rpc_call *c, const struct param *p)
{
	(void)p;
	halt(c, HALT_POWEROFF);
}

void system_reboot(struct rpc_call *c, const struct param *p)
{
	(void)p;
	halt(c, HALT_REBOOT);
}
