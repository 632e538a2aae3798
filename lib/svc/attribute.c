// Which processes belong to which service.
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
#include "base/err.h"
#include "proc/cgroup.h"
#include "proc/spawn.h"
#include "svc/kin.h"
#include "svc/super.h"
#include <errno.h>
#include <signal.h>
#include <unistd.h>

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

// What belonged to a run that is being ended goes on belonging to it, wherever
// it moves in the tree meanwhile; so does what earlier runs of a oneshot left.
static void mark_known(struct super *u)
{
	for (size_t i = 0; i < u->nmembers; i++) {
		const struct member *m = &u->members[i];
		bool keeps = svc_is_ending(m->svc) || m->svc->def->oneshot;
		struct proc *p = keeps ? tree_find(&u->tree, m->pid) : NULL;
		if (p && p->start == m->start && proc_is_alive(p) && !p->owner)
			claim(p, m->svc, m->detached ? MARK_DETACHED : MARK_KNOWN);
	}
}

// Not readable for us: a program with a set-uid bit, or one in the middle of its
// exec, which does not take longer than this.
enum { EXEC_LIMIT_S = 2 };

// Who waits for a disk may hold a lock that reading its environment needs.
static struct service *service_of_env(struct super *u, const struct proc *p)
{
	char name[UNIT_NAME_MAX + 1];
	errno = EAGAIN;
	int rc = p->state == 'D' ? -1 : tree_env(p->pid, "ZINIT_SERVICE", name, sizeof(name));
	if (rc < 0 && errno == EAGAIN)
		u->question = true;
	else if (rc < 0 && err_is_shortage(errno))
		u->doubt = true;
	else if (rc < 0)
		u->question |= tree_now() - p->start < EXEC_LIMIT_S * (uint64_t)sysconf(_SC_CLK_TCK);
	return rc > 0 ? super_find(u, name) : NULL;
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
	return svc_is_ending(s) && s->signalled && p->start >= s->end_ticks;
}

// An adopted child of init, of a leader that is gone.
static void mark_adopted(struct super *u, struct proc *p)
{
	struct service *s = service_of_env(u, p);
	if (s) {
		bool known = in_session(p, s->rec.exit_pid) || is_late(s, p) || u->calm_halt || s->unseen;
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
		if (p->owner || !proc_is_alive(p) || !in_session(p, s->test_group))
			continue;
		if (p->start > s->reap_ticks && service_of_env(u, p) != s)
			continue;
		tree_signal(p->pid, p->start, SIGKILL);
		claim(p, s, MARK_TRACKED);
		found = true;
	}
	if (!found)
		s->test_group = 0;
}

// Children follow their parents.
static void follow(struct proc *p, const struct proc *parent)
{
	claim(p, parent->owner, parent->mark == MARK_DETACHED ? MARK_DETACHED : MARK_KNOWN);
}

static void mark_grouped(void *ctx, pid_t pid)
{
	struct service *s = ctx;
	struct proc *p = tree_find(&s->super->tree, pid);
	if (p && !p->owner)
		claim(p, s, MARK_KNOWN);
}

void kin_attribute(struct super *u)
{
	pid_t self = getpid();
	mark_leaders(u);
	list_for (pos, &u->services) {
		struct service *s = list_entry(pos, struct service, link);
		if (s->cgroup_fd >= 0 && cgroup_each(s->cgroup_fd, mark_grouped, s) < 0)
			u->doubt = true;
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
	tree_inherit(&u->tree, follow);
	for (size_t i = 0; i < u->tree.len; i++) {
		struct proc *p = &u->tree.procs[i];
		if (!p->owner && p->ppid == self && proc_is_alive(p) && !spawn_is_abandoned(p->pid))
			mark_adopted(u, p);
	}
	tree_inherit(&u->tree, follow);
}
