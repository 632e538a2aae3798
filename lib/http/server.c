// Listening, and who may have a place.
#include "http/server.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { ACCEPT_BATCH = 64, ACCEPT_PAUSE_MS = 100 };

static void want_all(struct http_server *s, uint32_t events)
{
	for (size_t i = 0; i < s->nlisteners; i++)
		loop_want(s->loop, &s->listeners[i].source, events);
}

static void accept_again(struct timer *t)
{
	want_all(container_of(t, struct http_server, accept_again), EPOLLIN);
}

int http_server_init(struct http_server *s, struct loop *l, const struct http_handler *h, void *ctx)
{
	*s = (struct http_server){ .loop = l, .handler = h, .ctx = ctx };
	list_init(&s->conns);
	list_init(&s->waiting);
	list_init(&s->dirty);
	work_init(&s->flush, http_flush_all);
	timer_init(&s->accept_again, accept_again);
	s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	s->read_buf = malloc(HTTP_READ_SIZE);
	if (s->read_buf)
		return 0;
	errno = ENOMEM;
	return -1;
}

static bool is_same_host(const union net_address *a, const union net_address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	// One host has a whole /64 of them.
	return !memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 8);
}

static bool has_too_many(const struct http_server *s, const union net_address *peer)
{
	size_t n = 0;
	if ((peer->any.sa_family != AF_INET && peer->any.sa_family != AF_INET6) || net_is_loopback(peer))
		return false;
	list_for (pos, &s->conns)
		n += is_same_host(&list_entry(pos, struct http_conn, link)->peer, peer);
	return n >= HTTP_PEER_MAX;
}

// Who waits longest is first; nhandshakes says that there is one.
static void drop_oldest_handshake(struct http_server *s)
{
	list_for (pos, &s->waiting) {
		struct http_conn *c = list_entry(pos, struct http_conn, waiting);
		if (c->phase == HTTP_HANDSHAKE) {
			http_conn_close(c);
			return;
		}
	}
}

// Who has waited longest without a complete request gives way, and so does the
// oldest handshake: silent peers must not keep the others out.
static bool make_place(struct http_server *s)
{
	if (s->tls && s->nhandshakes >= HTTP_HANDSHAKES_MAX)
		drop_oldest_handshake(s);
	if (s->nconns < HTTP_CONNECTIONS_MAX)
		return true;
	if (list_empty(&s->waiting))
		return false;
	http_conn_close(list_entry(s->waiting.next, struct http_conn, waiting));
	return true;
}

static struct http_conn *new_conn(struct http_server *s, int fd, const union net_address *peer)
{
	struct http_conn *c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->server = s;
	c->source.fn = http_conn_ready;
	c->uid = -1;
	c->peer = *peer;
	c->phase = HTTP_REQUEST;
	c->since_ms = s->loop->now_ms;
	timer_init(&c->timer, http_conn_timer);
	list_init(&c->dirty);
	if (s->tls) {
		c->phase = HTTP_HANDSHAKE;
		c->tls = tls_new(s->tls, fd, NULL);
	}
	if ((s->tls && !c->tls) || loop_add(s->loop, &c->source, fd, EPOLLIN) < 0) {
		tls_free(c->tls);
		free(c);
		return NULL;
	}
	return c;
}

int http_server_take(struct http_server *s, int fd, const union net_address *peer)
{
	int one = 1;
	struct http_conn *c = NULL;
	if (!has_too_many(s, peer) && make_place(s))
		c = new_conn(s, fd, peer);
	if (!c) {
		close(fd);
		return -1;
	}
	if (peer->any.sa_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	s->nconns++;
	s->nhandshakes += c->tls != NULL;
	list_append(&s->conns, &c->link);
	list_append(&s->waiting, &c->waiting);
	http_conn_arm(c);
	return 0;
}

// With no descriptor left a level-triggered accept would spin: one client is
// turned away with the spare one, then there is a pause.
static void out_of_descriptors(struct http_server *s, int listen_fd)
{
	log_warn("http: out of descriptors, a client is turned away");
	if (s->spare_fd >= 0)
		close(s->spare_fd);
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	want_all(s, 0);
	timer_set(s->loop, &s->accept_again, ACCEPT_PAUSE_MS);
}

static void listener_ready(struct source *src, uint32_t events)
{
	struct http_server *s = container_of(src, struct http_listener, source)->server;
	(void)events;
	for (int i = 0; i < ACCEPT_BATCH && src->fd >= 0; i++) {
		union net_address peer = { .any = { .sa_family = AF_UNSPEC } };
		socklen_t size = sizeof(peer);
		int fd = accept4(src->fd, &peer.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			net_unmap(&peer);
			http_server_take(s, fd, &peer);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			out_of_descriptors(s, src->fd);
		else if (errno == EINTR || errno == ECONNABORTED)
			continue;
		return;
	}
}

int http_server_listen(struct http_server *s, int fd)
{
	struct http_listener *l = &s->listeners[s->nlisteners];
	if (s->nlisteners == HTTP_LISTENERS_MAX) {
		errno = ENOSPC;
		return -1;
	}
	l->server = s;
	l->source.fn = listener_ready;
	if (listen(fd, 1024) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ||
		loop_add(s->loop, &l->source, fd, EPOLLIN) < 0)
		return -1;
	s->nlisteners++;
	return 0;
}

static void stop_listening(struct http_server *s)
{
	timer_stop(&s->accept_again);
	while (s->nlisteners) {
		int fd = loop_remove(s->loop, &s->listeners[--s->nlisteners].source);
		if (fd >= 0)
			close(fd);
	}
}

void http_server_stop(struct http_server *s)
{
	s->stopping = true;
	stop_listening(s);
	list_for_safe (pos, &s->conns) {
		struct http_conn *c = list_entry(pos, struct http_conn, link);
		if (c->ws) {
			http_ws_close(c, WS_CLOSE_NORMAL);
		} else if (c->inflight || http_unsent(c)) {
			c->closing = true;
			http_conn_touch(c);
		} else {
			http_conn_close(c);
		}
	}
}

void http_server_release(struct http_server *s)
{
	s->idle = NULL;
	stop_listening(s);
	list_for_safe (pos, &s->conns)
		http_conn_close(list_entry(pos, struct http_conn, link));
	work_cancel(&s->flush);
	if (s->spare_fd >= 0)
		close(s->spare_fd);
	tls_config_drop(s->tls);
	free(s->read_buf);
}
