// A chain of malloc'd blocks. Small requests share the newest block; a request
// larger than a block gets one of its own.
#include "conf/blocks.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 1000

struct block {
	struct block *next;
	size_t used;
	size_t size;
	alignas(8) char data[];
};

static struct block *add_block(void **blocks, size_t n)
{
	size_t size = n > BLOCK_BYTES ? n : BLOCK_BYTES;
	struct block *b = size <= SIZE_MAX / 2 ? malloc(sizeof(*b) + size) : NULL;

	if (!b)
		return NULL;
	b->next = *blocks;
	b->used = 0;
	b->size = size;
	*blocks = b;
	return b;
}

static void *take(struct block *b, size_t n)
{
	void *p = b->data + b->used;

	b->used += n;
	return p;
}

void *blocks_alloc(void **blocks, size_t n)
{
	struct block *b = *blocks;

	if (n > SIZE_MAX / 2)
		return NULL;
	n = (n + 7) & ~(size_t)7;
	if (!b || b->size - b->used < n)
		b = add_block(blocks, n);
	return b ? take(b, n) : NULL;
}

char *blocks_text(void **blocks, const char *bytes, size_t len)
{
	char *text = blocks_alloc(blocks, len + 1);

	if (!text)
		return NULL;
	if (len)
		memcpy(text, bytes, len);
	text[len] = '\0';
	return text;
}

void blocks_free(void **blocks)
{
	struct block *b = *blocks;

	while (b) {
		struct block *next = b->next;

		free(b);
		b = next;
	}
	*blocks = NULL;
}
