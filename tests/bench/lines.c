// lines BOARD N CHUNK: writes N lines of 100 bytes to stdout, each with its
// number, CHUNK bytes a write (0: one write a line), and leaves the time of its
// start and of its last write in the slots 0 and 1.
#include "board.h"
#include <string.h>

enum { LINE = 100 };

static int put(const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = write(1, p, n);
		if (w < 0)
			return -1;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 111;
	struct board *b = board_open(argv[1]);
	long lines = atol(argv[2]);
	size_t chunk = (size_t)atol(argv[3]), have = 0;
	char *buf = malloc(chunk + 2 * LINE), digits[] = "00000000";

	if (!buf)
		return 111;
	board_arrive(b, 0, now_ns());
	for (long i = 0; i < lines; i++) {
		char *line = buf + have;
		memset(line, 'x', LINE - 1);
		memcpy(line, digits, 8);
		line[8] = ' ';
		line[LINE - 1] = '\n';
		have += LINE;
		if (have >= chunk) {
			size_t n = chunk ? chunk : have;
			if (put(buf, n))
				return 1;
			memmove(buf, buf + n, have - n);
			have -= n;
		}
		for (int d = 7; d >= 0 && ++digits[d] > '9'; d--) // no printf: the writer must not be what is slow
			digits[d] = '0';
	}
	if (put(buf, have))
		return 1;
	board_arrive(b, 1, now_ns());
	free(buf);
	return 0;
}
