// service_stats: memory and processor time of a service's processes.
//
// Processor use is a difference of two looks at /proc. init looks only while
// somebody asks: the first answer waits for the second look, later ones come
// from the last one, and when nobody asks any more all of this is freed.
#include "control/control.h"
#include "base/clock.h"
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
	struct list all;
	struct timer look;
};

// ---- a look ----

// The leader and its descendants of the snapshot have a mark afterwards.
static size_t mark_family(struct tree *t, pid_t leader)
{
	struct proc *p = tree_find(t, leader);
	size_t n = p ? 1 : 0;
	for (size_t i = 0; i < t->len; i++)
		t->procs[i].mark = t->procs[i].pid == leader;
	for (bool moved = n > 0; moved;) {
		moved = false;
		for (size_t i = 0; i < t->len; i++) {
			const struct proc *up = t->procs[i].mark ? NULL : tree_find(t, t->procs[i].ppid);
			if (!up || !up->mark)
				continue;
			t->procs[i].mark = 1;
			moved = true;
			n++;
		}
	}
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

// -1: no such processes, or no memory for them.
static int measure(struct stats *st, struct watched *w, pid_t leader)
{
	size_t n = 0, most = mark_family(&st->tree, leader);
	struct row *rows = most ? calloc(most, sizeof(*rows)) : NULL;
	uint64_t now_us = clock_mono_us();
	if (!rows)
		return -1;
	if (fill(&rows[0], leader, w, now_us))
		n = 1;
	for (size_t i = 0; n && i < st->tree.len; i++)
		if (st->tree.procs[i].mark && st->tree.procs[i].pid != leader)
			n += fill(&rows[n], st->tree.procs[i].pid, w, now_us);
	w->measured = n && w->nrows && w->rows[0].pid == leader;
	free(w->rows);
	w->rows = rows;
	w->nrows = n;
	w->looked_us = now_us;
	return n ? 0 : -1;
}

// Many first questions in one turn of the loop are served by one look.
static void scan(struct stats *st)
{
	uint64_t now_us = st->control->super->loop->now_us;
	if (st->scanned_us != now_us)
		tree_scan(&st->tree);
	st->scanned_us = now_us;
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

static void fail_down(struct rpc_call *c, const char *name)
{
	rpc_refuse(c, ERR_SERVICE_IS_DOWN, name, "service '%s' is down", name);
}

static void answer_all(struct watched *w, bool down)
{
	list_for_safe (pos, &w->calls) {
		struct waiting_call *wait = list_entry(pos, struct waiting_call, link);
		list_del(&wait->link);
		if (down)
			fail_down(wait->call, w->name);
		else
			answer(wait->call, w);
		free(wait);
	}
}

// ---- looking while somebody asks ----

static void forget(struct watched *w)
{
	list_del(&w->link);
	free(w->rows);
	free(w);
}

static void look_at(struct stats *st, struct watched *w)
{
	const struct service *s = super_find(st->control->super, w->name);
	if (!s || !s->rec.pid || measure(st, w, s->rec.pid) < 0) {
		answer_all(w, true);
		forget(w);
		return;
	}
	if (w->measured)
		answer_all(w, false);
}

static void look(struct timer *t)
{
	struct stats *st = container_of(t, struct stats, look);
	uint64_t now = st->control->super->loop->now_ms;
	scan(st);
	list_for_safe (pos, &st->all) {
		struct watched *w = list_entry(pos, struct watched, link);
		if (list_empty(&w->calls) && now - w->asked_ms > KEEP_MS)
			forget(w);
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
		fail_down(c, p[0].text);
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
