// system_*_http_server, and HTTP on the control socket: init binds and hands
// over, a process of its own speaks (applets/proxy.c). Its end is a log line.
#include "control/control.h"
#include "base/log.h"
#include "base/net.h"
#include "base/signame.h"
#include "proc/spawn.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 4, KILL_MS = 3000 };

static void describe(struct exit_status how, char *out, size_t size)
{
	char name[SIGNAME_MAX];
	if (how.signaled)
		snprintf(out, size, "by signal %s", signame_text(how.value, name));
	else
		snprintf(out, size, "with status %d", how.value);
}

static void ended(struct helper *h, struct exit_status how)
{
	struct http_helper *me = container_of(h, struct http_helper, helper);
	char text[64];
	bool asked = me->asked || me->control->super->halting;
	describe(how, text, sizeof(text));
	timer_stop(&me->kill);
	if (!asked && (me->kind == HTTP_HELPER_SERVER || how.signaled))
		log_error("the HTTP %s (pid %d) has ended %s",
			me->kind == HTTP_HELPER_SERVER ? "server" : "helper of one client", (int)me->pid, text);
	me->kind = HTTP_HELPER_NONE;
}

static void kill_late(struct timer *t)
{
	struct http_helper *h = container_of(t, struct http_helper, kill);
	kill(h->pid, SIGKILL);
}

static void stop(struct control *k, struct http_helper *h)
{
	h->asked = true;
	kill(h->pid, SIGTERM);
	timer_set(k->super->loop, &h->kill, KILL_MS);
}

static struct http_helper *find(struct control *k, enum http_helper_kind kind)
{
	for (size_t i = 0; i < HTTP_HELPERS_MAX; i++)
		if (k->http[i].kind == kind && !k->http[i].asked)
			return &k->http[i];
	return NULL;
}

static struct http_helper *free_place(struct control *k)
{
	for (size_t i = 0; i < HTTP_HELPERS_MAX; i++)
		if (k->http[i].kind == HTTP_HELPER_NONE)
			return &k->http[i];
	return NULL;
}

// The helper finds `fd` as its standard input.
static int start(struct control *k, enum http_helper_kind kind, int fd, struct err *err)
{
	static char program[] = "/proc/self/exe", applet[] = "proxy", zero[] = "0", option_s[] = "-s";
	static char listener[] = "--fd", connection[] = "--connection-fd", tokens[] = "--token-file";
	struct rpc_server *s = k->server;
	struct http_helper *h = free_place(k);
	struct spawn_error e;
	bool with_tokens = kind == HTTP_HELPER_SERVER && k->http_token_file;
	char *args[] = { NULL, program, applet, kind == HTTP_HELPER_SERVER ? listener : connection, zero, option_s,
		s->listeners[0].path, with_tokens ? tokens : NULL, with_tokens ? (char *)k->http_token_file : NULL,
		NULL };
	if (!h)
		return err_set(err, ERR_INTERNAL, "too many HTTP helpers are still ending");
	const struct spawn sp = { .argv = args + 1,
		.envp = k->super->base_env,
		.dir = ".",
		.stdin_fd = fd,
		.stdout_fd = STDOUT_FILENO,
		.stderr_fd = STDERR_FILENO,
		.join_fd = -1,
		.nofile = &k->super->nofile,
		.ends_with = getpid() };
	int pending_fd;
	pid_t pid = proc_spawn(&sp, &pending_fd, &e);
	if (pending_fd >= 0) // its exit status tells
		close(pending_fd);
	if (pid < 0)
		return err_set(err, ERR_INTERNAL, "the HTTP server cannot be started: %s: %s",
			spawn_stage_text(e.stage), strerror(e.errnum));
	h->kind = kind;
	h->asked = false;
	h->pid = pid;
	super_add_helper(k->super, &h->helper, pid);
	return 0;
}

// ---- methods ----

// Anybody on the network could start programs here as root.
static int check_address(const struct control *k, const char *text, union net_address *a, struct err *err)
{
	if (net_parse(text, a) < 0) {
		err_set(err, ERR_INTERNAL, "Failed to parse socket address");
		snprintf(err->cause, sizeof(err->cause), "invalid socket address syntax");
		return -1;
	}
	if (net_is_loopback(a) || k->http_token_file)
		return 0;
	return err_set(err, ERR_INTERNAL,
		"%s can be reached by others than this machine: init must be started with "
		"--http-token-file for that",
		text);
}

void system_start_http_server(struct rpc_call *c, const struct param *p)
{
	struct control *k = c->server->ctx;
	struct err err;
	union net_address a;
	char text[160];
	c->action = "starting http server";
	if (k->super->halting ? err_set(&err, ERR_SHUTTING_DOWN, "zinit is shutting down")
			      : check_address(k, p[0].text, &a, &err)) {
		rpc_fail(c, &err, NULL);
		return;
	}
	int fd = net_listen(&a), why = errno;
	struct http_helper *old = find(k, HTTP_HELPER_SERVER);
	int rc = fd < 0 ? err_set(&err, ERR_INTERNAL, "%s (os error %d)", strerror(why), why)
			: start(k, HTTP_HELPER_SERVER, fd, &err);
	if (fd >= 0)
		close(fd);
	if (rc < 0) {
		rpc_fail(c, &err, NULL);
		return;
	}
	if (old)
		stop(k, old);
	log_info("the HTTP server listens on %s", p[0].text);
	int n = snprintf(text, sizeof(text), "HTTP/RPC server started at %s", p[0].text);
	json_add_str(rpc_result_begin(c), text, (size_t)n);
	rpc_result_end(c);
}

void system_stop_http_server(struct rpc_call *c, const struct param *p)
{
	struct control *k = c->server->ctx;
	struct http_helper *h = find(k, HTTP_HELPER_SERVER);
	(void)p;
	if (h) {
		stop(k, h);
		rpc_result_null(c);
		return;
	}
	c->action = "stopping http server";
	rpc_refuse(c, ERR_INTERNAL, NULL, "No HTTP/RPC server is currently running");
}

// ---- HTTP on the control socket ----

static void turn_away(int fd)
{
	static const char text[] =
		"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n";
	char rest[4096];
	if (send(fd, text, sizeof(text) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("an HTTP client was turned away and did not listen");
	// A close with unread bytes would take the answer back.
	for (int i = 0; i < 16 && recv(fd, rest, sizeof(rest), MSG_DONTWAIT) > 0; i++)
		;
}

static int hand_over(void *ctx, int fd)
{
	struct control *k = ctx;
	struct err err;
	size_t n = 0;
	for (size_t i = 0; i < HTTP_HELPERS_MAX; i++)
		n += k->http[i].kind == HTTP_HELPER_CONNECTION;
	if (n < CONNECTIONS_MAX && start(k, HTTP_HELPER_CONNECTION, fd, &err) == 0)
		return 0;
	if (n < CONNECTIONS_MAX)
		log_warn("%s", err.text);
	turn_away(fd);
	return 0;
}

void helpers_init(struct control *c)
{
	for (size_t i = 0; i < HTTP_HELPERS_MAX; i++) {
		c->http[i].helper.ended = ended;
		c->http[i].control = c;
		timer_init(&c->http[i].kill, kill_late);
	}
	c->server->http = hand_over;
	c->server->http_ctx = c;
}
