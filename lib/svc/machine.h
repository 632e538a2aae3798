// The life of a service as a pure function: state x event -> state, actions.
//
// No system call, no clock, no memory: super.c feeds events in and does what
// comes out. Two things are kept apart:
//   phase  what init does with the service now (this machine)
//   word   what clients are told: Unknown Blocked Spawned Running Success
//          Error(..) TestFailure Failure; derived here, stored by super.c
// "Target" is what the operator wants; STOPPING with target Up is a restart.
//
//            START            spawned, no test        EXIT (daemon)
//   IDLE ----------> BLOCKED ----------> RUNNING --------> COOLING --+
//    ^                  |  test given       ^  |              |      | delay over,
//    |                  +-----> SPAWNED ----+  | STOP         | STOP | all gone
//    |                             | STOP      v              v      v
//    +------- all gone, Down --- STOPPING <----+----------- STOPPING  (start again)
//
// tests/unit/machine.txt is the whole table, compared with the code by a test.
#pragma once
#include <stdbool.h>

enum phase {
	PHASE_IDLE, // no process, nothing pending: never started, finished, or stopped
	PHASE_BLOCKED, // wanted; waits for `after`, or for a resource that ran out
	PHASE_SPAWNED, // process runs, its test has not passed
	PHASE_RUNNING,
	PHASE_STOPPING, // being ended: leader or what it left is still there
	PHASE_COOLING, // a daemon that ended by itself: restart delay
	PHASE_ENDING, // as COOLING, delay over, but leftovers are still being ended
	PHASE_COUNT
};

enum event {
	EV_START, // target is Up now: boot, start, monitor
	EV_STOP, // target is Down now
	EV_RESTART, // target is Up, but first end what runs
	EV_READY, // dependencies met (or the resource may be there again)
	EV_SPAWN_OK,
	EV_SPAWN_SLOW, // there is a process; a file system has not given it its program yet
	EV_LOADED, // now it has
	EV_SPAWN_FAILED, // the program cannot be started
	EV_SPAWN_LATER, // nothing wrong with it, init lacks a process slot, memory or descriptors
	EV_TEST_PASSED,
	EV_EXIT, // the leader is gone
	EV_CLEAR, // everything that belonged to the run is gone
	EV_DELAY_OVER, // restart delay
	EV_GRACE_OVER, // time between stop signal and SIGKILL
	EV_COUNT
};

// What the decision depends on besides phase and event.
struct facts {
	bool up; // target
	bool oneshot;
	bool has_test;
	bool ready; // all of `after` satisfied
	bool leader; // the leader is alive
	bool left; // other processes of the service are alive
	bool final; // cannot be started however often (quotes do not close)
	bool halting; // shutdown has begun
};

// Actions, in the order in which they are carried out.
enum action {
	ACT_NONE = 0,
	ACT_SIGNAL = 1 << 0, // begin to end all processes: stop signal, grace timer
	ACT_KILL = 1 << 1, // SIGKILL to all that is left
	ACT_SPAWN = 1 << 2, // yields EV_SPAWN_*
	ACT_TEST = 1 << 3, // run the readiness test, now and every 2 s
	ACT_TEST_END = 1 << 4, // end the test and its timers
	ACT_DELAY = 1 << 5, // set the restart delay
	ACT_DELAY_END = 1 << 6,
	ACT_RETRY = 1 << 7, // look again soon whether the resource is there (yields EV_READY)
};

enum word { WORD_KEEP, WORD_BLOCKED, WORD_SPAWNED, WORD_RUNNING, WORD_FAILURE, WORD_EXIT };

struct step {
	enum phase next;
	enum word word; // WORD_EXIT: Success or Error(...) from the exit status
	unsigned actions;
};

struct step svc_next(enum phase phase, enum event event, const struct facts *f);
const char *phase_name(enum phase phase);
const char *event_name(enum event event);
