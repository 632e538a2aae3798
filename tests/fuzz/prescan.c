// libFuzzer: any bytes as JSON. What the strict check lets through can be walked
// to its last leaf, and every string of it comes back from being written again.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_string(struct span s)
{
	struct buf again = BUF_INIT;
	char *text = malloc(s.len), *twice = malloc(s.len * 6 + 16);
	if (!text || !twice)
		abort();
	size_t n = json_decode(s, text);
	if (n >= s.len || text[n] != '\0' || memchr(text, '\0', n) || json_add_str(&again, text, n) < 0 ||
		!json_check(again.data, again.len))
		abort();
	if (json_decode((struct span){ again.data, again.len }, twice) != n || memcmp(text, twice, n) != 0)
		abort();
	if (!json_is(s, text))
		abort();
	buf_release(&again);
	free(text);
	free(twice);
}

static void walk(struct span value, unsigned depth)
{
	enum json_type t = json_type(value);
	if (depth > JSON_DEPTH_MAX)
		abort();
	if (t == JSON_STRING)
		check_string(value);
	if (t != JSON_ARRAY && t != JSON_OBJECT)
		return;
	struct json_iter it = json_iter(value);
	struct span key, item;
	while (json_next(&it, &key, &item)) {
		if (!key.at != (t == JSON_ARRAY) || item.at < value.at || item.at + item.len > value.at + value.len)
			abort();
		if (key.at)
			check_string(key);
		walk(item, depth + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size ? size : 1);
	if (!text)
		abort();
	if (size)
		memcpy(text, data, size);
	if (json_check(text, size)) {
		if (!json_check_answer(text, size))
			abort();
		walk((struct span){ text, size }, 0);
	}
	free(text);
	return 0;
}
