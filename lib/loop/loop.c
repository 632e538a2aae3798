#include "loop/loop.h"
#include "base/clock.h"
#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

int loop_init(struct loop *l)
{
	*l = (struct loop){ .signal_source.fd = -1 };
	list_init(&l->timers);
	list_init(&l->works);
	l->now_ms = clock_mono_ms();
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
void timer_set(struct loop *l, struct timer *t, uint64_t delay_ms)
{
	uint64_t now = clock_mono_ms();
	list_del(&t->link);
	t->at_ms = delay_ms > UINT64_MAX - now ? UINT64_MAX : now + delay_ms;
	struct list *pos = l->timers.prev;
	while (pos != &l->timers && list_entry(pos, struct timer, link)->at_ms > t->at_ms)
		pos = pos->prev;
	list_insert(pos, &t->link);
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
		if (t->at_ms > l->now_ms)
			return;
		list_del(&t->link);
		t->fn(t);
	}
}

enum { WORKS_PER_TURN = 16 };

static void run_works(struct loop *l)
{
	for (int n = 0; n < WORKS_PER_TURN && !list_empty(&l->works); n++) {
		struct work *w = list_entry(l->works.next, struct work, link);
		list_del(&w->link);
		w->fn(w);
	}
}

static int sleep_ms(const struct loop *l)
{
	if (!list_empty(&l->works))
		return 0;
	if (list_empty(&l->timers))
		return -1;
	uint64_t at = list_entry(l->timers.next, struct timer, link)->at_ms;
	uint64_t now = clock_mono_ms();
	if (at <= now)
		return 0;
	return at - now > INT_MAX ? INT_MAX : (int)(at - now);
}

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
	struct epoll_event batch[64];
	l->batch = batch;
	while (run_works(l), !l->quit) {
		int n = epoll_wait(l->epoll_fd, batch, 64, sleep_ms(l));
		l->now_ms = clock_mono_ms();
		l->turn++;
		l->batch_len = n < 0 ? 0 : n;
		deliver(l);
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
	int fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -1;
	l->on_signal = fn;
	l->signal_ctx = ctx;
	l->signal_source.fn = signal_ready;
	if (loop_add(l, &l->signal_source, fd, EPOLLIN) < 0) {
		close(fd);
		return -1;
	}
	return 0;
}
