// TLS of one connection over a descriptor that never blocks. tls_mbed.c does it
// with mbedTLS (2.28, 3.x); tls_none.c stands in where the program has no TLS.
#pragma once
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct tls_config; // certificates, keys, what is spoken; counted by its users
struct tls;

struct tls_files {
	const char *cert, *key; // PEM; a server needs both
	const char *ca; // PEM: the other side must show a certificate of it. NULL: none is asked for
};

// For a server. NULL with *err. One reference is the caller's.
struct tls_config *tls_server_config(const struct tls_files *files, struct err *err);
// For a client that trusts files->ca, or the system's certificates.
struct tls_config *tls_client_config(const struct tls_files *files, struct err *err);
void tls_config_drop(struct tls_config *c);

// Takes a reference of c. host: the name that the server must prove (client only).
// NULL without memory. The descriptor stays the caller's.
struct tls *tls_new(struct tls_config *c, int fd, const char *host);
void tls_free(struct tls *t);
// 1 done, 0 again when the descriptor is ready, -1 failed: tls_problem().
int tls_handshake(struct tls *t);
// As read(2) and write(2): 0 = the end; -1 with errno, EAGAIN = again when ready.
ssize_t tls_read(struct tls *t, void *data, size_t len);
ssize_t tls_write(struct tls *t, const void *data, size_t len);
// Is it the room to write that the last call waits for?
bool tls_wants_write(const struct tls *t);
// Says that nothing more is sent.
void tls_end(struct tls *t);
const char *tls_problem(const struct tls *t);

// Writes a new key (mode 0600) and a certificate that it signs itself for
// `names` (NULL-terminated), and its SHA-256 fingerprint to out as hex with ':'.
enum { TLS_FINGERPRINT_MAX = 96 };
int tls_self_signed(const char *cert_path, const char *key_path, const char *const *names,
	char out[TLS_FINGERPRINT_MAX], struct err *err);
