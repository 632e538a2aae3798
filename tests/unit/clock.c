// clock_text(): the same date as the C library gives, for every day of some centuries.
#include "base/clock.h"
#include "unit_help.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

static void check(uint64_t wall_ms)
{
	char got[CLOCK_TEXT_MAX], wanted[64];
	time_t s = (time_t)(wall_ms / 1000);
	struct tm tm;
	size_t n = strftime(wanted, sizeof(wanted), "%Y-%m-%dT%H:%M:%S", gmtime_r(&s, &tm));
	snprintf(wanted + n, sizeof(wanted) - n, ".%03uZ", (unsigned)(wall_ms % 1000));
	assert_string_equal(clock_text(wall_ms, got), wanted);
}

static void every_day(void **state)
{
	(void)state;
	for (uint64_t day = 0; day < 400 * 366; day++) {
		check(day * 86400000);
		check(day * 86400000 + 86399999);
		check(day * 86400000 + day * 7919 % 86400000);
	}
}

static void the_last_year(void **state)
{
	(void)state;
	char out[CLOCK_TEXT_MAX];
	check(UINT64_C(253402300799999));
	assert_int_equal(strlen(clock_text(UINT64_MAX, out)), strlen("2026-01-31T12:34:56.789Z"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_day), cmocka_unit_test(the_last_year) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
