// guess_distance(): what a typing mistake costs.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/guess.h"

static void test_distance(void **state)
{
	static const struct {
		const char *a, *b;
		size_t distance;
	} cases[] = {
		{ "", "", 0 },
		{ "a", "", 1 },
		{ "log", "log", 0 },
		{ "log", "LOG", 0 },
		{ "lgo", "log", 1 },
		{ "logs", "log", 1 },
		{ "lg", "log", 1 },
		{ "lig", "log", 1 },
		{ "afte", "after", 1 },
		{ "shutdown_timout", "shutdown_timeout", 1 },
		{ "name", "env", 4 },
		{ "abcd", "badc", 2 },
		{ "12345678901234567890123456789012", "12345678901234567890123456789012", 0 },
		{ "123456789012345678901234567890123", "123456789012345678901234567890123", GUESS_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(guess_distance(cases[i].a, cases[i].b), cases[i].distance);
		assert_int_equal(guess_distance(cases[i].b, cases[i].a), cases[i].distance);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_distance) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
