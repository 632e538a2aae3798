// Processes without end, for tests.
//   forks bomb [session] [daemon] [deaf]   forks whenever there is room for one more process
//       session: each in its own session; daemon: each double-forked into one; deaf: each ignores SIGTERM
//   forks orphans N                        leaves N orphans that end at once, then waits
//   forks chain N                          N generations, each in its own session, whose numbers descend; says "done"
// The bomb must be bounded from outside: by pid_max of its namespace.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAUSE_US = 400000 };

static int has_word(char **words, const char *word)
{
	while (*words)
		if (!strcmp(*words++, word))
			return 1;
	return 0;
}

// 1 in the new process, 0 in the old one, -1 when there is no room.
static int grow(int session, int daemon)
{
	int status = 0;
	pid_t pid = fork();
	if (pid > 0 && daemon)
		waitpid(pid, &status, 0);
	if (pid)
		return pid < 0 || status ? -1 : 0;
	if (daemon && (pid = fork()))
		_exit(pid < 0);
	if (session || daemon)
		setsid();
	return 1;
}

static void bomb(char **words)
{
	int session = has_word(words, "session"), daemon = has_word(words, "daemon");
	if (has_word(words, "deaf"))
		signal(SIGTERM, SIG_IGN);
	for (;;)
		if (grow(session, daemon) < 0)
			usleep(PAUSE_US);
}

static void orphans(int count)
{
	while (count--) {
		pid_t pid = fork();
		if (!pid) {
			fork();
			_exit(0);
		}
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
	puts("done");
	fflush(stdout);
	pause();
}

// The next process has the number below this one's.
static void chain(int count)
{
	for (; count; count--) {
		FILE *last = fopen("/proc/sys/kernel/ns_last_pid", "w");
		if (!last || fprintf(last, "%d", getpid() - 2) < 0 || fclose(last) != 0)
			_exit(1);
		pid_t pid = fork();
		if (pid)
			break;
		setsid();
	}
	if (!count) {
		puts("done");
		fflush(stdout);
	}
	pause();
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "bomb"))
		bomb(argv + 2);
	if (argc == 3 && !strcmp(argv[1], "orphans"))
		orphans(atoi(argv[2]));
	if (argc == 3 && !strcmp(argv[1], "chain"))
		chain(atoi(argv[2]));
	return 2;
}
