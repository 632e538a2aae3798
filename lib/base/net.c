#include "base/net.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static socklen_t size_of(const union net_address *a)
{
	return a->any.sa_family == AF_INET ? sizeof(a->in) : sizeof(a->in6);
}

// 1 to 5 digits, up to 65535.
static int parse_port(const char *text)
{
	int port = 0;
	if (!*text)
		return -1;
	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9' || p - text == 5)
			return -1;
		port = port * 10 + (*p - '0');
	}
	return port <= 65535 ? port : -1;
}

int net_parse(const char *text, union net_address *a)
{
	char host[INET6_ADDRSTRLEN];
	const char *colon = strrchr(text, ':');
	int port = colon ? parse_port(colon + 1) : -1;
	bool six = *text == '[';
	size_t from = six, to = colon ? (size_t)(colon - text) - six : 0;
	*a = (union net_address){ .any = { .sa_family = AF_UNSPEC } };
	if (port < 0 || to <= from || to - from >= sizeof(host) || (six && text[to] != ']'))
		return -1;
	memcpy(host, text + from, to - from);
	host[to - from] = '\0';
	if (six) {
		a->in6.sin6_family = AF_INET6;
		a->in6.sin6_port = htons((uint16_t)port);
		return inet_pton(AF_INET6, host, &a->in6.sin6_addr) == 1 ? 0 : -1;
	}
	a->in.sin_family = AF_INET;
	a->in.sin_port = htons((uint16_t)port);
	return inet_pton(AF_INET, host, &a->in.sin_addr) == 1 ? 0 : -1;
}

const char *net_text(const union net_address *a, char out[NET_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN] = "?";
	if (a->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a->in.sin_addr, host, sizeof(host));
		snprintf(out, NET_TEXT_MAX, "%s:%u", host, (unsigned)ntohs(a->in.sin_port));
	} else {
		inet_ntop(AF_INET6, &a->in6.sin6_addr, host, sizeof(host));
		snprintf(out, NET_TEXT_MAX, "[%s]:%u", host, (unsigned)ntohs(a->in6.sin6_port));
	}
	return out;
}

void net_unmap(union net_address *a)
{
	if (a->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr))
		return;
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = a->in6.sin6_port };
	memcpy(&four.sin_addr, a->in6.sin6_addr.s6_addr + 12, 4);
	a->in = four;
}

bool net_is_loopback(const union net_address *a)
{
	const struct in6_addr *six = &a->in6.sin6_addr;
	if (a->any.sa_family == AF_INET)
		return ntohl(a->in.sin_addr.s_addr) >> 24 == 127;
	return a->any.sa_family == AF_INET6 &&
	       (IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == 127));
}

int net_listen(const union net_address *a)
{
	int one = 1, fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (a->any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, &a->any, size_of(a)) == 0 && listen(fd, 1024) == 0)
		return fd;
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

int net_own(int fd, union net_address *a)
{
	socklen_t size = sizeof(*a);
	*a = (union net_address){ .any = { .sa_family = AF_UNSPEC } };
	return getsockname(fd, &a->any, &size);
}
