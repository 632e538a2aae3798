// The floor under TLS handshakes: mbedTLS alone, one connection after the other, each
// ended when its handshake is done. Arguments: certificate, key. Prints its port.
#include <arpa/inet.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#if MBEDTLS_VERSION_MAJOR >= 3
#error "this floor is written for mbedTLS 2"
#endif

static mbedtls_ssl_config config;
static mbedtls_x509_crt cert;
static mbedtls_pk_context key;
static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context rng;

static int set_up(const char *cert_path, const char *key_path)
{
	static const int suites[] = { MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, 0 };
	static const mbedtls_ecp_group_id curves[] = { MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_NONE };
	mbedtls_ssl_config_init(&config);
	mbedtls_x509_crt_init(&cert);
	mbedtls_pk_init(&key);
	mbedtls_entropy_init(&entropy);
	mbedtls_ctr_drbg_init(&rng);
	if (mbedtls_ctr_drbg_seed(&rng, mbedtls_entropy_func, &entropy, NULL, 0) ||
		mbedtls_ssl_config_defaults(
			&config, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT) ||
		mbedtls_x509_crt_parse_file(&cert, cert_path) || mbedtls_pk_parse_keyfile(&key, key_path, NULL))
		return -1;
	mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &rng);
	mbedtls_ssl_conf_ciphersuites(&config, suites);
	mbedtls_ssl_conf_curves(&config, curves);
	return mbedtls_ssl_conf_own_cert(&config, &cert, &key);
}

static void serve(int fd)
{
	mbedtls_net_context net = { .fd = fd };
	mbedtls_ssl_context ssl;
	unsigned char byte;
	int one = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	mbedtls_ssl_init(&ssl);
	if (!mbedtls_ssl_setup(&ssl, &config)) {
		mbedtls_ssl_set_bio(&ssl, &net, mbedtls_net_send, mbedtls_net_recv, NULL);
		if (!mbedtls_ssl_handshake(&ssl))
			mbedtls_ssl_read(&ssl, &byte, 1);
	}
	mbedtls_ssl_free(&ssl);
	close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, 0);
	if (argc < 3 || set_up(argv[1], argv[2]) || bind(l, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(l, 64) < 0 ||
		getsockname(l, (struct sockaddr *)&a, &size) < 0)
		return 1;
	printf("%d\n", ntohs(a.sin_port));
	fflush(stdout);
	for (;;)
		serve(accept(l, NULL, NULL));
}
