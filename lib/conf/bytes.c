// The bytes of a file before any YAML: encoding and control characters.
//
// libyaml would refuse most of these too, but with a byte offset instead of a
// line, and it guesses UTF-16 where nobody meant it.
#include "conf/notes.h"
#include "conf/yaml.h"

// libyaml compares every %TAG line with all that came before it.
#define DIRECTIVES_MAX 64

struct scan {
	struct notes *notes;
	const char *at;
	size_t left;
	unsigned line, column;
	unsigned ndirectives;
};

size_t yaml_utf8(const char *s, size_t len, uint32_t *cp)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char c = (unsigned char)s[0];
	size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

	if (n == 0 || n > len)
		return 0;
	*cp = n == 1 ? c : c & (0xffU >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)s[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | ((unsigned char)s[i] & 0x3f);
	}
	if (*cp < least[n] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp <= 0xdfff))
		return 0;
	return n;
}

// The production c-printable of YAML, without what is handled before.
static bool is_printable(uint32_t cp)
{
	return cp == '\t' || cp == '\n' || cp == '\r' || (cp >= 0x20 && cp != 0x7f && !(cp >= 0x80 && cp < 0xa0)) ||
	       cp == 0x85;
}

static bool is_never_text(uint32_t cp)
{
	return cp == 0xfeff || cp == 0xfffe || cp == 0xffff;
}

static int fail(struct scan *s, const char *what)
{
	return notes_fail(s->notes, s->line, s->column, "%s", what);
}

static int check_char(struct scan *s, uint32_t cp, size_t n)
{
	if (cp == 0)
		return fail(s, "a NUL byte, expected UTF-8 text");
	if (cp == '\r' && (s->left == n || s->at[n] != '\n'))
		return fail(s, "a carriage return without a line feed, expected lines ending in LF or CRLF");
	if (!is_printable(cp) || is_never_text(cp))
		return notes_fail(s->notes, s->line, s->column,
			"the control character U+%04X, expected text (in double quotes, YAML escapes can name it)",
			(unsigned)cp);
	if (cp == '%' && s->column == 1 && ++s->ndirectives > DIRECTIVES_MAX)
		return fail(s, "too many lines that start with '%'");
	return 0;
}

static void advance(struct scan *s, uint32_t cp, size_t n)
{
	s->at += n;
	s->left -= n;
	s->column++;
	if (cp == '\n') {
		s->line++;
		s->column = 1;
	}
}

int yaml_check_bytes(const char *bytes, size_t len, struct notes *notes)
{
	struct scan s = { .notes = notes, .at = bytes, .left = len, .line = 1, .column = 1 };

	while (s.left) {
		uint32_t cp = 0;
		size_t n = yaml_utf8(s.at, s.left, &cp);

		if (n == 0)
			return fail(&s, "bytes that are not UTF-8, expected UTF-8 text");
		if (check_char(&s, cp, n) < 0)
			return -1;
		advance(&s, cp, n);
	}
	return 0;
}
