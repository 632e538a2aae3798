// Ordered shutdown: who waits for whom in `after` goes first. Counts again, no
// search: a service may stop when none of its dependents is left (`holders`).
// What is in a cycle, or hangs on one, is let go when nothing else moves.
#include "svc/super.h"
#include "base/buf.h"
#include "base/log.h"
#include <signal.h>

enum { PROGRESS_MS = 5000, SWEEP_STEP_MS = 100, SWEEP_GRACE_MS = 5000, SWEEP_LIMIT_MS = 10000 };

static bool is_alive(const struct service *s)
{
	return s->rec.phase != PHASE_IDLE || s->rec.pid || svc_has_left(s);
}

static void mark_gone(struct service *s);

// Also asked of services without a leader: what a oneshot started is found then.
static void stop_if_free(struct service *s)
{
	if (s->gone || s->holders)
		return;
	if (!s->halt_asked) {
		s->halt_asked = true;
		super_stop(s);
		if (is_alive(s))
			log_info("service '%s' is scheduled for a shutdown", service_name(s));
	}
	if (!is_alive(s))
		mark_gone(s);
}

// The stack of a long chain of dead services must not grow with it: freed
// services are stopped from the work queue.
static void mark_gone(struct service *s)
{
	if (s->gone)
		return;
	s->gone = true;
	s->super->nwaiting--;
	for (size_t i = 0; i < s->def->nedges; i++) {
		struct service *on = s->def->edges[i].to->svc;
		if (on && on != s && on->holders && !--on->holders)
			svc_todo(on, TODO_HALT);
	}
}

void halt_service(struct service *s)
{
	stop_if_free(s);
	halt_finish(s->super);
}

void halt_check(struct service *s)
{
	if (!s->gone && !s->holders && !is_alive(s))
		svc_todo(s, TODO_HALT);
}

// A process that even SIGKILL does not end must not keep a machine from its end.
void halt_give_up(struct service *s)
{
	if (!s->super->halting || s->gone)
		return;
	log_error("service '%s' cannot be ended: going on without it", service_name(s));
	mark_gone(s);
	halt_finish(s->super);
}

// What a removed service held is let go.
void halt_removed(struct service *s)
{
	if (s->super->halting)
		mark_gone(s);
}

static void let_go(struct service *s)
{
	s->holders = 0;
	s->halt_asked = false;
	svc_todo(s, TODO_HALT);
}

static bool has_stuck_dependency(const struct service *s)
{
	for (size_t i = 0; i < s->def->nedges; i++) {
		const struct service *on = s->def->edges[i].to->svc;
		if (on && !on->gone && !on->below)
			return true;
	}
	return false;
}

// Marks what only lies below a cycle: peeled off from the bottom until nothing
// but cycles, and what joins them, is left.
static void mark_below(struct super *u)
{
	for (bool moved = true; moved;) {
		moved = false;
		list_for (pos, &u->services) {
			struct service *s = list_entry(pos, struct service, link);
			if (s->gone || s->below || has_stuck_dependency(s))
				continue;
			s->below = true;
			moved = true;
		}
	}
}

// Nothing moves and something is left: only cycles do that. First those without
// processes are let go, since that may free the rest in order; then the cycles.
static void break_cycles(struct super *u)
{
	bool dead = false;
	list_for (pos, &u->services) {
		struct service *s = list_entry(pos, struct service, link);
		s->below = false;
		if (s->gone || s->rec.pid || svc_has_left(s))
			continue;
		dead = true;
		let_go(s);
	}
	if (dead)
		return;
	mark_below(u);
	list_for (pos, &u->services) {
		struct service *s = list_entry(pos, struct service, link);
		if (s->gone || s->below)
			continue;
		log_warn("service '%s' is in a cycle of `after`: stopped without its order", service_name(s));
		let_go(s);
	}
}

static void sweep(struct super *u)
{
	uint64_t spent = u->loop->now_ms - u->halt_since_ms;
	int sig = spent >= SWEEP_GRACE_MS ? SIGKILL : u->halt_round ? 0 : SIGTERM;
	int left = kin_sweep(u, sig);
	if (left && spent >= SWEEP_LIMIT_MS)
		log_error("some processes cannot be ended: going on without them");
	if (!left || spent >= SWEEP_LIMIT_MS) {
		timer_stop(&u->halt_timer);
		u->halt_over = true;
		u->on_halted(u->on_halted_ctx);
		return;
	}
	if (left > 0 && !u->halt_round++)
		log_info("ending the processes that belong to no running service");
	timer_set(u->loop, &u->halt_timer, SWEEP_STEP_MS);
}

void halt_finish(struct super *u)
{
	if (!u->halting || u->halt_over || u->sweeping)
		return;
	if (u->nwaiting) {
		if (!u->nstopping && !u->nhalt_todo)
			break_cycles(u);
		return;
	}
	u->sweeping = true;
	u->halt_round = 0;
	u->halt_since_ms = u->loop->now_ms;
	sweep(u);
}

static void add_waiting(struct buf *b, const struct service *s)
{
	if (s->gone || s->rec.phase != PHASE_STOPPING)
		return;
	buf_printf(b, "%s %s", b->len ? "," : "", service_name(s));
	uint64_t left = timer_left_ms(&s->grace);
	if (left)
		buf_printf(b, " (at most %llu s more)", (unsigned long long)((left + 999) / 1000));
}

static void progress(struct super *u)
{
	struct buf b = BUF_INIT;
	list_for (pos, &u->services)
		add_waiting(&b, list_entry(pos, struct service, link));
	const char *text = buf_text(&b);
	log_info("shutdown waits for%s", text ? text : " services");
	buf_release(&b);
	timer_set(u->loop, &u->halt_timer, PROGRESS_MS);
}

static void halt_tick(struct timer *t)
{
	struct super *u = container_of(t, struct super, halt_timer);
	if (u->sweeping)
		sweep(u);
	else
		progress(u);
}

void halt_init(struct super *u)
{
	timer_init(&u->halt_timer, halt_tick);
}

void halt_reaped(struct super *u)
{
	if (u->sweeping && !u->halt_over)
		sweep(u);
}

void super_shutdown(struct super *u, enum halt_mode mode)
{
	if (u->halting) {
		if (u->halting == HALT_STOP)
			u->halting = mode;
		return;
	}
	u->halting = mode;
	log_info("%s", mode == HALT_REBOOT ? "rebooting" : "shutting down");
	timer_set(u->loop, &u->halt_timer, PROGRESS_MS);
	u->nwaiting = u->nservices;
	kin_begin_halt(u);
	list_for (pos, &u->services) {
		struct service *s = list_entry(pos, struct service, link);
		s->rec.up = false;
		for (size_t i = 0; i < s->def->nedges; i++)
			if (s->def->edges[i].to->svc && s->def->edges[i].to->svc != s)
				s->def->edges[i].to->svc->holders++;
	}
	list_for (pos, &u->services)
		stop_if_free(list_entry(pos, struct service, link));
	halt_finish(u);
}
