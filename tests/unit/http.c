// Heads, chunked bodies, WebSocket frames, digests. Every text is also fed at
// every split point and byte by byte, and ends at a guard page.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "http/digest.h"
#include "http/parse.h"
#include "http/ws.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

// The bytes at the end of a page behind which nothing can be read.
static char *at_guard(const void *text, size_t len)
{
	static char *page;
	size_t size = 64 * 1024, one = (size_t)sysconf(_SC_PAGESIZE);
	if (!page) {
		page = mmap(NULL, size + one, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(page, MAP_FAILED);
		assert_int_equal(mprotect(page + size, one, PROT_NONE), 0);
	}
	assert_true(len <= size);
	char *p = page + size - len;
	if (len)
		memcpy(p, text, len);
	return p;
}

// ---- heads ----

// The answer when `first` bytes come first, then the rest; the status if refused.
static int head_in_two(const char *text, size_t len, size_t first, struct http_head *h)
{
	*h = (struct http_head){ 0 };
	int rc = http_head_parse(h, at_guard(text, first), first);
	if (!rc)
		rc = http_head_parse(h, at_guard(text, len), len);
	return rc < 0 ? -h->status : rc;
}

static int head_by_bytes(const char *text, size_t len, struct http_head *h)
{
	*h = (struct http_head){ 0 };
	for (size_t n = 1; n <= len; n++) {
		int rc = http_head_parse(h, at_guard(text, n), n);
		if (rc)
			return rc < 0 ? -h->status : rc;
	}
	return 0;
}

static int head_of(const char *text, size_t len, struct http_head *h)
{
	struct http_head other;
	int rc = head_in_two(text, len, len, h);
	for (size_t first = 0; first < len; first++)
		if (head_in_two(text, len, first, &other) != rc)
			fail_msg(
				"split at %zu: %d, not %d: %s", first, head_in_two(text, len, first, &other), rc, text);
	if (head_by_bytes(text, len, &other) != rc)
		fail_msg("byte by byte: %d, not %d: %s", head_by_bytes(text, len, &other), rc, text);
	return rc;
}

static const struct {
	const char *text;
	int status; // 0: good
} heads[] = {
	{ "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0 },
	{ "\r\n\r\nPOST /x?y HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 010\r\n\r\n", 0 },
	{ "POST http://a/ HTTP/1.1\r\nHost:\ta.b:8080 \t\r\nTransfer-Encoding: CHUNKED\r\nX: \xe9\r\n\r\n", 0 },
	{ "OPTIONS * HTTP/1.0\r\n\r\n", 0 },
	{ "GET / HTTP/1.1\r\nHost:\r\nX:\r\n\r\n", 0 },
	{ "M-!#$%&'*+.^_`|~ / HTTP/1.1\r\nhost: a\r\n\r\n", 0 },
	// request line
	{ "GET /\r\n\r\n", 400 },
	{ "HELLO\r\n\r\n", 400 },
	{ "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400 },
	{ "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ " GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505 },
	{ "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505 },
	{ "GET / HTTP/0.9\r\nHost: a\r\n\r\n", 400 },
	{ "GET / http/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400 },
	{ "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400 },
	{ "\x16\x03\x01", 400 },
	// line ends and bytes
	{ "GET / HTTP/1.1\nHost: a\n\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\n\r\n", 400 },
	{ "GET / HTTP/1.1\rHost: a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n", 400 },
	// fields
	{ "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nfoo\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n X: a\r\nHost: a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nX\xe9: a\r\n\r\n", 400 },
	// Host
	{ "GET / HTTP/1.1\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: []\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\nOrigin: b\r\nOrigin: b\r\n\r\n", 400 },
	// Content-Length
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1_0\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5 5\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400 },
	// Transfer-Encoding
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ,chunked\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501 },
	{ "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", 501 },
	{ "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
};

static void requests_are_taken_or_refused(void **state)
{
	(void)state;
	struct http_head h;
	for (size_t i = 0; i < COUNT(heads); i++) {
		int rc = head_of(heads[i].text, strlen(heads[i].text), &h);
		if (heads[i].status ? rc != -heads[i].status : rc != (int)strlen(heads[i].text))
			fail_msg("%d, not %d: %s", rc, heads[i].status, heads[i].text);
	}
}

static void bytes_behind_the_head_are_left(void **state)
{
	(void)state;
	static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\n\0";
	struct http_head h = { 0 };
	assert_int_equal(http_head_parse(&h, at_guard(text, sizeof(text)), sizeof(text)), 27);
}

static void a_head_is_read(void **state)
{
	(void)state;
	static const char t[] =
		"PUT /p HTTP/1.1\r\nHOST: h:1\r\nOrigin: o\r\nContent-Type: a/b\r\nCONTENT-TYPE: c\r\n"
		"Connection: keep-alive , Upgrade\r\nUpgrade: h2c, WebSocket\r\nExpect: 100-Continue\r\n"
		"Authorization: Bearer x\r\nContent-Length: 00070\r\n\r\n";
	struct http_head h;
	assert_int_equal(head_of(t, sizeof(t) - 1, &h), sizeof(t) - 1);
	assert_true(http_method_is(&h, t, "PUT") && !http_method_is(&h, t, "put") && http_span_is(t, h.target, "/p"));
	assert_true(http_span_is(t, h.host, "h:1") && http_span_is(t, h.origin, "o"));
	assert_true(http_span_is(t, h.content_type, "a/b") && http_span_is(t, h.authorization, "bearer x"));
	assert_true(h.connection_upgrade && h.websocket && h.expect_continue && h.keep_alive && !h.close);
	assert_true(h.has_length && h.length == 70 && !h.chunked && http_keeps(&h));
}

static size_t repeat(char *out, const char *text, size_t times)
{
	size_t n = strlen(text);
	for (size_t i = 0; i < times; i++)
		memcpy(out + i * n, text, n);
	return n * times;
}

static void heads_are_bounded(void **state)
{
	(void)state;
	static char text[HTTP_HEAD_MAX * 2];
	struct http_head h;
	for (size_t fields = HTTP_FIELDS_MAX; fields <= HTTP_FIELDS_MAX + 1; fields++) {
		size_t n = repeat(text, "GET / HTTP/1.1\r\nHost: a\r\n", 1);
		n += repeat(text + n, "X: y\r\n", fields - 1);
		n += repeat(text + n, "\r\n", 1);
		assert_int_equal(head_in_two(text, n, n, &h), fields > HTTP_FIELDS_MAX ? -431 : (int)n);
	}
	for (size_t target = HTTP_TARGET_MAX; target <= HTTP_TARGET_MAX + 1; target++) {
		size_t n = repeat(text, "GET ", 1);
		n += repeat(text + n, "/", target);
		n += repeat(text + n, " HTTP/1.1\r\nHost: a\r\n\r\n", 1);
		assert_int_equal(head_in_two(text, n, n, &h), target > HTTP_TARGET_MAX ? -414 : (int)n);
	}
	for (size_t len = HTTP_HEAD_MAX; len <= HTTP_HEAD_MAX + 1; len++) {
		size_t n = repeat(text, "GET / HTTP/1.1\r\nHost: a\r\nX: ", 1);
		n += repeat(text + n, "y", len - 4 - n);
		n += repeat(text + n, "\r\n\r\n", 1);
		assert_int_equal(head_in_two(text, n, n, &h), len > HTTP_HEAD_MAX ? -431 : (int)n);
	}
	size_t n = repeat(text, "G", HTTP_HEAD_MAX);
	assert_int_equal(head_in_two(text, n, n, &h), -414);
}

// ---- chunked bodies ----

// Feeds up to `step` bytes at a time; what is left over is given again with more.
// The content goes to out. >= 0: used; -1: refused; -2: more is needed.
static int dechunk(const char *text, size_t len, size_t step, char *out, size_t *outlen)
{
	struct http_chunked c = { 0 };
	size_t done = 0, have = 0;
	*outlen = 0;
	while (have < len) {
		have = have + step < len ? have + step : len;
		enum http_chunk r;
		do {
			size_t used, at, n;
			char *p = at_guard(text + done, have - done);
			r = http_chunked_next(&c, p, have - done, &used, &at, &n);
			if (r == HTTP_CHUNK_DATA) {
				memcpy(out + *outlen, p + at, n);
				*outlen += n;
			}
			done += used;
			if (r == HTTP_CHUNK_BAD || r == HTTP_CHUNK_END)
				return r == HTTP_CHUNK_BAD ? -1 : (int)done;
		} while (r == HTTP_CHUNK_DATA);
		assert_int_equal(done, have);
	}
	return -2;
}

static const struct {
	const char *text, *content; // NULL: refused
} bodies[] = {
	{ "0\r\n\r\n", "" },
	{ "5\r\nhello\r\n0\r\n\r\n", "hello" },
	{ "00000005\r\nhello\r\nA;x=\"y\"\r\n0123456789\r\n0;z\r\nX: y\r\nZ:\r\n\r\n", "hello0123456789" },
	{ "1\r\n\n\r\n1\r\n\r\r\n0\r\n\r\n", "\n\r" },
	{ "zz\r\n", NULL },
	{ "\r\n", NULL },
	{ ";a\r\n", NULL },
	{ " 5\r\nhello\r\n0\r\n\r\n", NULL },
	{ "5 \r\nhello\r\n0\r\n\r\n", NULL },
	{ "+5\r\nhello\r\n0\r\n\r\n", NULL },
	{ "0x5\r\nhello\r\n0\r\n\r\n", NULL },
	{ "5_0\r\n", NULL },
	{ "000000005\r\nhello\r\n", NULL },
	{ "fffffffff\r\n", NULL },
	{ "5\nhello\r\n0\r\n\r\n", NULL },
	{ "5\r\nhello\n0\r\n\r\n", NULL },
	{ "5\r\nhelloX\r\n0\r\n\r\n", NULL },
	{ "5\r\nhello0\r\n\r\n", NULL },
	{ "5;a\nb\r\nhello\r\n0\r\n\r\n", NULL },
	{ "5;\x01\r\nhello\r\n0\r\n\r\n", NULL },
	{ "0\r\n\n", NULL },
	{ "0\r\nX y\r\n\r\n", NULL },
	{ "0\r\n: y\r\n\r\n", NULL },
	{ "0\r\n X: y\r\n\r\n", NULL },
	{ "0\r\nX : y\r\n\r\n", NULL },
	{ "0\r\nX: y\n\r\n", NULL },
};

static void chunks_are_taken_or_refused(void **state)
{
	(void)state;
	char out[64];
	size_t outlen;
	for (size_t i = 0; i < COUNT(bodies); i++) {
		size_t len = strlen(bodies[i].text);
		for (size_t step = 1; step <= len; step++) {
			int rc = dechunk(bodies[i].text, len, step, out, &outlen);
			if (bodies[i].content ? rc != (int)len || outlen != strlen(bodies[i].content) ||
							memcmp(out, bodies[i].content, outlen)
					      : rc != -1)
				fail_msg("%d in steps of %zu: %s", rc, step, bodies[i].text);
		}
	}
}

static void chunk_overhead_is_bounded(void **state)
{
	(void)state;
	static char text[64 * 1024], out[64 * 1024];
	size_t outlen, n = repeat(text, "1\r\nx\r\n", 10000);
	assert_int_equal(dechunk(text, n, n, out, &outlen), -1);
	n = repeat(text, "8\r\n01234567\r\n", 4000);
	n += repeat(text + n, "0\r\n\r\n", 1);
	assert_int_equal(dechunk(text, n, n, out, &outlen), n);
	n = repeat(text, "1;", 1);
	n += repeat(text + n, "x", HTTP_OVERHEAD_MAX + 1);
	assert_int_equal(dechunk(text, n, n, out, &outlen), -1);
	n = repeat(text, "0\r\n", 1);
	n += repeat(text + n, "X: yyyyyyyyyyyyy\r\n", HTTP_FIELDS_MAX + 1);
	assert_int_equal(dechunk(text, n, n, out, &outlen), -1);
}

// ---- WebSocket ----

struct frames {
	char message[512], log[256]; // of the log: "T5 P1 C2 F1002 "
	size_t len;
	bool started;
};

static void take_event(struct frames *f, struct ws_reader *r, enum ws_event e, const char *payload, size_t n)
{
	size_t at = strlen(f->log);
	if (e == WS_PIECE || e == WS_LAST) {
		memcpy(f->message + f->len, payload, n);
		f->len += n;
	}
	if (e == WS_LAST) {
		snprintf(f->log + at, sizeof(f->log) - at, "M%zu ", f->len);
		f->len = 0;
	} else if (e == WS_FAIL) {
		snprintf(f->log + at, sizeof(f->log) - at, "F%d ", r->status);
	} else if (e != WS_PIECE) {
		snprintf(f->log + at, sizeof(f->log) - at, "%c%zu ", e == WS_PING ? 'p' : e == WS_PONG ? 'q' : 'C', n);
	}
}

// Bytes come `step` at a time; the log says what was seen.
static void feed(const char *bytes, size_t len, size_t step, bool from_client, struct frames *f)
{
	struct ws_reader r = { .max = 200, .from_client = from_client };
	char hold[1024];
	size_t held = 0;
	*f = (struct frames){ 0 };
	for (size_t done = 0; done < len;) {
		size_t more = len - done < step ? len - done : step;
		memcpy(hold + held, bytes + done, more);
		held += more;
		done += more;
		for (;;) {
			size_t used, at, n;
			char *p = at_guard(hold, held);
			enum ws_event e = ws_next(&r, p, held, &used, &at, &n);
			assert_true(used <= held && at + n <= used);
			if (e != WS_MORE)
				take_event(f, &r, e, p + at, n);
			memmove(hold, p + used, held - used);
			held -= used;
			if (e == WS_FAIL)
				return;
			if (e == WS_MORE)
				break;
		}
	}
}

// Masked with 01 02 03 04 unless it is no client's.
#define M "\x01\x02\x03\x04"
static const struct {
	const char *bytes;
	size_t len;
	const char *log;
} frame_cases[] = {
#define CASE(bytes, log) \
	{ \
		bytes, sizeof(bytes) - 1, log \
	}
	CASE("\x81\x83" M "\x60\x60\x60", "M3 "), // "abc"
	CASE("\x82\x80" M, "M0 "),
	CASE("\x01\x81" M "\x60"
	     "\x80\x81" M "\x60",
		"M2 "),
	CASE("\x01\x81" M "\x60"
	     "\x89\x81" M "\x60"
	     "\x80\x80" M,
		"p1 M1 "),
	CASE("\x8a\x80" M "\x88\x80" M, "q0 C0 "), CASE("\x88\x82" M "\x02\xea", "C2 "), // 1000
	CASE("\x88\x85" M "\x02\xea\x61\x7d\x64", "C5 "),
	// refused
	CASE("\x81\x03"
	     "abc",
		"F1002 "), // not masked
	CASE("\xc1\x80" M, "F1002 "), CASE("\xa1\x80" M, "F1002 "), CASE("\x91\x80" M, "F1002 "),
	CASE("\x83\x80" M, "F1002 "), CASE("\x87\x80" M, "F1002 "), CASE("\x8b\x80" M, "F1002 "),
	CASE("\x8f\x80" M, "F1002 "), CASE("\x09\x80" M, "F1002 "), // fragmented ping
	CASE("\x89\xfe\x00\x7e" M, "F1002 "), // ping of 126
	CASE("\x80\x80" M, "F1002 "), // continuation of nothing
	CASE("\x01\x80" M "\x81\x80" M, "F1002 "), // a message inside another
	CASE("\x81\xfe\x00\x7d" M, "F1002 "), // length not minimal
	CASE("\x81\xff\x00\x00\x00\x00\x00\x00\xff\xff" M, "F1002 "),
	CASE("\x81\xff\x80\x00\x00\x00\x00\x01\x00\x00" M, "F1002 "),
	CASE("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff" M, "F1009 "), CASE("\x81\xfe\x00\xc9" M, "F1009 "), // 201
	CASE("\x88\x81" M "\x00", "F1002 "), // 1 byte
	CASE("\x88\x82" M "\x02\xef", "F1002 "), // 1005
	CASE("\x88\x82" M "\x02\xe5", "F1002 "), // 999
	CASE("\x88\x82" M "\x12\x8a", "F1002 "), // 5000
	CASE("\x88\x83" M "\x02\xea\xfc", "F1007 "), // reason "\xff"
	CASE("\x81\x81" M "\xfe", "F1007 "), // "\xff"
	CASE("\x81\x82" M "\xc2\x82", "M2 "), // "\xc3\x80"
	CASE("\x01\x81" M "\xc2"
	     "\x80\x80" M,
		"F1007 "), // half a character at the end
	CASE("\x81\x83" M "\xec\xa2\x83", "F1007 "), // a surrogate: ed a0 80
#undef CASE
};

static void frames_are_taken_or_refused(void **state)
{
	(void)state;
	struct frames f;
	for (size_t i = 0; i < COUNT(frame_cases); i++)
		for (size_t step = 1; step <= frame_cases[i].len; step++) {
			feed(frame_cases[i].bytes, frame_cases[i].len, step, true, &f);
			if (strcmp(f.log, frame_cases[i].log))
				fail_msg("case %zu in steps of %zu: %s, not %s", i, step, f.log, frame_cases[i].log);
		}
	feed("\x81\x83"
	     "abc",
		5, 5, false, &f);
	assert_string_equal(f.log, "F1002 ");
	feed("\x81\x03"
	     "abc",
		5, 1, false, &f);
	assert_string_equal(f.log, "M3 ");
	assert_memory_equal(f.message, "abc", 3);
}

static void masks_are_undone(void **state)
{
	(void)state;
	char head[WS_HEAD_MAX], bytes[256], text[200];
	const uint8_t mask[4] = { 0xde, 0xad, 0xbe, 0xef };
	struct frames f;
	for (size_t len = 0; len < sizeof(text); len++) {
		for (size_t i = 0; i < len; i++)
			text[i] = (char)('a' + i % 26);
		size_t n = ws_head(head, WS_TEXT, len, mask);
		memcpy(bytes, head, n);
		memcpy(bytes + n, text, len);
		ws_mask(mask, 0, bytes + n, len);
		for (size_t step = 1; step < 20; step++) {
			feed(bytes, n + len, step, true, &f);
			assert_memory_equal(f.message, text, len);
		}
	}
	assert_int_equal(ws_head(head, WS_BINARY, 65536, NULL), 10);
	assert_memory_equal(head, "\x82\x7f\0\0\0\0\0\1\0\0", 10);
	assert_int_equal(ws_head(head, WS_BINARY, 65535, NULL), 4);
	assert_memory_equal(head, "\x82\x7e\xff\xff", 4);
}

static int handshake(const char *fields)
{
	char text[512], accept[WS_ACCEPT_LEN];
	struct http_head h = { 0 };
	int n = snprintf(text, sizeof(text), "%s\r\n\r\n", fields);
	assert_int_equal(http_head_parse(&h, text, (size_t)n), n);
	int rc = ws_is_attempt(&h) ? ws_handshake(&h, text, accept) : 1;
	if (!rc)
		assert_memory_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", WS_ACCEPT_LEN);
	return rc;
}

static void handshakes_are_checked(void **state)
{
	(void)state;
#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	assert_int_equal(
		handshake(GET KEY "Connection: x, UPGRADE\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13"), 0);
	assert_int_equal(
		handshake(GET KEY "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8"), 426);
	assert_int_equal(handshake(GET KEY "Connection: upgrade\r\nUpgrade: websocket"), 426);
	assert_int_equal(handshake(GET KEY "Upgrade: websocket\r\nSec-WebSocket-Version: 13"), 400);
	assert_int_equal(handshake(GET KEY "Connection: upgrade\r\nUpgrade: h2c\r\nSec-WebSocket-Version: 13"), 400);
	assert_int_equal(handshake(GET "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13"), 400);
	assert_int_equal(handshake(GET "Sec-WebSocket-Key: abc\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
				       "Sec-WebSocket-Version: 13"),
		400);
	assert_int_equal(handshake(GET "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ*=\r\nConnection: upgrade\r\n"
				       "Upgrade: websocket\r\nSec-WebSocket-Version: 13"),
		400);
	assert_int_equal(handshake("GET / HTTP/1.0\r\n" KEY "Connection: upgrade\r\nUpgrade: websocket\r\n"
				   "Sec-WebSocket-Version: 13"),
		400);
	assert_int_equal(handshake("POST / HTTP/1.1\r\nHost: a\r\n" KEY "Connection: upgrade\r\nUpgrade: websocket\r\n"
				   "Sec-WebSocket-Version: 13"),
		400);
	assert_int_equal(handshake(GET "Connection: upgrade\r\nUpgrade: h2c"), 1);
}

// ---- digests ----

static void digests(void **state)
{
	(void)state;
	static const struct {
		const char *text, *hex;
	} t[] = { { "", "da39a3ee5e6b4b0d3255bfef95601890afd80709" },
		{ "abc", "a9993e364706816aba3e25717850c26c9cd0d89d" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
			"84983e441c3bd26ebaae4aa1f95129e5e54670f1" } };
	for (size_t i = 0; i < COUNT(t); i++) {
		uint8_t out[SHA1_LEN];
		char hex[2 * SHA1_LEN + 1];
		sha1(t[i].text, strlen(t[i].text), out);
		for (size_t k = 0; k < SHA1_LEN; k++)
			snprintf(hex + 2 * k, 3, "%02x", out[k]);
		assert_string_equal(hex, t[i].hex);
	}
}

static void base64_goes_both_ways(void **state)
{
	(void)state;
	char text[64];
	uint8_t back[64];
	for (size_t n = 0; n <= 32; n++) {
		uint8_t bytes[32];
		for (size_t i = 0; i < n; i++)
			bytes[i] = (uint8_t)(i * 37 + 200);
		size_t len = base64_encode(bytes, n, text);
		assert_int_equal(len, (n + 2) / 3 * 4);
		assert_int_equal(base64_decode(at_guard(text, len), len, back), n);
		assert_memory_equal(back, bytes, n);
	}
	static const char *const bad[] = { "a", "ab", "abc", "a===", "====", "ab=c", "a=bc", "ab c", "ab\nc",
		"abc=abcd" };
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(base64_decode(bad[i], strlen(bad[i]), back), -1);
}

static void comparing(void **state)
{
	(void)state;
	assert_true(equal_in_constant_time("abc", 3, "abc", 3) && equal_in_constant_time("", 0, "", 0));
	assert_false(equal_in_constant_time("abc", 3, "abd", 3) || equal_in_constant_time("abc", 3, "ab", 2));
	assert_false(equal_in_constant_time("aa", 2, "a", 1) || equal_in_constant_time("", 0, "a", 1) ||
		     equal_in_constant_time("a", 1, "", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_taken_or_refused),
		cmocka_unit_test(bytes_behind_the_head_are_left),
		cmocka_unit_test(a_head_is_read),
		cmocka_unit_test(heads_are_bounded),
		cmocka_unit_test(chunks_are_taken_or_refused),
		cmocka_unit_test(chunk_overhead_is_bounded),
		cmocka_unit_test(frames_are_taken_or_refused),
		cmocka_unit_test(masks_are_undone),
		cmocka_unit_test(handshakes_are_checked),
		cmocka_unit_test(digests),
		cmocka_unit_test(base64_goes_both_ways),
		cmocka_unit_test(comparing),
	};
	return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
