// One connection: bytes in, requests handed over in order, deadlines.
#include "http/server.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { SKIP_MAX = 64 * 1024, DRAIN_MAX = 16 * 1024 * 1024, KEEP_CAP = 4096 };

static uint64_t now_ms(const struct http_conn *c)
{
	return c->server->loop->now_ms;
}

void http_conn_touch(struct http_conn *c)
{
	if (list_empty(&c->dirty))
		list_append(&c->server->dirty, &c->dirty);
	work_queue(c->server->loop, &c->server->flush);
}

// Among those that wait for a request, the longest waiting is first.
void http_conn_busy(struct http_conn *c, int change)
{
	bool before = http_is_busy(c);
	c->inflight = (uint16_t)(c->inflight + change);
	if (http_is_busy(c) == before)
		return;
	list_del(&c->waiting);
	if (before) {
		c->server->nbusy--;
		list_append(&c->server->waiting, &c->waiting);
	} else {
		c->server->nbusy++;
	}
}

void http_conn_phase(struct http_conn *c, enum http_phase phase)
{
	c->phase = phase;
	c->since_ms = now_ms(c);
}

bool http_conn_charge(struct http_conn *c)
{
	struct http_server *s = c->server;
	size_t held = c->in.cap + c->out.cap + (c->ws ? c->ws->message.cap : 0);
	bool grows = held > c->charged && held > HTTP_READ_SIZE;
	s->buffered += held - c->charged;
	c->charged = held;
	return !grows || s->buffered <= HTTP_BUDGET;
}

void http_conn_close(struct http_conn *c)
{
	struct http_server *s = c->server;
	if (http_is_busy(c)) {
		s->nbusy--;
		if (s->handler->gone)
			s->handler->gone(c);
	}
	if (c->phase == HTTP_HANDSHAKE)
		s->nhandshakes--;
	int fd = loop_remove(s->loop, &c->source);
	tls_free(c->tls);
	if (fd >= 0)
		close(fd);
	timer_stop(&c->timer);
	list_del(&c->link);
	list_del(&c->waiting);
	list_del(&c->dirty);
	s->nconns--;
	s->buffered -= c->charged;
	http_ws_free(c);
	buf_release(&c->in);
	buf_release(&c->out);
	free(c);
	if (!s->nconns && s->idle)
		s->idle(s);
}

void http_conn_linger(struct http_conn *c)
{
	if (c->tls)
		tls_end(c->tls);
	shutdown(c->source.fd, SHUT_WR);
	http_conn_phase(c, HTTP_LINGER);
	c->skip = 0;
	buf_release(&c->in);
	http_conn_charge(c);
}

// ---- deadlines ----

static uint64_t request_deadline(const struct http_conn *c)
{
	if (c->inflight)
		return UINT64_MAX;
	if (c->head_len || c->skip)
		return c->since_ms + HTTP_BODY_MS + (uint64_t)c->in.len * 1000 / HTTP_BODY_RATE;
	return c->since_ms + (c->in.len ? HTTP_HEAD_MS : HTTP_IDLE_MS);
}

static uint64_t deadline(const struct http_conn *c)
{
	uint64_t at = UINT64_MAX;
	switch (c->phase) {
	case HTTP_HANDSHAKE:
		return c->since_ms + HTTP_HANDSHAKE_MS;
	case HTTP_LINGER:
		return c->since_ms + HTTP_LINGER_MS;
	case HTTP_WEBSOCKET:
		at = c->since_ms + (c->ws->close_sent ? HTTP_CLOSE_MS : HTTP_PING_MS);
		break;
	case HTTP_REQUEST:
		at = request_deadline(c);
		break;
	}
	if (http_unsent(c) && c->wrote_ms + HTTP_STALL_MS < at)
		at = c->wrote_ms + HTTP_STALL_MS;
	return at;
}

// The timer may be early: then it looks again. So it is moved only when a
// deadline comes nearer, not with each request.
void http_conn_arm(struct http_conn *c)
{
	uint64_t at = deadline(c), now = now_ms(c);
	if (at == UINT64_MAX || (timer_is_set(&c->timer) && c->timer.at_us <= at * 1000))
		return;
	timer_set(c->server->loop, &c->timer, at > now ? at - now : 0);
}

void http_conn_timer(struct timer *t)
{
	struct http_conn *c = container_of(t, struct http_conn, timer);
	uint64_t now = now_ms(c);
	if (deadline(c) > now) {
		http_conn_arm(c);
	} else if (http_unsent(c) && c->wrote_ms + HTTP_STALL_MS <= now) {
		http_conn_close(c);
	} else if (c->phase == HTTP_WEBSOCKET) {
		http_ws_timer(c);
	} else if (c->phase == HTTP_REQUEST && (c->in.len || c->head_len) && !c->bad) {
		c->bad = 408;
		http_conn_touch(c);
	} else {
		http_conn_close(c);
	}
}

// ---- requests ----

static void next_request(struct http_conn *c)
{
	c->head = (struct http_head){ 0 };
	c->chunked = (struct http_chunked){ 0 };
	c->head_len = c->raw = c->body_len = c->total = 0;
	c->checked = c->body_done = false;
}

// Requests that may be in flight beside others: their answers come in order.
static bool is_plain(const struct http_conn *c)
{
	return !c->head.http10 && !c->head.expect_continue && !ws_is_attempt(&c->head) &&
	       http_method_is(&c->head, c->data, "POST");
}

static size_t hold(struct http_conn *c)
{
	c->held = true;
	return 0;
}

static void begin(struct http_conn *c)
{
	c->no_body = http_method_is(&c->head, c->data, "HEAD");
	c->http10 = c->head.http10;
	http_conn_busy(c, 1);
}

// One answer, and the end.
static size_t refuse_bytes(struct http_conn *c, size_t len)
{
	if (c->inflight)
		return hold(c);
	c->closing = true;
	c->no_body = c->http10 = false;
	http_conn_busy(c, 1);
	http_reply(c, c->bad, "", "", 0);
	next_request(c);
	return len ? len : 1;
}

// A short body is read and dropped; any other ends the connection, so that none
// of it is ever taken for the next request.
static size_t refuse(struct http_conn *c, int status)
{
	const struct http_head *h = &c->head;
	size_t used = c->head_len;
	if (c->inflight)
		return hold(c);
	c->closing = !http_keeps(h) || h->chunked || h->length > SKIP_MAX || (h->length && h->expect_continue);
	c->skip = c->closing ? 0 : h->length;
	begin(c);
	c->server->handler->refuse(c, status);
	next_request(c);
	return used;
}

// > 0: used, the request is done with. 0 and c->checked: go on with the body.
static size_t check(struct http_conn *c, size_t len)
{
	const struct http_handler *h = c->server->handler;
	if (c->inflight && !is_plain(c))
		return hold(c);
	int status = h->check(c);
	if (!status && ws_is_attempt(&c->head) && h->ws_open)
		return http_ws_upgrade(c);
	if (!status && c->head.length > h->message_max)
		status = 413;
	if (status)
		return refuse(c, status);
	c->checked = true;
	if (c->head.expect_continue && !c->head.http10 && len == c->head_len && (c->head.length || c->head.chunked)) {
		buf_add_str(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
		http_conn_touch(c);
	}
	return 0;
}

// Decodes in place: data[head_len .. head_len + body_len) is content, the raw
// bytes begin at `raw`. Refusals are left in c->bad, a body too long in *too_big.
static bool read_chunks(struct http_conn *c, char *data, size_t *len, bool *too_big)
{
	char *body = data + c->head_len;
	if (!c->raw)
		c->raw = c->head_len;
	for (;;) {
		size_t used, at, n;
		char *raw = data + c->raw;
		enum http_chunk r = http_chunked_next(&c->chunked, raw, *len - c->raw, &used, &at, &n);
		c->raw += used;
		if (r == HTTP_CHUNK_BAD)
			c->bad = 400;
		if (r == HTTP_CHUNK_BAD)
			return false;
		if (r == HTTP_CHUNK_END)
			break;
		if (r == HTTP_CHUNK_MORE) {
			c->raw = *len = c->head_len + c->body_len;
			return false;
		}
		if (n > c->server->handler->message_max - c->body_len) {
			*too_big = true;
			return false;
		}
		memmove(body + c->body_len, raw + at, n);
		c->body_len += n;
	}
	c->total = c->raw;
	return true;
}

static bool read_body(struct http_conn *c, char *data, size_t *len, bool *too_big)
{
	if (c->head.chunked)
		return read_chunks(c, data, len, too_big);
	if (*len - c->head_len < c->head.length)
		return false;
	c->body_len = (size_t)c->head.length;
	c->total = c->head_len + c->body_len;
	return true;
}

static size_t hand_over(struct http_conn *c, char *data)
{
	size_t used = c->total;
	c->closing = !http_keeps(&c->head);
	begin(c);
	if (!c->server->handler->request(c, data + c->head_len, c->body_len)) {
		http_conn_busy(c, -1);
		c->closing = false;
		return hold(c);
	}
	if (c->inflight && !is_plain(c))
		c->alone = true;
	next_request(c);
	return used;
}

// The bytes that one request takes, or 0: it is not complete, or has to wait.
static size_t take_request(struct http_conn *c, char *data, size_t *len)
{
	bool too_big = false;
	if (!c->head_len && !c->bad) {
		int n = http_head_parse(&c->head, data, *len);
		if (n < 0)
			c->bad = c->head.status;
		else if (!n)
			return 0;
		c->head_len = n < 0 ? 0 : (size_t)n;
		c->since_ms = now_ms(c);
	}
	if (c->bad)
		return refuse_bytes(c, *len);
	if (!c->checked) {
		size_t used = check(c, *len);
		if (!c->checked)
			return used;
	}
	if (!c->body_done)
		c->body_done = read_body(c, data, len, &too_big);
	if (c->bad)
		return refuse_bytes(c, *len);
	if (too_big)
		return refuse(c, 413);
	return c->body_done ? hand_over(c, data) : 0;
}

static size_t skip(struct http_conn *c, size_t len)
{
	size_t n = len < c->skip ? len : (size_t)c->skip;
	c->skip -= n;
	if (!c->skip)
		c->since_ms = now_ms(c);
	return n;
}

// ---- bytes ----

static bool is_blocked(const struct http_conn *c)
{
	return c->alone || c->held || c->closing || c->inflight >= HTTP_PIPELINE_MAX ||
	       http_unsent(c) > HTTP_UNSENT_MAX || c->phase == HTTP_LINGER;
}

// What of data[0..*len) is used; *len shrinks when chunks are decoded.
static size_t take(struct http_conn *c, char *data, size_t *len)
{
	size_t done = 0;
	while (!is_blocked(c) && (done < *len || c->bad)) {
		size_t left = *len - done, used;
		c->data = data + done;
		if (c->ws)
			used = http_ws_take(c, data + done, left);
		else if (c->skip && !c->bad)
			used = skip(c, left);
		else
			used = take_request(c, data + done, &left);
		*len = done + left;
		if (!used)
			break;
		done += used < left ? used : left;
	}
	return done;
}

// What is left over waits in c->in; how long, counts from its first byte.
static void take_kept(struct http_conn *c)
{
	size_t used = take(c, c->in.data ? c->in.data : c->server->read_buf, &c->in.len);
	if (used && !c->head_len)
		c->since_ms = now_ms(c);
	buf_consume(&c->in, used);
	if (!c->in.len && c->in.cap > KEEP_CAP)
		buf_release(&c->in);
}

static bool take_shared(struct http_conn *c, size_t len)
{
	char *data = c->server->read_buf;
	if (!c->head_len && !c->skip && !c->ws && !c->inflight)
		c->since_ms = now_ms(c);
	size_t used = take(c, data, &len);
	return used == len || buf_add(&c->in, data + used, len - used) == 0;
}

static bool drain(struct http_conn *c)
{
	ssize_t n = read(c->source.fd, c->server->read_buf, HTTP_READ_SIZE);
	if (n > 0)
		c->skip += (size_t)n;
	return n > 0 ? c->skip <= DRAIN_MAX : n < 0 && (errno == EAGAIN || errno == EINTR);
}

ssize_t http_conn_read(struct http_conn *c, void *data, size_t len)
{
	return c->tls ? tls_read(c->tls, data, len) : read(c->source.fd, data, len);
}

// false: the connection is to be closed.
static bool receive(struct http_conn *c)
{
	if (c->phase == HTTP_LINGER)
		return drain(c);
	bool shared = !c->in.len;
	c->in.max = HTTP_HEAD_MAX + c->server->handler->message_max + 2 * HTTP_READ_SIZE;
	if (!shared && buf_reserve(&c->in, HTTP_READ_SIZE) < 0)
		return false;
	ssize_t n = http_conn_read(c, shared ? c->server->read_buf : c->in.data + c->in.len, HTTP_READ_SIZE);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	c->eof = n == 0;
	if (c->ws && n)
		c->ws->missed = 0;
	if (n && shared && !take_shared(c, (size_t)n))
		return false;
	if (n && !shared) {
		c->in.len += (size_t)n;
		take_kept(c);
	}
	if (!http_conn_charge(c) && !c->bad && !c->closing) {
		if (c->ws) {
			http_ws_close(c, WS_CLOSE_TRY_LATER);
		} else {
			c->bad = 503;
			http_conn_touch(c);
		}
	}
	return true;
}

static void want(struct http_conn *c)
{
	uint32_t events = 0;
	if (!c->eof && (c->phase == HTTP_LINGER || !is_blocked(c)))
		events |= EPOLLIN;
	if (http_unsent(c) || (c->tls && c->phase != HTTP_LINGER && tls_wants_write(c->tls)))
		events |= EPOLLOUT;
	loop_want(c->server->loop, &c->source, events);
}

// After whatever happened: is it over, and what is waited for?
static void settle(struct http_conn *c)
{
	bool quiet = !c->inflight && !http_unsent(c);
	if (c->phase != HTTP_LINGER && quiet && c->eof && c->head_len && !c->bad && !c->closing) {
		c->bad = 400; // it ended in the middle of a request
		http_conn_touch(c);
		return;
	}
	if (quiet && c->eof && list_empty(&c->dirty)) {
		http_conn_close(c);
		return;
	}
	if (c->phase != HTTP_LINGER && quiet && c->closing)
		http_conn_linger(c);
	want(c);
	http_conn_arm(c);
}

static void serve(struct http_conn *c)
{
	if (!http_conn_flush(c)) {
		http_conn_close(c);
		return;
	}
	if (c->ws)
		http_ws_sent(c);
	if ((c->in.len || c->bad) && !is_blocked(c))
		take_kept(c);
	if (!http_conn_charge(c) && http_unsent(c)) {
		http_conn_close(c);
		return;
	}
	settle(c);
}

void http_flush_all(struct work *w)
{
	struct http_server *s = container_of(w, struct http_server, flush);
	// What is touched meanwhile has queued this work again.
	list_for_safe (pos, &s->dirty) {
		list_del(pos);
		serve(list_entry(pos, struct http_conn, dirty));
	}
}

static void handshake(struct http_conn *c)
{
	int rc = tls_handshake(c->tls);
	if (rc < 0) {
		http_conn_close(c);
		return;
	}
	if (rc > 0) {
		c->server->nhandshakes--;
		http_conn_phase(c, HTTP_REQUEST);
	}
	loop_want(c->server->loop, &c->source, tls_wants_write(c->tls) ? EPOLLOUT : EPOLLIN);
	http_conn_arm(c);
}

void http_conn_ready(struct source *src, uint32_t events)
{
	struct http_conn *c = container_of(src, struct http_conn, source);
	if (c->phase == HTTP_HANDSHAKE) {
		handshake(c);
		return;
	}
	bool reads = !c->eof && (c->phase == HTTP_LINGER || !is_blocked(c));
	// What TLS wanted to write while it read (an alert) goes on with the next read.
	bool resumes = (events & EPOLLOUT) && c->tls && tls_wants_write(c->tls) && !http_unsent(c);
	if (reads && (resumes || (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) ? !receive(c)
									     : (events & (EPOLLHUP | EPOLLERR)) != 0) {
		http_conn_close(c);
		return;
	}
	if (events & EPOLLOUT)
		http_conn_touch(c);
	if (list_empty(&c->dirty))
		settle(c);
}
