// A key and a certificate signed by itself, for a first try of TLS.
#include "http/tls.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecp.h>
#include <mbedtls/entropy.h>
#include <mbedtls/md.h>
#include <mbedtls/oid.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#if MBEDTLS_VERSION_MAJOR >= 3
#include <psa/crypto.h>
#endif

enum { PEM_MAX = 4096, SAN_MAX = 1024, SERIAL_LEN = 16, VALID_YEARS = 2, TAG_DNS = 0x82, TAG_IP = 0x87 };

struct maker {
	mbedtls_entropy_context entropy;
	mbedtls_ctr_drbg_context rng;
	mbedtls_pk_context key;
	mbedtls_x509write_cert cert;
};

#if MBEDTLS_VERSION_MAJOR >= 3
static int set_serial(struct maker *m, unsigned char *serial)
{
	return mbedtls_x509write_crt_set_serial_raw(&m->cert, serial, SERIAL_LEN);
}

static int start_crypto(void)
{
	return psa_crypto_init() == PSA_SUCCESS ? 0 : -1;
}
#else
static int set_serial(struct maker *m, unsigned char *serial)
{
	mbedtls_mpi n;
	mbedtls_mpi_init(&n);
	int rc = mbedtls_mpi_read_binary(&n, serial, SERIAL_LEN);
	if (!rc)
		rc = mbedtls_x509write_crt_set_serial(&m->cert, &n);
	mbedtls_mpi_free(&n);
	return rc;
}

static int start_crypto(void)
{
	return 0;
}
#endif

// ---- subjectAltName (RFC 5280 4.2.1.6), in DER ----

static size_t add_name(unsigned char *out, size_t room, int tag, const void *value, size_t len)
{
	if (len > 127 || room < len + 2)
		return 0;
	out[0] = (unsigned char)tag;
	out[1] = (unsigned char)len;
	memcpy(out + 2, value, len);
	return len + 2;
}

static size_t add_any(unsigned char *out, size_t room, const char *name)
{
	struct in6_addr six;
	struct in_addr four;
	if (inet_pton(AF_INET, name, &four) == 1)
		return add_name(out, room, TAG_IP, &four, sizeof(four));
	if (inet_pton(AF_INET6, name, &six) == 1)
		return add_name(out, room, TAG_IP, &six, sizeof(six));
	return add_name(out, room, TAG_DNS, name, strlen(name));
}

// SEQUENCE and a length in its shortest form.
static size_t put_head(unsigned char out[4], size_t len)
{
	size_t n = 0;
	out[n++] = 0x30;
	if (len >= 256)
		out[n++] = 0x82;
	else if (len >= 128)
		out[n++] = 0x81;
	if (len >= 256)
		out[n++] = (unsigned char)(len >> 8);
	out[n++] = (unsigned char)len;
	return n;
}

static int set_names(struct maker *m, const char *const *names)
{
	static const char *const local[] = { "127.0.0.1", "::1" };
	enum { HEAD_MAX = 4 };
	unsigned char san[HEAD_MAX + SAN_MAX], head[HEAD_MAX], *at = san + HEAD_MAX;
	size_t n = 0;
	for (; *names; names++)
		n += add_any(at + n, SAN_MAX - n, *names);
	for (size_t i = 0; i < 2; i++)
		n += add_any(at + n, SAN_MAX - n, local[i]);
	size_t h = put_head(head, n);
	memcpy(at - h, head, h);
	return mbedtls_x509write_crt_set_extension(&m->cert, MBEDTLS_OID_SUBJECT_ALT_NAME,
		MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME), 0, at - h, h + n);
}

// ---- certificate ----

static int set_validity(struct maker *m)
{
	char from[16], to[16];
	time_t now = time(NULL);
	struct tm tm;
	if (!gmtime_r(&now, &tm) || !strftime(from, sizeof(from), "%Y%m%d000000", &tm))
		return -1;
	tm.tm_year += VALID_YEARS;
	tm.tm_mday = tm.tm_mon == 1 && tm.tm_mday == 29 ? 28 : tm.tm_mday;
	if (!strftime(to, sizeof(to), "%Y%m%d000000", &tm))
		return -1;
	return mbedtls_x509write_crt_set_validity(&m->cert, from, to);
}

static int make(struct maker *m, const char *const *names, unsigned char *cert_pem, unsigned char *key_pem)
{
	unsigned char serial[SERIAL_LEN] = { 0 };
	int rc = start_crypto();
	if (!rc)
		rc = mbedtls_ctr_drbg_seed(&m->rng, mbedtls_entropy_func, &m->entropy, NULL, 0);
	if (!rc)
		rc = mbedtls_pk_setup(&m->key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
	if (!rc)
		rc = mbedtls_ecp_gen_key(
			MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(m->key), mbedtls_ctr_drbg_random, &m->rng);
	if (!rc)
		rc = mbedtls_ctr_drbg_random(&m->rng, serial, sizeof(serial));
	serial[0] &= 0x7f;
	mbedtls_x509write_crt_set_version(&m->cert, MBEDTLS_X509_CRT_VERSION_3);
	mbedtls_x509write_crt_set_md_alg(&m->cert, MBEDTLS_MD_SHA256);
	mbedtls_x509write_crt_set_subject_key(&m->cert, &m->key);
	mbedtls_x509write_crt_set_issuer_key(&m->cert, &m->key);
	if (rc || (rc = set_serial(m, serial)) || (rc = mbedtls_x509write_crt_set_subject_name(&m->cert, "CN=zinit")) ||
		(rc = mbedtls_x509write_crt_set_issuer_name(&m->cert, "CN=zinit")) || (rc = set_validity(m)) ||
		(rc = mbedtls_x509write_crt_set_basic_constraints(&m->cert, 0, -1)) || (rc = set_names(m, names)) ||
		(rc = mbedtls_x509write_crt_pem(&m->cert, cert_pem, PEM_MAX, mbedtls_ctr_drbg_random, &m->rng)))
		return rc;
	return mbedtls_pk_write_key_pem(&m->key, key_pem, PEM_MAX);
}

static int fingerprint(const unsigned char *pem, char *out)
{
	unsigned char hash[32];
	mbedtls_x509_crt cert;
	mbedtls_x509_crt_init(&cert);
	int rc = mbedtls_x509_crt_parse(&cert, pem, strlen((const char *)pem) + 1);
	if (!rc)
		rc = mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), cert.raw.p, cert.raw.len, hash);
	mbedtls_x509_crt_free(&cert);
	for (size_t i = 0; !rc && i < sizeof(hash); i++)
		snprintf(out + 3 * i, 4, "%02X%s", hash[i], i + 1 < sizeof(hash) ? ":" : "");
	return rc;
}

// What is there stays: a key that is in use must not be lost.
static int write_new(const char *path, const unsigned char *text, mode_t mode, struct err *err)
{
	size_t len = strlen((const char *)text);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return err_set(err, ERR_INTERNAL, "cannot write %s: %s", path, strerror(errno));
	bool good = write(fd, text, len) == (ssize_t)len;
	int why = errno;
	if (close(fd) < 0 || !good) {
		unlink(path);
		return err_set(err, ERR_INTERNAL, "cannot write %s: %s", path, strerror(why));
	}
	return 0;
}

int tls_self_signed(const char *cert_path, const char *key_path, const char *const *names,
	char out[TLS_FINGERPRINT_MAX], struct err *err)
{
	static unsigned char cert_pem[PEM_MAX], key_pem[PEM_MAX];
	struct maker m;
	mbedtls_entropy_init(&m.entropy);
	mbedtls_ctr_drbg_init(&m.rng);
	mbedtls_pk_init(&m.key);
	mbedtls_x509write_crt_init(&m.cert);
	int rc = make(&m, names, cert_pem, key_pem);
	if (!rc)
		rc = fingerprint(cert_pem, out);
	mbedtls_x509write_crt_free(&m.cert);
	mbedtls_pk_free(&m.key);
	mbedtls_ctr_drbg_free(&m.rng);
	mbedtls_entropy_free(&m.entropy);
	if (rc)
		return err_set(
			err, ERR_INTERNAL, "no certificate could be made (mbedTLS error -0x%04x)", (unsigned)-rc);
	if (write_new(key_path, key_pem, 0600, err) < 0)
		return -1;
	if (write_new(cert_path, cert_pem, 0644, err) == 0)
		return 0;
	unlink(key_path);
	return -1;
}
