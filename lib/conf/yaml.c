// libyaml's event API -> struct doc, with every cap applied while reading.
//
// Aliases are followed here, at once: the target is complete, so its node is
// copied and its size added to the total. A bomb of aliases therefore ends the
// load when the sum passes the cap, whatever the nesting.
#include "conf/yaml.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "conf/blocks.h"
#include "conf/notes.h"

#define STANDARD_TAG "tag:yaml.org,2002:"

struct anchor {
	const char *name;
	uint32_t node;
	uint32_t key; // the top-level key it stands below; for messages
	bool used;
};

struct reader {
	yaml_parser_t yaml;
	struct doc *tree;
	void **blocks;
	struct notes *notes;
	uint32_t open[TREE_DEPTH_MAX]; // lists and maps that have not ended
	uint32_t depth;
	struct anchor anchors[TREE_ANCHORS_MAX];
	uint32_t nanchors;
	uint32_t key; // node of the latest key of the document's map, 0 = none
	uint32_t size, bytes; // so far, aliases followed
	unsigned ndocuments;
	const char *at; // how far byte_at() has come in the input
	const char *end;
	size_t at_index;
};

static unsigned line_of(const yaml_mark_t *mark)
{
	return (unsigned)mark->line + 1;
}

static unsigned column_of(const yaml_mark_t *mark)
{
	return (unsigned)mark->column + 1;
}

// The key that a message about the next node names: none for a key itself.
static uint32_t current_key(const struct reader *r)
{
	const struct node *root = r->tree->nodes;

	if (r->depth == 0 || root->kind != NODE_MAP || (r->depth == 1 && root->count % 2 == 0))
		return 0;
	return r->key;
}

static int fail_below(struct reader *r, uint32_t key, unsigned line, unsigned column, const char *what)
{
	const struct node *n = key ? &r->tree->nodes[key] : NULL;
	char shown[NOTES_SHOWN];

	if (!n || n->kind != NODE_SCALAR)
		return notes_fail(r->notes, line, column, "%s", what);
	return notes_fail(r->notes, line, column, "%s: %s", notes_show(n->text, n->len, shown), what);
}

static int fail(struct reader *r, const yaml_mark_t *mark, const char *what)
{
	return fail_below(r, current_key(r), line_of(mark), column_of(mark), what);
}

// The byte at a mark. Marks count characters and only ever move forward.
static char byte_at(struct reader *r, const yaml_mark_t *mark)
{
	while (r->at_index < mark->index && r->at < r->end) {
		r->at++;
		while (r->at < r->end && ((unsigned char)*r->at & 0xc0) == 0x80)
			r->at++;
		r->at_index++;
	}
	return r->at < r->end ? *r->at : '\0';
}

// ---- nodes ----

static int make_room(struct reader *r)
{
	struct doc *t = r->tree;
	uint32_t cap = t->cap ? t->cap * 2 : 32;
	struct node *nodes;

	if (t->len < t->cap)
		return 0;
	nodes = realloc(t->nodes, cap * sizeof(*nodes));
	if (!nodes)
		return notes_fail_memory(r->notes);
	t->nodes = nodes;
	t->cap = cap;
	return 0;
}

static int count_node(struct reader *r, const struct node *n, const yaml_mark_t *mark)
{
	r->size += n->size;
	r->bytes += n->bytes;
	if (r->size > TREE_NODES_MAX)
		return fail(r, mark, "too many values, aliases counted");
	if (r->bytes > TREE_BYTES_MAX)
		return fail(r, mark, "too much text, aliases counted");
	return 0;
}

// Appends n below the innermost open list or map.
static int add_node(struct reader *r, struct node *n, const yaml_mark_t *mark)
{
	uint32_t index = r->tree->len;

	n->line = line_of(mark);
	n->column = column_of(mark);
	n->next = n->kind == NODE_SCALAR || n->next ? index + 1 : 0;
	if (count_node(r, n, mark) < 0 || make_room(r) < 0)
		return -1;
	if (r->depth == 1 && r->tree->nodes->count % 2 == 0)
		r->key = index;
	if (r->depth)
		r->tree->nodes[r->open[r->depth - 1]].count++;
	r->tree->nodes[r->tree->len++] = *n;
	return 0;
}

static int open_node(struct reader *r, struct node *n, const yaml_mark_t *mark)
{
	uint32_t index = r->tree->len;

	if (r->depth == TREE_DEPTH_MAX)
		return fail(r, mark, "nested too deeply");
	n->first = index + 1;
	n->size = 1;
	if (add_node(r, n, mark) < 0)
		return -1;
	// What was counted before it, until close_node() makes these its own sums.
	r->tree->nodes[index].size = r->size - 1;
	r->tree->nodes[index].bytes = r->bytes;
	r->open[r->depth++] = index;
	return 0;
}

static int close_node(struct reader *r)
{
	struct node *n = &r->tree->nodes[r->open[--r->depth]];

	n->next = r->tree->len;
	n->size = r->size - n->size;
	n->bytes = r->bytes - n->bytes;
	return 0;
}

// ---- anchors and tags ----

// To be called before the anchored node is added.
static int set_anchor(struct reader *r, const yaml_char_t *name, const yaml_mark_t *mark)
{
	struct anchor *a = &r->anchors[r->nanchors];

	if (!name)
		return 0;
	if (r->nanchors == TREE_ANCHORS_MAX)
		return fail(r, mark, "too many anchors");
	a->name = blocks_text(r->blocks, (const char *)name, strlen((const char *)name));
	if (!a->name)
		return notes_fail_memory(r->notes);
	a->node = r->tree->len;
	a->key = current_key(r);
	a->used = false;
	r->nanchors++;
	return 0;
}

// The latest anchor of that name counts, as YAML has it.
static struct anchor *find_anchor(struct reader *r, const yaml_char_t *name)
{
	for (uint32_t i = r->nanchors; i > 0; i--) {
		if (strcmp(r->anchors[i - 1].name, (const char *)name) == 0)
			return &r->anchors[i - 1];
	}
	return NULL;
}

static int take_alias(struct reader *r, const yaml_event_t *ev)
{
	struct anchor *a = find_anchor(r, ev->data.alias.anchor);
	struct node n;

	if (!a)
		return fail(
			r, &ev->start_mark, "this alias has no anchor before it; quote a value that starts with '*'");
	a->used = true;
	n = r->tree->nodes[a->node];
	if (n.next == 0)
		return fail(r, &ev->start_mark, "this alias stands inside what it refers to");
	return add_node(r, &n, &ev->start_mark);
}

// `exec: &sleep 1000` would otherwise run a command named 1000.
static int check_anchors(struct reader *r)
{
	for (uint32_t i = 0; i < r->nanchors; i++) {
		const struct anchor *a = &r->anchors[i];
		const struct node *n = &r->tree->nodes[a->node];

		if (!a->used)
			return fail_below(r, a->key, n->line, n->column,
				"no alias uses this anchor; quote a value that starts with '&'");
	}
	return 0;
}

static int match_tag(const char *name, enum node_kind kind, enum node_tag *tag)
{
	static const struct {
		const char *name;
		enum node_kind kind;
		enum node_tag tag;
	} known[] = {
		{ "str", NODE_SCALAR, TAG_STR },
		{ "int", NODE_SCALAR, TAG_INT },
		{ "bool", NODE_SCALAR, TAG_BOOL },
		{ "null", NODE_SCALAR, TAG_NULL },
		{ "float", NODE_SCALAR, TAG_FLOAT },
		{ "seq", NODE_LIST, TAG_NONE },
		{ "map", NODE_MAP, TAG_NONE },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (known[i].kind == kind && strcmp(known[i].name, name) == 0) {
			*tag = known[i].tag;
			return 0;
		}
	}
	return -1;
}

// libyaml reports a lone `!` as if it were not there; `test: ! pgrep x` must
// not lose its first word in silence, so the input is looked at.
static int set_tag(struct reader *r, struct node *n, const yaml_char_t *uri, const yaml_mark_t *mark)
{
	const char *tag = (const char *)uri;
	size_t prefix = strlen(STANDARD_TAG);

	if (!tag && byte_at(r, mark) != '!')
		return 0;
	if (!tag || strncmp(tag, STANDARD_TAG, prefix) != 0)
		return fail(r, mark, "a local tag has no meaning here; quote a value that starts with '!'");
	if (match_tag(tag + prefix, n->kind, &n->tag) < 0)
		return fail(r, mark, "this tag is not known or does not fit, expected !!str, !!int, !!bool or !!null");
	return 0;
}

// ---- events ----

static int take_scalar(struct reader *r, const yaml_event_t *ev)
{
	const char *text = (const char *)ev->data.scalar.value;
	size_t len = ev->data.scalar.length;
	struct node n = { .kind = NODE_SCALAR, .size = 1, .len = (uint32_t)len, .bytes = (uint32_t)len };

	n.plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	if (memchr(text, '\0', len))
		return fail(r, &ev->start_mark, "a NUL byte cannot be part of a value");
	if (set_tag(r, &n, ev->data.scalar.tag, &ev->start_mark) < 0 ||
		set_anchor(r, ev->data.scalar.anchor, &ev->start_mark) < 0)
		return -1;
	n.text = blocks_text(r->blocks, text, len);
	if (!n.text)
		return notes_fail_memory(r->notes);
	return add_node(r, &n, &ev->start_mark);
}

static int take_open(struct reader *r, const yaml_event_t *ev, enum node_kind kind, const yaml_char_t *anchor,
	const yaml_char_t *tag)
{
	struct node n = { .kind = kind };

	if (set_tag(r, &n, tag, &ev->start_mark) < 0 || set_anchor(r, anchor, &ev->start_mark) < 0)
		return -1;
	return open_node(r, &n, &ev->start_mark);
}

static int take_document(struct reader *r, const yaml_event_t *ev)
{
	if (r->ndocuments++)
		return notes_fail(r->notes, line_of(&ev->start_mark), column_of(&ev->start_mark),
			"a second document starts here, expected one service per file");
	return 0;
}

// 0 = go on, 1 = the stream has ended, -1 = error.
static int take_event(struct reader *r, const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		return take_document(r, ev);
	case YAML_SCALAR_EVENT:
		return take_scalar(r, ev);
	case YAML_ALIAS_EVENT:
		return take_alias(r, ev);
	case YAML_SEQUENCE_START_EVENT:
		return take_open(r, ev, NODE_LIST, ev->data.sequence_start.anchor, ev->data.sequence_start.tag);
	case YAML_MAPPING_START_EVENT:
		return take_open(r, ev, NODE_MAP, ev->data.mapping_start.anchor, ev->data.mapping_start.tag);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return close_node(r);
	case YAML_STREAM_END_EVENT:
		return 1;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		break;
	}
	return 0;
}

static const char *syntax_hint(const char *problem)
{
	static const struct {
		const char *problem;
		const char *hint;
	} hints[] = {
		{ "mapping values are not allowed in this context", "; quote a value that holds ': '" },
		{ "found character that cannot start any token",
			"; indent with blanks, not tabs, and quote a value that starts with '@', '%' or '`'" },
		{ "did not find expected key", "; check the indentation, and quote the whole of a value" },
	};

	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		if (strcmp(problem, hints[i].problem) == 0)
			return hints[i].hint;
	}
	return "";
}

static int fail_syntax(struct reader *r)
{
	const yaml_parser_t *p = &r->yaml;
	const char *problem = p->problem ? p->problem : "not readable as YAML";
	unsigned line = line_of(&p->problem_mark);
	unsigned column = column_of(&p->problem_mark);

	if (p->error == YAML_MEMORY_ERROR)
		return notes_fail_memory(r->notes);
	if (!p->context)
		return notes_fail(r->notes, line, column, "%s%s", problem, syntax_hint(problem));
	return notes_fail(r->notes, line, column, "%s %s (from line %u)%s", problem, p->context,
		line_of(&p->context_mark), syntax_hint(problem));
}

static int read_events(struct reader *r)
{
	int rc = 0;

	while (rc == 0) {
		yaml_event_t ev;

		if (!yaml_parser_parse(&r->yaml, &ev))
			return fail_syntax(r);
		rc = take_event(r, &ev);
		yaml_event_delete(&ev);
	}
	return rc < 0 ? -1 : check_anchors(r);
}

static void skip_bom(const char **bytes, size_t *len)
{
	static const char bom[] = "\xef\xbb\xbf";

	if (*len >= 3 && memcmp(*bytes, bom, 3) == 0) {
		*bytes += 3;
		*len -= 3;
	}
}

int doc_parse(struct doc *t, const char *bytes, size_t len, void **blocks, struct notes *notes)
{
	struct reader r = { .tree = t, .blocks = blocks, .notes = notes };
	int rc;

	*t = (struct doc){ 0 };
	if (len == 0)
		bytes = ""; // libyaml ends the program at NULL
	skip_bom(&bytes, &len);
	if (yaml_check_bytes(bytes, len, notes) < 0)
		return -1;
	if (!yaml_parser_initialize(&r.yaml))
		return notes_fail_memory(notes);
	r.at = bytes;
	r.end = bytes + len;
	yaml_parser_set_input_string(&r.yaml, (const unsigned char *)bytes, len);
	yaml_parser_set_encoding(&r.yaml, YAML_UTF8_ENCODING);
	rc = read_events(&r);
	yaml_parser_delete(&r.yaml);
	return rc;
}

void doc_release(struct doc *t)
{
	free(t->nodes);
	*t = (struct doc){ 0 };
}
