// A WebSocket and its own connection to init: messages there, lines back.
#include "http/gateway.h"
#include <stdlib.h>
#include <string.h>

enum { RELAYS_MAX = 76, FIRST_BYTES = 128 }; // init keeps the rest of its places for others

struct relay {
	struct link link;
	struct http_conn *conn;
	struct gateway *gateway;
};

static void line(struct link *l, char *text, size_t len)
{
	struct http_conn *c = container_of(l, struct relay, link)->conn;
	http_ws_send(c, WS_TEXT, text, len);
	if (http_unsent(c) > HTTP_UNSENT_MAX)
		link_pause(l, true);
}

static void closed(struct link *l)
{
	http_ws_close(container_of(l, struct relay, link)->conn, WS_CLOSE_TRY_LATER);
}

// Init reads again: so do we.
static void drained(struct link *l)
{
	struct http_conn *c = container_of(l, struct relay, link)->conn;
	if (!c->alone)
		return;
	c->alone = false;
	http_conn_touch(c);
}

int relay_open(struct http_conn *c)
{
	struct gateway *g = gateway_of(c);
	struct relay *r = g->nrelays < RELAYS_MAX ? calloc(1, sizeof(*r)) : NULL;
	struct err err;
	if (!r)
		return 429;
	r->conn = c;
	r->gateway = g;
	link_init(&r->link, g->loop, &g->server.buffered, line, closed);
	r->link.drained = drained;
	if (link_open(&r->link, g->path, &err) < 0) {
		free(r);
		return 503;
	}
	g->nrelays++;
	c->user = r;
	return 0;
}

void relay_gone(struct http_conn *c)
{
	struct relay *r = c->user;
	link_close(&r->link);
	r->gateway->nrelays--;
	c->user = NULL;
	free(r);
}

void relay_room(struct http_conn *c)
{
	struct relay *r = c->user;
	link_pause(&r->link, false);
}

static void add_refusal(struct buf *b, const struct rpc_request *r, const char *rest)
{
	buf_add_str(b, "{\"jsonrpc\":\"2.0\",\"id\":");
	rpc_add_id(b, r->id);
	buf_add_str(b, rest);
}

// What a server that only reads answers itself: a call that changes something,
// and every call of a batch that holds such a one. false: the message may go on.
static bool refused(struct http_conn *c, struct span message)
{
	struct gateway *g = gateway_of(c);
	struct buf out = BUF_INIT;
	bool many = json_type(message) == JSON_ARRAY, any = false;
	struct json_iter it = json_iter(message);
	struct span key, item = message;
	if (!g->read_only)
		return false;
	while (many ? json_next(&it, &key, &item) : !out.len) {
		struct rpc_request r;
		unsigned flags;
		rpc_parse(item, &r);
		const char *no = r.kind == RPC_CALL ? gateway_refusal(g, &r, &flags) : NULL;
		any = any || no;
		buf_add_char(&out, !many ? ' ' : out.len ? ',' : '[');
		add_refusal(&out, &r,
			no ? no
			   : ",\"error\":{\"code\":-32600,\"message\":\"Invalid request\",\"data\":"
			     "\"another call of the batch changes something, and this server is read-only\"}}");
	}
	if (any && many)
		buf_add_char(&out, ']');
	if (any && !out.failed)
		http_ws_send(c, WS_TEXT, out.data + !many, out.len - !many);
	buf_release(&out);
	return any;
}

void relay_message(struct http_conn *c, char *data, size_t len)
{
	static const char parse_error[] =
		"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"Parse error\"}}";
	struct relay *r = c->user;
	size_t at = 0;
	while (at < len && at < FIRST_BYTES && data[at] && strchr(" \t\r\n", data[at]))
		at++;
	bool json = at < len && at < FIRST_BYTES && (data[at] == '{' || data[at] == '[');
	if (!json || !json_check(data + at, len - at)) {
		http_ws_send(c, WS_TEXT, parse_error, sizeof(parse_error) - 1);
		return;
	}
	if (!link_is_open(&r->link) || refused(c, (struct span){ data + at, len - at }))
		return;
	if (len > HTTP_READ_SIZE && r->gateway->server.buffered + len > HTTP_BUDGET) {
		http_ws_close(c, WS_CLOSE_TRY_LATER);
		return;
	}
	buf_add(&r->link.out, data + at, len - at);
	buf_add_char(&r->link.out, '\n');
	link_wrote(&r->link);
	if (link_unsent(&r->link) > HTTP_UNSENT_MAX)
		c->alone = true;
}
