// How far a word is from another: for "did you mean".
#pragma once
#include <stddef.h>

#define GUESS_MAX 32

// The number of letters to be changed, added, taken away or swapped with their
// neighbour, without regard to case (ASCII). GUESS_MAX when one is longer than that.
size_t guess_distance(const char *a, const char *b);
