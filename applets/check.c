// Reads service files as the daemon would, without one, and says all that is wrong.
//
// A finding is an error when the file is refused or a part of it has no effect or
// can never come true; else a warning. Everything is collected, sorted and printed
// at the end, so that what is found late (a cycle) stands with its file.
#include "applet.h"
#include "base/buf.h"
#include "conf/environment.h"
#include "conf/unit.h"
#include "proc/program.h"
#include "rpc/json.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <paths.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPT_JSON = OPT_FIRST_LONG, OPT_STRICT, OPT_NO_PROGRAMS };

APPLET(check, "[DIR|FILE...]", "look for mistakes in service files; no daemon is needed") = {
	{ OPT_STRICT, "strict", NULL, "warnings count as errors" },
	{ OPT_NO_PROGRAMS, "no-programs", NULL, "do not look for programs and folders on this machine" },
	{ OPT_JSON, "json", NULL, "print JSON" },
	{ 0, NULL, NULL, NULL },
};
//config: help
//config:   About 8 KB with its texts.

// A file of a folder, whether it was asked for or is only what others wait for.
struct file {
	char *name;
	char *service; // the name without its ending; "" when it has none
	const char *problem; // why it is no service file, else NULL
	bool shown; // asked for
	bool left_out; // NAME.yml beside NAME.yaml
	struct unit unit;
};

struct folder {
	char *prefix; // as it was written, with its last '/'; "" for names without one
	int fd;
	bool whole;
	struct file *files; // by service, .yaml before .yml
	size_t n, cap;
	struct folder *next;
};

struct finding {
	char *path;
	unsigned line, column; // line 0: the file as a whole
	bool is_error;
	char *text;
	size_t order;
};

struct check {
	struct folder *folders;
	char **env;
	bool programs;
	struct finding *findings;
	size_t n, cap;
	unsigned files, errors, warnings;
};

// Where a finding of the loader goes.
struct place {
	struct check *check;
	const struct folder *folder;
	const struct file *file;
};

// ---- memory: this is a short-lived command ----

static void *checked(void *p)
{
	if (!p)
		exit(fail("out of memory"));
	return p;
}

// Room for one more item.
static void *more(void *items, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return items;
	*cap = *cap ? *cap * 2 : 16;
	return checked(realloc(items, *cap * size));
}

static char *joined(const char *a, const char *b)
{
	struct buf text = BUF_INIT;
	buf_add_str(&text, a);
	buf_add_str(&text, b);
	return checked(buf_text(&text));
}

// ---- findings ----

static void add(struct check *c, char *path, bool is_error, struct unit_place at, const char *text)
{
	c->findings = more(c->findings, c->n, &c->cap, sizeof(*c->findings));
	c->findings[c->n] = (struct finding){ path, at.line, at.column, is_error, checked(strdup(text)), c->n };
	c->n++;
	*(is_error ? &c->errors : &c->warnings) += 1;
}

static void say(const struct place *p, bool is_error, struct unit_place at, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static void say(const struct place *p, bool is_error, struct unit_place at, const char *fmt, ...)
{
	char text[640];
	va_list ap;
	if (!p->file->shown)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	add(p->check, joined(p->folder->prefix, p->file->name), is_error, at, text);
}

static void found(void *ctx, bool is_error, unsigned line, unsigned column, const char *text)
{
	const struct place *p = ctx;
	say(p, is_error, (struct unit_place){ line, column }, "%s", text);
}

static void environment_line(void *ctx, unsigned line, const char *text)
{
	struct check *c = ctx;
	if (c->programs)
		add(c, checked(strdup(ENVIRONMENT_FILE)), false, (struct unit_place){ line, line != 0 }, text);
}

static int compare_findings(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;
	int order = strcmp(x->path, y->path);
	if (!order)
		order = (x->line > y->line) - (x->line < y->line);
	if (!order)
		order = (x->column > y->column) - (x->column < y->column);
	return order ? order : (x->order > y->order) - (x->order < y->order);
}

// Bytes that would spoil the line are shown as \xNN.
static void print_plain(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			printf("\\x%02x", (unsigned)*text);
		else
			putchar(*text);
	}
}

static void print_line(const struct finding *f)
{
	print_plain(f->path);
	if (f->line)
		printf(":%u:%u", f->line, f->column);
	printf(": %s: ", f->is_error ? "error" : "warning");
	print_plain(f->text);
	putchar('\n');
}

static void print_object(const struct finding *f)
{
	struct buf b = BUF_INIT;
	buf_add_str(&b, "{\"file\":");
	json_add_str(&b, f->path, strlen(f->path));
	if (f->line)
		buf_printf(&b, ",\"line\":%u,\"column\":%u", f->line, f->column);
	buf_printf(&b, ",\"severity\":\"%s\",\"text\":", f->is_error ? "error" : "warning");
	json_add_str(&b, f->text, strlen(f->text));
	buf_add_char(&b, '}');
	fputs(checked(buf_text(&b)), stdout);
	buf_release(&b);
}

static int print_findings(struct check *c, bool json)
{
	if (c->n)
		qsort(c->findings, c->n, sizeof(*c->findings), compare_findings);
	if (json)
		putchar('[');
	for (size_t i = 0; i < c->n; i++) {
		if (!json) {
			print_line(&c->findings[i]);
			continue;
		}
		if (i)
			putchar(',');
		print_object(&c->findings[i]);
	}
	if (json)
		puts("]");
	return finish_output();
}

// ---- folders and files ----

static struct file *add_file(struct folder *d, const char *name)
{
	size_t len = unit_name_of_file(name);
	d->files = more(d->files, d->n, &d->cap, sizeof(*d->files));
	struct file *f = &d->files[d->n++];
	*f = (struct file){ .name = checked(strdup(name)) };
	f->service = checked(strndup(name, len));
	f->problem = len ? unit_name_problem(name, len) : "the name does not end in .yaml or .yml";
	f->shown = d->whole;
	return f;
}

// Among the first n.
static struct file *find_name(const struct folder *d, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(d->files[i].name, name))
			return &d->files[i];
	return NULL;
}

static struct folder *find_folder(struct check *c, const char *prefix, size_t len)
{
	struct folder **at = &c->folders;
	for (; *at; at = &(*at)->next)
		if (strlen((*at)->prefix) == len && !strncmp((*at)->prefix, prefix, len))
			return *at;
	struct folder *d = checked(calloc(1, sizeof(*d)));
	d->prefix = checked(strndup(prefix, len));
	d->fd = -1;
	*at = d;
	return d;
}

// DIR: all of it. FILE: that one, and its folder for the names it waits for.
static void add_argument(struct check *c, const char *path)
{
	struct stat st;
	const char *slash = strrchr(path, '/');
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		char *prefix = joined(path, slash && !slash[1] ? "" : "/");
		find_folder(c, prefix, strlen(prefix))->whole = true;
		free(prefix);
		return;
	}
	const char *name = slash ? slash + 1 : path;
	struct folder *d = find_folder(c, path, (size_t)(name - path));
	struct file *f = find_name(d, d->n, name);
	if (!f)
		f = add_file(d, name);
	f->shown = true;
}

// As the daemon does it: folders, FIFOs and devices are not looked at.
static bool is_file(int dir_fd, const struct dirent *e)
{
	struct stat st;
	if (e->d_type != DT_UNKNOWN && e->d_type != DT_LNK && e->d_type != DT_REG)
		return false;
	return fstatat(dir_fd, e->d_name, &st, 0) < 0 || S_ISREG(st.st_mode);
}

static int compare_files(const void *a, const void *b)
{
	const struct file *x = a, *y = b;
	int order = strcmp(x->service, y->service);
	return order ? order : strcmp(x->name, y->name);
}

static bool read_folder(struct check *c, struct folder *d)
{
	struct unit_place none = { 0, 0 };
	size_t asked = d->n;
	DIR *dir = opendir(*d->prefix ? d->prefix : ".");
	for (struct dirent *e; dir && (e = readdir(dir));) {
		if (!unit_name_of_file(e->d_name) || !is_file(dirfd(dir), e))
			continue;
		if (!find_name(d, asked, e->d_name))
			add_file(d, e->d_name);
	}
	if (!dir) {
		const char *why = strerror(errno);
		for (size_t i = 0; i < d->n; i++)
			add(c, joined(d->prefix, d->files[i].name), true, none, why);
		if (!d->n)
			add(c, checked(strdup(*d->prefix ? d->prefix : ".")), true, none, why);
		return false;
	}
	d->fd = dup(dirfd(dir));
	closedir(dir);
	if (d->n)
		qsort(d->files, d->n, sizeof(*d->files), compare_files);
	else
		add(c, checked(strdup(d->prefix)), false, none, "no service files here");
	return true;
}

static int compare_service(const void *name, const void *f)
{
	return strcmp(name, ((const struct file *)f)->service);
}

// The file that the daemon loads for a name, or NULL.
static struct file *find_service(const struct folder *d, const char *name)
{
	struct file *f = d->n ? bsearch(name, d->files, d->n, sizeof(*f), compare_service) : NULL;
	while (f && f > d->files && !strcmp(f[-1].service, name))
		f--;
	return f && !f->problem ? f : NULL;
}

// ---- programs ----

static const char *path_of(const struct check *c, const struct unit *u)
{
	for (size_t i = 0; i < u->nenv; i++)
		if (!strcmp(u->env[i].name, "PATH"))
			return u->env[i].value;
	for (char **e = c->env; *e; e++)
		if (!strncmp(*e, "PATH=", 5))
			return *e + 5;
	return _PATH_STDPATH;
}

static void check_command(struct place *p, const char *key, const struct unit_command *cmd, int dir_fd)
{
	char why[512];
	if (cmd->broken)
		say(p, true, cmd->place, "%s: %s", key, cmd->broken);
	if (!cmd->argv || !p->check->programs)
		return;
	if (!program_exists(dir_fd, cmd->argv[0], path_of(p->check, &p->file->unit), why, sizeof(why)))
		say(p, true, cmd->place, "%s: %s", key, why);
}

// The folder the service runs in, or -1: it is not there, or is relative to who
// knows where.
static int open_dir(struct place *p)
{
	const char *dir = p->file->unit.dir ? p->file->unit.dir : "/";
	if (*dir != '/' || !p->check->programs)
		return -1;
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		say(p, true, p->file->unit.dir_place, "dir: '%s' %s", dir,
			errno == ENOENT    ? "does not exist"
			: errno == ENOTDIR ? "is no folder"
					   : strerror(errno));
	return fd;
}

// ---- after ----

static void check_after(struct place *p)
{
	const struct unit *u = &p->file->unit;
	const struct folder *d = p->folder;
	for (size_t i = 0; i < u->nafter; i++) {
		const char *name = u->after[i], *near = NULL;
		size_t len = unit_name_of_file(name);
		if (unit_name_problem(name, strlen(name)) || find_service(d, name))
			continue;
		char *stem = checked(strndup(name, len));
		if (len && find_service(d, stem)) {
			near = stem;
		} else {
			const char **names = checked(calloc(d->n, sizeof(*names)));
			for (size_t j = 0; j < d->n; j++)
				names[j] = d->files[j].problem ? "" : d->files[j].service;
			near = nearest(name, names, d->n);
			free(names);
		}
		say(p, true, u->after_places[i], "after: there is no service '%s'%s%s%s", name,
			near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
		free(stem);
	}
}

// A walk along `after`, deep first. What is met while still on the way is a cycle.
struct walk {
	struct check *check;
	const struct folder *folder;
	struct step {
		struct file *file;
		size_t next; // of its `after`
	} * steps;
	size_t n;
	enum { NEW, ON_THE_WAY, DONE } * marks;
};

static void say_cycle(const struct walk *w, size_t from)
{
	struct buf text = BUF_INIT;
	size_t at = from;
	while (at < w->n && !w->steps[at].file->shown)
		at++;
	if (at == w->n)
		return;
	for (size_t i = from; i < w->n; i++)
		buf_printf(&text, "%s -> ", w->steps[i].file->service);
	buf_add_str(&text, w->steps[from].file->service);
	const struct file *f = w->steps[at].file;
	const struct place p = { w->check, w->folder, f };
	say(&p, true, f->unit.after_places[w->steps[at].next - 1], "after: a cycle, none of these can start: %s",
		(const char *)checked(buf_text(&text)));
	buf_release(&text);
}

static void walk_to(struct walk *w, struct file *f)
{
	size_t i = (size_t)(f - w->folder->files);
	if (w->marks[i] == NEW) {
		w->marks[i] = ON_THE_WAY;
		w->steps[w->n++] = (struct step){ f, 0 };
	} else if (w->marks[i] == ON_THE_WAY) {
		size_t from = w->n;
		while (w->steps[from - 1].file != f)
			from--;
		say_cycle(w, from - 1);
	}
}

static void check_cycles(struct check *c, const struct folder *d)
{
	struct walk w = { .check = c, .folder = d };
	w.steps = checked(calloc(d->n + 1, sizeof(*w.steps)));
	w.marks = checked(calloc(d->n + 1, sizeof(*w.marks)));
	for (size_t i = 0; i < d->n; i++) {
		walk_to(&w, &d->files[i]);
		while (w.n) {
			struct step *top = &w.steps[w.n - 1];
			if (top->next < top->file->unit.nafter) {
				struct file *to = find_service(d, top->file->unit.after[top->next++]);
				if (to)
					walk_to(&w, to);
			} else {
				w.marks[top->file - d->files] = DONE;
				w.n--;
			}
		}
	}
	free(w.steps);
	free(w.marks);
}

// ---- all of it ----

static void check_file(struct check *c, const struct folder *d, struct file *f)
{
	struct place p = { c, d, f };
	struct unit_place none = { 0, 0 };
	const struct unit *u = &f->unit;
	c->files += f->shown;
	if (f->problem)
		say(&p, true, none, "%s", f->problem);
	else if (f->left_out)
		say(&p, true, none, "left out: there is a %s.yaml too", f->service);
	if (f->problem || f->left_out)
		return;
	unit_check(d->fd, f->name, &f->unit, found, &p);
	if (!f->shown)
		return;
	int dir_fd = open_dir(&p);
	check_command(&p, "exec", &u->exec, dir_fd);
	if (!u->oneshot)
		check_command(&p, "test", &u->test, dir_fd);
	else if (u->test.text)
		say(&p, false, u->test.place, "test: has no effect, since oneshot is true");
	if (dir_fd >= 0)
		close(dir_fd);
}

static void check_folder(struct check *c, struct folder *d)
{
	if (!read_folder(c, d))
		return;
	for (size_t i = 0; i < d->n; i++) {
		struct file *f = &d->files[i];
		f->left_out = i && *f->service && !strcmp(f->service, f[-1].service);
		check_file(c, d, f);
	}
	for (size_t i = 0; i < d->n; i++) {
		struct place p = { c, d, &d->files[i] };
		if (p.file->shown)
			check_after(&p);
	}
	check_cycles(c, d);
}

static void release(struct check *c)
{
	for (struct folder *d = c->folders, *next; d; d = next) {
		next = d->next;
		for (size_t i = 0; i < d->n; i++) {
			unit_release(&d->files[i].unit);
			free(d->files[i].name);
			free(d->files[i].service);
		}
		if (d->fd >= 0)
			close(d->fd);
		free(d->files);
		free(d->prefix);
		free(d);
	}
	for (size_t i = 0; i < c->n; i++) {
		free(c->findings[i].path);
		free(c->findings[i].text);
	}
	free(c->findings);
	environment_free(c->env);
}

static const char *plural(unsigned n)
{
	return n == 1 ? "" : "s";
}

static int run(struct cli *cli)
{
	struct check c = { .programs = !cli_flag(cli, OPT_NO_PROGRAMS) };
	for (int i = 0; i < cli->argc; i++)
		if (!*cli->argv[i])
			return usage_error(cli, "an empty name is no file");
	for (int i = 0; i < cli->argc; i++)
		add_argument(&c, cli->argv[i]);
	if (!cli->argc)
		add_argument(&c, CONFIG_CONFIG_DIR "/");
	if (environment_read(&c.env, environment_line, &c) < 0)
		return fail("out of memory");
	for (struct folder *d = c.folders; d; d = d->next)
		check_folder(&c, d);
	int rc = print_findings(&c, cli_flag(cli, OPT_JSON));
	if (rc == 0 && (c.errors || (c.warnings && cli_flag(cli, OPT_STRICT))))
		rc = fail("%u error%s and %u warning%s in %u file%s", c.errors, plural(c.errors), c.warnings,
			plural(c.warnings), c.files, plural(c.files));
	release(&c);
	return rc;
}
