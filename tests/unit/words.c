// words_split(): the POSIX quoting rules, read from a text that ends at a page
// which may not be touched.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/words.h"

#define GUARDED_MAX 4096

// A copy of text whose last byte is the last byte of a page before a forbidden one.
static const char *guarded(const char *text, size_t len)
{
	static char *pages;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (!pages) {
		pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_true(pages != MAP_FAILED);
		assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
	}
	assert_true(len <= GUARDED_MAX && len <= page);
	if (len)
		memcpy(pages + page - len, text, len);
	return pages + page - len;
}

// The words joined by '|', or "!offset why".
static const char *split_bytes(const char *text, size_t len)
{
	static char result[GUARDED_MAX + 64];
	char out[GUARDED_MAX + 1];
	const char *why = NULL;
	size_t used = 0, at = 0;
	int count = words_split(guarded(text, len), len, out, &used, &at, &why);

	if (count < 0) {
		snprintf(result, sizeof(result), "!%zu %s", at, why);
		return result;
	}
	assert_true(used <= len + 1);
	memcpy(result, out, used);
	for (size_t i = 0; i + 1 < used; i++) {
		if (!result[i])
			result[i] = '|';
	}
	result[used] = '\0';
	assert_int_equal(count == 0, used == 0);
	return result;
}

static const char *split(const char *text)
{
	return split_bytes(text, strlen(text));
}

struct row {
	const char *text;
	const char *words;
};

static void check(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_string_equal(split(rows[i].text), rows[i].words);
}

#define CHECK(rows) check(rows, sizeof(rows) / sizeof(rows[0]))

static void test_blanks(void **state)
{
	static const struct row rows[] = {
		{ "", "" },
		{ "   ", "" },
		{ " \t\n", "" },
		{ "a", "a" },
		{ "   a", "a" },
		{ "a   ", "a" },
		{ "a b", "a|b" },
		{ "a\tb\nc", "a|b|c" },
		{ "sleep   1000", "sleep|1000" },
		{ "a\rb", "a\rb" },
		{ "a\fb\vc", "a\fb\vc" },
		{ "a\302\240b", "a\302\240b" },
		{ "\xc3\xa9 \"\xe2\x98\x95 x\"", "\xc3\xa9|\xe2\x98\x95 x" },
		{ "\xff\xfe", "\xff\xfe" },
	};
	(void)state;
	CHECK(rows);
}

static void test_quotes(void **state)
{
	static const struct row rows[] = {
		{ "a \"b c\" d", "a|b c|d" },
		{ "a 'b c' d", "a|b c|d" },
		{ "a\"b\"'c'd", "abcd" },
		{ "a \"\" b", "a||b" },
		{ "a '' b", "a||b" },
		{ "\"\"", "" }, // one empty word: `used` is 1
		{ "''\"\"", "" },
		{ "'\"'", "\"" },
		{ "\"'\"", "'" },
		{ "a 'b\\c'", "a|b\\c" },
		{ "'a\nb'", "a\nb" },
		{ "\"a\nb\"", "a\nb" },
		{ "sh -c '\n  echo a\n  sleep 1\n'\n", "sh|-c|\n  echo a\n  sleep 1\n" },
		{ "'it'\\''s'", "it's" },
	};
	char out[8];

	(void)state;
	assert_int_equal(words_split("\"\"", 2, out, NULL, NULL, NULL), 1);
	assert_int_equal(words_split("", 0, out, NULL, NULL, NULL), 0);
	assert_int_equal(words_split("'' ''", 5, out, NULL, NULL, NULL), 2);
	CHECK(rows);
}

static void test_backslash(void **state)
{
	static const struct row rows[] = {
		{ "a\\ b c", "a b|c" },
		{ "a\\nb", "anb" },
		{ "\\a", "a" },
		{ "\\\\", "\\" },
		{ "\\'a\\\"", "'a\"" },
		{ "\\#a", "#a" },
		{ "a \"b\\\"c\"", "a|b\"c" },
		{ "a \"b\\$c\\`d\\\\e\"", "a|b$c`d\\e" },
		{ "a \"b\\nc\\x\"", "a|b\\nc\\x" },
		{ "\"\\'\"", "\\'" },
		{ "a \"b\\\nc\"", "a|bc" },
		{ "a\\\nb", "ab" },
		{ "a \\\n b", "a|b" }, // no empty word between
		{ "a \\\n\\\n b", "a|b" },
		{ "\\\na", "a" },
		{ "a\\\n", "a" },
		{ "a \\\n", "a" },
		{ "'a\\\nb'", "a\\\nb" },
		{ "\\\n", "" },
	};
	(void)state;
	CHECK(rows);
}

static void test_comments(void **state)
{
	static const struct row rows[] = {
		{ "# x", "" },
		{ "#", "" },
		{ "a #b c", "a" },
		{ "a b#c", "a|b#c" },
		{ "a\n#b\nc", "a|c" },
		{ "a #'", "a" },
		{ "a #b\\\nc", "a|c" }, // a comment ends at its line's end
		{ "a \\\n#b", "a" },
		{ "a\\\n#b", "a#b" },
		{ "\"#\" a", "#|a" },
		{ "''#a", "#a" },
	};
	(void)state;
	CHECK(rows);
}

static void test_nothing_is_expanded(void **state)
{
	static const struct row rows[] = {
		{ "$A ${B} $(c) `d`", "$A|${B}|$(c)|`d`" },
		{ "~ ~/x * ? [a]", "~|~/x|*|?|[a]" },
		{ "a; b && c | d > e", "a;|b|&&|c|||d|>|e" },
		{ "A=b c", "A=b|c" },
		{ "\"$HOME\" '$HOME'", "$HOME|$HOME" },
		{ "a{b,c}", "a{b,c}" },
	};
	(void)state;
	CHECK(rows);
}

static void test_not_closed(void **state)
{
	static const struct row rows[] = {
		{ "a \"b", "!2 a double quote is not closed" },
		{ "a 'b", "!2 a single quote is not closed" },
		{ "a'b\" c", "!1 a single quote is not closed" },
		{ "a\\", "!1 a backslash has nothing behind it" },
		{ "\\", "!0 a backslash has nothing behind it" },
		{ "'", "!0 a single quote is not closed" },
		{ "\"", "!0 a double quote is not closed" },
		{ "\"a\\", "!0 a double quote is not closed" },
		{ "\"a\\\"", "!0 a double quote is not closed" },
		{ "'a' b\"c\" 'd", "!9 a single quote is not closed" },
		{ "a\n'b", "!2 a single quote is not closed" },
	};
	(void)state;
	CHECK(rows);
	assert_string_equal(split_bytes("ab\0c", 4), "!2 a NUL byte cannot be part of a word");
	assert_string_equal(split_bytes("\0", 1), "!0 a NUL byte cannot be part of a word");
}

// Quotes whatever word it is given, and gets the same words back.
static void test_round_trip(void **state)
{
	static const char alphabet[] = "a '\"\\\n#$";
	char text[256], expect[256];
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t n = 0, m = 0;

		text[n++] = '\'';
		for (unsigned len = seed % 12; len; len--) {
			char c;

			seed = seed * 1103515245 + 12345;
			c = alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
			expect[m++] = c;
			if (c == '\'') {
				memcpy(text + n, "'\\'", 3);
				n += 3;
			}
			text[n++] = c;
		}
		text[n++] = '\'';
		expect[m] = '\0';
		seed = seed * 1103515245 + 12345;
		assert_string_equal(split_bytes(text, n), expect);
	}
}

// Every short text over the bytes that matter: no crash, no read or write too far.
static void test_all_short_texts(void **state)
{
	static const char alphabet[] = "a '\"\\\n#\0";
	char text[6];

	(void)state;
	for (unsigned n = 0; n < 8u * 8 * 8 * 8 * 8 * 8; n++) {
		for (unsigned i = 0, rest = n; i < sizeof(text); i++, rest /= 8)
			text[i] = alphabet[rest % 8];
		for (size_t len = 4; len <= sizeof(text); len++)
			split_bytes(text, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blanks),
		cmocka_unit_test(test_quotes),
		cmocka_unit_test(test_backslash),
		cmocka_unit_test(test_comments),
		cmocka_unit_test(test_nothing_is_expanded),
		cmocka_unit_test(test_not_closed),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_all_short_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
