#include "conf/notes.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/err.h"

enum { WARNINGS_MAX = 32, FINDINGS_MAX = 1000 };

int notes_fail(struct notes *n, unsigned line, unsigned column, const char *fmt, ...)
{
	char text[sizeof(n->err->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n->say)
		n->say(n->ctx, true, line, column, text);
	if (n->nfail++)
		return -1;
	return err_set(n->err, ERR_CONFIG, "%s:%u:%u: %s", n->label, line, column, text);
}

int notes_fail_memory(struct notes *n)
{
	return err_set(n->err, ERR_INTERNAL, "%s: out of memory", n->label);
}

bool notes_go_on(const struct notes *n)
{
	return n->say && n->err->code != ERR_INTERNAL;
}

int notes_open(const struct notes *n)
{
	return n->say ? n->nwarn <= FINDINGS_MAX : n->warn && n->nwarn <= WARNINGS_MAX;
}

static void tell(struct notes *n, bool is_error, unsigned line, unsigned column, const char *text)
{
	if (n->say)
		n->say(n->ctx, is_error, line, column, text);
	else
		n->warn(n->ctx, line, column, text);
}

static void warn(struct notes *n, bool is_error, unsigned line, unsigned column, const char *fmt, va_list ap)
{
	char text[256];

	if (!notes_open(n))
		return;
	if (n->nwarn++ == (n->say ? FINDINGS_MAX : WARNINGS_MAX)) {
		tell(n, false, line, column, "more warnings from here on are not shown");
		return;
	}
	vsnprintf(text, sizeof(text), fmt, ap);
	tell(n, is_error, line, column, text);
}

void notes_warn(struct notes *n, unsigned line, unsigned column, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	warn(n, false, line, column, fmt, ap);
	va_end(ap);
}

void notes_lost(struct notes *n, unsigned line, unsigned column, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	warn(n, true, line, column, fmt, ap);
	va_end(ap);
}

// Cuts before a byte that continues a character, so that what is shown stays UTF-8.
const char *notes_show(const char *text, size_t len, char shown[NOTES_SHOWN])
{
	static const char dots[] = "...";
	size_t n = len < NOTES_SHOWN ? len : NOTES_SHOWN - sizeof(dots);

	while (n < len && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	for (size_t i = 0; i < n; i++)
		shown[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i];
	snprintf(shown + n, NOTES_SHOWN - n, "%s", n < len ? dots : "");
	return shown;
}
