// Stands in for libyaml's src/yaml_private.h when its sources are compiled for size
// (DEPS=src): what these macros write out at hundreds of places becomes a call. That is
// 11 KB of 42. The Makefile leaves the scanner's own definitions of the last four out.
#include "yaml_private_full.h"

#define YAML_CALL static __attribute__((noinline, unused))

YAML_CALL int yaml_is_break(const yaml_char_t *p)
{
	return *p == '\r' || *p == '\n' || (p[0] == 0xc2 && p[1] == 0x85) ||
		(p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9));
}

YAML_CALL int yaml_is_breakz(const yaml_char_t *p)
{
	return !*p || yaml_is_break(p);
}

YAML_CALL int yaml_is_blankz(const yaml_char_t *p)
{
	return *p == ' ' || *p == '\t' || yaml_is_breakz(p);
}

YAML_CALL int yaml_is_alpha(const yaml_char_t *p)
{
	return (*p >= '0' && *p <= '9') || ((*p | 32) >= 'a' && (*p | 32) <= 'z') || *p == '_' || *p == '-';
}

YAML_CALL size_t yaml_width(const yaml_char_t *p)
{
	if (*p < 0x80)
		return 1;
	return (*p & 0xe0) == 0xc0 ? 2 : (*p & 0xf0) == 0xe0 ? 3 : (*p & 0xf8) == 0xf0 ? 4 : 0;
}

YAML_CALL void yaml_copy(yaml_char_t **to, yaml_char_t **from)
{
	for (size_t n = yaml_width(*from); n; n--)
		*(*to)++ = *(*from)++;
}

YAML_CALL int yaml_room(yaml_error_type_t *error, yaml_string_t *s)
{
	if (s->pointer + 5 < s->end || yaml_string_extend(&s->start, &s->pointer, &s->end))
		return 1;
	*error = YAML_MEMORY_ERROR;
	return 0;
}

YAML_CALL void yaml_skip(yaml_parser_t *p)
{
	p->mark.index++;
	p->mark.column++;
	p->unread--;
	p->buffer.pointer += yaml_width(p->buffer.pointer);
}

YAML_CALL void yaml_skip_line(yaml_parser_t *p)
{
	const yaml_char_t *at = p->buffer.pointer;
	size_t n = at[0] == '\r' && at[1] == '\n' ? 2 : 1;
	if (!yaml_is_break(at))
		return;
	p->mark.index += n;
	p->mark.column = 0;
	p->mark.line++;
	p->unread -= n;
	p->buffer.pointer += n == 2 ? 2 : yaml_width(at);
}

YAML_CALL int yaml_read(yaml_parser_t *p, yaml_string_t *s)
{
	if (!yaml_room(&p->error, s))
		return 0;
	yaml_copy(&s->pointer, &p->buffer.pointer);
	p->mark.index++;
	p->mark.column++;
	p->unread--;
	return 1;
}

// The line separators of Unicode stay what they are, all other breaks become a newline.
YAML_CALL int yaml_read_line(yaml_parser_t *p, yaml_string_t *s)
{
	const yaml_char_t *at = p->buffer.pointer;
	if (!yaml_room(&p->error, s))
		return 0;
	if (*at == 0xe2 && yaml_is_break(at)) {
		memcpy(s->pointer, at, 3);
		s->pointer += 3;
	} else if (yaml_is_break(at)) {
		*s->pointer++ = '\n';
	}
	yaml_skip_line(p);
	return 1;
}

#undef IS_ALPHA_AT
#undef IS_BREAK_AT
#undef IS_BREAKZ_AT
#undef IS_BLANKZ_AT
#undef WIDTH_AT
#undef COPY
#undef STRING_EXTEND
#define IS_ALPHA_AT(string, offset) yaml_is_alpha((string).pointer + (offset))
#define IS_BREAK_AT(string, offset) yaml_is_break((string).pointer + (offset))
#define IS_BREAKZ_AT(string, offset) yaml_is_breakz((string).pointer + (offset))
#define IS_BLANKZ_AT(string, offset) yaml_is_blankz((string).pointer + (offset))
#define WIDTH_AT(string, offset) yaml_width((string).pointer + (offset))
#define COPY(a, b) yaml_copy(&(a).pointer, &(b).pointer)
#define STRING_EXTEND(context, string) yaml_room(&(context)->error, &(string))
#define SKIP(parser) yaml_skip(parser)
#define SKIP_LINE(parser) yaml_skip_line(parser)
#define READ(parser, string) yaml_read(parser, &(string))
#define READ_LINE(parser, string) yaml_read_line(parser, &(string))
