// A program without the document of its API does not know this method.
#include "control/control.h"

void rpc_discover(struct rpc_call *c, const struct param *p)
{
	(void)p;
	rpc_unknown_method(c);
}
