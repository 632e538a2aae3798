// What is said about one file: errors and warnings.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "conf/unit.h"

struct notes {
	const char *label;
	struct err *err; // the first error
	unit_warn_fn *warn;
	unit_finding_fn *say; // not NULL: is told everything, and an error does not end the load
	void *ctx; // of warn or say
	unsigned nwarn;
	unsigned nfail;
};

// Returns -1 after *err = "label:line:column: text".
int notes_fail(struct notes *n, unsigned line, unsigned column, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
int notes_fail_memory(struct notes *n);
// After a -1: go on with what follows in the file? Only where all is told.
bool notes_go_on(const struct notes *n);
// Hands one warning to the caller. Beyond a fixed number of them only one more
// is given, which says so: a file must not flood the log.
void notes_warn(struct notes *n, unsigned line, unsigned column, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
// As notes_warn(), for what loads but has no effect: an error where all is told.
void notes_lost(struct notes *n, unsigned line, unsigned column, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
// True while notes_warn() would still be heard: saves the work of a long search.
int notes_open(const struct notes *n);

// A value for a message: shortened, and without bytes that would spoil a log line.
#define NOTES_SHOWN 48
const char *notes_show(const char *text, size_t len, char shown[NOTES_SHOWN]);
