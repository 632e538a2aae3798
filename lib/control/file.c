// service_create, service_delete, service_get: the files of the config folder.
//
// A disk may answer late or never, and a file may be long, so a process of its
// own does the work and writes what came of it to a pipe; init waits for that.
#include "control/control.h"
#include "control/convert.h"
#include "base/kernel.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// A client is told after the limit. The process is ended a little later: the kernel
// does that as soon as the disk lets it.
enum { JOBS_MAX = 16, READ_SIZE = 64 * 1024, LIMIT_S = 30, END_S = LIMIT_S + 1 };

#define TEMP_NAME ".zinit-new"

enum file_step { STEP_CREATE, STEP_DELETE, STEP_READ, STEP_PARSE, STEP_CONVERT, STEP_CHECK, STEP_NONE };

static const char *const steps[] = {
	[STEP_CREATE] = "creating service file",
	[STEP_DELETE] = "deleting service file",
	[STEP_READ] = "reading service file",
	[STEP_PARSE] = "parsing service file",
	[STEP_CONVERT] = "converting YAML to JSON",
	[STEP_CHECK] = "checking service content",
	[STEP_NONE] = NULL,
};

// How the work went; the result (JSON) follows it in the pipe.
struct report {
	int rc;
	enum file_step step;
	struct err err;
};

// What the process of a job has to do.
struct task {
	const char *name;
	struct span content; // of the new file
	bool with_warnings; // as part of the result
	void (*run)(int dir_fd, const struct task *t, struct report *r, struct buf *result);
};

struct job {
	struct source source;
	struct list link; // in control.jobs
	struct control *control;
	struct rpc_call *call; // NULL: answered, but its process is still there
	struct buf in;
	struct timer limit;
	char name[UNIT_NAME_MAX + 1];
};

// ---- in init ----

static void answer(struct job *j)
{
	struct report r = { .rc = -1, .step = STEP_NONE };
	struct rpc_call *c = j->call;
	if (j->in.failed)
		err_set(&r.err, ERR_INTERNAL, "out of memory");
	else if (j->in.len >= sizeof(r))
		memcpy(&r, j->in.data, sizeof(r));
	else
		err_set(&r.err, ERR_INTERNAL, "the process that works on the file ended without a result");
	if (r.rc < 0) {
		c->step = steps[r.step];
		if (r.err.code == ERR_SERVICE_FILE && c->step)
			c->action = c->step;
		rpc_fail(c, &r.err, j->name);
		return;
	}
	buf_add(rpc_result_begin(c), j->in.data + sizeof(r), j->in.len - sizeof(r));
	rpc_result_end(c);
}

static void too_late(struct timer *t)
{
	struct job *j = container_of(t, struct job, limit);
	struct rpc_call *c = j->call;
	j->call = NULL;
	rpc_refuse(c, ERR_SERVICE_FILE, j->name,
		"no answer from the config folder within %d s; what was asked for may be done all the same", LIMIT_S);
}

static void job_ready(struct source *src, uint32_t events)
{
	struct job *j = container_of(src, struct job, source);
	(void)events;
	if (buf_reserve(&j->in, READ_SIZE) == 0) {
		ssize_t n = read(src->fd, j->in.data + j->in.len, READ_SIZE);
		if (n > 0)
			j->in.len += (size_t)n;
		if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
			return;
	}
	close(loop_remove(j->control->super->loop, src));
	list_del(&j->link);
	timer_stop(&j->limit);
	if (j->call)
		answer(j);
	buf_release(&j->in);
	free(j);
}

// ---- in the process of the job ----

static void put(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;
	while (len) {
		ssize_t n = write(fd, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(1);
		at += n;
		len -= (size_t)n;
	}
}

// Nothing of init's is held open while the disk is slow.
static int keep_only(int fd, rlim_t end)
{
	enum { END_MAX = 65536 };
	int kept = dup2(fd, 3);
#ifdef SYS_close_range
	if (kept == 3 && syscall(SYS_close_range, 4u, ~0u, 0) == 0)
		return kept;
#endif
	for (int i = 4; i < END_MAX && (rlim_t)i < end; i++)
		close(i);
	return kept;
}

// A fault or a signal ends it as any program; init's handlers are init's.
static void reset_signals(void)
{
	sigset_t none;
	for (int sig = 1; sig <= SIGRTMAX; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void __attribute__((noreturn)) work_in_child(const struct super *u, const struct task *t, int fd)
{
	const char *dir = u->config_dir;
	struct report r = { .rc = 0, .step = STEP_NONE };
	struct buf result = BUF_INIT;
	reset_signals();
	alarm(END_S);
	int out = keep_only(fd, u->nofile_now);
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0) {
		r.rc = err_set(&r.err, ERR_SERVICE_FILE, "cannot open the config folder %s", dir);
		snprintf(r.err.cause, sizeof(r.err.cause), "%s", strerror(errno));
	} else {
		t->run(dir_fd, t, &r, &result);
	}
	if (result.failed)
		r.rc = err_set(&r.err, ERR_INTERNAL, "out of memory");
	put(out, &r, sizeof(r));
	put(out, result.data, r.rc < 0 ? 0 : result.len);
	_exit(0);
}

// Answers the call now or, when the process is done, later.
static void start(struct rpc_call *c, const struct task *t)
{
	struct control *k = c->server->ctx;
	size_t njobs = 0, nlate = 0;
	list_for (pos, &k->jobs) {
		njobs++;
		nlate += !list_entry(pos, struct job, link)->call;
	}
	if (njobs >= JOBS_MAX) {
		rpc_refuse(c, ERR_INTERNAL, t->name, "too many service files are being worked on%s",
			nlate ? ": the config folder does not answer" : ", try again");
		return;
	}
	int pipe_fds[2] = { -1, -1 };
	struct job *j = calloc(1, sizeof(*j));
	struct rpc_call *kept = j && kernel_pipe(pipe_fds) == 0 ? rpc_keep(c) : NULL;
	int why = errno;
	if (kept) {
		*j = (struct job){ .control = k, .call = kept, .source = { .fn = job_ready, .fd = -1 } };
		snprintf(j->name, sizeof(j->name), "%s", t->name);
		timer_init(&j->limit, too_late);
	}
	// What can fail comes first: a failed call has done nothing.
	bool watched = kept && loop_add(k->super->loop, &j->source, pipe_fds[0], EPOLLIN) == 0;
	pid_t pid = watched ? fork() : -1;
	if (pid == 0)
		work_in_child(k->super, t, pipe_fds[1]);
	if (kept)
		why = errno;
	if (pipe_fds[1] >= 0)
		close(pipe_fds[1]);
	if (pid > 0) {
		list_append(&k->jobs, &j->link);
		timer_set(k->super->loop, &j->limit, LIMIT_S * 1000);
		return;
	}
	if (watched)
		loop_remove(k->super->loop, &j->source);
	if (pipe_fds[0] >= 0)
		close(pipe_fds[0]);
	free(j);
	if (kept)
		rpc_refuse(kept, ERR_INTERNAL, t->name, "%s", strerror(why));
	else if (!c->answered)
		rpc_refuse(c, ERR_INTERNAL, t->name, "%s", strerror(why));
}

static bool is_bad_name(struct rpc_call *c, const char *name, size_t len)
{
	if (!unit_name_problem(name, len))
		return false;
	rpc_refuse(c, ERR_INVALID_NAME, name, "invalid service name '%s'", name);
	return true;
}

// ---- what is done there ----

static int report_fail(struct report *r, enum file_step step, enum err_code code, const char *text, const char *cause)
{
	r->step = step;
	r->rc = err_set(&r->err, code, "%s", text);
	if (cause)
		snprintf(r->err.cause, sizeof(r->err.cause), "%s", cause);
	return -1;
}

static void report_missing(struct report *r, enum file_step step, const char *name)
{
	r->step = step;
	r->rc = err_set(&r->err, ERR_FILE_NOT_FOUND, "Service '%s' not found", name);
}

static bool find(int dir_fd, const char *name, char file[UNIT_FILE_NAME_MAX])
{
	struct stat st;
	return unit_find(dir_fd, name, AT_SYMLINK_NOFOLLOW, file, &st);
}

static void add_sentence(struct buf *result, const char *name, const char *what)
{
	struct buf text = BUF_INIT;
	buf_printf(&text, "Service '%s' %s successfully", name, what);
	json_add_str(result, text.len ? text.data : "", text.len);
	buf_release(&text);
}

// A new name for the finished file, which never replaces one that is there.
static int name_file(int dir_fd, const char *file)
{
#ifdef SYS_renameat2
	enum { NOREPLACE = 1 };
	if (syscall(SYS_renameat2, dir_fd, TEMP_NAME, dir_fd, file, NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
#endif
	if (linkat(dir_fd, TEMP_NAME, dir_fd, file, 0) < 0)
		return -1;
	unlinkat(dir_fd, TEMP_NAME, 0);
	return 0;
}

static int write_all(int fd, const struct buf *text)
{
	for (size_t done = 0; done < text->len;) {
		ssize_t n = write(fd, text->data + done, text->len - done);
		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			return -1;
	}
	return fsync(fd);
}

static int write_temp(int dir_fd, const struct buf *text)
{
	unlinkat(dir_fd, TEMP_NAME, 0);
	int fd = openat(dir_fd, TEMP_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -1;
	int rc = write_all(fd, text);
	int why = errno;
	if (close(fd) < 0 && rc == 0)
		return -1;
	errno = why;
	return rc;
}

static int write_new(int dir_fd, const struct task *t, const struct buf *text, struct report *r)
{
	char file[UNIT_FILE_NAME_MAX], exists[UNIT_NAME_MAX + 64];
	snprintf(exists, sizeof(exists), "Service '%s' already exists", t->name);
	flock(dir_fd, LOCK_EX); // one at a time uses the temporary name
	if (find(dir_fd, t->name, file))
		return report_fail(r, STEP_CREATE, ERR_SERVICE_ALREADY_EXISTS, exists, NULL);
	snprintf(file, sizeof(file), "%s.yaml", t->name);
	bool written = write_temp(dir_fd, text) == 0;
	if (written && name_file(dir_fd, file) == 0) {
		fsync(dir_fd);
		return 0;
	}
	int why = errno;
	unlinkat(dir_fd, TEMP_NAME, 0);
	if (written && why == EEXIST)
		return report_fail(r, STEP_CREATE, ERR_SERVICE_ALREADY_EXISTS, exists, NULL);
	return report_fail(r, STEP_CREATE, ERR_SERVICE_FILE, "failed to create service file", strerror(why));
}

// What is written must be a service: 0, or -1 and the report says why not.
static int make_text(const struct task *t, struct buf *text, struct buf *warnings, struct report *r)
{
	static const char no[] = "the content is no service, nothing is written";
	char label[UNIT_FILE_NAME_MAX];
	struct unit unit;
	struct err why;
	snprintf(label, sizeof(label), "%s.yaml", t->name);
	if (t->content.len > UNIT_FILE_MAX)
		return report_fail(r, STEP_CHECK, ERR_CONFIG, no, "it is longer than 1 MiB");
	convert_to_yaml(t->content, text);
	if (text->failed)
		return report_fail(r, STEP_CHECK, ERR_INTERNAL, "out of memory", NULL);
	if (unit_parse(text->data, text->len, label, &unit, warnings_add, warnings, &why) < 0)
		return report_fail(r, STEP_CHECK, why.code, no, why.text);
	unit_release(&unit);
	return 0;
}

static void create(int dir_fd, const struct task *t, struct report *r, struct buf *result)
{
	struct buf text = BUF_INIT, warnings = BUF_INIT;
	if (make_text(t, &text, &warnings, r) == 0 && write_new(dir_fd, t, &text, r) == 0) {
		buf_add_str(result, t->with_warnings ? "{\"message\":" : "");
		add_sentence(result, t->name, "created");
		if (t->with_warnings) {
			buf_add_str(result, ",\"warnings\":[");
			buf_add(result, warnings.data, warnings.len);
			buf_add_str(result, "]}");
		}
	}
	buf_release(&text);
	buf_release(&warnings);
}

static void delete_it(int dir_fd, const struct task *t, struct report *r, struct buf *result)
{
	char file[UNIT_FILE_NAME_MAX];
	if (!find(dir_fd, t->name, file)) {
		report_missing(r, STEP_DELETE, t->name);
	} else if (unlinkat(dir_fd, file, 0) < 0) {
		report_fail(r, STEP_DELETE, ERR_SERVICE_FILE, "failed to delete service file", strerror(errno));
	} else {
		fsync(dir_fd);
		add_sentence(result, t->name, "deleted");
	}
}

static enum file_step step_of(enum err_code code)
{
	return code == ERR_SERVICE_FILE ? STEP_READ : code == ERR_FILE_SHAPE ? STEP_CONVERT : STEP_PARSE;
}

static void get(int dir_fd, const struct task *t, struct report *r, struct buf *result)
{
	char file[UNIT_FILE_NAME_MAX];
	char *bytes = NULL;
	size_t len;
	struct err why;
	if (!find(dir_fd, t->name, file)) {
		report_missing(r, STEP_READ, t->name);
	} else if (unit_read(dir_fd, file, &bytes, &len, &why) < 0) {
		report_fail(r, STEP_READ, ERR_SERVICE_FILE, "failed to read service file", why.text);
	} else {
		r->rc = convert_to_json(bytes, len, file, result, &r->err);
		r->step = r->rc < 0 ? step_of(r->err.code) : STEP_NONE;
		free(bytes);
	}
}

// ---- methods ----

void service_create(struct rpc_call *c, const struct param *p)
{
	const struct task t = { p[0].text, p[1].json, p[2].flag, create };
	c->action = "creating service";
	if (!is_bad_name(c, p[0].text, p[0].len))
		start(c, &t);
}

void service_delete(struct rpc_call *c, const struct param *p)
{
	const struct task t = { .name = p[0].text, .run = delete_it };
	c->action = "deleting service";
	if (!is_bad_name(c, p[0].text, p[0].len))
		start(c, &t);
}

void service_get(struct rpc_call *c, const struct param *p)
{
	const struct task t = { .name = p[0].text, .run = get };
	c->action = "getting service";
	if (!is_bad_name(c, p[0].text, p[0].len))
		start(c, &t);
}
