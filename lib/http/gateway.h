// JSON-RPC over HTTP and WebSocket, carried to init and back (docs/api.md).
//
// Calls of all clients share two connections to init: one for those that are
// answered at once, one for the slow ones and the items of batches. A WebSocket
// has a connection of its own. What a client sends is checked here and written
// anew; init never sees its bytes, and never speaks HTTP.
#pragma once
#include "http/access.h"
#include "http/pool.h"
#include "rpc/jsonrpc.h"

// As in rpc/methods.def.
enum { READS = 1, CHANGES = 0, SLOW = 2, STREAM = 4 };

struct gateway {
	struct loop *loop;
	struct http_server server;
	struct access access;
	const char *path; // of init's socket; NULL: the default
	bool read_only;
	struct pool fast, slow;
	struct list batches;
	size_t nrelays;
};

// The access rules are the caller's to fill in. 0, or -1 with errno.
int gateway_init(struct gateway *g, struct loop *loop, const char *path);
// Connects to init now, not with the first call: descriptors may be short then.
void gateway_connect(struct gateway *g);
void gateway_release(struct gateway *g);

// ---- between the files ----

// The flags of a method, as it stands in a request; 0 for one that we do not know.
unsigned gateway_flags(struct span method, bool *known);
// NULL: this request may go on to init; else the answer to give, as after an id.
const char *gateway_refusal(const struct gateway *g, const struct rpc_request *r, unsigned *flags);
static inline struct gateway *gateway_of(struct http_conn *c)
{
	return c->server->ctx;
}

struct batch;
typedef void batch_fn(struct batch *b);

// Items of a JSON array as calls, one answer after the other into `out`.
struct batch {
	struct list link; // in gateway.batches
	struct gateway *gateway;
	struct http_conn *conn; // NULL: has gone; the rest is carried out all the same
	const struct access_cors *cors;
	char *text; // owned
	size_t text_len;
	struct json_iter items;
	struct buf out; // "[answer,answer" without the end
	size_t charged; // of server.buffered
	unsigned inflight;
	struct call *slow; // the one that is under way, alone
	bool alone, ended;
	bool starved; // it ended because all buffers together were full
	batch_fn *done; // then it is freed
};

// Takes the text, which must be checked JSON. NULL without memory (text is freed).
struct batch *batch_new(struct gateway *g, struct http_conn *c, char *text, size_t len, batch_fn *done);
void batch_go(struct batch *b);
void batch_forget(struct gateway *g, const struct http_conn *c);
void batch_free(struct batch *b);

// 503: not now.
void gateway_busy(struct http_conn *c, const struct access_cors *cors);

// The answer to a POST of a whole batch.
void batch_reply(struct batch *b);

// GET and HEAD of what page_is_there().
bool page_is_there(const struct http_conn *c);
void page_request(struct http_conn *c);

int relay_open(struct http_conn *c);
void relay_gone(struct http_conn *c);
void relay_message(struct http_conn *c, char *data, size_t len);
void relay_room(struct http_conn *c);
