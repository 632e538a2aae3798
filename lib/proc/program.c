#include "proc/program.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// What stands behind #! in a script: execve(2) needs that too. "" for other files.
static void interpreter_of(int dir_fd, const char *file, char *out, size_t size)
{
	char head[256];
	int fd = openat(dir_fd, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t n = fd < 0 ? 0 : read(fd, head, sizeof(head) - 1);
	if (fd >= 0)
		close(fd);
	*out = '\0';
	if (n < 3 || head[0] != '#' || head[1] != '!')
		return;
	head[n] = '\0';
	const char *start = head + 2 + strspn(head + 2, " \t");
	snprintf(out, size, "%.*s", (int)strcspn(start, " \t\r\n"), start);
}

// NULL, or what is wrong with a file of a path.
static const char *problem_of(int dir_fd, const char *file, char *text, size_t size)
{
	struct stat st;
	char interpreter[256];
	if (fstatat(dir_fd, file, &st, 0) < 0)
		return errno == ENOENT ? "does not exist" : strerror(errno);
	if (S_ISDIR(st.st_mode))
		return "is a folder, expected a program";
	if (!S_ISREG(st.st_mode) || faccessat(dir_fd, file, X_OK, AT_EACCESS) < 0)
		return "is not executable";
	interpreter_of(dir_fd, file, interpreter, sizeof(interpreter));
	if (!*interpreter || (*interpreter != '/' && dir_fd < 0) ||
		faccessat(dir_fd, interpreter, X_OK, AT_EACCESS) == 0)
		return NULL;
	snprintf(text, size, "begins with #!%s: %s", interpreter, strerror(errno));
	return text;
}

// An empty folder in PATH is the one that the program is started in.
static bool is_in_path(int dir_fd, const char *name, const char *path)
{
	char file[PATH_MAX], text[512];
	for (const char *p = path; *name; p++) {
		size_t len = strcspn(p, ":");
		int n = snprintf(file, sizeof(file), "%.*s%s%s", (int)len, p, len ? "/" : "", name);
		if (*p != '/' && dir_fd < 0)
			return true;
		if (n < (int)sizeof(file) && !problem_of(dir_fd, file, text, sizeof(text)))
			return true;
		p += len;
		if (!*p)
			break;
	}
	return false;
}

bool program_exists(int dir_fd, const char *name, const char *path, char *why, size_t size)
{
	char text[512];
	if (!strchr(name, '/')) {
		if (is_in_path(dir_fd, name, path))
			return true;
		snprintf(why, size, "there is no program '%s' in PATH (%s)", name, path);
		return false;
	}
	const char *problem = *name == '/' || dir_fd >= 0 ? problem_of(dir_fd, name, text, sizeof(text)) : NULL;
	if (problem)
		snprintf(why, size, "'%s' %s", name, problem);
	return !problem;
}
