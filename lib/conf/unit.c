// The keys of a service file: a tree of nodes -> struct unit.
//
// fields.def says which keys exist and what they hold; this file walks the
// document's map (and the maps behind dotted keys) and finds each key's row.
#include "conf/unit.h"

#include <signal.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/guess.h"
#include "conf/blocks.h"
#include "conf/load.h"

#define SHUTDOWN_TIMEOUT 10

static const struct field fields[] = {
#define FIELD(key, type, member, dflt, help) { key, FIELD_##type, offsetof(struct unit, member), set_##type },
#include "conf/fields.def"
};

#define NFIELDS (sizeof(fields) / sizeof(fields[0]))

struct keys {
	struct loader load;
	bool seen[NFIELDS];
	bool seen_section[NFIELDS]; // by the section's first row
};

// ---- which key is this? ----

// The part of a row's key that is written on the level of `section` (NULL = the
// document), or NULL when the row belongs elsewhere.
static const char *key_on_level(const struct field *f, const char *section)
{
	const char *dot = strchr(f->key, '.');
	size_t n = section ? strlen(section) : 0;

	if (!section)
		return dot ? NULL : f->key;
	return dot && (size_t)(dot - f->key) == n && strncmp(f->key, section, n) == 0 ? dot + 1 : NULL;
}

static const struct field *find_field(const char *section, const char *key)
{
	for (size_t i = 0; i < NFIELDS; i++) {
		const char *name = key_on_level(&fields[i], section);

		if (name && strcmp(name, key) == 0)
			return &fields[i];
	}
	return NULL;
}

// The first row below the section of that name.
static const struct field *find_section(const char *key)
{
	for (size_t i = 0; i < NFIELDS; i++) {
		if (key_on_level(&fields[i], key))
			return &fields[i];
	}
	return NULL;
}

// ---- unknown keys ----

struct guess {
	const char *name;
	size_t distance;
};

static void consider(struct guess *g, const char *key, const char *name, size_t name_len)
{
	char word[GUESS_MAX + 1] = { 0 };
	size_t d;

	if (!name || name_len >= sizeof(word))
		return;
	memcpy(word, name, name_len);
	d = guess_distance(key, word);
	if (d < g->distance) {
		g->distance = d;
		g->name = name;
	}
}

// The known key that was probably meant, or one without a name. A third of the
// letters may be wrong, so that `name` is not taken for `env`.
static struct guess guess_key(const char *section, const struct node *key)
{
	struct guess g = { NULL, key->len / 3 + 1 };

	if (key->len < 2 || key->len > GUESS_MAX)
		return g;
	for (size_t i = 0; i < NFIELDS; i++) {
		const char *name = key_on_level(&fields[i], section);

		if (!name && !section)
			consider(&g, key->text, fields[i].key, strcspn(fields[i].key, "."));
		else if (name)
			consider(&g, key->text, name, strlen(name));
	}
	return g;
}

// A key's value follows it, the next key follows the value.
static bool is_repeated(const struct keys *k, const struct node *map, const struct node *key)
{
	const struct node *nodes = k->load.tree->nodes;

	for (uint32_t at = map->first; &nodes[at] != key; at = nodes[nodes[at].next].next) {
		if (nodes[at].kind == NODE_SCALAR && strcmp(nodes[at].text, key->text) == 0)
			return true;
	}
	return false;
}

// `signal.stop: INT` where a map is meant.
static bool is_dotted(const char *key)
{
	for (size_t i = 0; i < NFIELDS; i++) {
		if (strchr(key, '.') && strcmp(fields[i].key, key) == 0)
			return true;
	}
	return false;
}

static void warn_unknown(struct keys *k, const char *section, const struct node *map, const struct node *key)
{
	struct notes *notes = k->load.notes;
	char shown[NOTES_SHOWN];
	struct guess guess;

	if (!notes_open(notes))
		return;
	notes_show(key->text, key->len, shown);
	guess = guess_key(section, key);
	if (is_repeated(k, map, key))
		notes_lost(notes, key->line, key->column, "%s: unknown key, and set twice", shown);
	else if (!section && is_dotted(key->text))
		notes_lost(notes, key->line, key->column,
			"%s: unknown key, write '%s:' on a line of its own below '%.*s:'", shown,
			strchr(shown, '.') + 1, (int)strcspn(shown, "."), shown);
	else if (guess.name)
		notes_lost(notes, key->line, key->column, "%s: unknown key, did you mean '%.*s'?", shown,
			(int)strcspn(guess.name, "."), guess.name);
	else
		notes_lost(notes, key->line, key->column, "%s: unknown key", shown);
}

// ---- the maps ----

static int check_key(struct keys *k, const struct node *key)
{
	if (key->kind == NODE_SCALAR)
		return 0;
	return notes_fail(k->load.notes, key->line, key->column, "%s as a key, expected a word", node_what(key));
}

static int mark_seen(struct keys *k, bool *seen, const struct node *key, const char *name)
{
	if (*seen)
		return notes_fail(
			k->load.notes, key->line, key->column, "%s: this key stands here twice, expected once", name);
	*seen = true;
	return 0;
}

static int load_field(struct keys *k, const struct field *f, const struct node *key, const struct node *value)
{
	if (mark_seen(k, &k->seen[f - fields], key, f->key) < 0)
		return -1;
	if (node_is_null(value) && f->type != FIELD_LOG)
		return 0;
	return f->set(&k->load, f, value, (char *)k->load.unit + f->offset);
}

static int load_below(struct keys *k, const struct node *section, const struct node *map, const struct node *name)
{
	const struct field *f;

	if (check_key(k, name) < 0)
		return -1;
	f = find_field(section->text, name->text);
	if (f)
		return load_field(k, f, name, &k->load.tree->nodes[name->next]);
	warn_unknown(k, section->text, map, name);
	return 0;
}

static int load_section(struct keys *k, const struct node *key, const struct node *map)
{
	const struct node *nodes = k->load.tree->nodes;
	uint32_t at = map->first;

	if (node_is_null(map))
		return 0;
	if (map->kind != NODE_MAP)
		return notes_fail(k->load.notes, map->line, map->column,
			"%s: %s, expected a map such as {stop: SIGTERM}", key->text, node_what(map));
	for (uint32_t i = 0; i < map->count / 2; i++) {
		const struct node *name = &nodes[at];

		if (load_below(k, key, map, name) < 0 && !notes_go_on(k->load.notes))
			return -1;
		at = nodes[name->next].next;
	}
	return 0;
}

static int load_pair(struct keys *k, const struct node *key, const struct node *value)
{
	const struct field *f;

	if (check_key(k, key) < 0)
		return -1;
	f = find_field(NULL, key->text);
	if (f)
		return load_field(k, f, key, value);
	f = find_section(key->text);
	if (!f) {
		warn_unknown(k, NULL, k->load.tree->nodes, key);
		return 0;
	}
	if (mark_seen(k, &k->seen_section[f - fields], key, key->text) < 0)
		return -1;
	return load_section(k, key, value);
}

static int fail_exec(struct keys *k)
{
	const struct node *nodes = k->load.tree->nodes;
	uint32_t at = nodes->first;

	for (uint32_t i = 0; i < nodes->count / 2; i++) {
		const struct node *value = &nodes[nodes[at].next];

		if (nodes[at].kind != NODE_SCALAR || strcmp(nodes[at].text, "exec") != 0) {
			at = value->next;
			continue;
		}
		if (value->kind != NODE_SCALAR || (value->len && !node_is_null(value)))
			return -1; // refused, which has been said
		return notes_fail(k->load.notes, nodes[at].line, nodes[at].column,
			"exec: empty, expected the command line to run");
	}
	return notes_fail(k->load.notes, nodes->line, nodes->column, "exec: missing, expected the command line to run");
}

static int load_document(struct keys *k)
{
	const struct doc *t = k->load.tree;
	const struct node *root = t->nodes;
	uint32_t at;

	if (t->len == 0)
		return notes_fail(k->load.notes, 1, 1, "the file is empty, expected at least 'exec: COMMAND'");
	if (root->kind != NODE_MAP)
		return notes_fail(k->load.notes, root->line, root->column,
			"the document is %s, expected a map of keys such as 'exec: COMMAND'", node_what(root));
	at = root->first;
	for (uint32_t i = 0; i < root->count / 2; i++) {
		const struct node *key = &t->nodes[at];
		const struct node *value = &t->nodes[key->next];

		if (load_pair(k, key, value) < 0 && !notes_go_on(k->load.notes))
			return -1;
		at = value->next;
	}
	if (!k->load.unit->exec.text)
		return fail_exec(k);
	return k->load.notes->nfail ? -1 : 0;
}

// ---- the outside ----

static void set_defaults(struct unit *u)
{
	*u = (struct unit){ .stop_signal = SIGTERM, .shutdown_timeout = SHUTDOWN_TIMEOUT };
}

static int parse(const char *bytes, size_t len, struct unit *u, struct notes *notes)
{
	struct doc tree;
	struct keys keys = { .load = { &tree, u, notes } };
	int rc = doc_parse(&tree, bytes, len, &u->blocks, notes);

	if (rc == 0)
		rc = load_document(&keys);
	doc_release(&tree);
	return rc;
}

int load_bytes(const char *bytes, size_t len, struct unit *u, struct notes *notes)
{
	set_defaults(u);
	if (len > UNIT_FILE_MAX)
		return err_set(notes->err, ERR_CONFIG, "%s: more than %d bytes, expected a service file", notes->label,
			UNIT_FILE_MAX);
	return parse(bytes, len, u, notes);
}

int unit_parse(const char *bytes, size_t len, const char *label, struct unit *u, unit_warn_fn *warn, void *ctx,
	struct err *err)
{
	struct notes notes = { .label = label, .err = err, .warn = warn, .ctx = ctx };

	if (load_bytes(bytes, len, u, &notes) == 0)
		return 0;
	unit_release(u);
	return -1;
}

void unit_release(struct unit *u)
{
	blocks_free(&u->blocks);
	*u = (struct unit){ 0 };
}
