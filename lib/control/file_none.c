// A program without the management of service files does not know these methods.
#include "control/control.h"

void service_create(struct rpc_call *c, const struct param *p)
{
	(void)p;
	rpc_unknown_method(c);
}

void service_delete(struct rpc_call *c, const struct param *p)
{
	(void)p;
	rpc_unknown_method(c);
}

void service_get(struct rpc_call *c, const struct param *p)
{
	(void)p;
	rpc_unknown_method(c);
}
