// The methods of the control API: each handler takes checked parameters, asks
// the supervisor, and answers.
#pragma once
#include "rpc/server.h"
#include "svc/super.h"

struct control {
	struct super *super;
	struct rpc_server *server;
	struct list subscriptions;
	struct work lines; // new lines are in the ring
	uint64_t next_id; // of a subscription
};

// Fills the table of methods into the server and connects the ring's news.
void control_init(struct control *c, struct rpc_server *s, struct super *u);

#define METHOD(name, ...) void name(struct rpc_call *c, const struct param *p);
#define ALIAS(old_name, name)
#include "rpc/methods.def"
#undef METHOD
#undef ALIAS

void stream_init(struct control *c);
