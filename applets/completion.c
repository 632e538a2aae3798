// Completion scripts for shells, made of the table of applets and their options.
//
// What an argument may be is read from the applet's line of arguments: SERVICE,
// SIGNAL, COMMAND, DIR, FILE; words in small letters stand for themselves.
// A script asks `zinit list --names` for services, with the socket of the line.
#include "applet.h"
#include "completion.h"
#include "base/signame.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

APPLET(completion, "bash|zsh|fish", "a script that completes these commands in a shell") = {
	{ 0, NULL, NULL, NULL },
};
//config: help
//config:   About 16 KB, most of it the scripts of three shells.

// ---- what the tables say ----

// One argument of a line such as "SERVICE [SIGNAL]" or "[DIR|FILE...]".
struct arg {
	char kind[32]; // "SERVICE"; the last one of alternatives, or all of them in small letters
	bool many;
};

// Reads the next one of *args; false at the end.
static bool next_arg(const struct applet *a, const char **args, struct arg *arg)
{
	const char *start = *args + strspn(*args, " []");
	size_t len = strcspn(start, " ].");
	const char *kind = start;
	for (size_t i = 0; isupper((unsigned char)*kind) && i < len; i++)
		if (start[i] == '|' && isupper((unsigned char)start[i + 1]))
			kind = start + i + 1;
	size_t kind_len = isupper((unsigned char)*kind) ? strcspn(kind, " ].|") : len;
	snprintf(arg->kind, sizeof(arg->kind), "%.*s", (int)kind_len, kind);
	// What is to be monitored has a file, but no service yet.
	if (a && !strcmp(a->name, "monitor"))
		snprintf(arg->kind, sizeof(arg->kind), "UNIT");
	arg->many = !strncmp(start + len, "...", 3);
	*args = start + len + strspn(start + len, ".]");
	return len != 0;
}

static bool is_file(const char *kind)
{
	return !strcmp(kind, "FILE") || !strcmp(kind, "PATH");
}

static bool takes_value(const struct opt *o)
{
	return o->arg && *o->arg != '[';
}

static bool owns(const struct applet *a, int id)
{
	for (const struct opt *o = a ? a->opts : program_opts; o->id; o++)
		if (o->id == id)
			return true;
	return false;
}

// Goes through the options that count after a command: its own, then those of the
// program. *letter is 0 where there is none, or the command uses it itself. The
// applet is NULL before a command. Start with *o NULL; false at the end.
static bool next_opt(const struct applet *a, const struct opt **o, bool *global, int *letter)
{
	if (!*o)
		*o = a ? a->opts : program_opts;
	else
		++*o;
	if (!(*o)->id && !*global) {
		*global = true;
		*o = global_opts;
	}
	*letter = (*o)->id < OPT_FIRST_LONG && !(*global && owns(a, (*o)->id)) ? (*o)->id : 0;
	return (*o)->id != 0;
}

// The applets to which -s is something of their own, for a pattern of zsh, which needs one
// alternative at least: no command is called "-".
static void print_own_s(void)
{
	putchar('-');
	for (size_t i = 0; applets[i]; i++)
		if (owns(applets[i], 's'))
			printf("|%s", applets[i]->name);
}

// Text in single quotes; a backslash before each of `special`.
static void print_quoted(const char *text, const char *special)
{
	for (; *text; text++) {
		if (strchr(special, *text))
			putchar('\\');
		if (*text == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*text);
	}
}

static void print_signals(const char *between)
{
	char name[SIGNAME_MAX];
	for (int sig = 1; sig < 32; sig++)
		printf("%s%s", sig > 1 ? between : "", signame_text(sig, name) + strlen("SIG"));
}

// The names that `zinit --install` makes, but for those that other programs have too.
static void print_links(void)
{
	printf(" zinit zinitctl");
	for (size_t i = 0; applets[i]; i++)
		printf(" zinit-%s", applets[i]->name);
}

// ---- bash ----

static void bash_row(const struct applet *a)
{
	const struct opt *o = NULL;
	bool global = false;
	int letter;
	printf("\t%s) options='", a ? a->name : "''");
	while (next_opt(a, &o, &global, &letter)) {
		const char *kind = takes_value(o) ? o->arg : "";
		if (letter)
			printf("-%c%s%s ", letter, *kind ? "=" : "", kind);
		printf("--%s%s%s ", o->long_name, *kind ? "=" : o->arg ? ":" : "", kind);
	}
	printf("' arguments='");
	const char *args = a ? a->args : "";
	for (struct arg arg; next_arg(a, &args, &arg);)
		printf("%s%s ", arg.kind, arg.many ? "+" : "");
	printf("' ;;\n");
}

static void bash(void)
{
	fputs(bash_head, stdout);
	bash_row(NULL);
	for (size_t i = 0; applets[i]; i++)
		bash_row(applets[i]);
	fputs(bash_body, stdout);
	printf("\n_zinit_commands() {\n\tprintf '%%s\\n'");
	for (size_t i = 0; applets[i]; i++)
		printf(" %s", applets[i]->name);
	printf("\n}\n\n_zinit_signals() {\n\tlocal prefix=\n\t[[ $1 == SIG* ]] && prefix=SIG\n"
	       "\tprintf \"$prefix%%s\\n\" ");
	print_signals(" ");
	printf("\n}\n\n_zinit_units() {\n\tlocal file\n\tfor file in " CONFIG_CONFIG_DIR "/*.y{a,}ml; do\n"
	       "\t\tfile=${file##*/}\n\t\tprintf '%%s\\n' \"${file%%.*}\"\n\tdone\n}\n\ncomplete -F _zinit");
	print_links();
	putchar('\n');
}

// ---- zsh ----

// What completes a value of this kind: an action of _arguments.
static void zsh_action(const char *kind)
{
	if (!strcmp(kind, "SERVICE"))
		fputs("_zinit_services", stdout);
	else if (!strcmp(kind, "UNIT"))
		fputs("_zinit_units", stdout);
	else if (!strcmp(kind, "COMMAND"))
		fputs("_zinit_commands", stdout);
	else if (!strcmp(kind, "GROUP"))
		fputs("_groups", stdout);
	else if (!strcmp(kind, "DIR"))
		fputs("_files -/", stdout);
	else if (is_file(kind))
		fputs("_files", stdout);
	else if (!strcmp(kind, "SIGNAL"))
		fputs("_zinit_signals", stdout);
	else if (strchr(kind, '|'))
		for (const char *p = kind; *p; p++)
			printf("%s%c%s", p == kind ? "(" : "", *p == '|' ? ' ' : *p, p[1] ? "" : ")");
	else
		putchar(' ');
}

static void zsh_option(const struct opt *o, int letter)
{
	bool value = takes_value(o);
	fputs(" \\\n\t\t", stdout);
	if (letter)
		printf("'(-%c --%s)'{-%c%s,--%s%s}'", letter, o->long_name, letter, value ? "+" : "", o->long_name,
			value    ? "="
			: o->arg ? "=-"
				 : "");
	else
		printf("'--%s%s", o->long_name, value ? "=" : o->arg ? "=-" : "");
	putchar('[');
	print_quoted(o->help, "[]\\");
	putchar(']');
	if (o->arg) {
		printf("%s:value:", value ? "" : ":");
		zsh_action(value ? o->arg : "");
	}
	putchar('\'');
}

static void zsh_row(const struct applet *a)
{
	const struct opt *o = NULL;
	bool global = false;
	int letter;
	printf("\t(%s)\n\t\t_arguments -s -S", a ? a->name : "''");
	while (next_opt(a, &o, &global, &letter))
		zsh_option(o, letter);
	const char *args = a ? a->args : "COMMAND";
	int number = 1;
	for (struct arg arg; next_arg(a, &args, &arg); number++) {
		if (arg.many)
			printf(" \\\n\t\t'*:argument:");
		else
			printf(" \\\n\t\t'%d:argument:", number);
		zsh_action(arg.kind);
		putchar('\'');
	}
	printf("\n\t\t;;\n");
}

static void zsh(void)
{
	printf("#compdef");
	print_links();
	fputs(zsh_head, stdout);
	zsh_row(NULL);
	for (size_t i = 0; applets[i]; i++)
		zsh_row(applets[i]);
	const char *own = strchr(zsh_body, '@');
	fwrite(zsh_body, 1, (size_t)(own - zsh_body), stdout);
	print_own_s();
	fputs(own + 1, stdout);
	printf("\n_zinit_commands() {\n\tlocal -a commands\n\tcommands=(");
	for (size_t i = 0; applets[i]; i++) {
		printf("\n\t\t'%s:", applets[i]->name);
		print_quoted(applets[i]->help, "\\");
		putchar('\'');
	}
	printf("\n\t)\n\t_describe -t commands command commands\n}\n\n_zinit_signals() {\n\tlocal prefix= expl\n"
	       "\tlocal -a names=(");
	print_signals(" ");
	printf(")\n\t[[ $PREFIX == SIG* ]] && prefix=SIG\n\t_wanted signals expl signal compadd - $prefix$^names\n}\n\n"
	       "_zinit_units() {\n\tlocal -a names expl\n\tnames=(" CONFIG_CONFIG_DIR "/*.(yaml|yml)(N:t:r))\n"
	       "\t_wanted services expl service compadd -a names\n}\n\nif [[ $funcstack[1] == _zinit ]]; then\n"
	       "\t_zinit \"$@\"\nelse\n\tcompdef _zinit");
	print_links();
	printf("\nfi\n");
}

// ---- fish ----

static void fish_values(const struct applet *a)
{
	const struct opt *o = NULL;
	bool global = false;
	int letter;
	while (next_opt(a, &o, &global, &letter)) {
		if (letter && takes_value(o))
			printf(" '%s -%c'", a ? a->name : "", letter);
		if (takes_value(o))
			printf(" '%s --%s'", a ? a->name : "", o->long_name);
	}
}

// What completes a value of this kind: options of complete(1).
static void fish_action(const char *kind)
{
	if (!strcmp(kind, "SERVICE"))
		fputs(" -a '(__zinit_services)'", stdout);
	else if (!strcmp(kind, "UNIT"))
		fputs(" -a '(__zinit_units)'", stdout);
	else if (!strcmp(kind, "COMMAND"))
		fputs(" -a '(__zinit_commands)'", stdout);
	else if (!strcmp(kind, "GROUP"))
		fputs(" -a '(__fish_complete_groups)'", stdout);
	else if (!strcmp(kind, "DIR"))
		fputs(" -a '(__fish_complete_directories)'", stdout);
	else if (is_file(kind))
		fputs(" -F", stdout);
	else if (!strcmp(kind, "SIGNAL"))
		fputs(" -a '(__zinit_signals)'", stdout);
	else
		for (const char *p = kind; strchr(kind, '|') && *p; p++)
			printf("%s%c%s", p == kind ? " -a '" : "", *p == '|' ? ' ' : *p, p[1] ? "" : "'");
}

static void fish_row(const struct applet *a)
{
	const struct opt *o = NULL;
	bool global = false;
	int letter, number = 1;
	const char *where = a ? "__zinit_at " : "not __zinit_words >/dev/null";
	while (next_opt(a, &o, &global, &letter)) {
		printf("complete -c zinit -n '%s%s' -l %s", where, a ? a->name : "", o->long_name);
		if (letter)
			printf(" -s %c", letter);
		printf(" -d '");
		print_quoted(o->help, "\\");
		putchar('\'');
		if (takes_value(o)) {
			fputs(is_file(o->arg) ? " -r" : " -x", stdout);
			fish_action(o->arg);
		}
		putchar('\n');
	}
	const char *args = a ? a->args : "COMMAND";
	for (struct arg arg; next_arg(a, &args, &arg); number++) {
		printf("complete -c zinit -n '%s%s", where, a ? a->name : "");
		if (a && !arg.many)
			printf(" %d", number);
		putchar('\'');
		fish_action(arg.kind);
		putchar('\n');
	}
}

static void fish(void)
{
	fputs(fish_head, stdout);
	printf("# Is the value of this option the next word? $argv: the command, the option.\n"
	       "function __zinit_takes_value\n    switch \"$argv\"\n        case");
	fish_values(NULL);
	for (size_t i = 0; applets[i]; i++)
		fish_values(applets[i]);
	putchar('\n');
	fputs(fish_body, stdout);
	printf("function __zinit_commands\n    printf '%%s\\t%%s\\n'");
	for (size_t i = 0; applets[i]; i++) {
		printf(" \\\n        %s '", applets[i]->name);
		print_quoted(applets[i]->help, "\\");
		putchar('\'');
	}
	printf("\nend\n\nfunction __zinit_signals\n    printf '%%s\\n' SIG{");
	print_signals(",");
	printf("}\n    printf '%%s\\n' ");
	print_signals(" ");
	printf("\nend\n\nfunction __zinit_units\n    set -l files " CONFIG_CONFIG_DIR "/*.{yaml,yml}\n"
	       "    string replace -r '.*/(.*)\\.ya?ml$' '$1' -- $files\nend\n\ncomplete -c zinit -f\n");
	fish_row(NULL);
	for (size_t i = 0; applets[i]; i++)
		fish_row(applets[i]);
	printf("complete -c zinitctl --wraps zinit\n");
	for (size_t i = 0; applets[i]; i++)
		printf("complete -c zinit-%s --wraps 'zinit %s'\n", applets[i]->name, applets[i]->name);
}

static int run(struct cli *cli)
{
	static const struct {
		const char *name;
		void (*print)(void);
	} shells[] = { { "bash", bash }, { "zsh", zsh }, { "fish", fish } };
	if (cli->argc != 1)
		return usage_error(cli, cli->argc ? "one shell only" : "the name of a shell is missing");
	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++)
		if (!strcmp(shells[i].name, cli->argv[0])) {
			shells[i].print();
			return finish_output();
		}
	return usage_error(cli, "no completion for '%s'", cli->argv[0]);
}
