// stream_*: lines of the ring, as they are and as they come.
#include "control/control.h"
#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILTER_MAX = UNIT_NAME_MAX + 64 };

enum format { AS_JSON, AS_BYTES, AS_TEXT };

struct reader {
	struct subscription base;
	struct ring_cursor cursor;
	enum format format; // AS_BYTES: see json_add_bytes(); AS_TEXT: the line protocol
	bool with_time;
	bool once; // what is there now, then the end
	char name[]; // of the filter
};

// Of use while one line is made.
static struct buf text_buf;

// "2026-01-31T12:34:56.789Z [+] name: text", the time where it is asked for.
static void make_line(const struct ring_line *l, bool with_time)
{
	char stamp[CLOCK_TEXT_MAX];
	buf_clear(&text_buf);
	if (with_time)
		buf_printf(&text_buf, "%s ", clock_text(l->wall_ms, stamp));
	buf_add_str(&text_buf, l->flags & RING_STDERR ? "[-] " : "[+] ");
	buf_add_str(&text_buf, l->owner->name);
	buf_add_str(&text_buf, l->flags & RING_TEST ? "/test: " : ": ");
	buf_add(&text_buf, l->text, l->len);
	if (text_buf.failed)
		buf_clear(&text_buf);
}

static const char *made(void)
{
	return text_buf.len ? text_buf.data : "";
}

static const struct ring_owner *owner_of(struct super *u, struct ring_filter f)
{
	char name[UNIT_NAME_MAX + 1];
	if (!f.name || f.name_len > UNIT_NAME_MAX)
		return NULL;
	memcpy(name, f.name, f.name_len);
	name[f.name_len] = '\0';
	struct service *s = super_find(u, name);
	return s ? s->lines : !strcmp(name, "zinit") ? u->own : NULL;
}

static void set_cursor(struct super *u, struct ring_cursor *cursor, const char *name, uint64_t lines)
{
	struct ring_filter f = ring_filter_of(name);
	ring_cursor_init(&u->ring, cursor, f, owner_of(u, f));
	ring_tail(&u->ring, cursor, lines > SIZE_MAX ? SIZE_MAX : (size_t)lines);
}

// ---- snapshot ----

struct snapshot {
	struct buf *b;
	size_t most; // bytes of b: beyond, the answer is refused anyway
	bool with_time, any;
};

static bool snapshot_line(void *ctx, const struct ring_line *l, uint64_t dropped)
{
	struct snapshot *s = ctx;
	(void)dropped;
	buf_add_char(s->b, s->any ? ',' : '[');
	make_line(l, s->with_time);
	json_add_str(s->b, made(), text_buf.len);
	s->any = true;
	return s->b->len <= s->most;
}

void stream_currentLogs(struct rpc_call *c, const struct param *p)
{
	struct super *u = ((struct control *)c->server->ctx)->super;
	struct ring_cursor cursor;
	set_cursor(u, &cursor, p[0].text, p[1].set ? p[1].number : UINT64_MAX);
	struct snapshot s = { .b = rpc_result_begin(c), .with_time = p[2].flag };
	s.most = s.b->len + RPC_MESSAGE_MAX;
	ring_read(&u->ring, &cursor, snapshot_line, &s);
	buf_add_str(s.b, s.any ? "]" : "[]");
	rpc_result_end(c);
}

// ---- subscriptions ----

// Sends what make_line() has made.
static void send_made(struct reader *r)
{
	if (r->format == AS_TEXT) {
		buf_add(rpc_stream_begin(&r->base.stream), made(), text_buf.len);
		rpc_stream_end(&r->base.stream);
		return;
	}
	struct buf *b = subscription_note(&r->base, "stream_subscribeLogs");
	if (r->format == AS_BYTES)
		json_add_bytes(b, made(), text_buf.len);
	else
		json_add_str(b, made(), text_buf.len);
	subscription_note_end(&r->base);
}

static bool send_line(void *ctx, const struct ring_line *l, uint64_t dropped)
{
	struct reader *r = ctx;
	if (!rpc_stream_has_room(&r->base.stream))
		return false;
	if (dropped) {
		buf_clear(&text_buf);
		buf_printf(&text_buf, "[-] zinit: %llu lines dropped", (unsigned long long)dropped);
		send_made(r);
	}
	make_line(l, r->with_time);
	send_made(r);
	return true;
}

// The end of a stream that does not follow is a null, after its last line.
static void room(struct rpc_stream *st)
{
	struct reader *r = container_of(st, struct reader, base.stream);
	struct ring *ring = &r->base.control->super->ring;
	ring_read(ring, &r->cursor, send_line, r);
	if (!r->once || r->cursor.next_seq < ring->next_seq)
		return;
	if (r->format != AS_TEXT) {
		buf_add_str(subscription_note(&r->base, "stream_subscribeLogs"), "null");
		subscription_note_end(&r->base);
	}
	subscription_drop(&r->base);
}

static struct reader *reader_new(struct rpc_call *c, const char *name, uint64_t lines)
{
	// What is longer than any name matches nothing, and so does its beginning.
	size_t len = name ? strnlen(name, FILTER_MAX) : 0;
	struct subscription *s = subscription_new(c, sizeof(struct reader) + len + 1, room);
	if (!s)
		return NULL;
	struct reader *r = container_of(s, struct reader, base);
	if (name)
		memcpy(r->name, name, len);
	set_cursor(s->control->super, &r->cursor, name ? r->name : NULL, lines);
	return r;
}

void stream_subscribeLogs(struct rpc_call *c, const struct param *p)
{
	c->action = "subscribing to logs";
	struct reader *r = reader_new(c, p[0].set ? p[0].text : p[3].text, p[1].set ? p[1].number : 0);
	if (!r)
		return;
	r->with_time = p[2].flag;
	r->format = p[5].flag ? AS_BYTES : AS_JSON;
	r->once = p[4].set && !p[4].flag;
	subscription_begin(c, &r->base, &r->base.control->lines_readers);
}

void stream_unsubscribeLogs(struct rpc_call *c, const struct param *p)
{
	(void)p;
	subscription_end(c, &((struct control *)c->server->ctx)->lines_readers);
}

void stream_text(struct rpc_call *c, bool once)
{
	struct reader *r = reader_new(c, NULL, UINT64_MAX);
	if (!r)
		return;
	r->format = AS_TEXT;
	r->once = once;
	list_append(&r->base.control->lines_readers, &r->base.link);
	list_append(&c->conn->streams, &r->base.stream.link);
	rpc_conn_wrote(c->conn);
}

// ---- news of the ring ----

static void send_lines(struct work *w)
{
	struct control *k = container_of(w, struct control, lines);
	list_for_safe (pos, &k->lines_readers) {
		struct subscription *s = list_entry(pos, struct subscription, link);
		if (rpc_stream_has_room(&s->stream))
			room(&s->stream);
	}
}

static void added(void *ctx)
{
	struct control *k = ctx;
	if (!list_empty(&k->lines_readers))
		work_queue(k->super->loop, &k->lines);
}

void stream_init(struct control *c)
{
	list_init(&c->lines_readers);
	work_init(&c->lines, send_lines);
	c->super->ring.added = added;
	c->super->ring.added_ctx = c;
	// Below 2^49: numbers that every client's JSON reader keeps exactly.
	c->next_id = (clock_wall_ms() << 8 & ((UINT64_C(1) << 48) - 1)) | 1;
}
