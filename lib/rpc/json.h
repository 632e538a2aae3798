// JSON text (RFC 8259): a strict check, views into checked text, and writing.
//
// json_check() stands before everything else that reads a request; the other
// readers expect text that has passed it.
#pragma once
#include "base/buf.h"
#include <stdbool.h>
#include <stddef.h>

enum { JSON_DEPTH_MAX = 128 };

struct span {
	const char *at; // NULL = not there
	size_t len;
};

// Exactly one value with blanks around it; UTF-8; no U+0000 in a string, raw or
// escaped; surrogates only in pairs; at most JSON_DEPTH_MAX levels.
bool json_check(const char *text, size_t len);
// The same for answers of our own daemon: escaped U+0000 and the escapes of
// json_add_bytes() are fine there.
bool json_check_answer(const char *text, size_t len);

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };
enum json_type json_type(struct span value);

// Walks the items of an array or the members of an object, in their order; what is
// neither, or not there, has none.
struct json_iter {
	const char *at, *end;
	bool object;
};
struct json_iter json_iter(struct span container);
// key.at is NULL in an array; the key is a string with its quotes.
bool json_next(struct json_iter *it, struct span *key, struct span *value);
// Is the string (with its quotes) this text, which has no backslash?
bool json_is(struct span string, const char *text);
// Decodes a string to out (room for string.len bytes), NUL-terminated. Its length.
size_t json_decode(struct span string, char *out);

// A JSON string of the bytes; what is no UTF-8 becomes U+FFFD.
int json_add_str(struct buf *b, const char *text, size_t len);
// The same, but each such byte XX becomes the lone surrogate "\udcXX", which
// json_decode() makes a byte again: for readers that want every byte.
int json_add_bytes(struct buf *b, const char *text, size_t len);
