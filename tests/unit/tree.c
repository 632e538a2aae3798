// Marks handed down a snapshot of processes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "proc/tree.h"

enum { N = 10000, FIRST = 100 };

static struct proc procs[N];
static size_t calls;

static void one_more(struct proc *p, const struct proc *parent)
{
	assert_true(p->mark <= 0 && parent->mark > 0);
	p->mark = parent->mark + 1;
	calls++;
}

// fn(i): the place of its parent, or -1.
static struct tree make(int (*parent)(int i))
{
	calls = 0;
	for (int i = 0; i < N; i++)
		procs[i] = (struct proc){ .pid = FIRST + i, .ppid = parent(i) < 0 ? 1 : FIRST + parent(i) };
	return (struct tree){ procs, N, N };
}

static int above(int i)
{
	return i - 1;
}

static int below(int i)
{
	return i + 1 < N ? i + 1 : -1;
}

static int around(int i)
{
	return (i + 1) % N;
}

// Every second one is a child of the last, the others are its grandchildren.
static int mixed(int i)
{
	return i == N - 1 ? -1 : i % 2 ? N - 1 : i + 1;
}

static void parents_come_first(void **state)
{
	(void)state;
	struct tree t = make(above);
	procs[0].mark = 1;
	tree_inherit(&t, one_more);
	for (int i = 0; i < N; i++)
		assert_int_equal(procs[i].mark, i + 1);
	assert_int_equal(calls, N - 1);
	t = make(below);
	procs[N - 1].mark = 1;
	tree_inherit(&t, one_more);
	for (int i = 0; i < N; i++)
		assert_int_equal(procs[i].mark, N - i);
	assert_int_equal(calls, N - 1);
	t = make(mixed);
	procs[N - 1].mark = 5;
	tree_inherit(&t, one_more);
	for (int i = 0; i < N - 1; i++)
		assert_int_equal(procs[i].mark, i % 2 ? 6 : i == N - 2 ? 6 : 7);
}

static void who_descends_from_nobody_has_no_mark(void **state)
{
	(void)state;
	struct tree t = make(above);
	procs[N / 2].mark = 1;
	tree_inherit(&t, one_more);
	for (int i = 0; i < N; i++)
		assert_int_equal(procs[i].mark, i < N / 2 ? 0 : i - N / 2 + 1);
	// What has a mark keeps it, and hands down its own.
	procs[N / 2 + 10].mark = 1;
	for (int i = N / 2 + 11; i < N; i++)
		procs[i].mark = 0;
	tree_inherit(&t, one_more);
	assert_int_equal(procs[N / 2 + 9].mark, 10);
	assert_int_equal(procs[N - 1].mark, N - N / 2 - 10);
}

static void circles_end(void **state)
{
	(void)state;
	struct tree t = make(around);
	tree_inherit(&t, one_more);
	assert_int_equal(calls, 0);
	assert_int_equal(procs[7].mark, 0);
	procs[7].mark = 1;
	tree_inherit(&t, one_more);
	assert_int_equal(calls, N - 1);
	assert_int_equal(procs[8].mark, N);
	procs[3].ppid = procs[3].pid;
	for (int i = 0; i < N; i++)
		procs[i].mark = 0;
	tree_inherit(&t, one_more);
	assert_int_equal(procs[3].mark, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parents_come_first),
		cmocka_unit_test(who_descends_from_nobody_has_no_mark),
		cmocka_unit_test(circles_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
