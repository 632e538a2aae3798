#include "http/parse.h"
#include <string.h>
#include <strings.h>

enum { BLANK_LINES_MAX = 4 };

static int refuse(struct http_head *h, uint16_t status)
{
	h->status = status;
	return -1;
}

static bool is_tchar(unsigned char c)
{
	if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
		return true;
	return c && strchr("!#$%&'*+-.^_`|~", c);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

// What may stand in a field value, and in a chunk extension.
static bool is_text(unsigned char c)
{
	return c == '\t' || (c >= 0x20 && c != 0x7f);
}

// How many of the bytes certainly are such: eight at a time, by the usual tricks
// that find a byte below 0x20 or equal to 0x7f in a word.
static size_t text_run(const char *p, size_t len)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
	size_t n = 0;
	for (uint64_t v; len - n >= sizeof(v); n += sizeof(v)) {
		memcpy(&v, p + n, sizeof(v));
		uint64_t del = v ^ (ones * 0x7f);
		if ((((v - ones * 0x20) & ~v) | ((del - ones) & ~del)) & tops)
			break;
	}
	return n;
}

bool http_span_is(const char *data, struct http_span s, const char *text)
{
	return s.at && strlen(text) == s.len && !strncasecmp(data + s.at, text, s.len);
}

bool http_method_is(const struct http_head *h, const char *data, const char *name)
{
	return strlen(name) == h->method.len && !memcmp(data + h->method.at, name, h->method.len);
}

// ---- request line ----

static bool is_version(const char *p, size_t len)
{
	return len == 8 && !memcmp(p, "HTTP/", 5) && is_digit(p[5]) && p[6] == '.' && is_digit(p[7]);
}

static int version(struct http_head *h, const char *p, size_t len)
{
	if (!is_version(p, len) || !memcmp(p + 5, "0.9", 3))
		return refuse(h, 400);
	if (p[5] != '1' || p[7] > '1')
		return refuse(h, 505);
	h->http10 = p[7] == '0';
	return 0;
}

// line[0..len) without its line end, `at` in the buffer.
static int request_line(struct http_head *h, const char *data, size_t at, size_t len)
{
	const char *line = data + at;
	size_t m = 0, t;
	while (m < len && is_tchar((unsigned char)line[m]))
		m++;
	if (!m || m == len || line[m] != ' ')
		return refuse(h, 400);
	for (t = m + 1; t < len && line[t] > 0x20 && line[t] < 0x7f; t++)
		;
	size_t target_len = t - m - 1;
	if (!target_len || t == len || line[t] != ' ')
		return refuse(h, 400);
	if (target_len > HTTP_TARGET_MAX)
		return refuse(h, 414);
	h->method = (struct http_span){ (uint16_t)at, (uint16_t)m };
	h->target = (struct http_span){ (uint16_t)(at + m + 1), (uint16_t)target_len };
	return version(h, line + t + 1, len - t - 1);
}

// ---- fields ----

static bool is_host_char(unsigned char c)
{
	if (!c || c == '|' || c == '^' || c == '`' || c == '#')
		return false;
	return is_tchar(c) || strchr("();,=", c);
}

// host [":" port], RFC 3986 3.2.2 and 3.2.3; may be empty.
static bool is_host(const char *p, size_t len)
{
	size_t i = 0;
	if (len && p[0] == '[') {
		for (i = 1; i < len && (is_digit(p[i]) || p[i] == ':' || p[i] == '.' ||
					       ((p[i] | 0x20) >= 'a' && (p[i] | 0x20) <= 'f'));
			i++)
			;
		if (i < 3 || i == len || p[i++] != ']')
			return false;
	} else {
		while (i < len && is_host_char((unsigned char)p[i]))
			i++;
	}
	if (i < len && p[i++] != ':')
		return false;
	while (i < len && is_digit(p[i]))
		i++;
	return i == len;
}

static int host(struct http_head *h, const char *value, size_t len)
{
	return is_host(value, len) ? 0 : refuse(h, 400);
}

static int content_length(struct http_head *h, const char *value, size_t len)
{
	uint64_t n = 0;
	if (!len)
		return refuse(h, 400);
	for (size_t i = 0; i < len; i++) {
		if (!is_digit(value[i]) || n > (UINT64_MAX - 9) / 10)
			return refuse(h, 400);
		n = n * 10 + (uint64_t)(value[i] - '0');
	}
	h->length = n;
	h->has_length = true;
	return 0;
}

// One coding that we do not have is "not implemented"; all else that is not
// exactly "chunked" is a message whose end nobody agrees on.
static int transfer_encoding(struct http_head *h, const char *value, size_t len)
{
	if (len == 7 && !strncasecmp(value, "chunked", 7)) {
		h->chunked = true;
		return 0;
	}
	for (size_t i = 0; i < len; i++)
		if (!is_tchar((unsigned char)value[i]))
			return refuse(h, 400);
	return refuse(h, len ? 501 : 400);
}

// Is the word among the elements of a comma-separated list?
static bool has_element(const char *p, size_t len, const char *word)
{
	const char *end = p + len;
	size_t n = strlen(word);
	while (p < end) {
		while (p < end && (*p == ' ' || *p == '\t' || *p == ','))
			p++;
		const char *from = p;
		while (p < end && *p != ',')
			p++;
		const char *to = p;
		while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
			to--;
		if ((size_t)(to - from) == n && !strncasecmp(from, word, n))
			return true;
	}
	return false;
}

static int connection(struct http_head *h, const char *value, size_t len)
{
	h->close = h->close || has_element(value, len, "close");
	h->keep_alive = h->keep_alive || has_element(value, len, "keep-alive");
	h->connection_upgrade = h->connection_upgrade || has_element(value, len, "upgrade");
	return 0;
}

static int upgrade(struct http_head *h, const char *value, size_t len)
{
	h->websocket = h->websocket || has_element(value, len, "websocket");
	return 0;
}

static int expect(struct http_head *h, const char *value, size_t len)
{
	h->expect_continue = h->expect_continue || has_element(value, len, "100-continue");
	return 0;
}

enum repeat { MANY, FIRST, ONCE }; // of a field given twice: all count, the first, or refused

static const struct field {
	const char *name;
	uint8_t len;
	uint8_t repeat;
	uint16_t slot; // offset of its span in struct http_head; 0: none
	int (*take)(struct http_head *h, const char *value, size_t len);
} fields[] = {
#define FIELD(name, repeat, slot, take) \
	{ \
		name, sizeof(name) - 1, repeat, slot, take \
	}
#define SLOT(member) offsetof(struct http_head, member)
	FIELD("host", ONCE, SLOT(host), host),
	FIELD("content-length", ONCE, SLOT(content_length), content_length),
	FIELD("content-type", FIRST, SLOT(content_type), NULL),
	FIELD("connection", MANY, 0, connection),
	FIELD("origin", ONCE, SLOT(origin), NULL),
	FIELD("authorization", ONCE, SLOT(authorization), NULL),
	FIELD("transfer-encoding", ONCE, SLOT(transfer_encoding), transfer_encoding),
	FIELD("expect", MANY, 0, expect),
	FIELD("upgrade", MANY, 0, upgrade),
	FIELD("sec-websocket-key", ONCE, SLOT(ws_key), NULL),
	FIELD("sec-websocket-version", ONCE, SLOT(ws_version), NULL),
#undef FIELD
#undef SLOT
};

static const struct field *find_field(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (fields[i].len == len && !strncasecmp(fields[i].name, name, len))
			return &fields[i];
	return NULL;
}

static int take_field(struct http_head *h, const struct field *f, const char *data, size_t at, size_t len)
{
	struct http_span *s = f->slot ? (struct http_span *)(void *)((char *)h + f->slot) : NULL;
	if (s && s->at && f->repeat == ONCE)
		return refuse(h, 400);
	if (s && !s->at)
		*s = (struct http_span){ (uint16_t)at, (uint16_t)len };
	return f->take ? f->take(h, data + at, len) : 0;
}

static int field_line(struct http_head *h, const char *data, size_t at, size_t len)
{
	const char *line = data + at;
	size_t n = 0, from, to = len;
	while (n < len && is_tchar((unsigned char)line[n]))
		n++;
	if (!n || n == len || line[n] != ':')
		return refuse(h, 400);
	if (h->nfields++ == HTTP_FIELDS_MAX)
		return refuse(h, 431);
	for (from = n + 1; from < to && (line[from] == ' ' || line[from] == '\t'); from++)
		;
	while (to > from && (line[to - 1] == ' ' || line[to - 1] == '\t'))
		to--;
	const struct field *f = find_field(line, n);
	return f ? take_field(h, f, data, at + from, to - from) : 0;
}

// ---- the whole head ----

// What can be said only when all fields are known.
static int finish(struct http_head *h)
{
	if (!h->http10 && !h->host.at)
		return refuse(h, 400);
	if (h->transfer_encoding.at && (h->http10 || h->content_length.at))
		return refuse(h, 400);
	return h->scan;
}

// A line without its end, at h->line. 0: go on; else as http_head_parse().
static int take_line(struct http_head *h, const char *data, size_t len)
{
	if (!h->target.at && !len)
		return ++h->blank_lines > BLANK_LINES_MAX ? refuse(h, 400) : 0;
	if (!h->target.at)
		return request_line(h, data, h->line, len);
	return len ? field_line(h, data, h->line, len) : finish(h);
}

static int too_long(struct http_head *h, size_t len)
{
	enum { METHOD_AND_VERSION = 64 };
	if (!h->target.at && len - h->line > HTTP_TARGET_MAX + METHOD_AND_VERSION)
		return refuse(h, 414);
	return len >= HTTP_HEAD_MAX ? refuse(h, 431) : 0;
}

int http_head_parse(struct http_head *h, const char *data, size_t len)
{
	size_t end = len < HTTP_HEAD_MAX ? len : HTTP_HEAD_MAX;
	while (h->scan < end) {
		unsigned char c = (unsigned char)data[h->scan];
		if (c == '\r' && h->scan + 1u == end)
			break;
		if (c != '\r') {
			bool first = h->scan == h->line && !h->target.at;
			if (first ? !is_tchar(c) : !is_text(c))
				return refuse(h, 400);
			h->scan++;
			h->scan = (uint16_t)(h->scan + text_run(data + h->scan, end - h->scan));
			continue;
		}
		if (data[h->scan + 1] != '\n')
			return refuse(h, 400);
		size_t n = (size_t)(h->scan - h->line);
		h->scan = (uint16_t)(h->scan + 2);
		int rc = take_line(h, data, n);
		if (rc)
			return rc;
		h->line = h->scan;
	}
	return too_long(h, len);
}

// ---- chunked bodies ----

enum {
	CHUNK_SIZE,
	CHUNK_EXTENSION,
	CHUNK_SIZE_LF,
	CHUNK_CONTENT,
	CHUNK_CR,
	CHUNK_LF,
	TRAILER_LINE,
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	LAST_LF,
	CHUNK_REFUSED,
};

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int size_digit(struct http_chunked *c, char ch)
{
	int v = hex_value(ch);
	if (v < 0) {
		if (!c->digits || (ch != ';' && ch != '\r'))
			return CHUNK_REFUSED;
		return ch == ';' ? CHUNK_EXTENSION : CHUNK_SIZE_LF;
	}
	if (c->digits++ == 8)
		return CHUNK_REFUSED;
	c->left = c->left << 4 | (uint32_t)v;
	return CHUNK_SIZE;
}

static int trailer_line(struct http_chunked *c, char ch)
{
	if (ch == '\r')
		return LAST_LF;
	return is_tchar((unsigned char)ch) && c->fields++ < HTTP_FIELDS_MAX ? TRAILER_NAME : CHUNK_REFUSED;
}

static int size_end(struct http_chunked *c)
{
	c->digits = 0;
	return c->left ? CHUNK_CONTENT : TRAILER_LINE;
}

// The state after one byte that is no content.
static int next_state(struct http_chunked *c, char ch)
{
	switch (c->state) {
	case CHUNK_SIZE:
		return size_digit(c, ch);
	case CHUNK_EXTENSION:
	case TRAILER_VALUE:
		if (ch == '\r')
			return c->state == CHUNK_EXTENSION ? CHUNK_SIZE_LF : TRAILER_LF;
		return is_text((unsigned char)ch) ? c->state : CHUNK_REFUSED;
	case CHUNK_SIZE_LF:
		return ch == '\n' ? size_end(c) : CHUNK_REFUSED;
	case CHUNK_CR:
		return ch == '\r' ? CHUNK_LF : CHUNK_REFUSED;
	case CHUNK_LF:
		return ch == '\n' ? CHUNK_SIZE : CHUNK_REFUSED;
	case TRAILER_LINE:
		return trailer_line(c, ch);
	case TRAILER_NAME:
		if (ch == ':')
			return TRAILER_VALUE;
		return is_tchar((unsigned char)ch) ? TRAILER_NAME : CHUNK_REFUSED;
	case TRAILER_LF:
		return ch == '\n' ? TRAILER_LINE : CHUNK_REFUSED;
	default:
		return CHUNK_REFUSED;
	}
}

// Extensions and trailers have a budget of their own; sizes and line ends may
// not outweigh the content by more than it: no endless rows of tiny chunks.
static bool is_wasteful(struct http_chunked *c)
{
	bool extra = c->state == CHUNK_EXTENSION || c->state >= TRAILER_LINE;
	if (extra)
		return ++c->extra > HTTP_OVERHEAD_MAX;
	return ++c->framing > HTTP_OVERHEAD_MAX + c->data;
}

enum http_chunk http_chunked_next(
	struct http_chunked *c, const char *data, size_t len, size_t *used, size_t *at, size_t *n)
{
	size_t i = 0;
	for (; i < len && c->state != CHUNK_REFUSED; i++) {
		if (c->state == CHUNK_CONTENT) {
			*at = i;
			*n = len - i < c->left ? len - i : c->left;
			c->left -= (uint32_t)*n;
			c->data += *n;
			if (!c->left)
				c->state = CHUNK_CR;
			*used = i + *n;
			return HTTP_CHUNK_DATA;
		}
		if (c->state == LAST_LF && data[i] == '\n') {
			*used = i + 1;
			return HTTP_CHUNK_END;
		}
		c->state = (uint8_t)next_state(c, data[i]);
		if (is_wasteful(c))
			c->state = CHUNK_REFUSED;
	}
	*used = i;
	return c->state == CHUNK_REFUSED ? HTTP_CHUNK_BAD : HTTP_CHUNK_MORE;
}

bool http_is_json_type(const char *data, struct http_span type)
{
	static const char *const types[] = { "application/json", "application/json;charset=utf-8",
		"application/json; charset=utf-8", "application/json-rpc", "application/json-rpc;charset=utf-8",
		"application/json-rpc; charset=utf-8" };
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (http_span_is(data, type, types[i]))
			return true;
	return false;
}
