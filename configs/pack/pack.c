// pack: makes JSON on stdin small, as the bytes of a C array on stdout.
//
// Blanks between values go, and what was there before is named by its place: a byte N
// below 128 stands before N + 1 bytes as they are, one from 128 on for N - 124 bytes
// that are to be copied from as far back as the next two bytes say (low one first).
// lib/control/discover.c unpacks it.
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 1 << 20, LITERALS_MAX = 128, MATCH_MIN = 4, MATCH_MAX = MATCH_MIN + 127, BACK_MAX = 65535 };

static char text[TEXT_MAX];

static size_t read_minified(void)
{
	size_t len = 0;
	bool in_string = false, escaped = false;
	for (int c; (c = getchar()) != EOF;) {
		if (!in_string && strchr(" \t\r\n", c))
			continue;
		if (len == TEXT_MAX)
			errx(1, "more than %d bytes", TEXT_MAX);
		text[len++] = (char)c;
		if (c == '"' && !escaped)
			in_string = !in_string;
		escaped = in_string && c == '\\' && !escaped;
	}
	return len;
}

static void put_literals(size_t at, size_t end)
{
	while (at < end) {
		size_t n = end - at < LITERALS_MAX ? end - at : LITERALS_MAX;
		printf("%zu,", n - 1);
		for (size_t i = 0; i < n; i++)
			printf("%d,", (unsigned char)text[at + i]);
		putchar('\n');
		at += n;
	}
}

// The longest match of what comes at `at` with what came before.
static size_t find_match(size_t at, size_t len, size_t *back)
{
	size_t best = 0;
	for (size_t from = at > BACK_MAX ? at - BACK_MAX : 0; from < at; from++) {
		size_t n = 0;
		while (n < MATCH_MAX && at + n < len && text[from + n] == text[at + n])
			n++;
		if (n >= best) {
			best = n;
			*back = at - from;
		}
	}
	return best;
}

int main(void)
{
	size_t len = read_minified(), literals = 0, at = 0;
	while (at < len) {
		size_t back, n = find_match(at, len, &back);
		if (n < MATCH_MIN) {
			at++;
			continue;
		}
		put_literals(literals, at);
		printf("%zu,%zu,%zu,\n", n - MATCH_MIN + 128, back & 255, back >> 8);
		at += n;
		literals = at;
	}
	put_literals(literals, len);
	return ferror(stdout) || fflush(stdout);
}
