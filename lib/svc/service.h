// One supervised service: what its file says, what runs now, and its place in
// the graph of `after`. Owned by super.c; others read.
#pragma once
#include "base/list.h"
#include "conf/unit.h"
#include "loop/loop.h"
#include "proc/reap.h"
#include "proc/spawn.h"
#include "svc/machine.h"
#include "svc/ring.h"
#include <stdint.h>
#include <sys/types.h>

struct service;
struct super;

// A name that is known: as a service, or only because somebody's `after` has it.
struct node {
	struct node *next; // in its hash bucket
	struct service *svc; // NULL: no such service (yet)
	struct list dependents; // struct edge.link, of edges that count
	uint32_t hash;
	uint32_t refs; // edges that point here, counting or not
	char name[];
};

// "from waits for to": one entry of `after`.
struct edge {
	struct list link; // in to->dependents
	struct node *to;
	struct service *from;
};

// What the file says, copied into one allocation: strings, vectors and edges.
// A reload swaps the whole of it.
struct def {
	char **argv; // NULL: `broken` says why; argv[-1] is spare for spawn
	char **test_argv; // NULL: no test
	char *broken;
	char *test_broken;
	char *dir;
	char **env; // "NAME=value", NULL-terminated
	struct edge *edges;
	size_t nedges;
	uint64_t grace_ms;
	int stop_signal;
	bool oneshot;
	bool essential;
	bool has_test;
	enum unit_log log;
	enum unit_kill kill;

};

// What must outlive a re-exec of init, apart from descriptors: plain data.
struct record {
	pid_t pid; // leader; 0 = none
	enum phase phase;
	enum word word; // never WORD_KEEP; 0 = Unknown
	bool up;
	bool exited; // `how` is valid
	bool test_failed; // the test cannot be started: the word is TestFailure
	struct exit_status how; // of the last run
	pid_t exit_pid; // its leader
	unsigned restarts; // times that the leader ended by itself and was started again
	uint64_t since_ms; // wall time of the last change of the word
	uint64_t started_ms; // monotonic, of the running leader
	uint64_t started_wall_ms;
};

enum { ROLE_LEADER, ROLE_TEST, ROLE_HELPER };

// A child that init waits for by number.
struct tracked {
	struct tracked *next; // in its hash bucket
	pid_t pid; // 0 = none
	uint8_t role;
};

// A child of init that is no service; see super_add_helper().
struct helper {
	struct tracked tracked;
	void (*ended)(struct helper *h, struct exit_status how);
};

// One output pipe of a service, read into the ring.
struct stream {
	struct source source;
	struct service *svc;
	char *part; // a line that has not ended yet (RING_LINE_MAX bytes), or NULL
	uint16_t part_len;
	uint8_t flags; // enum ring_flag
	uint8_t hasty; // short reads in quick succession
};

enum { STREAM_OUT, STREAM_ERR, STREAM_TEST_OUT, STREAM_TEST_ERR, STREAM_COUNT };

// Somebody to be told at every change, until it takes itself off the list.
// s is NULL when the service is forgotten; the watcher is off the list then.
struct watcher {
	struct list link;
	void (*fn)(struct watcher *w, struct service *s);
};

enum service_todo { TODO_READY = 1, TODO_CLEAR = 2, TODO_TELL = 4, TODO_HALT = 8, TODO_START = 16 };

struct service {
	struct record rec;
	struct super *super;
	struct node *node;
	struct list link; // in super.services, sorted by name
	struct work work; // what `todo` says, once a turn
	struct list watchers;
	struct def *def;
	struct def *next_def; // read from a changed file, used once the old run is gone
	struct ring_owner *lines;
	struct stream *test_streams; // two, with a test and log: ring
	struct tracked leader;
	struct tracked test;
	struct timer delay; // restart, retry of a resource, next or last moment of a test
	struct timer grace;
	struct list exits; // in super.exits while an exit waits to be handled
	struct stream streams[2];
	struct source loading; // tells what became of a start that takes long; or not in the loop
	struct spawn_error refused; // by it
	struct exit_status test_how; // of a test in super.exits
	int cgroup_fd; // of the service's control group, -1: none
	pid_t test_group; // its session, until what it left is ended
	bool leader_gone, test_gone; // which exits wait in super.exits
	uint64_t reap_ticks; // when the last leader or test was reaped
	uint64_t start_ticks; // when the leader was started
	uint64_t killed_ms; // when SIGKILL went out first
	uint64_t end_ticks; // when the stop signal went out
	uint64_t file_stamp; // of the file as it was loaded
	const char *file_news; // "removed", "changed" or NULL, as seen at news_ms
	uint64_t news_ms;
	uint32_t nblock; // edges whose target is not satisfied
	uint32_t holders; // shutdown: dependents that are not gone yet
	uint32_t left; // living processes of the run besides the leader, to be ended with it
	uint32_t launched; // of the detached: started by this run
	uint32_t detached; // living processes that left on purpose
	bool unsure; // more may be left than could be seen
	bool unseen; // the stop began without a look: who has detached himself is not known
	bool is_refused; // `refused` says why the program does not run
	bool satisfied; // counts as met for dependents
	bool launcher; // this run's detached processes are ended too
	bool signalled; // the stop signal is out
	bool killing; // SIGKILL too
	bool test_ran; // banner of the test is written
	bool busy; // BLOCKED for want of a resource, not of `after`
	bool halt_asked; // shutdown: has been told to stop
	bool below; // shutdown: only lies below a cycle, see halt.c
	bool gone; // shutdown: nothing of it is left, its `after` may stop
	uint8_t todo; // enum service_todo
	char *reason; // why it is in this state, for people; or NULL
};

#define SVC_STATE_MAX 64
// "Running", "Error(Exited(Pid(12), 1))", ...: what clients see. Written to out.
const char *service_state(const struct service *s, char out[SVC_STATE_MAX]);
static inline const char *service_name(const struct service *s)
{
	return s->node->name;
}
