#include "base/log.h"
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
	enum log_level least;
	int fd; // stdout, or a description of init's own of the same thing
	bool socket;
	int kmsg_fd;
	log_sink_fn *sink;
	void *sink_ctx;
} out = { .least = LOG_INFO, .fd = -1, .kmsg_fd = -1 };

// As syslog(2) counts them, for /dev/kmsg.
static const int syslog_level[] = { 7, 6, 4, 3 };
static const char *const names[] = { "DEBUG", "INFO", "WARN", "ERROR" };

void log_set_level(enum log_level least)
{
	out.least = least;
}

void log_set_sink(log_sink_fn *sink, void *ctx)
{
	out.sink = sink;
	out.sink_ctx = ctx;
}

void log_open_kmsg(void)
{
	if (out.kmsg_fd < 0)
		out.kmsg_fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

// A terminal stopped by ^S or a full pipe must not stop init: terminals and pipes
// are written through a description of init's own that never waits. What does
// not fit is dropped here and stays in the ring.
static void open_own(void)
{
	struct stat st;
	if (out.fd >= 0 || fstat(STDOUT_FILENO, &st) < 0)
		return;
	out.fd = STDOUT_FILENO;
	out.socket = S_ISSOCK(st.st_mode);
	if (!S_ISCHR(st.st_mode) && !S_ISFIFO(st.st_mode))
		return;
	int fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0)
		out.fd = fd;
}

static void write_if_ready(const char *line, size_t len)
{
	struct pollfd p = { .fd = out.fd, .events = POLLOUT };
	if (out.socket && send(out.fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return;
	if (out.socket || (out.fd == STDOUT_FILENO && (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT))))
		return;
	if (write(out.fd, line, len) < 0)
		return;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	if (level < out.least)
		return;
	char line[1024];
	int head = snprintf(line, sizeof(line), "zinit: %s ", names[level]);
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(line + head, sizeof(line) - (size_t)head, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	size_t len = (size_t)head + (size_t)n;
	if (len >= sizeof(line) - 1)
		len = sizeof(line) - 2;
	// One message is one line, whatever a name inside it holds.
	for (size_t i = (size_t)head; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	if (out.sink)
		out.sink(out.sink_ctx, level, line + head, len - (size_t)head);
	line[len++] = '\n';
	open_own();
	write_if_ready(line, len);
	if (out.kmsg_fd >= 0)
		dprintf(out.kmsg_fd, "<%d>%.*s", syslog_level[level], (int)len, line);
}
