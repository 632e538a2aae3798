#include "pid1/boot.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <paths.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
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

// ---- mounts ----

struct mount_row {
	const char *path, *type, *options;
	unsigned long flags;
	const char *proof; // exists if and only if it is mounted; NULL: see is_mounted()
};

static const struct mount_row mounts[] = {
	{ "/proc", "proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC, "/proc/self" },
	{ "/sys", "sysfs", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC, "/sys/kernel" },
	{ "/dev", "devtmpfs", "mode=0755", MS_NOSUID, NULL },
	{ "/run", "tmpfs", "mode=0755", MS_NOSUID | MS_NODEV, NULL },
	{ "/dev/pts", "devpts", "mode=0620,gid=5,ptmxmode=0666", MS_NOSUID | MS_NOEXEC, NULL },
	{ "/dev/shm", "tmpfs", "mode=1777", MS_NOSUID | MS_NODEV, NULL },
};

// A mount point is on another device than the folder that holds it.
static bool is_mounted(const struct mount_row *m)
{
	struct stat here, above;
	char parent[64];
	if (m->proof)
		return access(m->proof, F_OK) == 0;
	const char *slash = strrchr(m->path, '/');
	snprintf(parent, sizeof(parent), "%.*s", slash == m->path ? 1 : (int)(slash - m->path), m->path);
	return stat(m->path, &here) == 0 && stat(parent, &above) == 0 && here.st_dev != above.st_dev;
}

static void mount_missing(void)
{
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		const struct mount_row *m = &mounts[i];
		if (is_mounted(m))
			continue;
		mkdir(m->path, 0755);
		if (mount(m->type, m->path, m->type, m->flags, m->options) < 0 && errno != EBUSY)
			log_warn("cannot mount %s: %s", m->path, strerror(errno));
	}
}

// ---- console, names, network ----

// The kernel gives process 1 its console only where /dev/console exists before
// it runs; with an empty /dev the descriptors are closed.
static void open_console(void)
{
	if (fcntl(STDIN_FILENO, F_GETFD) >= 0 && fcntl(STDERR_FILENO, F_GETFD) >= 0)
		return;
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);
	if (fd < 0)
		fd = open("/dev/null", O_RDWR | O_NOCTTY);
	for (int i = 0; fd >= 0 && i <= STDERR_FILENO; i++)
		if (fd != i)
			dup2(fd, i);
	if (fd > STDERR_FILENO)
		close(fd);
}

static void set_hostname(void)
{
	char name[65];
	int fd = open("/etc/hostname", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return;
	ssize_t n = read(fd, name, sizeof(name) - 1);
	close(fd);
	size_t len = n > 0 ? strcspn((name[n] = '\0', name), " \t\r\n") : 0;
	if (len && sethostname(name, len) < 0)
		log_warn("cannot set the hostname: %s", strerror(errno));
}

static void loopback_up(void)
{
	struct ifreq r = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (ioctl(fd, SIOCGIFFLAGS, &r) == 0) {
		r.ifr_flags |= IFF_UP | IFF_RUNNING;
		if (ioctl(fd, SIOCSIFFLAGS, &r) < 0)
			log_warn("cannot bring the loopback up: %s", strerror(errno));
	}
	close(fd);
}

void boot_prepare(void)
{
	umask(022);
	if (chdir("/") < 0)
		log_warn("cannot enter /: %s", strerror(errno));
	mount_missing();
	open_console();
	log_open_kmsg();
	set_hostname();
	loopback_up();
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
