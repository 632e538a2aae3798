// .config, defconfig, C header and make fragment.
//
// The .config is byte for byte what kconfig-conf writes: entries in the order of
// the files, titles of visible menus and comments between them.
#include "kconfig.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

// The text without quotes and backslashes, or NULL where it is not quoted well.
static const char *unquote(const char *text)
{
	char *start = xzalloc(strlen(text) + 1), *out = start;
	if (*text++ != '"')
		return NULL;
	for (; *text && *text != '"'; text++) {
		if (*text == '\\' && text[1])
			text++;
		*out++ = *text;
	}
	return text[0] == '"' && !text[1] ? start : NULL;
}

static void answer_bool(struct sym *s, bool on, struct where at)
{
	s->user_on = on;
	if (!s->choice || !on)
		return;
	if (s->choice->user && s->choice->user != s)
		warn_at(at, "CONFIG_%s=y overrides CONFIG_%s=y of the same choice", s->name, s->choice->user->name);
	s->choice->user = s;
}

static void answer(struct sym *s, const char *value, struct where at)
{
	static const char *const expected[] = { "", "y or n", "an integer", "text in quotes" };
	const char *text = s->type == TYPE_STRING ? unquote(value) : value;
	bool is_bool = !strcmp(value, "y") || !strcmp(value, "n");
	if (!text || (s->type == TYPE_INT && !is_int(text)) || (s->type == TYPE_BOOL && !is_bool)) {
		warn_at(at, "bad value %.60s of CONFIG_%s, expected %s; its default is used", value, s->name,
			expected[s->type]);
		return;
	}
	if (s->has_user)
		warn_at(at, "CONFIG_%s is set a second time, the last one counts", s->name);
	s->has_user = true;
	s->user_text = text;
	if (s->type == TYPE_BOOL)
		answer_bool(s, *text == 'y', at);
}

static void read_line(struct kconfig *k, char *line, struct where at)
{
	char *name = NULL, *value = NULL;
	size_t len = strlen(line);
	if (len && line[len - 1] == '\r')
		line[--len] = '\0';
	char *unset = strstr(line, " is not set");
	if (!strncmp(line, "CONFIG_", 7) && (value = strchr(line, '='))) {
		name = line + 7;
		*value++ = '\0';
	} else if (!strncmp(line, "# CONFIG_", 9) && unset && !strcmp(unset, " is not set")) {
		name = line + 9;
		*unset = '\0';
	} else {
		if (*line && *line != '#')
			warn_at(at, "line '%.40s' skipped, expected CONFIG_NAME=value", line);
		return;
	}
	struct sym *s = kconfig_find(k, name);
	if (s && s->nodes)
		answer(s, value ? value : "n", at);
	else
		warn_at(at, "CONFIG_%.60s is skipped, no entry defines it", name);
}

// As kconfig-conf does, an answer out of range is dropped, not moved to the nearest bound.
static bool drop_out_of_range(struct kconfig *k, const char *path)
{
	bool dropped = false;
	kconfig_forget(k);
	kconfig_calc_all(k);
	for (struct sym *s = k->syms; s; s = s->next) {
		long long low, high;
		if (!s->has_user || sym_in_range(s, s->user_text, &low, &high))
			continue;
		fprintf(stderr, "%s: warning: CONFIG_%s=%s is dropped, expected %lld to %lld\n", path, s->name,
			s->user_text, low, high);
		s->has_user = false;
		dropped = true;
	}
	return dropped;
}

int config_read(struct kconfig *k, const char *path)
{
	size_t len;
	struct where at = { path, 1 };
	char *text = read_file(path, &len);
	if (!text)
		return -1;
	for (char *line = text, *end = text + len; line < end; at.line++) {
		char *eol = memchr(line, '\n', end - line);
		if (eol)
			*eol = '\0';
		read_line(k, line, at);
		line = eol ? eol + 1 : end;
	}
	while (drop_out_of_range(k, path))
		;
	return 0;
}

static void write_quoted(FILE *out, const char *text)
{
	putc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', out);
		putc(*text, out);
	}
	putc('"', out);
}

static void write_line(FILE *out, const struct sym *s)
{
	if (s->type == TYPE_BOOL && !s->on) {
		fprintf(out, "# CONFIG_%s is not set\n", s->name);
		return;
	}
	fprintf(out, "CONFIG_%s=", s->name);
	if (s->type == TYPE_STRING)
		write_quoted(out, s->text);
	else
		fputs(sym_text(s), out);
	putc('\n', out);
}

// The symbol that is written at this place, or NULL.
static struct sym *sym_at(const struct node *n)
{
	return n->kind == NODE_ENTRY && n->sym->nodes == n && n->sym->written ? n->sym : NULL;
}

void config_write(struct kconfig *k, FILE *out)
{
	fprintf(out, "#\n# Automatically generated file; DO NOT EDIT.\n# %s\n#\n", k->title);
	for (struct node *n = k->nodes; n; n = n->next) {
		if (n->text && kconfig_eval(k, n->dep))
			fprintf(out, "\n#\n# %s\n#\n", n->text);
		if (sym_at(n))
			write_line(out, n->sym);
	}
}

// Only what differs from what an empty file would give.
void defconfig_write(struct kconfig *k, FILE *out)
{
	for (struct node *n = k->nodes; n; n = n->next) {
		struct sym *s = sym_at(n);
		if (!s || !s->visible || s->forced || !strcmp(sym_text(s), sym_default_text(s)))
			continue;
		if (!s->choice || s != choice_default(s->choice))
			write_line(out, s);
	}
}

// So that $(CONFIG_X) is the very text: no quotes; $() keeps make from dropping
// blanks at the start and from joining lines at a backslash at the end.
static void write_make_text(FILE *out, const char *text)
{
	const char *start = text;
	if (*text == ' ' || *text == '\t')
		fputs("$()", out);
	for (; *text; text++) {
		if (*text == '$')
			putc('$', out);
		for (const char *back = text; *text == '#' && back > start && back[-1] == '\\'; back--)
			putc('\\', out);
		if (*text == '#')
			putc('\\', out);
		putc(*text, out);
	}
	if (text > start && text[-1] == '\\')
		fputs("$()", out);
}

// The next symbol that has something to say to a compiler or make.
static const struct node *next_set(const struct node *n)
{
	while (n && (!sym_at(n) || (n->sym->type == TYPE_BOOL && !n->sym->on)))
		n = n->next;
	return n;
}

void header_write(struct kconfig *k, FILE *out)
{
	fputs("// Generated from the configuration; edits will be lost.\n#pragma once\n", out);
	for (const struct node *n = next_set(k->nodes); n; n = next_set(n->next)) {
		fprintf(out, "#define CONFIG_%s ", n->sym->name);
		if (n->sym->type == TYPE_STRING)
			write_quoted(out, n->sym->text);
		else
			fputs(n->sym->type == TYPE_BOOL ? "1" : n->sym->text, out);
		putc('\n', out);
	}
}

void mk_write(struct kconfig *k, FILE *out)
{
	fputs("# Generated from the configuration; edits will be lost.\n", out);
	for (const struct node *n = next_set(k->nodes); n; n = next_set(n->next)) {
		fprintf(out, "CONFIG_%s=", n->sym->name);
		write_make_text(out, sym_text(n->sym));
		putc('\n', out);
	}
}
