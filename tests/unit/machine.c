// The whole table of the state machine, compared with machine.txt. A change of
// behaviour shows as a change of that file: MACHINE_WRITE=1 writes it anew.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "svc/machine.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const words[] = { "", " Blocked", " Spawned", " Running", " Failure", " exit" };
static const char *const actions[] = { "signal", "kill", "spawn", "test", "test-end", "delay", "delay-end", "retry" };

static size_t add_step(char *out, size_t size, const struct step *s)
{
	size_t n = (size_t)snprintf(out, size, "%s%s", phase_name(s->next), words[s->word]);
	for (unsigned i = 0; i < 8; i++)
		if (s->actions & 1u << i)
			n += (size_t)snprintf(out + n, size - n, " +%s", actions[i]);
	return n;
}

static struct facts facts_of(unsigned bits)
{
	return (struct facts){ bits & 1, bits >> 1 & 1, bits >> 2 & 1, bits >> 3 & 1, bits >> 4 & 1, bits >> 5 & 1,
		bits >> 6 & 1, bits >> 7 & 1 };
}

// Which facts change the outcome of this cell?
static unsigned relevant(enum phase p, enum event e)
{
	unsigned mask = 0;
	for (unsigned bits = 0; bits < 256; bits++)
		for (unsigned i = 0; i < 8; i++) {
			struct facts a = facts_of(bits), b = facts_of(bits ^ 1u << i);
			struct step x = svc_next(p, e, &a), y = svc_next(p, e, &b);
			if (x.next != y.next || x.word != y.word || x.actions != y.actions)
				mask |= 1u << i;
		}
	return mask;
}

static size_t add_cell(char *out, size_t size, enum phase p, enum event e)
{
	static const char *const names[] = { "up", "oneshot", "test", "ready", "leader", "left", "final", "halting" };
	unsigned mask = relevant(p, e);
	size_t n = 0;
	for (unsigned bits = 0; bits < 256; bits++) {
		if (bits & ~mask)
			continue;
		struct facts f = facts_of(bits);
		struct step s = svc_next(p, e, &f);
		n += (size_t)snprintf(out + n, size - n, "%-8s %-12s", phase_name(p), event_name(e));
		size_t start = n;
		for (unsigned i = 0; i < 8; i++)
			if (mask & 1u << i)
				n += (size_t)snprintf(out + n, size - n, " %s%s", bits & 1u << i ? "" : "!", names[i]);
		n += (size_t)snprintf(out + n, size - n, "%*s -> ", n - start < 40 ? (int)(40 - (n - start)) : 1, "");
		n += add_step(out + n, size - n, &s);
		n += (size_t)snprintf(out + n, size - n, "\n");
	}
	return n;
}

static char *table(void)
{
	size_t size = 1 << 20, n = 0;
	char *out = malloc(size);
	n += (size_t)snprintf(
		out, size, "# phase  event        facts that matter%22s -> next phase, word, actions\n", "");
	for (int p = 0; p < PHASE_COUNT; p++)
		for (int e = 0; e < EV_COUNT; e++)
			n += add_cell(out + n, size - n, (enum phase)p, (enum event)e);
	return out;
}

// The same for people: which phases can follow, whatever the facts are.
static char *page(void)
{
	size_t size = 1 << 16, n = 0;
	char *out = malloc(size);
	n += (size_t)snprintf(out, size,
		"# States and events\n\nWhat init does with a service is a *phase*; an event moves it on. The cells "
		"say which phases "
		"can follow;\nwhich one it is depends on facts such as the target, the dependencies and what is still "
		"alive. "
		"An empty cell\nchanges nothing. `tests/unit/machine.txt` has every case; this page is printed from "
		"the code by its "
		"test.\n\n| | ");
	for (int p = 0; p < PHASE_COUNT; p++)
		n += (size_t)snprintf(out + n, size - n, "%s |", phase_name((enum phase)p));
	n += (size_t)snprintf(out + n, size - n, "\n|---|");
	for (int p = 0; p < PHASE_COUNT; p++)
		n += (size_t)snprintf(out + n, size - n, "---|");
	for (int e = 0; e < EV_COUNT; e++) {
		n += (size_t)snprintf(out + n, size - n, "\n| %s |", event_name((enum event)e));
		for (int p = 0; p < PHASE_COUNT; p++) {
			unsigned seen = 0, acts = 0;
			for (unsigned bits = 0; bits < 256; bits++) {
				struct facts f = facts_of(bits);
				struct step s = svc_next((enum phase)p, (enum event)e, &f);
				seen |= 1u << s.next;
				acts |= s.actions | (unsigned)(s.word != WORD_KEEP) << 31;
			}
			bool quiet = seen == 1u << p && !acts;
			for (int q = 0; q < PHASE_COUNT && !quiet; q++)
				if (seen & 1u << q)
					n += (size_t)snprintf(out + n, size - n, " %s", phase_name((enum phase)q));
			n += (size_t)snprintf(out + n, size - n, " |");
		}
	}
	snprintf(out + n, size - n,
		"\n\nPhases and the state that clients see: IDLE keeps the last one (Unknown before the first start), "
		"BLOCKED is\n"
		"Blocked, SPAWNED is Spawned or TestFailure, RUNNING is Running, STOPPING keeps the state until all "
		"processes\n"
		"are gone, COOLING (restart delay) and ENDING (leftovers are being ended) show how the last run "
		"ended.\n");
	return out;
}

static void compare(const char *path, char *have)
{
	static char want[1 << 20];
	if (getenv("MACHINE_WRITE")) {
		FILE *w = fopen(path, "w");
		assert_non_null(w);
		fputs(have, w);
		fclose(w);
	}
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	want[fread(want, 1, sizeof(want) - 1, f)] = '\0';
	fclose(f);
	assert_string_equal(have, want);
	free(have);
}

static void table_is_the_printed_one(void **state)
{
	(void)state;
	compare("tests/unit/machine.txt", table());
	compare("docs/states.md", page());
}

// What must hold whatever the table says.
static void nothing_starts_that_should_not(void **state)
{
	(void)state;
	for (int p = 0; p < PHASE_COUNT; p++)
		for (int e = 0; e < EV_COUNT; e++)
			for (unsigned bits = 0; bits < 256; bits++) {
				struct facts f = facts_of(bits);
				struct step s = svc_next((enum phase)p, (enum event)e, &f);
				if (s.actions & ACT_SPAWN) {
					assert_true(f.up && f.ready && !f.final && !f.halting);
					assert_int_equal(s.next, PHASE_BLOCKED);
				}
				if (s.actions & ACT_KILL)
					assert_int_equal(e, EV_GRACE_OVER);
				assert_true((int)s.next < PHASE_COUNT);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_is_the_printed_one),
		cmocka_unit_test(nothing_starts_that_should_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
