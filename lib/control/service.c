// service_*: look at services, and tell them what to do.
#include "control/control.h"
#include "base/clock.h"
#include "base/signame.h"
#include <stdlib.h>
#include <string.h>

static struct super *super_of(struct rpc_call *c)
{
	return ((struct control *)c->server->ctx)->super;
}

struct service *control_find(struct rpc_call *c, const char *name)
{
	struct service *s = super_find(super_of(c), name);
	if (!s)
		rpc_refuse(c, ERR_SERVICE_NOT_FOUND, name, "service '%s' not found", name);
	return s;
}

static void add_state(struct buf *b, const struct service *s)
{
	char text[SVC_STATE_MAX];
	const char *state = service_state(s, text);
	json_add_str(b, state, strlen(state));
}

// A name of ours: nothing in it needs an escape.
// `,"name":`; the name is a literal.
#define add_member(b, name) buf_add(b, ",\"" name "\":", sizeof(",\"" name "\":") - 1)

static void add_name(struct buf *b, const struct service *s)
{
	json_add_str(b, service_name(s), strlen(service_name(s)));
}

void service_list(struct rpc_call *c, const struct param *p)
{
	(void)p;
	struct buf *b = rpc_result_begin(c);
	const char *between = "{";
	list_for (pos, &super_of(c)->services) {
		const struct service *s = list_entry(pos, struct service, link);
		buf_add_str(b, between);
		add_name(b, s);
		buf_add_char(b, ':');
		add_state(b, s);
		between = ",";
	}
	buf_add_str(b, *between == '{' ? "{}" : "}");
	rpc_result_end(c);
}

// ---- status ----

static void add_edge(struct buf *b, const struct edge *e, bool more)
{
	if (more)
		buf_add_char(b, ',');
	json_add_str(b, e->to->name, strlen(e->to->name));
	buf_add_char(b, ':');
	if (e->to->svc)
		add_state(b, e->to->svc);
	else
		buf_add_str(b, "\"Unknown\"");
}

static void add_after(struct buf *b, const struct service *s)
{
	buf_add_char(b, '{');
	for (size_t i = 0; i < s->def->nedges; i++)
		add_edge(b, &s->def->edges[i], i > 0);
	buf_add_char(b, '}');
}

static void add_blocked_by(struct buf *b, const struct service *s)
{
	const char *between = "[";
	add_member(b, "blocked_by");
	for (size_t i = 0; i < s->def->nedges; i++) {
		const struct node *n = s->def->edges[i].to;
		if (n->svc && n->svc->satisfied)
			continue;
		buf_add_str(b, between);
		json_add_str(b, n->name, strlen(n->name));
		between = ",";
	}
	buf_add_str(b, *between == '[' ? "[]" : "]");
}

static void add_time(struct buf *b, uint64_t wall_ms)
{
	char text[CLOCK_TEXT_MAX];
	clock_text(wall_ms, text);
	json_add_str(b, text, strlen(text));
}

static void add_reason(struct buf *b, const struct service *s)
{
	unsigned left = s->left + (s->test.pid && s->rec.phase != PHASE_SPAWNED);
	bool ending = s->rec.phase == PHASE_STOPPING || s->rec.phase == PHASE_ENDING;
	bool waits = ending && (left || s->unsure);
	if (!s->reason && !waits)
		return;
	add_member(b, "reason");
	if (waits && !left)
		buf_printf(b, "\"cannot see yet what is left of it\"");
	else if (waits)
		buf_printf(b, "\"waits for %u process%s\"", left, left == 1 ? "" : "es");
	else
		json_add_str(b, s->reason, strlen(s->reason));
}

// What the original does not have, after what it has.
static void add_extras(struct buf *b, struct service *s)
{
	const struct record *r = &s->rec;
	const char *news = super_file_news(s);
	if (r->word == WORD_BLOCKED && s->nblock)
		add_blocked_by(b, s);
	add_reason(b, s);
	if (r->exited) {
		char text[SIGNAME_MAX];
		add_member(b, "exit");
		if (r->how.signaled)
			buf_printf(b, "\"%s\"", signame_text(r->how.value, text));
		else
			buf_printf(b, "%d", r->how.value);
	}
	add_member(b, "restarts");
	buf_add_u64(b, r->restarts);
	if (r->pid) {
		add_member(b, "uptime");
		buf_add_u64(b, (clock_mono_ms() - r->started_ms) / 1000);
	}
	if (r->since_ms) {
		add_member(b, "since");
		add_time(b, r->since_ms);
	}
	if (r->phase == PHASE_COOLING && timer_is_set(&s->delay)) {
		add_member(b, "retry_in_ms");
		buf_add_u64(b, timer_left_ms(&s->delay));
	}
	if (s->detached) {
		add_member(b, "detached");
		buf_add_u64(b, s->detached);
	}
	if (news) {
		add_member(b, "file");
		json_add_str(b, news, strlen(news));
	}
}

struct sorted {
	const struct edge *edge;
};

static int by_name(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;
	return strcmp(x->edge->to->name, y->edge->to->name);
}

static void add_sorted_after(struct buf *b, const struct service *s)
{
	size_t n = s->def->nedges;
	struct sorted *order = n ? malloc(n * sizeof(*order)) : NULL;
	if (!order) {
		add_after(b, s);
		return;
	}
	for (size_t i = 0; i < n; i++)
		order[i].edge = &s->def->edges[i];
	qsort(order, n, sizeof(*order), by_name);
	buf_add_char(b, '{');
	for (size_t i = 0; i < n; i++)
		add_edge(b, order[i].edge, i > 0);
	buf_add_char(b, '}');
	free(order);
}

void service_brief(struct rpc_call *c, const char *name)
{
	struct service *s = control_find(c, name);
	if (!s)
		return;
	struct buf *b = rpc_result_begin(c);
	buf_add_str(b, "{\"after\":");
	add_sorted_after(b, s);
	add_member(b, "name");
	add_name(b, s);
	add_member(b, "pid");
	buf_add_u64(b, (unsigned)s->rec.pid);
	add_member(b, "state");
	add_state(b, s);
	add_member(b, "target");
	buf_add_str(b, s->rec.up ? "\"Up\"}" : "\"Down\"}");
	rpc_result_end(c);
}

void service_status(struct rpc_call *c, const struct param *p)
{
	c->action = "getting status";
	struct service *s = control_find(c, p[0].text);
	if (!s)
		return;
	kin_look(super_of(c));
	struct buf *b = rpc_result_begin(c);
	buf_add_str(b, "{\"name\":");
	add_name(b, s);
	add_member(b, "pid");
	buf_add_u64(b, (unsigned)s->rec.pid);
	add_member(b, "state");
	add_state(b, s);
	add_member(b, "target");
	buf_add_str(b, s->rec.up ? "\"Up\"" : "\"Down\"");
	add_member(b, "after");
	add_after(b, s);
	add_extras(b, s);
	buf_add_char(b, '}');
	rpc_result_end(c);
}

// ---- calls that wait ----

enum wait_for { WAIT_UP, WAIT_SETTLED, WAIT_GONE };

struct waiting {
	struct watcher watcher;
	struct timer limit;
	struct work forget; // WAIT_GONE: not from inside the service's own news
	struct super *super;
	struct rpc_call *call;
	enum wait_for what;
	char name[];
};

// 1 reached, -1 cannot be reached any more (*err), 0 not yet.
static int is_up(const struct service *s, struct err *err)
{
	char text[SVC_STATE_MAX];
	if (s->def->oneshot ? s->satisfied : s->rec.phase == PHASE_RUNNING)
		return 1;
	if (s->rec.phase == PHASE_IDLE)
		return err_set(err, ERR_INTERNAL, "service '%s' is not up: %s%s%s", service_name(s),
			service_state(s, text), s->reason ? ": " : "", s->reason ? s->reason : "");
	return 0;
}

static void answer(struct waiting *w, const struct err *err)
{
	super_unwatch(&w->watcher);
	timer_stop(&w->limit);
	work_cancel(&w->forget);
	if (err)
		rpc_fail(w->call, err, w->name);
	else
		rpc_result_null(w->call);
	free(w);
}

static void forget_and_answer(struct work *work)
{
	struct waiting *w = container_of(work, struct waiting, forget);
	struct service *s = super_find(w->super, w->name);
	struct err err;
	super_unwatch(&w->watcher);
	answer(w, s && super_forget(s, &err) < 0 ? &err : NULL);
}

static void changed(struct watcher *watcher, struct service *s)
{
	struct waiting *w = container_of(watcher, struct waiting, watcher);
	struct err err;
	if (!s) {
		err_set(&err, ERR_SERVICE_NOT_FOUND, "service '%s' not found", w->name);
		answer(w, w->what == WAIT_UP ? &err : NULL);
		return;
	}
	if (w->what == WAIT_UP) {
		int rc = is_up(s, &err);
		if (rc)
			answer(w, rc < 0 ? &err : NULL);
	} else if (super_is_settled(s)) {
		if (w->what == WAIT_GONE)
			work_queue(w->super->loop, &w->forget);
		else
			answer(w, NULL);
	}
}

// What it waits for in the first place, or NULL.
static const char *first_blocker(const struct service *s)
{
	for (size_t i = 0; i < s->def->nedges; i++) {
		const struct node *n = s->def->edges[i].to;
		if (!n->svc || !n->svc->satisfied)
			return n->name;
	}
	return NULL;
}

static void too_late(struct timer *t)
{
	struct waiting *w = container_of(t, struct waiting, limit);
	const struct service *s = super_find(w->super, w->name);
	const char *blocker = s && s->rec.word == WORD_BLOCKED ? first_blocker(s) : NULL;
	const char *why = blocker ? blocker : s && s->reason ? s->reason : NULL;
	char state[SVC_STATE_MAX] = "";
	struct err err;
	err_set(&err, ERR_INTERNAL, "service '%s' did not come up in time: %s%s%s", w->name,
		s ? service_state(s, state) : "forgotten",
		blocker ? ", waits for "
		: why   ? ", "
			: "",
		why ? why : "");
	answer(w, &err);
}

static bool forgets(const struct list *watcher)
{
	const struct waiting *w = list_entry(watcher, struct waiting, watcher.link);
	return w->what == WAIT_GONE;
}

// Nobody wants to know any more. A service that is to be forgotten is so all the same:
// one waiting call is enough for that.
static void left(struct rpc_call *c)
{
	struct waiting *w = c->keeper;
	const struct list *me = &w->watcher.link;
	bool last = w->what == WAIT_GONE;
	const struct service *s = last ? super_find(w->super, w->name) : NULL;
	if (s)
		list_for (pos, &s->watchers)
			last = last && (pos == me || !forgets(pos));
	if (!last)
		answer(w, NULL);
}

static void wait_for(struct rpc_call *c, struct service *s, enum wait_for what, uint64_t limit_ms)
{
	size_t size = strlen(service_name(s)) + 1;
	struct waiting *w = malloc(sizeof(*w) + size);
	struct rpc_call *kept = w ? rpc_keep(c) : NULL;
	if (!kept) {
		free(w);
		if (!c->answered)
			rpc_refuse(c, ERR_INTERNAL, service_name(s), "out of memory");
		return;
	}
	*w = (struct waiting){ .call = kept, .what = what };
	kept->left = left;
	kept->keeper = w;
	memcpy(w->name, service_name(s), size);
	w->super = s->super;
	w->watcher.fn = changed;
	work_init(&w->forget, forget_and_answer);
	timer_init(&w->limit, too_late);
	if (limit_ms)
		timer_set(c->server->loop, &w->limit, limit_ms);
	super_watch(s, &w->watcher);
	svc_todo(s, TODO_TELL);
}

// ---- verbs ----

void service_start(struct rpc_call *c, const struct param *p)
{
	c->action = "starting service";
	struct err err;
	if (super_of(c)->halting) {
		rpc_refuse(c, ERR_SHUTTING_DOWN, p[0].text, "system is shutting down");
		return;
	}
	struct service *s = control_find(c, p[0].text);
	if (!s)
		return;
	if (super_start(s, &err) < 0)
		rpc_fail(c, &err, p[0].text);
	else if (p[1].set && p[1].number)
		wait_for(c, s, WAIT_UP, p[1].number > UINT64_MAX / 1000 ? 0 : p[1].number * 1000);
	else
		rpc_result_null(c);
}

static void settle(struct rpc_call *c, struct service *s, const struct param *wait)
{
	if ((wait->set && !wait->flag) || super_is_settled(s))
		rpc_result_null(c);
	else
		wait_for(c, s, WAIT_SETTLED, 0);
}

void service_stop(struct rpc_call *c, const struct param *p)
{
	c->action = "stopping service";
	struct service *s = control_find(c, p[0].text);
	if (!s)
		return;
	super_stop(s);
	settle(c, s, &p[1]);
}

void service_restart(struct rpc_call *c, const struct param *p)
{
	c->action = "restarting service";
	struct err err;
	struct service *s = control_find(c, p[0].text);
	if (!s)
		return;
	if (super_restart(s, &err) < 0)
		rpc_fail(c, &err, p[0].text);
	else
		settle(c, s, &p[1]);
}

// A oneshot that is done may have left processes; they end before it is forgotten.
void service_forget(struct rpc_call *c, const struct param *p)
{
	c->action = "forgetting service";
	struct err err;
	struct service *s = control_find(c, p[0].text);
	if (!s)
		return;
	if (!s->rec.up && s->rec.phase == PHASE_IDLE)
		super_stop(s);
	if (!s->rec.up && s->rec.phase == PHASE_STOPPING && !s->rec.pid && s->def->oneshot)
		wait_for(c, s, WAIT_GONE, 0);
	else if (super_forget(s, &err) < 0)
		rpc_fail(c, &err, p[0].text);
	else
		rpc_result_null(c);
}

void warnings_add(void *ctx, unsigned line, unsigned column, const char *text)
{
	struct buf *b = ctx;
	struct buf one = BUF_INIT;
	buf_printf(&one, "%u:%u: %s", line, column, text);
	if (b->len)
		buf_add_char(b, ',');
	json_add_str(b, one.data ? one.data : "", one.len);
	buf_release(&one);
}

void service_monitor(struct rpc_call *c, const struct param *p)
{
	c->action = "monitoring service";
	struct err err;
	struct buf warnings = BUF_INIT;
	if (super_monitor(super_of(c), p[0].text, warnings_add, &warnings, &err) < 0) {
		rpc_fail(c, &err, p[0].text);
	} else if (p[1].flag) {
		struct buf *b = rpc_result_begin(c);
		buf_add_str(b, "{\"warnings\":[");
		buf_add(b, warnings.data, warnings.len);
		buf_add_str(b, "]}");
		rpc_result_end(c);
	} else {
		rpc_result_null(c);
	}
	buf_release(&warnings);
}

// The signal is looked at before the service, as the original does.
void service_kill(struct rpc_call *c, const struct param *p)
{
	c->action = "sending signal";
	struct err err;
	int sig = signame_parse(p[1].text, p[1].len);
	if (sig < 0) {
		rpc_refuse(c, ERR_INVALID_SIGNAL, p[1].text, "invalid signal '%s'", p[1].text);
		return;
	}
	struct service *s = control_find(c, p[0].text);
	if (!s)
		return;
	if (super_kill(s, sig, &err) < 0)
		rpc_fail(c, &err, p[0].text);
	else
		rpc_result_null(c);
}
