// The processes that belong to services (attribute.c says which), and signals to
// exactly those.
//
// /proc is read only when it can matter: a leader without children, and an init
// without adopted children, leave nothing to look for.
//
// What could not be looked at is not gone: for want of descriptors or memory, or
// when a process was met in the middle of its exec, services that are being ended
// stay so, and a timer looks again. Without a /proc at all their groups are asked.
#include "svc/super.h"
#include "svc/kin.h"
#include "base/err.h"
#include "base/log.h"
#include "proc/cgroup.h"
#include "proc/reserve.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KILL_AGAIN_MS = 200, GIVE_UP_MS = 10000, LOOK_AGAIN_MS = 200, DOUBT_MS = 50 };

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

static struct member make_member(const struct proc *p, const struct member *before)
{
	struct service *s = p->owner;
	bool same = before && before->pid == p->pid && before->start == p->start;
	bool in_group = p->pgrp == (s->rec.pid ? s->rec.pid : s->rec.exit_pid);
	return (struct member){
		.pid = p->pid,
		.start = p->start,
		.svc = s,
		.detached = p->mark == MARK_DETACHED,
		// Who left the group between the snapshot and the signal has not had it.
		.signalled = same && before->signalled && before->in_group == in_group,
		.in_group = in_group,
		.recent = p->start >= s->start_ticks,
	};
}

static void count_member(struct service *s, const struct member *m)
{
	s->detached += m->detached;
	s->launched += m->detached && m->recent;
	s->left += counts(s, m->detached, m->recent);
}

// In a group below its own, where no look reaches: cgroup.kill does.
static void count_below(struct super *u)
{
	list_for (pos, &u->services) {
		struct service *s = list_entry(pos, struct service, link);
		if (s->cgroup_fd >= 0 && !s->left && !s->rec.pid && cgroup_is_populated(s->cgroup_fd))
			s->left = 1;
	}
}

// Both lists are in ascending order of pid. Without memory for all, those that
// do not fit are counted, and listed by a later snapshot, when others are gone.
static void remember(struct super *u)
{
	reserve(u, u->tree.len);
	list_for (pos, &u->services) {
		struct service *s = list_entry(pos, struct service, link);
		s->left = s->detached = s->launched = 0;
		s->unsure = false;
	}
	size_t n = 0, old = 0;
	for (size_t i = 0; i < u->tree.len; i++) {
		const struct proc *p = &u->tree.procs[i];
		if (!p->owner || p->mark == MARK_TRACKED || !proc_is_alive(p))
			continue;
		while (old < u->nmembers && u->members[old].pid < p->pid)
			old++;
		struct member m = make_member(p, old < u->nmembers ? &u->members[old] : NULL);
		count_member(p->owner, &m);
		if (n < u->members_cap)
			u->members_next[n++] = m;
	}
	count_below(u);
	struct member *list = u->members;
	u->members = u->members_next;
	u->members_next = list;
	u->nmembers = n;
}

// ---- when /proc cannot tell ----

static void keep_open(struct super *u, uint64_t again_ms)
{
	u->doubt = true;
	list_for (pos, &u->services) {
		struct service *s = list_entry(pos, struct service, link);
		s->unsure |= svc_is_ending(s) || s->leader_gone;
	}
	timer_set(u->loop, &u->again, again_ms);
}

static bool group_is_alive(pid_t group)
{
	return kill(-group, 0) == 0 || errno == EPERM;
}

// A group's number is not given to others while the group lives, and who was
// without one once is not asked again.
static void ask_groups(struct super *u)
{
	u->nmembers = 0;
	u->doubt = false;
	list_for (pos, &u->services) {
		struct service *s = list_entry(pos, struct service, link);
		bool may = !s->rec.pid && (s->leader_gone || s->left);
		s->left = may && group_is_alive(s->rec.exit_pid);
		s->detached = s->launched = 0;
		s->unsure = false;
		if (s->test_group)
			kill(-s->test_group, SIGKILL);
		s->test_group = 0;
	}
}

// A process that cannot be told for so long, stuck in a dead file system, is
// nobody's: it must not keep every other stop from its end.
enum { QUESTION_MS = 10000 };

static void weigh_question(struct super *u)
{
	uint64_t now = u->loop->now_ms;
	if (!u->question)
		u->question_ms = 0;
	else if (!u->question_ms)
		u->question_ms = now;
	u->doubt |= u->question && now - u->question_ms < QUESTION_MS;
}

static void say_blind(int errnum)
{
	const char *why = errnum == ENOENT  ? "none is mounted"
			  : errnum == ESRCH ? "it is that of another PID namespace"
					    : strerror(errnum);
	log_warn("no use of /proc: %s; a stop ends the process groups of services, nothing else", why);
}

// false: no snapshot could be taken for want of something.
static bool scan(struct super *u)
{
	u->doubt = false;
	int rc = tree_scan(&u->tree);
	if (rc < 0 && err_is_shortage(errno)) {
		keep_open(u, LOOK_AGAIN_MS);
		return false;
	}
	if (rc < 0) {
		if (!u->blind)
			say_blind(errno);
		u->blind = true;
		ask_groups(u);
		return true;
	}
	u->blind = u->question = false;
	kin_attribute(u);
	remember(u);
	weigh_question(u);
	if (u->doubt)
		keep_open(u, DOUBT_MS);
	else
		u->scan_turn = u->loop->turn;
	return true;
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
	s->unseen = false;
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
	s->unseen = !scan(u);
	s->unsure |= u->doubt;
}

// ---- signals ----

static void signal_members(struct service *s, int sig, bool again)
{
	struct super *u = s->super;
	for (size_t i = 0; i < u->nmembers; i++) {
		struct member *m = &u->members[i];
		if (m->svc != s || !counts(s, m->detached, m->recent) || (m->signalled && !again))
			continue;
		m->signalled = tree_signal(m->pid, m->start, sig) == 0 || !err_is_shortage(errno);
	}
	if (s->super->blind && s->left && !s->rec.pid)
		kill(-s->rec.exit_pid, sig);
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
	svc_kill(s->rec.pid, s->def->stop_signal);
	for (size_t i = 0; i < u->nmembers; i++)
		if (u->members[i].svc == s && u->members[i].in_group)
			u->members[i].signalled = true;
}

static void kill_once(struct service *s)
{
	if (s->cgroup_fd >= 0)
		cgroup_kill(s->cgroup_fd);
	if (s->rec.pid)
		svc_kill(s->rec.pid, SIGKILL);
	if (s->test.pid)
		svc_kill(s->test.pid, SIGKILL);
	signal_members(s, SIGKILL, true);
}

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
		s->unsure = false;
	if (calm)
		s->test_group = 0;
	if (!svc_is_ending(s) || s->rec.pid)
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
		if (svc_is_ending(s) && !s->rec.pid && s->left) {
			timer_set(u->loop, &u->again, LOOK_AGAIN_MS);
			return;
		}
	}
	if (!u->doubt)
		timer_stop(&u->again);
}

void kin_settle(struct super *u)
{
	if (list_empty(&u->exits) && !u->nending && !u->doubt && !u->blind)
		return;
	u->calm_turn = 0;
	bool calm = is_calm(u);
	if (!calm)
		scan(u);
	else
		u->nmembers = u->nending ? u->nmembers : 0;
	u->doubt = u->doubt && !calm;
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
	reserve_fill();
	if (tree_open() < 0 && !err_is_shortage(errno)) {
		say_blind(errno);
		u->blind = true;
	}
}

// ---- the last sweep ----

// Process 1 may ask the kernel to signal everybody; others know nobody then.
static int sweep_blindly(int sig)
{
	return getpid() == 1 && kill(-1, sig) == 0;
}

static void mark_too(struct proc *p, const struct proc *parent)
{
	p->mark = parent->mark;
}

int kin_sweep(struct super *u, int sig)
{
	if (!reap_have_children())
		return 0;
	if (tree_scan(&u->tree) < 0)
		return err_is_shortage(errno) ? -1 : sweep_blindly(sig);
	pid_t self = getpid();
	int found = 0;
	for (size_t i = 0; i < u->tree.len; i++)
		if (u->tree.procs[i].ppid == self)
			u->tree.procs[i].mark = MARK_KNOWN;
	tree_inherit(&u->tree, mark_too);
	for (size_t i = 0; i < u->tree.len; i++) {
		const struct proc *p = &u->tree.procs[i];
		if (p->mark && proc_is_alive(p) && (tree_signal(p->pid, p->start, sig) == 0 || err_is_shortage(errno)))
			found = 1;
	}
	return found;
}
