// stream_subscribeEvents: every change of a state, as it happens.
//
// The last changes are kept in a ring of their own while somebody listens; a
// reader that falls behind is told how many it has missed.
#include "control/control.h"
#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVENTS_KEPT = 256, WHY_MAX = 128 };

struct change {
	uint64_t wall_ms;
	char name[UNIT_NAME_MAX + 1];
	char from[SVC_STATE_MAX], to[SVC_STATE_MAX];
	char why[WHY_MAX];
};

struct events {
	uint64_t next_seq;
	struct change kept[EVENTS_KEPT];
};

struct listener {
	struct subscription base;
	uint64_t next_seq;
	char name[]; // "": of all services
};

static void changed(void *ctx, const struct service *s, const char *from, const char *to, const char *why)
{
	struct control *k = ctx;
	struct change *e = &k->events->kept[k->events->next_seq++ % EVENTS_KEPT];
	e->wall_ms = clock_wall_ms();
	snprintf(e->name, sizeof(e->name), "%s", service_name(s));
	snprintf(e->from, sizeof(e->from), "%s", from);
	snprintf(e->to, sizeof(e->to), "%s", to);
	snprintf(e->why, sizeof(e->why), "%s", why);
	work_queue(k->super->loop, &k->changes);
}

static void add(struct buf *b, const char *head, const char *text)
{
	buf_add_str(b, head);
	json_add_str(b, text, strlen(text));
}

static void send_change(struct listener *l, const struct change *e)
{
	char stamp[CLOCK_TEXT_MAX];
	struct buf *b = subscription_note(&l->base, "stream_subscribeEvents");
	add(b, "{\"time\":", clock_text(e->wall_ms, stamp));
	add(b, ",\"name\":", e->name);
	add(b, ",\"from\":", e->from);
	add(b, ",\"to\":", e->to);
	add(b, ",\"reason\":", e->why);
	buf_add_char(b, '}');
	subscription_note_end(&l->base);
}

static void room(struct rpc_stream *st)
{
	struct listener *l = container_of(st, struct listener, base.stream);
	const struct events *all = l->base.control->events;
	uint64_t missed = all->next_seq - l->next_seq > EVENTS_KEPT ? all->next_seq - l->next_seq - EVENTS_KEPT : 0;
	if (missed && rpc_stream_has_room(st)) {
		buf_printf(subscription_note(&l->base, "stream_subscribeEvents"), "{\"dropped\":%llu}",
			(unsigned long long)missed);
		subscription_note_end(&l->base);
		l->next_seq += missed;
	}
	for (; l->next_seq < all->next_seq && rpc_stream_has_room(st); l->next_seq++) {
		const struct change *e = &all->kept[l->next_seq % EVENTS_KEPT];
		if (!*l->name || !strcmp(l->name, e->name))
			send_change(l, e);
	}
}

static void send_changes(struct work *w)
{
	struct control *k = container_of(w, struct control, changes);
	list_for_safe (pos, &k->event_readers)
		room(&list_entry(pos, struct subscription, link)->stream);
}

static void dropped(struct subscription *s)
{
	struct control *k = s->control;
	if (!list_empty(&k->event_readers))
		return;
	k->super->on_change = NULL;
	work_cancel(&k->changes);
	free(k->events);
	k->events = NULL;
}

void stream_subscribeEvents(struct rpc_call *c, const struct param *p)
{
	struct control *k = c->server->ctx;
	// What is longer than any name is nobody's, and so is its beginning.
	size_t len = p[0].set ? strnlen(p[0].text, UNIT_NAME_MAX + 1) : 0;
	c->action = "subscribing to events";
	if (!k->events && !(k->events = calloc(1, sizeof(*k->events)))) {
		rpc_refuse(c, ERR_INTERNAL, p[0].text, "out of memory");
		return;
	}
	struct subscription *s = subscription_new(c, sizeof(struct listener) + len + 1, room);
	if (!s)
		return; // the ring goes with the next one that ends
	struct listener *l = container_of(s, struct listener, base);
	if (p[0].set)
		memcpy(l->name, p[0].text, len);
	l->next_seq = k->events->next_seq;
	s->dropped = dropped;
	k->super->on_change = changed;
	k->super->on_change_ctx = k;
	subscription_begin(c, s, &k->event_readers);
}

void stream_unsubscribeEvents(struct rpc_call *c, const struct param *p)
{
	(void)p;
	subscription_end(c, &((struct control *)c->server->ctx)->event_readers);
}

void events_init(struct control *c)
{
	list_init(&c->event_readers);
	work_init(&c->changes, send_changes);
}
