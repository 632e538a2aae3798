#include "applet.h"
#include <stdio.h>

enum { OPT_MARKDOWN = OPT_FIRST_LONG };

APPLET(help, "[COMMAND]", "what zinit can do, or one command's options") = {
	{ OPT_MARKDOWN, "markdown", NULL, "print docs/cmd.md" },
	{ 0, NULL, NULL, NULL },
};

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
	for (size_t i = 0; applets[i]; i++) {
		const struct applet *a = applets[i];
		printf("\n## %s%s%s\n\n%s\n", a->name, *a->args ? " " : "", a->args, a->help);
		if (a->opts[0].id)
			printf("\n| option | meaning |\n|---|---|\n");
		markdown_opts(a->opts);
	}
}

static int run(struct cli *cli)
{
	if (cli_flag(cli, OPT_MARKDOWN)) {
		markdown();
	} else if (!cli->argc) {
		print_overview();
	} else {
		const struct applet *a = applet_find(cli->argv[0]);
		if (!a)
			return fail("no such command: '%s'; 'zinit --help' lists them", cli->argv[0]);
		print_help(a);
	}
	return finish_output();
}
