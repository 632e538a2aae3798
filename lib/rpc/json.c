#include "rpc/json.h"
#include <string.h>

// ---- check ----

struct check {
	const char *p, *end;
	bool answer; // "\u0000" and escaped bytes are allowed
};

static void skip_blanks(struct check *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r'))
		c->p++;
}

static bool is_digit(const struct check *c)
{
	return c->p < c->end && *c->p >= '0' && *c->p <= '9';
}

static bool digits(struct check *c)
{
	if (!is_digit(c))
		return false;
	while (is_digit(c))
		c->p++;
	return true;
}

static bool number(struct check *c)
{
	if (*c->p == '-')
		c->p++;
	if (c->p < c->end && *c->p == '0')
		c->p++;
	else if (!digits(c))
		return false;
	if (c->p < c->end && *c->p == '.') {
		c->p++;
		if (!digits(c))
			return false;
	}
	if (c->p < c->end && (*c->p == 'e' || *c->p == 'E')) {
		c->p++;
		if (c->p < c->end && (*c->p == '+' || *c->p == '-'))
			c->p++;
		return digits(c);
	}
	return true;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// The four digits after "\u", or -1.
static int hex4(const char *p, const char *end)
{
	if (end - p < 4)
		return -1;
	int v = 0;
	for (int i = 0; i < 4; i++) {
		int d = hex_value(p[i]);
		if (d < 0)
			return -1;
		v = v * 16 + d;
	}
	return v;
}

// At the 'u' of "\uXXXX"; a high surrogate must be followed by a low one.
static bool unicode_escape(struct check *c)
{
	int v = hex4(c->p + 1, c->end);
	bool is_byte = c->answer && v >= 0xdc80 && v <= 0xdcff;
	if (v < !c->answer || (v >= 0xdc00 && v <= 0xdfff && !is_byte))
		return false;
	c->p += 5;
	if (v < 0xd800 || v > 0xdbff)
		return true;
	if (c->end - c->p < 6 || c->p[0] != '\\' || c->p[1] != 'u')
		return false;
	v = hex4(c->p + 2, c->end);
	c->p += 6;
	return v >= 0xdc00 && v <= 0xdfff;
}

// Length of the valid UTF-8 sequence at p, 0 if it is none (RFC 3629).
static size_t utf8_len(const char *text, const char *end)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t left = (size_t)(end - text);
	if (p[0] < 0x80)
		return 1;
	size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || left < n)
		return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
		(p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

// Stands for itself in a string, and is most of what there is.
static bool is_simple(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static bool string(struct check *c)
{
	for (c->p++; c->p < c->end;) {
		unsigned char ch = (unsigned char)*c->p;
		if (is_plain(ch)) {
			c->p++;
			continue;
		}
		if (is_simple(ch)) {
			c->p++;
			continue;
		}
		if (ch == '"') {
			c->p++;
			return true;
		}
		if (ch == '\\') {
			if (++c->p == c->end)
				return false;
			if (*c->p == 'u') {
				if (!unicode_escape(c))
					return false;
			} else if (!strchr("\"\\/bfnrt", *c->p) || !*c->p) {
				return false;
			} else {
				c->p++;
			}
			continue;
		}
		size_t n = ch < 0x20 ? 0 : utf8_len(c->p, c->end);
		if (!n)
			return false;
		c->p += n;
	}
	return false;
}

static bool word(struct check *c, const char *text)
{
	size_t n = strlen(text);
	if ((size_t)(c->end - c->p) < n || memcmp(c->p, text, n) != 0)
		return false;
	c->p += n;
	return true;
}

static bool scalar(struct check *c)
{
	switch (*c->p) {
	case '"':
		return string(c);
	case 't':
		return word(c, "true");
	case 'f':
		return word(c, "false");
	case 'n':
		return word(c, "null");
	default:
		return number(c);
	}
}

static bool key_and_colon(struct check *c)
{
	skip_blanks(c);
	if (c->p == c->end || *c->p != '"' || !string(c))
		return false;
	skip_blanks(c);
	return c->p < c->end && *c->p++ == ':';
}

// One value, without recursion: the stack remembers which bracket closes.
static bool check_value(struct check c)
{
	char closers[JSON_DEPTH_MAX];
	int depth = 0;
	for (;;) {
		skip_blanks(&c);
		if (c.p == c.end)
			return false;
		if (*c.p == '{' || *c.p == '[') {
			if (depth == JSON_DEPTH_MAX)
				return false;
			char closer = *c.p++ == '{' ? '}' : ']';
			closers[depth++] = closer;
			skip_blanks(&c);
			if (c.p == c.end)
				return false;
			if (*c.p != closer) {
				if (closer == '}' && !key_and_colon(&c))
					return false;
				continue;
			}
		} else if (!scalar(&c)) {
			return false;
		}
		// After a value: close what ends here, then a comma or the end.
		for (;;) {
			skip_blanks(&c);
			if (!depth)
				return c.p == c.end;
			if (c.p == c.end)
				return false;
			if (*c.p != closers[depth - 1])
				break;
			c.p++;
			depth--;
		}
		if (*c.p++ != ',' || (closers[depth - 1] == '}' && !key_and_colon(&c)))
			return false;
	}
}

bool json_check(const char *text, size_t len)
{
	return check_value((struct check){ text, text + len, false });
}

bool json_check_answer(const char *text, size_t len)
{
	return check_value((struct check){ text, text + len, true });
}

// ---- views ----

static const char *past_blanks(const char *p)
{
	while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
		p++;
	return p;
}

static const char *past_string(const char *p)
{
	for (p++; *p != '"'; p++)
		if (*p == '\\')
			p++;
	return p + 1;
}

static const char *past_value(const char *p, const char *end)
{
	if (*p == '"')
		return past_string(p);
	if (*p != '{' && *p != '[') {
		while (p < end && !strchr(",]} \t\r\n", *p))
			p++;
		return p;
	}
	size_t depth = 0;
	do {
		if (*p == '"') {
			p = past_string(p);
			continue;
		}
		depth += *p == '{' || *p == '[';
		depth -= *p == '}' || *p == ']';
		p++;
	} while (depth);
	return p;
}

enum json_type json_type(struct span value)
{
	switch (*value.at) {
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_ARRAY;
	case '"':
		return JSON_STRING;
	case 'n':
		return JSON_NULL;
	case 't':
	case 'f':
		return JSON_BOOL;
	default:
		return JSON_NUMBER;
	}
}

struct json_iter json_iter(struct span container)
{
	static const char none[] = "]";
	if (!container.at || (*container.at != '{' && *container.at != '['))
		return (struct json_iter){ none, none, false };
	return (struct json_iter){ container.at + 1, container.at + container.len, *container.at == '{' };
}

bool json_next(struct json_iter *it, struct span *key, struct span *value)
{
	const char *p = past_blanks(it->at);
	if (*p == ',')
		p = past_blanks(p + 1);
	if (*p == '}' || *p == ']')
		return false;
	key->at = NULL;
	key->len = 0;
	if (it->object) {
		const char *end = past_string(p);
		*key = (struct span){ p, (size_t)(end - p) };
		p = past_blanks(past_blanks(end) + 1);
	}
	const char *end = past_value(p, it->end);
	*value = (struct span){ p, (size_t)(end - p) };
	it->at = end;
	return true;
}

static size_t put_utf8(unsigned v, char *out)
{
	if (v < 0x80) {
		out[0] = (char)v;
		return 1;
	}
	size_t n = v < 0x800 ? 2 : v < 0x10000 ? 3 : 4;
	for (size_t i = n - 1; i; i--) {
		out[i] = (char)(0x80 | (v & 0x3f));
		v >>= 6;
	}
	out[0] = (char)((0xf00u >> n & 0xf0) | v);
	return n;
}

static const char *decode_unicode(const char *p, const char *end, char **out)
{
	unsigned v = (unsigned)hex4(p, end);
	p += 4;
	if (v >= 0xd800 && v <= 0xdbff) {
		v = 0x10000 + ((v - 0xd800) << 10) + ((unsigned)hex4(p + 2, end) - 0xdc00);
		p += 6;
	}
	if (v >= 0xdc80 && v <= 0xdcff)
		*(*out)++ = (char)(v - 0xdc00);
	else
		*out += put_utf8(v, *out);
	return p;
}

// One character, or one byte of it; at most four come out.
static const char *decode_next(const char *p, const char *end, char **out)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	if (*p != '\\') {
		*(*out)++ = *p;
		return p + 1;
	}
	char c = p[1];
	if (c == 'u')
		return decode_unicode(p + 2, end, out);
	const char *special = strchr(from, c);
	*(*out)++ = special ? to[special - from] : c;
	return p + 2;
}

size_t json_decode(struct span s, char *out)
{
	const char *p = s.at + 1, *end = s.at + s.len - 1;
	char *start = out;
	while (p < end)
		p = decode_next(p, end, &out);
	*out = '\0';
	return (size_t)(out - start);
}

bool json_is(struct span s, const char *text)
{
	size_t n = strlen(text);
	// With escapes it is longer than what it says.
	if (s.len <= n + 2)
		return s.len == n + 2 && !memcmp(s.at + 1, text, n);
	if (!memchr(s.at, '\\', s.len))
		return false;
	const char *p = s.at + 1, *end = s.at + s.len - 1;
	while (p < end) {
		char piece[4], *after = piece;
		p = decode_next(p, end, &after);
		size_t got = (size_t)(after - piece);
		if (!*text || strncmp(text, piece, got) != 0)
			return false;
		text += got;
	}
	return !*text;
}

// ---- writing ----

static int add_escaped(struct buf *b, unsigned char c)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *special = c ? strchr(from, c) : NULL;
	if (special) {
		char two[2] = { '\\', to[special - from] };
		return buf_add(b, two, 2);
	}
	static const char hex[] = "0123456789abcdef";
	char six[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };
	return buf_add(b, six, 6);
}

static void add_bad_byte(struct buf *b, unsigned char c, bool keep)
{
	if (keep)
		buf_printf(b, "\\udc%02x", c);
	else
		buf_add(b, "\xef\xbf\xbd", 3);
}

static int add_string(struct buf *b, const char *text, size_t len, bool keep_bytes)
{
	const char *end = text + len, *run = text;
	buf_add_char(b, '"');
	while (text < end) {
		unsigned char c = (unsigned char)*text;
		if (is_simple(c)) {
			text++;
			continue;
		}
		size_t n = c < 0x20 || c == '"' || c == '\\' ? 0 : utf8_len(text, end);
		if (n) {
			text += n;
			continue;
		}
		buf_add(b, run, (size_t)(text - run));
		if (c < 0x80)
			add_escaped(b, c);
		else
			add_bad_byte(b, c, keep_bytes);
		run = ++text;
	}
	buf_add(b, run, (size_t)(text - run));
	return buf_add_char(b, '"');
}

int json_add_str(struct buf *b, const char *text, size_t len)
{
	return add_string(b, text, len, false);
}

int json_add_bytes(struct buf *b, const char *text, size_t len)
{
	return add_string(b, text, len, true);
}
