// The board: one file in memory that every measured program maps, on which a
// service leaves the time of its first instruction.
//
// Why not a socket or a pipe: a reader that wakes for each arrival would compete
// for the CPU with what is being measured. Here only the arrival that completes
// the wanted number wakes anyone. Times are CLOCK_MONOTONIC nanoseconds, so that
// those of different processes compare.
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// The board holds this many slots; run.py knows the layout too.
enum { BOARD_SLOTS = 4096 };

struct board {
	_Atomic uint32_t count; // arrivals so far
	_Atomic uint32_t want; // the arrival that wakes the waiter
	_Atomic int64_t at_ns[BOARD_SLOTS];
};

static inline int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static inline struct board *board_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *map = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		perror(path);
		exit(111);
	}
	close(fd);
	return map;
}

static inline void board_arrive(struct board *b, unsigned slot, int64_t at_ns)
{
	b->at_ns[slot % BOARD_SLOTS] = at_ns;
	if (atomic_fetch_add(&b->count, 1) + 1 == b->want)
		syscall(SYS_futex, &b->count, FUTEX_WAKE, 1 << 30, NULL, NULL, 0);
}

// Sleeps until `want` arrivals are there; 0, or -1 after timeout_s seconds.
// The caller has stored `want` before it started what arrives.
static inline int board_wait(struct board *b, uint32_t want, int timeout_s)
{
	int64_t end = now_ns() + timeout_s * INT64_C(1000000000);
	for (uint32_t seen; (seen = b->count) < want;) {
		int64_t left = end - now_ns();
		if (left <= 0)
			return -1;
		struct timespec t = { (time_t)(left / 1000000000), (long)(left % 1000000000) };
		syscall(SYS_futex, &b->count, FUTEX_WAIT, seen, &t, NULL, 0);
	}
	return 0;
}
