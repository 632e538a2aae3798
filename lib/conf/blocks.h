// The memory of one unit: many small allocations, freed all at once.
#pragma once
#include <stddef.h>

// *blocks is the chain, NULL at first. Returns n bytes aligned for any pointer
// or integer, not zeroed, or NULL (the chain stays as it was).
void *blocks_alloc(void **blocks, size_t n);
// A NUL-terminated copy of len bytes, or NULL.
char *blocks_text(void **blocks, const char *bytes, size_t len);
void blocks_free(void **blocks);
