// rpc.discover: openrpc.json, made smaller and part of the program by the build
// (configs/pack/pack.c, which tells the form).
#include "control/control.h"

static const unsigned char packed[] = {
#include "openrpc.h"
};

enum { MATCH_MIN = 4 };

// Appends `len` bytes that stand `back` bytes before the end.
static void repeat(struct buf *b, size_t back, size_t len)
{
	if (buf_reserve(b, len) < 0)
		return;
	for (; len; len--, b->len++)
		b->data[b->len] = b->data[b->len - back];
}

static void unpack(struct buf *b)
{
	for (size_t i = 0; i < sizeof(packed) && !b->failed;) {
		size_t n = packed[i++];
		if (n < 128) {
			buf_add(b, packed + i, n + 1);
			i += n + 1;
		} else {
			repeat(b, packed[i] | (size_t)packed[i + 1] << 8, n - 128 + MATCH_MIN);
			i += 2;
		}
	}
}

void rpc_discover(struct rpc_call *c, const struct param *p)
{
	(void)p;
	unpack(rpc_result_begin(c));
	rpc_result_end(c);
}
