// The commands of the line protocol, by the handlers of the methods.
#include "control/control.h"
#include <stdlib.h>
#include <string.h>

static void text_status(struct rpc_call *c, const struct param *p)
{
	service_brief(c, p[0].text);
}

static void text_start(struct rpc_call *c, const struct param *p)
{
	const struct param params[2] = { p[0] };
	service_start(c, params);
}

// Answered at once: these clients ask for the status until it is down.
static void text_stop(struct rpc_call *c, const struct param *p)
{
	const struct param params[2] = { p[0], { .set = true, .flag = false } };
	service_stop(c, params);
}

static void text_monitor(struct rpc_call *c, const struct param *p)
{
	const struct param params[2] = { p[0] };
	service_monitor(c, params);
}

static void text_log(struct rpc_call *c, const struct param *p)
{
	if (p[0].set && (p[1].set || strcmp(p[0].text, "snapshot") != 0)) {
		rpc_refuse(c, ERR_INTERNAL, NULL, "invalid log command arguments");
		return;
	}
	stream_text(c, p[0].set);
}

static const struct rpc_verb verbs[] = {
	{ "list", service_list, RPC_READS, RPC_ANY_ARGS },
	{ "status", text_status, RPC_READS, 1 },
	{ "start", text_start, RPC_CHANGES, 1 },
	{ "stop", text_stop, RPC_CHANGES, 1 },
	{ "kill", service_kill, RPC_CHANGES, 2 },
	{ "forget", service_forget, RPC_CHANGES, 1 },
	{ "monitor", text_monitor, RPC_CHANGES, 1 },
	{ "log", text_log, RPC_READS, RPC_ANY_ARGS },
	{ "shutdown", system_shutdown, RPC_CHANGES, RPC_ANY_ARGS },
	{ "reboot", system_reboot, RPC_CHANGES, RPC_ANY_ARGS },
};

void text_init(struct rpc_server *s)
{
	s->verbs = verbs;
	s->nverbs = sizeof(verbs) / sizeof(verbs[0]);
}
