// The floor under an HTTP server: epoll, and a constant answer to whatever is
// read, one for each "POST " in it. Prints its port.
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <netinet/tcp.h>
#include <unistd.h>

static const char body[] =
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"name\":\"a\",\"pid\":12,\"state\":\"Running\",\"target\":\"Up\",\"after\":{},"
	"\"restarts\":0,\"uptime\":266,\"since\":\"2026-11-25T07:11:14.336Z\"}}";
static char answer[512];
static size_t answer_len;

static void serve(int fd)
{
	static char in[65536], out[1 << 20];
	size_t len = 0;
	ssize_t n = read(fd, in, sizeof(in) - 1);
	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			close(fd);
		return;
	}
	in[n] = '\0';
	for (const char *p = in; (p = strstr(p, "POST ")); p++) {
		memcpy(out + len, answer, answer_len);
		len += answer_len;
	}
	if (write(fd, out, len) < 0)
		close(fd);
}

int main(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(a);
	int one = 1, l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), ep = epoll_create1(0);
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = l }, batch[64];
	if (bind(l, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(l, 1024) < 0 ||
		getsockname(l, (struct sockaddr *)&a, &size) < 0)
		return 1;
	epoll_ctl(ep, EPOLL_CTL_ADD, l, &ev);
	answer_len = (size_t)snprintf(answer, sizeof(answer),
		"HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-8\r\n"
		"vary: origin, access-control-request-method, access-control-request-headers\r\n"
		"content-length: %zu\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n%s",
		sizeof(body) - 1, body);
	printf("%d\n", ntohs(a.sin_port));
	fflush(stdout);
	for (;;) {
		int n = epoll_wait(ep, batch, 64, -1);
		for (int i = 0; i < n; i++) {
			if (batch[i].data.fd != l) {
				serve(batch[i].data.fd);
				continue;
			}
			int fd = accept4(l, NULL, NULL, SOCK_NONBLOCK);
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			ev.data.fd = fd;
			epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
		}
	}
}
