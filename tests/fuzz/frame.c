// libFuzzer: any bytes as what clients send, in one piece and in pieces: the
// same values are cut out, and nothing is read that has not come yet.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "rpc/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// What was found, each with a mark of its kind behind it.
static void cut(const uint8_t *data, size_t size, size_t piece, struct buf *found)
{
	struct frame f = { 0 };
	char *held = NULL;
	size_t len = 0;
	for (size_t at = 0; at < size; at += piece) {
		size_t n = piece < size - at ? piece : size - at;
		// Exactly as much memory as there are bytes: reading on is seen.
		char *grown = malloc(len + n);
		if (!grown)
			abort();
		if (len)
			memcpy(grown, held, len);
		memcpy(grown + len, data + at, n);
		free(held);
		held = grown;
		len += n;
		size_t done = 0;
		for (;;) {
			size_t start, used;
			enum frame_result r = frame_next(&f, held + done, len - done, &start, &used);
			if (start > used && r == FRAME_VALUE)
				abort();
			if (r == FRAME_VALUE)
				buf_add(found, held + done + start, used - start);
			done += used;
			if (done > len)
				abort();
			if (r == FRAME_MORE)
				break;
			buf_add_char(found, r == FRAME_VALUE ? '\1' : '\2');
		}
		memmove(held, held + done, len - done);
		len -= done;
	}
	free(held);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t pieces[] = { 1, 2, 3, 7, 64 };
	struct buf whole = BUF_INIT;
	cut(data, size, size ? size : 1, &whole);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct buf parts = BUF_INIT;
		if (size > 4096 && pieces[i] < 7)
			continue;
		cut(data, size, pieces[i], &parts);
		if (parts.len != whole.len || (whole.len && memcmp(parts.data, whole.data, whole.len)))
			abort();
		buf_release(&parts);
	}
	buf_release(&whole);
	return 0;
}
