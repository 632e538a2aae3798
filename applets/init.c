// The daemon: everything is put together here, and taken apart at the end.
#include "applet.h"
#include "base/group.h"
#include "base/kernel.h"
#include "base/log.h"
#include "base/signame.h"
#include "control/control.h"
#include "pid1/boot.h"
#include "pid1/power.h"
#include "proc/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	OPT_CONTAINER = OPT_FIRST_LONG,
	OPT_MACHINE,
	OPT_NO_CGROUPS,
	OPT_GROUP,
	OPT_HTTP_TOKENS,
	DEFAULT_LINES = 2000,
	LISTEN_AGAIN_MS = 5000
};

APPLET(init, "[DIR]", "start the services of a folder and keep them running") = {
	{ 'c', "config", "DIR", "folder of the service files (default: /etc/zinit)" },
	{ 'b', "buffer", "LINES", "lines of output kept in memory for all services (default: 2000)" },
	{ OPT_CONTAINER, "container", NULL, "end on a signal; the default unless init is process 1 of a machine" },
	{ OPT_MACHINE, "machine", NULL, "as process 1: mount, power off and reboot as a machine's init does" },
	{ OPT_NO_CGROUPS, "no-cgroups", NULL, "know the processes of `kill: tree` services by /proc alone" },
	{ OPT_GROUP, "socket-group", "GROUP", "let this group use the control socket too (mode 0660)" },
	{ OPT_HTTP_TOKENS, "http-token-file", "FILE",
		"tokens of the HTTP server; without, it serves only this machine" },
	{ 0, NULL, NULL, NULL },
};
//config: select SERVER
//config: help
//config:   The daemon: about 130 KB with what it stands on.

struct daemon {
	struct loop loop;
	struct super super;
	struct rpc_server server;
	struct control control;
	struct timer listen_again;
	const struct cli *cli;
};

static struct daemon d;

// ---- signals ----

static enum halt_mode container_signal(int sig)
{
	if (sig == SIGNAME_RTMIN + 3)
		return HALT_STOP;
	return sig == SIGTERM || sig == SIGINT || sig == SIGHUP || sig == SIGPWR ? HALT_STOP : HALT_NONE;
}

// What busybox's reboot, halt and poweroff send; SIGINT is Ctrl-Alt-Del.
static enum halt_mode machine_signal(int sig)
{
	switch (sig) {
	case SIGINT:
	case SIGTERM:
		return HALT_REBOOT;
	case SIGUSR1:
		return HALT_HALT;
	case SIGUSR2:
	case SIGPWR:
		return HALT_POWEROFF;
	default:
		return HALT_NONE;
	}
}

static void on_signal(void *ctx, const struct signalfd_siginfo *si)
{
	struct daemon *me = ctx;
	int sig = (int)si->ssi_signo;
	if (sig == SIGCHLD) {
		super_reap(&me->super);
		return;
	}
	enum halt_mode mode = me->super.container ? container_signal(sig) : machine_signal(sig);
	if (mode != HALT_NONE)
		super_shutdown(&me->super, mode);
}

// Faults of init itself must not be blocked: a blocked SIGSEGV kills without a word.
// Not sigfillset(): that leaves out those that the C library has for its threads.
static void block_signals(sigset_t *set)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };
	memset(set, 0xff, sizeof(*set));
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigdelset(set, faults[i]);
	sigprocmask(SIG_BLOCK, set, NULL);
}

// Whatever init was started with, its children begin with defaults.
static void reset_signals(void)
{
	for (int sig = 1; sig <= SIGRTMAX; sig++) {
		struct sigaction now;
		// The C library keeps the first real-time signals to itself; the kernel is asked.
		const unsigned long default_action[16] = { 0 };
		if (sigaction(sig, NULL, &now) < 0)
			syscall(SYS_rt_sigaction, sig, default_action, NULL, _NSIG / 8);
		else if (now.sa_handler == SIG_IGN)
			signal(sig, SIG_DFL);
	}
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
	gid_t gid;
	const char *group = cli_value(cli, OPT_GROUP);
	if (group && group_id(group, &gid) < 0)
		return fail("--socket-group: there is no group '%s'", group);
	return 0;
}

static const char *socket_path(const struct cli *cli)
{
	const char *env = getenv("ZINIT_SOCKET");
	return cli->socket ? cli->socket : env && *env ? env : NULL;
}

static int listen_all(const struct cli *cli, struct err *err)
{
	const char *path = socket_path(cli);
	const char *group = cli_value(cli, OPT_GROUP);
	if (group && group_id(group, &d.server.group) < 0)
		log_error("--socket-group: there is no group '%s'; the socket is its owner's alone", group);
	int rc = rpc_listen(&d.server, path ? path : CONFIG_SOCKET, err);
	d.server.group = (gid_t)-1;
	if (rc < 0)
		return -1;
#ifdef CONFIG_LEGACY_SOCKET
	struct err legacy;
	if (!path && rpc_listen(&d.server, "/tmp/zinit.sock", &legacy) < 0)
		log_warn("%s", legacy.text);
#endif
	return 0;
}

// A machine runs without its control socket until there is a place for it.
static void listen_again(struct timer *t)
{
	struct err err;
	if (listen_all(d.cli, &err) < 0)
		timer_set(&d.loop, t, LISTEN_AGAIN_MS);
	else
		log_info("the control socket is there now");
}

static int listen_or_wait(bool machine, struct err *err)
{
	if (listen_all(d.cli, err) == 0)
		return 0;
	if (!machine)
		return -1;
	log_error("%s; trying again every %d s", err->text, LISTEN_AGAIN_MS / 1000);
	timer_init(&d.listen_again, listen_again);
	timer_set(&d.loop, &d.listen_again, LISTEN_AGAIN_MS);
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

// Code that only the start needed is unmapped; what is called again comes back
// from the file. Segments that were never writable hold nothing of our own.
//
// The kernel maps up to 16 pages around one that is missed, but none beyond an area of
// one kind. Small areas in turn are therefore given another advice first: without that
// nearly everything comes back at once. Each costs the kernel 200 bytes, so those of the
// libraries are larger.
static int drop_segments(struct dl_phdr_info *info, size_t size, void *ctx)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), *pages = ctx, area = *pages * page;
	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &info->dlpi_phdr[i];
		uintptr_t from = (info->dlpi_addr + h->p_vaddr) / page * page;
		uintptr_t end = info->dlpi_addr + h->p_vaddr + h->p_memsz;
		if (h->p_type != PT_LOAD || (h->p_flags & PF_W))
			continue;
		for (uintptr_t at = from; at < end; at += 2 * area)
			madvise((void *)at, end - at < area ? end - at : area, MADV_RANDOM);
		madvise((void *)from, end - from, MADV_DONTNEED);
	}
	*pages = 8; // the program comes first, then its libraries
	return 0;
}

static void say_missing(void)
{
	char names[256];
	if (kernel_missing(names, sizeof(names)))
		log_info("this kernel has no %s: done without", names);
}

static int start(const struct super_options *o, struct err *err)
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
	say_missing();
	rpc_server_init(&d.server, &d.loop, NULL);
	control_init(&d.control, &d.server, &d.super);
	d.control.http_token_file = cli_value(d.cli, OPT_HTTP_TOKENS);
	return listen_or_wait(!o->container, err);
}

static void end_machine(enum halt_mode mode)
{
	power_end(mode == HALT_REBOOT ? POWER_REBOOT : mode == HALT_HALT ? POWER_HALT : POWER_OFF);
}

// Decided once. Whoever is not process 1 never touches the machine.
static bool is_machine(const struct cli *cli)
{
	if (cli_flag(cli, OPT_CONTAINER) || getpid() != 1)
		return false;
	return cli_flag(cli, OPT_MACHINE) || boot_is_machine();
}

static int run(struct cli *cli)
{
	unsigned long long lines;
	struct err err;
	bool good_lines = cli_number(cli, 'b', DEFAULT_LINES, &lines) == 0;
	if (check_args(cli) || (!good_lines && !cli->lenient))
		return 1;
	if (cli_flag(cli, OPT_MACHINE) && getpid() != 1)
		return fail("--machine is for process 1 only");
	if (cli->debug)
		log_set_level(LOG_DEBUG);
	bool machine = is_machine(cli);
	d.cli = cli;
	if (machine) {
		boot_catch_faults();
		boot_prepare();
	}
	open_standard_fds();
	close_on_exec();
	const struct super_options o = {
		.config_dir = config_dir(cli),
		.log_lines = lines > SIZE_MAX ? SIZE_MAX : (size_t)lines,
		.container = !machine,
		.cgroups = !cli_flag(cli, OPT_NO_CGROUPS),
	};
	if (start(&o, &err) < 0) {
		if (machine)
			boot_survive(err.text);
		return fail("%s", err.text);
	}
	super_load_dir(&d.super);
	dl_iterate_phdr(drop_segments, &(uintptr_t){ 2 });
	loop_run(&d.loop);
	rpc_flush_all(&d.server);
	if (machine)
		end_machine(d.super.halting);
	rpc_server_release(&d.server);
	super_end(&d.super);
	return d.super.exit_code;
}
