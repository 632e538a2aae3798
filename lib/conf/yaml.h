// YAML bytes -> a tree of nodes that is safe to walk.
//
// "Safe": at most TREE_NODES_MAX nodes and TREE_BYTES_MAX bytes of text *after*
// every alias is followed, at most TREE_DEPTH_MAX levels, no cycle, no NUL byte
// in a text, valid UTF-8. Only standard tags are left.
//
// Nodes lie in document order in one array. A node without children is followed
// by its sibling; a list or map is followed by its first child. An alias is a
// copy of its target's node (with the alias's own position) that shares the
// target's children.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct notes;

#define TREE_NODES_MAX 100000
#define TREE_BYTES_MAX (2 * 1024 * 1024)
#define TREE_DEPTH_MAX 256
#define TREE_ANCHORS_MAX 256

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };
enum node_tag { TAG_NONE, TAG_STR, TAG_INT, TAG_BOOL, TAG_NULL, TAG_FLOAT };

struct node {
	char *text; // scalars: NUL-terminated, in the caller's blocks; aliases share it
	uint32_t len;
	uint32_t line, column; // from 1
	uint32_t first; // lists and maps: index of the first child
	uint32_t count; // their number; keys and values both count
	uint32_t next; // index of the next sibling, if there is one
	uint32_t size; // nodes of this subtree with aliases followed
	uint32_t bytes; // bytes of text in it, likewise
	enum node_kind kind;
	enum node_tag tag;
	bool plain; // a scalar without quotes or block style
};

struct doc {
	struct node *nodes; // nodes[0] is the document
	uint32_t len; // 0 = the file holds no document
	uint32_t cap;
};

// *t is overwritten. The texts go to *blocks, the rest is the tree's own.
// 0, or -1 with the error in notes; doc_release() either way.
int doc_parse(struct doc *t, const char *bytes, size_t len, void **blocks, struct notes *notes);
void doc_release(struct doc *t);

// Refuses what YAML or a service file cannot hold (a NUL, a control byte, bytes
// that are not UTF-8, a lone carriage return), with the position. 0 or -1.
int yaml_check_bytes(const char *bytes, size_t len, struct notes *notes);
// Length (1-4) of the UTF-8 character at s, its code point in *cp; 0 = invalid.
size_t yaml_utf8(const char *s, size_t len, uint32_t *cp);
bool yaml_is_utf8(const char *text, size_t len);

// What a scalar means: plain ones by their look (YAML 1.2, and the booleans of
// 1.1 that people write), quoted ones and block scalars are text, a tag decides.
enum scalar_type { SCALAR_NULL, SCALAR_BOOL, SCALAR_INT, SCALAR_TEXT };
enum scalar_type scalar_type(const struct node *n);
// 0, or -1 when the node's text is no such value.
int scalar_bool(const struct node *n, bool *value);
// Also -1 for what does not fit; 0x, 0o and 0b prefixes and one + are accepted.
int scalar_u64(const struct node *n, uint64_t *value);
bool node_is_null(const struct node *n);
// Is the plain text a number with a fraction or an exponent (YAML 1.2, 10.3.2)?
// One that begins with 0 and another digit is none, like 010.
bool yaml_is_float(const char *text);
// Would the text, written without quotes, be something else than this text?
bool yaml_needs_quotes(const char *text);
// "a list", "a quoted string", ...: for messages.
const char *node_what(const struct node *n);
