// Connections: bytes in, bytes out, and what bounds them.
#include "rpc/server.h"
#include "base/clock.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_SIZE = 64 * 1024, STREAM_UNREAD_MAX = 256 * 1024, TURN_US = 5000 };

static void close_streams(struct rpc_conn *c)
{
	while (!list_empty(&c->streams)) {
		struct rpc_stream *st = list_entry(c->streams.next, struct rpc_stream, link);
		list_del(&st->link);
		st->closed(st);
	}
}

static void conn_close(struct rpc_conn *c)
{
	struct loop *l = c->server->loop;
	rpc_calls_hang_up(c);
	close_streams(c);
	work_cancel(&c->more);
	list_del(&c->late.link);
	int fd = loop_remove(l, &c->source);
	if (fd >= 0)
		close(fd);
	list_del(&c->link);
	c->server->nconns--;
	buf_release(&c->in);
	buf_release(&c->out);
	free(c);
}

// Bytes that nobody read would reach the client as an error instead of an end.
static void conn_end(struct rpc_conn *c)
{
	char rest[4096];
	for (int i = 0; i < 16 && recv(c->source.fd, rest, sizeof(rest), MSG_DONTWAIT) > 0; i++)
		;
	conn_close(c);
}

static size_t unread(const struct rpc_conn *c)
{
	return c->out.len - c->sent;
}

static bool is_idle(const struct rpc_conn *c)
{
	return !c->unserved && !unread(c) && list_empty(&c->calls) && list_empty(&c->batches) &&
	       list_empty(&c->streams);
}

// A connection that is silent holds no buffer: the last one used is lent to the next.
static void borrow_output(struct rpc_conn *c)
{
	if (c->out.cap)
		return;
	c->out = c->server->spare_out;
	c->server->spare_out = BUF_INIT;
}

static void return_output(struct rpc_conn *c)
{
	struct buf *spare = &c->server->spare_out;
	c->sent = 0;
	buf_clear(&c->out);
	if (spare->cap || c->out.cap > READ_SIZE) {
		buf_release(&c->out);
		return;
	}
	*spare = c->out;
	c->out = BUF_INIT;
}

// Nobody reads the answers any more. What was sent before is done all the same.
static void go_deaf(struct rpc_conn *c)
{
	c->deaf = true;
	close_streams(c);
}

// The buffer of a client that never quite catches up must not grow with all it has
// read. No byte is moved more often than one was sent.
static void forget_sent(struct rpc_conn *c)
{
	if (c->sent < unread(c))
		return;
	buf_consume(&c->out, c->sent);
	c->sent = 0;
}

static void flush(struct rpc_conn *c)
{
	while (!c->deaf && unread(c)) {
		ssize_t n = send(c->source.fd, c->out.data + c->sent, unread(c), MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n >= 0) {
			c->sent += (size_t)n;
		} else if (errno == EAGAIN) {
			forget_sent(c);
			return;
		} else if (errno != EINTR) {
			go_deaf(c);
		}
	}
	return_output(c);
}

// What a client that has gone sent before is bounded by the socket's buffer.
static bool is_full(const struct rpc_conn *c)
{
	return !c->deaf && (unread(c) > RPC_UNREAD_MAX || c->nwaiting >= RPC_WAITING_MAX);
}

static void want(struct rpc_conn *c)
{
	uint32_t events = 0;
	if (!c->eof && !c->answered && !c->unserved && !is_full(c))
		events |= EPOLLIN;
	if (unread(c))
		events |= EPOLLOUT;
	loop_want(c->server->loop, &c->source, events);
}

void rpc_conn_wrote(struct rpc_conn *c)
{
	work_queue(c->server->loop, &c->more);
}

// ---- what all connections hold together ----

static size_t held_input(const struct rpc_server *s)
{
	size_t sum = 0;
	list_for (pos, &s->conns)
		sum += list_entry(pos, struct rpc_conn, link)->in.cap;
	return sum;
}

// Whoever leaves most unread goes, until the rest fits. (The analyser does not see
// that a closed connection is in the list no more.)
static void shed(struct rpc_server *s)
{
	for (;;) {
		struct rpc_conn *worst = NULL;
		size_t sum = 0;
		list_for (pos, &s->conns) {
			struct rpc_conn *c = list_entry(pos, struct rpc_conn, link);
			sum += c->out.cap; // NOLINT(clang-analyzer-unix.Malloc)
			if (!worst || c->out.cap > worst->out.cap)
				worst = c;
		}
		if (sum <= RPC_OUTPUT_MAX)
			return;
		log_warn(
			"a client (pid %d) was dropped: it left %zu bytes unread", (int)worst->peer.pid, unread(worst));
		conn_close(worst);
	}
}

static void shed_work(struct work *w)
{
	shed(container_of(w, struct rpc_server, shed));
}

// ---- requests ----

static void refuse_request(struct rpc_conn *c, int code, const char *message, const char *data)
{
	c->too_big = true;
	rpc_add_error(&c->out, (struct span){ NULL, 0 }, code, message, data);
	buf_add_char(&c->out, '\n');
}

static void answer_too_big(struct rpc_conn *c)
{
	refuse_request(c, RPC_TOO_BIG, "Request is too big", "\"Exceeded max limit of 10485760\"");
}

// A request that is not complete yet may not grow for ever.
static void bound_input(struct rpc_conn *c, size_t len)
{
	if (c->too_big)
		return;
	if (len > RPC_MESSAGE_MAX)
		answer_too_big(c);
	else if (c->in.cap > 2 * READ_SIZE && held_input(c->server) > RPC_INPUT_MAX)
		refuse_request(c, RPC_INTERNAL_ERROR, "too many large requests at once, try again", NULL);
}

bool rpc_may_go_on(struct rpc_server *s)
{
	bool owed = s->owed;
	s->owed = false;
	return owed || clock_mono_us() - s->loop->now_us <= TURN_US;
}

static void late_go_on(struct work *w)
{
	struct rpc_server *s = container_of(w, struct rpc_server, late_work);
	s->owed = s->late_turn != s->loop->turn;
	s->late_turn = s->loop->turn;
	while (!list_empty(&s->late) && (s->owed || rpc_may_go_on(s))) {
		struct rpc_late *l = list_entry(s->late.next, struct rpc_late, link);
		list_del(&l->link);
		l->go_on(l);
		s->owed = false;
	}
	if (!list_empty(&s->late))
		work_queue(s->loop, w);
}

void rpc_put_off(struct rpc_server *s, struct rpc_late *l)
{
	if (list_empty(&l->link))
		list_append(&s->late, &l->link);
	work_queue(s->loop, &s->late_work);
}

// Each of these takes what it can and tells how many bytes are not needed any more.
static size_t take_json(struct rpc_conn *c, const char *data, size_t len)
{
	size_t done = 0;
	bool whole = true; // what comes next may be a whole request
	while (whole && done < len && (c->too_big || (!is_full(c) && rpc_may_go_on(c->server)))) {
		size_t start, used;
		enum frame_result r = frame_next(&c->frame, data + done, len - done, &start, &used);
		const char *at = data + done;
		done += used;
		whole = r != FRAME_MORE;
		if (!whole)
			bound_input(c, len - done);
		else if (c->too_big) // its end has come
			c->too_big = false;
		else if (r == FRAME_JUNK)
			rpc_dispatch(c, (struct span){ NULL, 0 });
		else if (used - start > RPC_MESSAGE_MAX)
			answer_too_big(c), c->too_big = false;
		else
			rpc_dispatch(c, (struct span){ at + start, used - start });
	}
	c->unserved = whole && done < len;
	if (!c->too_big)
		return done;
	// The scanner has seen the bytes of an oversized request; only its state counts.
	c->frame.at = 0;
	return len;
}

// One line, then nothing more is read: the end of the connection ends the answer.
static size_t take_line(struct rpc_conn *c, const char *data, size_t len)
{
	const char *end = len ? memchr(data, '\n', len) : NULL;
	if (!c->answered && !end && !c->eof && len <= RPC_LINE_MAX)
		return 0;
	if (!c->answered) {
		c->answered = true;
		rpc_text_line(c, data, end ? (size_t)(end - data) : len);
	}
	return len;
}

// The first byte that is no blank.
static size_t decide(struct rpc_conn *c, const char *data, size_t len)
{
	size_t i = 0;
	while (i < len && strchr(" \t\r\n", data[i]) && data[i])
		i++;
	if (i < len)
		c->dialect = data[i] == '{' || data[i] == '[' ? RPC_JSON : RPC_TEXT;
	else if (c->eof)
		c->dialect = RPC_TEXT;
	return i;
}

static size_t take_requests(struct rpc_conn *c, const char *data, size_t len)
{
	size_t blanks = c->dialect == RPC_UNDECIDED ? decide(c, data, len) : 0;
	if (c->dialect == RPC_JSON)
		return blanks + take_json(c, data + blanks, len - blanks);
	if (c->dialect == RPC_TEXT)
		return blanks + take_line(c, data + blanks, len - blanks);
	return blanks;
}

// Requests are read where they have come to; only what is not complete is kept.
static void take_new(struct rpc_conn *c, const char *data, size_t len)
{
	size_t done = 0;
	borrow_output(c);
	if (!c->in.len)
		done = take_requests(c, data, len);
	buf_add(&c->in, data + done, len - done);
}

static void take_kept(struct rpc_conn *c)
{
	borrow_output(c);
	buf_consume(&c->in, take_requests(c, c->in.len ? c->in.data : "", c->in.len));
	if (!c->in.len && !c->in.failed)
		buf_release(&c->in);
}

static void fill_from_streams(struct rpc_conn *c)
{
	list_for_safe (pos, &c->streams) {
		struct rpc_stream *st = list_entry(pos, struct rpc_stream, link);
		borrow_output(c);
		if (rpc_stream_has_room(st))
			st->room(st);
	}
}

static void serve(struct rpc_conn *c)
{
	if (list_empty(&c->late.link))
		take_kept(c);
	bool failed = c->out.failed || c->in.failed;
	if (!failed) {
		flush(c);
		fill_from_streams(c);
		failed = c->out.failed;
	}
	if (failed) {
		log_warn("a client was dropped: out of memory");
		conn_close(c);
		return;
	}
	flush(c);
	// Served now; only a stream may have more to say.
	if (list_empty(&c->streams))
		work_cancel(&c->more);
	// It stopped because out was full, or for others: go on when there is room again,
	// also when that is now and nothing more comes in.
	if (c->unserved && !is_full(c))
		rpc_put_off(c->server, &c->late);
	if (c->out.cap > RPC_OUTPUT_MAX / RPC_CONNECTIONS_MAX)
		work_queue(c->server->loop, &c->server->shed);
	if ((c->eof || c->answered) && !c->unserved && (c->deaf || is_idle(c)))
		conn_end(c);
	else
		want(c);
}

static void serve_more(struct work *w)
{
	serve(container_of(w, struct rpc_conn, more));
}

static void serve_late(struct rpc_late *l)
{
	serve(container_of(l, struct rpc_conn, late));
}

// ---- HTTP ----

// 1 these are the first bytes of a request, 0 they may become that, -1 they are not.
static int is_http(int fd)
{
	static const char *const methods[] = { "GET /", "POST /", "HEAD /", "PUT /", "DELETE /", "OPTIONS ",
		"PATCH /" };
	char first[8];
	ssize_t n = recv(fd, first, sizeof(first), MSG_PEEK | MSG_DONTWAIT);
	int found = -1;
	for (size_t i = 0; n > 0 && i < sizeof(methods) / sizeof(methods[0]); i++) {
		size_t len = strlen(methods[i]), have = (size_t)n < len ? (size_t)n : len;
		if (!memcmp(first, methods[i], have))
			found = have == len || found > 0;
	}
	return found;
}

// The bytes are left unread for whoever takes the connection over.
static void hand_over(struct rpc_conn *c)
{
	static const char no[] = "HTTP/1.1 501 Not Implemented\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
	struct rpc_server *s = c->server;
	if (s->http && s->http(s->http_ctx, c->source.fd) == 0) {
		conn_close(c);
		return;
	}
	buf_add_str(&c->out, no);
	flush(c);
	conn_end(c);
}

// false: the connection is closed.
static bool read_requests(struct rpc_conn *c)
{
	struct rpc_server *s = c->server;
	if (!s->chunk)
		s->chunk = malloc(READ_SIZE);
	ssize_t n = s->chunk ? read(c->source.fd, s->chunk, READ_SIZE) : -1;
	if (n > 0) {
		take_new(c, s->chunk, (size_t)n);
	} else if (n == 0) {
		c->eof = true;
	} else if (!s->chunk || (errno != EAGAIN && errno != EINTR)) {
		conn_close(c);
		return false;
	}
	return true;
}

static void conn_ready(struct source *src, uint32_t events)
{
	struct rpc_conn *c = container_of(src, struct rpc_conn, source);
	int http = events & EPOLLIN && c->dialect == RPC_UNDECIDED ? is_http(src->fd) : -1;
	if (http > 0) {
		hand_over(c);
		return;
	}
	// No command of the line protocol begins so. What is left unread must not wake
	// init again before more has come, or the end.
	if (http == 0 && !(events & (EPOLLRDHUP | EPOLLHUP))) {
		loop_want(c->server->loop, src, EPOLLIN | EPOLLRDHUP | EPOLLET);
		return;
	}
	if (events & EPOLLIN && !c->eof) {
		if (!read_requests(c))
			return;
	} else if (events & (EPOLLHUP | EPOLLERR)) {
		go_deaf(c);
	}
	serve(c);
}

void rpc_accepted(struct rpc_server *s, int fd)
{
	struct rpc_conn *c = calloc(1, sizeof(*c));
	if (!c) {
		close(fd);
		return;
	}
	c->server = s;
	c->source.fn = conn_ready;
	list_init(&c->calls);
	list_init(&c->streams);
	list_init(&c->batches);
	work_init(&c->more, serve_more);
	list_init(&c->late.link);
	c->late.go_on = serve_late;
	socklen_t size = sizeof(c->peer);
	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c->peer, &size);
	if (loop_add(s->loop, &c->source, fd, EPOLLIN) < 0) {
		close(fd);
		free(c);
		return;
	}
	list_append(&s->conns, &c->link);
	s->nconns++;
}

void rpc_server_init(struct rpc_server *s, struct loop *l, void *ctx)
{
	*s = (struct rpc_server){ .loop = l, .ctx = ctx };
	list_init(&s->conns);
	s->group = (gid_t)-1;
	work_init(&s->shed, shed_work);
	list_init(&s->late);
	work_init(&s->late_work, late_go_on);
	rpc_listen_init(s);
}

void rpc_flush_all(struct rpc_server *s)
{
	list_for_safe (pos, &s->conns)
		flush(list_entry(pos, struct rpc_conn, link));
}

void rpc_server_release(struct rpc_server *s)
{
	list_for_safe (pos, &s->conns)
		conn_close(list_entry(pos, struct rpc_conn, link));
	work_cancel(&s->shed);
	work_cancel(&s->late_work);
	while (s->nlisteners)
		rpc_unlisten(&s->listeners[--s->nlisteners]);
	timer_stop(&s->accept_again);
	if (s->spare_fd >= 0)
		close(s->spare_fd);
	free(s->chunk);
	buf_release(&s->spare_out);
	buf_release(&s->scratch);
	buf_release(&s->why);
}

// ---- streams ----

bool rpc_stream_has_room(const struct rpc_stream *st)
{
	return !st->batch && unread(st->conn) < STREAM_UNREAD_MAX;
}

struct buf *rpc_stream_begin(struct rpc_stream *st)
{
	return &st->conn->out;
}

void rpc_stream_end(struct rpc_stream *st)
{
	buf_add_char(&st->conn->out, '\n');
	rpc_conn_wrote(st->conn);
}
