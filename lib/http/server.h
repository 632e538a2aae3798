// An HTTP/1.1 and WebSocket server on the loop: connections, limits, deadlines.
//
// What requests mean comes in a table from above. Everything is bounded: bytes
// of a head and a body, connections, all buffers together, and the time of each
// phase as a whole, so that nobody holds a place by sending a byte now and then.
// Framing errors get one answer, and no byte behind them is looked at.
#pragma once
#include "base/buf.h"
#include "base/list.h"
#include "base/net.h"
#include "http/parse.h"
#include "http/tls.h"
#include "http/ws.h"
#include "loop/loop.h"

enum {
	HTTP_CONNECTIONS_MAX = 512,
	HTTP_PEER_MAX = 64, // of one address that is not loopback
	HTTP_BUSY_MAX = 100, // connections with a request in work, and WebSockets
	HTTP_HANDSHAKES_MAX = 128,
	HTTP_LISTENERS_MAX = 4,
	HTTP_BUDGET = 32 * 1024 * 1024, // all buffers of all connections
	HTTP_UNSENT_MAX = 1024 * 1024, // of one connection: no more requests are taken
	HTTP_PIPELINE_MAX = 64,
	HTTP_READ_SIZE = 64 * 1024,
};

enum {
	HTTP_HANDSHAKE_MS = 10 * 1000,
	HTTP_HEAD_MS = 10 * 1000, // from its first byte
	HTTP_BODY_MS = 30 * 1000, // and more as long as it comes at
	HTTP_BODY_RATE = 16 * 1024, // bytes a second
	HTTP_IDLE_MS = 60 * 1000,
	HTTP_STALL_MS = 30 * 1000, // nothing could be sent
	HTTP_LINGER_MS = 2 * 1000,
	HTTP_PING_MS = 30 * 1000,
	HTTP_CLOSE_MS = 3 * 1000, // for the peer's close frame
};

enum http_phase {
	HTTP_HANDSHAKE, // TLS
	HTTP_REQUEST, // reads heads and bodies
	HTTP_WEBSOCKET,
	HTTP_LINGER, // all is said: what still comes in is dropped
};

struct http_conn;

// For one connection; data pointers are good during the call only.
struct http_handler {
	size_t message_max; // bytes of a body, and of a WebSocket message that is handed on
	size_t ws_max; // a message above ends the WebSocket; between the two it is dropped
	// The head is there: 0 = go on, or the status that refuses it. Changes nothing.
	int (*check)(struct http_conn *c);
	// Answers with that status, or with 413.
	void (*refuse)(struct http_conn *c, int status);
	// The whole request. Answers with http_reply(), now or later; later answers
	// come in order. false: not while another one is in flight; asked again then.
	bool (*request)(struct http_conn *c, char *body, size_t len);
	// The connection goes away with requests in flight, or as a WebSocket.
	void (*gone)(struct http_conn *c);
	// A good WebSocket handshake that check() let pass: 0, or a status as above.
	int (*ws_open)(struct http_conn *c);
	// More header lines of the answer to it, or "".
	const char *(*ws_headers)(struct http_conn *c);
	void (*ws_message)(struct http_conn *c, char *data, size_t len, bool text);
	void (*ws_too_big)(struct http_conn *c); // a message was dropped
	void (*ws_room)(struct http_conn *c); // all that was sent is out
};

struct http_ws {
	struct ws_reader reader;
	struct buf message;
	bool dropping; // the rest of a message that is too big
	bool close_sent, close_seen;
	uint8_t missed; // pings without a sign of life
	uint8_t pong_len; // of a pong that waits for room; 0xff: none
	char pong[WS_CONTROL_MAX];
};

struct http_conn {
	struct list link; // in server.conns
	struct list waiting; // in server.waiting: no complete head yet
	struct list dirty; // in server.dirty: something to send, or to go on with
	struct http_server *server;
	struct source source;
	struct timer timer;
	struct tls *tls;
	enum http_phase phase;
	uint64_t since_ms; // when what it waits for began
	uint64_t wrote_ms; // when something was last sent, or began to wait for it
	struct buf in, out;
	size_t sent; // of out
	size_t charged; // of server.buffered
	const char *data; // the bytes that `head` points into
	struct http_head head;
	size_t head_len; // 0: not complete
	bool checked; // and let pass
	bool body_done;
	struct http_chunked chunked;
	size_t raw; // chunked: where the undecoded bytes begin
	size_t body_len; // decoded so far
	size_t total; // head and body, once body_done
	uint64_t skip; // bytes of a body that nobody wants
	uint16_t inflight;
	bool alone; // the one in flight wants no other beside it
	bool held; // the next one waits until nothing is in flight
	bool no_body; // the answer to HEAD
	bool http10;
	bool closing; // nothing is read after the requests in flight
	bool eof;
	uint16_t bad; // status of the framing error that ends this connection
	struct http_ws *ws;
	union net_address peer;
	int uid; // for the handler: of the peer; -1 = not known
	void *user; // the handler's
};

struct http_listener {
	struct source source;
	struct http_server *server;
};

struct http_server {
	struct loop *loop;
	const struct http_handler *handler;
	void *ctx; // the handler's
	struct tls_config *tls; // NULL: plain
	struct http_listener listeners[HTTP_LISTENERS_MAX];
	size_t nlisteners;
	struct list conns, waiting, dirty;
	size_t nconns, nbusy, nhandshakes;
	size_t buffered;
	struct work flush;
	struct timer accept_again;
	int spare_fd; // given up for a moment to turn a client away at EMFILE
	char *read_buf; // HTTP_READ_SIZE, for connections that hold nothing back
	char date[48];
	uint64_t date_ms;
	bool stopping;
	void (*idle)(struct http_server *s); // the last connection has gone
};

// 0, or -1 with errno.
int http_server_init(struct http_server *s, struct loop *l, const struct http_handler *h, void *ctx);
// Listens on fd, which it owns from now on.
int http_server_listen(struct http_server *s, int fd);
// Serves one accepted connection; owns fd. 0, or -1 (closed).
int http_server_take(struct http_server *s, int fd, const union net_address *peer);
// No new connections; the open ones end when their requests are answered.
void http_server_stop(struct http_server *s);
void http_server_release(struct http_server *s);

// Answers the oldest request in flight. headers: whole lines, or "".
void http_reply(struct http_conn *c, int status, const char *headers, const void *body, size_t len);
// The two halves of it, for a body in pieces that are `len` bytes together.
struct buf *http_reply_begin(struct http_conn *c, int status, const char *headers, size_t len);
void http_reply_end(struct http_conn *c);
// The request that is just being handed over wants no other beside it.
static inline void http_alone(struct http_conn *c)
{
	c->alone = true;
}
static inline bool http_is_busy(const struct http_conn *c)
{
	return c->inflight || c->ws;
}

void http_ws_send(struct http_conn *c, enum ws_opcode opcode, const void *data, size_t len);
// Says why, and ends.
void http_ws_close(struct http_conn *c, uint16_t code);
static inline size_t http_unsent(const struct http_conn *c)
{
	return c->out.len - c->sent;
}

// ---- between the files of http/ ----

void http_conn_close(struct http_conn *c);
void http_conn_touch(struct http_conn *c); // there is something to send, or to go on with
void http_conn_arm(struct http_conn *c); // a deadline may have come nearer
bool http_conn_charge(struct http_conn *c); // false: all buffers together are full
void http_conn_phase(struct http_conn *c, enum http_phase phase);
void http_conn_busy(struct http_conn *c, int change);
source_fn http_conn_ready;
timer_fn http_conn_timer;
work_fn http_flush_all;
ssize_t http_conn_read(struct http_conn *c, void *data, size_t len);
void http_add_date(struct http_conn *c); // a header line
bool http_conn_flush(struct http_conn *c); // false: the peer has gone
void http_conn_linger(struct http_conn *c);
size_t http_ws_take(struct http_conn *c, char *data, size_t len);
size_t http_ws_upgrade(struct http_conn *c);
void http_ws_timer(struct http_conn *c);
void http_ws_sent(struct http_conn *c);
void http_ws_free(struct http_conn *c);
