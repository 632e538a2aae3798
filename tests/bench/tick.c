// tick BOARD SLOT N: at each of the next N whole seconds writes one line: its
// number and the CLOCK_REALTIME nanoseconds right before the write; then stays.
//
// All services tick at the same moment on purpose: the harder case for the reader.
#include "board.h"

int main(int argc, char **argv)
{
	if (argc < 4)
		return 111;
	struct board *b = board_open(argv[1]);
	struct timespec at, now;

	board_arrive(b, (unsigned)atoi(argv[2]), now_ns());
	// the start is over when `want` services have come up
	if (board_wait(b, b->want, 60))
		return 1;
	clock_gettime(CLOCK_REALTIME, &at);
	at.tv_sec += 1;
	at.tv_nsec = 0;
	for (int i = 0; i < atoi(argv[3]); i++) {
		char line[64];
		at.tv_sec += 1;
		clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &at, NULL);
		clock_gettime(CLOCK_REALTIME, &now);
		int n = snprintf(
			line, sizeof line, "tick %d %lld\n", i, (long long)now.tv_sec * 1000000000 + now.tv_nsec);
		if (write(1, line, (size_t)n) != n)
			return 1;
	}
	for (;;)
		pause();
}
