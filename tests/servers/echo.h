// What the two test servers share: a port of 127.0.0.1, and the loop.
#include "http/server.h"
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct loop loop;
static struct http_server server;

static void on_signal(void *ctx, const struct signalfd_siginfo *si)
{
	(void)ctx;
	(void)si;
	loop_quit(&loop);
}

// Port 0: any free one. Prints the port once clients can connect.
static int serve(int argc, char **argv, const struct http_handler *h)
{
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(addr);
	sigset_t set;
	addr.sin_port = htons((uint16_t)strtoul(argc > 1 ? argv[1] : "0", NULL, 10));
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (loop_init(&loop) < 0 || loop_signals(&loop, &set, on_signal, NULL) < 0 ||
		http_server_init(&server, &loop, h, NULL) < 0 ||
		bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || http_server_listen(&server, fd) < 0 ||
		getsockname(fd, (struct sockaddr *)&addr, &size) < 0) {
		perror(argv[0]);
		return 1;
	}
	printf("127.0.0.1:%u\n", (unsigned)ntohs(addr.sin_port));
	fflush(stdout);
	loop_run(&loop);
	http_server_release(&server);
	loop_release(&loop);
	return 0;
}
