// The machine's name, and its network interface to itself.
#include "base/log.h"
#include "pid1/parts.h"
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

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

void boot_names(void)
{
	set_hostname();
	loopback_up();
}
