// Signal names: every spelling in, one spelling out.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/signame.h"

static int parse(const char *text)
{
	return signame_parse(text, strlen(text));
}

static void test_spellings(void **state)
{
	(void)state;
	assert_int_equal(parse("SIGTERM"), SIGTERM);
	assert_int_equal(parse("TERM"), SIGTERM);
	assert_int_equal(parse("sigterm"), SIGTERM);
	assert_int_equal(parse("term"), SIGTERM);
	assert_int_equal(parse("SigInt"), SIGINT);
	assert_int_equal(parse("15"), 15);
	assert_int_equal(parse("015"), 15);
	assert_int_equal(parse("SIG15"), 15);
	assert_int_equal(parse("1"), 1);
	assert_int_equal(parse("64"), 64);
	assert_int_equal(parse("SIGIOT"), SIGABRT);
	assert_int_equal(parse("SIGCLD"), SIGCHLD);
	assert_int_equal(parse("SIGPOLL"), SIGIO);
	assert_int_equal(parse("usr1"), SIGUSR1);
	assert_int_equal(parse("SIGSTOP"), SIGSTOP);
}

static void test_realtime(void **state)
{
	(void)state;
	assert_int_equal(parse("SIGRTMIN"), SIGRTMIN);
	assert_int_equal(parse("rtmin"), SIGRTMIN);
	assert_int_equal(parse("SIGRTMIN+0"), SIGRTMIN);
	assert_int_equal(parse("SIGRTMIN+3"), SIGRTMIN + 3);
	assert_int_equal(parse("RTMAX"), SIGRTMAX);
	assert_int_equal(parse("SIGRTMAX-2"), SIGRTMAX - 2);
	assert_int_equal(parse("SIGRTMIN+99"), -1);
	assert_int_equal(parse("SIGRTMAX-99"), -1);
	assert_int_equal(parse("SIGRTMIN-1"), -1);
	assert_int_equal(parse("SIGRTMAX+1"), -1);
	assert_int_equal(parse("SIGRTMIN+"), -1);
	assert_int_equal(parse("SIGRTMIN+ 1"), -1);
	assert_int_equal(parse("SIGRTMIN+-1"), -1);
	assert_int_equal(parse("SIGRTMIN1"), -1);
}

static void test_refused(void **state)
{
	static const char *const texts[] = { "", "SIG", "0", "SIG0", "65", "-1", "+5", " SIGTERM", "SIGTERM ", "SIGFOO",
		"true", "TERMINATE", "SIGSIGTERM", "1e1", "99999999999999999999", "s\xc4\xb1gterm", "0x9", "RT", "~" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(parse(texts[i]), -1);
}

// The text is <pointer, length>: what lies behind it does not count.
static void test_length(void **state)
{
	(void)state;
	assert_int_equal(signame_parse("TERMxx", 4), SIGTERM);
	assert_int_equal(signame_parse("SIGRTMIN+23", 10), SIGRTMIN + 2);
	assert_int_equal(signame_parse("RTMINxx", 5), SIGRTMIN);
	assert_int_equal(signame_parse("159", 2), 15);
	assert_int_equal(signame_parse("TERM\0", 5), -1);
	assert_int_equal(signame_parse("SIGTERM", 3), -1);
}

static void test_text(void **state)
{
	char name[SIGNAME_MAX];

	(void)state;
	assert_string_equal(signame_text(SIGTERM, name), "SIGTERM");
	assert_ptr_equal(signame_text(SIGKILL, name), name);
	assert_string_equal(name, "SIGKILL");
	assert_string_equal(signame_text(SIGABRT, name), "SIGABRT");
	assert_string_equal(signame_text(SIGCHLD, name), "SIGCHLD");
	assert_string_equal(signame_text(SIGIO, name), "SIGIO");
	assert_string_equal(signame_text(SIGRTMIN, name), "SIGRTMIN");
	assert_string_equal(signame_text(SIGRTMIN + 2, name), "SIGRTMIN+2");
	assert_string_equal(signame_text(77, name), "SIG77");
	assert_string_equal(signame_text(0, name), "SIG0");
	assert_string_equal(signame_text(-2147483647 - 1, name), "SIG-2147483648");
}

static void test_round_trip(void **state)
{
	char name[SIGNAME_MAX];

	(void)state;
	for (int sig = 1; sig <= 64; sig++)
		assert_int_equal(parse(signame_text(sig, name)), sig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_realtime),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
