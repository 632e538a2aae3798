#include "http/pool.h"
#include "base/log.h"
#include "http/server.h"
#include "rpc/jsonrpc.h"
#include <stdlib.h>
#include <string.h>

enum { LEFT_MAX = 512 }; // half of what init lets wait on one connection

static const char answer_start[] = "{\"jsonrpc\":\"2.0\",\"id\":";

// ---- calls ----

static void drop(struct pool *p, struct call *c)
{
	if (c->id != c->short_id) {
		*p->link.held -= c->id_len;
		free(c->id);
	}
	c->id = NULL;
	p->nleft -= c->left;
	c->left = false;
	p->by_number[c->number] = NULL;
	list_del(&c->link);
	list_append(&p->unused, &c->link);
}

static void answer(struct pool *p, struct call *c, struct span rest)
{
	if (c->owner)
		c->done(c, rest);
	drop(p, c);
}

// Numbers are small, so that the call is hardly longer than the client's was.
static struct call *more_room(struct pool *p)
{
	struct call *c = calloc(1, sizeof(*c));
	struct call **t = c ? realloc(p->by_number, (p->ncalls + 1) * sizeof(struct call *)) : NULL;
	if (!t) {
		free(c);
		return NULL;
	}
	p->by_number = t;
	c->number = (unsigned)p->ncalls;
	t[p->ncalls++] = NULL;
	return c;
}

static struct call *new_call(struct pool *p, struct span id)
{
	struct call *c;
	if (list_empty(&p->unused)) {
		c = more_room(p);
		if (!c)
			return NULL;
		list_init(&c->link);
	} else {
		c = list_entry(p->unused.prev, struct call, link);
		list_del(&c->link);
	}
	c->id = id.len <= sizeof(c->short_id) ? c->short_id : malloc(id.len);
	if (!c->id) {
		list_append(&p->unused, &c->link);
		return NULL;
	}
	if (id.len)
		memcpy(c->id, id.at, id.len);
	c->id_len = id.len;
	if (c->id != c->short_id)
		*p->link.held += id.len;
	p->by_number[c->number] = c;
	list_append(&p->calls, &c->link);
	return c;
}

// ---- init's answers ----

static void set_error(struct pool *p, const char *why)
{
	buf_clear(&p->error);
	buf_add_str(&p->error, ",\"error\":{\"code\":-32603,\"message\":\"Internal error\",\"data\":");
	json_add_str(&p->error, why, strlen(why));
	buf_add_str(&p->error, "}}");
}

static struct span error_of(struct pool *p)
{
	static const char no_memory[] = ",\"error\":{\"code\":-32603,\"message\":\"Internal error\"}}";
	if (p->error.failed)
		return (struct span){ no_memory, sizeof(no_memory) - 1 };
	return (struct span){ p->error.data, p->error.len };
}

static void end_all(struct pool *p, const char *why)
{
	struct list now;
	set_error(p, why);
	// Whoever is told may call again.
	list_init(&now);
	while (!list_empty(&p->calls)) {
		struct list *first = p->calls.next;
		list_del(first);
		list_append(&now, first);
	}
	while (!list_empty(&now))
		answer(p, list_entry(now.next, struct call, link), error_of(p));
}

static void fail_all(struct link *l)
{
	end_all(container_of(l, struct pool, link),
		"the connection to init was lost; whether the call was carried out is not known");
}

static void give_up(struct work *w)
{
	struct pool *p = container_of(w, struct pool, give_up);
	if (p->nleft < LEFT_MAX)
		return;
	link_close(&p->link);
	end_all(p, "too many clients have left without their answers; whether the call was carried out is not known");
}

void pool_left(struct pool *p, struct call *c)
{
	p->nleft += !c->left;
	c->left = true;
	if (!p->ordered && p->nleft >= LEFT_MAX)
		work_queue(p->link.loop, &p->give_up);
}

// One owner's answers go out as they come: they must come in order.
static bool overtakes(const struct pool *p, const struct call *c)
{
	for (const struct list *pos = p->calls.next; pos != &c->link; pos = pos->next)
		if (c->owner && list_entry(pos, struct call, link)->owner == c->owner)
			return true;
	return false;
}

// The call that a line answers, and what follows its id.
static struct call *match(struct pool *p, const char *line, size_t len, struct span *rest)
{
	const size_t start = sizeof(answer_start) - 1;
	size_t at = start, number = 0;
	if (len < start + 2 || memcmp(line, answer_start, start) != 0)
		return NULL;
	for (; at < len && line[at] >= '0' && line[at] <= '9' && number <= p->ncalls; at++)
		number = number * 10 + (size_t)(line[at] - '0');
	if (at == start || at == len || line[at] != ',' || number >= p->ncalls)
		return NULL;
	struct call *c = p->by_number[number];
	if (p->ordered && c && overtakes(p, c))
		return NULL;
	*rest = (struct span){ line + at, len - at };
	return c;
}

static void line(struct link *l, char *text, size_t len)
{
	struct pool *p = container_of(l, struct pool, link);
	struct span rest;
	struct call *c = match(p, text, len, &rest);
	if (c) {
		answer(p, c, rest);
		return;
	}
	log_warn("http: init gave an answer to no question: %.*s", len < 100 ? (int)len : 100, text);
	link_close(l);
	fail_all(l);
}

// ---- the pool ----

void pool_init(struct pool *p, struct loop *loop, size_t *held, const char *path, bool ordered)
{
	*p = (struct pool){ .path = path, .ordered = ordered };
	list_init(&p->calls);
	list_init(&p->unused);
	work_init(&p->give_up, give_up);
	link_init(&p->link, loop, held, line, fail_all);
}

void pool_release(struct pool *p)
{
	link_close(&p->link);
	work_cancel(&p->give_up);
	list_for_safe (pos, &p->calls)
		drop(p, list_entry(pos, struct call, link));
	list_for_safe (pos, &p->unused)
		free(list_entry(pos, struct call, link));
	free(p->by_number);
	buf_release(&p->error);
}

static void add_call(struct buf *b, unsigned number, struct span method, struct span params)
{
	buf_add(b, answer_start, sizeof(answer_start) - 1);
	buf_add_u64(b, number);
	buf_add(b, ",\"method\":", 10);
	buf_add(b, method.at, method.len);
	if (params.at) {
		buf_add(b, ",\"params\":", 10);
		buf_add(b, params.at, params.len);
	}
	buf_add(b, "}\n", 2);
}

// Our number may be longer than the client's id. What is too big init refuses
// without a number, and that would end the connection for everybody.
static bool is_too_big(struct span method, struct span params)
{
	enum { MEMBERS = sizeof(",\"method\":,\"params\":}") - 1, DIGITS_MAX = 10 };
	return sizeof(answer_start) - 1 + DIGITS_MAX + MEMBERS + method.len + params.len > RPC_MESSAGE_MAX;
}

struct call *pool_call(struct pool *p, struct span id, struct span method, struct span params, call_fn *done,
	void *owner, struct span *rest)
{
	static const char too_big[] = ",\"error\":{\"code\":-32007,\"message\":\"Request is too big\",\"data\":"
				      "\"Exceeded max limit of 10485760\"}}";
	struct err err;
	*rest = (struct span){ NULL, 0 };
	if (is_too_big(method, params)) {
		*rest = (struct span){ too_big, sizeof(too_big) - 1 };
		return NULL;
	}
	if (!link_is_open(&p->link) && link_open(&p->link, p->path, &err) < 0) {
		set_error(p, err.text);
		*rest = error_of(p);
		return NULL;
	}
	bool full = *p->link.held + id.len + params.len > HTTP_BUDGET;
	struct call *c = full ? NULL : new_call(p, id);
	if (!c) {
		set_error(p, full ? "too much at once" : "out of memory");
		*rest = error_of(p);
		return NULL;
	}
	c->done = done;
	c->owner = owner;
	c->more = NULL;
	add_call(&p->link.out, c->number, method, params);
	link_wrote(&p->link);
	return c;
}

void pool_forget(struct pool *p, const void *owner)
{
	list_for (pos, &p->calls) {
		struct call *c = list_entry(pos, struct call, link);
		if (c->owner != owner)
			continue;
		c->owner = NULL;
		pool_left(p, c);
	}
}
