// A program that measures nothing does not know this method.
#include "control/control.h"

void service_stats(struct rpc_call *c, const struct param *p)
{
	(void)p;
	rpc_unknown_method(c);
}
