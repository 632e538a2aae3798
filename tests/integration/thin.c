// Runs a program on a thinner kernel: thin NAME,NAME... PROGRAM ARGUMENT...
// The system calls of these names fail with ENOSYS, in all its children too.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALL(name) \
	{ \
#name, SYS_##name \
	}

static const struct {
	const char *name;
	unsigned number;
} calls[] = {
	CALL(pidfd_open),
	CALL(pidfd_send_signal),
	CALL(clone3),
	CALL(close_range),
	CALL(openat2),
	CALL(statx),
	CALL(memfd_create),
	CALL(epoll_pwait2),
	CALL(dup3),
	CALL(timerfd_create),
	CALL(getrandom),
	CALL(inotify_init1),
	CALL(signalfd4),
	CALL(renameat2),
	CALL(pipe2),
	CALL(accept4),
};

enum { COUNT = sizeof(calls) / sizeof(calls[0]) };

// Two instructions for each call that is refused.
static int refuse(char *names)
{
	struct sock_filter code[2 * COUNT + 2];
	unsigned short n = 0;
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (char *name = strtok(names, ","); name; name = strtok(NULL, ",")) {
		size_t i = 0;
		while (i < COUNT && strcmp(calls[i].name, name))
			i++;
		if (i == COUNT || n > 2 * COUNT - 1) {
			fprintf(stderr, "thin: unknown call %s\n", name);
			return -1;
		}
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i].number, 0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { n, code };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int argc, char **argv)
{
	if (argc < 3 || refuse(argv[1]) < 0)
		return 2;
	execvp(argv[2], argv + 2);
	return 127;
}
