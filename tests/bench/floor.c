// floor BOARD N PROGRAM [step]: the least that starting and ending N processes
// costs here: a bare posix_spawn loop, then kill each and wait for each.
//
// It is measured as a whole process, exactly as a supervisor is: exec until the
// last child is up, SIGTERM until it has exited. With `step` each child is
// awaited before the next is spawned: what a chain costs to who insists on
// seeing the first instruction.
#include "board.h"
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

int main(int argc, char **argv)
{
	if (argc < 4)
		return 111;
	struct board *b = board_open(argv[1]);
	int n = atoi(argv[2]), step = argc > 4, got;
	uint32_t final = b->want;
	pid_t *pids = calloc((size_t)n, sizeof *pids);
	posix_spawnattr_t attr;
	sigset_t term, none;

	sigemptyset(&none);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	for (int i = 0; i < n; i++) {
		char slot[16];
		snprintf(slot, sizeof slot, "%d", i);
		char *child[] = { argv[3], argv[1], slot, NULL };
		if (step)
			b->want = i + 1 < n ? (uint32_t)i + 1 : final;
		if (!pids || posix_spawn(&pids[i], argv[3], NULL, &attr, child, environ))
			return 111;
		if (step)
			board_wait(b, (uint32_t)i + 1, 10);
	}
	sigwait(&term, &got);
	for (int i = 0; i < n; i++)
		kill(pids[i], SIGTERM);
	for (int i = 0; i < n; i++)
		waitpid(pids[i], NULL, 0);
	return 0;
}
