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
	RPC_WAITING_MAX = 1024, // calls of one connection that wait; likewise
	RPC_KEPT_MAX = 4096, // calls and batches of all that wait, also of those who have left ...
	RPC_KEPT_FEW = 8, // ... but these many of each connection
	RPC_LEFT_MAX = 256, // batches of clients who have left
	RPC_INPUT_MAX = 32 * 1024 * 1024, // half-sent requests of all connections together
	RPC_OUTPUT_MAX = 64 * 1024 * 1024, // unread answers of all connections together
	RPC_LINE_MAX = 64 * 1024, // of the text protocol
};

// What a method is like: for those who pass calls on, and for the log.
enum rpc_flag { RPC_READS = 0, RPC_CHANGES = 1, RPC_SLOW = 2, RPC_STREAM = 4 };

struct rpc_server;
struct rpc_call;

typedef void rpc_handler_fn(struct rpc_call *c, const struct param *p);

struct rpc_method {
	const char *name;
	rpc_handler_fn *fn;
	unsigned flags; // enum rpc_flag
	struct param_spec params[PARAM_MAX];
	size_t nparams;
};

// A command of the text protocol. Its words become the first parameters.
struct rpc_verb {
	const char *name;
	rpc_handler_fn *fn;
	unsigned flags;
	unsigned nargs; // exactly so many; RPC_ANY_ARGS: any number
};
#define RPC_ANY_ARGS (~0u)

// The first bytes of a connection decide what it speaks.
enum rpc_dialect { RPC_UNDECIDED, RPC_JSON, RPC_TEXT };

struct rpc_alias {
	const char *old_name;
	const char *name; // with quotes, as in a request
};

// Whoever has been put off, for others.
struct rpc_late {
	struct list link; // in server.late
	void (*go_on)(struct rpc_late *l);
};

struct rpc_conn {
	struct list link; // in server.conns
	struct rpc_server *server;
	struct source source;
	struct frame frame;
	struct buf in; // what has come of a request, or waits for room in out
	struct buf out;
	size_t sent; // of out
	struct list calls; // kept ones
	struct list streams; // what sends on its own; see rpc_stream
	struct list batches; // batches with a call that is kept
	size_t nwaiting; // calls and batches in these lists
	size_t nstreams; // in `streams`, counted by those who make them
	struct work more; // something was written
	struct rpc_late late; // requests that wait for their turn
	enum rpc_dialect dialect;
	bool answered; // the one line of the text protocol
	bool unserved; // requests in `in` wait for room in `out`, or for their turn
	bool eof; // the client sends nothing more
	bool deaf; // nor does it read
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
	const char *step; // what of it failed, where that has a name of its own; else NULL
	bool text; // answered as the text protocol does
	struct rpc_call *heap; // itself, once kept
	bool answered;
	size_t result_at; // in the output: where this answer began
	// For whoever keeps it: nobody is left to read the answer, which may be given now.
	void (*left)(struct rpc_call *c);
	void *keeper;
};

// Something that sends to a connection on its own until it is unlinked.
struct rpc_stream {
	struct list link; // in conn.streams
	struct rpc_conn *conn;
	struct rpc_batch *batch; // it sends nothing until the answer of its batch is out
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
	const struct rpc_verb *verbs;
	size_t nverbs;
	// Takes over a connection that speaks HTTP, unread, and returns 0 (the descriptor
	// stays the server's, which closes it); or -1, and the client is told that nobody
	// here does. NULL: as if it returned -1.
	int (*http)(void *http_ctx, int fd);
	void *http_ctx;
	gid_t group; // of the socket, (gid_t)-1: only its owner may connect
	struct rpc_listener listeners[RPC_LISTENERS_MAX];
	size_t nlisteners;
	struct list conns;
	size_t nconns;
	struct work shed; // the unread answers may be too many
	size_t held; // bytes kept for calls and batches that wait
	size_t nkept; // these calls and batches
	size_t nleft; // of these: batches whose client has left
	int spare_fd; // given up for a moment to turn a client away at EMFILE
	char *chunk; // what was read just now
	struct buf spare_out; // the output buffer that no connection uses
	struct timer accept_again; // no client can be taken until then
	struct list late; // struct rpc_late, in the order of their turns
	struct work late_work;
	uint64_t late_turn; // of the loop: then one of these went on
	bool owed; // and may take a request, however late it is
	struct buf scratch; // decoded parameters
	struct buf why;
};

void rpc_server_init(struct rpc_server *s, struct loop *l, void *ctx);
// Binds, mode 0600 (0660 where a group is set), missing folders of the path are made. A socket that nobody
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
// A service's name is needed where the error has a text of its own for it.
void rpc_fail(struct rpc_call *c, const struct err *err, const char *service);
// The same of a text.
void rpc_refuse(struct rpc_call *c, enum err_code code, const char *service, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void rpc_invalid(struct rpc_call *c, const char *data_text);
void rpc_unknown_method(struct rpc_call *c);

// ---- between the files of rpc/ ----

void rpc_listen_init(struct rpc_server *s);
void rpc_accepted(struct rpc_server *s, int fd);
void rpc_unlisten(struct rpc_listener *l);
void rpc_dispatch(struct rpc_conn *conn, struct span message);
void rpc_calls_hang_up(struct rpc_conn *conn); // the client has gone
void rpc_log_change(const struct rpc_conn *conn, const char *what, const char *name);
// text.c: one line of the text protocol, without its end.
void rpc_text_line(struct rpc_conn *conn, const char *line, size_t len);
void rpc_text_error(struct buf *b, const struct err *err, const char *service);
// {"state":"ok","body": ... or {"state":"error","body": ...
void rpc_text_begin(struct buf *b, bool ok);
void rpc_conn_wrote(struct rpc_conn *conn); // something was added to out
// May one more request be taken in this turn of the loop, or is it for others now?
bool rpc_may_go_on(struct rpc_server *s);
// Later then. Of all who are put off one request is taken in each turn at least, in order.
void rpc_put_off(struct rpc_server *s, struct rpc_late *l);

// ---- for handlers ----

// Makes the call outlive its handler; NULL without memory or when too many wait
// (already answered with an error then). Whoever keeps it must answer it, once; that
// frees it.
struct rpc_call *rpc_keep(struct rpc_call *c);

// Room for a notification now? The message is complete JSON without newline.
bool rpc_stream_has_room(const struct rpc_stream *s);
struct buf *rpc_stream_begin(struct rpc_stream *s);
void rpc_stream_end(struct rpc_stream *s);
