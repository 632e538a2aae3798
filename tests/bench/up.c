// up BOARD SLOT: the service of the benchmarks. Leaves the time of its first
// instruction on the board and stays until a signal ends it.
//
// Peers start a service as ./run without arguments, and a shell between would be
// measured too: there ./run begins with `#!.../up BOARD SLOT`, which the kernel
// hands over as one argument.
#include "board.h"
#include <string.h>

int main(int argc, char **argv)
{
	int64_t start_ns = now_ns();
	char *blank = argc > 1 ? strchr(argv[1], ' ') : NULL;
	const char *slot = argc > 2 ? argv[2] : "0";

	if (blank) {
		*blank = '\0';
		slot = blank + 1;
	}
	if (argc < 2)
		return 111;
	board_arrive(board_open(argv[1]), (unsigned)atoi(slot), start_ns);
	for (;;)
		pause();
}
