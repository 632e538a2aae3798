#include "rpc/jsonrpc.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- requests ----

bool rpc_is_u64(struct span s)
{
	static const char max[] = "18446744073709551615";
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
	return s.len < sizeof(max) - 1 || (s.len == sizeof(max) - 1 && memcmp(s.at, max, s.len) <= 0);
}

uint64_t rpc_u64(struct span digits)
{
	uint64_t n = 0;
	for (size_t i = 0; i < digits.len && digits.at[i] >= '0' && digits.at[i] <= '9'; i++)
		n = n * 10 + (uint64_t)(digits.at[i] - '0');
	return n;
}

static bool can_be_answered(struct span id)
{
	switch (json_type(id)) {
	case JSON_NULL:
	case JSON_STRING:
		return true;
	case JSON_NUMBER:
		return rpc_is_u64(id);
	case JSON_BOOL:
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	}
	return false;
}

struct members {
	struct span version, id, method, params;
	unsigned ids;
	bool twice; // one of the others more than once
};

static void keep(struct members *m, struct span *slot, struct span value)
{
	m->twice = m->twice || slot->at;
	*slot = value;
}

static void read_members(struct span object, struct members *m)
{
	struct json_iter it = json_iter(object);
	struct span key, value;
	while (json_next(&it, &key, &value)) {
		if (json_is(key, "id")) {
			m->ids++;
			m->id = value;
		} else if (json_is(key, "jsonrpc")) {
			keep(m, &m->version, value);
		} else if (json_is(key, "method")) {
			keep(m, &m->method, value);
		} else if (json_is(key, "params")) {
			keep(m, &m->params, value);
		}
	}
}

void rpc_parse(struct span object, struct rpc_request *r)
{
	struct members m = { 0 };
	*r = (struct rpc_request){ .kind = RPC_UNREADABLE };
	if (json_type(object) != JSON_OBJECT)
		return;
	read_members(object, &m);
	bool well_formed = !m.twice && m.version.at && json_type(m.version) == JSON_STRING &&
			   json_is(m.version, "2.0") && m.method.at && json_type(m.method) == JSON_STRING;
	bool answerable = m.ids == 1 && can_be_answered(m.id);
	if (answerable)
		r->id = m.id;
	r->method = m.method;
	r->params = m.params;
	if (well_formed)
		r->kind = answerable ? RPC_CALL : RPC_NOTIFICATION;
	else if (answerable)
		r->kind = RPC_INVALID;
}

// A string id is short; a long one that cannot be decoded is given back as it came.
void rpc_add_id(struct buf *b, struct span id)
{
	if (!id.at) {
		buf_add_str(b, "null");
		return;
	}
	char *text = json_type(id) == JSON_STRING && memchr(id.at, '\\', id.len) ? malloc(id.len) : NULL;
	if (text)
		json_add_str(b, text, json_decode(id, text));
	else
		buf_add(b, id.at, id.len);
	free(text);
}

// ---- parameters ----

// Where the reader of the original stood when it complained: line and column,
// counted in the text of the parameters.
static void add_place(struct buf *why, const char *from, const char *to)
{
	unsigned line = 1;
	const char *start = from;
	for (const char *p = from; p < to; p++)
		if (*p == '\n') {
			line++;
			start = p + 1;
		}
	buf_printf(why, " at line %u column %zu", line, (size_t)(to - start));
}

static bool is_fraction(struct span v)
{
	return memchr(v.at, '.', v.len) || memchr(v.at, 'e', v.len) || memchr(v.at, 'E', v.len);
}

static void add_found(struct buf *why, struct span v)
{
	switch (json_type(v)) {
	case JSON_NULL:
		buf_add_str(why, "null");
		break;
	case JSON_BOOL:
		buf_printf(why, "boolean `%.*s`", (int)v.len, v.at);
		break;
	case JSON_NUMBER:
		buf_printf(why, "%s `%.*s`", is_fraction(v) ? "floating point" : "integer", (int)v.len, v.at);
		break;
	case JSON_STRING:
		buf_printf(why, "string %.*s", (int)v.len, v.at);
		break;
	case JSON_ARRAY:
		buf_add_str(why, "sequence");
		break;
	case JSON_OBJECT:
		buf_add_str(why, "map");
		break;
	}
}

static int wrong_type(struct buf *why, const struct param_spec *spec, const char *from, struct span v)
{
	static const char *const wanted[] = { "a string", "a boolean", "u64", "a map" };
	enum json_type t = json_type(v);
	buf_add_str(why, "invalid type: ");
	add_found(why, v);
	buf_printf(why, ", expected %s", wanted[spec->type]);
	add_place(why, from, t == JSON_ARRAY || t == JSON_OBJECT ? v.at : v.at + v.len);
	return -1;
}

static int take(struct span v, const struct param_spec *spec, struct param *p, const char *from, struct buf *scratch,
	struct buf *why)
{
	enum json_type t = json_type(v);
	if (t == JSON_NULL && !spec->required)
		return 0;
	if (spec->type == PARAM_STRING && t == JSON_STRING) {
		// The room was reserved for all strings at once: nothing moves.
		p->text = scratch->data + scratch->len;
		p->len = json_decode(v, scratch->data + scratch->len);
		scratch->len += p->len + 1;
	} else if (spec->type == PARAM_BOOL && t == JSON_BOOL) {
		p->flag = *v.at == 't';
	} else if (spec->type == PARAM_NUMBER && t == JSON_NUMBER && rpc_is_u64(v)) {
		p->number = rpc_u64(v);
	} else if (spec->type == PARAM_MAP && t == JSON_OBJECT) {
		p->json = v;
	} else {
		return wrong_type(why, spec, from, v);
	}
	p->set = true;
	return 0;
}

static int by_position(struct span params, const struct param_spec *specs, size_t n, struct param *out,
	struct buf *scratch, struct buf *why)
{
	struct json_iter it = json_iter(params);
	const char *from = it.at;
	for (size_t i = 0; i < n; i++) {
		struct span key, v;
		if (!json_next(&it, &key, &v)) {
			if (!specs[i].required)
				return 0;
			buf_add_str(why, "No more params");
			return -1;
		}
		if (take(v, &specs[i], &out[i], from, scratch, why) < 0)
			return -1;
		// The next one is counted from behind the comma.
		from = memchr(it.at, ',', (size_t)(it.end - it.at));
		from = from ? from + 1 : it.at;
	}
	return 0;
}

static int by_name(struct span params, const struct param_spec *specs, size_t n, struct param *out, struct buf *scratch,
	struct buf *why)
{
	struct json_iter it = json_iter(params);
	struct span key, v;
	bool seen[PARAM_MAX] = { false };
	while (json_next(&it, &key, &v))
		for (size_t i = 0; i < n; i++) {
			if (!json_is(key, specs[i].name))
				continue;
			if (seen[i]) {
				buf_printf(why, "duplicate field `%s`", specs[i].name);
				add_place(why, params.at, key.at + key.len);
				return -1;
			}
			seen[i] = true;
			if (take(v, &specs[i], &out[i], params.at, scratch, why) < 0)
				return -1;
		}
	for (size_t i = 0; i < n; i++)
		if (!seen[i] && specs[i].required) {
			buf_printf(why, "missing field `%s`", specs[i].name);
			add_place(why, params.at, params.at + params.len);
			return -1;
		}
	return 0;
}

// The raw text in quotes, as the original's debug print has it.
static int no_container(struct span params, struct buf *why)
{
	buf_add_str(why, "Invalid params. Expected one of '[', ']' or ',' but found ");
	json_add_str(why, params.at, params.len);
	return -1;
}

int rpc_params(struct span params, const struct param_spec *specs, size_t n, struct param *out, struct buf *scratch,
	struct buf *why)
{
	memset(out, 0, n * sizeof(*out));
	if (!n)
		return 0;
	if (params.at && json_type(params) == JSON_NULL)
		params.at = NULL;
	if (!params.at)
		params = (struct span){ "[]", 2 };
	buf_clear(scratch);
	if (buf_reserve(scratch, params.len + PARAM_MAX) < 0) {
		buf_add_str(why, "out of memory");
		return -1;
	}
	switch (json_type(params)) {
	case JSON_ARRAY:
		return by_position(params, specs, n, out, scratch, why);
	case JSON_OBJECT:
		return by_name(params, specs, n, out, scratch, why);
	case JSON_NULL:
	case JSON_BOOL:
	case JSON_NUMBER:
	case JSON_STRING:
		break;
	}
	return no_container(params, why);
}

// ---- errors ----

static void begin_error(struct buf *b, struct span id, int code)
{
	buf_add_str(b, "{\"jsonrpc\":\"2.0\",\"id\":");
	rpc_add_id(b, id);
	buf_printf(b, ",\"error\":{\"code\":%d,\"message\":", code);
}

void rpc_add_error(struct buf *b, struct span id, int code, const char *message, const char *data)
{
	begin_error(b, id, code);
	json_add_str(b, message, strlen(message));
	if (data) {
		buf_add_str(b, ",\"data\":");
		buf_add_str(b, data);
	}
	buf_add_str(b, "}}");
}

static void add_text(struct buf *b, const char *member, const char *text)
{
	buf_printf(b, ",\"%s\":", member);
	if (text)
		json_add_str(b, text, strlen(text));
	else
		buf_add_str(b, "null");
}

// A bad signal names the signal where the others name the service, and two
// kinds of error name the step that failed instead of the whole action.
void rpc_add_err(
	struct buf *b, struct span id, const struct err *err, const char *action, const char *step, const char *service)
{
	const struct err_info *info = err_info(err->code);
	if (!step)
		step = err->code == ERR_CONFIG           ? "loading service config"
		       : err->code == ERR_INVALID_SIGNAL ? "parsing signal"
							 : action;
	char message[sizeof(err->text) + 64];
	snprintf(message, sizeof(message), "%s: %s", err->code == ERR_INVALID_SIGNAL ? step : action, err->text);
	begin_error(b, id, info->rpc_code);
	json_add_str(b, message, strlen(message));
	buf_add_str(b, ",\"data\":{\"action\":");
	json_add_str(b, step, strlen(step));
	if (err->cause[0]) {
		buf_add_str(b, ",\"cause_chain\":[");
		json_add_str(b, err->cause, strlen(err->cause));
		buf_add_char(b, ']');
	} else if (info->kind == ERR_KIND_FULL) {
		buf_add_str(b, ",\"cause_chain\":null");
	}
	add_text(b, "code_name", info->name);
	if (info->hint)
		add_text(b, "hint", info->hint);
	if (info->kind == ERR_KIND_FULL)
		buf_printf(b, ",\"retryable\":%s", info->retryable ? "true" : "false");
	add_text(b, err->code == ERR_INVALID_SIGNAL ? "signal" : "service", service);
	buf_add_str(b, "}}}");
}
