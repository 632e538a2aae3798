#include "base/log.h"
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static struct {
	enum log_level least;
	int kmsg_fd;
	log_sink_fn *sink;
	void *sink_ctx;
} out = { LOG_INFO, -1, NULL, NULL };

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

// A terminal stopped by ^S or a full pipe must not stop init; such a line is
// dropped here and stays in the ring. poll() promises room for PIPE_BUF bytes.
static void write_if_ready(int fd, const char *line, size_t len)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	if (poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) && write(fd, line, len) < 0)
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
	write_if_ready(STDOUT_FILENO, line, len);
	if (out.kmsg_fd >= 0)
		dprintf(out.kmsg_fd, "<%d>%.*s", syslog_level[level], (int)len, line);
}
