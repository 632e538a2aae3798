#include "http/tls.h"
#include <errno.h>

static const char none[] = "this zinit is built without TLS";

struct tls_config *tls_server_config(const struct tls_files *files, struct err *err)
{
	(void)files;
	err_set(err, ERR_INTERNAL, "%s", none);
	return NULL;
}

struct tls_config *tls_client_config(const struct tls_files *files, struct err *err)
{
	return tls_server_config(files, err);
}

void tls_config_drop(struct tls_config *c)
{
	(void)c;
}

struct tls *tls_new(struct tls_config *c, int fd, const char *host)
{
	(void)c;
	(void)fd;
	(void)host;
	return NULL;
}

void tls_free(struct tls *t)
{
	(void)t;
}

int tls_handshake(struct tls *t)
{
	(void)t;
	return -1;
}

ssize_t tls_read(struct tls *t, void *data, size_t len)
{
	(void)t;
	(void)data;
	(void)len;
	errno = ENOTSUP;
	return -1;
}

ssize_t tls_write(struct tls *t, const void *data, size_t len)
{
	(void)t;
	(void)data;
	(void)len;
	errno = ENOTSUP;
	return -1;
}

bool tls_wants_write(const struct tls *t)
{
	(void)t;
	return false;
}

void tls_end(struct tls *t)
{
	(void)t;
}

const char *tls_problem(const struct tls *t)
{
	(void)t;
	return none;
}

int tls_self_signed(const char *cert_path, const char *key_path, const char *const *names,
	char out[TLS_FINGERPRINT_MAX], struct err *err)
{
	(void)cert_path;
	(void)key_path;
	(void)names;
	*out = '\0';
	return err_set(err, ERR_INTERNAL, "%s", none);
}
