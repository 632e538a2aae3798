// conf: makes a configuration from a Kconfig file.
//
//   conf [MODE] [--header=FILE] [--mk=FILE] Kconfig
//
// The modes and the .config (named by KCONFIG_CONFIG) are those of the kernel's
// conf. Without a mode the .config is completed as by --olddefconfig, and left
// alone where nothing changes in it. A bad Kconfig is an error at file:line and
// exit 1; a bad line of a .config is a warning.
#define _GNU_SOURCE 1 // vasprintf
#include "kconfig.h"
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum mode {
	MODE_COMPLETE,
	MODE_OLDDEFCONFIG,
	MODE_DEFCONFIG,
	MODE_SAVEDEFCONFIG,
	MODE_ALLNO,
	MODE_ALLYES,
	MODE_RANDOM
};

struct options {
	enum mode mode;
	const char *mode_file, *header, *mk, *kconfig;
};

void *xzalloc(size_t size)
{
	void *mem = calloc(1, size);
	if (!mem)
		errx(1, "out of memory");
	return mem;
}

char *xprintf(const char *fmt, ...)
{
	char *text;
	va_list ap;
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		errx(1, "out of memory");
	va_end(ap);
	return text;
}

static void report(struct where at, const char *kind, const char *fmt, va_list ap)
{
	fprintf(stderr, "%s:%d: %s", at.file, at.line, kind);
	vfprintf(stderr, fmt, ap);
	putc('\n', stderr);
}

void die_at(struct where at, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	report(at, "", fmt, ap);
	exit(1);
}

void warn_at(struct where at, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	report(at, "warning: ", fmt, ap);
	va_end(ap);
}

char *read_file(const char *path, size_t *len)
{
	enum { CHUNK = 65536 };
	FILE *f = fopen(path, "re");
	char *text = NULL;
	*len = 0;
	if (!f)
		return NULL;
	do {
		text = realloc(text, *len + CHUNK + 1);
		if (!text)
			errx(1, "out of memory");
		*len += fread(text + *len, 1, CHUNK, f);
	} while (!feof(f) && !ferror(f));
	text[*len] = '\0';
	if (ferror(f)) {
		free(text);
		text = NULL;
	}
	int saved = errno;
	fclose(f);
	errno = saved;
	return text;
}

// A reader of `path` sees the old file or the new one, never a part.
static void save(const char *path, const char *text, size_t len, bool only_if_changed)
{
	size_t old_len;
	char *old = only_if_changed ? read_file(path, &old_len) : NULL;
	bool is_same = old && old_len == len && !memcmp(old, text, len);
	free(old);
	if (is_same)
		return;
	char *temp = xprintf("%s.%ld.tmp", path, (long)getpid());
	FILE *f = fopen(temp, "we");
	if (!f)
		err(1, "cannot create %s", temp);
	bool failed = fwrite(text, 1, len, f) != len;
	failed |= fclose(f) != 0;
	if (failed || rename(temp, path)) {
		warn("cannot write %s", path);
		unlink(temp);
		exit(1);
	}
	free(temp);
}

static void write_file(
	struct kconfig *k, const char *path, void (*write)(struct kconfig *, FILE *), bool only_if_changed)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		errx(1, "out of memory");
	write(k, out);
	if (fclose(out))
		errx(1, "out of memory");
	save(path, text, len, only_if_changed);
	free(text);
}

// splitmix64: the same seed gives the same configuration with every C library.
static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint64_t seed(void)
{
	const char *text = getenv("KCONFIG_SEED");
	char *end = NULL;
	unsigned long long n = (unsigned long long)time(NULL) << 16 ^ (unsigned long long)getpid();
	if (text && *text)
		n = strtoull(text, &end, 0);
	if (end && *end)
		errx(1, "KCONFIG_SEED=%s, expected a number", text);
	printf("KCONFIG_SEED=0x%llX\n", n);
	return n;
}

static void answer_all(struct kconfig *k, enum mode mode)
{
	bool is_random = mode == MODE_RANDOM;
	uint64_t state = is_random ? seed() : 0;
	for (struct sym *s = k->syms; s; s = s->next) {
		s->has_user = s->type == TYPE_BOOL && !s->choice;
		s->user_on = is_random ? draw(&state) & 1 : mode == MODE_ALLYES;
	}
	// What is visible in a choice may depend on the choices before it.
	for (struct choice *c = k->choices; is_random && c; c = c->next) {
		unsigned visible = 0;
		kconfig_forget(k);
		kconfig_calc(k, &c->pick);
		for (struct sym *s = c->members; s; s = s->next_member) {
			if (s->visible && draw(&state) % ++visible == 0)
				c->user = s;
		}
	}
}

static void usage(FILE *out)
{
	fputs("usage: conf [MODE] [--header=FILE] [--mk=FILE] Kconfig\n"
	      "modes: --olddefconfig --defconfig=FILE --savedefconfig=FILE --allnoconfig --allyesconfig --randconfig\n"
	      "environment: KCONFIG_CONFIG (.config), KCONFIG_SEED\n",
		out);
}

static struct options parse_options(int argc, char **argv)
{
	enum { OPT_HEADER = 100, OPT_MK, OPT_HELP };
	static const struct option longs[] = {
		{ "olddefconfig", no_argument, NULL, MODE_OLDDEFCONFIG },
		{ "defconfig", required_argument, NULL, MODE_DEFCONFIG },
		{ "savedefconfig", required_argument, NULL, MODE_SAVEDEFCONFIG },
		{ "allnoconfig", no_argument, NULL, MODE_ALLNO },
		{ "allyesconfig", no_argument, NULL, MODE_ALLYES },
		{ "randconfig", no_argument, NULL, MODE_RANDOM },
		{ "header", required_argument, NULL, OPT_HEADER },
		{ "mk", required_argument, NULL, OPT_MK },
		{ "help", no_argument, NULL, OPT_HELP },
		{ 0 },
	};
	struct options o = { 0 };
	for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
		if (c == OPT_HEADER) {
			o.header = optarg;
		} else if (c == OPT_MK) {
			o.mk = optarg;
		} else if (c == OPT_HELP) {
			usage(stdout);
			exit(0);
		} else if (c == '?' || o.mode) {
			if (c != '?')
				warnx("two modes, expected one");
			usage(stderr);
			exit(1);
		} else {
			o.mode = c;
			o.mode_file = optarg;
		}
	}
	if (optind != argc - 1) {
		usage(stderr);
		exit(1);
	}
	o.kconfig = argv[optind];
	return o;
}

static void read_answers(struct kconfig *k, const struct options *o, const char *config)
{
	const char *path = o->mode == MODE_DEFCONFIG ? o->mode_file : config;
	if (o->mode >= MODE_ALLNO)
		answer_all(k, o->mode);
	else if (config_read(k, path) && (errno != ENOENT || o->mode == MODE_DEFCONFIG))
		err(1, "cannot read %s", path);
	kconfig_forget(k);
	kconfig_calc_all(k);
}

static void warn_unmet(const struct kconfig *k)
{
	for (struct sym *s = k->syms; s; s = s->next) {
		for (struct prop *p = s->selects; p && s->forced && !s->deps_met; p = p->next_select) {
			if (p->on && p->node->sym->on)
				warn_at(p->at, "%s selects %s, whose dependencies are not met", p->node->sym->name,
					s->name);
		}
	}
}

int main(int argc, char **argv)
{
	struct options o = parse_options(argc, argv);
	const char *config = getenv("KCONFIG_CONFIG");
	struct kconfig k = { 0 };
	if (!config || !*config)
		config = ".config";
	kconfig_parse(&k, o.kconfig);
	kconfig_calc_all(&k); // a cycle is an error in each mode, with each answer
	read_answers(&k, &o, config);
	warn_unmet(&k);
	if (o.mode == MODE_SAVEDEFCONFIG)
		write_file(&k, o.mode_file, defconfig_write, false);
	else
		write_file(&k, config, config_write, o.mode == MODE_COMPLETE);
	if (o.header)
		write_file(&k, o.header, header_write, true);
	if (o.mk)
		write_file(&k, o.mk, mk_write, true);
	return 0;
}
