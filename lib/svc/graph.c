// Names and `after`. An edge counts against its owner until its target is
// satisfied; nothing is ever searched for, a flip moves the counts.
#include "svc/super.h"
#include <stdlib.h>
#include <string.h>

// FNV-1a
static uint32_t hash_of(const char *name)
{
	uint32_t h = 2166136261u;
	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 16777619u;
	return h;
}

struct node *graph_find(struct super *u, const char *name)
{
	uint32_t h = hash_of(name);
	for (struct node *n = u->nodes[h % SUPER_BUCKETS]; n; n = n->next)
		if (n->hash == h && !strcmp(n->name, name))
			return n;
	return NULL;
}

struct node *graph_node(struct super *u, const char *name)
{
	struct node *n = graph_find(u, name);
	if (n)
		return n;
	size_t size = strlen(name) + 1;
	n = malloc(sizeof(*n) + size);
	if (!n)
		return NULL;
	n->hash = hash_of(name);
	n->svc = NULL;
	n->refs = 0;
	list_init(&n->dependents);
	memcpy(n->name, name, size);
	n->next = u->nodes[n->hash % SUPER_BUCKETS];
	u->nodes[n->hash % SUPER_BUCKETS] = n;
	return n;
}

void graph_release(struct super *u, struct node *n)
{
	if (n->svc || n->refs)
		return;
	struct node **at = &u->nodes[n->hash % SUPER_BUCKETS];
	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	free(n);
}

static bool is_met(const struct node *n)
{
	return n->svc && n->svc->satisfied;
}

void graph_attach(struct service *s, struct def *d)
{
	s->nblock = 0;
	for (size_t i = 0; i < d->nedges; i++) {
		struct edge *e = &d->edges[i];
		e->from = s;
		list_append(&e->to->dependents, &e->link);
		s->nblock += !is_met(e->to);
	}
}

void graph_detach(struct super *u, struct def *d)
{
	for (size_t i = 0; i < d->nedges; i++) {
		list_del(&d->edges[i].link);
		d->edges[i].to->refs--;
		graph_release(u, d->edges[i].to);
	}
	d->nedges = 0;
}

void graph_flip(struct service *s, bool satisfied)
{
	s->satisfied = satisfied;
	list_for (pos, &s->node->dependents) {
		struct service *from = list_entry(pos, struct edge, link)->from;
		if (!satisfied)
			from->nblock++;
		else if (!--from->nblock)
			svc_todo(from, TODO_READY);
	}
}
