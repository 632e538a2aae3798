// A connection that has become a WebSocket: messages, pings, the closing handshake.
#include "http/server.h"
#include <stdlib.h>
#include <string.h>

enum { NO_PONG = 0xff, PINGS_MISSED_MAX = 2, CONTROL_UNSENT_MAX = 64 * 1024 };

void http_ws_free(struct http_conn *c)
{
	if (!c->ws)
		return;
	buf_release(&c->ws->message);
	free(c->ws);
	c->ws = NULL;
}

static void send_101(struct http_conn *c, const char *accept)
{
	const struct http_handler *h = c->server->handler;
	buf_add_str(&c->out, "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
			     "sec-websocket-accept: ");
	buf_add(&c->out, accept, WS_ACCEPT_LEN);
	buf_add_str(&c->out, "\r\n");
	buf_add_str(&c->out, h->ws_headers ? h->ws_headers(c) : "");
	http_add_date(c);
	buf_add_str(&c->out, "\r\n");
	http_conn_touch(c);
}

static size_t refuse(struct http_conn *c, int status)
{
	c->closing = true;
	c->no_body = false;
	c->http10 = c->head.http10;
	http_conn_busy(c, 1);
	if (status == 426 || status == 400)
		http_reply(c, status, status == 426 ? "sec-websocket-version: 13\r\n" : "", "", 0);
	else
		c->server->handler->refuse(c, status);
	return c->head_len;
}

size_t http_ws_upgrade(struct http_conn *c)
{
	char accept[WS_ACCEPT_LEN];
	const struct http_handler *h = c->server->handler;
	int status = ws_handshake(&c->head, c->data, accept);
	if (!status)
		status = h->ws_open(c);
	struct http_ws *ws = status ? NULL : calloc(1, sizeof(*ws));
	if (!status && !ws) {
		h->gone(c);
		status = 503;
	}
	if (!ws)
		return refuse(c, status);
	ws->reader = (struct ws_reader){ .from_client = true, .max = h->ws_max };
	ws->message.max = h->message_max;
	ws->pong_len = NO_PONG;
	size_t used = c->head_len;
	send_101(c, accept);
	c->head_len = 0;
	c->head = (struct http_head){ 0 };
	list_del(&c->waiting);
	c->server->nbusy++;
	c->ws = ws;
	http_conn_phase(c, HTTP_WEBSOCKET);
	return used;
}

void http_ws_send(struct http_conn *c, enum ws_opcode opcode, const void *data, size_t len)
{
	char head[WS_HEAD_MAX];
	size_t n = ws_head(head, opcode, len, NULL);
	if (!c->ws || c->ws->close_sent)
		return;
	if (!http_unsent(c))
		c->wrote_ms = c->server->loop->now_ms;
	if (c->sent > c->out.len / 2) {
		buf_consume(&c->out, c->sent);
		c->sent = 0;
	}
	buf_reserve(&c->out, n + len);
	buf_add(&c->out, head, n);
	buf_add(&c->out, data, len);
	http_conn_touch(c);
}

// The reader's verdict, or ours: a close frame, and no byte more is looked at.
void http_ws_close(struct http_conn *c, uint16_t code)
{
	char text[2] = { (char)(code >> 8), (char)code };
	if (!c->ws || c->ws->close_sent)
		return;
	http_ws_send(c, WS_OP_CLOSE, text, sizeof(text));
	c->ws->close_sent = true;
	c->since_ms = c->server->loop->now_ms;
	http_conn_arm(c);
}

// The peer's close is given back, and with that all is said.
static void closed_by_peer(struct http_conn *c, const char *code, size_t len)
{
	http_ws_send(c, WS_OP_CLOSE, code, len < 2 ? len : 2);
	c->ws->close_sent = c->ws->close_seen = true;
	c->closing = true;
	http_conn_touch(c);
}

// Pongs never pile up behind a peer that does not read: only the newest waits.
static void ping(struct http_conn *c, const char *data, size_t len)
{
	if (http_unsent(c) < CONTROL_UNSENT_MAX) {
		http_ws_send(c, WS_OP_PONG, data, len);
		return;
	}
	memcpy(c->ws->pong, data, len);
	c->ws->pong_len = (uint8_t)len;
}

static void message(struct http_conn *c, char *data, size_t len, bool last, bool text)
{
	struct http_ws *ws = c->ws;
	const struct http_handler *h = c->server->handler;
	ws->dropping = ws->dropping || ws->message.len + len > h->message_max;
	if (ws->dropping) {
		buf_release(&ws->message);
		if (last)
			h->ws_too_big(c);
		ws->dropping = !last;
	} else if (last && !ws->message.len) {
		h->ws_message(c, data, len, text);
	} else if (buf_add(&ws->message, data, len) < 0) {
		http_ws_close(c, WS_CLOSE_TRY_LATER);
	} else if (last) {
		h->ws_message(c, ws->message.data, ws->message.len, text);
		buf_release(&ws->message);
	}
}

// One frame, or a part of one. The bytes that are done with.
size_t http_ws_take(struct http_conn *c, char *data, size_t len)
{
	struct http_ws *ws = c->ws;
	size_t used, at, n;
	enum ws_event e = ws_next(&ws->reader, data, len, &used, &at, &n);
	if (e == WS_FAIL) {
		http_ws_close(c, ws->reader.status);
		c->closing = true;
		http_conn_touch(c);
		return len;
	}
	if (e == WS_CLOSE) {
		closed_by_peer(c, data + at, n);
		return len;
	}
	if (ws->close_sent) // what comes behind our close has no effect
		return used;
	if (e == WS_PING)
		ping(c, data + at, n);
	else if (e == WS_PIECE || e == WS_LAST)
		message(c, data + at, n, e == WS_LAST, ws->reader.text);
	return used;
}

void http_ws_sent(struct http_conn *c)
{
	struct http_ws *ws = c->ws;
	if (ws->pong_len != NO_PONG && http_unsent(c) < CONTROL_UNSENT_MAX) {
		http_ws_send(c, WS_OP_PONG, ws->pong, ws->pong_len);
		ws->pong_len = NO_PONG;
	}
	if (!http_unsent(c) && !c->closing && c->server->handler->ws_room)
		c->server->handler->ws_room(c);
}

void http_ws_timer(struct http_conn *c)
{
	if (c->ws->close_sent) {
		http_conn_close(c);
		return;
	}
	if (c->ws->missed++ >= PINGS_MISSED_MAX) {
		http_conn_close(c);
		return;
	}
	http_ws_send(c, WS_OP_PING, "", 0);
	c->since_ms = c->server->loop->now_ms;
	http_conn_arm(c);
}
