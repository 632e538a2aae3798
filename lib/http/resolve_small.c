#include "http/resolve.h"
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { LINE_MAX_LEN = 512, FILE_MAX = 64 * 1024 };

static bool add(const char *address, const char *port, union net_address *out)
{
	char text[NET_TEXT_MAX];
	bool six = strchr(address, ':');
	int n = snprintf(text, sizeof(text), six ? "[%s]:%s" : "%s:%s", address, port);
	return n > 0 && (size_t)n < sizeof(text) && net_parse(text, out) == 0;
}

// "ADDRESS NAME..." (hosts(5)): is the name among them?
static bool has_name(char *line, const char *host, const char **address)
{
	char *rest = line;
	line[strcspn(line, "#")] = '\0';
	*address = strtok_r(line, " \t\r", &rest);
	for (const char *name; *address && (name = strtok_r(NULL, " \t\r", &rest));)
		if (!strcasecmp(name, host))
			return true;
	return false;
}

static size_t from_file(const char *host, const char *port, union net_address *out, size_t max)
{
	static char text[FILE_MAX];
	size_t found = 0;
	int fd = open("/etc/hosts", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	char *rest = text;
	for (char *line; found < max && (line = strsep(&rest, "\n"));) {
		const char *address;
		found += has_name(line, host, &address) && add(address, port, &out[found]);
	}
	return found;
}

int resolve_host(const char *host, const char *port, union net_address *out, size_t max, struct err *err)
{
	if (add(host, port, out))
		return 1;
	size_t n = from_file(host, port, out, max);
	if (!n && !strcasecmp(host, "localhost"))
		n = add("127.0.0.1", port, out);
	if (n)
		return (int)n;
	return err_set(err, ERR_INTERNAL, "cannot find the host '%s': it is no number and not in /etc/hosts", host);
}
