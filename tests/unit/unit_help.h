// What the tests of service files share: parse a text, expect an outcome.
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "conf/unit.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif
#ifndef HAS_ASAN
#define HAS_ASAN 0
#endif

static struct buf warnings;
static struct err last;

static inline void take_warning(void *ctx, unsigned line, unsigned column, const char *text)
{
	struct buf *b = ctx;

	buf_printf(b, "%u:%u: %s\n", line, column, text);
}

// A copy of text that ends where the next page may not be touched.
static inline char *guarded(const char *text, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t room = (len + page - 1) / page * page;
	char *pages = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(pages != MAP_FAILED);
	assert_int_equal(mprotect(pages + room, page, PROT_NONE), 0);
	if (len)
		memcpy(pages + room - len, text, len);
	return pages + room - len;
}

static inline void guarded_free(char *text, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t room = (len + page - 1) / page * page;

	munmap(text + len - room, room + page);
}

static inline int parse_bytes(const char *text, size_t len, struct unit *u)
{
	char *copy = guarded(text, len);
	int rc;

	buf_clear(&warnings);
	last = (struct err){ .code = ERR_NONE };
	rc = unit_parse(copy, len, "f", u, take_warning, &warnings, &last);
	guarded_free(copy, len);
	return rc;
}

static inline struct unit good(const char *text)
{
	struct unit u;

	if (parse_bytes(text, strlen(text), &u) < 0)
		fail_msg("%s", last.text);
	return u;
}

static inline const char *warned(void)
{
	return warnings.len ? buf_text(&warnings) : "";
}

static inline void is_refused(const char *text, size_t len, const char *expected)
{
	struct unit u;

	if (parse_bytes(text, len, &u) == 0)
		fail_msg("accepted, expected: %s", expected);
	assert_int_equal(last.code, ERR_CONFIG);
	assert_string_equal(last.text, expected);
	assert_null(u.blocks);
	assert_null(u.exec.text);
}

struct refusal {
	const char *text;
	const char *error;
};

static inline void check_refusals(const struct refusal *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		is_refused(rows[i].text, strlen(rows[i].text), rows[i].error);
}

#define CHECK_REFUSALS(rows) check_refusals(rows, sizeof(rows) / sizeof(rows[0]))

static inline char *repeat(const char *head, const char *piece, size_t n, const char *tail)
{
	struct buf b = BUF_INIT;

	buf_add_str(&b, head);
	for (size_t i = 0; i < n; i++)
		buf_add_str(&b, piece);
	buf_add_str(&b, tail);
	assert_non_null(buf_text(&b));
	return b.data;
}

static inline double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
