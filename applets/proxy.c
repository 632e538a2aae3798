// HTTP and WebSocket clients of init's JSON-RPC: everything is put together here.
#include "applet.h"
#include "call.h"
#include "base/log.h"
#include "http/gateway.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	OPT_FD = OPT_FIRST_LONG,
	OPT_CONNECTION_FD,
	OPT_ALLOW_ORIGIN,
	OPT_ALLOW_HOST,
	OPT_ANY_USER,
	OPT_INSECURE,
	OPT_READ_ONLY,
	OPT_TOKEN_FILE,
	OPT_TLS_CERT,
	OPT_TLS_KEY,
	OPT_TLS_CA,
	OPT_TLS_SELF_SIGNED,
	END_MS = 5000, // for requests in flight, after a signal
	HELPER_END_MS = 1000, // init is waiting
	DESCRIPTORS = 1024,
};

APPLET(proxy, "", "serve HTTP and WebSocket clients until ended") = {
	{ 'a', "address", "ADDR", "IP:PORT, localhost:PORT or unix:PATH (default: 127.0.0.1:8080)" },
	{ OPT_FD, "fd", "N", "listen on an inherited descriptor" },
	{ OPT_CONNECTION_FD, "connection-fd", "N", "serve one inherited connection, then end" },
	{ OPT_ALLOW_ORIGIN, "allow-origin", "ORIGIN", "web pages of this origin may call; '*': of any (give several)" },
	{ OPT_ALLOW_HOST, "allow-host", "NAME", "a name clients may call us in Host; '*': any (give several)" },
	{ OPT_ANY_USER, "any-local-user", NULL, "on loopback, serve other users than root and our own" },
	{ OPT_INSECURE, "insecure", NULL, "serve the network without tokens or client certificates" },
	{ OPT_READ_ONLY, "read-only", NULL, "only methods that change nothing" },
	{ OPT_TOKEN_FILE, "token-file", "FILE", "one token a line; clients must send one (read again on SIGHUP)" },
	{ OPT_TLS_CERT, "tls-cert", "FILE", "serve TLS with this certificate (PEM; read again on SIGHUP)" },
	{ OPT_TLS_KEY, "tls-key", "FILE", "and this key" },
	{ OPT_TLS_CA, "tls-client-ca", "FILE", "clients must show a certificate of this CA" },
	{ OPT_TLS_SELF_SIGNED, "tls-self-signed", NULL, "first write a new key and certificate to these files" },
	{ 0, NULL, NULL, NULL },
};
//config: depends on CLIENT
//config: select HTTP
//config: help
//config:   About 6 KB, and the HTTP code below it: about 65 KB in all.

struct proxy {
	struct loop loop;
	struct gateway gateway;
	struct timer end;
	const struct cli *cli;
	const char *unix_path; // ours, to be removed
	bool network; // somebody else than this machine can connect
	bool tls;
	bool helper; // of init: it said what there is to say
};

static struct proxy p;

// ---- listening ----

static int add_listener(int fd, const char *name)
{
	union net_address a;
	if (net_own(fd, &a) < 0)
		return fail("cannot use descriptor %d: %s", fd, strerror(errno));
	bool is_unix = a.any.sa_family == AF_UNIX;
	p.network = p.network || (!is_unix && !net_is_loopback(&a));
	if (http_server_listen(&p.gateway.server, fd) < 0)
		return fail("cannot listen on %s: %s", name, strerror(errno));
	return 0;
}

// A socket that nobody listens on is replaced; anything else is left alone.
static int listen_unix(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct stat st;
	if (!*path || strlen(path) >= sizeof(addr.sun_path))
		return fail("unix:%s: a path of 1 to 107 bytes is needed", path);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) &&
		connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 && errno == ECONNREFUSED)
		unlink(path);
	umask(0177);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return fail("cannot listen on %s: %s", path, strerror(errno));
	p.unix_path = path;
	return add_listener(fd, path);
}

static int listen_ip(const union net_address *a, const char *name)
{
	int fd = net_listen(a);
	return fd < 0 ? fail("cannot listen on %s: %s", name, strerror(errno)) : add_listener(fd, name);
}

// Both of its addresses, where the machine has both, on one port.
static int listen_localhost(const char *port)
{
	char text[NET_TEXT_MAX];
	union net_address four, six;
	snprintf(text, sizeof(text), "127.0.0.1:%s", port);
	if (net_parse(text, &four) < 0)
		return fail("localhost:%s: a port from 0 to 65535 is needed", port);
	int fd = net_listen(&four);
	if (fd < 0 || net_own(fd, &four) < 0)
		return fail("cannot listen on %s: %s", text, strerror(errno));
	if (add_listener(fd, text))
		return 1;
	snprintf(text, sizeof(text), "[::1]:%u", (unsigned)ntohs(four.in.sin_port));
	fd = net_parse(text, &six) < 0 ? -1 : net_listen(&six);
	if (fd < 0 && errno != EADDRNOTAVAIL && errno != EAFNOSUPPORT)
		return fail("cannot listen on %s: %s", text, strerror(errno));
	return fd < 0 ? 0 : add_listener(fd, text);
}

static int listen_on(const char *address)
{
	union net_address a;
	if (!strncmp(address, "unix:", 5))
		return listen_unix(address + 5);
	if (!strncmp(address, "localhost:", 10))
		return listen_localhost(address + 10);
	if (net_parse(address, &a) < 0)
		return fail("'%s' is no address: expected IP:PORT, [IP]:PORT, localhost:PORT or unix:PATH", address);
	return listen_ip(&a, address);
}

static int inherited_fd(const struct cli *cli, int id, int *fd)
{
	unsigned long long n;
	*fd = -1;
	if (!cli_value(cli, id))
		return 0;
	if (cli_number(cli, id, 0, &n) < 0)
		return 1;
	if (n > 1 << 20 || fcntl((int)n, F_GETFD) < 0)
		return fail("descriptor %llu is not open", n);
	*fd = (int)n;
	return 0;
}

static int take_connection(int fd)
{
	union net_address peer = { .any = { .sa_family = AF_UNIX } };
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || http_server_take(&p.gateway.server, fd, &peer) < 0)
		return fail("cannot serve descriptor %d: %s", fd, strerror(errno));
	return 0;
}

static int listen_all(const struct cli *cli)
{
	int fd, connection;
	bool any = false;
	if (inherited_fd(cli, OPT_FD, &fd) || inherited_fd(cli, OPT_CONNECTION_FD, &connection))
		return 1;
	if (connection >= 0)
		return take_connection(connection);
	if (fd >= 0 && add_listener(fd, "an inherited socket"))
		return 1;
	for (size_t i = 0; i < cli->nopts; i++)
		if (cli->opts[i].id == 'a') {
			any = true;
			if (listen_on(cli->opts[i].value))
				return 1;
		}
	return any || fd >= 0 ? 0 : listen_on("127.0.0.1:8080");
}

// ---- who may come ----

static int set_access(const struct cli *cli)
{
	struct access *a = &p.gateway.access;
	struct err err;
	if (access_init(a, cli->nopts, cli->nopts) < 0)
		return fail("out of memory");
	a->token_file = cli_value(cli, OPT_TOKEN_FILE);
	for (size_t i = 0; i < cli->nopts; i++) {
		const char *value = cli->opts[i].value;
		if (cli->opts[i].id == OPT_ALLOW_HOST)
			access_allow_host(a, value);
		if (cli->opts[i].id == OPT_ALLOW_ORIGIN && access_allow_origin(a, value, &err) < 0)
			return fail("%s", err.text);
	}
	if (a->token_file && access_read_tokens(a, &err) < 0)
		return fail("%s", err.text);
	p.gateway.read_only = cli_flag(cli, OPT_READ_ONLY);
	return 0;
}

static int check_network(const struct cli *cli)
{
	struct access *a = &p.gateway.access;
	bool certificates = cli_value(cli, OPT_TLS_CA);
	bool insecure = cli_flag(cli, OPT_INSECURE);
	if (p.network && !a->token_file && !certificates && !insecure)
		return fail(
			"others than this machine can reach this address: give --token-file FILE, or --tls-client-ca "
			"FILE, or, if everybody may control this machine, --insecure");
	a->any_user = cli_flag(cli, OPT_ANY_USER) || certificates || (p.network && insecure);
	return 0;
}

static int announce(void)
{
	const struct access *a = &p.gateway.access;
	char text[NET_TEXT_MAX];
	union net_address own;
	for (size_t i = 0; i < p.gateway.server.nlisteners && !p.helper; i++) {
		net_own(p.gateway.server.listeners[i].source.fd, &own);
		printf("HTTP/RPC server started at %s\n",
			own.any.sa_family == AF_UNIX ? p.unix_path : net_text(&own, text));
	}
	if (finish_output())
		return 1;
	if (p.network && a->token_file && !p.tls)
		log_warn("http: tokens go over the network in clear; see --tls-cert");
	if (a->tokens_public)
		log_warn("http: every user of this machine can read the tokens in %s", a->token_file);
	return 0;
}

// ---- TLS ----

static struct tls_files tls_files(const struct cli *cli)
{
	struct tls_files f = { cli_value(cli, OPT_TLS_CERT), cli_value(cli, OPT_TLS_KEY), cli_value(cli, OPT_TLS_CA) };
	if (cli_flag(cli, OPT_TLS_SELF_SIGNED)) {
		f.cert = f.cert ? f.cert : "zinit-cert.pem";
		f.key = f.key ? f.key : "zinit-key.pem";
	}
	return f;
}

static int write_self_signed(const struct cli *cli, const struct tls_files *f)
{
	char fingerprint[TLS_FINGERPRINT_MAX];
	const char *names[OPT_MAX + 2] = { "localhost" };
	size_t n = 1;
	struct err err;
	for (size_t i = 0; i < cli->nopts; i++)
		if (cli->opts[i].id == OPT_ALLOW_HOST && strcmp(cli->opts[i].value, "*") != 0)
			names[n++] = cli->opts[i].value;
	if (tls_self_signed(f->cert, f->key, names, fingerprint, &err) < 0)
		return fail("%s", err.text);
	printf("wrote %s and %s; SHA-256 fingerprint of the certificate: %s\n", f->cert, f->key, fingerprint);
	return 0;
}

static int set_tls(const struct cli *cli)
{
	struct tls_files f = tls_files(cli);
	struct err err;
	p.tls = f.cert || f.key || f.ca;
	if (!p.tls)
		return 0;
	if (!f.cert || !f.key)
		return usage_error(cli, "TLS needs both --tls-cert and --tls-key");
	if (cli_flag(cli, OPT_TLS_SELF_SIGNED) && write_self_signed(cli, &f))
		return 1;
	p.gateway.server.tls = tls_server_config(&f, &err);
	return p.gateway.server.tls ? 0 : fail("%s", err.text);
}

// Connections that are open keep what they began with.
static void reload(void)
{
	struct access *a = &p.gateway.access;
	struct tls_files f = tls_files(p.cli);
	struct err err;
	if (a->token_file && access_read_tokens(a, &err) < 0)
		log_error("http: %s; the old tokens stay", err.text);
	if (!p.tls)
		return;
	struct tls_config *now = tls_server_config(&f, &err);
	if (!now) {
		log_error("http: %s; the old certificate stays", err.text);
		return;
	}
	tls_config_drop(p.gateway.server.tls);
	p.gateway.server.tls = now;
	log_info("http: certificates and tokens were read again");
}

// ---- life ----

static void quit(struct http_server *s)
{
	(void)s;
	loop_quit(&p.loop);
}

static void quit_late(struct timer *t)
{
	(void)t;
	loop_quit(&p.loop);
}

static void on_signal(void *ctx, const struct signalfd_siginfo *si)
{
	struct http_server *s = &p.gateway.server;
	(void)ctx;
	if (si->ssi_signo == SIGHUP) {
		reload();
		return;
	}
	s->idle = quit;
	timer_set(&p.loop, &p.end, s->stopping ? 0 : p.helper ? HELPER_END_MS : END_MS);
	http_server_stop(s);
	if (!s->nconns)
		loop_quit(&p.loop);
}

static int start_loop(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	timer_init(&p.end, quit_late);
	if (loop_init(&p.loop) < 0 || loop_signals(&p.loop, &set, on_signal, NULL) < 0 ||
		gateway_init(&p.gateway, &p.loop, socket_path(p.cli)) < 0)
		return fail("cannot start: %s", strerror(errno));
	return 0;
}

static void set_limits(void)
{
	struct rlimit files, none = { 0, 0 };
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < DESCRIPTORS) {
		files.rlim_cur = files.rlim_max < DESCRIPTORS ? files.rlim_max : DESCRIPTORS;
		prlimit(0, RLIMIT_NOFILE, &files, NULL);
	}
	prlimit(0, RLIMIT_CORE, &none, NULL);
}

// As init's helper: of root only what the file system gives to its owner, and
// nothing more by any exec.
static void give_up_privileges(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0 } };
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	for (unsigned long cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		;
	syscall(SYS_capset, &head, none);
}

static int check_init(const struct cli *cli)
{
	struct client c;
	struct err err;
	if (client_open(&c, socket_path(cli), &err) < 0)
		return fail("%s", err.text);
	client_close(&c);
	return 0;
}

static int run(struct cli *cli)
{
	p.helper = cli_value(cli, OPT_FD) || cli_value(cli, OPT_CONNECTION_FD);
	if (cli->argc)
		return usage_error(cli, "unexpected argument '%s'", cli->argv[0]);
	if (cli->debug)
		log_set_level(LOG_DEBUG);
	p.cli = cli;
	set_limits();
	if ((!p.helper && check_init(cli)) || start_loop() || set_access(cli) || set_tls(cli) || listen_all(cli) ||
		check_network(cli))
		return 1;
	if (cli_value(cli, OPT_CONNECTION_FD))
		p.gateway.server.idle = quit;
	else
		gateway_connect(&p.gateway);
	if (p.helper)
		give_up_privileges();
	if (announce())
		return 1;
	loop_run(&p.loop);
	if (p.unix_path)
		unlink(p.unix_path);
	gateway_release(&p.gateway);
	loop_release(&p.loop);
	return 0;
}
