// Between file.c (bytes), unit.c (which key is this?) and values.c (what is its value?).
#pragma once
#include "conf/notes.h"
#include "conf/unit.h"
#include "conf/yaml.h"

struct loader {
	const struct doc *tree;
	struct unit *unit;
	struct notes *notes;
};

enum field_type {
#define FIELD_TYPE(type, text) FIELD_##type,
#include "conf/fields.def"
};

// One key: what it holds, and where in struct unit that goes.
struct field {
	const char *key; // with its dotted prefix
	enum field_type type;
	size_t offset;
	int (*set)(const struct loader *l, const struct field *f, const struct node *n, void *member);
};

// The readers of values, one per FIELD_TYPE. *n is not null, except for LOG.
// Texts are not copied: the tree's are the unit's. 0, or -1 with the error in notes.
#define FIELD_TYPE(type, text) \
	int set_##type(const struct loader *l, const struct field *f, const struct node *n, void *member);
#include "conf/fields.def"

// What unit_parse() does, with all of `notes` set; *u is left as far as it came.
int load_bytes(const char *bytes, size_t len, struct unit *u, struct notes *notes);
// "key: a list, expected ...": -1.
int value_fail(const struct loader *l, const struct field *f, const struct node *n, const char *expected);
