// The methods of the control API: each handler takes checked parameters, asks
// the supervisor, and answers.
//
// service.c  services: list, status, verbs        stats.c   memory and cpu
// file.c     service files: create, delete, get   system.c  the end of everything
// stream.c   log lines                            events.c  changes of state
// text.c     the line protocol                    discover.c  the document of the API
// http.c     processes that speak HTTP for init
#pragma once
#include "rpc/server.h"
#include "svc/super.h"

enum { HTTP_HELPERS_MAX = 8 };
enum http_helper_kind { HTTP_HELPER_NONE, HTTP_HELPER_SERVER, HTTP_HELPER_CONNECTION };

// A process that speaks HTTP: the one server, or for one client of the control socket.
struct http_helper {
	struct helper helper;
	struct control *control;
	enum http_helper_kind kind;
	bool asked; // to end
	pid_t pid;
	struct timer kill;
};

struct control {
	struct super *super;
	struct rpc_server *server;
	struct list lines_readers; // struct subscription, of log lines
	struct list event_readers; // the same, of changes of state
	struct events *events; // kept while there are such readers
	struct stats *stats; // kept while somebody asks
	struct work lines; // new lines are in the ring
	struct work changes; // new events
	uint64_t next_id; // of a subscription
	size_t nsubscriptions; // of all connections
	struct list jobs; // struct job of file.c, under way
	struct http_helper http[HTTP_HELPERS_MAX];
	const char *http_token_file; // NULL: only this machine is served
};

// Fills the tables of methods and verbs into the server and connects the news
// of the ring.
void control_init(struct control *c, struct rpc_server *s, struct super *u);

#define METHOD(name, ...) void name(struct rpc_call *c, const struct param *p);
#define METHOD_NAMED(wire, name, ...) METHOD(name)
#define ALIAS(old_name, name)
#include "rpc/methods.def"
#undef METHOD
#undef METHOD_NAMED
#undef ALIAS

void stream_init(struct control *c);
void events_init(struct control *c);
void text_init(struct rpc_server *s);
void helpers_init(struct control *c);

// The service, or NULL and the call is answered.
struct service *control_find(struct rpc_call *c, const char *name);

// What the line protocol has and the methods have not.
void service_brief(struct rpc_call *c, const char *name); // a status of the five old members, sorted
void stream_text(struct rpc_call *c, bool once); // raw lines; once: without those to come

// A unit_warn_fn: adds the warning, as one more JSON string, to the struct buf *ctx.
void warnings_add(void *ctx, unsigned line, unsigned column, const char *text);

// ---- subscriptions ----

// First in a struct of its kind, which subscription_drop() frees.
struct subscription {
	struct rpc_stream stream;
	struct list link; // in a list of struct control
	struct control *control;
	uint64_t id;
	void (*dropped)(struct subscription *s); // before it is freed; or NULL
};

// Allocates `size` zeroed bytes and ties them to the call's connection; `room` is
// called when that takes more. NULL without memory or when there are too many, and
// the call is answered.
struct subscription *subscription_new(struct rpc_call *c, size_t size, void (*room)(struct rpc_stream *st));
// Answers with the number; what comes first is asked for after the answer.
void subscription_begin(struct rpc_call *c, struct subscription *s, struct list *readers);
void subscription_drop(struct subscription *s);
// Unsubscribes the connection from the number in the call's parameters: answers
// true, or false for anything else, never an error.
void subscription_end(struct rpc_call *c, struct list *readers);
// The head of a notification, up to its result; note_end() closes it.
struct buf *subscription_note(struct subscription *s, const char *method);
void subscription_note_end(struct subscription *s);
