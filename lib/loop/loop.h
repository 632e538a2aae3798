// The event loop: descriptors, deadlines, signals and deferred work of one thread.
//
// Sources are embedded in their owners and call back with the source itself;
// container_of() leads to the owner. A callback may remove any source, its own
// included, and free its owner: events that the same epoll batch still holds
// for a removed source are dropped. Deadlines are CLOCK_MONOTONIC microseconds
// (milliseconds on kernels without epoll_pwait2(2)).
// One loop of a process can have signals.
// Nothing here allocates after loop_init().
#pragma once
#include "base/list.h"
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct source;
struct timer;
struct work;
struct signalfd_siginfo;

// events: EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR as epoll_wait(2) reports them.
typedef void source_fn(struct source *s, uint32_t events);
typedef void timer_fn(struct timer *t);
typedef void work_fn(struct work *w);

struct source {
	int fd; // -1 = not in the loop
	uint32_t events; // what epoll waits for
	source_fn *fn;
};

struct timer {
	struct list link;
	uint64_t at_us;
	timer_fn *fn;
};

// Something to be done once, soon: before the loop sleeps, a few of them between
// two looks at the descriptors, so that long queues do not starve those.
struct work {
	struct list link;
	work_fn *fn;
};

struct loop {
	int epoll_fd;
	bool quit;
	bool coarse; // the kernel waits in milliseconds only
	uint64_t now_us, now_ms; // time of this turn
	uint64_t turn; // counts up each time the loop has looked at its descriptors
	struct list timers; // soonest first
	struct list works;
	struct epoll_event *batch; // what this turn still has to deliver
	int batch_len, batch_at;
	struct source signal_source;
	bool handlers; // no signalfd(2) here: signals come through handlers
	void (*on_signal)(void *ctx, const struct signalfd_siginfo *si);
	void *signal_ctx;
};

// 0, or -1 with errno.
int loop_init(struct loop *l);
void loop_release(struct loop *l);
// Runs until loop_quit().
void loop_run(struct loop *l);
void loop_quit(struct loop *l);

// s->fn must be set. The loop does not own the descriptor. 0, or -1 with errno.
int loop_add(struct loop *l, struct source *s, int fd, uint32_t events);
// Changes what is waited for; 0 events = only errors and hang-ups.
int loop_want(struct loop *l, struct source *s, uint32_t events);
// Takes the source out (harmless when it is not in) and returns its fd or -1.
int loop_remove(struct loop *l, struct source *s);

void timer_init(struct timer *t, timer_fn *fn);
// Sets or moves the deadline to `delay_ms` from now.
void timer_set(struct loop *l, struct timer *t, uint64_t delay_ms);
void timer_set_us(struct loop *l, struct timer *t, uint64_t delay_us);
// Milliseconds from now; 0 when it is over or not set.
uint64_t timer_left_ms(const struct timer *t);
void timer_stop(struct timer *t);
static inline bool timer_is_set(const struct timer *t)
{
	return !list_empty(&t->link);
}

void work_init(struct work *w, work_fn *fn);
// Queues the work if it is not queued; it runs in the order of queueing.
void work_queue(struct loop *l, struct work *w);
void work_cancel(struct work *w);

// Blocks the signals of *set and delivers them through the loop. 0 or -1/errno.
int loop_signals(struct loop *l, const sigset_t *set, void (*fn)(void *, const struct signalfd_siginfo *), void *ctx);
