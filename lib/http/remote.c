#include "http/remote.h"
#include "base/clock.h"
#include "http/digest.h"
#include "http/resolve.h"
#include "http/tls.h"
#include "http/ws.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAIT_MS = 5000, READ_SIZE = 64 * 1024, HEAD_MAX = 16 * 1024, TOKEN_MAX = 512, KEY_LEN = 24 };
enum { MESSAGE_MAX = 64 * 1024 * 1024 }; // a log that is larger than an answer comes in lines

struct remote {
	struct tls_config *config;
	struct tls *tls; // NULL: plain
	struct ws_reader reader;
	struct buf raw; // bytes of frames
	uint64_t until_ms; // of what is being done
};

struct url {
	bool tls;
	char host[256];
	char port[8];
	char authority[280]; // as Host wants it
};

static struct remote *remote_of(struct client *c)
{
	return c->wire_ctx;
}

bool remote_is_url(const char *socket)
{
	return !strncmp(socket, "http://", 7) || !strncmp(socket, "https://", 8);
}

// ---- address ----

// Secrets do not belong on a command line, so no user and password are taken.
static int parse_url(const char *text, struct url *u, struct err *err)
{
	u->tls = text[4] == 's';
	const char *at = text + (u->tls ? 8 : 7);
	size_t len = strcspn(at, "/?#");
	const char *close = *at == '[' ? memchr(at, ']', len) : NULL;
	const char *host = close ? at + 1 : at;
	size_t host_len = close ? (size_t)(close - host) : strcspn(at, ":/?#");
	const char *rest = close ? close + 1 : host + host_len;
	size_t port_len = len - (size_t)(rest - at);
	if (!host_len || host_len >= sizeof(u->host) || memchr(at, '@', len) || (port_len && *rest != ':') ||
		port_len > 6 || strspn(rest + !!port_len, "0123456789") != port_len - !!port_len)
		return err_set(err, ERR_INTERNAL,
			"'%s' is no address: expected http://HOST[:PORT] or https://HOST[:PORT]", text);
	memcpy(u->host, host, host_len);
	u->host[host_len] = '\0';
	memcpy(u->authority, at, len);
	u->authority[len] = '\0';
	memcpy(u->port, u->tls ? "443" : "80", u->tls ? 4 : 3);
	if (port_len > 1) {
		memcpy(u->port, rest + 1, port_len - 1);
		u->port[port_len - 1] = '\0';
	}
	return 0;
}

// A pipe is good too (a shell's <(command)), but its end is not waited for without end.
static int read_tokens(const char *path, struct buf *b, struct err *err)
{
	struct pollfd p = { .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), .events = POLLIN };
	uint64_t until = clock_mono_ms() + WAIT_MS, now = 0;
	ssize_t n = -1;
	while (p.fd >= 0 && now < until && buf_reserve(b, READ_SIZE) == 0) {
		n = read(p.fd, b->data + b->len, READ_SIZE);
		if (n > 0)
			b->len += (size_t)n;
		else if (n == 0 || errno != EAGAIN)
			break;
		now = clock_mono_ms();
		if (n < 0 && now < until)
			poll(&p, 1, (int)(until - now));
	}
	const char *why = b->failed ? strerror(EFBIG) : now >= until ? "it does not end" : strerror(errno);
	if (p.fd >= 0)
		close(p.fd);
	return n == 0 ? 0 : err_set(err, ERR_INTERNAL, "cannot read the token in %s: %s", path, why);
}

static int first_token(const char *path, char out[TOKEN_MAX], struct err *err)
{
	struct buf b = { .max = 2 * READ_SIZE };
	int rc = read_tokens(path, &b, err);
	bool found = false;
	for (char *line = rc < 0 ? NULL : buf_text(&b), *end; line && !found; line = end) {
		end = strchr(line, '\n');
		size_t skip = strspn(line, " \t\r"), len = end ? (size_t)(end++ - line) : strlen(line);
		while (len > skip && strchr(" \t\r", line[len - 1]))
			len--;
		found = len > skip && line[skip] != '#' && len - skip < TOKEN_MAX;
		if (found)
			snprintf(out, TOKEN_MAX, "%.*s", (int)(len - skip), line + skip);
	}
	buf_release(&b);
	return rc < 0 || found ? rc : err_set(err, ERR_INTERNAL, "%s holds no token", path);
}

// ---- bytes, with a limit of time ----

static void give_time(struct client *c)
{
	remote_of(c)->until_ms = clock_mono_ms() + WAIT_MS;
}

static int wait_for(struct client *c, short events, struct err *err)
{
	struct pollfd p = { .fd = c->fd, .events = events };
	for (;;) {
		uint64_t now = clock_mono_ms(), until = remote_of(c)->until_ms;
		int rc = now >= until ? 0 : poll(&p, 1, (int)(until - now));
		if (rc > 0)
			return 0;
		if (rc == 0)
			return err_set(err, ERR_INTERNAL, "%s does not answer within %d s", c->path, WAIT_MS / 1000);
		if (errno != EINTR)
			return err_set(err, ERR_INTERNAL, "cannot wait for %s: %s", c->path, strerror(errno));
	}
}

static ssize_t read_some(struct client *c, void *data, size_t len)
{
	struct tls *t = remote_of(c)->tls;
	return t ? tls_read(t, data, len) : read(c->fd, data, len);
}

static ssize_t write_some(struct client *c, const void *data, size_t len)
{
	struct tls *t = remote_of(c)->tls;
	return t ? tls_write(t, data, len) : send(c->fd, data, len, MSG_NOSIGNAL);
}

static int write_all(struct client *c, const char *data, size_t len, struct err *err)
{
	give_time(c);
	while (len) {
		ssize_t n = write_some(c, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return err_set(err, ERR_INTERNAL, "cannot send to %s: %s", c->path, strerror(errno));
		if (n < 0 && wait_for(c, POLLOUT, err) < 0)
			return -1;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
			give_time(c);
		}
	}
	return 0;
}

// ---- WebSocket ----

static int send_frame(struct client *c, enum ws_opcode opcode, const char *data, size_t len, struct err *err)
{
	struct buf b = BUF_INIT;
	uint8_t mask[4];
	char head[WS_HEAD_MAX];
	if (getrandom(mask, sizeof(mask), 0) != sizeof(mask))
		return err_set(err, ERR_INTERNAL, "no random bytes: %s", strerror(errno));
	size_t n = ws_head(head, opcode, len, mask);
	buf_add(&b, head, n);
	buf_add(&b, data, len);
	if (!b.failed)
		ws_mask(mask, 0, b.data + n, len);
	int rc = b.failed ? err_set(err, ERR_INTERNAL, "out of memory") : write_all(c, b.data, b.len, err);
	buf_release(&b);
	return rc;
}

static int send_text(struct client *c, const char *text, size_t len, struct err *err)
{
	return send_frame(c, WS_TEXT, text, len, err);
}

// Frames in c->raw become lines in c->in.
static int take_frames(struct client *c, struct err *err)
{
	struct remote *r = remote_of(c);
	size_t done = 0;
	for (;;) {
		size_t used, at, n;
		char *data = r->raw.data + done;
		enum ws_event e = ws_next(&r->reader, data, r->raw.len - done, &used, &at, &n);
		done += used;
		if (e == WS_MORE)
			break;
		if (e == WS_PIECE || e == WS_LAST)
			buf_add(&c->in, data + at, n);
		if (e == WS_LAST)
			buf_add_char(&c->in, '\n');
		if (e == WS_PING && send_frame(c, WS_OP_PONG, data + at, n, err) < 0)
			return -1;
		if (e == WS_CLOSE)
			return err_set(err, ERR_INTERNAL, "%s has closed the connection%s", c->path,
				n >= 2 && !memcmp(data + at, "\x03\xf5", 2) ? ": it lost init, or has too many clients"
									    : "");
		if (e == WS_FAIL)
			return err_set(err, ERR_INTERNAL, "%s does not speak WebSocket as it should", c->path);
	}
	buf_consume(&r->raw, done);
	return c->in.failed ? err_set(err, ERR_INTERNAL, "out of memory") : 0;
}

// Until nothing more is there: what TLS has decrypted makes no descriptor readable.
static int read_more(struct client *c, struct err *err)
{
	struct remote *r = remote_of(c);
	for (;;) {
		if (buf_reserve(&r->raw, READ_SIZE) < 0)
			return err_set(err, ERR_INTERNAL, "out of memory");
		ssize_t n = read_some(c, r->raw.data + r->raw.len, READ_SIZE);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n <= 0)
			return err_set(err, ERR_INTERNAL, "%s has closed the connection", c->path);
		r->raw.len += (size_t)n;
		if (take_frames(c, err) < 0)
			return -1;
		if (c->in.len)
			return 0;
	}
}

static void close_remote(struct client *c)
{
	struct remote *r = remote_of(c);
	struct err ignored;
	if (r->tls || r->reader.max)
		send_frame(c, WS_OP_CLOSE, "\x03\xe8", 2, &ignored);
	tls_free(r->tls);
	tls_config_drop(r->config);
	buf_release(&r->raw);
	free(r);
}

// ---- opening ----

static int try_connect(struct client *c, const union net_address *a, struct err *err)
{
	int one = 1, why = 0;
	socklen_t size = sizeof(why);
	c->fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return err_set(err, ERR_INTERNAL, "cannot connect to %s: %s", c->path, strerror(errno));
	give_time(c);
	if (connect(c->fd, &a->any, a->any.sa_family == AF_INET ? sizeof(a->in) : sizeof(a->in6)) < 0 &&
		errno != EINPROGRESS)
		why = errno;
	else if (wait_for(c, POLLOUT, err) < 0)
		why = ETIMEDOUT;
	else
		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &why, &size);
	if (!why) {
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		return 0;
	}
	close(c->fd);
	c->fd = -1;
	return err_set(err, ERR_INTERNAL, "cannot connect to %s: %s", c->path, strerror(why));
}

static int connect_to(struct client *c, const struct url *u, struct err *err)
{
	enum { ADDRESSES_MAX = 8 };
	union net_address a[ADDRESSES_MAX];
	int n = resolve_host(u->host, u->port, a, ADDRESSES_MAX, err), rc = -1;
	for (int i = 0; i < n && rc < 0; i++)
		rc = try_connect(c, &a[i], err);
	return rc;
}

static int start_tls(struct client *c, const struct url *u, const struct remote_options *o, struct err *err)
{
	struct remote *r = remote_of(c);
	const struct tls_files files = { .ca = o->ca_file };
	r->config = tls_client_config(&files, err);
	if (!r->config)
		return -1;
	r->tls = tls_new(r->config, c->fd, u->host);
	if (!r->tls)
		return err_set(err, ERR_INTERNAL, "out of memory");
	give_time(c);
	for (;;) {
		int rc = tls_handshake(r->tls);
		if (rc > 0)
			return 0;
		if (rc < 0)
			return err_set(err, ERR_INTERNAL, "no TLS with %s: %s", c->path, tls_problem(r->tls));
		if (wait_for(c, tls_wants_write(r->tls) ? POLLOUT : POLLIN, err) < 0)
			return -1;
	}
}

// The head of the answer, with a NUL behind it; what follows it stays in raw.
static int read_head(struct client *c, char **head, size_t *len, struct err *err)
{
	struct remote *r = remote_of(c);
	give_time(c);
	for (;;) {
		char *text = buf_text(&r->raw), *end = text ? strstr(text, "\r\n\r\n") : NULL;
		if (end) {
			*head = text;
			*len = (size_t)(end + 4 - text);
			return 0;
		}
		if (!text || r->raw.len > HEAD_MAX || buf_reserve(&r->raw, READ_SIZE) < 0)
			return err_set(err, ERR_INTERNAL, "%s does not speak HTTP as it should", c->path);
		ssize_t n = read_some(c, r->raw.data + r->raw.len, READ_SIZE - 1);
		if (n > 0)
			r->raw.len += (size_t)n;
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			return err_set(err, ERR_INTERNAL, "%s closed the connection instead of an answer", c->path);
		else if (wait_for(c, POLLIN, err) < 0)
			return -1;
	}
}

// What went wrong: the status, and the first line of the page that came with it.
static int refused(struct client *c, const char *head, size_t len, struct err *err)
{
	const char *status = strchr(head, ' '), *body = head + len;
	if (status && !strncmp(status, " 401", 4))
		return err_set(err, ERR_INTERNAL, "%s wants a token: give --token-file FILE", c->path);
	return err_set(err, ERR_INTERNAL, "%s refuses: %.*s%s%.*s", c->path,
		(int)(status ? strcspn(status + 1, "\r\n") : 0), status ? status + 1 : "", *body ? ": " : "",
		(int)strcspn(body, "\r\n"), body);
}

static const char *find_field(const char *head, const char *name)
{
	size_t n = strlen(name);
	for (const char *line = strstr(head, "\r\n"); line && line[2]; line = strstr(line + 2, "\r\n"))
		if (!strncasecmp(line + 2, name, n))
			return line + 2 + n + strspn(line + 2 + n, " \t");
	return "";
}

static int upgrade(struct client *c, const struct url *u, const char *token, struct err *err)
{
	struct remote *r = remote_of(c);
	struct buf b = BUF_INIT;
	uint8_t bytes[16];
	char key[KEY_LEN], accept[WS_ACCEPT_LEN], *head = NULL;
	size_t len = 0;
	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return err_set(err, ERR_INTERNAL, "no random bytes: %s", strerror(errno));
	base64_encode(bytes, sizeof(bytes), key);
	ws_accept(key, accept);
	buf_printf(&b, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n", u->authority);
	buf_printf(&b, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %.*s\r\n", KEY_LEN, key);
	if (*token)
		buf_printf(&b, "Authorization: Bearer %s\r\n", token);
	buf_add_str(&b, "\r\n");
	int rc = b.failed ? err_set(err, ERR_INTERNAL, "out of memory") : write_all(c, b.data, b.len, err);
	buf_release(&b);
	if (rc < 0 || read_head(c, &head, &len, err) < 0 || !head)
		return -1;
	if (strncmp(head, "HTTP/1.1 101", 12) != 0)
		return refused(c, head, len, err);
	if (strncmp(find_field(head, "sec-websocket-accept:"), accept, WS_ACCEPT_LEN) != 0)
		return err_set(err, ERR_INTERNAL, "%s does not speak WebSocket", c->path);
	buf_consume(&r->raw, len);
	r->reader.max = MESSAGE_MAX;
	return take_frames(c, err);
}

int remote_open(struct client *c, const struct remote_options *o, struct err *err)
{
	static const struct client_wire wire = { send_text, read_more, close_remote };
	struct url u;
	char token[TOKEN_MAX] = "";
	*c = (struct client){ .fd = -1, .path = o->url };
	if (parse_url(o->url, &u, err) < 0 || (o->token_file && first_token(o->token_file, token, err) < 0))
		return -1;
	c->wire_ctx = calloc(1, sizeof(struct remote));
	if (!c->wire_ctx)
		return err_set(err, ERR_INTERNAL, "out of memory");
	c->wire = &wire;
	if (connect_to(c, &u, err) == 0 && (!u.tls || start_tls(c, &u, o, err) == 0) && upgrade(c, &u, token, err) == 0)
		return 0;
	client_close(c);
	return -1;
}
