// The supervisor: all services, and everything that happens to them.
//
// super.c   events into the machine, actions out of it; the only writer of state
// graph.c   names, `after`, who waits for whom
// def.c     a parsed file becomes a struct def
// load.c    the config folder: load, monitor, reload
// run.c     spawn, output pipes, readiness test
// attribute.c  which processes belong to which service
// kin.c     the list of them; signals to them
// halt.c    ordered shutdown
//
// One thread. Nothing blocks. start, stop, reap and shutdown take no memory
// (an output line and the text of a reason do, and are done without when there
// is none).
#pragma once
#include "base/err.h"
#include "base/list.h"
#include "loop/loop.h"
#include "proc/reap.h"
#include "proc/tree.h"
#include "svc/ring.h"
#include "svc/service.h"

#include <sys/resource.h>

enum { SUPER_BUCKETS = 512, SUPER_READ_SIZE = 64 * 1024, SUPER_PAUSED_MAX = 16, SUPER_SPARE_FDS = 64 };
enum { SUPER_RESTART_MS = 2000, SUPER_TEST_EVERY_MS = 2000, SUPER_TEST_LIMIT_MS = 10000, SUPER_RETRY_MS = 2000 };

enum halt_mode { HALT_NONE, HALT_POWEROFF, HALT_REBOOT, HALT_HALT, HALT_STOP };

// A process that belongs to a service besides its leader and its test.
struct member {
	pid_t pid;
	bool detached; // left on purpose: own session, and adopted
	bool signalled; // has had the stop signal
	bool in_group; // in the leader's process group
	bool recent; // younger than the leader: of this run
	uint64_t start;
	struct service *svc;
};

struct super {
	struct loop *loop;
	struct ring ring;
	struct ring_owner *own; // lines of init itself
	struct list services; // by name
	size_t nservices;
	struct node *nodes[SUPER_BUCKETS];
	struct tracked *pids[SUPER_BUCKETS];
	struct list exits; // services whose leader was reaped, event to come

	struct tree tree;
	struct member *members; // by pid
	struct member *members_next; // where the next list is made
	size_t nmembers, members_cap;
	bool cgroups; // services with kill: tree get a control group
	bool blind; // there is no /proc of ours: only groups are known
	bool doubt; // the last snapshot was not whole, or left a question open
	bool question; // whose a process is could not be told yet
	uint64_t question_ms; // since when that is so, 0: it is not
	uint64_t scan_turn; // loop turn of the snapshot that members come from
	uint64_t calm_turn; // loop turn in which init had no adopted children
	uint64_t looked_ms; // when kin_look() last looked
	struct timer again; // leftovers whose end brings no SIGCHLD
	unsigned nending; // services in STOPPING, COOLING or ENDING

	char **base_env; // inherited, then /etc/environment
	char **envp; // scratch for a spawn
	size_t envp_cap;
	int null_fd;
	struct rlimit nofile; // as init found it
	rlim_t nofile_now; // what init has; the last ones are not for pipes
	char *config_dir;
	bool container;

	enum halt_mode halting;
	size_t nwaiting; // shutdown: services that are not gone
	size_t nstopping; // services in STOPPING
	size_t nhalt_todo; // services with TODO_HALT
	bool calm_halt; // nothing had detached itself when the shutdown began
	int exit_code; // of init: of an essential service that ended
	struct timer halt_timer; // progress line, final sweep
	unsigned halt_round;
	bool sweeping; // all services are gone, the rest is being ended
	bool halt_over;
	uint64_t halt_since_ms;
	// What clients see of a service has changed. NULL while nobody listens.
	void (*on_change)(void *ctx, const struct service *s, const char *from, const char *to, const char *why);
	void *on_change_ctx;
	void (*on_halted)(void *ctx); // nothing is left
	void *on_halted_ctx;
	struct stream *paused[SUPER_PAUSED_MAX]; // see run.c, consider_pause()
	size_t npaused;
	struct timer pause;
	uint64_t read_us; // time of the last read of output
	char read_buf[SUPER_READ_SIZE];
};

struct super_options {
	const char *config_dir;
	size_t log_lines;
	bool container;
	bool cgroups; // use control groups, where there are some of ours
};

// 0, or -1 with *err. Becomes the child subreaper.
int super_init(struct super *u, struct loop *l, const struct super_options *o, struct err *err);

// Removes what would outlive the process: control groups.
void super_end(struct super *u);

struct service *super_find(struct super *u, const char *name);

// Loads every service file; bad ones are reported and left out. Starts the rest.
void super_load_dir(struct super *u);
// Loads NAME.yaml (or .yml) and starts the service. ERR_INVALID_NAME,
// ERR_SERVICE_ALREADY_MONITORED, ERR_CONFIG, ERR_SHUTTING_DOWN, ERR_INTERNAL.
int super_monitor(struct super *u, const char *name, unit_warn_fn *warn, void *ctx, struct err *err);
int super_start(struct service *s, struct err *err);
void super_stop(struct service *s);
// Reads a changed file first; if it is bad nothing is done: ERR_CONFIG.
int super_restart(struct service *s, struct err *err);
// ERR_SERVICE_IS_UP unless stopped. On 0 the service is gone.
int super_forget(struct service *s, struct err *err);
// A signal to the process group. ERR_SERVICE_IS_DOWN, ERR_INTERNAL.
int super_kill(struct service *s, int sig, struct err *err);
// Ends every service in order, then what else is left, then calls on_halted.
// A second call only changes the mode of a HALT_STOP.
void super_shutdown(struct super *u, enum halt_mode mode);
// A child that belongs to no service: h->ended is called when it has ended. The
// end of a shutdown ends it too.
void super_add_helper(struct super *u, struct helper *h, pid_t pid);
// After SIGCHLD.
void super_reap(struct super *u);

// Has a stop or restart of this service come to its end?
static inline bool super_is_settled(const struct service *s)
{
	return s->rec.phase != PHASE_STOPPING && s->rec.phase != PHASE_ENDING;
}

void super_watch(struct service *s, struct watcher *w);
static inline void super_unwatch(struct watcher *w)
{
	list_del(&w->link);
}

// "removed", "changed" or NULL: the file against what was loaded from it.
const char *super_file_news(struct service *s);

// ---- between the files of svc/ ----

void svc_event(struct service *s, enum event ev);
void svc_todo(struct service *s, enum service_todo what);
// Tells on_change that the state is no longer `from`, if it is not.
void svc_changed(const struct service *s, const char *from, const char *why);
void svc_reason(struct service *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static inline bool svc_has_left(const struct service *s)
{
	return s->left || s->unsure || s->test.pid;
}

// To the process group of a child, which has none yet in the first moment of a slow start.
int svc_kill(pid_t leader, int sig);

struct node *graph_node(struct super *u, const char *name); // found or made; NULL without memory
struct node *graph_find(struct super *u, const char *name);
void graph_release(struct super *u, struct node *n); // frees it if nobody needs it
void graph_attach(struct service *s, struct def *d); // edges begin to count
void graph_detach(struct super *u, struct def *d);
void graph_flip(struct service *s, bool satisfied); // moves the dependents' counts

struct def *def_new(struct super *u, const struct unit *unit);
void def_free(struct super *u, struct def *d); // detached edges only

void run_init(struct super *u);
void run_track(struct super *u, struct tracked *t, pid_t pid);
void run_untrack(struct super *u, struct tracked *t);
struct tracked *run_tracked(struct super *u, pid_t pid);
void run_spawn(struct service *s); // feeds EV_SPAWN_*
bool run_failed(struct service *s); // did the leader that has ended never run its program? feeds EV_SPAWN_FAILED
void run_test(struct service *s);
void run_test_tick(struct service *s);
void run_test_end(struct service *s);
void run_test_exit(struct service *s, struct exit_status how);
void run_drain(struct service *s); // what the pipes hold now
int run_prepare(struct service *s, const struct def *d); // memory for a definition
void run_release(struct service *s);

void kin_init(struct super *u);
void kin_look(struct super *u); // counts what has detached itself, for status; now and then
void kin_before_stop(struct service *s);
void kin_begin_halt(struct super *u);
void kin_settle(struct super *u); // after reaping: counts again what is left
void kin_end(struct service *s); // stop signal
void kin_kill(struct service *s); // SIGKILL, to all of it
void kin_forget(struct service *s);
int kin_joiner(struct service *s); // what the leader writes to, to join its control group; or -1
// Signals every descendant. 1, or 0 when there is none, or -1 when that cannot be told.
int kin_sweep(struct super *u, int sig);

// `d` is taken over on success only. NULL with *err.
struct service *super_add(struct super *u, const char *name, struct def *d, struct err *err);
int super_read_env(struct super *u);

void halt_init(struct super *u);
void halt_service(struct service *s);
void halt_check(struct service *s); // shutdown: may others stop now?
void halt_removed(struct service *s);
void halt_give_up(struct service *s);
void halt_finish(struct super *u); // sweeps when no service is left
void halt_reaped(struct super *u);
