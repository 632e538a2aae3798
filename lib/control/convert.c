// Recursion follows the depth of the document, which both parsers bound.
#include "control/convert.h"
#include "conf/blocks.h"
#include "conf/notes.h"
#include "conf/yaml.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- YAML to JSON ----

static int add_node(const struct doc *d, const struct node *n, struct buf *out, struct err *err);

static void add_text(struct buf *out, const struct node *n)
{
	json_add_str(out, n->text, n->len);
}

// Decimal as it stands, without a plus; other bases as decimal.
static void add_int(struct buf *out, const struct node *n)
{
	struct node number = *n;
	uint64_t value;
	if (*n->text == '-' || *n->text == '+')
		number.text++;
	const char *digits = number.text;
	bool decimal = *digits && !digits[strspn(digits, "0123456789")] && (*digits != '0' || !digits[1]);
	if (decimal || scalar_u64(&number, &value) == 0) {
		if (*n->text == '-')
			buf_add_char(out, '-');
		if (decimal)
			buf_add_str(out, number.text);
		else
			buf_add_u64(out, value);
	} else {
		add_text(out, n);
	}
}

// YAML may leave out the digits before or after the point, JSON may not.
static void add_float(struct buf *out, const char *text)
{
	if (*text == '+')
		text++;
	if (*text == '-')
		buf_add_char(out, *text++);
	if (*text == '.')
		buf_add_char(out, '0');
	for (; *text; text++) {
		buf_add_char(out, *text);
		if (*text == '.' && (text[1] < '0' || text[1] > '9'))
			buf_add_char(out, '0');
	}
}

static bool is_infinite(const char *text)
{
	static const char *const words[] = { ".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN" };
	text += *text == '-' || *text == '+';
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(text, words[i]))
			return true;
	return false;
}

static bool is_word(const char *text, const char *lower, const char *title, const char *upper)
{
	return !strcmp(text, lower) || !strcmp(text, title) || !strcmp(text, upper);
}

static void add_scalar(struct buf *out, const struct node *n)
{
	bool bare = n->plain || n->tag == TAG_FLOAT;
	switch (scalar_type(n)) {
	case SCALAR_NULL:
		buf_add_str(out, "null");
		return;
	case SCALAR_INT:
		add_int(out, n);
		return;
	case SCALAR_BOOL: // yes, no, on and off are text for JSON's readers
		if (is_word(n->text, "true", "True", "TRUE"))
			buf_add_str(out, "true");
		else if (is_word(n->text, "false", "False", "FALSE"))
			buf_add_str(out, "false");
		else
			add_text(out, n);
		return;
	case SCALAR_TEXT:
		break;
	}
	if (bare && n->tag != TAG_STR && yaml_is_float(n->text))
		add_float(out, n->text);
	else if (bare && n->tag != TAG_STR && is_infinite(n->text))
		buf_add_str(out, "null");
	else
		add_text(out, n);
}

static int by_text(const void *a, const void *b)
{
	return strcmp((*(const struct node *const *)a)->text, (*(const struct node *const *)b)->text);
}

// The keys in order, or NULL and *err.
static const struct node **sorted_keys(const struct doc *d, const struct node *map, struct err *err)
{
	size_t n = map->count / 2;
	const struct node **keys = malloc((n + 1) * sizeof(struct node *));
	if (!keys) {
		err_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	uint32_t at = map->first;
	for (size_t i = 0; i < n; i++) {
		keys[i] = &d->nodes[at];
		at = d->nodes[keys[i]->next].next;
		if (keys[i]->kind == NODE_SCALAR)
			continue;
		err_set(err, ERR_FILE_SHAPE, "failed to convert YAML to JSON");
		free(keys);
		return NULL;
	}
	qsort(keys, n, sizeof(struct node *), by_text);
	for (size_t i = 1; i < n; i++)
		if (!strcmp(keys[i - 1]->text, keys[i]->text)) {
			err_set(err, ERR_FILE_SYNTAX, "failed to parse YAML");
			free(keys);
			return NULL;
		}
	return keys;
}

static int add_map(const struct doc *d, const struct node *map, struct buf *out, struct err *err)
{
	const struct node **keys = sorted_keys(d, map, err);
	if (!keys)
		return -1;
	int rc = 0;
	buf_add_char(out, '{');
	for (size_t i = 0; rc == 0 && i < map->count / 2; i++) {
		if (i)
			buf_add_char(out, ',');
		add_text(out, keys[i]);
		buf_add_char(out, ':');
		rc = add_node(d, &d->nodes[keys[i]->next], out, err);
	}
	buf_add_char(out, '}');
	free(keys);
	return rc;
}

// Recursion is bounded by TREE_DEPTH_MAX.
static int add_node(const struct doc *d, const struct node *n, struct buf *out, struct err *err)
{
	if (n->kind == NODE_SCALAR) {
		add_scalar(out, n);
		return 0;
	}
	if (n->kind == NODE_MAP)
		return add_map(d, n, out, err);
	uint32_t at = n->first;
	buf_add_char(out, '[');
	for (uint32_t i = 0; i < n->count; i++) {
		if (i)
			buf_add_char(out, ',');
		if (add_node(d, &d->nodes[at], out, err) < 0)
			return -1;
		at = d->nodes[at].next;
	}
	buf_add_char(out, ']');
	return 0;
}

static int fail_with(struct err *err, enum err_code code, const char *text, const char *cause)
{
	err_set(err, code, "%s", text);
	snprintf(err->cause, sizeof(err->cause), "%s", cause);
	return -1;
}

static int parse(const char *bytes, size_t len, const char *label, struct doc *d, void **blocks, struct err *err)
{
	struct err why = { 0 };
	struct notes notes = { .label = label, .err = &why };
	if (!yaml_is_utf8(bytes, len))
		return fail_with(err, ERR_SERVICE_FILE, "failed to read service file", "it is not UTF-8");
	if (len > UNIT_FILE_MAX)
		return fail_with(err, ERR_SERVICE_FILE, "failed to read service file", "it is longer than 1 MiB");
	if (doc_parse(d, bytes, len, blocks, &notes) < 0)
		return fail_with(err, why.code == ERR_INTERNAL ? ERR_INTERNAL : ERR_FILE_SYNTAX, "failed to parse YAML",
			why.text);
	return d->len ? 0 : fail_with(err, ERR_FILE_SYNTAX, "failed to parse YAML", "the file is empty");
}

int convert_to_json(const char *bytes, size_t len, const char *label, struct buf *out, struct err *err)
{
	struct doc d = { 0 };
	void *blocks = NULL;
	int rc = parse(bytes, len, label, &d, &blocks, err);
	if (rc == 0)
		rc = add_node(&d, d.nodes, out, err);
	if (rc == 0 && out->failed)
		rc = err_set(err, ERR_INTERNAL, "out of memory");
	doc_release(&d);
	blocks_free(&blocks);
	return rc;
}

// ---- JSON to YAML ----

struct member {
	char *key; // decoded
	size_t order;
	struct span value;
};

static int by_key(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	int rc = strcmp(x->key, y->key);
	return rc ? rc : x->order < y->order ? -1 : 1;
}

static char *decoded(struct span string)
{
	char *text = malloc(string.len);
	if (text)
		json_decode(string, text);
	return text;
}

// What YAML takes for a line break, or does not allow in a file as it is.
static bool needs_escape(uint32_t cp)
{
	return (cp >= 0x7f && cp <= 0x9f) || cp == 0x2028 || cp == 0x2029 || cp == 0xfeff || cp == 0xfffe ||
	       cp == 0xffff;
}

// JSON's escapes are YAML's too.
static void add_escaped(struct buf *out, const char *text, size_t len)
{
	struct buf quoted = BUF_INIT;
	json_add_str(&quoted, text, len);
	for (size_t i = 0, n; i < quoted.len; i += n) {
		uint32_t cp = 0;
		n = yaml_utf8(quoted.data + i, quoted.len - i, &cp);
		if (!n)
			break;
		if (needs_escape(cp))
			buf_printf(out, "\\u%04x", (unsigned)cp);
		else
			buf_add(out, quoted.data + i, n);
	}
	out->failed = out->failed || quoted.failed;
	buf_release(&quoted);
}

static bool is_simple(const char *text, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		uint32_t cp = 0;
		n = yaml_utf8(text + i, len - i, &cp);
		if (!n || needs_escape(cp))
			return false;
	}
	return !yaml_needs_quotes(text);
}

static void add_string(struct buf *out, const char *text)
{
	size_t len = strlen(text);
	if (is_simple(text, len))
		buf_add(out, text, len);
	else
		add_escaped(out, text, len);
}

static void indent(struct buf *out, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		buf_add_str(out, "  ");
}

static bool is_empty(struct span container)
{
	struct json_iter it = json_iter(container);
	struct span key, value;
	return !json_next(&it, &key, &value);
}

static void add_block(struct span container, unsigned depth, bool inlined, struct buf *out);

// Behind "key:" or "-", with the blank or the line break that it needs.
static void add_value(struct span v, unsigned depth, bool in_list, struct buf *out)
{
	enum json_type t = json_type(v);
	if ((t == JSON_OBJECT || t == JSON_ARRAY) && !is_empty(v)) {
		buf_add_char(out, in_list ? ' ' : '\n');
		add_block(v, depth, in_list, out);
		return;
	}
	buf_add_char(out, ' ');
	if (t == JSON_STRING) {
		char *text = decoded(v);
		if (text)
			add_string(out, text);
		out->failed = out->failed || !text;
		free(text);
	} else if (t == JSON_OBJECT || t == JSON_ARRAY) {
		buf_add_str(out, t == JSON_OBJECT ? "{}" : "[]");
	} else if (t == JSON_NULL) {
		buf_add_char(out, '~');
	} else {
		buf_add(out, v.at, v.len);
	}
	buf_add_char(out, '\n');
}

static size_t count(struct span container)
{
	struct json_iter it = json_iter(container);
	struct span key, value;
	size_t n = 0;
	while (json_next(&it, &key, &value))
		n++;
	return n;
}

static void add_members(struct span object, unsigned depth, bool inlined, struct buf *out)
{
	size_t n = count(object), have = 0;
	struct member *members = calloc(n + 1, sizeof(*members));
	struct json_iter it = json_iter(object);
	struct span key;
	out->failed = out->failed || !members;
	while (members && have < n && json_next(&it, &key, &members[have].value)) {
		members[have].order = have;
		members[have].key = decoded(key);
		if (!members[have].key) {
			out->failed = true;
			break;
		}
		have++;
	}
	if (have == n && !out->failed)
		qsort(members, n, sizeof(*members), by_key);
	for (size_t i = 0; i < have && !out->failed; i++) {
		if (i + 1 < have && !strcmp(members[i].key, members[i + 1].key))
			continue;
		if (!inlined)
			indent(out, depth);
		inlined = false;
		add_string(out, members[i].key);
		buf_add_char(out, ':');
		add_value(members[i].value, depth + 1, false, out);
	}
	for (size_t i = 0; i < have; i++)
		free(members[i].key);
	free(members);
}

// Recursion is bounded by JSON_DEPTH_MAX.
static void add_block(struct span container, unsigned depth, bool inlined, struct buf *out)
{
	if (json_type(container) == JSON_OBJECT) {
		add_members(container, depth, inlined, out);
		return;
	}
	struct json_iter it = json_iter(container);
	struct span key, value;
	while (json_next(&it, &key, &value)) {
		if (!inlined)
			indent(out, depth);
		inlined = false;
		buf_add_char(out, '-');
		add_value(value, depth + 1, true, out);
	}
}

void convert_to_yaml(struct span json, struct buf *out)
{
	buf_add_str(out, "---\n");
	if (is_empty(json))
		buf_add_str(out, "{}\n");
	else
		add_block(json, 0, false, out);
}
