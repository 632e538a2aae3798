#include "http/gateway.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BYTES = 128, FAST_MAX = 64 * 1024 };

#define PARSE_ERROR "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"Parse error\"}}"
#define INVALID "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":\"Invalid request\"}}"
#define BUSY \
	"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32603,\"message\":\"Internal error\",\"data\":" \
	"\"too much at once\"}}"
#define TOO_BIG \
	"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32007,\"message\":\"Request is too big\",\"data\":" \
	"\"Exceeded max limit of 10485760\"}}"

// ---- methods ----

static const struct method {
	const char *name;
	unsigned flags;
} methods[] = {
#define METHOD(method, ...) METHOD_NAMED(#method, method, __VA_ARGS__)
#define METHOD_NAMED(wire, method, method_flags, ...) { wire, method_flags },
#define ALIAS(old_name, name)
#include "rpc/methods.def"
#undef METHOD
#undef METHOD_NAMED
#undef ALIAS
};

static const struct alias {
	const char *old_name, *name;
} aliases[] = {
#define METHOD(method, ...)
#define METHOD_NAMED(wire, method, ...)
#define ALIAS(old_name, name) { old_name, name },
#include "rpc/methods.def"
#undef METHOD
#undef METHOD_NAMED
#undef ALIAS
};

// Init looks at what a name says, not at how it is written: so must we.
static const struct method *find(struct span name)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (json_is(name, methods[i].name))
			return &methods[i];
	return NULL;
}

static const struct method *find_plain(const char *name)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (!strcmp(methods[i].name, name))
			return &methods[i];
	return NULL;
}

unsigned gateway_flags(struct span method, bool *known)
{
	const struct method *m = find(method);
	for (size_t i = 0; !m && i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (json_is(method, aliases[i].old_name))
			m = find_plain(aliases[i].name);
	*known = m != NULL;
	return m ? m->flags : 0;
}

const char *gateway_refusal(const struct gateway *g, const struct rpc_request *r, unsigned *flags)
{
	bool known;
	*flags = gateway_flags(r->method, &known);
	if (g->read_only && known && !(*flags & READS))
		return ",\"error\":{\"code\":-32601,\"message\":\"Method not found\",\"data\":"
		       "\"this server is read-only\"}}";
	if (g->read_only && !known)
		return ",\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}";
	return NULL;
}

// ---- POST ----

static void reply_json(struct http_conn *c, int status, const char *text)
{
	http_reply(c, status, access_cors(&gateway_of(c)->access, c)->json, text, strlen(text));
}

void gateway_busy(struct http_conn *c, const struct access_cors *cors)
{
	http_reply(c, 503, cors->json, BUSY, sizeof(BUSY) - 1);
}

static void reply_rest(struct http_conn *c, const char *headers, struct span id, struct span rest)
{
	static const char start[] = "{\"jsonrpc\":\"2.0\",\"id\":";
	struct buf whole = BUF_INIT;
	// An id is echoed; only one that was written with escapes looks different then.
	if (id.at && memchr(id.at, '\\', id.len)) {
		rpc_add_id(&whole, id);
		id = (struct span){ whole.data, whole.len };
	}
	struct buf *b = http_reply_begin(c, 200, headers, sizeof(start) - 1 + id.len + rest.len);
	buf_add(b, start, sizeof(start) - 1);
	buf_add(b, id.at, id.len);
	buf_add(b, rest.at, rest.len);
	http_reply_end(c);
	buf_release(&whole);
}

static void answered(struct call *call, struct span rest)
{
	reply_rest(call->owner, call->more, (struct span){ call->id, call->id_len }, rest);
}

static void reply_error(struct http_conn *c, struct span id, const char *rest)
{
	reply_rest(c, access_cors(&gateway_of(c)->access, c)->json, id, (struct span){ rest, strlen(rest) });
}

// A call on its way to init. false: not beside others.
static bool forward(struct http_conn *c, const struct rpc_request *r, size_t len)
{
	struct gateway *g = gateway_of(c);
	const struct access_cors *cors = access_cors(&g->access, c);
	unsigned flags;
	const char *no = gateway_refusal(g, r, &flags);
	if (!no && (flags & STREAM))
		no = ",\"error\":{\"code\":-32603,\"message\":\"Internal error\"}}";
	bool slow = (flags & SLOW) || len > FAST_MAX;
	if ((no || slow) && c->inflight > 1)
		return false;
	if (no) {
		reply_error(c, r->id, no);
		return true;
	}
	if (slow)
		http_alone(c);
	struct span rest;
	struct call *call = pool_call(slow ? &g->slow : &g->fast, r->id, r->method, r->params, answered, c, &rest);
	if (call)
		call->more = cors->json;
	else if (c->inflight > 1)
		return false;
	else
		reply_rest(c, cors->json, r->id, rest);
	return true;
}

static bool single(struct http_conn *c, struct span object)
{
	struct rpc_request r;
	rpc_parse(object, &r);
	if (r.kind == RPC_CALL)
		return forward(c, &r, object.len);
	if (c->inflight > 1)
		return false;
	if (r.kind == RPC_NOTIFICATION)
		reply_json(c, 200, "null");
	else if (r.kind == RPC_INVALID)
		reply_error(c, r.id, ",\"error\":{\"code\":-32600,\"message\":\"Invalid request\"}}");
	else
		reply_json(c, 200, PARSE_ERROR);
	return true;
}

static bool is_empty(struct span array)
{
	struct json_iter it = json_iter(array);
	struct span key, item;
	return !json_next(&it, &key, &item);
}

static void many(struct http_conn *c, struct span array)
{
	char *text = malloc(array.len);
	if (text)
		memcpy(text, array.at, array.len);
	struct batch *b = text ? batch_new(gateway_of(c), c, text, array.len, batch_reply) : NULL;
	if (!b) {
		gateway_busy(c, access_cors(&gateway_of(c)->access, c));
		return;
	}
	http_alone(c);
	batch_go(b);
}

static bool post(struct http_conn *c, char *body, size_t len)
{
	size_t at = 0;
	while (at < len && at < FIRST_BYTES && strchr(" \t\r\n", body[at]) && body[at])
		at++;
	bool json = at < len && at < FIRST_BYTES && (body[at] == '{' || body[at] == '[');
	struct span value = { body + at, len - at };
	bool good = json && json_check(value.at, value.len);
	if (good && body[at] == '{')
		return single(c, value);
	if (c->inflight > 1)
		return false;
	if (!good)
		reply_json(c, json ? 200 : 400, PARSE_ERROR);
	else if (is_empty(value))
		reply_json(c, 200, INVALID);
	else
		many(c, value);
	return true;
}

// ---- requests ----

static bool is_page(const struct http_conn *c)
{
	return http_method_is(&c->head, c->data, "GET") || http_method_is(&c->head, c->data, "HEAD");
}

static int check_method(const struct http_conn *c)
{
	if (is_page(c))
		return page_is_there(c) ? 0 : 405;
	if (!http_method_is(&c->head, c->data, "POST"))
		return 405;
	if (!http_is_json_type(c->data, c->head.content_type))
		return 415;
	return 0;
}

static int check(struct http_conn *c)
{
	enum access_verdict v = access_check(&gateway_of(c)->access, c);
	if (v != ACCESS_OK)
		return v == ACCESS_TOKEN ? 401 : 403;
	if (http_method_is(&c->head, c->data, "OPTIONS"))
		return 0;
	if (!http_is_busy(c) && c->server->nbusy >= HTTP_BUSY_MAX)
		return 429;
	return ws_is_attempt(&c->head) ? 0 : check_method(c);
}

static const char *forbidden(struct http_conn *c)
{
	switch (access_check(&gateway_of(c)->access, c)) {
	case ACCESS_HOST:
		return "Provided Host header is not whitelisted.\n";
	case ACCESS_ORIGIN:
		return "Origin of the request is not allowed; see --allow-origin.\n";
	case ACCESS_OK:
	case ACCESS_TOKEN:
	case ACCESS_USER:
		break;
	}
	return "Only root and the user of the server may use it; see --any-local-user and --token-file.\n";
}

static void refuse(struct http_conn *c, int status)
{
	const struct access_cors *cors = access_cors(&gateway_of(c)->access, c);
	char headers[1024];
	const char *more = "", *text;
	switch (status) {
	case 401:
		more = "www-authenticate: Bearer, Basic realm=\"zinit\"\r\n";
		text = "A token is required: Authorization: Bearer TOKEN, or Basic with it as the password.\n";
		break;
	case 403:
		text = forbidden(c);
		break;
	case 405:
		more = "allow: POST, OPTIONS\r\n";
		text = "Used HTTP Method is not allowed. POST is required\n";
		break;
	case 413:
		reply_json(c, status, TOO_BIG);
		return;
	case 415:
		text = "Supplied content type is not allowed. Content-Type: application/json is required\n";
		break;
	case 429:
		text = "Too many connections. Please try again later.";
		break;
	default:
		text = "init cannot be reached.\n";
		break;
	}
	struct buf b = { .data = headers, .cap = sizeof(headers), .max = sizeof(headers) };
	buf_add_str(&b, cors->text);
	buf_add_str(&b, more);
	http_reply(c, status, buf_text(&b) ? headers : "", text, strlen(text));
}

static bool request(struct http_conn *c, char *body, size_t len)
{
	if (http_method_is(&c->head, c->data, "POST"))
		return post(c, body, len);
	if (http_method_is(&c->head, c->data, "OPTIONS"))
		http_reply(c, 200, access_cors(&gateway_of(c)->access, c)->preflight, "", 0);
	else
		page_request(c);
	return true;
}

static void gone(struct http_conn *c)
{
	struct gateway *g = gateway_of(c);
	pool_forget(&g->fast, c);
	pool_forget(&g->slow, c);
	batch_forget(g, c);
	if (c->user)
		relay_gone(c);
}

static const char *ws_headers(struct http_conn *c)
{
	return access_cors(&gateway_of(c)->access, c)->bare;
}

static void ws_message(struct http_conn *c, char *data, size_t len, bool text)
{
	(void)text;
	relay_message(c, data, len);
}

static void ws_too_big(struct http_conn *c)
{
	http_ws_send(c, WS_TEXT, TOO_BIG, sizeof(TOO_BIG) - 1);
}

int gateway_init(struct gateway *g, struct loop *loop, const char *path)
{
	static const struct http_handler handler = {
		.message_max = RPC_MESSAGE_MAX,
		.ws_max = 16 * 1024 * 1024,
		.check = check,
		.refuse = refuse,
		.request = request,
		.gone = gone,
		.ws_open = relay_open,
		.ws_headers = ws_headers,
		.ws_message = ws_message,
		.ws_too_big = ws_too_big,
		.ws_room = relay_room,
	};
	g->loop = loop;
	g->path = path;
	list_init(&g->batches);
	pool_init(&g->fast, loop, &g->server.buffered, path, true);
	pool_init(&g->slow, loop, &g->server.buffered, path, false);
	return http_server_init(&g->server, loop, &handler, g);
}

void gateway_connect(struct gateway *g)
{
	struct err ignored; // the first call tells
	link_open(&g->fast.link, g->path, &ignored);
	link_open(&g->slow.link, g->path, &ignored);
}

void gateway_release(struct gateway *g)
{
	http_server_release(&g->server);
	while (!list_empty(&g->batches))
		batch_free(list_entry(g->batches.next, struct batch, link));
	pool_release(&g->fast);
	pool_release(&g->slow);
	access_release(&g->access);
}
