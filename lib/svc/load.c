// The config folder and the environment file: what services there are.
#include "svc/super.h"
#include "base/log.h"
#include "conf/environment.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// ---- environment ----

static void warn_of_environment(void *ctx, unsigned line, const char *text)
{
	(void)ctx;
	if (line)
		log_warn("%s:%u: %s; the line is skipped", ENVIRONMENT_FILE, line, text);
	else
		log_warn("%s: %s", ENVIRONMENT_FILE, text);
}

int super_read_env(struct super *u)
{
	return environment_read(&u->base_env, warn_of_environment, NULL);
}

// ---- files ----

static int open_config_dir(const struct super *u)
{
	return open(u->config_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

// Changes whenever the file does, as far as stat(2) can tell.
static uint64_t stamp_of(const struct stat *st)
{
	uint64_t h = (uint64_t)st->st_mtim.tv_sec * 1000000007u + (uint64_t)st->st_mtim.tv_nsec;
	h = h * 1000003u + (uint64_t)st->st_size;
	h = h * 1000003u + (uint64_t)st->st_ino;
	return h ? h : 1;
}

struct found {
	char file[UNIT_FILE_NAME_MAX];
	uint64_t stamp;
};

static bool find_file(int dir_fd, const char *name, struct found *f)
{
	struct stat st;
	bool there = unit_find(dir_fd, name, 0, f->file, &st);
	f->stamp = there ? stamp_of(&st) : 0;
	return there;
}

struct warn_to_log {
	const struct super *u;
	const char *file;
};

static void warn_to_log(void *ctx, unsigned line, unsigned column, const char *text)
{
	const struct warn_to_log *w = ctx;
	log_warn("%s/%s:%u:%u: %s", w->u->config_dir, w->file, line, column, text);
}

// Warnings go to the log, and to the caller's function too.
struct warn_both {
	struct warn_to_log log;
	unit_warn_fn *fn;
	void *ctx;
};

static void warn_both(void *ctx, unsigned line, unsigned column, const char *text)
{
	struct warn_both *w = ctx;
	warn_to_log(&w->log, line, column, text);
	if (w->fn)
		w->fn(w->ctx, line, column, text);
}

static struct def *load_def(struct super *u, int dir_fd, const char *file, unit_warn_fn *fn, void *ctx, struct err *err)
{
	struct unit unit;
	struct warn_both warn = { { u, file }, fn, ctx };
	if (unit_load(dir_fd, file, &unit, warn_both, &warn, err) < 0)
		return NULL;
	struct def *d = def_new(u, &unit);
	unit_release(&unit);
	if (!d)
		err_set(err, ERR_INTERNAL, "out of memory");
	return d;
}

static struct service *add_file(struct super *u, int dir_fd, const char *name, const struct found *f, unit_warn_fn *fn,
	void *ctx, struct err *err)
{
	struct def *d = load_def(u, dir_fd, f->file, fn, ctx, err);
	if (!d)
		return NULL;
	struct service *s = super_add(u, name, d, err);
	if (!s) {
		def_free(u, d);
		return NULL;
	}
	s->file_stamp = f->stamp;
	return s;
}

// ---- the whole folder ----

struct names {
	char **v;
	size_t n, cap;
};

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_name(struct names *list, const char *name, size_t len)
{
	if (list->n == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 64;
		char **more = realloc(list->v, cap * sizeof(*more));
		if (!more)
			return -1;
		list->v = more;
		list->cap = cap;
	}
	list->v[list->n] = strndup(name, len);
	return list->v[list->n] ? (int)list->n++ : -1;
}

// Shown in messages: what is no text is written as hex.
static void printable(const char *name, char *out, size_t size)
{
	size_t n = 0;
	for (; *name && n + 5 < size; name++) {
		unsigned char c = (unsigned char)*name;
		if (c < 0x20 || c >= 0x7f)
			n += (size_t)snprintf(out + n, size - n, "\\x%02x", c);
		else
			out[n++] = (char)c;
	}
	out[n] = '\0';
}

// Folders, FIFOs and devices are not opened at all; links are looked through.
static bool is_file(int dir_fd, const struct dirent *e)
{
	struct stat st;
	if (e->d_type != DT_UNKNOWN && e->d_type != DT_LNK && e->d_type != DT_REG)
		return false;
	return fstatat(dir_fd, e->d_name, &st, 0) < 0 || S_ISREG(st.st_mode);
}

static void collect(struct super *u, DIR *dir, struct names *list)
{
	struct dirent *e;
	while ((e = readdir(dir))) {
		size_t len = unit_name_of_file(e->d_name);
		if (!len || !is_file(dirfd(dir), e))
			continue;
		const char *wrong = unit_name_problem(e->d_name, len);
		if (wrong) {
			char shown[256];
			printable(e->d_name, shown, sizeof(shown));
			log_error("%s/%s: skipped: %s", u->config_dir, shown, wrong);
		} else if (add_name(list, e->d_name, len) < 0) {
			log_error("%s/%s: skipped: out of memory", u->config_dir, e->d_name);
		}
	}
	if (list->n)
		qsort(list->v, list->n, sizeof(*list->v), compare);
}

static void load_one(struct super *u, int dir_fd, const char *name)
{
	struct err err;
	struct found f;
	if (!find_file(dir_fd, name, &f))
		return;
	if (!add_file(u, dir_fd, name, &f, NULL, NULL, &err))
		log_error("failed to load config file: %s/%s", u->config_dir, err.text);
}

static void load_all(struct super *u, int dir_fd, struct names *list)
{
	for (size_t i = 0; i < list->n; i++) {
		if (i && !strcmp(list->v[i], list->v[i - 1]))
			log_warn(
				"%s/%s.yml is left out: there is a %s.yaml too", u->config_dir, list->v[i], list->v[i]);
		else
			load_one(u, dir_fd, list->v[i]);
	}
	for (size_t i = 0; i < list->n; i++)
		free(list->v[i]);
	free(list->v);
}

// Two pipes for each service, and what connections need. What cannot be had is
// met again as EMFILE when a service starts.
static void raise_nofile(struct super *u)
{
	struct rlimit now;
	rlim_t want = (rlim_t)u->nservices * 4 + 512;
	if (getrlimit(RLIMIT_NOFILE, &now) < 0)
		return;
	u->nofile_now = now.rlim_cur;
	if (now.rlim_cur >= want)
		return;
	struct rlimit more = { want, now.rlim_max > want ? now.rlim_max : want };
	if (prlimit(0, RLIMIT_NOFILE, &more, NULL) < 0) {
		more = (struct rlimit){ now.rlim_max, now.rlim_max };
		if (prlimit(0, RLIMIT_NOFILE, &more, NULL) < 0)
			return;
	}
	u->nofile_now = more.rlim_cur;
}

void super_load_dir(struct super *u)
{
	DIR *dir = opendir(u->config_dir);
	if (!dir) {
		log_warn("cannot read the config folder %s: %s; starting with no services", u->config_dir,
			strerror(errno));
		return;
	}
	struct names list = { 0 };
	collect(u, dir, &list);
	load_all(u, dirfd(dir), &list);
	closedir(dir);
	raise_nofile(u);
	list_for (pos, &u->services) {
		struct service *s = list_entry(pos, struct service, link);
		s->rec.up = true;
		svc_todo(s, TODO_START);
	}
}

// ---- one service ----

static int bad_config(const struct super *u, const char *name, struct err *err)
{
	if (err->code == ERR_INTERNAL)
		return -1;
	char why[sizeof(err->text)];
	memcpy(why, err->text, sizeof(why));
	err_set(err, ERR_CONFIG, "failed to load '%s.yaml'", name);
	snprintf(err->cause, sizeof(err->cause), "%s/%s", u->config_dir, why);
	log_error("failed to load config file: %s", err->cause);
	return -1;
}

int super_monitor(struct super *u, const char *name, unit_warn_fn *warn, void *ctx, struct err *err)
{
	if (unit_name_problem(name, strlen(name)))
		return err_set(err, ERR_INVALID_NAME, "invalid service name '%s'", name);
	int dir_fd = open_config_dir(u);
	struct found f;
	if (dir_fd < 0 && err_is_shortage(errno))
		return err_set(err, ERR_INTERNAL, "cannot look at the config folder: %s", strerror(errno));
	if (dir_fd < 0 || !find_file(dir_fd, name, &f)) {
		err_set(err, ERR_CONFIG, "%s.yaml: %s", name, strerror(dir_fd < 0 ? errno : ENOENT));
		if (dir_fd >= 0)
			close(dir_fd);
		return bad_config(u, name, err);
	}
	struct service *s = NULL;
	if (u->halting)
		err_set(err, ERR_SHUTTING_DOWN, "system is shutting down");
	else if (super_find(u, name))
		err_set(err, ERR_SERVICE_ALREADY_MONITORED, "service '%s' already monitored", name);
	else if (!(s = add_file(u, dir_fd, name, &f, warn, ctx, err)))
		bad_config(u, name, err);
	close(dir_fd);
	if (!s)
		return -1;
	raise_nofile(u);
	return super_start(s, err);
}

static int reload(struct service *s, struct err *err)
{
	struct super *u = s->super;
	struct found f;
	int dir_fd = open_config_dir(u);
	if (dir_fd < 0 && err_is_shortage(errno))
		return err_set(err, ERR_INTERNAL, "cannot look at its file: %s", strerror(errno));
	if (dir_fd < 0)
		return 0; // as a removed file: what is loaded stays
	int rc = 0;
	if (find_file(dir_fd, service_name(s), &f) && f.stamp != s->file_stamp) {
		struct def *d = load_def(u, dir_fd, f.file, NULL, NULL, err);
		if (!d) {
			rc = bad_config(u, service_name(s), err);
		} else if (run_prepare(s, d) < 0) {
			def_free(u, d);
			rc = err_set(err, ERR_INTERNAL, "out of memory");
		} else {
			def_free(u, s->next_def);
			s->next_def = d;
			s->file_stamp = f.stamp;
		}
	}
	close(dir_fd);
	return rc;
}

int super_restart(struct service *s, struct err *err)
{
	if (s->super->halting)
		return err_set(err, ERR_SHUTTING_DOWN, "system is shutting down");
	if (reload(s, err) < 0)
		return -1;
	s->rec.up = true;
	if (s->rec.phase != PHASE_STOPPING)
		kin_before_stop(s);
	svc_event(s, EV_RESTART);
	return 0;
}

enum { NEWS_EVERY_MS = 250 };

static const char *look_at_file(const struct service *s)
{
	struct found f;
	int dir_fd = open_config_dir(s->super);
	if (dir_fd < 0)
		return err_is_shortage(errno) ? s->file_news : "removed";
	bool there = find_file(dir_fd, service_name(s), &f);
	close(dir_fd);
	return !there ? "removed" : f.stamp != s->file_stamp ? "changed" : NULL;
}

// Whoever polls the state must not cost a look at the disk each time.
const char *super_file_news(struct service *s)
{
	uint64_t now = s->super->loop->now_ms;
	if (!s->news_ms || now - s->news_ms >= NEWS_EVERY_MS) {
		s->news_ms = now;
		s->file_news = look_at_file(s);
	}
	return s->file_news;
}
