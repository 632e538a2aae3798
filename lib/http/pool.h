// Calls of many clients over one connection to init. Each goes out under a
// number of the pool's own; the answer is matched by it, never by what a client
// chose. An answer that matches nothing ends the connection, and all that wait.
#pragma once
#include "http/link.h"
#include "rpc/json.h"

struct call;
struct pool;

// rest: what follows the id in the answer, `,"result":...}`. The call is freed afterwards.
typedef void call_fn(struct call *c, struct span rest);

struct call {
	struct list link; // in pool.calls, oldest first
	unsigned number;
	call_fn *done;
	void *owner; // NULL: has gone, the answer is dropped
	bool left; // its client has gone, also where the owner has not
	const void *more; // the owner's
	size_t id_len;
	char *id; // raw, as the client wrote it
	char short_id[32];
};

struct pool {
	struct link link;
	const char *path; // of init's socket
	bool ordered; // the answers of one owner come in the order of its calls
	struct list calls, unused;
	struct call **by_number;
	size_t ncalls; // entries of by_number
	size_t nleft; // of calls
	struct work give_up;
	struct buf error; // `,"error":{...}}` with why init cannot be asked
};

// *held as for link_init(); calls are refused that would take it over HTTP_BUDGET.
void pool_init(struct pool *p, struct loop *loop, size_t *held, const char *path, bool ordered);
void pool_release(struct pool *p);
// Sends METHOD (raw, with its quotes) with PARAMS (raw; at = NULL: none), and
// calls `done` later, never from here. NULL without memory, without init, or when it
// is too big: *rest is then the answer.
struct call *pool_call(struct pool *p, struct span id, struct span method, struct span params, call_fn *done,
	void *owner, struct span *rest);
// Answers to this owner are dropped from now on.
void pool_forget(struct pool *p, const void *owner);
// The client of this call has gone. Init lets so many wait on one connection: when most
// places are taken by such calls in a pool that is not ordered, its connection ends,
// and init, which carries them all out, keeps no place for them.
void pool_left(struct pool *p, struct call *c);
