#include "base/clock.h"
#include <stdio.h>
#include <time.h>

static uint64_t now_us(clockid_t id)
{
	struct timespec ts;
	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t clock_mono_us(void)
{
	return now_us(CLOCK_MONOTONIC);
}

uint64_t clock_wall_ms(void)
{
	return now_us(CLOCK_REALTIME) / 1000;
}

const char *clock_text(uint64_t wall_ms, char out[CLOCK_TEXT_MAX])
{
	time_t s = (time_t)(wall_ms / 1000);
	struct tm tm;
	if (!gmtime_r(&s, &tm)) {
		snprintf(out, CLOCK_TEXT_MAX, "@%llu", (unsigned long long)wall_ms);
		return out;
	}
	size_t n = strftime(out, CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, CLOCK_TEXT_MAX - n, ".%03uZ", (unsigned)(wall_ms % 1000));
	return out;
}
