// The variables that services start from: those inherited, over them /etc/environment
// (one NAME=value a line, # comments, `export` and one pair of quotes are taken off).
#pragma once

#define ENVIRONMENT_FILE "/etc/environment"

// What is wrong with a line; it is skipped. line 0: the file as a whole.
typedef void environment_warn_fn(void *ctx, unsigned line, const char *text);

// *list becomes a NULL-terminated list of "NAME=value", each name once, without
// ZINIT_SERVICE. A file that cannot be read is told to warn. 0, or -1 when there
// is no memory. The list is freed with environment_free() either way.
int environment_read(char ***list, environment_warn_fn *warn, void *ctx);
void environment_free(char **list);
