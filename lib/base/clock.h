// Time. Deadlines are CLOCK_MONOTONIC; only what people read is wall time.
#pragma once
#include <stdint.h>
#include <stddef.h>

uint64_t clock_mono_us(void);
static inline uint64_t clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}
// Wall time in milliseconds since 1970.
uint64_t clock_wall_ms(void);

#define CLOCK_TEXT_MAX 32
// "2026-01-31T12:34:56.789Z" (RFC 3339), written to out and returned.
const char *clock_text(uint64_t wall_ms, char out[CLOCK_TEXT_MAX]);
