// One failure, carried upward without an allocation.
//
// Used from L3 up and by the parsers: the code says which kind (errors.def, it
// maps 1:1 to a JSON-RPC error), the text says what, where and what was expected.
#pragma once
#include <errno.h>
#include <stdbool.h>

enum err_code {
	ERR_NONE,
#define ERR(sym, code, name, kind, retryable, hint) ERR_##sym,
#include "base/errors.def"
#undef ERR
};

struct err {
	enum err_code code;
	char text[320];
	char cause[384]; // what lies behind it, or ""; err_set() clears it
};

enum err_kind { ERR_KIND_FULL, ERR_KIND_SHORT };

struct err_info {
	int rpc_code;
	const char *name;
	enum err_kind kind;
	int retryable;
	const char *hint; // NULL: none
};

// Fills *err (may be NULL); returns -1 so that `return err_set(...)` reads well.
int err_set(struct err *err, enum err_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
const struct err_info *err_info(enum err_code code);

// Does this errno say that the machine lacks something for the moment, rather
// than anything about what was asked for?
static inline bool err_is_shortage(int errnum)
{
	return errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM || errnum == ENOBUFS || errnum == EAGAIN;
}
