// A proxy on another machine in the place of the control socket: the same lines,
// over a WebSocket.
#pragma once
#include "rpc/client.h"

struct remote_options {
	const char *url; // http://HOST[:PORT] or https://HOST[:PORT]
	const char *token_file; // its first token is sent; NULL: none
	const char *ca_file; // whom to trust; NULL: the system's certificates
};

// Is it an address for remote_open()?
bool remote_is_url(const char *socket);
// As client_open(). The options are not kept, but the url is.
int remote_open(struct client *c, const struct remote_options *o, struct err *err);
