// The ring: what it keeps, what it drops, and what readers are told.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "svc/ring.h"
#include <stdio.h>
#include <string.h>

static void add(struct ring *r, struct ring_owner *o, unsigned flags, const char *text)
{
	ring_add(r, o, flags, text, strlen(text));
}

struct reading {
	char text[8192];
	size_t n;
	int stop_after; // lines; -1 = never
};

static bool take(void *ctx, const struct ring_line *l, uint64_t dropped)
{
	struct reading *t = ctx;
	if (!t->stop_after)
		return false;
	if (t->stop_after > 0)
		t->stop_after--;
	if (dropped)
		t->n += (size_t)snprintf(t->text + t->n, sizeof(t->text) - t->n, "(%d lost)", (int)dropped);
	t->n += (size_t)snprintf(t->text + t->n, sizeof(t->text) - t->n, "%s%.*s ", l->owner->name, l->len, l->text);
	return true;
}

static const char *read_all(struct ring *r, struct ring_cursor *c)
{
	static struct reading t;
	t = (struct reading){ .stop_after = -1 };
	ring_read(r, c, take, &t);
	return t.text;
}

static const char *snapshot(struct ring *r, const char *name)
{
	struct ring_cursor c;
	ring_cursor_init(r, &c, ring_filter_of(name), NULL);
	ring_tail(r, &c, SIZE_MAX);
	return read_all(r, &c);
}

static void keeps_the_last_lines(void **state)
{
	(void)state;
	struct ring r;
	ring_init(&r, 3);
	struct ring_owner *a = ring_owner_new("a", false);
	for (int i = 1; i <= 7; i++) {
		char text[2] = { (char)('0' + i), 0 };
		add(&r, a, 0, text);
	}
	assert_string_equal(snapshot(&r, NULL), "a5 a6 a7 ");
	ring_owner_put(a);
	assert_string_equal(snapshot(&r, "a"), "a5 a6 a7 ");
	ring_release(&r);
}

static void none_and_one(void **state)
{
	(void)state;
	for (size_t max = 0; max <= 1; max++) {
		struct ring r;
		ring_init(&r, max);
		struct ring_owner *a = ring_owner_new("a", false), *b = ring_owner_new("b", false);
		add(&r, a, 0, "1");
		add(&r, b, 0, "2");
		assert_string_equal(snapshot(&r, NULL), max ? "b2 " : "");
		ring_owner_put(a);
		ring_owner_put(b);
		ring_release(&r);
	}
}

static void a_flood_leaves_others_their_share(void **state)
{
	(void)state;
	struct ring r;
	ring_init(&r, 10);
	struct ring_owner *quiet = ring_owner_new("q", false), *loud = ring_owner_new("l", false);
	add(&r, quiet, 0, "1");
	add(&r, quiet, 0, "2");
	for (int i = 0; i < 1000; i++)
		add(&r, loud, 0, "x");
	assert_string_equal(snapshot(&r, "q"), "q1 q2 ");
	assert_int_equal(loud->nlines, 8);
	for (int i = 0; i < 20; i++) // the quiet one gets its half when it wants it
		add(&r, quiet, 0, "y");
	assert_int_equal(quiet->nlines, 5);
	assert_int_equal(loud->nlines, 5);
	ring_owner_put(quiet);
	ring_owner_put(loud);
	ring_release(&r);
}

static void bytes_are_bounded(void **state)
{
	(void)state;
	struct ring r;
	ring_init(&r, 1000);
	struct ring_owner *a = ring_owner_new("a", false);
	static char big[RING_LINE_MAX];
	for (int i = 0; i < 1000; i++)
		ring_add(&r, a, 0, big, sizeof(big));
	assert_true(r.nbytes <= r.max_bytes);
	assert_true(r.nlines >= 10);
	ring_owner_put(a);
	ring_release(&r);
}

static void own_lines_stand_beside(void **state)
{
	(void)state;
	struct ring r;
	ring_init(&r, 2);
	struct ring_owner *own = ring_owner_new("zinit", true), *a = ring_owner_new("a", false);
	add(&r, own, 0, "!");
	for (int i = 0; i < 5; i++)
		add(&r, a, 0, "x");
	assert_string_equal(snapshot(&r, NULL), "zinit! ax ax ");
	for (int i = 0; i < RING_OWN_LINES + 5; i++)
		add(&r, own, 0, "?");
	assert_int_equal(own->nlines, RING_OWN_LINES);
	assert_string_equal(snapshot(&r, "a"), "ax ax ");
	ring_owner_put(own);
	ring_owner_put(a);
	ring_release(&r);
}

static void tests_are_names_of_their_own(void **state)
{
	(void)state;
	struct ring r;
	ring_init(&r, 10);
	struct ring_owner *a = ring_owner_new("a", false), *ab = ring_owner_new("ab", false);
	add(&r, a, 0, "1");
	add(&r, a, RING_TEST, "2");
	add(&r, ab, 0, "3");
	assert_string_equal(snapshot(&r, "a"), "a1 ");
	assert_string_equal(snapshot(&r, "a/test"), "a2 ");
	assert_string_equal(snapshot(&r, "ab"), "ab3 ");
	assert_string_equal(snapshot(&r, ""), "");
	ring_owner_put(a);
	ring_owner_put(ab);
	ring_release(&r);
}

static void a_follower_sees_each_line_once(void **state)
{
	(void)state;
	struct ring r;
	ring_init(&r, 4);
	struct ring_owner *a = ring_owner_new("a", false), *b = ring_owner_new("b", false);
	struct ring_cursor all, only_a;
	add(&r, a, 0, "0");
	ring_cursor_init(&r, &all, ring_filter_of(NULL), NULL);
	ring_cursor_init(&r, &only_a, ring_filter_of("a"), a);
	add(&r, a, 0, "1");
	add(&r, b, 0, "2");
	assert_string_equal(read_all(&r, &all), "a1 b2 ");
	assert_string_equal(read_all(&r, &all), "");
	add(&r, a, 0, "3");
	assert_string_equal(read_all(&r, &all), "a3 ");
	assert_string_equal(read_all(&r, &only_a), "a1 a3 ");
	for (int i = 0; i < 6; i++)
		add(&r, a, 0, "x");
	// b keeps its line, a has three of its six.
	assert_string_equal(read_all(&r, &only_a), "(3 lost)ax ax ax ");
	assert_string_equal(read_all(&r, &all), "(3 lost)ax ax ax ");
	ring_owner_put(a);
	ring_owner_put(b);
	ring_release(&r);
}

// Lines that were gone before the reader came are not lost lines.
static void history_has_no_gaps(void **state)
{
	(void)state;
	struct ring r;
	ring_init(&r, 4);
	struct ring_owner *a = ring_owner_new("a", false), *b = ring_owner_new("b", false);
	add(&r, b, 0, "old");
	for (int i = 0; i < 10; i++)
		add(&r, a, 0, "x");
	struct ring_cursor c;
	ring_cursor_init(&r, &c, ring_filter_of(NULL), NULL);
	ring_tail(&r, &c, SIZE_MAX);
	assert_string_equal(read_all(&r, &c), "bold ax ax ax ");
	ring_cursor_init(&r, &c, ring_filter_of(NULL), NULL);
	ring_tail(&r, &c, 2);
	assert_string_equal(read_all(&r, &c), "ax ax ");
	ring_owner_put(a);
	ring_owner_put(b);
	ring_release(&r);
}

static void a_reader_without_room_comes_back(void **state)
{
	(void)state;
	struct ring r;
	ring_init(&r, 10);
	struct ring_owner *a = ring_owner_new("a", false);
	struct ring_cursor c;
	ring_cursor_init(&r, &c, ring_filter_of(NULL), NULL);
	for (int i = 0; i < 4; i++) {
		char text[2] = { (char)('0' + i), 0 };
		add(&r, a, 0, text);
	}
	struct reading t = { .stop_after = 2 };
	ring_read(&r, &c, take, &t);
	assert_string_equal(t.text, "a0 a1 ");
	assert_string_equal(read_all(&r, &c), "a2 a3 ");
	ring_owner_put(a);
	ring_release(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_the_last_lines),
		cmocka_unit_test(none_and_one),
		cmocka_unit_test(a_flood_leaves_others_their_share),
		cmocka_unit_test(bytes_are_bounded),
		cmocka_unit_test(own_lines_stand_beside),
		cmocka_unit_test(tests_are_names_of_their_own),
		cmocka_unit_test(a_follower_sees_each_line_once),
		cmocka_unit_test(history_has_no_gaps),
		cmocka_unit_test(a_reader_without_room_comes_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
