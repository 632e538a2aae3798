// Where clients come in: the socket file, and who may have it.
#include "rpc/server.h"
#include "base/kernel.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int refuse(struct err *err, const char *path, const char *why)
{
	return err_set(err, ERR_INTERNAL, "cannot listen on %s: %s", path, why);
}

static void make_parents(char *path)
{
	for (char *p = path + 1; *p; p++)
		if (*p == '/') {
			*p = '\0';
			mkdir(path, 0755);
			*p = '/';
		}
}

// Between the look at an old socket and the bind nobody else may come: a lock
// on the folder, which leaves no file behind. Without it (a folder that cannot
// be opened, a stranger who holds it) the start is still right, only not safe
// against another one at the same moment.
enum { LOCK_TRIES = 50, LOCK_PAUSE_MS = 10 };

static int lock_folder(const char *path)
{
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
	const char *slash = strrchr(path, '/');
	if (!slash)
		snprintf(dir, sizeof(dir), ".");
	else
		snprintf(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; fd >= 0 && i < LOCK_TRIES && flock(fd, LOCK_EX | LOCK_NB) < 0; i++)
		poll(NULL, 0, LOCK_PAUSE_MS);
	return fd;
}

// 0 = the path is free now, -1 = it is not (*err).
static int clear_path(const char *path, const struct sockaddr_un *addr, struct err *err)
{
	struct stat st;
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : refuse(err, path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return refuse(err, path, "something that is no socket is there, it is left alone");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return refuse(err, path, strerror(errno));
	int rc = connect(fd, (const struct sockaddr *)addr, sizeof(*addr));
	int why = errno;
	close(fd);
	if (rc == 0 || why == EAGAIN || why == EINPROGRESS)
		return refuse(err, path, "another program listens there; is a zinit running already?");
	if (why != ECONNREFUSED)
		return refuse(err, path, strerror(why));
	if (unlink(path) < 0)
		return refuse(err, path, strerror(errno));
	return 0;
}

static int bind_private(int fd, const struct sockaddr_un *addr)
{
	mode_t before = umask(0177);
	int rc = bind(fd, (const struct sockaddr *)addr, sizeof(*addr));
	int saved = errno;
	umask(before);
	errno = saved;
	return rc;
}

// Nobody but the owner until the group is right.
static int open_to_group(const struct rpc_server *s, const char *path)
{
	if (s->group == (gid_t)-1)
		return 0;
	return chown(path, (uid_t)-1, s->group) < 0 || chmod(path, 0660) < 0 ? -1 : 0;
}

static void turn_away(int fd)
{
	static const char text[] = "Too many connections. Please try again later.";
	if (send(fd, text, sizeof(text) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("a client was turned away and did not listen");
	close(fd);
}

// Level-triggered accept with nothing to accept with would spin: listening rests.
enum { REST_MS = 200 };

static void rest(struct rpc_server *s)
{
	for (size_t i = 0; i < s->nlisteners; i++)
		loop_want(s->loop, &s->listeners[i].source, 0);
	timer_set(s->loop, &s->accept_again, REST_MS);
}

static void open_spare(struct rpc_server *s)
{
	if (s->spare_fd < 0)
		s->spare_fd = open("/", O_PATH | O_CLOEXEC);
}

static void accept_again(struct timer *t)
{
	struct rpc_server *s = container_of(t, struct rpc_server, accept_again);
	open_spare(s);
	for (size_t i = 0; i < s->nlisteners; i++)
		loop_want(s->loop, &s->listeners[i].source, EPOLLIN);
}

void rpc_listen_init(struct rpc_server *s)
{
	timer_init(&s->accept_again, accept_again);
	s->spare_fd = -1;
	open_spare(s);
}

// With no descriptor left the spare one is given up, so that the client can be
// taken and told.
static void accept_without_fd(struct rpc_server *s, int listen_fd)
{
	if (s->spare_fd >= 0)
		close(s->spare_fd);
	s->spare_fd = -1;
	int fd = kernel_accept(listen_fd);
	if (fd >= 0)
		turn_away(fd);
	else if (errno != EAGAIN)
		rest(s);
	open_spare(s);
}

static void listener_ready(struct source *src, uint32_t events)
{
	(void)events;
	struct rpc_server *s = container_of(src, struct rpc_listener, source)->server;
	int fd = kernel_accept(src->fd);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		accept_without_fd(s, src->fd);
	else if (fd < 0 && (errno == ENOMEM || errno == ENOBUFS))
		rest(s);
	else if (fd >= 0 && s->nconns >= RPC_CONNECTIONS_MAX)
		turn_away(fd);
	else if (fd >= 0)
		rpc_accepted(s, fd);
}

static int start(struct rpc_server *s, struct rpc_listener *l, const struct sockaddr_un *addr, struct err *err)
{
	struct stat st;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return refuse(err, l->path, strerror(errno));
	l->source.fn = listener_ready;
	l->server = s;
	if (bind_private(fd, addr) < 0 || open_to_group(s, l->path) < 0 || listen(fd, 1024) < 0 ||
		lstat(l->path, &st) < 0 || loop_add(s->loop, &l->source, fd, EPOLLIN) < 0) {
		int why = errno;
		close(fd);
		return refuse(err, l->path, strerror(why));
	}
	l->inode = st.st_ino;
	l->device = st.st_dev;
	return 0;
}

int rpc_listen(struct rpc_server *s, const char *path, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct rpc_listener *l = &s->listeners[s->nlisteners];
	if (!*path || strlen(path) >= sizeof(addr.sun_path))
		return refuse(err, path, *path ? "the path is longer than 107 bytes" : "the path is empty");
	memcpy(addr.sun_path, path, strlen(path) + 1);
	memcpy(l->path, path, strlen(path) + 1);
	make_parents(l->path);
	int lock = lock_folder(path);
	int rc = clear_path(path, &addr, err);
	if (rc == 0)
		rc = start(s, l, &addr, err);
	if (lock >= 0)
		close(lock);
	if (rc == 0)
		s->nlisteners++;
	return rc;
}

// Another init may have put its own socket there meanwhile.
void rpc_unlisten(struct rpc_listener *l)
{
	struct stat st;
	int fd = loop_remove(l->server->loop, &l->source);
	if (fd >= 0)
		close(fd);
	if (lstat(l->path, &st) == 0 && st.st_ino == l->inode && st.st_dev == l->device)
		unlink(l->path);
}
