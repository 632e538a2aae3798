// Files that people name: none may hold the program up, or never end.
#pragma once
#include "base/buf.h"
#include <sys/stat.h>

// Opens a regular file to read it, and looks at it. -1, with *why as text, for all else.
int file_open(int dir_fd, const char *path, struct stat *st, const char **why);
// The whole of it, up to b->max bytes, which are reserved at once: no second copy is
// left in memory. 0, or -1 with *why.
int file_read(const char *path, struct buf *b, struct stat *st, const char **why);
