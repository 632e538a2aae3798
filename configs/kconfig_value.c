// Symbols and the user's answers -> values.
//
// Each symbol is computed once, after all that it depends on. Every part of an
// entry is computed whatever the others say (no short cut in && and ||), so a
// dependency cycle is found always and not only in some configurations.
#include "kconfig.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 4000 }; // frames of kconfig_calc() and kconfig_eval() on the stack

const char *sym_text(const struct sym *s)
{
	if (s->type == TYPE_BOOL)
		return s->on ? "y" : "n";
	return s->type == TYPE_NONE ? s->name : s->text;
}

static _Noreturn void die_cycle(struct kconfig *k, struct sym *s)
{
	const char *chain = s->name;
	for (struct sym *up = k->current; up != s; up = up->asked_by)
		chain = xprintf("%s -> %s", up->name, chain);
	die_at(s->at, "dependency cycle %s -> %s, expected none", s->name, chain);
}

static void go_deeper(struct kconfig *k)
{
	if (++k->depth > MAX_DEPTH)
		die_at(k->current->at, "dependencies of %s nest too deep, expected at most %d", k->current->name,
			MAX_DEPTH);
}

// A literal, an undefined name or a string can be a number too, in any base that C knows.
static bool is_number(const struct sym *s, long long *n)
{
	if (s->type == TYPE_BOOL)
		return false;
	char *end;
	errno = 0;
	*n = strtoll(sym_text(s), &end, s->type == TYPE_INT ? 10 : 0);
	return !errno && !*end && end > sym_text(s) && isxdigit((unsigned char)end[-1]);
}

static bool is_equal(struct kconfig *k, struct sym *a, struct sym *b)
{
	long long left, right;
	kconfig_calc(k, a);
	kconfig_calc(k, b);
	bool are_strings = a->type == TYPE_STRING && b->type == TYPE_STRING;
	if (!are_strings && is_number(a, &left) && is_number(b, &right))
		return left == right;
	return !strcmp(sym_text(a), sym_text(b));
}

bool kconfig_eval(struct kconfig *k, const struct expr *e)
{
	if (!e)
		return true;
	go_deeper(k);
	bool left = kconfig_eval(k, e->left), right = kconfig_eval(k, e->right), value = false;
	switch (e->op) {
	case OP_SYM:
		kconfig_calc(k, e->sym);
		value = e->sym->on;
		break;
	case OP_NOT:
		value = !left;
		break;
	case OP_AND:
		value = left && right;
		break;
	case OP_OR:
		value = left || right;
		break;
	case OP_EQUAL:
		value = is_equal(k, e->sym, e->right_sym);
		break;
	case OP_UNEQUAL:
		value = !is_equal(k, e->sym, e->right_sym);
		break;
	}
	k->depth--;
	return value;
}

static bool holds(struct kconfig *k, const struct prop *p)
{
	bool dep = kconfig_eval(k, p->node->dep), cond = kconfig_eval(k, p->cond);
	return dep && cond;
}

static void calc_props(struct kconfig *k, struct sym *s)
{
	s->visible = false;
	for (struct prop *p = s->props; p; p = p->next) {
		if (p->kind == PROP_SELECT)
			continue; // matters to its target only
		p->on = holds(k, p);
		if (p->kind == PROP_PROMPT)
			s->visible |= p->on;
		if (p->kind == PROP_DEFAULT)
			p->value_on = kconfig_eval(k, p->value);
		if (p->kind == PROP_RANGE) {
			kconfig_calc(k, p->sym);
			kconfig_calc(k, p->high);
		}
	}
}

static const struct prop *first_on(const struct sym *s, enum prop_kind kind)
{
	for (const struct prop *p = s->props; p; p = p->next) {
		if (p->kind == kind && p->on)
			return p;
	}
	return NULL;
}

bool sym_in_range(const struct sym *s, const char *text, long long *low, long long *high)
{
	const struct prop *range = s->type == TYPE_INT ? first_on(s, PROP_RANGE) : NULL;
	if (!range)
		return true;
	long long n = strtoll(text, NULL, 10);
	*low = strtoll(sym_text(range->sym), NULL, 10);
	*high = strtoll(sym_text(range->high), NULL, 10);
	return n >= *low && n <= *high;
}

static const char *limit(const struct sym *s, const char *text)
{
	long long low, high;
	if (!*text && s->type == TYPE_INT)
		die_at(s->at, "no default of the int %s applies, expected one", s->name);
	if (sym_in_range(s, text, &low, &high))
		return text;
	return xprintf("%lld", strtoll(text, NULL, 10) < low ? low : high);
}

const char *sym_default_text(const struct sym *s)
{
	const struct prop *p = first_on(s, PROP_DEFAULT);
	if (s->type == TYPE_BOOL)
		return s->forced || (p && p->value_on) ? "y" : "n";
	return p ? sym_text(p->value->sym) : "";
}

static void calc_ordinary(struct kconfig *k, struct sym *s)
{
	s->deps_met = s->forced = false;
	calc_props(k, s);
	for (struct node *n = s->nodes; n; n = n->next_of_sym)
		s->deps_met |= kconfig_eval(k, n->dep);
	for (struct prop *p = s->selects; p; p = p->next_select) {
		kconfig_calc(k, p->node->sym);
		p->on = holds(k, p);
		s->forced |= p->node->sym->on && p->on;
	}
	bool answered = s->visible && s->has_user;
	s->written = s->visible || s->forced || first_on(s, PROP_DEFAULT);
	if (s->type == TYPE_BOOL)
		s->on = s->forced || (answered ? s->user_on : *sym_default_text(s) == 'y');
	else
		s->text = answered ? s->user_text : sym_default_text(s);
	if (s->written && s->type != TYPE_BOOL)
		s->text = limit(s, s->text);
}

struct sym *choice_default(const struct choice *c)
{
	for (const struct prop *p = c->pick.props; p; p = p->next) {
		if (p->on && p->value->sym->visible)
			return p->value->sym;
	}
	struct sym *s = c->members;
	while (s && !s->visible)
		s = s->next_member;
	return s;
}

static void calc_pick(struct kconfig *k, struct choice *c)
{
	kconfig_calc(k, &c->on);
	for (struct sym *s = c->members; s; s = s->next_member)
		calc_props(k, s);
	for (struct prop *p = c->pick.props; p; p = p->next)
		p->on = holds(k, p);
	c->chosen = c->user && c->user->visible ? c->user : choice_default(c);
	c->on.on = c->chosen != NULL; // comments inside ask for it
}

void kconfig_calc(struct kconfig *k, struct sym *s)
{
	bool is_pick = s->choice && s == &s->choice->pick;
	if (s->state == STATE_DONE || (s->type == TYPE_NONE && !is_pick))
		return;
	if (s->state == STATE_BUSY)
		die_cycle(k, s);
	s->state = STATE_BUSY;
	s->asked_by = k->current;
	k->current = s;
	go_deeper(k);
	if (is_pick) {
		calc_pick(k, s->choice);
	} else if (s->choice) {
		kconfig_calc(k, &s->choice->pick);
		s->on = s->choice->chosen == s;
		s->written = s->visible;
	} else {
		calc_ordinary(k, s);
	}
	k->depth--;
	k->current = s->asked_by;
	s->state = STATE_DONE;
}

void kconfig_calc_all(struct kconfig *k)
{
	for (struct choice *c = k->choices; c; c = c->next)
		kconfig_calc(k, &c->pick);
	for (struct sym *s = k->syms; s; s = s->next)
		kconfig_calc(k, s);
}

void kconfig_forget(struct kconfig *k)
{
	for (struct sym *s = k->syms; s; s = s->next)
		s->state = STATE_UNKNOWN;
	for (struct choice *c = k->choices; c; c = c->next)
		c->on.state = c->pick.state = STATE_UNKNOWN;
}
