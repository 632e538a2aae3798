// The values that hold many: `after` and `env`.
//
// Duplicates are found by sorting, not by comparing each with each: a file may
// hold tens of thousands of variables.
#include <stdlib.h>
#include <string.h>

#include "conf/blocks.h"
#include "conf/load.h"

struct entry {
	char *name;
	char *value;
	const struct node *node; // of the name; its address is the place in the file
	bool is_dropped;
};

static int by_place(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (x->node > y->node) - (x->node < y->node);
}

static int by_name(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : by_place(a, b);
}

// Marks all but one entry of each name; order is kept.
static void drop_duplicates(const struct loader *l, const struct field *f, struct entry *e, size_t n, bool keep_last)
{
	char shown[NOTES_SHOWN];

	if (n < 2)
		return;
	qsort(e, n, sizeof(*e), by_name);
	for (size_t i = 1; i < n; i++) {
		if (strcmp(e[i - 1].name, e[i].name) != 0)
			continue;
		e[keep_last ? i - 1 : i].is_dropped = true;
		if (keep_last)
			notes_lost(l->notes, e[i].node->line, e[i].node->column,
				"%s.%s: set twice, the last one counts", f->key,
				notes_show(e[i].name, strlen(e[i].name), shown));
	}
	qsort(e, n, sizeof(*e), by_place);
}

static struct entry *new_entries(const struct loader *l, size_t n)
{
	struct entry *e = blocks_alloc(&l->unit->blocks, (n + 1) * sizeof(*e));

	if (!e)
		notes_fail_memory(l->notes);
	return e;
}

// ---- after ----

static int fail_item(const struct loader *l, const struct field *f, const struct node *n, uint32_t i, const char *what)
{
	return notes_fail(
		l->notes, n->line, n->column, "%s[%u]: %s, expected a service name", f->key, (unsigned)i, what);
}

static void warn_name(const struct loader *l, const struct field *f, const struct node *n)
{
	const char *problem = unit_name_problem(n->text, n->len);
	char shown[NOTES_SHOWN];

	if (problem)
		notes_lost(l->notes, n->line, n->column, "%s: no service can be called '%s': %s", f->key,
			notes_show(n->text, n->len, shown), problem);
}

static int check_item(const struct loader *l, const struct field *f, const struct node *n, uint32_t i)
{
	if (n->kind != NODE_SCALAR)
		return fail_item(l, f, n, i, node_what(n));
	if (n->len == 0)
		return fail_item(l, f, n, i, "an empty item");
	warn_name(l, f, n);
	return 0;
}

// Returns how many entries were filled, or -1.
static int read_names(const struct loader *l, const struct field *f, const struct node *list, struct entry *e)
{
	uint32_t at = list->first;
	int n = 0;

	for (uint32_t i = 0; i < list->count; i++) {
		const struct node *item = &l->tree->nodes[at];

		if (check_item(l, f, item, i) == 0)
			e[n++] = (struct entry){ .name = item->text, .node = item };
		else if (!notes_go_on(l->notes))
			return -1;
		at = item->next;
	}
	return n;
}

static int store_names(const struct loader *l, const struct entry *e, size_t n, void *member)
{
	char ***names = member;
	char **kept = blocks_alloc(&l->unit->blocks, (n + 1) * sizeof(*kept));
	struct unit_place *places = blocks_alloc(&l->unit->blocks, (n + 1) * sizeof(*places));
	size_t count = 0;

	if (!kept || !places)
		return notes_fail_memory(l->notes);
	for (size_t i = 0; i < n; i++) {
		if (e[i].is_dropped)
			continue;
		places[count] = (struct unit_place){ e[i].node->line, e[i].node->column };
		kept[count++] = e[i].name;
	}
	*names = count ? kept : NULL;
	l->unit->after_places = places;
	l->unit->nafter = count;
	return 0;
}

static int set_one_name(const struct loader *l, const struct field *f, const struct node *n, void *member)
{
	const struct entry e = { .name = n->text, .node = n };

	if (n->len == 0)
		return 0;
	notes_warn(l->notes, n->line, n->column, "%s: one string, taken as a list of one name", f->key);
	warn_name(l, f, n);
	return store_names(l, &e, 1, member);
}

int set_NAMES(const struct loader *l, const struct field *f, const struct node *n, void *member)
{
	struct entry *e;
	int count;

	if (n->kind == NODE_SCALAR)
		return set_one_name(l, f, n, member);
	if (n->kind != NODE_LIST)
		return value_fail(l, f, n, "a list of service names");
	e = new_entries(l, n->count);
	if (!e)
		return -1;
	count = read_names(l, f, n, e);
	if (count < 0)
		return -1;
	drop_duplicates(l, f, e, (size_t)count, false);
	return store_names(l, e, (size_t)count, member);
}

// ---- env ----

static int fail_var(const struct loader *l, const struct field *f, const struct node *name, const struct node *at,
	const char *what, const char *expected)
{
	char shown[NOTES_SHOWN];

	return notes_fail(l->notes, at->line, at->column, "%s.%s: %s, expected %s", f->key,
		notes_show(name->text, name->len, shown), what, expected);
}

// 1 = usable, 0 = left out with a warning, -1 = the file is refused.
static int check_var(const struct loader *l, const struct field *f, const struct node *name, const struct node *value)
{
	if (name->kind != NODE_SCALAR)
		return notes_fail(l->notes, name->line, name->column, "%s: %s as a name, expected a string", f->key,
			node_what(name));
	if (name->plain && strcmp(name->text, "<<") == 0)
		return fail_var(l, f, name, name, "a merge key", "plain names (merge keys are not supported)");
	if (value->kind != NODE_SCALAR)
		return fail_var(l, f, name, value, node_what(value), "a string");
	if (name->len && !strchr(name->text, '='))
		return 1;
	notes_lost(l->notes, name->line, name->column, "%s: a variable whose name is empty or holds '=' is left out",
		f->key);
	return 0;
}

// Returns how many entries were filled, or -1.
static int read_vars(const struct loader *l, const struct field *f, const struct node *map, struct entry *e)
{
	const struct node *nodes = l->tree->nodes;
	uint32_t at = map->first;
	int n = 0;

	for (uint32_t i = 0; i < map->count / 2; i++) {
		const struct node *name = &nodes[at];
		const struct node *value = &nodes[name->next];
		int rc = check_var(l, f, name, value);

		if (rc < 0 && !notes_go_on(l->notes))
			return -1;
		if (rc > 0)
			e[n++] = (struct entry){ .name = name->text, .value = value->text, .node = name };
		at = value->next;
	}
	return n;
}

static int store_vars(const struct loader *l, const struct entry *e, size_t n, void *member)
{
	struct unit_var **vars = member;
	struct unit_var *kept = blocks_alloc(&l->unit->blocks, (n + 1) * sizeof(*kept));
	size_t count = 0;

	if (!kept)
		return notes_fail_memory(l->notes);
	for (size_t i = 0; i < n; i++) {
		if (!e[i].is_dropped)
			kept[count++] = (struct unit_var){ e[i].name, e[i].value };
	}
	*vars = count ? kept : NULL;
	l->unit->nenv = count;
	return 0;
}

int set_VARS(const struct loader *l, const struct field *f, const struct node *n, void *member)
{
	struct entry *e;
	int count;

	if (n->kind != NODE_MAP)
		return value_fail(l, f, n, "a map of NAME: value");
	e = new_entries(l, n->count / 2);
	if (!e)
		return -1;
	count = read_vars(l, f, n, e);
	if (count < 0)
		return -1;
	drop_duplicates(l, f, e, (size_t)count, true);
	return store_vars(l, e, (size_t)count, member);
}
