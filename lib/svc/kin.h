// Between kin.c and attribute.c.
#pragma once
#include "svc/super.h"

// What a process is to the service that proc.owner names.
enum mark {
	MARK_NONE,
	MARK_KNOWN,
	MARK_DETACHED, // left on purpose
	MARK_TRACKED, // its leader or its test, or what needs no further care
};

static inline bool proc_is_alive(const struct proc *p)
{
	return p->state != 'Z' && p->state != 'X';
}

static inline bool svc_is_ending(const struct service *s)
{
	return s->rec.phase == PHASE_STOPPING || s->rec.phase == PHASE_COOLING || s->rec.phase == PHASE_ENDING;
}

// Sets owner and mark in the snapshot u->tree; u->question or u->doubt when that
// cannot be done for all.
void kin_attribute(struct super *u);
