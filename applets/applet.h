// What an applet is, and what it is given. One file in this folder = one command.
//
//   APPLET(kill, "SERVICE [SIGNAL]", "send a signal to a running service") = {
//           { 'g', "group", NULL, "signal the whole process group" },
//           { 0 }
//   };
//   //config: depends on CLIENT
//   static int run(struct cli *cli) { ... }
//
// gen.awk makes the table of applets, their Kconfig symbols and the list of
// objects from these lines: nothing else is edited for a new command.
#pragma once
#include <stdbool.h>
#include <stddef.h>

// A row of options. `id` is the short name, or a number from 256 on where there
// is none. The parser, --help, the manual and the completions read these rows.
struct opt {
	int id;
	const char *long_name;
	const char *arg; // name of its value; NULL: a flag; "[=N]": only with the long name and '='
	const char *help;
};

enum { OPT_FIRST_LONG = 256, OPT_MAX = 24 };

struct applet;

// The command line, read.
struct cli {
	const struct applet *applet;
	const char *socket; // NULL: the default
	const char *token_file, *tls_ca; // for a socket on another machine
	bool debug;
	bool lenient; // PID 1: nothing on the command line is an error
	int argc; // what is left after the options
	char **argv;
	struct {
		int id;
		const char *value;
	} opts[OPT_MAX];
	size_t nopts;
};

struct applet {
	const char *name;
	const char *args; // "SERVICE [SIGNAL]"
	const char *help;
	const struct opt *opts; // ends with id 0
	int (*run)(struct cli *cli); // the exit status
};

#define APPLET(applet_name, applet_args, applet_help)                                                                  \
	static int run(struct cli *cli);                                                                               \
	extern const struct opt applet_name##_opts[];                                                                  \
	const struct applet applet_##applet_name = { #applet_name, applet_args, applet_help, applet_name##_opts, run };\
	const struct opt applet_name##_opts[]

extern const struct applet *const applets[]; // by name, NULL at the end
extern const struct opt global_opts[]; // of the program and every command
extern const struct opt program_opts[]; // without a command only
#define ZINIT_VERSION "0.3.0"
#define ZINIT_DATE "November 25, 2026" // of the manual

const struct applet *applet_find(const char *name);
// The closest name of a list, if one is close enough to be meant; else NULL.
const char *nearest(const char *word, const char *const *names, size_t n);

bool cli_flag(const struct cli *cli, int id);
const char *cli_value(const struct cli *cli, int id); // NULL: not given
// Whole number of an option; -1 with a message on stderr when it is none.
int cli_number(const struct cli *cli, int id, unsigned long long dflt, unsigned long long *out);

// "zinit: ..." on stderr; returns 1, the exit status of every error.
int fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
// As fail(), with the usage of the applet behind it.
int usage_error(const struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// As fail(): there is no such command, but perhaps one of a similar name.
int unknown_command(const char *word);
// Everything printed must reach its reader: 0, or 1 with a message.
int finish_output(void);
void print_help(const struct applet *a);
void print_overview(void);
