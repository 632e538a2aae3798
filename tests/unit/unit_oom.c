// unit_parse() without memory: each allocation fails in turn, libyaml's too, and
// nothing is leaked, half done or reported as a fault of the file.
#include "unit_help.h"

#include <dlfcn.h>

#if HAS_ASAN
static void test_no_memory(void **state)
{
	(void)state;
	skip();
}
#else
// These stand before the C library's for this program and for libyaml. Only
// while is_counting, the nth allocation (and, with fail_all, all later) fails.
static bool is_counting, fail_all;
static long until_failure, balance;

static bool must_fail(void)
{
	if (!is_counting)
		return false;
	until_failure--;
	return until_failure == 0 || (fail_all && until_failure < 0);
}

static void *next_function(const char *name)
{
	void *f = dlsym(RTLD_NEXT, name);

	if (!f)
		_exit(99);
	return f;
}

void *malloc(size_t n)
{
	static void *(*real)(size_t);

	if (!real)
		*(void **)&real = next_function("malloc");
	if (must_fail())
		return NULL;
	balance += is_counting;
	return real(n);
}

void *realloc(void *p, size_t n)
{
	static void *(*real)(void *, size_t);

	if (!real)
		*(void **)&real = next_function("realloc");
	if (must_fail())
		return NULL;
	balance += is_counting && !p;
	return real(p, n);
}

void free(void *p)
{
	static void (*real)(void *);

	if (!real)
		*(void **)&real = next_function("free");
	balance -= is_counting && p;
	real(p);
}

// Returns true once no allocation was left to fail.
static bool sweep_step(const char *text, long n, bool all)
{
	struct unit u;
	int rc;

	until_failure = n;
	fail_all = all;
	balance = 0;
	is_counting = true;
	rc = unit_parse(text, strlen(text), "f", &u, NULL, NULL, &last);
	if (rc == 0)
		unit_release(&u);
	is_counting = false;
	assert_int_equal(balance, 0);
	if (rc < 0) {
		assert_int_equal(last.code, ERR_INTERNAL);
		assert_string_equal(last.text, "f: out of memory");
		assert_null(u.blocks);
	}
	return until_failure > 0;
}

static void sweep(const char *text)
{
	long n = 1;

	while (!sweep_step(text, n, false)) {
		sweep_step(text, n, true);
		assert_true(n++ < 100000);
	}
	assert_true(n > 10);
}

static void test_no_memory(void **state)
{
	char *many = repeat("exec: x\nafter:\n", "- abcdefghijklmnop\n", 300, "env: {A: 1, A: 2}\n");
	char *lines = repeat("exec: |\n", "  \"a b\" 'c' \\d\n", 300, "test: \"'\"\n");

	(void)state;
	sweep("%TAG !e! tag:yaml.org,2002:\n%YAML 1.1\n---\nexec: !e!str &a sh -c 'x y'\ntest: *a\n"
	      "x: &m {A: 1, ? B : \"2\\n\"}\ny: [2, {}, [c: d]]\nenv: *m\nsignal: {stop: INT}\nlog: ~\n...\n");
	sweep(many);
	sweep(lines);
	free(many);
	free(lines);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
