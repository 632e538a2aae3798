// stream_*: lines of the ring, as they are and as they come.
#include "control/control.h"
#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct subscription {
	struct rpc_stream stream;
	struct list link; // in control.subscriptions
	struct control *control;
	struct ring_cursor cursor;
	uint64_t id;
	bool with_time;
	bool raw; // every byte, see json_add_bytes()
	bool once; // what is there now, then one result null, and no more
	char name[]; // of the filter
};

// Of use while one line is made into JSON.
static struct buf text_buf;

// "2026-01-31T12:34:56.789Z [+] name: text", the time where it is asked for.
static void add_line(struct buf *b, const struct ring_line *l, bool with_time, bool raw)
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
		json_add_str(b, "", 0);
	else if (raw)
		json_add_bytes(b, text_buf.data, text_buf.len);
	else
		json_add_str(b, text_buf.data, text_buf.len);
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
	bool with_time, any;
};

static bool snapshot_line(void *ctx, const struct ring_line *l, uint64_t dropped)
{
	struct snapshot *s = ctx;
	(void)dropped;
	buf_add_char(s->b, s->any ? ',' : '[');
	add_line(s->b, l, s->with_time, false);
	s->any = true;
	return true;
}

void stream_currentLogs(struct rpc_call *c, const struct param *p)
{
	struct super *u = ((struct control *)c->server->ctx)->super;
	struct ring_cursor cursor;
	set_cursor(u, &cursor, p[0].text, p[1].set ? p[1].number : UINT64_MAX);
	struct snapshot s = { .b = rpc_result_begin(c), .with_time = p[2].flag };
	ring_read(&u->ring, &cursor, snapshot_line, &s);
	buf_add_str(s.b, s.any ? "]" : "[]");
	rpc_result_end(c);
}

// ---- subscriptions ----

static void begin_note(struct subscription *s, struct buf *b)
{
	buf_add_str(b, "{\"jsonrpc\":\"2.0\",\"method\":\"stream_subscribeLogs\",\"params\":{\"subscription\":");
	buf_add_u64(b, s->id);
	buf_add_str(b, ",\"result\":");
}

static void note_dropped(struct subscription *s, uint64_t dropped)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "[-] zinit: %llu lines dropped", (unsigned long long)dropped);
	struct buf *b = rpc_stream_begin(&s->stream);
	begin_note(s, b);
	json_add_str(b, text, (size_t)n);
	buf_add_str(b, "}}");
	rpc_stream_end(&s->stream);
}

static bool send_line(void *ctx, const struct ring_line *l, uint64_t dropped)
{
	struct subscription *s = ctx;
	if (!rpc_stream_has_room(&s->stream))
		return false;
	if (dropped)
		note_dropped(s, dropped);
	struct buf *b = rpc_stream_begin(&s->stream);
	begin_note(s, b);
	add_line(b, l, s->with_time, s->raw);
	buf_add_str(b, "}}");
	rpc_stream_end(&s->stream);
	return true;
}

static void drop(struct subscription *s)
{
	list_del(&s->link);
	list_del(&s->stream.link);
	free(s);
}

// The end of a stream that does not follow is a null, after its last line.
static void room(struct rpc_stream *st)
{
	struct subscription *s = container_of(st, struct subscription, stream);
	struct ring *r = &s->control->super->ring;
	ring_read(r, &s->cursor, send_line, s);
	if (!s->once || s->cursor.next_seq < r->next_seq)
		return;
	struct buf *b = rpc_stream_begin(st);
	begin_note(s, b);
	buf_add_str(b, "null}}");
	rpc_stream_end(st);
	drop(s);
}

static void closed(struct rpc_stream *st)
{
	drop(container_of(st, struct subscription, stream));
}

void stream_subscribeLogs(struct rpc_call *c, const struct param *p)
{
	struct control *k = c->server->ctx;
	const char *name = p[0].set ? p[0].text : p[3].text;
	size_t size = name ? strlen(name) + 1 : 1;
	struct subscription *s = c->conn ? calloc(1, sizeof(*s) + size) : NULL;
	if (!s) {
		struct err err;
		err_set(&err, ERR_INTERNAL, "out of memory");
		c->action = "subscribing to logs";
		rpc_fail(c, &err, name);
		return;
	}
	if (name)
		memcpy(s->name, name, size);
	s->control = k;
	s->id = k->next_id++;
	s->with_time = p[2].flag;
	s->raw = p[5].flag;
	s->once = p[4].set && !p[4].flag;
	s->stream = (struct rpc_stream){ .conn = c->conn, .room = room, .closed = closed };
	set_cursor(k->super, &s->cursor, name ? s->name : NULL, p[1].set ? p[1].number : 0);
	list_append(&k->subscriptions, &s->link);
	list_append(&c->conn->streams, &s->stream.link);
	// The answer comes before the first line, which the connection asks for next.
	buf_add_u64(rpc_result_begin(c), s->id);
	rpc_result_end(c);
	rpc_conn_wrote(s->stream.conn);
}

// Anything but the number of a subscription of this connection: false, no error.
void stream_unsubscribeLogs(struct rpc_call *c, const struct param *p)
{
	(void)p;
	bool found = false;
	struct span key, value = { NULL, 0 };
	if (c->params.at && json_type(c->params) == JSON_ARRAY) {
		struct json_iter it = json_iter(c->params);
		if (!json_next(&it, &key, &value))
			value.at = NULL;
	}
	uint64_t id = value.at && json_type(value) == JSON_NUMBER && rpc_is_u64(value) ? rpc_u64(value) : 0;
	struct control *k = c->server->ctx;
	list_for_safe (pos, &k->subscriptions) {
		struct subscription *s = list_entry(pos, struct subscription, link);
		if (s->id == id && s->stream.conn == c->conn) {
			drop(s);
			found = true;
		}
	}
	buf_add_str(rpc_result_begin(c), found ? "true" : "false");
	rpc_result_end(c);
}

// ---- news of the ring ----

static void send_lines(struct work *w)
{
	struct control *k = container_of(w, struct control, lines);
	list_for_safe (pos, &k->subscriptions) {
		struct subscription *s = list_entry(pos, struct subscription, link);
		if (rpc_stream_has_room(&s->stream))
			room(&s->stream);
	}
}

static void added(void *ctx)
{
	struct control *k = ctx;
	if (!list_empty(&k->subscriptions))
		work_queue(k->super->loop, &k->lines);
}

void stream_init(struct control *c)
{
	list_init(&c->subscriptions);
	work_init(&c->lines, send_lines);
	c->super->ring.added = added;
	c->super->ring.added_ctx = c;
	// Below 2^49: numbers that every client's JSON reader keeps exactly.
	c->next_id = (clock_wall_ms() << 8 & ((UINT64_C(1) << 48) - 1)) | 1;
}
