#include "base/buf.h"
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_release(struct buf *b)
{
	free(b->data);
	b->data = NULL;
	b->len = b->cap = 0;
	b->failed = false;
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
}

static int buf_fail(struct buf *b)
{
	b->failed = true;
	errno = ENOMEM;
	return -1;
}

int buf_reserve(struct buf *b, size_t n)
{
	if (b->failed || n > SIZE_MAX / 2 - b->len || (b->max && b->len + n > b->max))
		return buf_fail(b);
	if (b->len + n <= b->cap)
		return 0;
	size_t cap = b->cap ? b->cap : 256;
	while (cap < b->len + n)
		cap *= 2;
	if (b->max && cap > b->max)
		cap = b->max;
	char *data = realloc(b->data, cap);
	if (!data)
		return buf_fail(b);
	b->data = data;
	b->cap = cap;
	return 0;
}

// Most adds find room: that is looked at first.
static bool has_room(const struct buf *b, size_t n)
{
	return n <= b->cap - b->len && !b->failed;
}

int buf_add(struct buf *b, const void *bytes, size_t n)
{
	if (!has_room(b, n) && buf_reserve(b, n) < 0)
		return -1;
	if (n)
		memcpy(b->data + b->len, bytes, n);
	b->len += n;
	return 0;
}

int buf_add_str(struct buf *b, const char *text)
{
	return buf_add(b, text, strlen(text));
}

int buf_add_char(struct buf *b, char c)
{
	if (!has_room(b, 1) && buf_reserve(b, 1) < 0)
		return -1;
	b->data[b->len++] = c;
	return 0;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || buf_reserve(b, (size_t)n + 1) < 0)
		return buf_fail(b);
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
	return 0;
}

int buf_add_u64(struct buf *b, unsigned long long n)
{
	char digits[24];
	char *p = digits + sizeof(digits);
	do
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	return buf_add(b, p, (size_t)(digits + sizeof(digits) - p));
}

void buf_consume(struct buf *b, size_t n)
{
	b->len -= n;
	if (b->len)
		memmove(b->data, b->data + n, b->len);
}

char *buf_text(struct buf *b)
{
	if (buf_reserve(b, 1) < 0)
		return NULL;
	b->data[b->len] = '\0';
	return b->data;
}
