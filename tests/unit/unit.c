// unit_parse(): what each key may hold, its default, and the words of every refusal
// and warning.
#include "unit_help.h"

#include <signal.h>

#include "base/signame.h"

// ---- values ----

static void test_defaults(void **state)
{
	struct unit u = good("exec: sleep 1000\n");

	(void)state;
	assert_string_equal(u.exec.text, "sleep 1000");
	assert_int_equal(u.exec.argc, 2);
	assert_string_equal(u.exec.argv[0], "sleep");
	assert_string_equal(u.exec.argv[1], "1000");
	assert_null(u.exec.argv[2]);
	assert_null(u.exec.broken);
	assert_null(u.test.text);
	assert_null(u.test.argv);
	assert_false(u.oneshot || u.essential);
	assert_int_equal(u.log, UNIT_LOG_RING);
	assert_int_equal(u.kill, UNIT_KILL_ATTACHED);
	assert_int_equal(u.stop_signal, SIGTERM);
	assert_int_equal(u.shutdown_timeout, 10);
	assert_null(u.dir);
	assert_int_equal(u.nafter + u.nenv, 0);
	assert_string_equal(warned(), "");
	unit_release(&u);
	unit_release(&u);
}

// The defaults that the documents print are the ones that the loader sets.
static void test_defaults_in_table(void **state)
{
	static const struct {
		const char *key, *dflt;
	} rows[] = {
#define FIELD(key, type, member, dflt, help) { key, dflt },
#include "conf/fields.def"
	};
	struct unit u = good("exec: x\n");
	char seconds[24], name[SIGNAME_MAX];
	int checked = 0;

	(void)state;
	snprintf(seconds, sizeof(seconds), "%llu", (unsigned long long)u.shutdown_timeout);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!strcmp(rows[i].key, "shutdown_timeout") && ++checked)
			assert_string_equal(rows[i].dflt, seconds);
		if (!strcmp(rows[i].key, "signal.stop") && ++checked)
			assert_string_equal(rows[i].dflt, signame_text(u.stop_signal, name));
	}
	assert_int_equal(checked, 2);
	unit_release(&u);
}

static void test_every_key(void **state)
{
	struct unit u = good("exec: sh -c 'a  b'\n"
			     "test: \"true\"\n"
			     "oneshot: Yes\n"
			     "essential: on\n"
			     "after:\n- b\n- a\n- b\n"
			     "signal:\n  stop: rtmin+2\n"
			     "shutdown_timeout: 99999999\n"
			     "log: stdout\n"
			     "env: {B: 8080, A: true, C: }\n"
			     "dir: /tmp\n"
			     "kill: tree\n");

	(void)state;
	assert_int_equal(u.exec.argc, 3);
	assert_string_equal(u.exec.argv[2], "a  b");
	assert_string_equal(u.test.argv[0], "true");
	assert_true(u.oneshot && u.essential);
	assert_int_equal(u.nafter, 2);
	assert_string_equal(u.after[0], "b");
	assert_string_equal(u.after[1], "a");
	assert_int_equal(u.stop_signal, SIGRTMIN + 2);
	assert_int_equal(u.shutdown_timeout, 99999999);
	assert_int_equal(u.log, UNIT_LOG_STDOUT);
	assert_int_equal(u.nenv, 3);
	assert_string_equal(u.env[0].name, "B");
	assert_string_equal(u.env[0].value, "8080");
	assert_string_equal(u.env[1].value, "true");
	assert_string_equal(u.env[2].value, "");
	assert_string_equal(u.dir, "/tmp");
	assert_int_equal(u.kill, UNIT_KILL_TREE);
	assert_string_equal(warned(), "");
	unit_release(&u);
}

static void test_null_is_not_set(void **state)
{
	struct unit u = good("exec: x\ntest: ~\noneshot:\nafter: null\nsignal:\nshutdown_timeout: Null\nlog: NULL\n"
			     "env:\ndir: !!null ''\nkill: ~\nessential: ~\n");

	(void)state;
	assert_null(u.test.text);
	assert_null(u.dir);
	assert_int_equal(u.log, UNIT_LOG_NONE);
	assert_int_equal(u.stop_signal, SIGTERM);
	assert_int_equal(u.shutdown_timeout, 10);
	assert_int_equal(u.nafter + u.nenv, 0);
	assert_string_equal(warned(), "");
	unit_release(&u);
	u = good("exec: x\nsignal: {stop: }\ntest: ''\ndir: \"\"\nafter: ''\nlog:\n");
	assert_null(u.test.text);
	assert_null(u.dir);
	assert_int_equal(u.log, UNIT_LOG_NONE);
	unit_release(&u);
}

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		uint64_t value;
	} rows[] = {
		{ "0", 10 },
		{ "5", 5 },
		{ "0x1F", 31 },
		{ "0o10", 8 },
		{ "0b11", 3 },
		{ "+5", 5 },
		{ "!!int 5", 5 },
		{ "!!int \"5\"", 5 },
		{ "18446744073709551615", UINT64_MAX },
	};
	static const char *const bad[] = { "-1", "5.0", "1e1", "010", "00", "1_000", "5s", "\"5\"", "'5'", "5 5",
		".inf", "18446744073709551616", "0x", "0xg", "+", "0x10000000000000000", "!!str 5", "!!float 5", "true",
		"[5]", "{}", "|\n  5", "-0x1", "+010", "0X10" };
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct unit u;

		snprintf(text, sizeof(text), "exec: x\nshutdown_timeout: %s\n", rows[i].text);
		u = good(text);
		assert_true(u.shutdown_timeout == rows[i].value);
		unit_release(&u);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct unit u;

		snprintf(text, sizeof(text), "exec: x\nshutdown_timeout: %s\n", bad[i]);
		assert_int_equal(parse_bytes(text, strlen(text), &u), -1);
		assert_non_null(strstr(last.text, "f:2:19: shutdown_timeout: "));
		assert_non_null(strstr(last.text, ", expected whole seconds"));
	}
}

static void test_commands(void **state)
{
	struct unit u = good("exec: \"a 'b\"\ntest: '# x'\n");

	(void)state;
	assert_null(u.exec.argv);
	assert_int_equal(u.exec.argc, 0);
	assert_string_equal(u.exec.broken, "a single quote is not closed: line 1, column 3 of the command: 'b");
	assert_null(u.test.argv);
	assert_string_equal(
		u.test.broken, "holds no command, only blanks or a comment: line 1, column 1 of the command: # x");
	unit_release(&u);
	u = good("exec: |\n  sh -c '\n  \xc3\xa9\xe2\x98\x95 \"\n  ' \"x\n");
	assert_string_equal(u.exec.broken, "a double quote is not closed: line 3, column 3 of the command: \"x ");
	unit_release(&u);
	u = good("exec: \"   \"\n");
	assert_non_null(u.exec.broken);
	unit_release(&u);
	u = good("exec: 'a\\'\n");
	assert_string_equal(u.exec.broken, "a backslash has nothing behind it: line 1, column 2 of the command: \\");
	unit_release(&u);
}

static void test_aliases(void **state)
{
	struct unit u = good("x: &m {A: \"1\", B: &e sleep 1}\nexec: *e\ntest: *e\nenv: *m\n");

	(void)state;
	assert_string_equal(u.exec.argv[1], "1");
	assert_string_equal(u.test.text, "sleep 1");
	assert_int_equal(u.nenv, 2);
	assert_string_equal(u.env[1].value, "sleep 1");
	unit_release(&u);
	u = good("exec: &a x\ntest: *a\ny: &a z\ndir: *a\n");
	assert_string_equal(u.test.text, "x");
	assert_string_equal(u.dir, "z");
	unit_release(&u);
	u = good("a: &s {stop: INT}\nsignal: *s\nafter: [&q p, *q]\nexec: x\n");
	assert_int_equal(u.stop_signal, SIGINT);
	assert_int_equal(u.nafter, 1);
	unit_release(&u);
}

static void test_warnings(void **state)
{
	static const struct {
		const char *text;
		const char *warnings;
	} rows[] = {
		{ "exec: x\nshutdown_timout: 60\nlogs: stdout\nname: a\nafte: [b]\n",
			"2:1: shutdown_timout: unknown key, did you mean 'shutdown_timeout'?\n"
			"3:1: logs: unknown key, did you mean 'log'?\n"
			"4:1: name: unknown key\n"
			"5:1: afte: unknown key, did you mean 'after'?\n" },
		{ "exec: x\none_shot: true\nsignals: {}\n", "2:1: one_shot: unknown key, did you mean 'oneshot'?\n"
							    "3:1: signals: unknown key, did you mean 'signal'?\n" },
		{ "Exec: y\nexec: x\n", "1:1: Exec: unknown key, did you mean 'exec'?\n" },
		{ "exec: x\nsignal:\n  stp: 1\n  start: HUP\n",
			"3:3: stp: unknown key, did you mean 'stop'?\n4:3: start: unknown key\n" },
		{ "exec: x\nsignal.stop: INT\n",
			"2:1: signal.stop: unknown key, write 'stop:' on a line of its own below 'signal:'\n" },
		{ "exec: x\na: 1\n? a\n: 2\n", "2:1: a: unknown key\n3:3: a: unknown key, and set twice\n" },
		{ "exec: x\n<<: {a: b}\n", "2:1: <<: unknown key\n" },
		{ "exec: x\nenv:\n  A: 1\n  A: 2\n", "4:3: env.A: set twice, the last one counts\n" },
		{ "exec: x\nenv:\n  '': 1\n  'B=': 2\n",
			"3:3: env: a variable whose name is empty or holds '=' is left out\n"
			"4:3: env: a variable whose name is empty or holds '=' is left out\n" },
		{ "exec: x\nafter: net\n", "2:8: after: one string, taken as a list of one name\n" },
		{ "exec: x\nafter: [a/b, .c]\n",
			"2:9: after: no service can be called 'a/b': the name holds '/' or '\\'\n"
			"2:14: after: no service can be called '.c': the name starts with '.'\n" },
		{ "exec: x\ndir: tmp\n", "2:6: dir: a relative path, expected one that starts with /\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct unit u = good(rows[i].text);

		assert_string_equal(warned(), rows[i].warnings);
		unit_release(&u);
	}
}

static void test_env_order(void **state)
{
	struct unit u = good("exec: x\nenv: {Z: 1, B: 1, A: 1, B: 2, C: , B: 3, Z: 2}\n");
	static const char *const expected[] = { "A=1", "C=", "B=3", "Z=2" };
	char text[16];

	(void)state;
	assert_int_equal(u.nenv, 4);
	for (size_t i = 0; i < u.nenv; i++) {
		snprintf(text, sizeof(text), "%s=%s", u.env[i].name, u.env[i].value);
		assert_string_equal(text, expected[i]);
	}
	unit_release(&u);
}

// ---- refusals ----

static void test_bad_values(void **state)
{
	static const struct refusal rows[] = {
		{ "", "f:1:1: the file is empty, expected at least 'exec: COMMAND'" },
		{ "# x\n", "f:1:1: the file is empty, expected at least 'exec: COMMAND'" },
		{ "- exec: x\n", "f:1:1: the document is a list, expected a map of keys such as 'exec: COMMAND'" },
		{ "exec:x\n", "f:1:1: the document is plain text, expected a map of keys such as 'exec: COMMAND'" },
		{ "---\n", "f:2:1: the document is null, expected a map of keys such as 'exec: COMMAND'" },
		{ "oneshot: true\n", "f:1:1: exec: missing, expected the command line to run" },
		{ "oneshot: true\nexec: ~\n", "f:2:1: exec: empty, expected the command line to run" },
		{ "exec: [a]\n", "f:1:7: exec: a list, expected one string such as 'sleep 1000'" },
		{ "exec: {a: b}\n", "f:1:7: exec: a map, expected a string" },
		{ "exec: x\nexec: y\n", "f:2:1: exec: this key stands here twice, expected once" },
		{ "exec: x\nsignal: {}\nsignal: {}\n", "f:3:1: signal: this key stands here twice, expected once" },
		{ "exec: x\nsignal:\n  stop: INT\n  stop: INT\n",
			"f:4:3: signal.stop: this key stands here twice, expected once" },
		{ "exec: x\nsignal: SIGTERM\n", "f:2:9: signal: plain text, expected a map such as {stop: SIGTERM}" },
		{ "exec: x\nsignal: {stop: SIGFOO}\n",
			"f:2:16: signal.stop: plain text 'SIGFOO', expected a signal such "
			"as SIGTERM, TERM, 15 or SIGRTMIN+2" },
		{ "exec: x\noneshot: \"true\"\n",
			"f:2:10: oneshot: a quoted string 'true', expected true or false, without quotes" },
		{ "exec: x\noneshot: 1\n", "f:2:10: oneshot: a number '1', expected true or false, without quotes" },
		{ "exec: x\nlog: RING\n", "f:2:6: log: plain text 'RING', expected ring, none or stdout" },
		{ "exec: x\nlog: {ring: ~}\n", "f:2:6: log: a map, expected ring, none or stdout" },
		{ "exec: x\nkill: all\n", "f:2:7: kill: plain text 'all', expected attached or tree" },
		{ "exec: x\nafter: {a: b}\n", "f:2:8: after: a map, expected a list of service names" },
		{ "exec: x\nafter: [a, [b]]\n", "f:2:12: after[1]: a list, expected a service name" },
		{ "exec: x\nafter:\n  -\n", "f:3:4: after[0]: an empty item, expected a service name" },
		{ "exec: x\nenv: [A=b]\n", "f:2:6: env: a list, expected a map of NAME: value" },
		{ "exec: x\nenv:\n  A: [b]\n", "f:3:6: env.A: a list, expected a string" },
		{ "exec: x\nenv:\n  ? [b]\n  : c\n", "f:3:5: env: a list as a name, expected a string" },
		{ "exec: x\nenv:\n  <<: {A: b}\n",
			"f:3:3: env.<<: a merge key, expected plain names (merge keys are not supported)" },
		{ "exec: x\ndir: [a]\n", "f:2:6: dir: a list, expected a path" },
		{ "? [a]\n: b\n", "f:1:3: a list as a key, expected a word" },
	};

	(void)state;
	CHECK_REFUSALS(rows);
}

// A message about a long value stays one short line.
static void test_long_values_in_messages(void **state)
{
	char *text = repeat("exec: x\nlog: \"a\\nb", "\xe2\x98\x95", 500, "\"\n");

	(void)state;
	is_refused(text, strlen(text),
		"f:2:6: log: a quoted string 'a b\xe2\x98\x95\xe2\x98\x95\xe2\x98\x95\xe2\x98\x95"
		"\xe2\x98\x95\xe2\x98\x95\xe2\x98\x95\xe2\x98\x95\xe2\x98\x95\xe2\x98\x95\xe2\x98"
		"\x95\xe2\x98\x95\xe2\x98\x95...', expected ring, none or stdout");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_defaults_in_table),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_null_is_not_set),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_env_order),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_long_values_in_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
