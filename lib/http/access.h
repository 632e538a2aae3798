// Who may use the proxy: names in Host, origins, tokens, users of this machine.
//
// Web pages are kept out by Host (a name that an attacker points at us), Origin
// and the content type that POST insists on; other users of the machine by the
// owner of the socket at the other end; the network by tokens or certificates.
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "http/server.h"

enum access_verdict { ACCESS_OK, ACCESS_HOST, ACCESS_ORIGIN, ACCESS_TOKEN, ACCESS_USER };

// Header lines for one kind of Origin, made once.
struct access_cors {
	const char *origin; // NULL: no Origin, or one that is not allowed
	char *json, *text, *preflight;
	char *bare; // without a content type
};

struct access {
	const char **hosts; // --allow-host; "*": any
	size_t nhosts;
	struct access_cors *cors; // cors[0]: of no origin
	size_t ncors;
	bool any_host, any_origin;
	int diag_fd; // of peer_open()
	bool any_user; // who is at the other end does not count
	const char *token_file; // NULL: none wanted
	struct buf tokens; // one a line
	bool tokens_public; // every user of this machine can read the file
};

// Room for `hosts` and `origins` names. 0, or -1 without memory.
int access_init(struct access *a, size_t hosts, size_t origins);
int access_allow_host(struct access *a, const char *name);
// "scheme://host[:port]" or "*"; token_file is set before. 0, or -1 with *err.
int access_allow_origin(struct access *a, const char *origin, struct err *err);
// Reads the token file (again); on failure the old tokens stay. 0, or -1 with *err.
int access_read_tokens(struct access *a, struct err *err);
void access_release(struct access *a);

enum access_verdict access_check(const struct access *a, struct http_conn *c);
// Of the request that is being looked at; lives as long as a.
const struct access_cors *access_cors(const struct access *a, const struct http_conn *c);

// A descriptor to ask the kernel with, opened once so that it is there when others
// run out; -1: the kernel cannot be asked.
int peer_open(void);
// The user at the other end of a TCP connection within this machine; -1: unknown.
int peer_uid(int diag_fd, int fd);
