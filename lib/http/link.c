#include "http/link.h"
#include "rpc/client.h"
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_SIZE = 64 * 1024 };

static void charge(struct link *l)
{
	size_t now = l->in.cap + l->out.cap;
	*l->held += now - l->charged;
	l->charged = now;
}

void link_close(struct link *l)
{
	int fd = loop_remove(l->loop, &l->source);
	if (fd >= 0)
		close(fd);
	work_cancel(&l->flush);
	buf_release(&l->in);
	buf_release(&l->out);
	charge(l);
	l->seen = l->sent = 0;
	l->paused = false;
}

static void fail(struct link *l)
{
	link_close(l);
	l->closed(l);
}

static void want(struct link *l)
{
	loop_want(l->loop, &l->source, (l->paused ? 0 : EPOLLIN) | (link_unsent(l) ? EPOLLOUT : 0));
}

static bool flush(struct link *l)
{
	while (link_unsent(l)) {
		ssize_t n = send(l->source.fd, l->out.data + l->sent, link_unsent(l), MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		l->sent += (size_t)n;
	}
	l->sent = 0;
	if (l->out.cap > READ_SIZE)
		buf_release(&l->out);
	buf_clear(&l->out);
	charge(l);
	return true;
}

static void flush_work(struct work *w)
{
	struct link *l = container_of(w, struct link, flush);
	if (l->out.failed || !flush(l))
		fail(l);
	else
		want(l);
	if (link_is_open(l) && !link_unsent(l) && l->drained)
		l->drained(l);
}

void link_wrote(struct link *l)
{
	charge(l);
	work_queue(l->loop, &l->flush);
}

void link_pause(struct link *l, bool pause)
{
	if (l->paused == pause || !link_is_open(l))
		return;
	l->paused = pause;
	want(l);
}

// Lines may close the link, even open it anew: what was read is gone then. They
// may pause it: the rest is kept.
static void take_lines(struct link *l)
{
	size_t done = 0;
	unsigned before = l->opened;
	while (done < l->in.len) {
		char *from = l->in.data + done + l->seen;
		char *end = memchr(from, '\n', l->in.len - done - l->seen);
		if (!end) {
			l->seen = l->in.len - done;
			break;
		}
		size_t len = (size_t)(end - (l->in.data + done));
		l->seen = 0;
		l->line(l, l->in.data + done, len);
		if (!link_is_open(l) || l->opened != before)
			return;
		done += len + 1;
	}
	buf_consume(&l->in, done);
	if (!l->in.len && l->in.cap > READ_SIZE)
		buf_release(&l->in);
	charge(l);
}

static void ready(struct source *src, uint32_t events)
{
	struct link *l = container_of(src, struct link, source);
	if (events & EPOLLOUT)
		link_wrote(l);
	if (l->paused && !(events & (EPOLLHUP | EPOLLERR)))
		return;
	if (buf_reserve(&l->in, READ_SIZE) < 0) {
		fail(l);
		return;
	}
	ssize_t n = read(src->fd, l->in.data + l->in.len, READ_SIZE);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		fail(l);
		return;
	}
	l->in.len += (size_t)n;
	take_lines(l);
}

void link_init(struct link *l, struct loop *loop, size_t *held, void (*line)(struct link *, char *, size_t),
	void (*closed)(struct link *))
{
	*l = (struct link){
		.loop = loop, .source = { .fd = -1, .fn = ready }, .held = held, .line = line, .closed = closed
	};
	work_init(&l->flush, flush_work);
}

int link_open(struct link *l, const char *path, struct err *err)
{
	int fd = client_connect(path, err);
	if (fd < 0)
		return -1;
	if (loop_add(l->loop, &l->source, fd, EPOLLIN) == 0) {
		l->opened++;
		return 0;
	}
	close(fd);
	return err_set(err, ERR_INTERNAL, "cannot watch the connection to init: %s", strerror(errno));
}
