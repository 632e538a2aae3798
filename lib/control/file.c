// service_create, service_delete, service_get: the files of the config folder.
//
// A disk may answer late or never, so a process of its own does the work and
// writes what came of it to a pipe; init only waits for the pipe.
#include "control/control.h"
#include "control/convert.h"
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

enum { JOBS_MAX = 16, READ_SIZE = 64 * 1024, FILE_NAME_MAX = UNIT_NAME_MAX + 8 };

#define TEMP_NAME ".zinit-new"

enum file_step { STEP_CREATE, STEP_DELETE, STEP_READ, STEP_PARSE, STEP_CONVERT, STEP_NONE };

static const char *const steps[] = {
	[STEP_CREATE] = "creating service file",
	[STEP_DELETE] = "deleting service file",
	[STEP_READ] = "reading service file",
	[STEP_PARSE] = "parsing service file",
	[STEP_CONVERT] = "converting YAML to JSON",
	[STEP_NONE] = NULL,
};

// How the work went; the result (JSON) follows it in the pipe.
struct report {
	int rc;
	enum file_step step;
	struct err err;
};

struct job {
	struct source source;
	struct control *control;
	struct rpc_call *call;
	struct buf in;
	struct buf warnings; // of a new file, JSON
	bool with_warnings; // they are asked for
	char name[UNIT_NAME_MAX + 1];
};

// What the process of a job has to do, with the text of the new file.
typedef void work_on_file(int dir_fd, const char *name, const struct buf *text, struct report *r, struct buf *result);

// ---- in init ----

static void answer(struct job *j)
{
	struct report r = { .rc = -1, .step = STEP_NONE };
	struct rpc_call *c = j->call;
	if (j->in.len >= sizeof(r) && !j->in.failed)
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
	struct buf *b = rpc_result_begin(c);
	buf_add_str(b, j->with_warnings ? "{\"message\":" : "");
	buf_add(b, j->in.data + sizeof(r), j->in.len - sizeof(r));
	if (j->with_warnings) {
		buf_add_str(b, ",\"warnings\":[");
		buf_add(b, j->warnings.data, j->warnings.len);
		buf_add_str(b, "]}");
	}
	rpc_result_end(c);
}

static void job_free(struct job *j)
{
	buf_release(&j->in);
	buf_release(&j->warnings);
	free(j);
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
	int fd = loop_remove(j->control->super->loop, src);
	close(fd);
	j->control->njobs--;
	answer(j);
	job_free(j);
}

static int fail(struct rpc_call *c, const char *name, const char *text)
{
	struct err err;
	err_set(&err, ERR_INTERNAL, "%s", text);
	rpc_fail(c, &err, name);
	return -1;
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
static int keep_only(int fd)
{
	int kept = dup2(fd, 3);
#ifdef SYS_close_range
	if (kept == 3 && syscall(SYS_close_range, 4u, ~0u, 0) == 0)
		return kept;
#endif
	for (int i = 4; i < 1024; i++)
		close(i);
	return kept;
}

static void __attribute__((noreturn))
work_in_child(const char *dir, const char *name, const struct buf *text, work_on_file *work, int fd)
{
	struct report r = { .rc = 0, .step = STEP_NONE };
	struct buf result = BUF_INIT;
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	int out = keep_only(fd);
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0) {
		r.rc = err_set(&r.err, ERR_SERVICE_FILE, "cannot open the config folder %s", dir);
		snprintf(r.err.cause, sizeof(r.err.cause), "%s", strerror(errno));
	} else {
		work(dir_fd, name, text, &r, &result);
	}
	put(out, &r, sizeof(r));
	put(out, result.data, r.rc < 0 ? 0 : result.len);
	_exit(0);
}

// Answers the call now or, when the process is done, later. The job, NULL without
// memory, is taken over.
static void start(struct rpc_call *c, struct job *j, const char *name, const struct buf *text, work_on_file *work)
{
	struct control *k = c->server->ctx;
	int pipe_fds[2] = { -1, -1 };
	if (k->njobs >= JOBS_MAX) {
		fail(c, name, "too many service files are being worked on, try again");
		if (j)
			job_free(j);
		return;
	}
	struct rpc_call *kept = j && pipe2(pipe_fds, O_CLOEXEC) == 0 ? rpc_keep(c) : NULL;
	pid_t pid = kept ? fork() : -1;
	if (pid == 0)
		work_in_child(k->super->config_dir, name, text, work, pipe_fds[1]);
	if (pipe_fds[1] >= 0)
		close(pipe_fds[1]);
	if (pid > 0) {
		j->control = k;
		j->call = kept;
		j->source.fn = job_ready;
		snprintf(j->name, sizeof(j->name), "%s", name);
		if (loop_add(k->super->loop, &j->source, pipe_fds[0], EPOLLIN) == 0) {
			k->njobs++;
			return;
		}
	}
	int why = errno;
	if (pipe_fds[0] >= 0)
		close(pipe_fds[0]);
	if (j)
		job_free(j);
	if (kept)
		fail(kept, name, strerror(why));
	else if (!c->answered)
		fail(c, name, strerror(why));
}

static bool bad_name(struct rpc_call *c, const char *name, size_t len)
{
	if (!unit_name_problem(name, len))
		return false;
	struct err err;
	err_set(&err, ERR_INVALID_NAME, "invalid service name '%s'", name);
	rpc_fail(c, &err, name);
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

static int report_missing(struct report *r, enum file_step step, const char *name)
{
	r->step = step;
	return r->rc = err_set(&r->err, ERR_FILE_NOT_FOUND, "Service '%s' not found", name);
}

// NAME.yaml or else NAME.yml: 1, or 0 where neither is.
static int find(int dir_fd, const char *name, char file[FILE_NAME_MAX])
{
	static const char *const ends[] = { ".yaml", ".yml" };
	for (size_t i = 0; i < 2; i++) {
		struct stat st;
		snprintf(file, FILE_NAME_MAX, "%s%s", name, ends[i]);
		if (fstatat(dir_fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT)
			return 1;
	}
	return 0;
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

static int write_temp(int dir_fd, const struct buf *text)
{
	unlinkat(dir_fd, TEMP_NAME, 0);
	int fd = openat(dir_fd, TEMP_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -1;
	size_t done = 0;
	int rc = 0;
	while (rc == 0 && done < text->len) {
		ssize_t n = write(fd, text->data + done, text->len - done);
		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			rc = -1;
	}
	if (rc == 0)
		rc = fsync(fd);
	int why = errno;
	if (close(fd) < 0 && rc == 0) {
		rc = -1;
		why = errno;
	}
	errno = why;
	return rc;
}

static void create(int dir_fd, const char *name, const struct buf *text, struct report *r, struct buf *result)
{
	char file[FILE_NAME_MAX], exists[UNIT_NAME_MAX + 64];
	snprintf(exists, sizeof(exists), "Service '%s' already exists", name);
	flock(dir_fd, LOCK_EX); // one at a time uses the temporary name
	if (find(dir_fd, name, file)) {
		report_fail(r, STEP_CREATE, ERR_SERVICE_ALREADY_EXISTS, exists, NULL);
		return;
	}
	snprintf(file, sizeof(file), "%s.yaml", name);
	bool written = write_temp(dir_fd, text) == 0;
	if (written && name_file(dir_fd, file) == 0) {
		fsync(dir_fd);
		add_sentence(result, name, "created");
		return;
	}
	int why = errno;
	unlinkat(dir_fd, TEMP_NAME, 0);
	if (written && why == EEXIST)
		report_fail(r, STEP_CREATE, ERR_SERVICE_ALREADY_EXISTS, exists, NULL);
	else
		report_fail(r, STEP_CREATE, ERR_SERVICE_FILE, "failed to create service file", strerror(why));
}

static void delete_it(int dir_fd, const char *name, const struct buf *text, struct report *r, struct buf *result)
{
	char file[FILE_NAME_MAX];
	(void)text;
	if (!find(dir_fd, name, file)) {
		report_missing(r, STEP_DELETE, name);
	} else if (unlinkat(dir_fd, file, 0) < 0) {
		report_fail(r, STEP_DELETE, ERR_SERVICE_FILE, "failed to delete service file", strerror(errno));
	} else {
		fsync(dir_fd);
		add_sentence(result, name, "deleted");
	}
}

static enum file_step step_of(enum err_code code)
{
	return code == ERR_SERVICE_FILE ? STEP_READ : code == ERR_FILE_SHAPE ? STEP_CONVERT : STEP_PARSE;
}

static void get(int dir_fd, const char *name, const struct buf *text, struct report *r, struct buf *result)
{
	char file[FILE_NAME_MAX];
	char *bytes = NULL;
	size_t len;
	struct err why;
	(void)text;
	if (!find(dir_fd, name, file)) {
		report_missing(r, STEP_READ, name);
	} else if (unit_read(dir_fd, file, &bytes, &len, &why) < 0) {
		report_fail(r, STEP_READ, ERR_SERVICE_FILE, "failed to read service file", why.text);
	} else {
		r->rc = convert_to_json(bytes, len, file, result, &r->err);
		r->step = r->rc < 0 ? step_of(r->err.code) : STEP_NONE;
	}
}

// ---- methods ----

static int check(const char *name, const struct buf *text, struct buf *warnings, struct err *err)
{
	char label[FILE_NAME_MAX];
	struct unit unit;
	struct err why;
	snprintf(label, sizeof(label), "%s.yaml", name);
	if (unit_parse(text->data, text->len, label, &unit, warnings_add, warnings, &why) == 0) {
		unit_release(&unit);
		return 0;
	}
	err_set(err, why.code, "the content is no service, nothing is written");
	snprintf(err->cause, sizeof(err->cause), "%s", why.text);
	return -1;
}

void service_create(struct rpc_call *c, const struct param *p)
{
	struct buf text = BUF_INIT;
	struct err err;
	c->action = "creating service";
	if (bad_name(c, p[0].text, p[0].len))
		return;
	struct job *j = calloc(1, sizeof(*j));
	convert_to_yaml(p[1].json, &text);
	if (!j || text.failed) {
		fail(c, p[0].text, "out of memory");
	} else if (check(p[0].text, &text, &j->warnings, &err) < 0) {
		c->step = "checking service content";
		rpc_fail(c, &err, p[0].text);
	} else {
		j->with_warnings = p[2].flag;
		start(c, j, p[0].text, &text, create);
		j = NULL;
	}
	if (j)
		job_free(j);
	buf_release(&text);
}

void service_delete(struct rpc_call *c, const struct param *p)
{
	c->action = "deleting service";
	if (!bad_name(c, p[0].text, p[0].len))
		start(c, calloc(1, sizeof(struct job)), p[0].text, NULL, delete_it);
}

void service_get(struct rpc_call *c, const struct param *p)
{
	c->action = "getting service";
	if (!bad_name(c, p[0].text, p[0].len))
		start(c, calloc(1, sizeof(struct job)), p[0].text, NULL, get);
}
