// What can be wrong in a Kconfig only once everything is read: types and uses.
#include "kconfig.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void note_use(struct sym *s, struct where at, bool as_bool)
{
	if (s->is_literal && as_bool && strcmp(s->name, "y") && strcmp(s->name, "n"))
		die_at(at, "\"%s\" is text, expected a symbol, y or n", s->name);
	if (s->is_literal || s->used_as_bool || (s->used.file && !as_bool))
		return;
	s->used = at;
	s->used_as_bool = as_bool;
}

// The parser limits the depth. What a comparison has on its right may be plain text.
void note_condition(const struct expr *e, struct where at)
{
	if (!e)
		return;
	if (e->sym)
		note_use(e->sym, at, e->op == OP_SYM);
	note_condition(e->left, at);
	note_condition(e->right, at);
}

bool is_int(const char *text)
{
	const char *digits = text + (*text == '-');
	if (!*digits || digits[strspn(digits, "0123456789")] || (*digits == '0' && digits[1]))
		return false;
	errno = 0;
	strtoll(text, NULL, 10);
	return !errno;
}

static void check_int(const struct sym *s, struct where at)
{
	if (s->type != TYPE_INT && (s->type != TYPE_NONE || !is_int(s->name)))
		die_at(at, "'%s' is not an integer, expected digits or the name of an int", s->name);
}

static void check_default(const struct sym *s, const struct prop *p)
{
	if (s->choice)
		die_at(p->at, "default for a value of a choice, expected it in the choice");
	if (s->type == TYPE_BOOL) {
		note_condition(p->value, p->at);
		return;
	}
	if (p->value->op != OP_SYM)
		die_at(p->at, "default of %s is a condition, expected one value", s->name);
	if (s->type == TYPE_INT)
		check_int(p->value->sym, p->at);
	else if (p->value->sym->type == TYPE_BOOL)
		die_at(p->at, "default of %s is the bool %s, expected text", s->name, p->value->sym->name);
}

static void check_range(const struct sym *s, const struct prop *p)
{
	if (s->type != TYPE_INT)
		die_at(p->at, "range of %s, expected it for an int only", s->name);
	check_int(p->sym, p->at);
	check_int(p->high, p->at);
	bool is_fixed = p->sym->type == TYPE_NONE && p->high->type == TYPE_NONE;
	if (is_fixed && strtoll(p->sym->name, NULL, 10) > strtoll(p->high->name, NULL, 10))
		die_at(p->at, "range %s %s is empty, expected the smaller bound first", p->sym->name, p->high->name);
}

static void check_sym(const struct sym *s)
{
	unsigned kinds = 0;
	if (s->type == TYPE_NONE)
		die_at(s->at, "%s has no type, expected bool, int or string", s->name);
	for (const struct prop *p = s->props; p; p = p->next) {
		kinds |= 1u << p->kind;
		if (p->kind == PROP_DEFAULT)
			check_default(s, p);
		else if (p->kind == PROP_RANGE)
			check_range(s, p);
		else if (p->kind == PROP_SELECT && s->type != TYPE_BOOL)
			die_at(p->at, "select in %s, expected it in a bool only", s->name);
	}
	if (s->choice && (s->type != TYPE_BOOL || !(kinds & 1u << PROP_PROMPT)))
		die_at(s->at, "%s is a value of a choice, expected a bool with a prompt", s->name);
	if (s->choice && s->selects)
		die_at(s->selects->at, "select of %s, a value of a choice, expected another symbol", s->name);
	if (s->type == TYPE_INT && !(kinds & 1u << PROP_DEFAULT))
		die_at(s->at, "%s has no default, expected one for each int", s->name);
}

static void check_choice(struct choice *c)
{
	if (!c->on.props)
		die_at(c->on.at, "choice has no prompt, expected one");
	if (!c->members)
		die_at(c->on.at, "choice has no values, expected config entries");
	if (c->on.type == TYPE_NONE)
		die_at(c->on.at, "choice has no type, expected bool, or a value outside of if");
	for (const struct prop *p = c->pick.props; p; p = p->next) {
		if (p->value->sym->choice != c)
			die_at(p->at, "default %s, expected a value of this choice", p->value->sym->name);
	}
}

static void check_use(const struct sym *s)
{
	if (s->nodes && s->used_as_bool && s->type != TYPE_BOOL)
		die_at(s->used, "%s is not a bool, expected a bool or a comparison", s->name);
	if (!s->nodes && s->used.file)
		warn_at(s->used, "%s is not defined, taken as n", s->name);
}

void kconfig_check(struct kconfig *k)
{
	for (struct choice *c = k->choices; c; c = c->next)
		check_choice(c);
	for (struct sym *s = k->syms; s; s = s->next) {
		if (s->nodes)
			check_sym(s);
	}
	// Only now: a default of a bool is a use that check_sym() notes.
	for (struct sym *s = k->syms; s; s = s->next)
		check_use(s);
}
