#include "base/err.h"
#include <stdarg.h>
#include <stdio.h>

static const struct err_info infos[] = {
	[ERR_NONE] = { 0, "", ERR_KIND_FULL, 0, "" },
#define ERR(sym, code, name, kind, retryable, hint) [ERR_##sym] = { code, name, ERR_KIND_##kind, retryable, hint },
#include "base/errors.def"
#undef ERR
};

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	if (!err)
		return -1;
	err->code = code;
	err->cause[0] = '\0';
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return -1;
}

const struct err_info *err_info(enum err_code code)
{
	return &infos[code];
}
