// react BOARD SLOT TIMES PAUSE_MS HOW...: how long until a service's successor
// executes its first instruction; prints the median in nanoseconds. HOW is one of
//   rpc SOCKET SERVICE   a service_restart call on a connection that is open already
//   fifo PATH            one byte 't' into a runit or s6 control pipe
//   fork PROGRAM         the floor: fork and exec of the program itself
#include "board.h"
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static int target(char **how)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	if (strcmp(how[0], "fork") == 0)
		return -1;
	if (strcmp(how[0], "fifo") == 0)
		return open(how[1], O_WRONLY | O_NONBLOCK);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(to.sun_path, sizeof to.sun_path, "%s", how[1]);
	return connect(fd, (struct sockaddr *)&to, sizeof to) ? -1 : fd;
}

int main(int argc, char **argv)
{
	if (argc < 7)
		return 111;
	struct board *b = board_open(argv[1]);
	int slot = atoi(argv[2]), times = atoi(argv[3]), pause_ms = atoi(argv[4]), is_fork = 0;
	char call[256], answer[4096], **how = argv + 5;
	int64_t *ns = calloc((size_t)times, sizeof *ns);
	int fd = target(how);

	is_fork = strcmp(how[0], "fork") == 0;
	if (!ns || (fd < 0 && !is_fork)) {
		perror(how[1]);
		return 1;
	}
	int len = snprintf(call, sizeof call,
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"service_restart\",\"params\":[\"%s\"]}",
		argc > 7 ? argv[7] : "");
	for (int i = 0; i < times; i++) {
		pid_t pid = 0;
		usleep((useconds_t)pause_ms * 1000);
		uint32_t want = b->count + 1;
		b->want = want;
		int64_t start_ns = now_ns();
		if (is_fork) {
			pid = fork();
			if (pid == 0) {
				execl(how[1], how[1], argv[1], argv[2], NULL);
				_exit(111);
			}
		} else if (how[0][0] == 'f') {
			if (write(fd, "t", 1) != 1)
				return 1;
		} else if (write(fd, call, (size_t)len) != len) {
			return 1;
		}
		if (board_wait(b, want, 15)) {
			fprintf(stderr, "react: no successor in 15 s\n");
			return 1;
		}
		ns[i] = b->at_ns[slot] - start_ns;
		if (pid > 0) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
		} else if (how[0][0] == 'r') {
			ssize_t n = read(fd, answer, sizeof answer);
			if (n <= 0 || memmem(answer, (size_t)n, "\"error\"", 7)) {
				fprintf(stderr, "react: service_restart failed\n");
				return 1;
			}
		}
	}
	qsort(ns, (size_t)times, sizeof *ns, compare);
	printf("%lld\n", (long long)ns[times / 2]);
	free(ns);
	return 0;
}
