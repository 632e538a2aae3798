#include "control/control.h"

#define REQ true
#define OPT false
#define P(param, type, required) \
	{ \
#param, PARAM_##type, required \
	}
#define READS RPC_READS
#define CHANGES RPC_CHANGES
#define SLOW RPC_SLOW
#define STREAM RPC_STREAM
#define METHOD(method, ...) METHOD_NAMED(#method, method, __VA_ARGS__)
#define METHOD_NAMED(wire, method, flags, ...) \
	{ wire, method, flags, { __VA_ARGS__ }, \
		sizeof((struct param_spec[]){ __VA_ARGS__ }) / sizeof(struct param_spec) },
#define ALIAS(old_name, name)
static const struct rpc_method methods[] = {
#include "rpc/methods.def"
};
#undef METHOD
#undef METHOD_NAMED
#undef ALIAS

#define METHOD(method, ...)
#define METHOD_NAMED(wire, method, ...)
#define ALIAS(old_name, name) { old_name, "\"" name "\"" },
static const struct rpc_alias aliases[] = {
#include "rpc/methods.def"
};
#undef METHOD
#undef METHOD_NAMED
#undef ALIAS

void control_init(struct control *c, struct rpc_server *s, struct super *u)
{
	*c = (struct control){ .super = u, .server = s };
	list_init(&c->jobs);
	s->ctx = c;
	s->methods = methods;
	s->nmethods = sizeof(methods) / sizeof(methods[0]);
	s->aliases = aliases;
	s->naliases = sizeof(aliases) / sizeof(aliases[0]);
	stream_init(c);
	events_init(c);
	text_init(s);
	helpers_init(c);
}
