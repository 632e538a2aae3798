// A program without notifications of states does not know these methods.
#include "control/control.h"

void stream_subscribeEvents(struct rpc_call *c, const struct param *p)
{
	(void)p;
	rpc_unknown_method(c);
}

void stream_unsubscribeEvents(struct rpc_call *c, const struct param *p)
{
	(void)p;
	rpc_unknown_method(c);
}

void events_init(struct control *c)
{
	list_init(&c->event_readers);
}
