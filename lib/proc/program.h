// Would proc_spawn() find this program? Only looks, by the rules of execve(2) and
// of the search in spawn.c.
#pragma once
#include <stdbool.h>
#include <stddef.h>

// name: as argv[0]; without a '/' it is searched for in `path`. dir_fd: the folder
// that the program is started in; -1: not known, then what depends on it counts as
// there. When it is not there `why` says so: "'x' does not exist".
bool program_exists(int dir_fd, const char *name, const char *path, char *why, size_t size);
