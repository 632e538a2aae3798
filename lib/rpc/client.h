// The client's end of the control socket: one connection, lines in, lines out.
#pragma once
#include "base/buf.h"
#include "base/err.h"

struct client;

// Another way for the lines than a socket of this machine.
struct client_wire {
	int (*send)(struct client *c, const char *text, size_t len, struct err *err); // one message
	int (*more)(struct client *c, struct err *err); // appends what has come to c->in; 0, or -1
	void (*close)(struct client *c); // all but the descriptor
};

struct client {
	int fd;
	struct buf in;
	size_t used; // of in: lines already handed out
	const char *path;
	const struct client_wire *wire; // NULL: none
	void *wire_ctx;
};

// path NULL: the default one, then the one of older clients (its daemon must be
// root's or our own). 0, or -1 with err->text a whole sentence.
int client_open(struct client *c, const char *path, struct err *err);
void client_close(struct client *c);
// The same connection for a program with a loop: a descriptor that does not
// block, or -1 with *err.
int client_connect(const char *path, struct err *err);
// Sends all of it. 0, or -1 with *err.
int client_send(struct client *c, const char *text, size_t len, struct err *err);
// The next line without its newline, NUL-terminated, valid until the next call.
// timeout_ms < 0: for ever. 1 a line, 0 time is over, -1 *err (also when the
// daemon closes the connection).
int client_line(struct client *c, int timeout_ms, char **line, size_t *len, struct err *err);
