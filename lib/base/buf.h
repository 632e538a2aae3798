// A growable byte buffer that cannot end the program.
//
// Invariant: data[0..len) are the bytes; cap is what is allocated; len <= cap <= max.
// A failed allocation or a size beyond `max` sets `failed` and drops the bytes
// being added; every later add is refused too, so a chain of adds is checked
// once, at its end. Not NUL-terminated unless buf_text() was called.
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data;
	size_t len;
	size_t cap;
	size_t max; // 0 = no limit
	bool failed;
};

#define BUF_INIT ((struct buf){ 0 })

// Frees the bytes; the buffer is empty and usable again, `max` stays.
void buf_release(struct buf *b);
// Forgets the bytes and the failure, keeps the memory.
void buf_clear(struct buf *b);
// Makes room for n more bytes. 0, or -1 with errno ENOMEM (also over max).
int buf_reserve(struct buf *b, size_t n);
int buf_add(struct buf *b, const void *bytes, size_t n);
int buf_add_str(struct buf *b, const char *text);
int buf_add_char(struct buf *b, char c);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// Decimal digits of n; the fast path for numbers in replies.
int buf_add_u64(struct buf *b, unsigned long long n);
// Removes the first n bytes (n <= len).
void buf_consume(struct buf *b, size_t n);
// The bytes with a NUL behind them (not counted in len), or NULL after a failure.
char *buf_text(struct buf *b);
