#include "loop/loop.h"
#include "base/clock.h"
#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

int loop_init(struct loop *l)
{
	*l = (struct loop){ .signal_source.fd = -1 };
	list_init(&l->timers);
	list_init(&l->works);
	l->now_us = clock_mono_us();
	l->now_ms = l->now_us / 1000;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return l->epoll_fd < 0 ? -1 : 0;
}

void loop_release(struct loop *l)
{
	int fd = loop_remove(l, &l->signal_source);
	if (fd >= 0)
		close(fd);
	close(l->epoll_fd);
}

void loop_quit(struct loop *l)
{
	l->quit = true;
}

int loop_add(struct loop *l, struct source *s, int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = s };
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
		s->fd = -1;
		return -1;
	}
	s->fd = fd;
	s->events = events;
	return 0;
}

int loop_want(struct loop *l, struct source *s, uint32_t events)
{
	if (s->fd < 0 || s->events == events)
		return 0;
	struct epoll_event ev = { .events = events, .data.ptr = s };
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, s->fd, &ev) < 0)
		return -1;
	s->events = events;
	return 0;
}

int loop_remove(struct loop *l, struct source *s)
{
	int fd = s->fd;
	if (fd < 0)
		return -1;
	epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	s->fd = -1;
	for (int i = l->batch_at; i < l->batch_len; i++)
		if (l->batch[i].data.ptr == s)
			l->batch[i].data.ptr = NULL;
	return fd;
}

void timer_init(struct timer *t, timer_fn *fn)
{
	list_init(&t->link);
	t->fn = fn;
}

// Sorted insertion from the far end: new deadlines are mostly the latest.
void timer_set_us(struct loop *l, struct timer *t, uint64_t delay_us)
{
	uint64_t now = clock_mono_us();
	list_del(&t->link);
	t->at_us = delay_us > UINT64_MAX - now ? UINT64_MAX : now + delay_us;
	struct list *pos = l->timers.prev;
	while (pos != &l->timers && list_entry(pos, struct timer, link)->at_us > t->at_us)
		pos = pos->prev;
	list_insert(pos, &t->link);
}

void timer_set(struct loop *l, struct timer *t, uint64_t delay_ms)
{
	timer_set_us(l, t, delay_ms > UINT64_MAX / 1000 ? UINT64_MAX : delay_ms * 1000);
}

uint64_t timer_left_ms(const struct timer *t)
{
	uint64_t now = clock_mono_us();
	return timer_is_set(t) && t->at_us > now ? (t->at_us - now + 999) / 1000 : 0;
}

void timer_stop(struct timer *t)
{
	list_del(&t->link);
}

void work_init(struct work *w, work_fn *fn)
{
	list_init(&w->link);
	w->fn = fn;
}

void work_queue(struct loop *l, struct work *w)
{
	if (list_empty(&w->link))
		list_append(&l->works, &w->link);
}

void work_cancel(struct work *w)
{
	list_del(&w->link);
}

static void run_timers(struct loop *l)
{
	while (!list_empty(&l->timers)) {
		struct timer *t = list_entry(l->timers.next, struct timer, link);
		if (t->at_us > l->now_us)
			return;
		list_del(&t->link);
		t->fn(t);
	}
}

enum { WORKS_PER_TURN = 16, BATCH = 64, SIGNALS = 65 };

static void run_works(struct loop *l)
{
	for (int n = 0; n < WORKS_PER_TURN && !list_empty(&l->works); n++) {
		struct work *w = list_entry(l->works.next, struct work, link);
		list_del(&w->link);
		w->fn(w);
	}
}

// How long to sleep, in microseconds; -1 = until something happens.
static int64_t sleep_us(const struct loop *l)
{
	if (!list_empty(&l->works))
		return 0;
	if (list_empty(&l->timers))
		return -1;
	uint64_t at = list_entry(l->timers.next, struct timer, link)->at_us;
	uint64_t now = clock_mono_us();
	if (at <= now)
		return 0;
	return at - now > INT64_MAX ? INT64_MAX : (int64_t)(at - now);
}

static int wait_ms(struct loop *l, struct epoll_event *batch, int64_t us)
{
	int64_t ms = us < 0 ? -1 : us / 1000 + (us % 1000 != 0);
	sigset_t none;
	sigemptyset(&none);
	return epoll_pwait(l->epoll_fd, batch, BATCH, ms > INT_MAX ? INT_MAX : (int)ms, l->handlers ? &none : NULL);
}

// Whole milliseconds are enough for all but the shortest pauses.
static int wait_events(struct loop *l, struct epoll_event *batch)
{
	int64_t us = sleep_us(l);
#ifdef SYS_epoll_pwait2
	enum { SHORT_US = 2000 };
	if (us > 0 && us < SHORT_US && !l->coarse) {
		// The kernel's own form of the time, on 32 bits too.
		struct {
			int64_t tv_sec, tv_nsec;
		} ts = { 0, us * 1000 };
		int n = (int)syscall(SYS_epoll_pwait2, l->epoll_fd, batch, BATCH, &ts, NULL, 0);
		if (n >= 0 || errno == EINTR)
			return n;
		l->coarse = true;
	}
#endif
	return wait_ms(l, batch, us);
}

// ---- signals without signalfd(2) ----

// They are blocked but while the loop waits, so nothing else ever meets them.
static volatile sig_atomic_t arrived[SIGNALS];
static pid_t arrived_pid;

// A child that shares memory on its way to exec gets signals of its own.
static void note_signal(int sig)
{
	if (getpid() == arrived_pid)
		arrived[sig] = 1;
}

static void deliver_arrived(struct loop *l)
{
	for (int sig = 1; sig < SIGNALS; sig++)
		if (arrived[sig]) {
			struct signalfd_siginfo si = { .ssi_signo = (uint32_t)sig };
			arrived[sig] = 0;
			l->on_signal(l->signal_ctx, &si);
		}
}

static void use_handlers(struct loop *l, const sigset_t *set)
{
	struct sigaction act = { .sa_handler = note_signal };
	sigfillset(&act.sa_mask);
	for (int sig = 1; sig < SIGNALS; sig++)
		if (sigismember(set, sig) == 1)
			sigaction(sig, &act, NULL);
	arrived_pid = getpid();
	l->handlers = l->coarse = true;
}

// ---- turns ----

static void deliver(struct loop *l)
{
	for (l->batch_at = 0; l->batch_at < l->batch_len;) {
		struct epoll_event *ev = &l->batch[l->batch_at++];
		struct source *s = ev->data.ptr;
		if (s)
			s->fn(s, ev->events);
	}
	l->batch_len = l->batch_at = 0;
}

void loop_run(struct loop *l)
{
	struct epoll_event batch[BATCH];
	l->batch = batch;
	while (run_works(l), !l->quit) {
		int n = wait_events(l, batch);
		l->now_us = clock_mono_us();
		l->now_ms = l->now_us / 1000;
		l->turn++;
		l->batch_len = n < 0 ? 0 : n;
		deliver(l);
		if (l->handlers)
			deliver_arrived(l);
		run_timers(l);
	}
}

static void signal_ready(struct source *s, uint32_t events)
{
	(void)events;
	struct loop *l = container_of(s, struct loop, signal_source);
	struct signalfd_siginfo si[8];
	ssize_t n = read(s->fd, si, sizeof(si));
	for (ssize_t i = 0; i < n / (ssize_t)sizeof(si[0]); i++)
		l->on_signal(l->signal_ctx, &si[i]);
}

int loop_signals(struct loop *l, const sigset_t *set, void (*fn)(void *, const struct signalfd_siginfo *), void *ctx)
{
	if (sigprocmask(SIG_BLOCK, set, NULL) < 0)
		return -1;
	l->on_signal = fn;
	l->signal_ctx = ctx;
	int fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0) {
		use_handlers(l, set);
		return 0;
	}
	l->signal_source.fn = signal_ready;
	if (loop_add(l, &l->signal_source, fd, EPOLLIN) < 0) {
		close(fd);
		return -1;
	}
	return 0;
}
