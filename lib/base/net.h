// Addresses of the network, and listening there.
#pragma once
#include "base/err.h"
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

union net_address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage room;
};

enum { NET_TEXT_MAX = 64 };

// "127.0.0.1:80" or "[::1]:80": numbers only, no names. 0, or -1.
int net_parse(const char *text, union net_address *a);
// As net_parse() reads it.
const char *net_text(const union net_address *a, char out[NET_TEXT_MAX]);
// ::ffff:1.2.3.4 becomes the IPv4 address that it is; others stay.
void net_unmap(union net_address *a);
// Can only this machine reach it?
bool net_is_loopback(const union net_address *a);
// A descriptor that listens, or -1 with errno.
int net_listen(const union net_address *a);
// Where a descriptor listens. 0, or -1 with errno.
int net_own(int fd, union net_address *a);
