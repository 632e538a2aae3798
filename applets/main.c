// The program's entry: which applet is meant, and its options.
#include "applet.h"
#include "base/guess.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define ROW(name) extern const struct applet applet_##name;
#include "applets.h"
#undef ROW
#define ROW(name) &applet_##name,
const struct applet *const applets[] = {
#include "applets.h"
	NULL
};
#undef ROW

enum { OPT_INSTALL = OPT_FIRST_LONG, OPT_LIST, OPT_TOKEN_FILE, OPT_TLS_CA };

const struct opt global_opts[] = {
	{ 's', "socket", "PATH", "socket of the daemon (default: $ZINIT_SOCKET, or " CONFIG_SOCKET ")" },
#ifdef CONFIG_REMOTE
	{ OPT_TOKEN_FILE, "token-file", "FILE", "token for a daemon at http://HOST:PORT (default: $ZINIT_TOKEN_FILE)" },
	{ OPT_TLS_CA, "tls-ca", "FILE", "certificate to trust at https://HOST:PORT (default: those of the system)" },
#endif
	{ 'd', "debug", NULL, "say more about what is done" },
	{ 'h', "help", NULL, "this text" },
	{ 'V', "version", NULL, "the version" },
	{ 0, NULL, NULL, NULL },
};

const struct opt program_opts[] = {
	{ OPT_INSTALL, "install", NULL, "make a link in DIR for each command: --install [-s] DIR (-s: symbolic)" },
	{ OPT_LIST, "list", NULL, "names of the commands built in" },
	{ 0, NULL, NULL, NULL },
};

// ---- messages ----

static void message(const char *fmt, va_list ap)
{
	char text[1024];
	vsnprintf(text, sizeof(text), fmt, ap);
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	fflush(stdout);
	fprintf(stderr, "zinit: %s\n", text);
}

int fail(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	message(fmt, ap);
	va_end(ap);
	return 1;
}

int usage_error(const struct cli *cli, const char *fmt, ...)
{
	char text[768];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return fail("%s; usage: zinit %s%s%s%s", text, cli->applet->name, cli->applet->opts[0].id ? " [OPTIONS]" : "",
		*cli->applet->args ? " " : "", cli->applet->args);
}

int finish_output(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	if (errno == EPIPE) // whoever reads has seen enough
		return 0;
	return fail("cannot write the output: %s", strerror(errno));
}

static void print_opt(const struct opt *o)
{
	char left[64];
	int n = 0;
	if (o->id < OPT_FIRST_LONG)
		n = snprintf(left, sizeof(left), "-%c, ", o->id);
	else
		n = snprintf(left, sizeof(left), "    ");
	snprintf(left + n, sizeof(left) - (size_t)n, "--%s%s%s", o->long_name, o->arg && *o->arg != '[' ? " " : "",
		o->arg ? o->arg : "");
	printf("    %-28s %s\n", left, o->help);
}

void print_help(const struct applet *a)
{
	printf("zinit %s: %s\n\nUSAGE:\n    zinit %s%s%s%s\n\nOPTIONS:\n", a->name, a->help, a->name,
		a->opts[0].id ? " [OPTIONS]" : "", *a->args ? " " : "", a->args);
	for (const struct opt *o = a->opts; o->id; o++)
		print_opt(o);
	for (const struct opt *o = global_opts; o->id; o++)
		print_opt(o);
}

void print_overview(void)
{
	printf("zinit v" ZINIT_VERSION "\nstarts the services of a machine or a container and keeps them running\n\n"
	       "USAGE:\n    zinit [OPTIONS] [COMMAND]\n\nOPTIONS:\n");
	for (const struct opt *o = global_opts; o->id; o++)
		print_opt(o);
	for (const struct opt *o = program_opts; o->id; o++)
		print_opt(o);
	printf("\nCOMMANDS%s:\n", applet_find("list") ? " (without one: list)" : "");
	for (size_t i = 0; applets[i]; i++)
		printf("    %-12s %s\n", applets[i]->name, applets[i]->help);
	printf("\n'zinit COMMAND --help' tells more of one.\n");
}

// ---- names ----

const struct applet *applet_find(const char *name)
{
	for (size_t i = 0; applets[i]; i++)
		if (!strcmp(applets[i]->name, name))
			return applets[i];
	return NULL;
}

// Short words may have one letter wrong, longer ones a third. Of two that are as
// near the one of the same length is meant, since letters are often swapped.
const char *nearest(const char *word, const char *const *names, size_t n)
{
	const char *best = NULL;
	size_t len = strlen(word), least = len <= 3 ? 1 : len <= 5 ? 2 : len / 3 + 1;
	for (size_t i = 0; i < n; i++) {
		size_t d = guess_distance(word, names[i]);
		if (d > least || d >= len || d >= GUESS_MAX)
			continue;
		if (d < least || !best || (strlen(names[i]) == len && strlen(best) != len))
			best = names[i];
		least = d;
	}
	return best;
}

static const char *nearest_applet(const char *word)
{
	const char *names[64] = { NULL };
	size_t n = 0;
	for (; applets[n] && n < 64; n++)
		names[n] = applets[n]->name;
	return nearest(word, names, n);
}

int unknown_command(const char *word)
{
	const char *near = nearest_applet(word);
	if (near)
		return fail("unknown command '%s'; did you mean '%s'?", word, near);
	for (const struct opt *o = global_opts; o->id; o++)
		if (!strcmp(o->long_name, word))
			return fail("unknown command '%s'; did you mean '--%s'?", word, word);
	return fail("unknown command '%s'; 'zinit --help' lists the commands", word);
}

// ---- options ----

bool cli_flag(const struct cli *cli, int id)
{
	for (size_t i = 0; i < cli->nopts; i++)
		if (cli->opts[i].id == id)
			return true;
	return false;
}

const char *cli_value(const struct cli *cli, int id)
{
	for (size_t i = cli->nopts; i; i--)
		if (cli->opts[i - 1].id == id)
			return cli->opts[i - 1].value;
	return NULL;
}

int cli_number(const struct cli *cli, int id, unsigned long long dflt, unsigned long long *out)
{
	const char *text = cli_value(cli, id);
	*out = dflt;
	if (!text)
		return 0;
	char *end;
	errno = 0;
	unsigned long long v = strtoull(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end && !errno) {
		*out = v;
		return 0;
	}
	for (const struct opt *o = cli->applet->opts; o->id; o++)
		if (o->id == id)
			fail("--%s: '%s' is no whole number of 0 or more", o->long_name, text);
	return -1;
}

struct parser {
	struct cli *cli;
	const struct opt *rows; // of the applet, or NULL before it is known
	char **args;
	int n, at;
	bool help, version, install, list, symlinks;
	unsigned ignored;
};

static const struct opt *find_row(const struct opt *rows, const char *long_name, size_t len, int id)
{
	for (; rows && rows->id; rows++)
		if (long_name ? !strncmp(rows->long_name, long_name, len) && !rows->long_name[len] : rows->id == id)
			return rows;
	return NULL;
}

static const struct opt *find_opt(const struct parser *p, const char *long_name, size_t len, int id)
{
	const struct opt *o = find_row(p->cli->applet ? p->rows : program_opts, long_name, len, id);
	return o ? o : find_row(global_opts, long_name, len, id);
}

static bool is_row_of(const struct opt *rows, const struct opt *o)
{
	while (rows->id && rows != o)
		rows++;
	return rows == o;
}

static int store(struct parser *p, const struct opt *o, const char *value)
{
	struct cli *c = p->cli;
	if (is_row_of(program_opts, o)) {
		*(o->id == OPT_LIST ? &p->list : &p->install) = true;
		return 0;
	}
	if (is_row_of(global_opts, o)) {
		if (o->id == 's')
			c->socket = value;
		else if (o->id == OPT_TOKEN_FILE)
			c->token_file = value;
		else if (o->id == OPT_TLS_CA)
			c->tls_ca = value;
		else if (o->id == 'd')
			c->debug = true;
		else if (o->id == 'h')
			p->help = true;
		else
			p->version = true;
		return 0;
	}
	if (c->nopts < OPT_MAX) {
		c->opts[c->nopts].id = o->id;
		c->opts[c->nopts++].value = value;
	}
	return 0;
}

static int bad_option(struct parser *p, const char *what)
{
	if (p->cli->lenient) {
		p->ignored++;
		return 0;
	}
	if (p->cli->applet)
		usage_error(p->cli, "%s", what);
	else
		fail("%s; 'zinit --help' lists the options", what);
	return -1;
}

// Who takes -x for an option, and what was meant instead.
static int unknown_letter(struct parser *p, const char *at)
{
	char letter = *at;
	char what[256];
	const struct applet *a = p->cli->applet;
	const char other = (char)(letter ^ ('a' ^ 'A'));
	if (!at[1] && find_opt(p, NULL, 0, (unsigned char)other))
		snprintf(what, sizeof(what), "unknown option '-%c' (did you mean '-%c'?)", letter, other);
	else
		snprintf(what, sizeof(what), "unknown option '-%c'%s", letter,
			a && *a->args ? " (what is no option but begins with '-' stands behind '--')" : "");
	return bad_option(p, what);
}

// An option that begins so, or has a similar name; else NULL.
static const char *near_option(const struct parser *p, const char *word)
{
	const struct opt *const lists[] = { p->cli->applet ? p->rows : program_opts, global_opts };
	const char *names[2 * OPT_MAX];
	size_t n = 0;
	for (size_t i = 0; i < 2; i++)
		for (const struct opt *o = lists[i]; o->id && n < sizeof(names) / sizeof(names[0]); o++) {
			if (*word && !strncmp(o->long_name, word, strlen(word)))
				return o->long_name;
			names[n++] = o->long_name;
		}
	return nearest(word, names, n);
}

static int unknown_option(struct parser *p, const char *name, size_t len)
{
	char word[128], what[256];
	snprintf(word, sizeof(word), "%.*s", (int)len, name);
	const char *near = near_option(p, word);
	snprintf(what, sizeof(what), "unknown option '--%s'%s%s%s", word, near ? " (did you mean '--" : "",
		near ? near : "", near ? "'?)" : "");
	return bad_option(p, what);
}

static bool has_optional_value(const struct opt *o)
{
	return o->arg && *o->arg == '[';
}

// The value behind an option: glued to it, or the next argument.
static const char *take_value(struct parser *p, const char *glued)
{
	if (glued)
		return glued;
	return p->at < p->n ? p->args[p->at++] : NULL;
}

static int long_option(struct parser *p, const char *arg)
{
	const char *name = arg + 2, *eq = strchr(name, '=');
	size_t len = eq ? (size_t)(eq - name) : strlen(name);
	char what[256];
	const struct opt *o = find_opt(p, name, len, 0);
	if (!o)
		return unknown_option(p, name, len);
	if (eq && !o->arg) {
		snprintf(what, sizeof(what), "option '--%s' takes no value", o->long_name);
		return bad_option(p, what);
	}
	if (has_optional_value(o))
		return store(p, o, eq ? eq + 1 : NULL);
	const char *value = o->arg ? take_value(p, eq ? eq + 1 : NULL) : NULL;
	if (o->arg && !value) {
		snprintf(what, sizeof(what), "option '--%s' needs a value: %s", o->long_name, o->arg);
		return bad_option(p, what);
	}
	return store(p, o, value);
}

static int short_options(struct parser *p, const char *arg)
{
	char what[256];
	for (const char *c = arg + 1; *c; c++) {
		if (p->install && *c == 's') {
			p->symlinks = true;
			continue;
		}
		const struct opt *o = find_opt(p, NULL, 0, (unsigned char)*c);
		if (!o)
			return unknown_letter(p, c);
		bool digits = has_optional_value(o) && (c[1] == '=' || (c[1] >= '0' && c[1] <= '9'));
		if (!o->arg || (has_optional_value(o) && !digits)) {
			store(p, o, NULL);
			continue;
		}
		const char *glued = c[1] == '=' ? c + 2 : c[1] ? c + 1 : NULL;
		const char *value = take_value(p, glued);
		if (!value) {
			snprintf(what, sizeof(what), "option '-%c' needs a value: %s", *c, o->arg);
			return bad_option(p, what);
		}
		return store(p, o, value);
	}
	return 0;
}

static int one_option(struct parser *p, const char *arg)
{
	return arg[1] == '-' ? long_option(p, arg) : short_options(p, arg);
}

static bool is_option(const char *arg)
{
	return arg[0] == '-' && arg[1];
}

// Up to the word that names the applet; that word, or NULL. -1: an error.
static int find_command(struct parser *p, const char **word)
{
	*word = NULL;
	while (p->at < p->n) {
		const char *arg = p->args[p->at++];
		if (!strcmp(arg, "--"))
			continue;
		if (!is_option(arg)) {
			*word = arg;
			return 0;
		}
		if (one_option(p, arg) < 0)
			return -1;
	}
	return 0;
}

// What follows it. Arguments are gathered at the front of args.
static int read_rest(struct parser *p)
{
	int kept = 0;
	bool plain = false;
	char **out = p->args;
	while (p->at < p->n) {
		char *arg = p->args[p->at++];
		if (!plain && !strcmp(arg, "--"))
			plain = true;
		else if (plain || !is_option(arg))
			out[kept++] = arg;
		else if (one_option(p, arg) < 0)
			return -1;
	}
	p->cli->argc = kept;
	p->cli->argv = out;
	return 0;
}

// ---- --install ----

// What is there already stays: a real `kill` is not replaced.
static int make_link(const char *self, const char *dir, const char *prefix, const char *name, bool symbolic)
{
	char path[4096];
	if ((size_t)snprintf(path, sizeof(path), "%s/%s%s", dir, prefix, name) >= sizeof(path))
		return fail("'%s' is too long for a path", dir);
	if ((symbolic ? symlink(self, path) : link(self, path)) < 0 && errno != EEXIST)
		return fail("cannot make the link %s: %s", path, strerror(errno));
	return 0;
}

static int install(const char *dir, bool symbolic)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0)
		return fail("cannot find this program's own path: %s", strerror(errno));
	self[n] = '\0';
	for (size_t i = 0; applets[i]; i++)
		if (make_link(self, dir, "", applets[i]->name, symbolic) ||
			make_link(self, dir, "zinit-", applets[i]->name, symbolic))
			return 1;
	return make_link(self, dir, "", "zinitctl", symbolic);
}

// ---- main ----

// A closed descriptor would become that of the socket, and output go to the daemon.
// These fail to be written and read as closed ones do.
static void guard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
			return;
}

static int run_applet(struct parser *p, const struct applet *a)
{
	struct cli *cli = p->cli;
	cli->applet = a;
	p->rows = a->opts;
	if (strcmp(a->name, "init") != 0)
		guard_descriptors();
	if (read_rest(p) < 0)
		return 1;
	if (p->version && !cli->lenient) {
		printf("zinit v" ZINIT_VERSION "\n");
		return finish_output();
	}
	if (p->help && !cli->lenient) {
		print_help(a);
		return finish_output();
	}
	if (p->ignored)
		fprintf(stderr, "zinit: WARN %u unknown options on the command line are ignored\n", p->ignored);
	return a->run(cli);
}

static int without_command(struct parser *p)
{
	guard_descriptors();
	if (p->install) {
		const char *word;
		if (find_command(p, &word) < 0)
			return 1;
		return word ? install(word, p->symlinks) : fail("--install needs a folder: zinit --install [-s] DIR");
	}
	if (p->list)
		for (size_t i = 0; applets[i]; i++)
			printf("%s\n", applets[i]->name);
	else if (p->version)
		printf("zinit v" ZINIT_VERSION "\n");
	else if (p->help)
		print_overview();
	else if (applet_find("list"))
		return run_applet(p, applet_find("list"));
	else
		print_overview();
	return finish_output();
}

// "list", "zinit-list": the applet; "zinit", "zinitctl" and the rest: none.
static const struct applet *applet_of_argv0(const char *argv0)
{
	const char *base = strrchr(argv0, '/');
	base = base ? base + 1 : argv0;
	if (!strncmp(base, "zinit-", 6))
		base += 6;
	return applet_find(base);
}

static int run_command(struct parser *p)
{
	const char *word;
	struct cli *cli = p->cli;
	if (find_command(p, &word) < 0)
		return 1;
	const struct applet *a = word && !p->install ? applet_find(word) : NULL;
	const struct applet *init = applet_find("init");
	if (!a && getpid() == 1 && init && !p->help && !p->version && !p->list && !p->install) {
		cli->lenient = true;
		p->at -= word != NULL;
		return run_applet(p, init);
	}
	if (p->install && word)
		p->at--;
	if (!word || p->install)
		return without_command(p);
	if (!a && p->at < p->n && applet_find(p->args[p->at]) && strcmp(word, "help") != 0)
		return fail("unknown command '%s'; did you mean 'zinit %s %s'?", word, p->args[p->at], word);
	if (!a)
		return unknown_command(word);
	cli->lenient = a == init && getpid() == 1;
	return run_applet(p, a);
}

int main(int argc, char **argv)
{
	struct cli cli = { 0 };
	struct parser p = { .cli = &cli, .args = argv + 1, .n = argc > 0 ? argc - 1 : 0 };
	// Whoever looks for the process looks for this name, whatever the link is called.
	prctl(PR_SET_NAME, "zinit");
	cli.lenient = getpid() == 1;
	const struct applet *a = argc > 0 ? applet_of_argv0(argv[0]) : NULL;
	if (!a)
		return run_command(&p);
	cli.lenient = cli.lenient && !strcmp(a->name, "init");
	return run_applet(&p, a);
}
