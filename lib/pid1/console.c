// Where process 1 is heard.
#include "base/log.h"
#include "pid1/parts.h"
#include <fcntl.h>
#include <unistd.h>

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

void boot_console(void)
{
	open_console();
	log_open_kmsg();
}
