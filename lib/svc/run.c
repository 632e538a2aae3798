// Processes of a service: leader, readiness test, and the pipes they write to.
#include "svc/super.h"
#include "base/kernel.h"
#include "base/log.h"
#include "proc/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

// ---- which pid is whose ----

void run_track(struct super *u, struct tracked *t, pid_t pid)
{
	struct tracked **bucket = &u->pids[(unsigned)pid % SUPER_BUCKETS];
	t->pid = pid;
	t->next = *bucket;
	*bucket = t;
}

void run_untrack(struct super *u, struct tracked *t)
{
	struct tracked **at = &u->pids[(unsigned)t->pid % SUPER_BUCKETS];
	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	t->pid = 0;
}

struct tracked *run_tracked(struct super *u, pid_t pid)
{
	struct tracked *t = u->pids[(unsigned)pid % SUPER_BUCKETS];
	while (t && t->pid != pid)
		t = t->next;
	return t;
}

// ---- output ----

static const char start_banner[] = "------------ [start] ------------";

static void banner(struct service *s, unsigned flags)
{
	struct ring *r = &s->super->ring;
	if (s->def->log != UNIT_LOG_RING)
		return;
	ring_stamp(r);
	ring_add(r, s->lines, flags | RING_STDERR, start_banner, sizeof(start_banner) - 1);
}

// A CR before the newline is not part of the line.
static void emit(struct stream *st, const char *text, size_t len)
{
	if (len && text[len - 1] == '\r')
		len--;
	ring_add(&st->svc->super->ring, st->svc->lines, st->flags, text, len);
}

static void flush_part(struct stream *st)
{
	if (!st->part)
		return;
	emit(st, st->part, st->part_len);
	free(st->part);
	st->part = NULL;
	st->part_len = 0;
}

// Keeps the beginning of a line until the rest comes. Without memory, or when
// the line is as long as a line may be, it becomes a line of its own.
static void keep_part(struct stream *st, const char *text, size_t len)
{
	while (len) {
		if (!st->part && !(st->part = malloc(RING_LINE_MAX))) {
			size_t n = len < RING_LINE_MAX ? len : RING_LINE_MAX;
			ring_add(&st->svc->super->ring, st->svc->lines, st->flags, text, n);
			text += n;
			len -= n;
			continue;
		}
		size_t n = RING_LINE_MAX - st->part_len;
		if (n > len)
			n = len;
		memcpy(st->part + st->part_len, text, n);
		st->part_len = (uint16_t)(st->part_len + n);
		text += n;
		len -= n;
		if (len)
			flush_part(st);
	}
}

static void take_lines(struct stream *st, const char *text, size_t len)
{
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;
		if (!end || st->part || n > RING_LINE_MAX)
			keep_part(st, text, n);
		else
			emit(st, text, n);
		if (!end)
			return;
		flush_part(st);
		text += n + 1;
		len -= n + 1;
	}
}

// A program that writes line by line as fast as it can wakes init for each; a
// short pause lets lines gather. Its pipe is far from full by then, and nobody
// else waits for it.
enum { HASTE_US = 50, HASTE_READS = 16, HASTE_BYTES = 4096, PAUSE_US = 100 };

static void resume(struct timer *t)
{
	struct super *u = container_of(t, struct super, pause);
	while (u->npaused)
		loop_want(u->loop, &u->paused[--u->npaused]->source, EPOLLIN);
}

void run_init(struct super *u)
{
	timer_init(&u->pause, resume);
}

static void no_pause(struct super *u, const struct stream *st)
{
	for (size_t i = 0; i < u->npaused; i++)
		if (u->paused[i] == st)
			u->paused[i] = u->paused[--u->npaused];
}

static void consider_pause(struct stream *st, size_t n)
{
	struct super *u = st->svc->super;
	bool quick = n < HASTE_BYTES && u->loop->now_us - u->read_us < HASTE_US;
	u->read_us = u->loop->now_us;
	st->hasty = quick ? (uint8_t)(st->hasty + 1) : 0;
	if (st->hasty < HASTE_READS || u->npaused == SUPER_PAUSED_MAX || !st->source.events)
		return;
	st->hasty = HASTE_READS - 1;
	if (loop_want(u->loop, &st->source, 0) < 0)
		return;
	u->paused[u->npaused++] = st;
	if (!timer_is_set(&u->pause))
		timer_set_us(u->loop, &u->pause, PAUSE_US);
}

static void close_stream(struct loop *l, struct stream *st)
{
	int fd = loop_remove(l, &st->source);
	no_pause(st->svc->super, st);
	if (fd >= 0)
		close(fd);
	if (st->part)
		flush_part(st);
}

// One read per call, so that one flooding service leaves the others their turn.
// false: nothing more to read now.
static bool read_stream(struct stream *st)
{
	struct super *u = st->svc->super;
	ssize_t n = read(st->source.fd, u->read_buf, sizeof(u->read_buf));
	if (n > 0) {
		ring_stamp(&u->ring);
		take_lines(st, u->read_buf, (size_t)n);
		consider_pause(st, (size_t)n);
		return true;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	close_stream(u->loop, st);
	return false;
}

// The event may be of before a new run took the pipe over: only a read tells.
static void stream_ready(struct source *src, uint32_t events)
{
	(void)events;
	read_stream(container_of(src, struct stream, source));
}

// A full pipe holds 64 KiB; what a survivor writes meanwhile may wait its turn.
static void drain(struct stream *st)
{
	for (int i = 0; i < 2 && st->source.fd >= 0 && read_stream(st); i++)
		continue;
}

void run_drain(struct service *s)
{
	drain(&s->streams[0]);
	drain(&s->streams[1]);
}

// The write end for the next run. While somebody of an earlier run still writes,
// the pipe that init reads goes on being used, by a new descriptor of it.
static int open_stream(struct super *u, struct stream *st)
{
	if (st->source.fd >= 0) {
		char path[40];
		snprintf(path, sizeof(path), "/proc/self/fd/%d", st->source.fd);
		int fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd >= 0 || (errno != ENOENT && errno != ENOTDIR))
			return fd;
		drain(st);
		close_stream(u->loop, st);
	}
	int fds[2];
	if (kernel_pipe(fds) < 0)
		return -1;
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	// Whoever comes to stop services must still find a descriptor.
	rlim_t spare = u->nofile_now / 8 < SUPER_SPARE_FDS ? u->nofile_now / 8 : SUPER_SPARE_FDS;
	int why = (rlim_t)fds[1] + spare >= u->nofile_now ? EMFILE : 0;
	if (!why && loop_add(u->loop, &st->source, fds[0], EPOLLIN) == 0)
		return fds[1];
	why = why ? why : errno;
	close(fds[0]);
	close(fds[1]);
	errno = why;
	return -1;
}

// ---- spawn ----

static bool is_overridden(const struct def *d, const char *base)
{
	size_t n = strcspn(base, "=") + 1;
	for (char **e = d->env; *e; e++)
		if (!strncmp(*e, base, n))
			return true;
	return false;
}

// Never more than run_prepare() made room for.
static char **build_env(struct service *s, char *mark)
{
	struct super *u = s->super;
	size_t n = 0;
	for (char **e = u->base_env; *e; e++)
		if (!is_overridden(s->def, *e))
			u->envp[n++] = *e;
	for (char **e = s->def->env; *e; e++)
		u->envp[n++] = *e;
	u->envp[n++] = mark;
	u->envp[n] = NULL;
	return u->envp;
}

static size_t count(char **v)
{
	size_t n = 0;
	while (v[n])
		n++;
	return n;
}

// A service whose file says log: stdout shares init's own output.
static int open_outputs(struct service *s, struct stream *pair, int fds[2])
{
	struct super *u = s->super;
	switch (s->def->log) {
	case UNIT_LOG_STDOUT:
		fds[0] = STDOUT_FILENO;
		fds[1] = STDERR_FILENO;
		return 0;
	case UNIT_LOG_NONE:
		fds[0] = fds[1] = u->null_fd;
		return 0;
	case UNIT_LOG_RING:
		break;
	}
	fds[0] = open_stream(u, &pair[0]);
	if (fds[0] < 0)
		return -1;
	fds[1] = open_stream(u, &pair[1]);
	if (fds[1] < 0) {
		int saved = errno;
		close(fds[0]);
		close_stream(u->loop, &pair[0]);
		errno = saved;
		return -1;
	}
	return 0;
}

static void close_outputs(const struct service *s, int fds[2])
{
	if (s->def->log == UNIT_LOG_RING) {
		close(fds[0]);
		close(fds[1]);
	}
}

static pid_t spawn(
	struct service *s, char **argv, struct stream *pair, int join_fd, int *pending_fd, struct spawn_error *e)
{
	struct super *u = s->super;
	char mark[sizeof("ZINIT_SERVICE=") + UNIT_NAME_MAX];
	snprintf(mark, sizeof(mark), "ZINIT_SERVICE=%s", service_name(s));
	int fds[2];
	if (open_outputs(s, pair, fds) < 0) {
		*e = (struct spawn_error){ SPAWN_CLONE, errno };
		return -1;
	}
	const struct spawn how = {
		.argv = argv,
		.envp = build_env(s, mark),
		.dir = s->def->dir,
		.stdin_fd = u->null_fd,
		.stdout_fd = fds[0],
		.stderr_fd = fds[1],
		.nofile = &u->nofile,
		.join_fd = join_fd,
	};
	pid_t pid = proc_spawn(&how, pending_fd, e);
	close_outputs(s, fds);
	return pid;
}

static void spawn_failed(struct service *s, const struct spawn_error *e)
{
	const char *stage = spawn_stage_text(e->stage);
	// Only what init itself lacks is waited for; the rest is the service's fault.
	if (e->stage == SPAWN_CLONE) {
		if (!s->busy)
			log_warn("service '%s': %s: %s; trying again every %d s", service_name(s), stage,
				strerror(e->errnum), SUPER_RETRY_MS / 1000);
		svc_reason(s, "%s: %s", stage, strerror(e->errnum));
		s->busy = true;
		svc_event(s, EV_SPAWN_LATER);
		return;
	}
	const char *what = e->stage == SPAWN_DIR ? s->def->dir : s->def->argv[0];
	log_error("service '%s' failed to start: %s '%s': %s", service_name(s), stage, what, strerror(e->errnum));
	svc_reason(s, "%s '%s': %s", stage, what, strerror(e->errnum));
	svc_event(s, EV_SPAWN_FAILED);
}

// ---- a program or dir on a file system that does not answer ----

static void close_loading(struct service *s)
{
	int fd = loop_remove(s->super->loop, &s->loading);
	if (fd >= 0)
		close(fd);
}

static void loaded(struct source *src, uint32_t events)
{
	(void)events;
	struct service *s = container_of(src, struct service, loading);
	int rc = spawn_outcome(src->fd, &s->refused);
	if (rc == 0)
		return;
	close_loading(s);
	s->is_refused = rc < 0; // its end is near
	if (rc < 0 || s->rec.phase != PHASE_SPAWNED)
		return;
	svc_reason(s, "%s", "");
	svc_event(s, EV_LOADED);
}

static void wait_for_program(struct service *s, int pending_fd)
{
	s->loading.fn = loaded;
	if (loop_add(s->super->loop, &s->loading, pending_fd, EPOLLIN) < 0) {
		close(pending_fd);
		svc_event(s, EV_SPAWN_OK);
		return;
	}
	log_warn("service '%s': its program or dir is on a file system that is slow to answer", service_name(s));
	svc_reason(s, "waits for the file system of its program or dir");
	svc_event(s, EV_SPAWN_SLOW);
}

bool run_failed(struct service *s)
{
	if (s->loading.fd >= 0)
		loaded(&s->loading, 0);
	close_loading(s);
	bool failed = s->is_refused && s->rec.phase == PHASE_SPAWNED;
	s->is_refused = false;
	if (failed)
		spawn_failed(s, &s->refused);
	return failed;
}

// ---- the leader ----

void run_spawn(struct service *s)
{
	struct super *u = s->super;
	struct spawn_error e;
	int pending_fd;
	// What earlier runs of a oneshot left is remembered before a new leader's
	// session takes the place of theirs.
	if (s->def->oneshot && s->rec.exited)
		kin_before_stop(s);
	if (u->null_fd < 0) // /dev may have come later than init
		u->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	s->start_ticks = tree_now();
	int join_fd = kin_joiner(s);
	pid_t pid = spawn(s, s->def->argv, s->streams, join_fd, &pending_fd, &e);
	if (join_fd >= 0)
		close(join_fd);
	if (pid < 0) {
		spawn_failed(s, &e);
		return;
	}
	if (s->busy || s->reason)
		svc_reason(s, "%s", "");
	s->busy = false;
	run_track(u, &s->leader, pid);
	s->rec.pid = pid;
	s->rec.started_ms = u->loop->now_ms;
	s->launcher = s->signalled = s->test_ran = false;
	s->detached = 0;
	banner(s, 0);
	if (pending_fd >= 0)
		wait_for_program(s, pending_fd);
	else
		svc_event(s, EV_SPAWN_OK);
}

// ---- readiness test ----

static void set_test_failed(struct service *s, bool failed)
{
	char state[SVC_STATE_MAX];
	const char *from = service_state(s, state);
	s->rec.test_failed = failed;
	svc_changed(s, from, "test");
}

// The delay timer of a SPAWNED service belongs to its test: while one runs it is
// the limit of that try, between two it is the pause.
void run_test(struct service *s)
{
	if (s->test.pid) // the one of an earlier run, killed but not reaped yet
		return;
	struct spawn_error e = { SPAWN_EXEC, EINVAL };
	bool can = s->def->test_argv != NULL;
	int pending_fd = -1;
	pid_t pid = can ? spawn(s, s->def->test_argv, s->test_streams, -1, &pending_fd, &e) : -1;
	if (pending_fd >= 0) // whatever becomes of it, its exit status tells, or its limit
		close(pending_fd);
	if (pid < 0) {
		if (!s->rec.test_failed) {
			svc_reason(s, "its test cannot run: %s", can ? strerror(e.errnum) : s->def->test_broken);
			log_warn("service '%s': its test cannot run: %s", service_name(s),
				can ? strerror(e.errnum) : s->def->test_broken);
		}
		set_test_failed(s, true);
		svc_todo(s, TODO_TELL);
		timer_set(s->super->loop, &s->delay, SUPER_TEST_EVERY_MS);
		return;
	}
	set_test_failed(s, false);
	run_track(s->super, &s->test, pid);
	if (!s->test_ran)
		banner(s, RING_TEST);
	s->test_ran = true;
	timer_set(s->super->loop, &s->delay, SUPER_TEST_LIMIT_MS);
}

void run_test_tick(struct service *s)
{
	if (!s->test.pid) {
		run_test(s);
		return;
	}
	log_warn("service '%s': its test ran longer than %d s and was ended", service_name(s),
		SUPER_TEST_LIMIT_MS / 1000);
	svc_kill(s->test.pid, SIGKILL);
}

void run_test_end(struct service *s)
{
	timer_stop(&s->delay);
	set_test_failed(s, false);
	if (s->test.pid)
		svc_kill(s->test.pid, SIGKILL);
}

void run_test_exit(struct service *s, struct exit_status how)
{
	if (s->test_streams) {
		drain(&s->test_streams[0]);
		drain(&s->test_streams[1]);
	}
	if (s->rec.phase != PHASE_SPAWNED)
		svc_todo(s, TODO_CLEAR);
	else if (!how.signaled && !how.value)
		svc_event(s, EV_TEST_PASSED);
	else
		timer_set(s->super->loop, &s->delay, SUPER_TEST_EVERY_MS);
}

// ---- life ----

static void init_stream(struct service *s, struct stream *st, unsigned flags)
{
	*st = (struct stream){ .svc = s, .flags = (uint8_t)flags };
	st->source.fd = -1;
	st->source.fn = stream_ready;
}

static int need_test_streams(struct service *s)
{
	if (s->test_streams)
		return 0;
	s->test_streams = malloc(2 * sizeof(struct stream));
	if (!s->test_streams)
		return -1;
	init_stream(s, &s->test_streams[0], RING_TEST | RING_STDOUT);
	init_stream(s, &s->test_streams[1], RING_TEST | RING_STDERR);
	return 0;
}

int run_prepare(struct service *s, const struct def *d)
{
	struct super *u = s->super;
	if (!s->streams[0].svc) {
		s->loading.fd = -1;
		init_stream(s, &s->streams[0], RING_STDOUT);
		init_stream(s, &s->streams[1], RING_STDERR);
	}
	size_t want = count(u->base_env) + count(d->env) + 2;
	if (want > u->envp_cap) {
		char **more = realloc(u->envp, want * sizeof(*more));
		if (!more)
			return -1;
		u->envp = more;
		u->envp_cap = want;
	}
	return d->has_test && d->log == UNIT_LOG_RING ? need_test_streams(s) : 0;
}

void run_release(struct service *s)
{
	struct loop *l = s->super->loop;
	close_loading(s);
	close_stream(l, &s->streams[0]);
	close_stream(l, &s->streams[1]);
	if (!s->test_streams)
		return;
	close_stream(l, &s->test_streams[0]);
	close_stream(l, &s->test_streams[1]);
	free(s->test_streams);
}
