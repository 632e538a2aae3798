#include "svc/ring.h"
#include "base/clock.h"
#include <stdlib.h>
#include <string.h>

enum { BYTES_PER_LINE = 512, LEAST_BYTES = 64 * 1024 };

void ring_init(struct ring *r, size_t max_lines)
{
	*r = (struct ring){ .max_lines = max_lines, .next_seq = 1 };
	r->max_bytes = max_lines > SIZE_MAX / BYTES_PER_LINE ? SIZE_MAX : max_lines * BYTES_PER_LINE;
	if (r->max_bytes < LEAST_BYTES)
		r->max_bytes = LEAST_BYTES;
	list_init(&r->lines);
	list_init(&r->owners);
	ring_stamp(r);
}

void ring_stamp(struct ring *r)
{
	r->wall_ms = clock_wall_ms();
}

struct ring_owner *ring_owner_new(const char *name, bool own)
{
	size_t size = strlen(name) + 1;
	struct ring_owner *o = calloc(1, sizeof(*o) + size);
	if (!o)
		return NULL;
	list_init(&o->link);
	list_init(&o->lines);
	o->refs = 1;
	o->own = own;
	o->next_nth[0] = o->next_nth[1] = 1;
	memcpy(o->name, name, size);
	return o;
}

void ring_owner_put(struct ring_owner *o)
{
	if (o && !--o->refs)
		free(o);
}

static size_t line_size(size_t len)
{
	return sizeof(struct ring_line) + len;
}

static void drop_line(struct ring *r, struct ring_line *l)
{
	// The analyser cannot follow lines through the lists and thinks one stays linked.
	struct ring_owner *o = l->owner; // NOLINT(clang-analyzer-unix.Malloc)
	list_del(&l->link);
	list_del(&l->owner_link);
	o->nlines--;
	if (!o->own) {
		r->nlines--;
		r->nbytes -= line_size(l->len);
		if (!o->nlines) {
			list_del(&o->link);
			r->nowners--;
			if (r->heaviest == o)
				r->heaviest = NULL;
		}
	}
	ring_owner_put(o);
	free(l);
}

static void drop_oldest_of(struct ring *r, struct ring_owner *o)
{
	drop_line(r, list_entry(o->lines.next, struct ring_line, owner_link));
}

static struct ring_owner *find_heaviest(struct ring *r, size_t share)
{
	if (r->heaviest && r->heaviest->nlines > share)
		return r->heaviest;
	r->heaviest = NULL;
	list_for (pos, &r->owners) {
		struct ring_owner *o = list_entry(pos, struct ring_owner, link);
		if (!r->heaviest || o->nlines > r->heaviest->nlines)
			r->heaviest = o;
	}
	return r->heaviest;
}

static void make_room(struct ring *r, struct ring_owner *o, size_t size)
{
	while (r->nlines && (r->nlines >= r->max_lines || r->nbytes + size > r->max_bytes)) {
		size_t owners = r->nowners + !o->nlines;
		size_t share = r->max_lines / owners;
		if (o->nlines && o->nlines >= share)
			drop_oldest_of(r, o);
		else
			drop_oldest_of(r, find_heaviest(r, share));
	}
}

static void link_line(struct ring *r, struct ring_owner *o, struct ring_line *l)
{
	list_append(&r->lines, &l->link);
	list_append(&o->lines, &l->owner_link);
	o->refs++;
	o->nlines++;
	if (o->own) {
		if (o->nlines > RING_OWN_LINES)
			drop_oldest_of(r, o);
		return;
	}
	r->nlines++;
	r->nbytes += line_size(l->len);
	if (o->nlines == 1) {
		list_append(&r->owners, &o->link);
		r->nowners++;
	}
	if (!r->heaviest || o->nlines > r->heaviest->nlines)
		r->heaviest = o;
}

void ring_add(struct ring *r, struct ring_owner *o, unsigned flags, const char *text, size_t len)
{
	uint64_t seq = r->next_seq++;
	uint64_t nth = o->next_nth[(flags & RING_TEST) != 0]++;
	if (!o->own && !r->max_lines)
		return;
	size_t size = line_size(len);
	if (!o->own)
		make_room(r, o, size);
	struct ring_line *l = malloc(size);
	if (!l)
		return;
	*l = (struct ring_line){
		.owner = o,
		.seq = seq,
		.nth = nth,
		.wall_ms = r->wall_ms,
		.len = (uint16_t)len,
		.flags = (uint8_t)flags,
	};
	memcpy(l->text, text, len);
	link_line(r, o, l);
	if (r->added)
		r->added(r->added_ctx);
}

void ring_release(struct ring *r)
{
	list_for_safe (pos, &r->lines)
		drop_line(r, list_entry(pos, struct ring_line, link));
}

struct ring_filter ring_filter_of(const char *name)
{
	struct ring_filter f = { .name = name };
	if (!name)
		return f;
	f.name_len = strlen(name);
	if (f.name_len > 5 && !strcmp(name + f.name_len - 5, "/test")) {
		f.name_len -= 5;
		f.test = true;
	}
	return f;
}

static bool passes(const struct ring_filter *f, const struct ring_line *l)
{
	return !f->name || (((l->flags & RING_TEST) != 0) == f->test &&
				   !strncmp(l->owner->name, f->name, f->name_len) && !l->owner->name[f->name_len]);
}

// First line with seq >= wanted. Searched from the newest: a reader that keeps
// up finds it at once, one that lags pays for lines that it then reads.
static const struct list *find_seq(const struct ring *r, uint64_t wanted)
{
	const struct list *pos = r->lines.prev;
	while (pos != &r->lines && list_entry(pos, struct ring_line, link)->seq >= wanted)
		pos = pos->prev;
	return pos->next;
}

void ring_cursor_init(const struct ring *r, struct ring_cursor *c, struct ring_filter f, const struct ring_owner *owner)
{
	*c = (struct ring_cursor){ .filter = f, .next_seq = r->next_seq };
	// Lines outlive the service that wrote them.
	for (const struct list *pos = r->lines.prev; f.name && !owner && pos != &r->lines; pos = pos->prev)
		if (passes(&f, list_entry(pos, struct ring_line, link)))
			owner = list_entry(pos, struct ring_line, link)->owner;
	c->live_from = !f.name ? r->next_seq : owner ? owner->next_nth[f.test] : 1;
	c->want = c->live_from;
}

void ring_read(const struct ring *r, struct ring_cursor *c, ring_line_fn *fn, void *ctx)
{
	if (c->next_seq >= r->next_seq)
		return;
	for (const struct list *pos = find_seq(r, c->next_seq); pos != &r->lines; pos = pos->next) {
		const struct ring_line *l = list_entry(pos, struct ring_line, link);
		if (passes(&c->filter, l)) {
			uint64_t number = c->filter.name ? l->nth : l->seq;
			bool live = number >= c->live_from;
			if (!fn(ctx, l, live && number > c->want ? number - c->want : 0))
				return;
			if (live)
				c->want = number + 1;
		}
		c->next_seq = l->seq + 1;
	}
	c->next_seq = r->next_seq;
}

void ring_tail(const struct ring *r, struct ring_cursor *c, size_t n)
{
	uint64_t from = r->next_seq;
	for (const struct list *pos = r->lines.prev; n && pos != &r->lines; pos = pos->prev) {
		const struct ring_line *l = list_entry(pos, struct ring_line, link);
		if (passes(&c->filter, l)) {
			from = l->seq;
			n--;
		}
	}
	c->next_seq = from;
}
