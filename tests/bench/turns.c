// turns K A... -- B...: runs the commands A and B in turn, K times each, and
// prints the median wall time of each in nanoseconds, from posix_spawn to the
// end. In turn: what else this machine does hits both alike.
#include "board.h"
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static int64_t once(char **argv)
{
	int64_t start_ns = now_ns();
	int status;
	pid_t pid;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) || waitpid(pid, &status, 0) != pid || status) {
		fprintf(stderr, "turns: %s failed\n", argv[0]);
		exit(1);
	}
	return now_ns() - start_ns;
}

int main(int argc, char **argv)
{
	int k = argc > 1 ? atoi(argv[1]) : 0, split = 2;
	int64_t *ns = calloc(2 * (size_t)k, sizeof *ns);

	while (split < argc && strcmp(argv[split], "--") != 0)
		split++;
	if (k < 1 || split + 1 >= argc || !ns)
		return 111;
	argv[split] = NULL;
	for (int i = 0; i < k; i++) {
		ns[i] = once(argv + 2);
		ns[k + i] = once(argv + split + 1);
	}
	qsort(ns, (size_t)k, sizeof *ns, compare);
	qsort(ns + k, (size_t)k, sizeof *ns, compare);
	int64_t a = ns[k / 2], b = ns[k + k / 2];
	// stdout belongs to the commands (and is /dev/null)
	fprintf(stderr, "%lld %lld\n", (long long)a, (long long)b);
	free(ns);
	return 0;
}
