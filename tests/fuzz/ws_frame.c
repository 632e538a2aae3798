// libFuzzer: any bytes as WebSocket frames. However they are cut, messages and
// verdict are the same, and text is UTF-8.
#include "http/ws.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX = 1000 };

struct result {
	unsigned events[7];
	uint16_t status;
	size_t len;
	char *content; // of all messages
};

static void read_frames(const uint8_t *data, size_t size, size_t step, bool from_client, struct result *r)
{
	struct ws_reader w = { .max = MAX, .from_client = from_client };
	size_t from = 0, to = 0;
	enum ws_event e = WS_MORE;
	*r = (struct result){ .content = malloc(size + 1) };
	while (e != WS_FAIL && e != WS_CLOSE && (e != WS_MORE || to < size)) {
		if (e == WS_MORE)
			to = to + step < size ? to + step : size;
		size_t used, at, n;
		char *piece = malloc(to - from ? to - from : 1);
		if (to > from)
			memcpy(piece, data + from, to - from);
		e = ws_next(&w, piece, to - from, &used, &at, &n);
		if (used > to - from || at + n > used || w.len > MAX)
			abort();
		if (e == WS_PIECE || e == WS_LAST) {
			memcpy(r->content + r->len, piece + at, n);
			r->len += n;
		}
		if (e != WS_PIECE && e != WS_MORE)
			r->events[e]++;
		free(piece);
		from += used;
	}
	r->status = w.status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct result a, b;
	if (!size)
		return 0;
	bool from_client = data[0] & 1;
	read_frames(data + 1, size - 1, size, from_client, &a);
	for (size_t step = 1; step <= 7; step += 6) {
		read_frames(data + 1, size - 1, step, from_client, &b);
		if (memcmp(a.events, b.events, sizeof(a.events)) || a.status != b.status)
			abort();
		if (a.status ? 0 : a.len != b.len || memcmp(a.content, b.content, a.len))
			abort();
		free(b.content);
	}
	free(a.content);
	return 0;
}
