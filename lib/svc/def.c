// A parsed file becomes a struct def: one block of memory with everything in it.
#include "base/buf.h"
#include "svc/super.h"
#include <stdlib.h>
#include <string.h>

// Hands out pieces of one block. The first pass only adds up (base NULL).
struct carve {
	char *base;
	size_t used;
};

static void *carve(struct carve *c, size_t size, size_t align)
{
	c->used = (c->used + align - 1) / align * align;
	void *p = c->base ? c->base + c->used : NULL;
	c->used += size;
	return p;
}

static char *carve_text(struct carve *c, const char *text)
{
	if (!text)
		return NULL;
	size_t size = strlen(text) + 1;
	char *p = carve(c, size, 1);
	if (p)
		memcpy(p, text, size);
	return p;
}

// One slot more than argc + NULL: in front, for spawn.
static char **carve_argv(struct carve *c, char *const *argv, size_t argc)
{
	if (!argv || !argc)
		return NULL;
	char **v = carve(c, (argc + 2) * sizeof(*v), sizeof(*v));
	for (size_t i = 0; i < argc; i++) {
		char *word = carve_text(c, argv[i]);
		if (v)
			v[i + 1] = word;
	}
	if (!v)
		return NULL;
	v[0] = NULL;
	v[argc + 1] = NULL;
	return v + 1;
}

static char *carve_var(struct carve *c, const struct unit_var *var)
{
	size_t name = strlen(var->name), value = strlen(var->value) + 1;
	char *p = carve(c, name + 1 + value, 1);
	if (!p)
		return NULL;
	memcpy(p, var->name, name);
	p[name] = '=';
	memcpy(p + name + 1, var->value, value);
	return p;
}

static void fill(struct carve *c, struct def *d, const struct unit *u)
{
	struct edge *edges = carve(c, u->nafter * sizeof(*edges), _Alignof(struct edge));
	char **env = carve(c, (u->nenv + 1) * sizeof(*env), sizeof(*env));
	char **argv = carve_argv(c, u->exec.argv, u->exec.argc);
	char **test_argv = carve_argv(c, u->test.argv, u->test.argc);
	for (size_t i = 0; i < u->nenv; i++) {
		char *var = carve_var(c, &u->env[i]);
		if (env)
			env[i] = var;
	}
	char *dir = carve_text(c, u->dir ? u->dir : "/");
	char *broken = carve_text(c, u->exec.argv && u->exec.argc ? NULL
				     : u->exec.broken             ? u->exec.broken
								  : "exec is empty");
	char *test_broken = carve_text(c, u->test.broken);
	if (!d || !env)
		return;
	env[u->nenv] = NULL;
	d->edges = edges;
	d->env = env;
	d->argv = argv;
	d->test_argv = test_argv;
	d->dir = dir;
	d->broken = broken;
	d->test_broken = test_broken;
}

static uint64_t to_ms(uint64_t seconds)
{
	return seconds > UINT64_MAX / 1000 ? UINT64_MAX : seconds * 1000;
}

struct def *def_new(struct super *u, const struct unit *unit)
{
	struct carve size = { 0 };
	fill(&size, NULL, unit);
	struct def *d = calloc(1, sizeof(*d) + size.used + _Alignof(struct edge));
	if (!d)
		return NULL;
	// The flexible part starts after the struct, so it is as aligned as that.
	struct carve c = { .base = (char *)(d + 1) };
	fill(&c, d, unit);
	d->grace_ms = to_ms(unit->shutdown_timeout);
	d->stop_signal = unit->stop_signal;
	d->oneshot = unit->oneshot;
	d->essential = unit->essential;
	d->log = unit->log;
	d->kill = unit->kill;
	d->has_test = unit->test.text && !unit->oneshot && (d->test_argv || d->test_broken);
	for (; d->nedges < unit->nafter; d->nedges++) {
		struct edge *e = &d->edges[d->nedges];
		list_init(&e->link);
		e->to = graph_node(u, unit->after[d->nedges]);
		if (!e->to) {
			def_free(u, d);
			return NULL;
		}
		e->to->refs++;
	}
	return d;
}

void def_free(struct super *u, struct def *d)
{
	if (!d)
		return;
	graph_detach(u, d);
	free(d);
}
