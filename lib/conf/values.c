// One function per type of value that a service file can hold.
#include <stdio.h>
#include <string.h>

#include "base/signame.h"
#include "base/words.h"
#include "conf/blocks.h"
#include "conf/load.h"

int value_fail(const struct loader *l, const struct field *f, const struct node *n, const char *expected)
{
	char shown[NOTES_SHOWN];

	if (n->kind != NODE_SCALAR || node_is_null(n))
		return notes_fail(l->notes, n->line, n->column, "%s: %s, expected %s", f->key, node_what(n), expected);
	return notes_fail(l->notes, n->line, n->column, "%s: %s '%s', expected %s", f->key, node_what(n),
		notes_show(n->text, n->len, shown), expected);
}

// ---- text, and the command lines made of it ----

int set_TEXT(const struct loader *l, const struct field *f, const struct node *n, void *member)
{
	char **text = member;

	if (n->kind != NODE_SCALAR)
		return value_fail(l, f, n, "a path");
	if (n->len == 0)
		return 0;
	if (n->text[0] != '/')
		notes_warn(
			l->notes, n->line, n->column, "%s: a relative path, expected one that starts with /", f->key);
	*text = n->text;
	l->unit->dir_place = (struct unit_place){ n->line, n->column };
	return 0;
}

// Says where in a command of one or several lines the trouble begins.
static int set_broken(const struct loader *l, struct unit_command *c, size_t at, const char *why)
{
	char text[192], shown[NOTES_SHOWN];
	size_t line = 1, column = 1;

	for (size_t i = 0; i < at; i++) {
		bool is_newline = c->text[i] == '\n';

		line += is_newline;
		column = is_newline ? 1 : column + (((unsigned char)c->text[i + 1] & 0xc0) != 0x80);
	}
	notes_show(c->text + at, strlen(c->text + at), shown);
	snprintf(text, sizeof(text), "%s: line %zu, column %zu of the command: %s", why, line, column, shown);
	c->broken = blocks_text(&l->unit->blocks, text, strlen(text));
	return c->broken ? 0 : notes_fail_memory(l->notes);
}

// words: the NUL-ended words one after the other.
static int set_argv(const struct loader *l, struct unit_command *c, char *words, size_t count)
{
	c->argv = blocks_alloc(&l->unit->blocks, (count + 1) * sizeof(*c->argv));
	if (!c->argv)
		return notes_fail_memory(l->notes);
	c->argc = count;
	for (size_t i = 0; i < count; i++) {
		c->argv[i] = words;
		words += strlen(words) + 1;
	}
	c->argv[count] = NULL;
	return 0;
}

static int split_command(const struct loader *l, struct unit_command *c, size_t len)
{
	char *words = blocks_alloc(&l->unit->blocks, len + 1);
	const char *why = NULL;
	size_t at = 0;
	int count;

	if (!words)
		return notes_fail_memory(l->notes);
	count = words_split(c->text, len, words, NULL, &at, &why);
	if (count < 0)
		return set_broken(l, c, at, why);
	if (count == 0)
		return set_broken(l, c, 0, "holds no command, only blanks or a comment");
	return set_argv(l, c, words, (size_t)count);
}

int set_COMMAND(const struct loader *l, const struct field *f, const struct node *n, void *member)
{
	struct unit_command *c = member;

	if (n->kind == NODE_LIST)
		return value_fail(l, f, n, "one string such as 'sleep 1000'");
	if (n->kind != NODE_SCALAR)
		return value_fail(l, f, n, "a string");
	if (n->len == 0)
		return 0;
	c->text = n->text;
	c->place = (struct unit_place){ n->line, n->column };
	return split_command(l, c, n->len);
}

// ---- single words ----

int set_BOOL(const struct loader *l, const struct field *f, const struct node *n, void *member)
{
	bool *value = member;

	return scalar_bool(n, value) < 0 ? value_fail(l, f, n, "true or false, without quotes") : 0;
}

int set_SECONDS(const struct loader *l, const struct field *f, const struct node *n, void *member)
{
	uint64_t *value = member;
	uint64_t seconds;

	if (scalar_u64(n, &seconds) < 0)
		return value_fail(
			l, f, n, "whole seconds: a number from 0 to 18446744073709551615 without quotes or unit");
	if (seconds)
		*value = seconds;
	return 0;
}

int set_SIGNAL(const struct loader *l, const struct field *f, const struct node *n, void *member)
{
	int *sig = member;
	int value = n->kind == NODE_SCALAR ? signame_parse(n->text, n->len) : -1;

	if (value < 0)
		return value_fail(l, f, n, "a signal such as SIGTERM, TERM, 15 or SIGRTMIN+2");
	*sig = value;
	return 0;
}

// *value is left alone on failure.
static int choose(const struct loader *l, const struct field *f, const struct node *n, int *value)
{
	static const char *const expected[] = {
#define FIELD_TYPE(type, text) [FIELD_##type] = text,
#include "conf/fields.def"
	};
	static const struct {
		enum field_type type;
		const char *word;
		int value;
	} choices[] = {
#define CHOICE(type, word, value) { FIELD_##type, word, value },
#include "conf/fields.def"
	};

	for (size_t i = 0; n->kind == NODE_SCALAR && i < sizeof(choices) / sizeof(choices[0]); i++) {
		if (choices[i].type == f->type && strcmp(n->text, choices[i].word) == 0) {
			*value = choices[i].value;
			return 0;
		}
	}
	return value_fail(l, f, n, expected[f->type]);
}

int set_LOG(const struct loader *l, const struct field *f, const struct node *n, void *member)
{
	enum unit_log *log = member;
	int value = UNIT_LOG_NONE;

	if (!node_is_null(n) && choose(l, f, n, &value) < 0)
		return -1;
	*log = (enum unit_log)value;
	return 0;
}

int set_KILL(const struct loader *l, const struct field *f, const struct node *n, void *member)
{
	enum unit_kill *kind = member;
	int value = UNIT_KILL_ATTACHED;

	if (choose(l, f, n, &value) < 0)
		return -1;
	*kind = (enum unit_kill)value;
	return 0;
}
