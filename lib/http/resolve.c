#include "http/resolve.h"
#include <netdb.h>
#include <string.h>

int resolve_host(const char *host, const char *port, union net_address *out, size_t max, struct err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all;
	int rc = getaddrinfo(host, port, &hints, &all);
	size_t n = 0;
	if (rc)
		return err_set(err, ERR_INTERNAL, "cannot find the host '%s': %s", host, gai_strerror(rc));
	for (const struct addrinfo *a = all; a && n < max; a = a->ai_next)
		if (a->ai_addrlen <= sizeof(*out) && (a->ai_family == AF_INET || a->ai_family == AF_INET6))
			memcpy(&out[n++], a->ai_addr, a->ai_addrlen);
	freeaddrinfo(all);
	return n ? (int)n : err_set(err, ERR_INTERNAL, "the host '%s' has no address", host);
}
