// What is said about one file: the error that ends the load, and warnings.
#pragma once
#include <stddef.h>
#include "conf/unit.h"

struct notes {
	const char *label;
	struct err *err;
	unit_warn_fn *warn;
	void *ctx;
	unsigned nwarn;
};

// Returns -1 after *err = "label:line:column: text".
int notes_fail(struct notes *n, unsigned line, unsigned column, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
int notes_fail_memory(struct notes *n);
// Hands one warning to the caller. Beyond a fixed number of them only one more
// is given, which says so: a file must not flood the log.
void notes_warn(struct notes *n, unsigned line, unsigned column, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
// True while notes_warn() would still be heard: saves the work of a long search.
int notes_open(const struct notes *n);

// A value for a message: shortened, and without bytes that would spoil a log line.
#define NOTES_SHOWN 48
const char *notes_show(const char *text, size_t len, char shown[NOTES_SHOWN]);
