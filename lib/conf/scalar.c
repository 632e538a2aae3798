// What a scalar means. libyaml only says how it was written; YAML 1.1 and 1.2
// read the same word differently, so the choice is made here, once.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/yaml.h"

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++) {
		if (strcmp(text, *words) == 0)
			return true;
	}
	return false;
}

static bool looks_null(const char *text)
{
	static const char *const words[] = { "", "~", "null", "Null", "NULL", NULL };

	return is_one_of(text, words);
}

static int parse_bool(const char *text, bool *value)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(text, words[i]) == 0) {
			*value = i % 2;
			return 0;
		}
	}
	return -1;
}

static unsigned digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned)(c - 'A') + 10;
	return 99;
}

// 0, or -1 with errno EINVAL (not digits of this base) or ERANGE.
static int parse_digits(const char *text, unsigned base, uint64_t *value)
{
	uint64_t sum = 0;
	bool too_big = false;

	if (!*text) {
		errno = EINVAL;
		return -1;
	}
	for (; *text; text++) {
		unsigned digit = digit_value(*text);

		if (digit >= base) {
			errno = EINVAL;
			return -1;
		}
		if (__builtin_mul_overflow(sum, base, &sum) || __builtin_add_overflow(sum, digit, &sum))
			too_big = true;
	}
	*value = sum;
	errno = ERANGE;
	return too_big ? -1 : 0;
}

// A number that starts with 0 is text (YAML 1.2): 010 may mean 8 or 10.
static int parse_u64(const char *text, uint64_t *value)
{
	if (*text == '+')
		text++;
	if (strncmp(text, "0x", 2) == 0)
		return parse_digits(text + 2, 16, value);
	if (strncmp(text, "0o", 2) == 0)
		return parse_digits(text + 2, 8, value);
	if (strncmp(text, "0b", 2) == 0)
		return parse_digits(text + 2, 2, value);
	if (text[0] == '0' && text[1]) {
		errno = EINVAL;
		return -1;
	}
	return parse_digits(text, 10, value);
}

static bool looks_int(const char *text)
{
	uint64_t value;

	return parse_u64(*text == '-' ? text + 1 : text, &value) == 0 || errno == ERANGE;
}

static enum scalar_type type_by_look(const char *text)
{
	bool value;

	if (looks_null(text))
		return SCALAR_NULL;
	if (parse_bool(text, &value) == 0)
		return SCALAR_BOOL;
	return looks_int(text) ? SCALAR_INT : SCALAR_TEXT;
}

static const char *skip_digits(const char *p)
{
	while (*p >= '0' && *p <= '9')
		p++;
	return p;
}

bool yaml_is_float(const char *text)
{
	const char *whole = text + (*text == '-' || *text == '+'), *p = skip_digits(whole);
	bool digits = p > whole;

	if (p - whole > 1 && *whole == '0')
		return false;
	if (*p == '.') {
		const char *end = skip_digits(p + 1);

		digits = digits || end > p + 1;
		p = end;
	} else if (*p != 'e' && *p != 'E') {
		return false;
	}
	if (digits && (*p == 'e' || *p == 'E')) {
		const char *from = p + 1 + (p[1] == '-' || p[1] == '+');

		p = skip_digits(from);
		digits = p > from;
	}
	return digits && !*p;
}

static bool has_structure(const char *text)
{
	size_t n = strlen(text);

	if (text[0] == ' ' || text[n - 1] == ' ' || strchr("&*?|-<>=!%@.", text[0]))
		return true;
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p < 0x20 || *p == 0x7f || strchr(":{}[],#`\"'\\", *p))
			return true;
	}
	return false;
}

bool yaml_needs_quotes(const char *text)
{
	bool flag;
	bool digits = *text && !*skip_digits(text + (*text == '-' || *text == '+'));

	return looks_null(text) || parse_bool(text, &flag) == 0 || digits || looks_int(text) || yaml_is_float(text) ||
	       !strncmp(text, "0x", 2) || has_structure(text);
}

enum scalar_type scalar_type(const struct node *n)
{
	switch (n->tag) {
	case TAG_NONE:
		return n->plain ? type_by_look(n->text) : SCALAR_TEXT;
	case TAG_INT:
		return SCALAR_INT;
	case TAG_BOOL:
		return SCALAR_BOOL;
	case TAG_NULL:
		return SCALAR_NULL;
	case TAG_STR:
	case TAG_FLOAT:
		break;
	}
	return SCALAR_TEXT;
}

int scalar_bool(const struct node *n, bool *value)
{
	if (n->kind != NODE_SCALAR || scalar_type(n) != SCALAR_BOOL)
		return -1;
	return parse_bool(n->text, value);
}

int scalar_u64(const struct node *n, uint64_t *value)
{
	if (n->kind != NODE_SCALAR || scalar_type(n) != SCALAR_INT)
		return -1;
	return parse_u64(n->text, value);
}

bool node_is_null(const struct node *n)
{
	return n->kind == NODE_SCALAR && scalar_type(n) == SCALAR_NULL;
}

const char *node_what(const struct node *n)
{
	if (n->kind == NODE_LIST)
		return "a list";
	if (n->kind == NODE_MAP)
		return "a map";
	switch (scalar_type(n)) {
	case SCALAR_NULL:
		return "null";
	case SCALAR_BOOL:
		return "a boolean";
	case SCALAR_INT:
		return "a number";
	case SCALAR_TEXT:
		break;
	}
	return n->plain ? "plain text" : "a quoted string";
}
