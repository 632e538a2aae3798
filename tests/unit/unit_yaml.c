// unit_parse() and bad YAML: syntax, bytes, and bombs that must be refused at once.
#include "unit_help.h"

static void test_bad_yaml(void **state)
{
	static const struct refusal rows[] = {
		{ "exec: x\n---\nexec: y\n", "f:2:1: a second document starts here, expected one service per file" },
		{ "exec: x\n...\n---\n", "f:3:1: a second document starts here, expected one service per file" },
		{ "exec: !sleep 1000\n",
			"f:1:7: exec: a local tag has no meaning here; quote a value that starts with '!'" },
		{ "exec: x\ntest: ! grep x\n",
			"f:2:7: test: a local tag has no meaning here; quote a value that starts with '!'" },
		{ "# \xc3\xa9\nexec: \xe2\x98\x95\ntest: ! grep x\n",
			"f:3:7: test: a local tag has no meaning here; quote a value that starts with '!'" },
		{ "exec: !!binary x\n", "f:1:7: exec: this tag is not known or does not fit, expected !!str, !!int, "
					"!!bool or !!null" },
		{ "exec: x\nafter: !!str [a]\n", "f:2:8: after: this tag is not known or does not fit, expected !!str, "
						 "!!int, !!bool or !!null" },
		{ "exec: &sleep 1000\n", "f:1:7: exec: no alias uses this anchor; quote a value that starts with '&'" },
		{ "exec: *sleep\n",
			"f:1:7: exec: this alias has no anchor before it; quote a value that starts with '*'" },
		{ "exec: x\nx: &a [*a]\n", "f:2:8: x: this alias stands inside what it refers to" },
		{ "&a {exec: *a}\n", "f:1:11: exec: this alias stands inside what it refers to" },
		{ "exec: \"a\\0\"\n", "f:1:7: exec: a NUL byte cannot be part of a value" },
		{ "exec: echo a: b\n", "f:1:13: mapping values are not allowed in this context; quote a value that "
				       "holds ': '" },
		{ "exec: x\nenv:\n\tA: b\n",
			"f:3:1: found character that cannot start any token while scanning for the next token (from "
			"line 3); indent with blanks, not tabs, and quote a value that starts with '@', '%' or '`'" },
		{ "{exec: x\n", "f:2:1: did not find expected ',' or '}' while parsing a flow mapping (from line 1)" },
		{ "exec: \"x\n", "f:2:1: found unexpected end of stream while scanning a quoted scalar (from line 1)" },
	};

	(void)state;
	CHECK_REFUSALS(rows);
}

static void test_bad_bytes(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *error;
	} rows[] = {
		{ "exec: a\0b\n", 10, "f:1:8: a NUL byte, expected UTF-8 text" },
		{ "\377\376e\0", 4, "f:1:1: bytes that are not UTF-8, expected UTF-8 text" },
		{ "e\0x\0", 4, "f:1:2: a NUL byte, expected UTF-8 text" },
		{ "# caf\xe9\nexec: x\n", 15, "f:1:6: bytes that are not UTF-8, expected UTF-8 text" },
		{ "exec: x\n# \xc3", 11, "f:2:3: bytes that are not UTF-8, expected UTF-8 text" },
		{ "a: \xed\xa0\x80", 6, "f:1:4: bytes that are not UTF-8, expected UTF-8 text" },
		{ "a: \xc0\x80", 5, "f:1:4: bytes that are not UTF-8, expected UTF-8 text" },
		{ "a: \xe0\x80\x80", 6, "f:1:4: bytes that are not UTF-8, expected UTF-8 text" },
		{ "a: \xf4\x90\x80\x80", 7, "f:1:4: bytes that are not UTF-8, expected UTF-8 text" },
		{ "a: \xf8", 4, "f:1:4: bytes that are not UTF-8, expected UTF-8 text" },
		{ "exec: x\rlog: none\r", 18,
			"f:1:8: a carriage return without a line feed, expected lines ending in LF or CRLF" },
		{ "exec: x\r", 8, "f:1:8: a carriage return without a line feed, expected lines ending in LF or CRLF" },
		{ "exec: \xc3\xa9\x07\n", 10,
			"f:1:8: the control character U+0007, expected text (in double quotes, YAML escapes can name "
			"it)" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		is_refused(rows[i].text, rows[i].len, rows[i].error);
}

// ---- caps ----

// Refused with these words, and without work to speak of.
static void refused_fast(char *text, const char *part)
{
	double start = seconds();
	struct unit u;

	assert_int_equal(parse_bytes(text, strlen(text), &u), -1);
	if (!strstr(last.text, part))
		fail_msg("%s, expected: %s", last.text, part);
	assert_true(seconds() - start < (HAS_ASAN ? 5 : 1));
	free(text);
}

static char *laughs(void)
{
	struct buf b = BUF_INIT;

	buf_add_str(&b, "exec: x\na: &a [x,x,x,x,x,x,x,x,x]\n");
	for (char c = 'b'; c < 'z'; c++) {
		buf_printf(&b, "%c: &%c [", c, c);
		for (int i = 0; i < 9; i++)
			buf_printf(&b, "%s*%c", i ? "," : "", c - 1);
		buf_add_str(&b, "]\n");
	}
	return buf_text(&b);
}

// One long text, named by many variables: few bytes in the file, many in memory.
static char *fat_aliases(void)
{
	char *head = repeat("x: &a ", "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy", 10000, "\nexec: x\nlist: [");
	char *text = repeat(head, "*a, ", 1000, "]\n");

	free(head);
	return text;
}

static void test_bombs(void **state)
{
	(void)state;
	refused_fast(laughs(), "too many values, aliases counted");
	refused_fast(fat_aliases(), "too much text, aliases counted");
	refused_fast(repeat("exec: x\nx: ", "[", 2000, "\n"), "f:2:259: x: nested too deeply");
	refused_fast(repeat("exec: x\nx: ", "{a: ", 2000, "\n"), "x: nested too deeply");
	refused_fast(repeat("exec: x\nx: ", "- ", 100, "\n"), "not allowed in this context");
	refused_fast(repeat("exec: x\nx:\n  ", "- ", 2000, "\n"), "x: nested too deeply");
	refused_fast(repeat("", "a: b\n", 200000, ""), "too many values");
	refused_fast(repeat("exec: x\nx: [", "&a b, ", 150000, "]\n"), "too many anchors");
	refused_fast(repeat("", "%TAG !a! b\n", 90000, "---\nexec: x\n"), "too many lines that start with '%'");
	refused_fast(repeat("exec: x\n", "                ", 70000, ""), "more than 1048576 bytes");
}

static void test_large_but_fine(void **state)
{
	char *text = repeat("exec: ", "x", 300000, "\n");
	struct unit u = good(text);

	(void)state;
	assert_int_equal(strlen(u.exec.argv[0]), 300000);
	unit_release(&u);
	free(text);
	text = repeat("exec: x\nx: ", "[", 200, "");
	text = realloc(text, 1024);
	for (int i = 0; i < 200; i++)
		memcpy(text + strlen(text), "]", 2);
	u = good(text);
	unit_release(&u);
	free(text);
	text = repeat("#", " a comment that goes on and on", 30000, "\nexec: x\n");
	u = good(text);
	unit_release(&u);
	free(text);
}

static void test_many_variables(void **state)
{
	struct buf b = BUF_INIT;
	double start = seconds();
	struct unit u;

	(void)state;
	buf_add_str(&b, "exec: x\nenv:\n");
	for (int i = 0; i < 20000; i++)
		buf_printf(&b, "  V%d: %d\n", 20000 - i, i);
	buf_add_str(&b, "after:\n");
	for (int i = 0; i < 2000; i++)
		buf_printf(&b, "- s%d\n", i % 1500);
	u = good(buf_text(&b));
	assert_int_equal(u.nenv, 20000);
	assert_string_equal(u.env[0].name, "V20000");
	assert_string_equal(u.env[19999].value, "19999");
	assert_int_equal(u.nafter, 1500);
	assert_string_equal(u.after[1499], "s1499");
	unit_release(&u);
	buf_release(&b);
	assert_true(seconds() - start < (HAS_ASAN ? 5 : 1));
}

static void test_warnings_are_capped(void **state)
{
	char *text = repeat("exec: x\n", "foo: b\n", 40000, "");
	struct unit u = good(text);
	size_t lines = 0;

	(void)state;
	for (size_t i = 0; i < warnings.len; i++)
		lines += warnings.data[i] == '\n';
	assert_int_equal(lines, 33);
	assert_non_null(strstr(warned(), "34:1: more warnings from here on are not shown\n"));
	unit_release(&u);
	assert_int_equal(unit_parse(text, strlen(text), "f", &u, NULL, NULL, NULL), 0);
	unit_release(&u);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_yaml),
		cmocka_unit_test(test_bad_bytes),
		cmocka_unit_test(test_bombs),
		cmocka_unit_test(test_large_but_fine),
		cmocka_unit_test(test_many_variables),
		cmocka_unit_test(test_warnings_are_capped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
