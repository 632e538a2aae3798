// The last lines of all services, in memory, for `zinit log`.
//
// Bounded by a number of lines and by bytes. A line is never moved or changed;
// it carries its time, and two numbers that only grow: `seq` over all owners and
// `nth` within its owner. Readers remember the next number that they want, so
// a reader costs nothing while it does not read, and sees exactly how many
// lines it missed.
//
// Room is shared fairly: an owner at or above its share (lines / owners that
// have lines) pays for its own new line with its oldest one; one below its
// share takes the oldest line of the owner that has most. init's own lines are
// kept beside the limit, in a small number of their own.
#pragma once
#include "base/list.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_LINE_MAX 8192 // bytes; what is longer goes on in the next line
#define RING_OWN_LINES 256 // lines of init itself

enum ring_flag { RING_STDOUT = 0, RING_STDERR = 1, RING_TEST = 2 };

struct ring_owner {
	struct list link; // in ring.owners, while it has lines
	struct list lines; // oldest first
	size_t nlines;
	uint64_t next_nth[2]; // of its own lines, of its test's lines
	unsigned refs; // the service and each line
	bool own; // init itself: not counted in the share
	char name[];
};

struct ring_line {
	struct list link; // in ring.lines
	struct list owner_link;
	struct ring_owner *owner;
	uint64_t seq;
	uint64_t nth; // counts per owner and stream kind (service, its test)
	uint64_t wall_ms;
	uint16_t len;
	uint8_t flags;
	char text[];
};

// Called after a line was added, for followers.
typedef void ring_added_fn(void *ctx);

struct ring {
	struct list lines; // oldest first
	struct list owners;
	struct ring_owner *heaviest; // a guess, corrected when it turns out wrong
	size_t nlines, nowners, nbytes;
	size_t max_lines, max_bytes;
	uint64_t next_seq;
	uint64_t wall_ms; // stamp for new lines; set once per turn by ring_stamp()
	ring_added_fn *added;
	void *added_ctx;
};

void ring_init(struct ring *r, size_t max_lines);
void ring_release(struct ring *r);
void ring_stamp(struct ring *r);

// One reference for the caller. NULL without memory.
struct ring_owner *ring_owner_new(const char *name, bool own);
void ring_owner_put(struct ring_owner *o);

// Adds one line (len <= RING_LINE_MAX, no newline in it). Without memory the
// line is lost and its number with it, so that followers are told.
void ring_add(struct ring *r, struct ring_owner *o, unsigned flags, const char *text, size_t len);

// Which lines a reader wants: all, or those of one name ("a" or "a/test").
struct ring_filter {
	const char *name; // NULL = all
	size_t name_len; // without "/test"
	bool test;
};
struct ring_filter ring_filter_of(const char *name);

// A reading position.
struct ring_cursor {
	struct ring_filter filter;
	uint64_t next_seq; // first line not yet looked at
	uint64_t live_from; // numbers below were there before the reader came: gaps are history
	uint64_t want; // number expected next (seq, or nth where there is a filter)
};

// Starts at what comes next. `owner` is the one that the filter names, NULL when
// there is none (yet).
void ring_cursor_init(const struct ring *r, struct ring_cursor *c, struct ring_filter f, const struct ring_owner *owner);
// Moves a fresh cursor back so that at most n lines of its filter come first.
void ring_tail(const struct ring *r, struct ring_cursor *c, size_t n);

// `dropped` lines that the reader should have seen before this one are gone.
// Returns false to get the same line again at the next ring_read().
typedef bool ring_line_fn(void *ctx, const struct ring_line *l, uint64_t dropped);
void ring_read(const struct ring *r, struct ring_cursor *c, ring_line_fn *fn, void *ctx);
