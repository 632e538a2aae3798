// clock BOARD N SIGNAL SECONDS COMMAND...: runs a supervisor once and prints
// "clock: UP DOWN" on stderr, in nanoseconds: exec of COMMAND until the last of
// N services has come up, and SIGNAL to it until it and every process below it
// is gone.
//
// It is a subreaper: whatever the supervisor leaves behind becomes its child, so
// "gone" means the same for a supervisor that waits for its services and for one
// that does not.
#include "board.h"
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>

extern char **environ;

int main(int argc, char **argv)
{
	if (argc < 6)
		return 111;
	struct board *b = board_open(argv[1]);
	int n = atoi(argv[2]), sig = atoi(argv[3]), seconds = atoi(argv[4]);
	int64_t last_ns = 0;
	pid_t pid;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	b->count = 0;
	b->want = (uint32_t)n;
	int64_t start_ns = now_ns();
	if (posix_spawnp(&pid, argv[5], NULL, NULL, argv + 5, environ)) {
		perror(argv[5]);
		return 111;
	}
	if (board_wait(b, (uint32_t)n, seconds)) {
		fprintf(stderr, "clock: %u of %d came up in %d s\n", b->count, n, seconds);
		return 1;
	}
	for (int i = 0; i < n; i++)
		if (b->at_ns[i] > last_ns)
			last_ns = b->at_ns[i];
	usleep(300000); // what a supervisor still notes about its start is not part of its end
	alarm((unsigned)seconds);
	int64_t term_ns = now_ns();
	kill(pid, sig);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		continue;
	int64_t gone_ns = now_ns();
	fprintf(stderr, "clock: %lld %lld\n", (long long)(last_ns - start_ns), (long long)(gone_ns - term_ns));
	return 0;
}
