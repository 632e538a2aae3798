// The addresses of a host.
#pragma once
#include "base/err.h"
#include "base/net.h"

// host: a number or a name; port: digits. How many of at most `max` were found
// (> 0), or -1 with *err. resolve.c asks the C library; resolve_small.c, for static
// programs, knows numbers and /etc/hosts.
int resolve_host(const char *host, const char *port, union net_address *out, size_t max, struct err *err);
