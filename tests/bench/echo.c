// echo SOCKET BYTES: what any server on a Unix socket costs: epoll, read, one
// write of a constant answer of BYTES bytes (with its newline) for each line read.
#include "board.h"
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { SIZE = 64 * 1024, AT_ONCE = 64 };

static char in[SIZE], out[AT_ONCE * SIZE];

static void serve(int fd, size_t bytes)
{
	ssize_t n = read(fd, in, sizeof in);
	size_t lines = 0;

	if (n <= 0) {
		close(fd);
		return;
	}
	for (char *p = in; (p = memchr(p, '\n', (size_t)(in + n - p))); p++)
		lines++;
	while (lines) {
		size_t now = lines < AT_ONCE ? lines : AT_ONCE;
		for (size_t sent = 0; sent < now * bytes;) {
			ssize_t w = write(fd, out + sent, now * bytes - sent);
			if (w <= 0)
				return;
			sent += (size_t)w;
		}
		lines -= now;
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct epoll_event events[16], e = { .events = EPOLLIN };
	size_t bytes = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), ep = epoll_create1(0);

	if (!bytes || bytes > SIZE || strlen(argv[1]) >= sizeof addr.sun_path)
		return 111;
	memset(out, 'x', AT_ONCE * bytes);
	for (size_t i = 1; i <= AT_ONCE; i++)
		out[i * bytes - 1] = '\n';
	memcpy(addr.sun_path, argv[1], strlen(argv[1]));
	if (bind(listener, (struct sockaddr *)&addr, sizeof addr) || listen(listener, 64))
		return 111;
	e.data.fd = listener;
	epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e);
	for (;;) {
		int n = epoll_wait(ep, events, 16, -1);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (fd == listener) {
				e.data.fd = accept(listener, NULL, NULL);
				epoll_ctl(ep, EPOLL_CTL_ADD, e.data.fd, &e);
			} else {
				serve(fd, bytes);
			}
		}
	}
}
