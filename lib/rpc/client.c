#include "rpc/client.h"
#include "base/clock.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define LEGACY_PATH "/tmp/zinit.sock"
enum { READ_SIZE = 64 * 1024 };

static int connect_to(const char *path, int flags)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	if (!*path || strlen(path) >= sizeof(addr.sun_path)) {
		errno = *path ? ENAMETOOLONG : ENOENT;
		return -1;
	}
	memcpy(addr.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	if (fd < 0)
		return -1;
	// A full backlog would block a connect for ever.
	struct timeval limit = { .tv_sec = 5 };
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

#ifdef CONFIG_LEGACY_SOCKET
// Anyone may make a socket in /tmp.
static bool is_trusted(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (!peer.uid || peer.uid == geteuid());
}

static int connect_legacy(int flags)
{
	int fd = connect_to(LEGACY_PATH, flags);
	if (fd >= 0 && !is_trusted(fd)) {
		close(fd);
		return -1;
	}
	return fd;
}
#else
static int connect_legacy(int flags)
{
	(void)flags;
	return -1;
}
#endif

static const char *advice(const char *path, int why)
{
	struct stat st;
	if (why == EACCES || why == EPERM)
		return "; it belongs to another user";
	if (why == ECONNREFUSED && stat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return "; it is not a socket";
	return why == ENAMETOOLONG ? "" : "; is 'zinit init' running?";
}

// *path is set to the one that was tried last.
static int connect_either(const char *given, int flags, const char **path, struct err *err)
{
	*path = given ? given : CONFIG_SOCKET;
	int fd = connect_to(*path, flags);
	int why = errno;
	if (fd < 0 && !given) {
		fd = connect_legacy(flags);
		if (fd >= 0)
			*path = LEGACY_PATH;
	}
	if (fd >= 0)
		return fd;
	if (!**path)
		return err_set(err, ERR_INTERNAL, "the path of the socket is empty");
	return err_set(err, ERR_INTERNAL, "cannot connect to %s: %s%s", *path,
		why == EAGAIN ? "it does not answer within 5 s" : strerror(why), advice(*path, why));
}

int client_open(struct client *c, const char *path, struct err *err)
{
	*c = (struct client){ 0 };
	c->fd = connect_either(path, 0, &c->path, err);
	return c->fd < 0 ? -1 : 0;
}

int client_connect(const char *path, struct err *err)
{
	return connect_either(path, SOCK_NONBLOCK, &path, err);
}

void client_close(struct client *c)
{
	if (c->wire)
		c->wire->close(c);
	c->wire = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	buf_release(&c->in);
}

int client_send(struct client *c, const char *text, size_t len, struct err *err)
{
	if (c->wire)
		return c->wire->send(c, text, len, err);
	while (len) {
		ssize_t n = send(c->fd, text, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, ERR_INTERNAL, "cannot send to the daemon at %s: %s", c->path,
				errno == EAGAIN ? "it does not read within 5 s" : strerror(errno));
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

static int wait_readable(struct client *c, int timeout_ms)
{
	uint64_t until = clock_mono_ms() + (uint64_t)(timeout_ms < 0 ? 0 : timeout_ms);
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	for (;;) {
		uint64_t now = clock_mono_ms();
		int rc = poll(&p, 1, timeout_ms < 0 ? -1 : now >= until ? 0 : (int)(until - now));
		if (rc >= 0 || errno != EINTR)
			return rc;
	}
}

static int hung_up(struct client *c, struct err *err)
{
	if (c->in.len > c->used) // without a newline: what a daemon that is full says
		return err_set(err, ERR_INTERNAL, "the daemon at %s says: %.*s", c->path, (int)(c->in.len - c->used),
			c->in.data + c->used);
	return err_set(err, ERR_INTERNAL, "the daemon at %s closed the connection without an answer", c->path);
}

int client_line(struct client *c, int timeout_ms, char **line, size_t *len, struct err *err)
{
	size_t seen = 0;
	buf_consume(&c->in, c->used);
	c->used = 0;
	for (;;) {
		char *end = c->in.len > seen ? memchr(c->in.data + seen, '\n', c->in.len - seen) : NULL;
		if (end) {
			*end = '\0';
			*line = c->in.data;
			*len = (size_t)(end - c->in.data);
			c->used = *len + 1;
			return 1;
		}
		seen = c->in.len;
		int rc = wait_readable(c, timeout_ms);
		if (rc == 0)
			return 0;
		if (c->wire && rc > 0) {
			if (c->wire->more(c, err) < 0)
				return -1;
			continue;
		}
		if (buf_reserve(&c->in, READ_SIZE) < 0)
			return err_set(err, ERR_INTERNAL, "out of memory");
		ssize_t n = rc < 0 ? -1 : read(c->fd, c->in.data + c->in.len, READ_SIZE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != ECONNRESET)
			return err_set(
				err, ERR_INTERNAL, "cannot read from the daemon at %s: %s", c->path, strerror(errno));
		if (n <= 0)
			return hung_up(c, err);
		c->in.len += (size_t)n;
	}
}
