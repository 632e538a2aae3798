// TLS with mbedTLS 2.28 and 3.x: 1.2 and up, AEAD suites, X25519 and P-256.
#include "http/tls.h"
#include "base/file.h"
#include <errno.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#if MBEDTLS_VERSION_MAJOR >= 3
#include <psa/crypto.h>
#endif

enum { TICKET_SECONDS = 86400, PEM_FILE_MAX = 1024 * 1024 };

struct tls_config {
	unsigned users;
	mbedtls_ssl_config ssl;
	mbedtls_x509_crt cert, ca;
	mbedtls_pk_context key;
	mbedtls_entropy_context entropy;
	mbedtls_ctr_drbg_context rng;
	mbedtls_ssl_ticket_context tickets;
};

struct tls {
	struct tls_config *config;
	mbedtls_ssl_context ssl;
	int fd;
	size_t unfinished; // length of a write that is to be given again
	bool wants_write;
	char problem[160];
};

static const int suites[] = {
#if MBEDTLS_VERSION_MAJOR >= 3
	MBEDTLS_TLS1_3_AES_128_GCM_SHA256, MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256, MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
#endif
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, 0
};

// What the two generations of the library name differently.
#if MBEDTLS_VERSION_MAJOR >= 3
static int parse_key(struct tls_config *c, const unsigned char *text, size_t len)
{
	return mbedtls_pk_parse_key(&c->key, text, len, NULL, 0, mbedtls_ctr_drbg_random, &c->rng);
}

static int check_pair(struct tls_config *c)
{
	return mbedtls_pk_check_pair(&c->cert.pk, &c->key, mbedtls_ctr_drbg_random, &c->rng);
}

static void set_versions(mbedtls_ssl_config *ssl)
{
	static const uint16_t groups[] = { MBEDTLS_SSL_IANA_TLS_GROUP_X25519, MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, 0 };
	mbedtls_ssl_conf_min_tls_version(ssl, MBEDTLS_SSL_VERSION_TLS1_2);
	mbedtls_ssl_conf_groups(ssl, groups);
}

// Comes in the midst of what a client reads.
static bool is_ticket(int rc)
{
	return rc == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET;
}

static int start_crypto(void)
{
	return psa_crypto_init() == PSA_SUCCESS ? 0 : -1;
}
#else
static int parse_key(struct tls_config *c, const unsigned char *text, size_t len)
{
	return mbedtls_pk_parse_key(&c->key, text, len, NULL, 0);
}

static int check_pair(struct tls_config *c)
{
	return mbedtls_pk_check_pair(&c->cert.pk, &c->key);
}

static void set_versions(mbedtls_ssl_config *ssl)
{
	static const mbedtls_ecp_group_id curves[] = { MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP256R1,
		MBEDTLS_ECP_DP_NONE };
	mbedtls_ssl_conf_min_version(ssl, MBEDTLS_SSL_MAJOR_VERSION_3, 3);
	mbedtls_ssl_conf_curves(ssl, curves);
}

static bool is_ticket(int rc)
{
	(void)rc;
	return false;
}

static int start_crypto(void)
{
	return 0;
}
#endif

// ---- configurations ----

void tls_config_drop(struct tls_config *c)
{
	if (!c || --c->users)
		return;
	mbedtls_ssl_config_free(&c->ssl);
	mbedtls_ssl_ticket_free(&c->tickets);
	mbedtls_x509_crt_free(&c->cert);
	mbedtls_x509_crt_free(&c->ca);
	mbedtls_pk_free(&c->key);
	mbedtls_ctr_drbg_free(&c->rng);
	mbedtls_entropy_free(&c->entropy);
	free(c);
}

static struct tls_config *new_config(int endpoint, struct err *err)
{
	static const char *protocols[] = { "http/1.1", NULL };
	struct tls_config *c = calloc(1, sizeof(*c));
	if (!c) {
		err_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	c->users = 1;
	mbedtls_ssl_config_init(&c->ssl);
	mbedtls_x509_crt_init(&c->cert);
	mbedtls_x509_crt_init(&c->ca);
	mbedtls_pk_init(&c->key);
	mbedtls_entropy_init(&c->entropy);
	mbedtls_ctr_drbg_init(&c->rng);
	mbedtls_ssl_ticket_init(&c->tickets);
	if (start_crypto() || mbedtls_ctr_drbg_seed(&c->rng, mbedtls_entropy_func, &c->entropy, NULL, 0) ||
		mbedtls_ssl_config_defaults(
			&c->ssl, endpoint, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT) ||
		mbedtls_ssl_conf_alpn_protocols(&c->ssl, protocols)) {
		err_set(err, ERR_INTERNAL, "TLS cannot be set up");
		tls_config_drop(c);
		return NULL;
	}
	mbedtls_ssl_conf_rng(&c->ssl, mbedtls_ctr_drbg_random, &c->rng);
	mbedtls_ssl_conf_ciphersuites(&c->ssl, suites);
	set_versions(&c->ssl);
	return c;
}

// ---- files ----

typedef int parse_fn(struct tls_config *c, const unsigned char *text, size_t len);

static int parse_cert(struct tls_config *c, const unsigned char *text, size_t len)
{
	return mbedtls_x509_crt_parse(&c->cert, text, len);
}

static int parse_ca(struct tls_config *c, const unsigned char *text, size_t len)
{
	return mbedtls_x509_crt_parse(&c->ca, text, len);
}

// The library counts the NUL behind PEM, and must not see one behind DER.
static int parse_file(struct tls_config *c, parse_fn *parse, const char *what, const char *path, struct err *err)
{
	struct buf b = { .max = PEM_FILE_MAX };
	struct stat st;
	const char *why;
	int rc = file_read(path, &b, &st, &why);
	if (rc < 0)
		err_set(err, ERR_INTERNAL, "cannot read the %s %s: %s", what, path, why);
	else if ((rc = parse(c, (unsigned char *)b.data, b.len + (strstr(buf_text(&b), "-----BEGIN ") != NULL))) != 0)
		err_set(err, ERR_INTERNAL, "the %s %s cannot be used: PEM or DER was expected (mbedTLS error -0x%04x)",
			what, path, (unsigned)(rc < 0 ? -rc : 1));
	if (b.data)
		explicit_bzero(b.data, b.len);
	buf_release(&b);
	return rc ? -1 : 0;
}

static int fill_server(struct tls_config *c, const struct tls_files *f, struct err *err)
{
	if (parse_file(c, parse_cert, "certificate", f->cert, err) < 0 ||
		parse_file(c, parse_key, "key", f->key, err) < 0)
		return -1;
	if (check_pair(c) || mbedtls_ssl_conf_own_cert(&c->ssl, &c->cert, &c->key))
		return err_set(err, ERR_INTERNAL, "the key %s is not that of the certificate %s", f->key, f->cert);
	if (mbedtls_ssl_ticket_setup(
		    &c->tickets, mbedtls_ctr_drbg_random, &c->rng, MBEDTLS_CIPHER_AES_256_GCM, TICKET_SECONDS))
		return err_set(err, ERR_INTERNAL, "TLS cannot be set up");
	mbedtls_ssl_conf_session_tickets_cb(&c->ssl, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse, &c->tickets);
	if (!f->ca)
		return 0;
	if (parse_file(c, parse_ca, "CA certificate", f->ca, err) < 0)
		return -1;
	mbedtls_ssl_conf_ca_chain(&c->ssl, &c->ca, NULL);
	mbedtls_ssl_conf_authmode(&c->ssl, MBEDTLS_SSL_VERIFY_REQUIRED);
	return 0;
}

struct tls_config *tls_server_config(const struct tls_files *files, struct err *err)
{
	struct tls_config *c = new_config(MBEDTLS_SSL_IS_SERVER, err);
	if (!c || fill_server(c, files, err) == 0)
		return c;
	tls_config_drop(c);
	return NULL;
}

// A certificate of the system's bundle that we cannot read is not one we need.
static int fill_client(struct tls_config *c, const struct tls_files *f, struct err *err)
{
	static const char *const bundles[] = { "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/cert.pem" };
	bool found = false;
	if (f->ca && parse_file(c, parse_ca, "CA certificate", f->ca, err) < 0)
		return -1;
	for (size_t i = 0; !f->ca && !found && i < sizeof(bundles) / sizeof(bundles[0]); i++)
		found = mbedtls_x509_crt_parse_file(&c->ca, bundles[i]) >= 0;
	if (!f->ca && !found)
		return err_set(err, ERR_INTERNAL, "no certificates of the system were found; give --tls-ca FILE");
	mbedtls_ssl_conf_ca_chain(&c->ssl, &c->ca, NULL);
	mbedtls_ssl_conf_authmode(&c->ssl, MBEDTLS_SSL_VERIFY_REQUIRED);
	return 0;
}

struct tls_config *tls_client_config(const struct tls_files *files, struct err *err)
{
	struct tls_config *c = new_config(MBEDTLS_SSL_IS_CLIENT, err);
	if (!c || fill_client(c, files, err) == 0)
		return c;
	tls_config_drop(c);
	return NULL;
}

// ---- bytes ----

static int put(void *ctx, const unsigned char *data, size_t len)
{
	struct tls *t = ctx;
	ssize_t n = send(t->fd, data, len, MSG_NOSIGNAL);
	if (n >= 0)
		return (int)n;
	return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

static int get(void *ctx, unsigned char *data, size_t len)
{
	struct tls *t = ctx;
	ssize_t n = read(t->fd, data, len);
	if (n >= 0)
		return (int)n;
	return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

struct tls *tls_new(struct tls_config *c, int fd, const char *host)
{
	struct tls *t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->fd = fd;
	t->config = c;
	c->users++;
	mbedtls_ssl_init(&t->ssl);
	mbedtls_ssl_set_bio(&t->ssl, t, put, get, NULL);
	if (mbedtls_ssl_setup(&t->ssl, &c->ssl) || (host && mbedtls_ssl_set_hostname(&t->ssl, host))) {
		tls_free(t);
		return NULL;
	}
	return t;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	mbedtls_ssl_free(&t->ssl);
	tls_config_drop(t->config);
	free(t);
}

static bool is_wait(struct tls *t, int rc)
{
	t->wants_write = rc == MBEDTLS_ERR_SSL_WANT_WRITE;
	return t->wants_write || rc == MBEDTLS_ERR_SSL_WANT_READ;
}

static void explain(struct tls *t, int rc)
{
	uint32_t flags = rc == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED ? mbedtls_ssl_get_verify_result(&t->ssl) : 0;
	int n = snprintf(t->problem, sizeof(t->problem),
		flags ? "its certificate is not accepted: " : "mbedTLS error -0x%04x", (unsigned)-rc);
	if (flags)
		mbedtls_x509_crt_verify_info(t->problem + n, sizeof(t->problem) - (size_t)n, "", flags);
	char *end = strchr(t->problem, '\n');
	if (end)
		*end = '\0';
}

int tls_handshake(struct tls *t)
{
	int rc = mbedtls_ssl_handshake(&t->ssl);
	if (!rc)
		t->wants_write = false;
	if (!rc || is_wait(t, rc))
		return !rc;
	explain(t, rc);
	return -1;
}

static ssize_t result(struct tls *t, int rc)
{
	if (rc >= 0) {
		t->wants_write = false;
		return rc;
	}
	if (rc == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY || rc == MBEDTLS_ERR_SSL_CONN_EOF)
		return 0;
	errno = is_wait(t, rc) ? EAGAIN : EIO;
	if (errno == EIO)
		explain(t, rc);
	return -1;
}

ssize_t tls_read(struct tls *t, void *data, size_t len)
{
	int rc;
	do
		rc = mbedtls_ssl_read(&t->ssl, data, len);
	while (is_ticket(rc));
	return result(t, rc);
}

// A record that could not be sent whole is in the library: the call is given again
// with the same length, whatever has come behind it meanwhile.
ssize_t tls_write(struct tls *t, const void *data, size_t len)
{
	if (t->unfinished)
		len = t->unfinished;
	int rc = mbedtls_ssl_write(&t->ssl, data, len);
	t->unfinished = rc == MBEDTLS_ERR_SSL_WANT_WRITE || rc == MBEDTLS_ERR_SSL_WANT_READ ? len : 0;
	return result(t, rc);
}

bool tls_wants_write(const struct tls *t)
{
	return t->wants_write;
}

void tls_end(struct tls *t)
{
	mbedtls_ssl_close_notify(&t->ssl);
}

const char *tls_problem(const struct tls *t)
{
	return t->problem;
}
