#include "control/control.h"

#define REQ true
#define OPT false
#define P(param, type, required) \
	{ \
#param, PARAM_##type, required \
	}
#define METHOD(method, flags, ...) \
	{ #method, method, { __VA_ARGS__ }, sizeof((struct param_spec[]){ __VA_ARGS__ }) / sizeof(struct param_spec) },
#define ALIAS(old_name, name)
static const struct rpc_method methods[] = {
#include "rpc/methods.def"
};
#undef METHOD
#undef ALIAS

#define METHOD(method, ...)
#define ALIAS(old_name, name) { old_name, "\"" name "\"" },
static const struct rpc_alias aliases[] = {
#include "rpc/methods.def"
};
#undef METHOD
#undef ALIAS

void control_init(struct control *c, struct rpc_server *s, struct super *u)
{
	*c = (struct control){ .super = u, .server = s };
	s->ctx = c;
	s->methods = methods;
	s->nmethods = sizeof(methods) / sizeof(methods[0]);
	s->aliases = aliases;
	s->naliases = sizeof(aliases) / sizeof(aliases[0]);
	stream_init(c);
}
