// From one message to its answer: single requests, batches, calls kept for later.
#include "rpc/server.h"
#include "base/log.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A batch is answered as a whole, so its text and its answers are kept while
// one of its calls waits; one call is live at a time, in order.
struct rpc_batch {
	struct list link; // in conn.batches
	struct rpc_server *server;
	struct rpc_conn *conn; // NULL: gone
	char *text; // owned
	size_t held; // its share of server.held
	size_t text_len;
	struct json_iter items;
	struct buf out;
	struct rpc_late late; // it never goes on from inside an answer: that may be deep in the supervisor
	struct rpc_call *waiting; // the kept one, or NULL
};

static const char too_big_data[] = "\"Exceeded max limit of 10485760\"",
		  too_large[] = "too many large requests at once, try again",
		  too_many[] = "too many calls wait, try again later";

// What is kept for calls that wait has one bound for all clients. Small things pass:
// their number is bounded.
enum { HELD_SMALL = 4096 };

static bool is_too_much(const struct rpc_server *s, size_t len)
{
	return len > HELD_SMALL && s->held + len > RPC_INPUT_MAX;
}

// A large one is given back, a small one is used again.
static void buf_empty(struct buf *b)
{
	enum { SMALL = 64 * 1024 };
	if (b->cap > SMALL)
		buf_release(b);
	buf_clear(b);
}

static struct buf *output(struct rpc_call *c)
{
	static struct buf nowhere;
	if (c->batch)
		return &c->batch->out;
	if (c->conn)
		return &c->conn->out;
	buf_empty(&nowhere);
	return &nowhere;
}

// The frame around an answer: a newline alone, a comma in a batch.
static void begin_answer(struct rpc_call *c)
{
	struct buf *b = output(c);
	if (c->batch && b->len > 1)
		buf_add_char(b, ',');
	c->result_at = b->len;
}

static void end_answer(struct rpc_call *c)
{
	struct buf *b = output(c);
	c->answered = true;
	if (c->text) {
		if (c->conn)
			rpc_conn_wrote(c->conn);
		return;
	}
	if (b->len - c->result_at > RPC_MESSAGE_MAX) {
		b->len = c->result_at;
		rpc_add_error(b, c->id, RPC_RESPONSE_TOO_BIG, "Response is too big", too_big_data);
	}
	if (!c->batch && c->conn) {
		buf_add_char(b, '\n');
		rpc_conn_wrote(c->conn);
	}
}

// A kept call is freed by its answer, and its batch goes on.
static void finish(struct rpc_call *c)
{
	end_answer(c);
	struct rpc_batch *b = c->batch;
	list_del(&c->link);
	if (!c->heap)
		return;
	if (!b && c->conn)
		c->conn->nwaiting--;
	c->server->held -= c->id.len;
	c->server->nkept--;
	free(c->heap);
	if (b) {
		b->waiting = NULL;
		rpc_put_off(b->server, &b->late);
	}
}

struct buf *rpc_result_begin(struct rpc_call *c)
{
	begin_answer(c);
	struct buf *b = output(c);
	if (c->text) {
		rpc_text_begin(b, true);
		return b;
	}
	buf_add_str(b, "{\"jsonrpc\":\"2.0\",\"id\":");
	rpc_add_id(b, c->id);
	buf_add_str(b, ",\"result\":");
	return b;
}

void rpc_result_end(struct rpc_call *c)
{
	buf_add_char(output(c), '}');
	finish(c);
}

void rpc_result_null(struct rpc_call *c)
{
	buf_add_str(rpc_result_begin(c), "null");
	rpc_result_end(c);
}

void rpc_fail(struct rpc_call *c, const struct err *err, const char *service)
{
	begin_answer(c);
	if (c->text)
		rpc_text_error(output(c), err, service);
	else
		rpc_add_err(output(c), c->id, err, c->action, c->step, service);
	finish(c);
}

void rpc_refuse(struct rpc_call *c, enum err_code code, const char *service, const char *fmt, ...)
{
	struct err err = { .code = code };
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(err.text, sizeof(err.text), fmt, ap);
	va_end(ap);
	rpc_fail(c, &err, service);
}

static void fail_code(struct rpc_call *c, int code, const char *message, const char *data)
{
	begin_answer(c);
	rpc_add_error(output(c), c->id, code, message, data);
	finish(c);
}

void rpc_invalid(struct rpc_call *c, const char *text)
{
	struct buf data = BUF_INIT;
	json_add_str(&data, text, strlen(text));
	fail_code(c, RPC_INVALID_PARAMS, "Invalid params", buf_text(&data));
	buf_release(&data);
}

void rpc_unknown_method(struct rpc_call *c)
{
	fail_code(c, RPC_METHOD_NOT_FOUND, "Method not found", NULL);
}

// One client, or those who come and go, shall not have all places.
static bool is_crowded(const struct rpc_server *s, const struct rpc_conn *conn)
{
	return s->nkept >= RPC_KEPT_MAX && !(conn && conn->nwaiting < RPC_KEPT_FEW);
}

// Its client has left, as those of many others: it goes on without waiting for anything.
static bool is_hurried(const struct rpc_batch *b)
{
	return !b->conn && b->server->nleft > RPC_LEFT_MAX;
}

struct rpc_call *rpc_keep(struct rpc_call *c)
{
	bool crowded = c->batch && !c->batch->conn ? is_hurried(c->batch) : is_crowded(c->server, c->conn);
	struct rpc_call *k = crowded ? NULL : malloc(sizeof(*k) + c->id.len);
	if (!k) {
		rpc_refuse(c, ERR_INTERNAL, NULL, "%s", crowded ? too_many : "out of memory");
		return NULL;
	}
	*k = *c;
	k->params = (struct span){ NULL, 0 };
	if (c->id.len)
		memcpy(k + 1, c->id.at, c->id.len);
	k->id.at = (const char *)(k + 1);
	k->heap = k;
	k->server->held += k->id.len;
	k->server->nkept++;
	list_init(&k->link);
	if (k->batch) { // which outlives the connection
		k->conn = NULL;
		k->batch->waiting = k;
	} else if (k->conn) {
		list_append(&k->conn->calls, &k->link);
		k->conn->nwaiting++;
	}
	c->answered = true;
	return k;
}

// ---- one request ----

static const struct rpc_method *find_method(const struct rpc_server *s, struct span name)
{
	for (size_t i = 0; i < s->nmethods; i++)
		if (json_is(name, s->methods[i].name))
			return &s->methods[i];
	for (size_t i = 0; i < s->naliases; i++)
		if (json_is(name, s->aliases[i].old_name))
			return find_method(s, (struct span){ s->aliases[i].name, strlen(s->aliases[i].name) });
	return NULL;
}

void rpc_log_change(const struct rpc_conn *conn, const char *what, const char *name)
{
	if (conn)
		log_info("%s%s%s%s by uid %u, pid %d", what, name ? " '" : "", name ? name : "", name ? "'" : "",
			(unsigned)conn->peer.uid, (int)conn->peer.pid);
}

static void call(struct rpc_call *c, const struct rpc_request *r)
{
	struct rpc_server *s = c->server;
	if (is_too_much(s, c->id.len)) {
		fail_code(c, RPC_INTERNAL_ERROR, too_large, NULL);
		return;
	}
	const struct rpc_method *m = find_method(s, r->method);
	if (!m) {
		rpc_unknown_method(c);
		return;
	}
	struct param p[PARAM_MAX];
	buf_clear(&s->why);
	if (rpc_params(r->params, m->params, m->nparams, p, &s->scratch, &s->why) < 0) {
		const char *why = buf_text(&s->why);
		rpc_invalid(c, why ? why : "out of memory");
		return;
	}
	c->params = r->params;
	if (m->flags & RPC_CHANGES)
		rpc_log_change(c->conn, m->name, m->nparams ? p[0].text : NULL);
	m->fn(c, p);
}

// Is there an answer to give, and did it not come from a call?
static void request(struct rpc_conn *conn, struct rpc_batch *batch, struct rpc_server *server, struct span message)
{
	struct rpc_request r;
	rpc_parse(message, &r);
	struct rpc_call c = { .server = server, .conn = conn, .batch = batch, .id = r.id };
	list_init(&c.link);
	switch (r.kind) {
	case RPC_CALL:
		call(&c, &r);
		buf_empty(&server->scratch);
		buf_empty(&server->why);
		break;
	case RPC_NOTIFICATION:
		break;
	case RPC_INVALID:
		fail_code(&c, RPC_INVALID_REQUEST, "Invalid request", NULL);
		break;
	case RPC_UNREADABLE:
		if (batch)
			fail_code(&c, RPC_INVALID_REQUEST, "Invalid request", NULL);
		else
			fail_code(&c, RPC_PARSE_ERROR, "Parse error", NULL);
		break;
	}
}

// ---- batches ----

static void batch_count(struct rpc_batch *b)
{
	size_t now = b->text_len + b->out.cap;
	b->server->held += now - b->held;
	b->held = now;
}

static void batch_free(struct rpc_batch *b)
{
	list_del(&b->link);
	// A call that was kept and answered within its handler has queued it.
	list_del(&b->late.link);
	b->server->held -= b->held;
	b->server->nkept--;
	b->server->nleft -= !b->conn;
	if (b->conn) {
		b->conn->nwaiting--;
		list_for (pos, &b->conn->streams) {
			struct rpc_stream *st = list_entry(pos, struct rpc_stream, link);
			if (st->batch == b)
				st->batch = NULL;
		}
	}
	buf_release(&b->out);
	free(b->text);
	free(b);
}

// Its answers are too large, or they are when those of all batches are added.
static bool is_overdone(const struct rpc_batch *b)
{
	return b->out.len > RPC_MESSAGE_MAX || (b->out.len > HELD_SMALL && b->server->held > RPC_OUTPUT_MAX);
}

static void batch_done(struct rpc_batch *b)
{
	if (b->conn && b->out.len > 1) {
		struct buf *out = &b->conn->out;
		buf_add_char(&b->out, ']');
		if (b->out.failed || is_overdone(b))
			rpc_add_error(out, (struct span){ NULL, 0 }, RPC_BATCH_TOO_BIG,
				"The batch response was too large", too_big_data);
		else
			buf_add(out, b->out.data, b->out.len);
		buf_add_char(out, '\n');
		rpc_conn_wrote(b->conn);
	}
	batch_free(b);
}

// A long batch leaves room for others between its calls.
static void batch_go_on(struct rpc_batch *b)
{
	struct span key, item;
	while (!b->waiting && !is_overdone(b)) {
		if (!rpc_may_go_on(b->server)) {
			rpc_put_off(b->server, &b->late);
			return;
		}
		if (!json_next(&b->items, &key, &item)) {
			batch_done(b);
			return;
		}
		request(b->conn, b, b->server, item);
		batch_count(b);
	}
	if (!b->waiting)
		batch_done(b);
}

static void batch_resume(struct rpc_late *l)
{
	batch_go_on(container_of(l, struct rpc_batch, late));
}

static void batch_begin(struct rpc_conn *conn, struct span message)
{
	const char *no = is_too_much(conn->server, message.len) ? too_large
			 : is_crowded(conn->server, conn)       ? too_many
								: NULL;
	struct rpc_batch *b = no ? NULL : calloc(1, sizeof(*b));
	char *text = b ? malloc(message.len) : NULL;
	if (!text) {
		free(b);
		rpc_add_error(
			&conn->out, (struct span){ NULL, 0 }, RPC_INTERNAL_ERROR, no ? no : "out of memory", NULL);
		buf_add_char(&conn->out, '\n');
		rpc_conn_wrote(conn);
		return;
	}
	memcpy(text, message.at, message.len);
	list_init(&b->late.link);
	b->late.go_on = batch_resume;
	b->server = conn->server;
	b->conn = conn;
	b->text = text;
	b->text_len = message.len;
	b->items = json_iter((struct span){ text, message.len });
	b->out.max = 2 * RPC_MESSAGE_MAX;
	buf_add_char(&b->out, '[');
	list_append(&conn->batches, &b->link);
	conn->nwaiting++;
	conn->server->nkept++;
	batch_count(b);
	batch_go_on(b);
}

static bool is_empty_array(struct span message)
{
	struct json_iter it = json_iter(message);
	struct span key, item;
	return !json_next(&it, &key, &item);
}

void rpc_dispatch(struct rpc_conn *conn, struct span message)
{
	struct rpc_call c = { .server = conn->server, .conn = conn };
	list_init(&c.link);
	if (!message.at || !json_check(message.at, message.len))
		fail_code(&c, RPC_PARSE_ERROR, "Parse error", NULL);
	else if (json_type(message) == JSON_OBJECT)
		request(conn, NULL, conn->server, message);
	else if (is_empty_array(message))
		fail_code(&c, RPC_INVALID_REQUEST, "Invalid request", NULL);
	else
		batch_begin(conn, message);
}

// The calls of its batch that are still to come may depend on what it waits for: only
// when there are very many of these is that not waited for.
static void batch_leave(struct rpc_batch *b)
{
	b->conn = NULL;
	list_del(&b->link);
	b->server->nleft++;
	if (is_hurried(b) && b->waiting && b->waiting->left)
		b->waiting->left(b->waiting);
}

void rpc_calls_hang_up(struct rpc_conn *conn)
{
	list_for_safe (pos, &conn->calls) {
		struct rpc_call *c = list_entry(pos, struct rpc_call, link);
		c->conn = NULL;
		list_del(pos);
		if (c->left)
			c->left(c);
	}
	list_for_safe (pos, &conn->batches)
		batch_leave(list_entry(pos, struct rpc_batch, link));
}
