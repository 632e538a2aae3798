// A connection to init's control socket: lines out, lines in, on the loop.
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "loop/loop.h"

struct link {
	struct loop *loop;
	struct source source; // fd -1: closed
	struct buf in, out;
	size_t seen; // of in: no newline in there
	size_t sent; // of out
	size_t *held, charged; // where its buffers are counted, and with how much
	struct work flush;
	bool paused;
	unsigned opened; // how often: a callback may have ended one connection and begun another
	// A line without its newline; good during the call.
	void (*line)(struct link *l, char *line, size_t len);
	// It has ended; link_close() was called.
	void (*closed)(struct link *l);
	void (*drained)(struct link *l); // all is out that was written; may be NULL
};

// *held: what all buffers hold together, which is kept right.
void link_init(struct link *l, struct loop *loop, size_t *held, void (*line)(struct link *, char *, size_t),
	void (*closed)(struct link *));
// path as for client_connect(). 0, or -1 with *err.
int link_open(struct link *l, const char *path, struct err *err);
static inline size_t link_unsent(const struct link *l)
{
	return l->out.len - l->sent;
}
static inline bool link_is_open(const struct link *l)
{
	return l->source.fd >= 0;
}
// What was added to l->out is sent before the loop sleeps.
void link_wrote(struct link *l);
// Takes no more lines until it is called with false.
void link_pause(struct link *l, bool pause);
// Harmless when it is closed. Does not call l->closed.
void link_close(struct link *l);
