// One service as its file describes it. Plain data: nothing here knows of
// processes. Reference: docs/services.md, printed from fields.def.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct stat;

enum unit_log { UNIT_LOG_RING, UNIT_LOG_NONE, UNIT_LOG_STDOUT };
enum unit_kill { UNIT_KILL_ATTACHED, UNIT_KILL_TREE };

// A place in the file, both from 1.
struct unit_place {
	unsigned line, column;
};

// A command line: the text of the file and what the shell rules make of it.
struct unit_command {
	char *text; // NULL = key not set
	char **argv; // NULL-terminated, argc >= 1; NULL when the text makes no command
	size_t argc;
	char *broken; // why it makes none (an open quote with its position; only a comment); else NULL
	struct unit_place place;
};

struct unit_var {
	char *name;
	char *value;
};

struct unit {
	struct unit_command exec; // text is never NULL after a load
	struct unit_command test;
	bool oneshot;
	bool essential;
	enum unit_log log;
	enum unit_kill kill;
	int stop_signal; // number, SIGTERM when not set
	uint64_t shutdown_timeout; // seconds, never 0 after a load
	char *dir; // NULL = "/"
	struct unit_place dir_place;
	char **after; // as written, without duplicates
	struct unit_place *after_places;
	size_t nafter;
	struct unit_var *env; // in the order of the file, names unique
	size_t nenv;

	void *blocks; // owns all of the above; see unit_release()
};

// Where a warning about a file goes. line and column count from 1.
typedef void unit_warn_fn(void *ctx, unsigned line, unsigned column, const char *text);

// Reads YAML bytes into *u (overwritten). 0, or -1 with *err = {ERR_CONFIG,
// "file:line:column: key: what, and what was expected"}, or {ERR_INTERNAL} when
// there is no memory; then *u is empty. `label` names the file in messages.
// warn may be NULL.
int unit_parse(const char *bytes, size_t len, const char *label, struct unit *u, unit_warn_fn *warn, void *ctx,
	struct err *err);
// Opens dirfd/file (never blocks: no FIFO, no device), reads at most
// UNIT_FILE_MAX bytes and parses them. Same returns as unit_parse().
int unit_load(int dirfd, const char *file, struct unit *u, unit_warn_fn *warn, void *ctx, struct err *err);
// The first half of unit_load(): the file's bytes, to be freed. A file that is
// longer than UNIT_FILE_MAX comes as one byte more. 0, or -1 with *err.
int unit_read(int dirfd, const char *file, char **bytes, size_t *len, struct err *err);
void unit_release(struct unit *u);

// What is found in a file. An error: it is refused, or a part of it has no
// effect. Else it works, but is not how it should be written. line 0: the file
// as a whole.
typedef void unit_finding_fn(void *ctx, bool is_error, unsigned line, unsigned column, const char *text);
// As unit_load(), but tells everything that it finds, not only the first error.
// 0, or -1 for a file that unit_load() refuses, or without memory. *u then holds
// what could be read; unit_release() either way.
int unit_check(int dirfd, const char *file, struct unit *u, unit_finding_fn *say, void *ctx);

#define UNIT_FILE_MAX (1024 * 1024)
#define UNIT_NAME_MAX 128
#define UNIT_FILE_NAME_MAX (UNIT_NAME_MAX + 8)

// NULL if `name` may name a service (1-128 bytes, UTF-8, no '/', '\', control
// byte or leading '.'), else a constant sentence that says why not.
const char *unit_name_problem(const char *name, size_t len);
// Looks for NAME.yaml, then for NAME.yml. true: *file is its name and *st what
// fstatat(2) with these flags says of it, zeroed where it cannot be looked at.
bool unit_find(int dirfd, const char *name, int flags, char file[UNIT_FILE_NAME_MAX], struct stat *st);
// The service name of a file name ending in .yaml or .yml: its length, or 0
// when the file is no service file. Does not check the name itself.
size_t unit_name_of_file(const char *file);
