// The shell's quoting rules, and nothing else of a shell.
//
// One pass, one output byte at most per input byte: the caller's buffer of
// len + 1 bytes always suffices (the last word's NUL is the + 1).
#include "base/words.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

struct splitter {
	const char *text;
	size_t len;
	size_t pos;
	char *out;
	size_t used;
	size_t opened; // where the quote or backslash that does not close stands
	const char *why; // set once: what does not close
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

static int fail(struct splitter *s, size_t opened, const char *why)
{
	s->opened = opened;
	s->why = why;
	return -1;
}

// True when a backslash-newline pair starts here: the shell deletes it before
// it looks for words, so it neither starts nor ends one.
static bool at_continuation(const struct splitter *s)
{
	return s->pos + 1 < s->len && s->text[s->pos] == '\\' && s->text[s->pos + 1] == '\n';
}

static void skip_comment(struct splitter *s)
{
	const char *end = memchr(s->text + s->pos, '\n', s->len - s->pos);

	s->pos = end ? (size_t)(end - s->text) : s->len;
}

// Moves to the first byte of the next word; false at the end of the text.
static bool find_word(struct splitter *s)
{
	while (s->pos < s->len) {
		if (is_blank(s->text[s->pos]))
			s->pos++;
		else if (at_continuation(s))
			s->pos += 2;
		else if (s->text[s->pos] == '#')
			skip_comment(s);
		else
			return true;
	}
	return false;
}

static int take_single(struct splitter *s)
{
	size_t opened = s->pos++;
	const char *end = memchr(s->text + s->pos, '\'', s->len - s->pos);
	size_t n;

	if (!end)
		return fail(s, opened, "a single quote is not closed");
	n = (size_t)(end - s->text) - s->pos;
	memcpy(s->out + s->used, s->text + s->pos, n);
	s->used += n;
	s->pos += n + 1;
	return 0;
}

static int take_double(struct splitter *s)
{
	size_t opened = s->pos++;

	while (s->pos < s->len && s->text[s->pos] != '"') {
		if (at_continuation(s)) {
			s->pos += 2;
			continue;
		}
		if (s->text[s->pos] == '\\' && s->pos + 1 < s->len && strchr("$`\"\\", s->text[s->pos + 1]))
			s->pos++;
		s->out[s->used++] = s->text[s->pos++];
	}
	if (s->pos == s->len)
		return fail(s, opened, "a double quote is not closed");
	s->pos++;
	return 0;
}

static int take_backslash(struct splitter *s)
{
	if (at_continuation(s)) {
		s->pos += 2;
		return 0;
	}
	if (s->pos + 1 == s->len)
		return fail(s, s->pos, "a backslash has nothing behind it");
	s->out[s->used++] = s->text[s->pos + 1];
	s->pos += 2;
	return 0;
}

static int take_word(struct splitter *s)
{
	int rc = 0;

	while (rc == 0 && s->pos < s->len && !is_blank(s->text[s->pos])) {
		if (s->text[s->pos] == '\'')
			rc = take_single(s);
		else if (s->text[s->pos] == '"')
			rc = take_double(s);
		else if (s->text[s->pos] == '\\')
			rc = take_backslash(s);
		else
			s->out[s->used++] = s->text[s->pos++];
	}
	if (rc == 0)
		s->out[s->used++] = '\0';
	return rc;
}

// What would make the result ambiguous or its count overflow.
static int check_text(struct splitter *s)
{
	const char *nul = s->len ? memchr(s->text, '\0', s->len) : NULL;

	if (s->len >= INT_MAX)
		return fail(s, 0, "the text is too long");
	if (nul)
		return fail(s, (size_t)(nul - s->text), "a NUL byte cannot be part of a word");
	return 0;
}

int words_split(const char *text, size_t len, char *out, size_t *used, size_t *at, const char **why)
{
	struct splitter s = { .text = text, .len = len, .out = out };
	int count = 0;
	int rc = check_text(&s);

	while (rc == 0 && find_word(&s)) {
		rc = take_word(&s);
		count++;
	}
	if (used)
		*used = s.used;
	if (rc == 0)
		return count;
	if (at)
		*at = s.opened;
	if (why)
		*why = s.why;
	return -1;
}
