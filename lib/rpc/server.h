// The control socket: listening, connections, requests in, answers out.
//
// Handlers come in a table from above and never block. A handler answers its
// call at once, or keeps it and answers later; a call whose client has gone is
// carried out all the same, its answer is dropped. Everything is bounded:
// connections, what one may send and leave unread, and all together.
#pragma once
#include "base/buf.h"
#include "base/list.h"
#include "loop/loop.h"
#include "rpc/frame.h"
#include "rpc/jsonrpc.h"
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/types.h>

enum {
	RPC_CONNECTIONS_MAX = 100,
	RPC_LISTENERS_MAX = 2,
	RPC_UNREAD_MAX = 1024 * 1024, // answers a client has not read: no more requests are taken
};

struct rpc_server;
struct rpc_call;

typedef void rpc_handler_fn(struct rpc_call *c, const struct param *p);

struct rpc_method {
	const char *name;
	rpc_handler_fn *fn;
	struct param_spec params[PARAM_MAX];
	size_t nparams;
};

struct rpc_alias {
	const char *old_name;
	const char *name; // with quotes, as in a request
};

struct rpc_conn {
	struct list link; // in server.conns
	struct rpc_server *server;
	struct source source;
	struct frame frame;
	struct buf in, out;
	size_t sent; // of out
	struct list calls; // kept ones
	struct list streams; // what sends on its own; see rpc_stream
	struct list batches; // batches with a call that is kept
	struct work more; // requests that wait for room in out
	bool unserved; // requests in `in` wait for room in `out`
	bool eof; // the client sends nothing more
	bool too_big; // the rest of an oversized request is being skipped
	struct ucred peer;
};

// One request. On the stack while its handler runs, on the heap once kept.
struct rpc_call {
	struct list link; // in conn.calls
	struct rpc_server *server;
	struct rpc_conn *conn; // NULL: the client has gone
	struct rpc_batch *batch; // NULL: a request of its own
	struct span id; // points into the request, or at the copy behind a kept call
	struct span params; // raw; only while the handler runs
	const char *action; // "stopping service", for errors
	struct rpc_call *heap; // itself, once kept
	bool answered;
	size_t result_at; // in the output: where this answer began
};

// Something that sends to a connection on its own until it is unlinked.
struct rpc_stream {
	struct list link; // in conn.streams
	struct rpc_conn *conn;
	void (*room)(struct rpc_stream *s); // there is room in conn.out (again)
	void (*closed)(struct rpc_stream *s); // the connection is going away; it is unlinked
};

struct rpc_listener {
	struct source source;
	struct rpc_server *server;
	char path[108]; // sizeof(sun_path)
	ino_t inode;
	dev_t device;
};

struct rpc_server {
	struct loop *loop;
	void *ctx; // for the handlers
	const struct rpc_method *methods;
	size_t nmethods;
	const struct rpc_alias *aliases;
	size_t naliases;
	struct rpc_listener listeners[RPC_LISTENERS_MAX];
	size_t nlisteners;
	struct list conns;
	size_t nconns;
	int spare_fd; // given up for a moment to turn a client away at EMFILE
	struct buf scratch; // decoded parameters
	struct buf why;
};

void rpc_server_init(struct rpc_server *s, struct loop *l, void *ctx);
// Binds, mode 0600, missing folders of the path are made. A socket that nobody
// listens on is replaced; anything else at the path is left alone and refused.
// 0, or -1 with *err.
int rpc_listen(struct rpc_server *s, const char *path, struct err *err);
// Closes everything; removes the sockets that are still its own.
void rpc_server_release(struct rpc_server *s);
// Tries to hand over what is in the connections' buffers, without waiting.
void rpc_flush_all(struct rpc_server *s);

// An answer is begun, filled with one JSON value, and ended.
struct buf *rpc_result_begin(struct rpc_call *c);
void rpc_result_end(struct rpc_call *c);
void rpc_result_null(struct rpc_call *c);
void rpc_fail(struct rpc_call *c, const struct err *err, const char *service);
void rpc_invalid(struct rpc_call *c, const char *data_text);

// ---- between the files of rpc/ ----

void rpc_accepted(struct rpc_server *s, int fd);
void rpc_unlisten(struct rpc_listener *l);
void rpc_dispatch(struct rpc_conn *conn, struct span message);
void rpc_calls_hang_up(struct rpc_conn *conn); // the client has gone
void rpc_conn_wrote(struct rpc_conn *conn); // something was added to out

// ---- for handlers ----

// Makes the call outlive its handler; NULL without memory (already answered
// with an error then). Whoever keeps it must answer it, once; that frees it.
struct rpc_call *rpc_keep(struct rpc_call *c);

// Room for a notification now? The message is complete JSON without newline.
bool rpc_stream_has_room(const struct rpc_stream *s);
struct buf *rpc_stream_begin(struct rpc_stream *s);
void rpc_stream_end(struct rpc_stream *s);
