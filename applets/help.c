// What the tables say, for people: help, docs/cmd.md and manual pages (mdoc(7)).
#include "applet.h"
#include <stdio.h>
#include <string.h>

enum { OPT_MAN = OPT_FIRST_LONG, OPT_MARKDOWN, OPT_BASH, OPT_ZSH, OPT_FISH };

APPLET(help, "[COMMAND]", "what zinit can do, or one command's options") = {
	{ OPT_MAN, "man", NULL, "print the manual page, of zinit or of the command" },
	{ OPT_MARKDOWN, "markdown", NULL, "print docs/cmd.md" },
	{ OPT_BASH, "bash", NULL, "as `completion bash`" },
	{ OPT_ZSH, "zsh", NULL, "as `completion zsh`" },
	{ OPT_FISH, "fish", NULL, "as `completion fish`" },
	{ 0, NULL, NULL, NULL },
};
//config: help
//config:   About 3 KB: manual pages and docs/cmd.md; --help of a command stays.

// ---- docs/cmd.md ----

static void markdown_opts(const struct opt *o)
{
	for (; o->id; o++) {
		printf("| `");
		if (o->id < OPT_FIRST_LONG)
			printf("-%c`, `", o->id);
		printf("--%s%s%s` | %s |\n", o->long_name, o->arg && *o->arg != '[' ? " " : "", o->arg ? o->arg : "",
			o->help);
	}
}

static void markdown(void)
{
	printf("# Commands\n\nWritten by `zinit help --markdown`; a test compares it with the program.\n\n"
	       "`zinit [OPTIONS] [COMMAND]`. Options of the program are accepted before and after the command. "
	       "Exit status: 0 done, 1 an error (one line on stderr).\n\n| option | meaning |\n|---|---|\n");
	markdown_opts(global_opts);
	markdown_opts(program_opts);
	for (size_t i = 0; applets[i]; i++) {
		const struct applet *a = applets[i];
		printf("\n## %s%s%s\n\n%s\n", a->name, *a->args ? " " : "", a->args, a->help);
		if (a->opts[0].id)
			printf("\n| option | meaning |\n|---|---|\n");
		markdown_opts(a->opts);
	}
}

// ---- manual pages ----

// Text for a macro's argument in quotes, or for lines of text.
static void roff(const char *text)
{
	enum { WRAP = 60 };
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	for (size_t column = 0; *text; text++, column++) {
		if (*text == ' ' && column > WRAP && text[1] != '.' && text[1] != '\'') {
			putchar('\n');
			column = 0;
		} else if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else if (*text == '"')
			fputs("\\(dq", stdout);
		else
			putchar(*text);
	}
}

static void man_opt(const struct opt *o)
{
	printf(".It ");
	if (o->id < OPT_FIRST_LONG)
		printf("Fl %c , ", o->id);
	printf("Fl \\-");
	roff(o->long_name);
	if (o->arg && *o->arg == '[') // "[=N]"
		printf(" Ns Op = Ns Ar %.*s", (int)strcspn(o->arg + 2, "]"), o->arg + 2);
	else if (o->arg)
		printf(" Ar %s", o->arg);
	putchar('\n');
	roff(o->help);
	putchar('\n');
}

static void man_opts(const struct opt *first, const struct opt *second)
{
	if (!first->id && !second)
		return;
	printf(".Bl -tag -width Ds\n");
	for (const struct opt *o = first; o->id; o++)
		man_opt(o);
	for (const struct opt *o = second; o && o->id; o++)
		man_opt(o);
	printf(".El\n");
}

static void man_head(const char *name, const char *help)
{
	printf(".\\\" Written by `zinit help --man`.\n.Dd " ZINIT_DATE "\n.Dt ");
	for (const char *p = name; *p; p++)
		putchar(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
	printf(" 8\n.Os zinit " ZINIT_VERSION "\n.Sh NAME\n.Nm %s\n.Nd ", name);
	roff(help);
	printf("\n.Sh SYNOPSIS\n");
}

static void man_args(const struct applet *a)
{
	if (!*a->args)
		return;
	printf(" Ar \"");
	roff(a->args);
	putchar('"');
}

static void man_environment(void)
{
	printf(".Sh ENVIRONMENT\n.Bl -tag -width Ds\n.It Ev ZINIT_SOCKET\nthe socket, where\n.Fl \\-socket\n"
	       "does not name one\n.El\n");
}

static void man_status(void)
{
	printf(".Sh EXIT STATUS\n0 when it is done, 1 after an error, which is one line on standard error.\n");
}

static void man_of(const struct applet *a)
{
	char name[64];
	snprintf(name, sizeof(name), "zinit-%s", a->name);
	man_head(name, a->help);
	printf(".Nm zinit Cm %s\n.Op Ar OPTIONS\n", a->name);
	if (*a->args)
		printf(".Ar \"");
	roff(a->args);
	printf("%s.Sh OPTIONS\n", *a->args ? "\"\n" : "");
	man_opts(a->opts, global_opts);
	man_environment();
	man_status();
	printf(".Sh SEE ALSO\n.Xr zinit 8\n");
}

static void man_fields(void)
{
	static const struct {
		const char *key, *dflt, *help;
	} fields[] = {
#define FIELD(key, type, member, dflt, help) { key, dflt, help },
#include "conf/fields.def"
	};
	printf(".Sh SERVICE FILES\nA service is a YAML file\n.Pa " CONFIG_CONFIG_DIR "/NAME.yaml\nwith these keys:\n"
	       ".Bl -tag -width Ds\n");
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		printf(".It Ic %s Pq ", fields[i].key);
		roff(fields[i].dflt);
		putchar('\n');
		roff(fields[i].help);
		putchar('\n');
	}
	printf(".El\n");
}

static void man(void)
{
	man_head("zinit", "start the services of a machine or a container and keep them running");
	printf(".Nm\n.Op Ar OPTIONS\n.Op Ar COMMAND Op Ar ARGUMENTS\n.Sh DESCRIPTION\n.Nm Cm init\nstarts services in "
	       "the "
	       "order of their dependencies, starts them again when they end, and stops them in reverse order.\n"
	       "The other commands talk to it through its socket.\nWithout a command,\n.Cm list\nis meant.\n"
	       "Options are accepted before and after the command;\n.Fl \\-\nends them.\n");
	man_opts(global_opts, program_opts);
	printf(".Sh COMMANDS\n.Bl -tag -width Ds\n");
	for (size_t i = 0; applets[i]; i++) {
		printf(".It Cm %s", applets[i]->name);
		man_args(applets[i]);
		putchar('\n');
		roff(applets[i]->help);
		putchar('\n');
		man_opts(applets[i]->opts, NULL);
	}
	printf(".El\n");
	man_fields();
	man_environment();
	printf(".Sh FILES\n.Bl -tag -width Ds\n.It Pa " CONFIG_CONFIG_DIR "\nservice files\n.It Pa " CONFIG_SOCKET
	       "\nthe socket\n.It Pa /etc/environment\nvariables for services, over those of init\n.El\n");
	man_status();
}

// ---- the rest ----

static int complete(struct cli *cli, const char *shell)
{
	const struct applet *a = applet_find("completion");
	char *args[] = { (char *)shell, NULL };
	if (!a)
		return fail("the command 'completion' is not built in");
	cli->argc = 1;
	cli->argv = args;
	return a->run(cli);
}

static const char *shell_of(const struct cli *cli)
{
	return cli_flag(cli, OPT_BASH)   ? "bash"
	       : cli_flag(cli, OPT_ZSH)  ? "zsh"
	       : cli_flag(cli, OPT_FISH) ? "fish"
					 : NULL;
}

static int run(struct cli *cli)
{
	const struct applet *a = cli->argc ? applet_find(cli->argv[0]) : NULL;
	if (cli->argc > 1)
		return usage_error(cli, "unexpected argument '%s'", cli->argv[1]);
	if (cli->argc && !a)
		return unknown_command(cli->argv[0]);
	if (shell_of(cli))
		return complete(cli, shell_of(cli));
	if (cli_flag(cli, OPT_MARKDOWN))
		markdown();
	else if (cli_flag(cli, OPT_MAN) && a)
		man_of(a);
	else if (cli_flag(cli, OPT_MAN))
		man();
	else if (a)
		print_help(a);
	else
		print_overview();
	return finish_output();
}
