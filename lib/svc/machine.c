#include "svc/machine.h"
#include <stddef.h>

static struct step stay(enum phase p)
{
	return (struct step){ p, WORD_KEEP, ACT_NONE };
}

// Nothing of the service is running; it goes up if that is wanted and possible.
// `also` are actions that the way here calls for.
static struct step begin(const struct facts *f, enum word otherwise, unsigned also)
{
	if (!f->up || f->halting)
		return (struct step){ PHASE_IDLE, otherwise, also };
	if (!f->ready)
		return (struct step){ PHASE_BLOCKED, WORD_BLOCKED, also };
	if (f->final)
		return (struct step){ PHASE_IDLE, WORD_FAILURE, also };
	return (struct step){ PHASE_BLOCKED, otherwise, also | ACT_SPAWN };
}

static struct step on_start(enum phase p, const struct facts *f)
{
	switch (p) {
	case PHASE_IDLE:
		return begin(f, WORD_KEEP, ACT_NONE);
	case PHASE_BLOCKED:
	case PHASE_SPAWNED:
	case PHASE_RUNNING:
	case PHASE_STOPPING: // goes up when all is gone
	case PHASE_COOLING:
	case PHASE_ENDING:
	case PHASE_COUNT:
		break;
	}
	return stay(p);
}

static struct step on_stop(enum phase p, const struct facts *f)
{
	switch (p) {
	case PHASE_IDLE:
		return f->left ? (struct step){ PHASE_STOPPING, WORD_KEEP, ACT_SIGNAL } : stay(p);
	case PHASE_BLOCKED:
		return f->left ? (struct step){ PHASE_STOPPING, WORD_KEEP, ACT_SIGNAL | ACT_DELAY_END }
			       : (struct step){ PHASE_IDLE, WORD_KEEP, ACT_DELAY_END };
	case PHASE_SPAWNED:
		return (struct step){ PHASE_STOPPING, WORD_KEEP, ACT_SIGNAL | ACT_TEST_END };
	case PHASE_RUNNING:
		return (struct step){ PHASE_STOPPING, WORD_KEEP, ACT_SIGNAL };
	case PHASE_COOLING: // what is left has its signal and its grace already
		return (struct step){ f->left ? PHASE_STOPPING : PHASE_IDLE, WORD_KEEP, ACT_DELAY_END };
	case PHASE_ENDING:
		return (struct step){ f->left ? PHASE_STOPPING : PHASE_IDLE, WORD_KEEP, ACT_NONE };
	case PHASE_STOPPING:
	case PHASE_COUNT:
		break;
	}
	return stay(p);
}

static struct step on_restart(enum phase p, const struct facts *f)
{
	switch (p) {
	case PHASE_IDLE:
	case PHASE_BLOCKED:
		return f->left ? (struct step){ PHASE_STOPPING, WORD_KEEP, ACT_SIGNAL | ACT_DELAY_END }
			       : begin(f, WORD_KEEP, ACT_DELAY_END);
	case PHASE_SPAWNED:
		return (struct step){ PHASE_STOPPING, WORD_KEEP, ACT_SIGNAL | ACT_TEST_END };
	case PHASE_RUNNING:
		return (struct step){ PHASE_STOPPING, WORD_KEEP, ACT_SIGNAL };
	case PHASE_COOLING:
	case PHASE_ENDING:
		return f->left ? (struct step){ PHASE_ENDING, WORD_KEEP, ACT_DELAY_END }
			       : begin(f, WORD_KEEP, ACT_DELAY_END);
	case PHASE_STOPPING:
	case PHASE_COUNT:
		break;
	}
	return stay(p);
}

static struct step on_spawn_ok(enum phase p, const struct facts *f)
{
	switch (p) {
	case PHASE_BLOCKED:
		if (f->has_test && !f->oneshot)
			return (struct step){ PHASE_SPAWNED, WORD_SPAWNED, ACT_TEST };
		return (struct step){ PHASE_RUNNING, WORD_RUNNING, ACT_NONE };
	case PHASE_IDLE:
	case PHASE_SPAWNED:
	case PHASE_RUNNING:
	case PHASE_STOPPING:
	case PHASE_COOLING:
	case PHASE_ENDING:
	case PHASE_COUNT:
		break;
	}
	return stay(p);
}

static struct step on_loaded(enum phase p, const struct facts *f)
{
	if (p != PHASE_SPAWNED)
		return stay(p);
	if (f->has_test && !f->oneshot)
		return (struct step){ p, WORD_KEEP, ACT_TEST };
	return (struct step){ PHASE_RUNNING, WORD_RUNNING, ACT_NONE };
}

static struct step on_spawn_failed(enum phase p, const struct facts *f)
{
	switch (p) {
	case PHASE_BLOCKED:
	case PHASE_SPAWNED: // after EV_SPAWN_SLOW
		if (f->oneshot)
			return (struct step){ PHASE_IDLE, WORD_FAILURE, ACT_NONE };
		return (struct step){ PHASE_COOLING, WORD_FAILURE, ACT_DELAY };
	case PHASE_IDLE:
	case PHASE_RUNNING:
	case PHASE_STOPPING:
	case PHASE_COOLING:
	case PHASE_ENDING:
	case PHASE_COUNT:
		break;
	}
	return stay(p);
}

static struct step on_leader_exit(enum phase p, const struct facts *f)
{
	unsigned left = f->left ? ACT_SIGNAL : ACT_NONE;
	switch (p) {
	case PHASE_SPAWNED:
		if (f->oneshot)
			return (struct step){ PHASE_IDLE, WORD_EXIT, ACT_NONE };
		return (struct step){ PHASE_COOLING, WORD_EXIT, left | ACT_TEST_END | ACT_DELAY };
	case PHASE_RUNNING:
		if (f->oneshot)
			return (struct step){ PHASE_IDLE, WORD_EXIT, ACT_NONE };
		return (struct step){ PHASE_COOLING, WORD_EXIT, left | ACT_DELAY };
	case PHASE_STOPPING:
		return f->left ? stay(p) : begin(f, WORD_EXIT, ACT_NONE);
	case PHASE_IDLE:
	case PHASE_BLOCKED:
	case PHASE_COOLING:
	case PHASE_ENDING:
	case PHASE_COUNT:
		break;
	}
	return stay(p);
}

static struct step on_clear(enum phase p, const struct facts *f)
{
	switch (p) {
	case PHASE_STOPPING:
		return f->leader || f->left ? stay(p) : begin(f, WORD_EXIT, ACT_NONE);
	case PHASE_ENDING:
		return f->left ? stay(p) : begin(f, WORD_KEEP, ACT_NONE);
	case PHASE_IDLE:
	case PHASE_BLOCKED:
	case PHASE_SPAWNED:
	case PHASE_RUNNING:
	case PHASE_COOLING:
	case PHASE_COUNT:
		break;
	}
	return stay(p);
}

static struct step on_grace_over(enum phase p)
{
	switch (p) {
	case PHASE_STOPPING:
	case PHASE_COOLING:
	case PHASE_ENDING:
		return (struct step){ p, WORD_KEEP, ACT_KILL };
	case PHASE_IDLE:
	case PHASE_BLOCKED:
	case PHASE_SPAWNED:
	case PHASE_RUNNING:
	case PHASE_COUNT:
		break;
	}
	return stay(p);
}

struct step svc_next(enum phase p, enum event event, const struct facts *f)
{
	switch (event) {
	case EV_START:
		return on_start(p, f);
	case EV_STOP:
		return on_stop(p, f);
	case EV_RESTART:
		return on_restart(p, f);
	case EV_READY:
		return p == PHASE_BLOCKED ? begin(f, WORD_KEEP, ACT_DELAY_END) : stay(p);
	case EV_SPAWN_OK:
		return on_spawn_ok(p, f);
	case EV_SPAWN_SLOW:
		return p == PHASE_BLOCKED ? (struct step){ PHASE_SPAWNED, WORD_SPAWNED, ACT_NONE } : stay(p);
	case EV_LOADED:
		return on_loaded(p, f);
	case EV_SPAWN_FAILED:
		return on_spawn_failed(p, f);
	case EV_SPAWN_LATER:
		return p == PHASE_BLOCKED ? (struct step){ p, WORD_BLOCKED, ACT_RETRY } : stay(p);
	case EV_TEST_PASSED:
		return p == PHASE_SPAWNED ? (struct step){ PHASE_RUNNING, WORD_RUNNING, ACT_TEST_END } : stay(p);
	case EV_EXIT:
		return on_leader_exit(p, f);
	case EV_CLEAR:
		return on_clear(p, f);
	case EV_DELAY_OVER:
		if (p != PHASE_COOLING)
			return stay(p);
		return f->left ? (struct step){ PHASE_ENDING, WORD_KEEP, ACT_NONE } : begin(f, WORD_KEEP, ACT_NONE);
	case EV_GRACE_OVER:
		return on_grace_over(p);
	case EV_COUNT:
		break;
	}
	return stay(p);
}

const char *phase_name(enum phase p)
{
	static const char *const names[] = { "IDLE", "BLOCKED", "SPAWNED", "RUNNING", "STOPPING", "COOLING", "ENDING" };
	return p < PHASE_COUNT ? names[p] : "?";
}

const char *event_name(enum event e)
{
	static const char *const names[] = { "START", "STOP", "RESTART", "READY", "SPAWN_OK", "SPAWN_SLOW", "LOADED",
		"SPAWN_FAILED", "SPAWN_LATER", "TEST_PASSED", "EXIT", "CLEAR", "DELAY_OVER", "GRACE_OVER" };
	return e < EV_COUNT ? names[e] : "?";
}
