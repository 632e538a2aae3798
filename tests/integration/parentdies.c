// Preloaded into init: it dies at the very moment when a child of it asks to be told of
// that, which leaves the file $PARENTDIES.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int prctl(int option, ...)
{
	unsigned long args[4];
	pid_t parent = getppid();
	va_list ap;
	va_start(ap, option);
	for (int i = 0; i < 4; i++)
		args[i] = va_arg(ap, unsigned long);
	va_end(ap);
	if (option == PR_SET_PDEATHSIG) {
		close(open(getenv("PARENTDIES"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
		kill(parent, SIGKILL);
		while (getppid() == parent)
			sched_yield();
	}
	return (int)syscall(SYS_prctl, option, args[0], args[1], args[2], args[3]);
}
