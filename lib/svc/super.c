// Events into the machine, actions out of it. svc_enter() is the only writer of
// a service's phase and word; everything that follows from them starts there.
#include "svc/super.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/signame.h"
#include "proc/cgroup.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { LAUNCHER_MS = 5000, REASON_MAX = 256 };

// ---- what clients see ----

static const char *exit_text(const struct record *r, char out[SVC_STATE_MAX])
{
	if (!r->how.signaled && !r->how.value)
		return "Success";
	char name[SIGNAME_MAX];
	if (r->how.signaled)
		snprintf(out, SVC_STATE_MAX, "Error(Signaled(Pid(%d), %s, %s))", (int)r->exit_pid,
			signame_text(r->how.value, name), r->how.core ? "true" : "false");
	else
		snprintf(out, SVC_STATE_MAX, "Error(Exited(Pid(%d), %d))", (int)r->exit_pid, r->how.value);
	return out;
}

const char *service_state(const struct service *s, char out[SVC_STATE_MAX])
{
	switch (s->rec.word) {
	case WORD_KEEP:
		return "Unknown";
	case WORD_BLOCKED:
		return "Blocked";
	case WORD_SPAWNED:
		return s->rec.test_failed ? "TestFailure" : "Spawned";
	case WORD_RUNNING:
		return "Running";
	case WORD_FAILURE:
		return "Failure";
	case WORD_EXIT:
		return exit_text(&s->rec, out);
	}
	return "Unknown";
}

void svc_changed(const struct service *s, const char *from, const char *why)
{
	char text[SVC_STATE_MAX];
	const char *to = service_state(s, text);
	if (s->super->on_change && strcmp(from, to) != 0)
		s->super->on_change(s->super->on_change_ctx, s, from, to, s->reason ? s->reason : why);
}

void svc_reason(struct service *s, const char *fmt, ...)
{
	char text[REASON_MAX];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	free(s->reason);
	s->reason = *text ? strdup(text) : NULL;
}

// ---- work, timers ----

static void do_work(struct work *w)
{
	struct service *s = container_of(w, struct service, work);
	unsigned todo = s->todo;
	s->todo = 0;
	s->super->nhalt_todo -= (todo & TODO_HALT) != 0;
	if (todo & TODO_START)
		svc_event(s, EV_START);
	if (todo & TODO_CLEAR && !svc_has_left(s))
		svc_event(s, EV_CLEAR);
	if (todo & TODO_READY && !s->nblock && !timer_is_set(&s->delay))
		svc_event(s, EV_READY);
	if (todo & TODO_HALT)
		halt_service(s);
	list_for_safe (pos, &s->watchers) {
		struct watcher *watcher = list_entry(pos, struct watcher, link);
		watcher->fn(watcher, s);
	}
}

void svc_todo(struct service *s, enum service_todo what)
{
	s->super->nhalt_todo += what == TODO_HALT && !(s->todo & TODO_HALT);
	s->todo |= (uint8_t)what;
	work_queue(s->super->loop, &s->work);
}

static void delay_over(struct timer *t)
{
	struct service *s = container_of(t, struct service, delay);
	if (s->rec.phase == PHASE_SPAWNED)
		run_test_tick(s);
	else
		svc_event(s, s->rec.phase == PHASE_BLOCKED ? EV_READY : EV_DELAY_OVER);
}

static void grace_over(struct timer *t)
{
	svc_event(container_of(t, struct service, grace), EV_GRACE_OVER);
}

// ---- the only writer of state ----

static bool ends(enum phase p)
{
	return p == PHASE_STOPPING || p == PHASE_COOLING || p == PHASE_ENDING;
}

static bool satisfies(const struct service *s)
{
	if (s->def->oneshot)
		return s->rec.phase == PHASE_IDLE && s->rec.word == WORD_EXIT && !s->rec.how.signaled &&
		       !s->rec.how.value;
	return s->rec.phase == PHASE_RUNNING;
}

static void svc_enter(struct service *s, enum phase phase, enum word word, const char *why)
{
	struct record *r = &s->rec;
	if (ends(phase) != ends(r->phase))
		s->super->nending += ends(phase) ? 1u : -1u;
	if ((phase == PHASE_STOPPING) != (r->phase == PHASE_STOPPING))
		s->super->nstopping += phase == PHASE_STOPPING ? 1u : (size_t)-1;
	if (phase != r->phase || (word != WORD_KEEP && word != r->word)) {
		char state[SVC_STATE_MAX], old[SVC_STATE_MAX];
		const char *before = phase_name(r->phase), *from = service_state(s, old);
		r->phase = phase;
		if (word != WORD_KEEP) {
			r->word = word;
			r->since_ms = clock_wall_ms();
		}
		log_debug("service '%s': %s -> %s, %s", service_name(s), before, phase_name(phase),
			service_state(s, state));
		svc_changed(s, from, why);
	}
	if (!ends(phase) || (!r->pid && !svc_has_left(s)))
		timer_stop(&s->grace);
	bool now = satisfies(s);
	if (now != s->satisfied)
		graph_flip(s, now);
	svc_todo(s, TODO_TELL);
	if (s->super->halting)
		halt_check(s);
}

static struct facts facts_of(const struct service *s)
{
	const struct def *d = s->next_def ? s->next_def : s->def;
	return (struct facts){
		.up = s->rec.up,
		.oneshot = s->def->oneshot,
		.has_test = s->def->has_test,
		.ready = !s->nblock,
		.leader = s->rec.pid != 0,
		.left = svc_has_left(s),
		.final = d->broken != NULL,
		.halting = s->super->halting != HALT_NONE,
	};
}

// A definition read from a changed file takes over while nothing runs.
static void adopt_def(struct service *s)
{
	if (!s->next_def)
		return;
	def_free(s->super, s->def);
	s->def = s->next_def;
	s->next_def = NULL;
	graph_attach(s, s->def);
	s->busy = false;
}

static void act(struct service *s, unsigned actions)
{
	struct loop *l = s->super->loop;
	if (actions & ACT_TEST_END)
		run_test_end(s);
	if (actions & ACT_DELAY_END)
		timer_stop(&s->delay);
	if (actions & ACT_SIGNAL)
		kin_end(s);
	if (actions & ACT_KILL)
		kin_kill(s);
	if (actions & ACT_DELAY)
		timer_set(l, &s->delay, SUPER_RESTART_MS);
	if (actions & ACT_RETRY)
		timer_set(l, &s->delay, SUPER_RETRY_MS);
	if (actions & ACT_TEST)
		run_test(s);
	if (actions & ACT_SPAWN)
		run_spawn(s);
}

// In a container the end of an essential service is the end of init.
static void essential_ended(struct service *s, int code)
{
	struct super *u = s->super;
	if (!s->def->essential || !u->container || u->halting)
		return;
	log_warn("essential service '%s' ended: shutting down", service_name(s));
	u->exit_code = code;
	super_shutdown(u, HALT_STOP);
}

enum { EXIT_NOT_STARTED = 127 }; // as a shell says it

static const char *why(enum event ev)
{
	static const char *const texts[] = {
		[EV_START] = "start",
		[EV_STOP] = "stop",
		[EV_RESTART] = "restart",
		[EV_READY] = "what it waits for is up",
		[EV_SPAWN_OK] = "started",
		[EV_SPAWN_FAILED] = "cannot be started",
		[EV_SPAWN_LATER] = "no resources",
		[EV_TEST_PASSED] = "test passed",
		[EV_EXIT] = "exit",
		[EV_CLEAR] = "its processes are gone",
		[EV_DELAY_OVER] = "restart after a pause",
		[EV_GRACE_OVER] = "grace over",
	};
	return texts[ev];
}

void svc_event(struct service *s, enum event ev)
{
	bool cooling = s->rec.phase == PHASE_COOLING || s->rec.phase == PHASE_ENDING;
	struct facts f = facts_of(s);
	struct step step = svc_next(s->rec.phase, ev, &f);
	if (s->next_def && !s->super->halting && (step.next == PHASE_IDLE || step.next == PHASE_BLOCKED)) {
		adopt_def(s);
		f = facts_of(s);
		step = svc_next(s->rec.phase, ev, &f);
	}
	if (step.word == WORD_FAILURE && f.final)
		svc_reason(s, "exec cannot be split into words: %s", s->def->broken);
	if (cooling && step.actions & ACT_SPAWN && ev != EV_RESTART)
		s->rec.restarts++;
	svc_enter(s, step.next, step.word, why(ev));
	act(s, step.actions);
	if (step.word == WORD_FAILURE && step.next == PHASE_IDLE)
		essential_ended(s, EXIT_NOT_STARTED);
}

// ---- exits ----

static void note_exit(void *ctx, pid_t pid, struct exit_status how)
{
	struct super *u = ctx;
	struct tracked *t = run_tracked(u, pid);
	spawn_reaped(pid);
	if (!t)
		return;
	run_untrack(u, t);
	if (t->role == ROLE_HELPER) {
		struct helper *h = container_of(t, struct helper, tracked);
		h->ended(h, how);
		return;
	}
	struct service *s = t->role == ROLE_LEADER ? container_of(t, struct service, leader)
						   : container_of(t, struct service, test);
	s->reap_ticks = tree_now();
	if (t->role == ROLE_TEST) {
		s->test_gone = true;
		s->test_how = how;
		s->test_group = pid;
	} else {
		s->leader_gone = true;
		s->rec.pid = 0;
		s->rec.how = how;
		s->rec.exit_pid = pid;
		s->rec.exited = true;
	}
	if (list_empty(&s->exits))
		list_append(&u->exits, &s->exits);
}

static void find_launcher(struct service *s)
{
	bool quick = s->super->loop->now_ms - s->rec.started_ms < LAUNCHER_MS;
	if (s->def->oneshot || !quick || s->rec.how.signaled || s->rec.how.value || !s->launched)
		return;
	s->launcher = true;
	s->left += s->def->kill == UNIT_KILL_TREE ? 0 : s->launched;
	log_warn("service '%s' seems to go to the background: it ended at once and left %u processes, which are "
		 "ended too; run it in the foreground, or as a oneshot",
		service_name(s), s->launched);
}

static void leader_exit(struct service *s)
{
	char state[SVC_STATE_MAX];
	enum phase phase = s->rec.phase;
	run_drain(s);
	if (run_failed(s))
		return;
	bool asked = phase == PHASE_STOPPING;
	bool failed = s->rec.how.signaled || s->rec.how.value;
	if (!asked) {
		find_launcher(s);
		if (failed && !s->def->oneshot)
			log_warn("service '%s' ended: %s; it starts again in %d s", service_name(s),
				exit_text(&s->rec, state), SUPER_RESTART_MS / 1000);
		else if (failed)
			log_warn("service '%s' failed: %s", service_name(s), exit_text(&s->rec, state));
	}
	svc_event(s, EV_EXIT);
	if (!asked && (failed || !s->def->oneshot))
		essential_ended(s, s->rec.how.signaled ? 128 + s->rec.how.value : s->rec.how.value);
}

void super_add_helper(struct super *u, struct helper *h, pid_t pid)
{
	h->tracked.role = ROLE_HELPER;
	run_track(u, &h->tracked, pid);
}

void super_reap(struct super *u)
{
	if (!reap_all(note_exit, u))
		return;
	kin_settle(u);
	while (!list_empty(&u->exits)) {
		struct service *s = list_entry(u->exits.next, struct service, exits);
		list_del(&s->exits);
		bool test = s->test_gone, leader = s->leader_gone;
		s->test_gone = s->leader_gone = false;
		// A leader's end makes what its test said meaningless.
		if (leader)
			leader_exit(s);
		if (test)
			run_test_exit(s, s->test_how);
	}
	if (u->halting)
		halt_reaped(u);
}

// ---- verbs ----

struct service *super_find(struct super *u, const char *name)
{
	struct node *n = graph_find(u, name);
	return n ? n->svc : NULL;
}

int super_start(struct service *s, struct err *err)
{
	if (s->super->halting)
		return err_set(err, ERR_SHUTTING_DOWN, "system is shutting down");
	s->rec.up = true;
	svc_event(s, EV_START);
	return 0;
}

// Leaves states alone in which a stop is under way already.
void super_stop(struct service *s)
{
	s->rec.up = false;
	if (s->rec.phase != PHASE_STOPPING)
		kin_before_stop(s);
	svc_event(s, EV_STOP);
}

int svc_kill(pid_t leader, int sig)
{
	int rc = kill(-leader, sig);
	return rc < 0 && errno == ESRCH ? kill(leader, sig) : rc;
}

int super_kill(struct service *s, int sig, struct err *err)
{
	if (!s->rec.pid)
		return err_set(err, ERR_SERVICE_IS_DOWN, "service '%s' is down", service_name(s));
	if (svc_kill(s->rec.pid, sig) < 0)
		return err_set(err, ERR_INTERNAL, "%s", strerror(errno));
	return 0;
}

void super_watch(struct service *s, struct watcher *w)
{
	list_append(&s->watchers, &w->link);
}

// ---- set-up ----

static void sink(void *ctx, enum log_level level, const char *text, size_t len)
{
	struct super *u = ctx;
	(void)level;
	ring_stamp(&u->ring);
	ring_add(&u->ring, u->own, RING_STDERR, text, len < RING_LINE_MAX ? len : RING_LINE_MAX);
}

static int own_lines(struct super *u, struct err *err)
{
	u->own = ring_owner_new("zinit", true);
	if (!u->own)
		return err_set(err, ERR_INTERNAL, "out of memory");
	log_set_sink(sink, u);
	return 0;
}

int super_init(struct super *u, struct loop *l, const struct super_options *o, struct err *err)
{
	u->loop = l;
	u->container = o->container;
	list_init(&u->services);
	list_init(&u->exits);
	ring_init(&u->ring, o->log_lines);
	if (own_lines(u, err) < 0)
		return -1;
	u->config_dir = strdup(o->config_dir);
	if (!u->config_dir || tree_init(&u->tree) < 0 || super_read_env(u) < 0)
		return err_set(err, ERR_INTERNAL, "out of memory");
	u->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (u->null_fd < 0)
		log_warn("cannot open /dev/null: %s", strerror(errno));
	getrlimit(RLIMIT_NOFILE, &u->nofile);
	u->nofile_now = u->nofile.rlim_cur;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	u->cgroups = o->cgroups && cgroup_init(!o->container);
	halt_init(u);
	run_init(u);
	kin_init(u);
	return 0;
}

void super_end(struct super *u)
{
	list_for (pos, &u->services)
		kin_forget(list_entry(pos, struct service, link));
	cgroup_release();
}

// ---- a service comes and goes ----

struct service *super_add(struct super *u, const char *name, struct def *d, struct err *err)
{
	struct service *s = calloc(1, sizeof(*s));
	if (!s)
		goto no_memory;
	s->super = u;
	s->leader.role = ROLE_LEADER;
	s->test.role = ROLE_TEST;
	s->def = d;
	s->cgroup_fd = -1;
	list_init(&s->link);
	list_init(&s->watchers);
	list_init(&s->exits);
	work_init(&s->work, do_work);
	timer_init(&s->delay, delay_over);
	timer_init(&s->grace, grace_over);
	s->lines = ring_owner_new(name, false);
	s->node = graph_node(u, name);
	if (!s->lines || !s->node || run_prepare(s, d) < 0)
		goto no_memory;
	s->node->svc = s;
	graph_attach(s, d);
	struct list *pos = u->services.prev;
	while (pos != &u->services && strcmp(service_name(list_entry(pos, struct service, link)), name) > 0)
		pos = pos->prev;
	list_insert(pos, &s->link);
	u->nservices++;
	return s;
no_memory:
	if (s) {
		ring_owner_put(s->lines);
		if (s->node)
			graph_release(u, s->node);
		free(s->test_streams);
	}
	free(s);
	err_set(err, ERR_INTERNAL, "out of memory");
	return NULL;
}

int super_forget(struct service *s, struct err *err)
{
	struct super *u = s->super;
	if (s->rec.up || s->rec.phase != PHASE_IDLE || s->rec.pid || svc_has_left(s))
		return err_set(err, ERR_SERVICE_IS_UP, "service '%s' is up", service_name(s));
	if (s->satisfied)
		graph_flip(s, false);
	halt_removed(s);
	char state[SVC_STATE_MAX];
	const char *last = service_state(s, state);
	s->rec.word = WORD_KEEP;
	svc_reason(s, "%s", "");
	svc_changed(s, last, "forgotten");
	while (!list_empty(&s->watchers)) {
		struct watcher *w = list_entry(s->watchers.next, struct watcher, link);
		super_unwatch(w);
		w->fn(w, NULL);
	}
	run_drain(s);
	run_release(s);
	kin_forget(s);
	work_cancel(&s->work);
	u->nhalt_todo -= (s->todo & TODO_HALT) != 0;
	timer_stop(&s->delay);
	timer_stop(&s->grace);
	list_del(&s->exits);
	list_del(&s->link);
	u->nservices--;
	def_free(u, s->def);
	def_free(u, s->next_def);
	s->node->svc = NULL;
	graph_release(u, s->node);
	ring_owner_put(s->lines);
	free(s->reason);
	free(s);
	halt_finish(u);
	return 0;
}
