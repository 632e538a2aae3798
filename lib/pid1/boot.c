#include "pid1/boot.h"
#include "base/log.h"
#include "pid1/parts.h"
#include <errno.h>
#include <paths.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define INITIAL_PID_NAMESPACE "pid:[4026531836]"

bool boot_is_machine(void)
{
	char text[64];
	if (getpid() != 1)
		return false;
	ssize_t n = readlink("/proc/self/ns/pid", text, sizeof(text) - 1);
	// Containers have a /proc from the beginning; a machine may not.
	if (n < 0)
		return errno == ENOENT;
	text[n] = '\0';
	return !strcmp(text, INITIAL_PID_NAMESPACE);
}

void boot_prepare(void)
{
	umask(022);
	if (chdir("/") < 0)
		log_warn("cannot enter /: %s", strerror(errno));
	boot_mounts();
	boot_console();
	boot_names();
	setenv("PATH", _PATH_STDPATH, 0);
	if (reboot(RB_DISABLE_CAD) < 0)
		log_warn("cannot take Ctrl-Alt-Del: %s", strerror(errno));
}

// ---- the end that must not come ----

// Async-signal-safe: also called from the fault handler.
void boot_survive(const char *why)
{
	static const char head[] = "zinit: FATAL ";
	static const char tail[] = "; process 1 goes on reaping, nothing is supervised any more\n";
	const char *const parts[] = { head, why, tail };
	for (size_t i = 0; i < 3; i++)
		if (write(STDERR_FILENO, parts[i], strlen(parts[i])) < 0)
			break;
	for (;;) {
		siginfo_t si;
		if (waitid(P_ALL, 0, &si, WEXITED) < 0 && errno == ECHILD)
			pause();
	}
}

static void on_fault(int sig)
{
	switch (sig) {
	case SIGSEGV:
		boot_survive("SIGSEGV in init");
	case SIGBUS:
		boot_survive("SIGBUS in init");
	case SIGFPE:
		boot_survive("SIGFPE in init");
	case SIGILL:
		boot_survive("SIGILL in init");
	case SIGABRT:
		boot_survive("SIGABRT in init");
	default:
		boot_survive("a fault in init");
	}
}

void boot_catch_faults(void)
{
	enum { STACK = 16 * 1024 };
	static char stack[STACK];
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };
	const stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction act = { .sa_handler = on_fault, .sa_flags = SA_ONSTACK | SA_NODEFER };
	sigaltstack(&alternate, NULL);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigaction(faults[i], &act, NULL);
}
