// The daemon: everything is put together here, and taken apart at the end.
#include "applet.h"
#include "base/log.h"
#include "control/control.h"
#include "proc/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { OPT_CONTAINER = OPT_FIRST_LONG, OPT_MACHINE, DEFAULT_LINES = 2000 };

APPLET(init, "[DIR]", "start the services of a folder and keep them running") = {
	{ 'c', "config", "DIR", "folder of the service files (default: /etc/zinit)" },
	{ 'b', "buffer", "LINES", "lines of output kept in memory for all services (default: 2000)" },
	{ OPT_CONTAINER, "container", NULL, "end on a signal; the default unless init is process 1 of a machine" },
	{ 0, NULL, NULL, NULL },
};
//config: select SERVER

struct daemon {
	struct loop loop;
	struct super super;
	struct rpc_server server;
	struct control control;
};

static struct daemon d;

// ---- signals ----

static void on_signal(void *ctx, const struct signalfd_siginfo *si)
{
	struct daemon *me = ctx;
	switch ((int)si->ssi_signo) {
	case SIGCHLD:
		super_reap(&me->super);
		return;
	case SIGTERM:
	case SIGINT:
	case SIGHUP:
	case SIGPWR:
		break;
	default:
		if ((int)si->ssi_signo != SIGRTMIN + 3)
			return;
	}
	super_shutdown(&me->super, HALT_STOP);
}

// Faults of init itself must not be blocked: a blocked SIGSEGV kills without a word.
static void block_signals(sigset_t *set)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };
	sigfillset(set);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigdelset(set, faults[i]);
	sigprocmask(SIG_BLOCK, set, NULL);
}

// Whatever init was started with, its children begin with defaults.
static void reset_signals(void)
{
	for (int sig = 1; sig <= SIGRTMAX; sig++)
		signal(sig, SIG_DFL);
}

// ---- descriptors ----

static void open_standard_fds(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR | O_NOCTTY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

// What init inherits beyond 0-2 is not for its services.
static void close_on_exec(void)
{
#ifdef SYS_close_range
	enum { CLOEXEC_FLAG = 4 };
	if (syscall(SYS_close_range, 3u, ~0u, CLOEXEC_FLAG) == 0)
		return;
#endif
	for (int fd = 3; fd < 1024; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

// ---- start ----

static const char *config_dir(const struct cli *cli)
{
	const char *dir = cli_value(cli, 'c');
	if (dir)
		return dir;
	for (int i = 0; i < cli->argc; i++)
		if (strchr(cli->argv[i], '/'))
			return cli->argv[i];
	return CONFIG_CONFIG_DIR;
}

static int check_args(const struct cli *cli)
{
	if (cli->lenient)
		return 0;
	if (cli->argc > 1 || (cli->argc == 1 && !strchr(cli->argv[0], '/')))
		return usage_error(cli, "unexpected argument '%s'", cli->argv[cli->argc - 1]);
	return 0;
}

static int listen_all(const struct cli *cli, struct err *err)
{
	const char *env = getenv("ZINIT_SOCKET");
	const char *path = cli->socket ? cli->socket : env && *env ? env : NULL;
	if (rpc_listen(&d.server, path ? path : CONFIG_SOCKET, err) < 0)
		return -1;
#ifdef CONFIG_LEGACY_SOCKET
	struct err legacy;
	if (!path && rpc_listen(&d.server, "/tmp/zinit.sock", &legacy) < 0)
		log_warn("%s", legacy.text);
#endif
	return 0;
}

static void halted(void *ctx)
{
	(void)ctx;
	loop_quit(&d.loop);
}

// What reading the files took is given back, and later growth goes in small steps.
static void keep_heap_small(void)
{
#ifdef M_TOP_PAD
	enum { STEP = 4096 };
	mallopt(M_TOP_PAD, STEP);
	mallopt(M_TRIM_THRESHOLD, STEP);
#endif
}

static int start(const struct cli *cli, const struct super_options *o, struct err *err)
{
	sigset_t set;
	keep_heap_small();
	block_signals(&set);
	reset_signals();
	if (spawn_init() < 0 || loop_init(&d.loop) < 0 || loop_signals(&d.loop, &set, on_signal, &d) < 0)
		return err_set(err, ERR_INTERNAL, "cannot start: %s", strerror(errno));
	if (super_init(&d.super, &d.loop, o, err) < 0)
		return -1;
	d.super.on_halted = halted;
	rpc_server_init(&d.server, &d.loop, NULL);
	control_init(&d.control, &d.server, &d.super);
	return listen_all(cli, err);
}

static int run(struct cli *cli)
{
	unsigned long long lines;
	struct err err;
	bool good_lines = cli_number(cli, 'b', DEFAULT_LINES, &lines) == 0;
	if (check_args(cli) || (!good_lines && !cli->lenient))
		return 1;
	if (cli->debug)
		log_set_level(LOG_DEBUG);
	open_standard_fds();
	close_on_exec();
	const struct super_options o = {
		.config_dir = config_dir(cli),
		.log_lines = lines > SIZE_MAX ? SIZE_MAX : (size_t)lines,
		.container = true,
	};
	if (start(cli, &o, &err) < 0)
		return fail("%s", err.text);
	super_load_dir(&d.super);
	loop_run(&d.loop);
	rpc_flush_all(&d.server);
	rpc_server_release(&d.server);
	return d.super.exit_code;
}
