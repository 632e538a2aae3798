// libFuzzer: any bytes as a chunked body. However they are cut, the content and
// the verdict are the same.
#include "http/parse.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
	enum http_chunk verdict;
	size_t used, len;
	char *content;
};

static void read_body(const uint8_t *data, size_t size, size_t step, struct result *r)
{
	struct http_chunked c = { 0 };
	*r = (struct result){ .content = malloc(size + 1) };
	while (r->used < size && r->verdict != HTTP_CHUNK_END && r->verdict != HTTP_CHUNK_BAD) {
		size_t n = size - r->used < step ? size - r->used : step, used = 0, at = 0, len = 0;
		char *piece = malloc(n);
		memcpy(piece, data + r->used, n);
		r->verdict = http_chunked_next(&c, piece, n, &used, &at, &len);
		if (used > n || at + len > used)
			abort();
		if (r->verdict == HTTP_CHUNK_DATA) {
			memcpy(r->content + r->len, piece + at, len);
			r->len += len;
		} else if (r->verdict == HTTP_CHUNK_MORE && used != n) {
			abort();
		}
		free(piece);
		r->used += used;
	}
	if (r->verdict == HTTP_CHUNK_DATA)
		r->verdict = HTTP_CHUNK_MORE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct result a, b;
	read_body(data, size, size ? size : 1, &a);
	for (size_t step = 1; step <= 7; step += 6) {
		read_body(data, size, step, &b);
		if (a.verdict != b.verdict || a.len != b.len || memcmp(a.content, b.content, a.len) ||
			(a.verdict == HTTP_CHUNK_END && a.used != b.used))
			abort();
		free(b.content);
	}
	free(a.content);
	return 0;
}
