// A reader of standard Kconfig: what the sources of `conf`, a host tool, share.
//
//   kconfig_parse.c  files -> entries and symbols
//   kconfig_check.c  what can be wrong only once everything is read
//   kconfig_value.c  symbols and the user's answers -> values
//   dotconfig.c      .config, defconfig, C header and make fragment
//   conf.c           the command line and what each mode does with the rest
//
// There are no modules, so every bool is y or n. Memory is taken and never given
// back: the program reads a few small files and ends.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct where {
	const char *file;
	int line;
};

// TYPE_NONE: a literal, or a name that no entry defines; its text is its name.
enum type { TYPE_NONE, TYPE_BOOL, TYPE_INT, TYPE_STRING };
enum op { OP_SYM, OP_NOT, OP_AND, OP_OR, OP_EQUAL, OP_UNEQUAL };
enum node_kind { NODE_ENTRY, NODE_MENU, NODE_COMMENT, NODE_IF, NODE_CHOICE };
enum prop_kind { PROP_PROMPT, PROP_DEFAULT, PROP_SELECT, PROP_RANGE };
enum state { STATE_UNKNOWN, STATE_BUSY, STATE_DONE };

// A missing expression (NULL) is always true.
struct expr {
	enum op op;
	int depth;
	struct sym *sym, *right_sym; // OP_SYM has one, a comparison both
	struct expr *left, *right;
};

// One line of an entry; it counts where its entry's dependencies and `cond` hold.
struct prop {
	struct prop *next;
	enum prop_kind kind;
	struct where at;
	struct node *node;
	struct expr *cond;
	struct expr *value; // PROP_DEFAULT
	struct sym *sym, *high; // PROP_SELECT: its target; PROP_RANGE: the bounds
	struct prop *next_select; // of the same target
	bool on, value_on; // computed
};

struct sym {
	struct sym *next;
	const char *name;
	enum type type;
	bool is_literal;
	struct where at; // its first entry
	struct where used; // where it must be defined; as_bool: and a bool
	bool used_as_bool;
	struct node *nodes; // its entries, in the order of the files
	struct prop *props;
	struct prop *selects; // the select lines that name it
	struct choice *choice; // the choice that it is a value of
	struct sym *next_member;

	bool has_user, user_on; // the user's answer
	const char *user_text;

	enum state state; // computed, with all that follows
	struct sym *asked_by;
	bool visible, written, forced, deps_met, on;
	const char *text;
};

// `on` is an unnamed bool: is the choice visible? `pick` stands for the decision
// between the values, which needs `on` and so cannot be the same symbol.
struct choice {
	struct choice *next;
	struct sym on, pick;
	struct sym *members;
	struct sym *user; // the user's answer
	struct sym *chosen; // computed
};

struct node {
	struct node *next, *parent, *next_of_sym;
	enum node_kind kind;
	struct where at;
	struct expr *dep; // with all that it inherits
	const char *text; // of a menu or comment
	struct sym *sym;
	struct choice *choice;
};

struct kconfig {
	const char *title;
	struct node *nodes;
	struct sym *syms;
	struct choice *choices;
	struct sym *current; // being computed
	int depth;
};

// conf.c: memory or exit, "file:line: text" and exit, the same as a warning, and
// the bytes of a file with a NUL behind them, or NULL with errno.
void *xzalloc(size_t size);
char *xprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void die_at(struct where at, const char *fmt, ...) __attribute__((format(printf, 2, 3), noreturn));
void warn_at(struct where at, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *read_file(const char *path, size_t *len);

void kconfig_parse(struct kconfig *k, const char *path);
struct sym *kconfig_find(const struct kconfig *k, const char *name);

// Notes a use for the check: types are known only when everything is read.
void note_use(struct sym *s, struct where at, bool as_bool);
void note_condition(const struct expr *e, struct where at);
void kconfig_check(struct kconfig *k);
// As Kconfig writes integers: no blanks, no needless zeros; it fits a long long.
bool is_int(const char *text);

// Computes one symbol or all; a dependency cycle, or an int without a value, exits.
void kconfig_calc(struct kconfig *k, struct sym *s);
void kconfig_calc_all(struct kconfig *k);
// Forgets what was computed; to be called after a change of the user's answers.
void kconfig_forget(struct kconfig *k);
bool kconfig_eval(struct kconfig *k, const struct expr *e);
// Of a computed symbol: its value, and what that would be without an answer.
const char *sym_text(const struct sym *s);
const char *sym_default_text(const struct sym *s);
struct sym *choice_default(const struct choice *c);
// Does the answer fit the range in force? *low and *high are set where there is one.
bool sym_in_range(const struct sym *s, const char *text, long long *low, long long *high);

// 0, or -1 with errno where the file cannot be read. Bad lines are warned about and skipped.
int config_read(struct kconfig *k, const char *path);
void config_write(struct kconfig *k, FILE *out);
void defconfig_write(struct kconfig *k, FILE *out);
void header_write(struct kconfig *k, FILE *out);
void mk_write(struct kconfig *k, FILE *out);
