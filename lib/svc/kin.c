// Which processes belong to which service, and signals to exactly those.
//
// A process belongs to a service
//  - as it did in the last snapshot (pid and start time are the same), or
//  - because its session or group is that of the leader, or
//  - because a living ancestor belongs to it, or
//  - because it is in the control group of the service (kill: tree, where init has
//    control groups of its own), or
//  - because init has adopted it and it carries ZINIT_SERVICE=name: then it has
//    detached itself, unless it is still in the leader's session or group.
// A number that the leader no longer holds proves nothing by itself: it counts
// for processes that are older than the leader's end, or that carry the name.
//
// /proc is read only when it can matter: a leader without children, and an init
// without adopted children, leave nothing to look for.
#include "svc/super.h"
#include "base/log.h"
#include "proc/cgroup.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum mark { MARK_NONE, MARK_KNOWN, MARK_DETACHED, MARK_TRACKED };

// ---- is there anything to look for? ----

static bool only_tracked(void *ctx, pid_t pid)
{
	struct super *u = ctx;
	if (run_tracked(u, pid))
		return true;
	u->calm_turn = 0;
	return false;
}

// No child of init is a stranger: then no process has lost its parent, and what
// services have besides their leaders hangs below living leaders.
static bool is_calm(struct super *u)
{
	if (u->calm_turn == u->loop->turn)
		return true;
	u->calm_turn = u->loop->turn;
	if (tree_own_children(only_tracked, u) < 0)
		u->calm_turn = 0;
	return u->calm_turn != 0;
}

// ---- attribution ----

static bool is_alive(const struct proc *p)
{
	return p->state != 'Z' && p->state != 'X';
}

static void claim(struct proc *p, struct service *s, enum mark mark)
{
	p->owner = s;
	p->mark = mark;
}

static void mark_leaders(struct super *u)
{
	list_for (pos, &u->services) {
		struct service *s = list_entry(pos, struct service, link);
		struct proc *p = s->rec.pid ? tree_find(&u->tree, s->rec.pid) : NULL;
		if (p)
			claim(p, s, MARK_TRACKED);
		p = s->test.pid ? tree_find(&u->tree, s->test.pid) : NULL;
		if (p)
			claim(p, s, MARK_TRACKED);
	}
}

static bool is_ending(const struct service *s)
{
	return s->rec.phase == PHASE_STOPPING || s->rec.phase == PHASE_COOLING || s->rec.phase == PHASE_ENDING;
}

// What belonged to a run that is being ended goes on belonging to it, wherever
// it moves in the tree meanwhile; so does what earlier runs of a oneshot left.
static void mark_known(struct super *u)
{
	for (size_t i = 0; i < u->nmembers; i++) {
		const struct member *m = &u->members[i];
		bool keeps = is_ending(m->svc) || m->svc->def->oneshot;
		struct proc *p = keeps ? tree_find(&u->tree, m->pid) : NULL;
		if (p && p->start == m->start && is_alive(p) && !p->owner)
			claim(p, m->svc, m->detached ? MARK_DETACHED : MARK_KNOWN);
	}
}

static struct service *service_of_env(struct super *u, pid_t pid)
{
	char name[UNIT_NAME_MAX + 1];
	return tree_env(pid, "ZINIT_SERVICE", name, sizeof(name)) ? super_find(u, name) : NULL;
}

static bool in_session(const struct proc *p, pid_t leader)
{
	return leader && (p->sid == leader || p->pgrp == leader);
}

static void mark_session_of_living(struct super *u, struct proc *p)
{
	struct tracked *t = run_tracked(u, p->sid);
	if (!t)
		t = run_tracked(u, p->pgrp);
	if (!t || t->role == ROLE_HELPER)
		return;
	struct service *s = t->role == ROLE_LEADER ? container_of(t, struct service, leader)
						   : container_of(t, struct service, test);
	claim(p, s, MARK_KNOWN);
}

// Started after the stop began: it cannot have detached itself before.
static bool is_late(const struct service *s, const struct proc *p)
{
	return is_ending(s) && s->signalled && p->start >= s->end_ticks;
}

// An adopted child of init, of a leader that is gone.
static void mark_adopted(struct super *u, struct proc *p)
{
	struct service *s = service_of_env(u, p->pid);
	if (s) {
		bool known = in_session(p, s->rec.exit_pid) || is_late(s, p) || u->calm_halt;
		claim(p, s, known ? MARK_KNOWN : MARK_DETACHED);
		return;
	}
	list_for (pos, &u->exits) {
		s = list_entry(pos, struct service, exits);
		if (s->leader_gone && in_session(p, s->rec.exit_pid) && p->start <= s->reap_ticks) {
			claim(p, s, MARK_KNOWN);
			return;
		}
	}
}

// What a finished test has left in its session ends with it.
static void end_test_leftovers(struct super *u, struct service *s)
{
	bool found = false;
	for (size_t i = 0; i < u->tree.len; i++) {
		struct proc *p = &u->tree.procs[i];
		if (p->owner || !is_alive(p) || !in_session(p, s->test_group))
			continue;
		if (p->start > s->reap_ticks && service_of_env(u, p->pid) != s)
			continue;
		tree_signal(p->pid, p->start, SIGKILL);
		claim(p, s, MARK_TRACKED);
		found = true;
	}
	if (!found)
		s->test_group = 0;
}

// Children follow their parents; in ascending order of pid one pass is mostly
// enough, and each further one settles at least one more process.
static void mark_descendants(struct super *u)
{
	for (bool moved = true; moved;) {
		moved = false;
		for (size_t i = 0; i < u->tree.len; i++) {
			struct proc *p = &u->tree.procs[i];
			struct proc *up = p->owner || p->ppid <= 1 ? NULL : tree_find(&u->tree, p->ppid);
			if (!up || !up->owner)
				continue;
			claim(p, up->owner, up->mark == MARK_DETACHED ? MARK_DETACHED : MARK_KNOWN);
			moved = true;
		}
	}
}

static void mark_grouped(void *ctx, pid_t pid)
{
	struct service *s = ctx;
	struct proc *p = tree_find(&s->super->tree, pid);
	if (p && !p->owner)
		claim(p, s, MARK_KNOWN);
}

static void attribute(struct super *u)
{
	pid_t self = getpid();
	mark_leaders(u);
	list_for (pos, &u->services) {
		struct service *s = list_entry(pos, struct service, link);
		if (s->cgroup_fd >= 0)
			cgroup_each(s->cgroup_fd, mark_grouped, s);
	}
	mark_known(u);
	list_for (pos, &u->services) {
		struct service *s = list_entry(pos, struct service, link);
		if (s->test_group)
			end_test_leftovers(u, s);
	}
	for (size_t i = 0; i < u->tree.len; i++)
		if (!u->tree.procs[i].owner && u->tree.procs[i].pid != self)
			mark_session_of_living(u, &u->tree.procs[i]);
	mark_descendants(u);
	for (size_t i = 0; i < u->tree.len; i++) {
		struct proc *p = &u->tree.procs[i];
		if (!p->owner && p->ppid == self && is_alive(p))
			mark_adopted(u, p);
	}
	mark_descendants(u);
}

// ---- the list of members ----

// A launcher's own run ends whole; what earlier runs left on purpose lives on.
static bool counts(const struct service *s, bool detached, bool recent)
{
	return !detached || s->def->kill == UNIT_KILL_TREE || (s->launcher && recent);
}

static void reserve(struct super *u, size_t want)
{
	if (want <= u->members_cap)
		return;
	struct member *a = realloc(u->members, want * sizeof(*a));
	if (a)
		u->members = a;
	struct member *b = realloc(u->members_next, want * sizeof(*b));
	if (b)
		u->members_next = b;
	if (a && b)
		u->members_cap = want;
}

// Both lists are in ascending order of pid. Without memory for all, those that
// do not fit are found by a later snapshot, when others are gone.
static void remember(struct super *u)
{
	reserve(u, u->tree.len);
	list_for (pos, &u->services) {
		struct service *s = list_entry(pos, struct service, link);
		s->left = s->detached = s->launched = 0;
	}
	size_t n = 0, old = 0;
	for (size_t i = 0; i < u->tree.len && n < u->members_cap; i++) {
		const struct proc *p = &u->tree.procs[i];
		struct service *s = p->owner;
		if (!s || p->mark == MARK_TRACKED || !is_alive(p))
			continue;
		while (old < u->nmembers && u->members[old].pid < p->pid)
			old++;
		const struct member *m = &u->members[old];
		bool same = old < u->nmembers && m->pid == p->pid && m->start == p->start;
		bool recent = p->start >= s->start_ticks;
		bool in_group = p->pgrp == (s->rec.pid ? s->rec.pid : s->rec.exit_pid);
		u->members_next[n++] = (struct member){
			.pid = p->pid,
			.start = p->start,
			.svc = s,
			.detached = p->mark == MARK_DETACHED,
			// Who left the group between the snapshot and the signal has not had it.
			.signalled = same && m->signalled && m->in_group == in_group,
			.in_group = in_group,
			.recent = recent,
		};
		s->detached += p->mark == MARK_DETACHED;
		s->launched += p->mark == MARK_DETACHED && recent;
		s->left += counts(s, p->mark == MARK_DETACHED, recent);
	}
	struct member *list = u->members;
	u->members = u->members_next;
	u->members_next = list;
	u->nmembers = n;
}

static void scan(struct super *u)
{
	if (tree_scan(&u->tree) < 0) {
		if (!u->blind)
			log_warn("cannot read /proc: %s; only process groups can be stopped", strerror(errno));
		u->blind = true;
		return;
	}
	attribute(u);
	remember(u);
	u->scan_turn = u->loop->turn;
}

enum { LOOK_EVERY_MS = 250 };

void kin_look(struct super *u)
{
	if (u->loop->now_ms - u->looked_ms < LOOK_EVERY_MS)
		return;
	u->looked_ms = u->loop->now_ms;
	if (!is_calm(u))
		scan(u);
	else
		list_for (pos, &u->services)
			list_entry(pos, struct service, link)->detached = 0;
}

// Nothing had detached itself when the shutdown began: then whatever comes loose
// from now on was joined to its service by living parents, and no look at each
// leader's children is needed to know that.
void kin_begin_halt(struct super *u)
{
	u->calm_halt = is_calm(u);
}

void kin_before_stop(struct service *s)
{
	struct super *u = s->super;
	if (u->scan_turn == u->loop->turn)
		return;
	if (u->calm_halt) {
		s->left = s->detached = 0;
		return;
	}
	if (is_calm(u) && (!s->rec.pid || tree_has_children(s->rec.pid) == 0)) {
		s->left = s->detached = 0;
		return;
	}
	scan(u);
}

// ---- signals ----

static void signal_members(struct service *s, int sig, bool again)
{
	struct super *u = s->super;
	for (size_t i = 0; i < u->nmembers; i++) {
		struct member *m = &u->members[i];
		if (m->svc != s || !counts(s, m->detached, m->recent) || (m->signalled && !again))
			continue;
		m->signalled = true;
		tree_signal(m->pid, m->start, sig);
	}
}

// The group of a living leader takes the signal at once, as a shell's does;
// members outside get theirs when the leader has gone and left them.
void kin_end(struct service *s)
{
	struct super *u = s->super;
	s->signalled = true;
	s->killing = false;
	s->end_ticks = tree_now();
	timer_set(u->loop, &s->grace, s->def->grace_ms);
	if (!s->rec.pid) {
		signal_members(s, s->def->stop_signal, false);
		return;
	}
	kill(-s->rec.pid, s->def->stop_signal);
	for (size_t i = 0; i < u->nmembers; i++)
		if (u->members[i].svc == s && u->members[i].in_group)
			u->members[i].signalled = true;
}

static void kill_once(struct service *s)
{
	if (s->cgroup_fd >= 0)
		cgroup_kill(s->cgroup_fd);
	if (s->rec.pid)
		kill(-s->rec.pid, SIGKILL);
	if (s->test.pid)
		kill(-s->test.pid, SIGKILL);
	signal_members(s, SIGKILL, true);
}

enum { KILL_AGAIN_MS = 200, GIVE_UP_MS = 10000, LOOK_AGAIN_MS = 200 };

// Looked at twice: what was forked while the first signals went out is in the
// second snapshot. What still escapes is met again by the timer.
void kin_kill(struct service *s)
{
	if (!s->killing)
		log_warn("service '%s' did not end within its grace of %llu s: killed", service_name(s),
			(unsigned long long)(s->def->grace_ms / 1000));
	if (!s->killing)
		s->killed_ms = s->super->loop->now_ms;
	s->killing = true;
	scan(s->super);
	kill_once(s);
	scan(s->super);
	kill_once(s);
	timer_set(s->super->loop, &s->grace, KILL_AGAIN_MS);
	if (!s->rec.pid && !svc_has_left(s))
		svc_todo(s, TODO_CLEAR);
	else if (s->super->loop->now_ms - s->killed_ms > GIVE_UP_MS)
		halt_give_up(s);
}

void kin_forget(struct service *s)
{
	struct super *u = s->super;
	size_t n = 0;
	for (size_t i = 0; i < u->nmembers; i++)
		if (u->members[i].svc != s)
			u->members[n++] = u->members[i];
	u->nmembers = n;
	cgroup_close(s->cgroup_fd, service_name(s));
	s->cgroup_fd = -1;
}

int kin_joiner(struct service *s)
{
	if (!s->super->cgroups || s->def->kill != UNIT_KILL_TREE)
		return -1;
	if (s->cgroup_fd < 0)
		s->cgroup_fd = cgroup_open(service_name(s));
	return s->cgroup_fd < 0 ? -1 : cgroup_joiner(s->cgroup_fd);
}

// ---- after reaping ----

static void settle_one(struct service *s, bool calm)
{
	if (calm && !s->rec.pid)
		s->left = s->detached = 0;
	if (calm)
		s->test_group = 0;
	if (!is_ending(s) || s->rec.pid)
		return;
	if (s->left && !s->signalled)
		kin_end(s);
	else if (s->left)
		signal_members(s, s->killing ? SIGKILL : s->def->stop_signal, s->killing);
	if (!svc_has_left(s))
		svc_todo(s, TODO_CLEAR);
}

// A leftover whose parent has detached itself is not init's child: its end is
// seen only by looking.
static void look_again(struct super *u)
{
	list_for (pos, &u->services) {
		const struct service *s = list_entry(pos, struct service, link);
		if (is_ending(s) && !s->rec.pid && s->left) {
			timer_set(u->loop, &u->again, LOOK_AGAIN_MS);
			return;
		}
	}
	timer_stop(&u->again);
}

void kin_settle(struct super *u)
{
	if (list_empty(&u->exits) && !u->nending)
		return;
	u->calm_turn = 0;
	bool calm = is_calm(u);
	if (!calm)
		scan(u);
	else
		u->nmembers = u->nending ? u->nmembers : 0;
	list_for (pos, &u->services)
		settle_one(list_entry(pos, struct service, link), calm);
	look_again(u);
}

static void look(struct timer *t)
{
	kin_settle(container_of(t, struct super, again));
}

void kin_init(struct super *u)
{
	timer_init(&u->again, look);
}

// ---- the last sweep ----

bool kin_sweep(struct super *u, int sig)
{
	if (!reap_have_children() || tree_scan(&u->tree) < 0)
		return false;
	pid_t self = getpid();
	bool found = false;
	for (bool moved = true; moved;) {
		moved = false;
		for (size_t i = 0; i < u->tree.len; i++) {
			struct proc *p = &u->tree.procs[i];
			struct proc *up = tree_find(&u->tree, p->ppid);
			if (p->mark || (p->ppid != self && !(up && up->mark)))
				continue;
			p->mark = MARK_KNOWN;
			moved = true;
			if (is_alive(p) && tree_signal(p->pid, p->start, sig) == 0)
				found = true;
		}
	}
	return found;
}
