// rpc.discover: openrpc.json, made smaller and part of the program by the build.
#include "control/control.h"

static const char document[] =
#include "openrpc.h"
	;

void rpc_discover(struct rpc_call *c, const struct param *p)
{
	(void)p;
	buf_add(rpc_result_begin(c), document, sizeof(document) - 1);
	rpc_result_end(c);
}
