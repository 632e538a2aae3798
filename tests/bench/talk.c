// talk SOCKET COUNT WINDOW REQUEST: sends the line REQUEST COUNT times over one
// connection, WINDOW of them in one write, and awaits their answers, a line each.
// Prints the median nanoseconds from a write to its last answer, and how many
// bytes one answer has.
#include "board.h"
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static int later(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv)
{
	static char in[1 << 20];
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (argc < 5 || strlen(argv[1]) >= sizeof addr.sun_path)
		return 111;
	size_t count = strtoul(argv[2], NULL, 10), window = strtoul(argv[3], NULL, 10), len = strlen(argv[4]) + 1;
	size_t turns = count / window, bytes = 0;
	char *out = malloc(window * len);
	int64_t *times = malloc(turns * sizeof *times);
	memcpy(addr.sun_path, argv[1], strlen(argv[1]));
	if (!out || !times || !turns || connect(fd, (struct sockaddr *)&addr, sizeof addr))
		return 111;
	for (size_t i = 0; i < window; i++) {
		memcpy(out + i * len, argv[4], len - 1);
		out[i * len + len - 1] = '\n';
	}
	for (size_t i = 0; i < turns; i++) {
		int64_t start = now_ns();
		if (write(fd, out, window * len) != (ssize_t)(window * len))
			return 1;
		for (size_t lines = 0; lines < window;) {
			ssize_t n = read(fd, in, sizeof in);
			if (n <= 0)
				return 1;
			bytes += (size_t)n;
			for (char *p = in; (p = memchr(p, '\n', (size_t)(in + n - p))); p++)
				lines++;
		}
		times[i] = now_ns() - start;
	}
	qsort(times, turns, sizeof *times, later);
	printf("%lld %zu\n", (long long)times[turns / 2], bytes / (turns * window));
	return 0;
}
