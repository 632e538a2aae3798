// Batches: one item after the other as calls of their own, answers in order.
// Fast calls go out some at a time, for init answers them in order; whatever
// waits, or is answered here, goes alone.
#include "http/gateway.h"
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 64 };

static void charge(struct batch *b)
{
	size_t now = b->text_len + b->out.cap;
	b->gateway->server.buffered += now - b->charged;
	b->charged = now;
}

struct batch *batch_new(struct gateway *g, struct http_conn *c, char *text, size_t len, batch_fn *done)
{
	struct batch *b = g->server.buffered + len <= HTTP_BUDGET ? calloc(1, sizeof(*b)) : NULL;
	if (!b) {
		free(text);
		return NULL;
	}
	b->gateway = g;
	b->conn = c;
	b->cors = c ? access_cors(&g->access, c) : NULL;
	b->text = text;
	b->text_len = len;
	b->items = json_iter((struct span){ text, len });
	b->out.max = 2 * RPC_MESSAGE_MAX;
	b->done = done;
	charge(b);
	list_append(&g->batches, &b->link);
	return b;
}

void batch_free(struct batch *b)
{
	pool_forget(&b->gateway->slow, b);
	b->gateway->server.buffered -= b->charged;
	list_del(&b->link);
	buf_release(&b->out);
	free(b->text);
	free(b);
}

void batch_forget(struct gateway *g, const struct http_conn *c)
{
	list_for (pos, &g->batches) {
		struct batch *b = list_entry(pos, struct batch, link);
		if (b->conn != c)
			continue;
		b->conn = NULL;
		if (b->slow)
			pool_left(&g->slow, b->slow);
	}
}

static void add_answer(struct batch *b, struct span id, const char *rest, size_t len)
{
	buf_add_char(&b->out, b->out.len ? ',' : '[');
	buf_add_str(&b->out, "{\"jsonrpc\":\"2.0\",\"id\":");
	rpc_add_id(&b->out, id);
	buf_add(&b->out, rest, len);
	charge(b);
}

static void answered(struct call *call, struct span rest)
{
	struct batch *b = call->owner;
	add_answer(b, (struct span){ call->id, call->id_len }, rest.at, rest.len);
	b->inflight--;
	b->slow = NULL;
	b->alone = false;
	batch_go(b);
}

// Answered here. false: not beside others.
static bool local(struct batch *b, struct span id, const char *rest, size_t len)
{
	if (b->inflight)
		return false;
	add_answer(b, id, rest, len);
	return true;
}

static bool call_item(struct batch *b, const struct rpc_request *r)
{
	unsigned flags;
	const char *no = gateway_refusal(b->gateway, r, &flags);
	if (!no && (flags & STREAM))
		no = ",\"error\":{\"code\":-32603,\"message\":\"Internal error\"}}";
	if (no)
		return local(b, r->id, no, strlen(no));
	if (b->inflight && ((flags & SLOW) || b->inflight >= WINDOW))
		return false;
	struct span rest;
	struct call *c = pool_call(&b->gateway->slow, r->id, r->method, r->params, answered, b, &rest);
	if (!c)
		return local(b, r->id, rest.at, rest.len);
	b->inflight++;
	b->alone = flags & SLOW;
	b->slow = b->alone ? c : NULL;
	if (b->slow && !b->conn)
		pool_left(&b->gateway->slow, c);
	return true;
}

static bool one_item(struct batch *b, struct span item)
{
	static const char invalid[] = ",\"error\":{\"code\":-32600,\"message\":\"Invalid request\"}}";
	struct rpc_request r;
	rpc_parse(item, &r);
	switch (r.kind) {
	case RPC_CALL:
		return call_item(b, &r);
	case RPC_NOTIFICATION:
		return true;
	case RPC_INVALID:
	case RPC_UNREADABLE:
		break;
	}
	return local(b, r.id, invalid, sizeof(invalid) - 1);
}

void batch_go(struct batch *b)
{
	while (!b->ended && !b->alone) {
		struct json_iter before = b->items;
		struct span key, item;
		b->starved = b->out.cap > HTTP_READ_SIZE && b->gateway->server.buffered > HTTP_BUDGET;
		b->ended = b->starved || b->out.len > RPC_MESSAGE_MAX || b->out.failed ||
			   !json_next(&b->items, &key, &item);
		if (!b->ended && !one_item(b, item)) {
			b->items = before;
			break;
		}
	}
	if (!b->ended || b->inflight)
		return;
	b->done(b);
	batch_free(b);
}

void batch_reply(struct batch *b)
{
	static const char too_big[] =
		"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32011,\"message\":"
		"\"The batch response was too large\",\"data\":\"Exceeded max limit of 10485760\"}}";
	if (!b->conn)
		return;
	if (b->starved) {
		gateway_busy(b->conn, b->cors);
		return;
	}
	if (!b->out.len && !b->out.failed) {
		http_reply(b->conn, 200, b->cors->json, "null", 4);
		return;
	}
	buf_add_char(&b->out, ']');
	if (b->out.failed || b->out.len > RPC_MESSAGE_MAX)
		http_reply(b->conn, 200, b->cors->json, too_big, sizeof(too_big) - 1);
	else
		http_reply(b->conn, 200, b->cors->json, b->out.data, b->out.len);
}
