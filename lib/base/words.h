// Splits text into words as a POSIX shell does, without any expansion
// (POSIX.1-2017, Shell Command Language 2.2 Quoting): blanks are space, tab and
// newline; single quotes; double quotes in which a backslash escapes only
// $ ` " \ and newline; a backslash outside quotes takes the next byte literally
// and backslash-newline vanishes; # at the start of a word comments to the end
// of the line.
#pragma once
#include <stddef.h>

// out: room for at least len + 1 bytes. Writes the words one after the other,
// each ended by a NUL, and returns how many there are (>= 0). *used (may be
// NULL) is the number of bytes written.
// Returns -1 for a quote or a backslash that does not close: *at is then the
// offset in text where it was opened and *why a constant sentence about it.
// Text may hold no NUL byte (the words could not be told apart): -1 likewise.
int words_split(const char *text, size_t len, char *out, size_t *used, size_t *at, const char **why);
