#include "base/clock.h"
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

static char *put(char *at, unsigned value, int digits, char after)
{
	for (int i = digits - 1; i >= 0; i--) {
		at[i] = (char)('0' + value % 10);
		value /= 10;
	}
	at[digits] = after;
	return at + digits + 1;
}

// Years begin in March, so that the day that comes and goes is the last one, and
// are counted in the 400 years after which the calendar repeats.
const char *clock_text(uint64_t wall_ms, char out[CLOCK_TEXT_MAX])
{
	enum { MARCH_0000 = 719468, DAYS_400 = 146097, DAYS_100 = 36524, DAYS_4 = 1461, LAST_YEAR = 9999 };
	uint64_t s = wall_ms / 1000, days = s / 86400 + MARCH_0000;
	unsigned day = (unsigned)(days % DAYS_400);
	unsigned year = (day - day / (DAYS_4 - 1) + day / DAYS_100 - day / (DAYS_400 - 1)) / 365;
	day -= 365 * year + year / 4 - year / 100;
	unsigned month = (5 * day + 2) / 153; // from March
	day -= (153 * month + 2) / 5;
	uint64_t full = days / DAYS_400 * 400 + year + (month >= 10);
	char *at = put(out, (unsigned)(full > LAST_YEAR ? LAST_YEAR : full), 4, '-');
	at = put(at, month < 10 ? month + 3 : month - 9, 2, '-');
	at = put(at, day + 1, 2, 'T');
	at = put(at, (unsigned)(s / 3600 % 24), 2, ':');
	at = put(at, (unsigned)(s / 60 % 60), 2, ':');
	at = put(at, (unsigned)(s % 60), 2, '.');
	*put(at, (unsigned)(wall_ms % 1000), 3, 'Z') = '\0';
	return out;
}
