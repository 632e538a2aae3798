// service_stats: memory and processor time of a service's processes.
//
// Processor use is a difference of two looks at /proc. init looks only while
// somebody asks: the first answer waits for the second look, later ones come
// from the last one, and when nobody asks any more all of this is freed.
#include "control/control.h"
#include "base/clock.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_LOOK_MS = 200, LOOK_EVERY_MS = 1000, KEEP_MS = 5000 };

struct row {
	pid_t pid;
	uint64_t start, ticks, memory;
	unsigned tenths; // of a percent of one processor, since the last look
};

struct waiting_call {
	struct list link; // in watched.calls
	struct rpc_call *call;
};

// One service that is being asked about.
struct watched {
	struct list link; // in stats.all
	struct list calls;
	struct row *rows; // the leader first, then by pid
	size_t nrows;
	uint64_t asked_ms, looked_us;
	bool measured; // rows hold a difference
	char name[];
};

struct stats {
	struct control *control;
	struct tree tree;
	uint64_t scanned_us; // the turn of the loop it is of
	int errnum; // why there is none, or 0
	struct list all;
	struct timer look;
};

// ---- a look ----

// true: this is new.
static bool claim(struct tree *t, struct watched *w, pid_t leader)
{
	struct proc *p = tree_find(t, leader);
	if (!p || p->owner == w)
		return false;
	p->owner = w;
	p->mark = 1;
	return true;
}

static void follow(struct proc *p, const struct proc *parent)
{
	p->owner = parent->owner;
	p->mark = 1;
}

// How many of the snapshot are the leader and its descendants.
static size_t count_family(struct tree *t, struct watched *w, pid_t leader)
{
	size_t n = 0;
	if (claim(t, w, leader))
		tree_inherit(t, follow);
	for (size_t i = 0; i < t->len; i++)
		n += t->procs[i].owner == w;
	return n;
}

static const struct row *find_row(const struct watched *w, const struct row *r)
{
	size_t low = 1, high = w->nrows;
	if (w->nrows && w->rows[0].pid == r->pid)
		return w->rows[0].start == r->start ? &w->rows[0] : NULL;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (w->rows[mid].pid == r->pid)
			return w->rows[mid].start == r->start ? &w->rows[mid] : NULL;
		if (w->rows[mid].pid < r->pid)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static bool fill(struct row *r, pid_t pid, const struct watched *w, uint64_t now_us)
{
	struct proc_usage u;
	if (tree_usage(pid, &u) < 0)
		return false;
	*r = (struct row){ .pid = pid, .start = u.start, .ticks = u.ticks, .memory = u.memory };
	const struct row *before = find_row(w, r);
	uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK), us = now_us - w->looked_us;
	if (before && us && r->ticks > before->ticks)
		r->tenths = (unsigned)((r->ticks - before->ticks) * 1000 * 1000000 / hz / us);
	return true;
}

enum { GONE = -1 };

// 0, or GONE, or why that cannot be told.
static int measure(struct stats *st, struct watched *w, pid_t leader)
{
	size_t n = 0, most = st->errnum ? 0 : count_family(&st->tree, w, leader);
	struct row *rows = most ? calloc(most, sizeof(*rows)) : NULL;
	uint64_t now_us = clock_mono_us();
	if (!rows)
		return most ? ENOMEM : st->errnum ? st->errnum : GONE;
	if (fill(&rows[0], leader, w, now_us))
		n = 1;
	for (size_t i = 0; n && i < st->tree.len; i++)
		if (st->tree.procs[i].owner == w && st->tree.procs[i].pid != leader)
			n += fill(&rows[n], st->tree.procs[i].pid, w, now_us);
	w->measured = n && w->nrows && w->rows[0].pid == leader;
	free(w->rows);
	w->rows = rows;
	w->nrows = n;
	w->looked_us = now_us;
	return n ? 0 : GONE;
}

static pid_t leader_of(const struct stats *st, const struct watched *w)
{
	const struct service *s = super_find(st->control->super, w->name);
	return s ? s->rec.pid : 0;
}

// Many first questions in one turn of the loop are served by one look, and all that
// are asked about have their families from one walk.
static void scan(struct stats *st)
{
	uint64_t now_us = st->control->super->loop->now_us;
	if (st->scanned_us == now_us)
		return;
	st->scanned_us = now_us;
	st->errnum = tree_scan(&st->tree) < 0 ? errno : 0;
	list_for (pos, &st->all) {
		struct watched *w = list_entry(pos, struct watched, link);
		claim(&st->tree, w, leader_of(st, w));
	}
	tree_inherit(&st->tree, follow);
}

// ---- answers ----

static void add_usage(struct buf *b, const struct row *r)
{
	buf_add_str(b, "\"pid\":");
	buf_add_u64(b, (unsigned)r->pid);
	buf_add_str(b, ",\"memory_usage\":");
	buf_add_u64(b, r->memory);
	buf_printf(b, ",\"cpu_usage\":%u.%u", r->tenths / 10, r->tenths % 10);
}

static void answer(struct rpc_call *c, const struct watched *w)
{
	struct buf *b = rpc_result_begin(c);
	buf_add_str(b, "{\"name\":");
	json_add_str(b, w->name, strlen(w->name));
	buf_add_char(b, ',');
	add_usage(b, &w->rows[0]);
	buf_add_str(b, ",\"children\":[");
	for (size_t i = 1; i < w->nrows; i++) {
		buf_add_str(b, i > 1 ? ",{" : "{");
		add_usage(b, &w->rows[i]);
		buf_add_char(b, '}');
	}
	buf_add_str(b, "]}");
	rpc_result_end(c);
}

static void fail(struct rpc_call *c, const char *name, int why)
{
	if (why == GONE)
		rpc_refuse(c, ERR_SERVICE_IS_DOWN, name, "service '%s' is down", name);
	else if (why == ENOENT || why == ESRCH)
		rpc_refuse(c, ERR_INTERNAL, name, "there is no /proc of this PID namespace to look at");
	else
		rpc_refuse(c, ERR_INTERNAL, name, "cannot look at processes: %s", strerror(why));
}

static void answer_all(struct watched *w, int why)
{
	list_for_safe (pos, &w->calls) {
		struct waiting_call *wait = list_entry(pos, struct waiting_call, link);
		list_del(&wait->link);
		if (why)
			fail(wait->call, w->name, why);
		else
			answer(wait->call, w);
		free(wait);
	}
}

// ---- looking while somebody asks ----

// The snapshot stays good for the others: many that end at once cost one look.
static void forget(struct stats *st, struct watched *w)
{
	for (size_t i = 0; i < st->tree.len; i++) {
		struct proc *p = &st->tree.procs[i];
		if (p->owner != w)
			continue;
		p->owner = NULL;
		p->mark = 0;
	}
	list_del(&w->link);
	free(w->rows);
	free(w);
}

static void look_at(struct stats *st, struct watched *w)
{
	pid_t leader = leader_of(st, w);
	int why = leader ? measure(st, w, leader) : GONE;
	if (why || w->measured)
		answer_all(w, why);
	if (why)
		forget(st, w);
}

static void look(struct timer *t)
{
	struct stats *st = container_of(t, struct stats, look);
	uint64_t now = st->control->super->loop->now_ms;
	scan(st);
	list_for_safe (pos, &st->all) {
		struct watched *w = list_entry(pos, struct watched, link);
		if (list_empty(&w->calls) && now - w->asked_ms > KEEP_MS)
			forget(st, w);
		else
			look_at(st, w);
	}
	if (!list_empty(&st->all)) {
		timer_set(st->control->super->loop, t, LOOK_EVERY_MS);
		return;
	}
	st->control->stats = NULL;
	free(st->tree.procs);
	free(st);
}

static struct stats *stats_of(struct control *k)
{
	struct stats *st = k->stats ? k->stats : calloc(1, sizeof(*st));
	if (!st || k->stats)
		return st;
	if (tree_init(&st->tree) < 0) {
		free(st);
		return NULL;
	}
	st->control = k;
	list_init(&st->all);
	timer_init(&st->look, look);
	return k->stats = st;
}

static struct watched *watch(struct stats *st, const char *name)
{
	list_for (pos, &st->all) {
		struct watched *w = list_entry(pos, struct watched, link);
		if (!strcmp(w->name, name))
			return w;
	}
	struct watched *w = calloc(1, sizeof(*w) + strlen(name) + 1);
	if (!w)
		return NULL;
	memcpy(w->name, name, strlen(name) + 1);
	list_init(&w->calls);
	list_append(&st->all, &w->link);
	return w;
}

static void wait_for_look(struct rpc_call *c, struct stats *st, struct watched *w)
{
	// Also without memory for the call: what is no longer asked about goes then.
	if (!timer_is_set(&st->look) || timer_left_ms(&st->look) > FIRST_LOOK_MS)
		timer_set(st->control->super->loop, &st->look, FIRST_LOOK_MS);
	struct waiting_call *wait = malloc(sizeof(*wait));
	struct rpc_call *kept = wait ? rpc_keep(c) : NULL;
	if (!kept) {
		free(wait);
		if (!c->answered)
			rpc_refuse(c, ERR_INTERNAL, w->name, "out of memory");
		return;
	}
	wait->call = kept;
	list_append(&w->calls, &wait->link);
}

void service_stats(struct rpc_call *c, const struct param *p)
{
	struct control *k = c->server->ctx;
	c->action = "collecting stats";
	const struct service *s = control_find(c, p[0].text);
	if (!s)
		return;
	if (!s->rec.pid) {
		fail(c, p[0].text, GONE);
		return;
	}
	struct stats *st = stats_of(k);
	struct watched *w = st ? watch(st, p[0].text) : NULL;
	if (!w) {
		rpc_refuse(c, ERR_INTERNAL, p[0].text, "out of memory");
		return;
	}
	w->asked_ms = k->super->loop->now_ms;
	if (w->measured && w->rows[0].pid == s->rec.pid) {
		answer(c, w);
		return;
	}
	// The first of the two looks. One that fails is seen by the next.
	if (!w->nrows || w->rows[0].pid != s->rec.pid) {
		scan(st);
		measure(st, w, s->rec.pid);
		w->measured = false;
	}
	wait_for_look(c, st, w);
}
