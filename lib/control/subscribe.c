// Subscriptions of any kind: their numbers, their beginning and end.
#include "control/control.h"
#include <stdlib.h>

static void closed(struct rpc_stream *st)
{
	subscription_drop(container_of(st, struct subscription, stream));
}

// Each costs memory, and time for every line: one client shall not have all, and a
// few clients not what another needs.
enum { OF_ONE_MAX = 1024, OF_ALL_MAX = 4096, OF_ONE_FEW = 8 };

struct subscription *subscription_new(struct rpc_call *c, size_t size, void (*room)(struct rpc_stream *st))
{
	struct control *k = c->server->ctx;
	size_t most = k->nsubscriptions < OF_ALL_MAX ? OF_ONE_MAX : OF_ONE_FEW;
	bool full = c->conn && c->conn->nstreams >= most;
	struct subscription *s = c->conn && !full ? calloc(1, size) : NULL;
	if (!s) {
		rpc_refuse(c, ERR_INTERNAL, NULL, full ? "too many subscriptions, end one first" : "out of memory");
		return NULL;
	}
	k->nsubscriptions++;
	c->conn->nstreams++;
	s->control = k;
	s->id = s->control->next_id++;
	s->stream = (struct rpc_stream){ .conn = c->conn, .batch = c->batch, .room = room, .closed = closed };
	list_init(&s->link);
	list_init(&s->stream.link);
	return s;
}

void subscription_begin(struct rpc_call *c, struct subscription *s, struct list *readers)
{
	list_append(readers, &s->link);
	list_append(&c->conn->streams, &s->stream.link);
	buf_add_u64(rpc_result_begin(c), s->id);
	rpc_result_end(c);
	rpc_conn_wrote(s->stream.conn);
}

void subscription_drop(struct subscription *s)
{
	list_del(&s->link);
	list_del(&s->stream.link);
	s->stream.conn->nstreams--;
	s->control->nsubscriptions--;
	if (s->dropped)
		s->dropped(s);
	free(s);
}

void subscription_end(struct rpc_call *c, struct list *readers)
{
	bool found = false;
	struct span key, value = { NULL, 0 };
	if (c->params.at && json_type(c->params) == JSON_ARRAY) {
		struct json_iter it = json_iter(c->params);
		if (!json_next(&it, &key, &value))
			value.at = NULL;
	}
	uint64_t id = value.at && json_type(value) == JSON_NUMBER && rpc_is_u64(value) ? rpc_u64(value) : 0;
	list_for_safe (pos, readers) {
		struct subscription *s = list_entry(pos, struct subscription, link);
		if (s->id == id && s->stream.conn == c->conn) {
			subscription_drop(s);
			found = true;
		}
	}
	buf_add_str(rpc_result_begin(c), found ? "true" : "false");
	rpc_result_end(c);
}

struct buf *subscription_note(struct subscription *s, const char *method)
{
	struct buf *b = rpc_stream_begin(&s->stream);
	buf_add_str(b, "{\"jsonrpc\":\"2.0\",\"method\":\"");
	buf_add_str(b, method);
	buf_add_str(b, "\",\"params\":{\"subscription\":");
	buf_add_u64(b, s->id);
	buf_add_str(b, ",\"result\":");
	return b;
}

void subscription_note_end(struct subscription *s)
{
	buf_add_str(rpc_stream_begin(&s->stream), "}}");
	rpc_stream_end(&s->stream);
}
