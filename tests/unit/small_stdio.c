// The small printf and scanf of static builds beside those of this machine's C library.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

// The source itself, under other names.
#define vsnprintf small_vsnprintf
#define vfprintf small_vfprintf
#define vsscanf small_vsscanf
int small_vsnprintf(char *s, size_t maxlen, const char *format, va_list arg);
int small_vfprintf(FILE *s, const char *format, va_list arg);
int small_vsscanf(const char *s, const char *format, va_list arg);
#include "../../lib/base/small_stdio.c"
#undef vsnprintf
#undef vfprintf
#undef vsscanf

// Both write to the same size of buffer, between marks.
static void same(size_t size, const char *fmt, ...)
{
	char theirs[300], ours[300];
	va_list ap, again;
	memset(theirs, '#', sizeof(theirs));
	memset(ours, '#', sizeof(ours));
	va_start(ap, fmt);
	va_copy(again, ap);
	int expected = vsnprintf(size ? theirs + 1 : NULL, size, fmt, ap);
	int got = small_vsnprintf(size ? ours + 1 : NULL, size, fmt, again);
	va_end(again);
	va_end(ap);
	if (expected != got || memcmp(theirs, ours, sizeof(ours)) != 0)
		fail_msg("'%s' of %zu bytes: '%.*s' (%d), expected '%.*s' (%d)", fmt, size, 290, ours + 1, got, 290,
			theirs + 1, expected);
}

static char *random_spec(char *p)
{
	for (int n = rand() % 4; n; n--)
		*p++ = "-0+ #"[rand() % 5];
	if (rand() % 2)
		p += snprintf(p, 16, "%d", rand() % 30);
	if (rand() % 3 == 0)
		p += snprintf(p, 16, ".%d", rand() % 30);
	return p;
}

static void integers(void **state)
{
	static const char *const sizes[] = { "", "hh", "h", "l", "ll", "z", "j", "t" };
	static const long long values[] = { 0, 1, -1, 8, 255, -128, 65535, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN };
	(void)state;
	for (int i = 0; i < 200000; i++) {
		char fmt[64] = "a%";
		const char *size = sizes[rand() % 8];
		long long v = values[rand() % 11] ^ (rand() % 3 ? 0 : rand());
		char *p = random_spec(fmt + 2);
		snprintf(p, 16, "%s%c%%%%", size, "diuxXo"[rand() % 6]);
		size_t room = rand() % 4 ? 200 : (size_t)(rand() % 12);
		if (!*size || *size == 'h')
			same(room, fmt, (int)v);
		else if (!strcmp(size, "l"))
			same(room, fmt, (long)v);
		else
			same(room, fmt, v);
	}
}

static void texts(void **state)
{
	static const char *const values[] = { "", "a", "service", "a longer text than most" };
	(void)state;
	for (int i = 0; i < 50000; i++) {
		char fmt[64] = "%";
		char *p = fmt + 1;
		*p = '-';
		p += rand() % 2;
		p += snprintf(p, 16, "%d", 1 + rand() % 30);
		if (rand() % 2)
			p += snprintf(p, 16, ".%d", rand() % 10);
		memcpy(p, "s|%c", 5);
		same(rand() % 4 ? 200 : (size_t)(rand() % 12), fmt, values[rand() % 4], 'x');
	}
	same(100, "%*d|%-*s|%.*s|%.*s", -8, 5, 6, "ab", 2, "abcdef", -1, "abc");
	same(100, "%s %c%% %p %zu %5c|%-5c|", "x", 'y', (void *)&state, (size_t)7, 'l', 'r');
	same(3, "%s", "exact");
	same(0, "%s %d", "counts", 12);
}

static void files(void **state)
{
	char *text;
	size_t len;
	(void)state;
	FILE *f = open_memstream(&text, &len);
	assert_non_null(f);
	va_list none;
	memset(&none, 0, sizeof(none));
	assert_int_equal(small_vfprintf(f, "plain %% text", none), 12);
	fclose(f);
	assert_string_equal(text, "plain % text");
	free(text);
}

struct scanned {
	char c, a[48], b[48];
	int d[3];
	unsigned u;
	unsigned long lu;
	unsigned long long llu;
};

static int scan(int (*f)(const char *, const char *, va_list), const char *in, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = f(in, fmt, ap);
	va_end(ap);
	return n;
}

static void same_scan(const char *in)
{
	for (int form = 0; form < 7; form++) {
		struct scanned r[2];
		int n[2];
		memset(r, 0, sizeof(r));
		for (int k = 0; k < 2; k++) {
			int (*f)(const char *, const char *, va_list) = k ? small_vsscanf : vsscanf;
			struct scanned *s = &r[k];
			n[k] = form == 0   ? scan(f, in, " %c %d %d %d", &s->c, &s->d[0], &s->d[1], &s->d[2])
			       : form == 1 ? scan(f, in, "%*s %*s %*s %47s %47s", s->a, s->b)
			       : form == 2 ? scan(f, in, " %*d: %47s %*s %d %lu", s->a, &s->d[0], &s->lu)
			       : form == 3 ? scan(f, in, "%3d%u%hhd", &s->d[0], &s->u, &s->c)
			       : form == 4 ? scan(f, in, "%llu%c", &s->llu, &s->c)
			       : form == 5 ? scan(f, in, "a b%5s%d", s->a, &s->d[0])
					   : scan(f, in, "%d.%d.%d", &s->d[0], &s->d[1], &s->d[2]);
		}
		if (n[0] != n[1] || memcmp(&r[0], &r[1], sizeof(r[0])) != 0)
			fail_msg("form %d of '%s': %d, expected %d", form, in, n[1], n[0]);
	}
}

static void scans(void **state)
{
	static const char *const inputs[] = { "", " ", "S 1 2 3", ") R -1 +22 333 4", "1", "a b c d e",
		"36 25 0:31 / /sys rw", "  12: 0100007F:1F90 x 5 99", "12345678", "ff 7", "a  bcdefgh 5", "a b12345 6",
		"1.2.3", "1.2.x", "-5.", "99999999999 x", "ab", "%", "a", "- 1" };
	static const char letters[] = "a b:1.2-+xf 0%";
	(void)state;
	for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++)
		same_scan(inputs[i]);
	for (int i = 0; i < 100000; i++) {
		char in[16];
		int n = rand() % 15;
		for (int k = 0; k < n; k++)
			in[k] = letters[rand() % (int)(sizeof(letters) - 1)];
		in[n] = '\0';
		same_scan(in);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers),
		cmocka_unit_test(texts),
		cmocka_unit_test(files),
		cmocka_unit_test(scans),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
