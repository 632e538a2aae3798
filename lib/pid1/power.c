#include "pid1/power.h"
#include "base/log.h"
#include "pid1/boot.h"
#include "pid1/parts.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

static int ask_kernel(void *arg)
{
	reboot(*(int *)arg);
	_exit(errno);
}

// From a child: the kernel ends the process that asks it to halt, and that must
// not be process 1.
static void reboot_by_child(int how)
{
	static char stack[16 * 1024];
	int status = 0;
	pid_t pid = clone(ask_kernel, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, &how);
	if (pid < 0) {
		reboot(how);
		return;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (WIFEXITED(status) && WEXITSTATUS(status))
		log_error("the kernel refuses: %s", strerror(WEXITSTATUS(status)));
}

void power_end(enum power what)
{
	static const int how[] = { RB_POWER_OFF, RB_AUTOBOOT, RB_HALT_SYSTEM };
	static const char *const says[] = { "powering off", "rebooting the machine", "halted" };
	kill(-1, SIGKILL);
	log_info("%s", says[what]);
	power_put_away();
	reboot_by_child(how[what]);
	boot_survive("the machine did not end");
}
