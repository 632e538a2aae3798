// printf and scanf of the C library, without floating point, wide characters and
// positions: 20 KB of a static binary less. Only static builds link it; there it takes
// the place of the functions of the same names. A unit test compares it with the C
// library of the machine.
//
// printf: flags "-0+ #", width and precision (also *), hh h l ll z j t, d i u x X o c s
// p %. scanf: *, width, hh h l ll z j, d i (decimal) u c s, blanks, literal characters.
// Another conversion ends the output, or the input, there.
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

// Where output goes: to a file, or to at most room bytes at `at`.
struct out {
	FILE *file;
	char *at;
	size_t room;
	size_t len; // of all of it, also what found no room
};

struct spec {
	bool left, zero, plus, blank, alt, upper;
	int width, precision; // precision < 0: none
	int size; // bytes of an integer argument
};

static void put(struct out *o, const char *text, size_t n)
{
	if (o->file && n)
		fwrite(text, 1, n, o->file);
	for (size_t i = 0; !o->file && i < n && o->len + i < o->room; i++)
		o->at[o->len + i] = text[i];
	o->len += n;
}

static void pad(struct out *o, char c, long n)
{
	while (n-- > 0)
		put(o, &c, 1);
}

static int take_number(const char **fmt, va_list *ap)
{
	int n = 0;
	if (**fmt == '*') {
		++*fmt;
		return va_arg(*ap, int);
	}
	for (; **fmt >= '0' && **fmt <= '9'; ++*fmt)
		n = n * 10 + (**fmt - '0');
	return n;
}

static int take_size(const char **fmt)
{
	switch (*(*fmt)++) {
	case 'h':
		if (**fmt != 'h')
			return sizeof(short);
		++*fmt;
		return sizeof(char);
	case 'l':
		if (**fmt != 'l')
			return sizeof(long);
		++*fmt;
		return sizeof(long long);
	case 'z':
		return sizeof(size_t);
	case 'j':
		return sizeof(intmax_t);
	case 't':
		return sizeof(ptrdiff_t);
	default:
		--*fmt;
		return sizeof(int);
	}
}

static void take_flags(const char **fmt, struct spec *s)
{
	for (;; ++*fmt) {
		switch (**fmt) {
		case '-':
			s->left = true;
			break;
		case '0':
			s->zero = true;
			break;
		case '+':
			s->plus = true;
			break;
		case ' ':
			s->blank = true;
			break;
		case '#':
			s->alt = true;
			break;
		default:
			return;
		}
	}
}

static struct spec take_spec(const char **fmt, va_list *ap)
{
	struct spec s = { .precision = -1 };
	take_flags(fmt, &s);
	s.width = take_number(fmt, ap);
	if (s.width < 0) {
		s.left = true;
		s.width = -s.width;
	}
	if (**fmt == '.') {
		++*fmt;
		s.precision = take_number(fmt, ap);
	}
	s.size = take_size(fmt);
	return s;
}

static void put_text(struct out *o, const struct spec *s, const char *text, size_t n)
{
	if (!s->left)
		pad(o, ' ', s->width - (long)n);
	put(o, text, n);
	if (s->left)
		pad(o, ' ', s->width - (long)n);
}

static void put_digits(struct out *o, const struct spec *s, unsigned long long v, unsigned base, const char *prefix)
{
	const char *digits = s->upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[24];
	size_t at = sizeof(text), plen = strlen(prefix);
	for (; v; v /= base)
		text[--at] = digits[v % base];
	long n = (long)(sizeof(text) - at), zeros = (s->precision < 0 ? 1 : s->precision) - n;
	if (s->alt && base == 8 && zeros <= 0)
		zeros = 1;
	if (s->zero && !s->left && s->precision < 0)
		zeros = s->width - n - (long)plen > zeros ? s->width - n - (long)plen : zeros;
	long blanks = s->width - n - (long)plen - (zeros > 0 ? zeros : 0);
	if (!s->left)
		pad(o, ' ', blanks);
	put(o, prefix, plen);
	pad(o, '0', zeros);
	put(o, text + at, (size_t)n);
	if (s->left)
		pad(o, ' ', blanks);
}

static long long take_signed(const struct spec *s, va_list *ap)
{
	if (s->size == sizeof(char))
		return (signed char)va_arg(*ap, int);
	if (s->size == sizeof(short))
		return (short)va_arg(*ap, int);
	return s->size == sizeof(int)    ? va_arg(*ap, int)
	       : s->size == sizeof(long) ? va_arg(*ap, long)
					 : va_arg(*ap, long long);
}

static unsigned long long take_unsigned(const struct spec *s, va_list *ap)
{
	unsigned long long v = (unsigned long long)take_signed(s, ap);
	return s->size < (int)sizeof(v) ? v & ((1ULL << s->size * 8) - 1) : v;
}

// false for a conversion that is not known.
static bool put_integer(struct out *o, struct spec *s, char conversion, va_list *ap)
{
	long long n;
	unsigned long long v;
	switch (conversion) {
	case 'd':
	case 'i':
		n = take_signed(s, ap);
		v = n < 0 ? 0 - (unsigned long long)n : (unsigned long long)n;
		put_digits(o, s, v, 10, n < 0 ? "-" : s->plus ? "+" : s->blank ? " " : "");
		return true;
	case 'u':
		put_digits(o, s, take_unsigned(s, ap), 10, "");
		return true;
	case 'o':
		put_digits(o, s, take_unsigned(s, ap), 8, "");
		return true;
	case 'x':
	case 'X':
		s->upper = conversion == 'X';
		v = take_unsigned(s, ap);
		put_digits(o, s, v, 16, !s->alt || !v ? "" : s->upper ? "0X" : "0x");
		return true;
	case 'p':
		put_digits(o, s, (uintptr_t)va_arg(*ap, void *), 16, "0x");
		return true;
	default:
		return false;
	}
}

static bool put_conversion(struct out *o, struct spec *s, char conversion, va_list *ap)
{
	const char *text;
	char c;
	switch (conversion) {
	case 's':
		text = va_arg(*ap, const char *);
		if (!text)
			text = "(null)";
		put_text(o, s, text, s->precision < 0 ? strlen(text) : strnlen(text, (size_t)s->precision));
		return true;
	case 'c':
		c = (char)va_arg(*ap, int);
		put_text(o, s, &c, 1);
		return true;
	case '%':
		put(o, "%", 1);
		return true;
	default:
		return put_integer(o, s, conversion, ap);
	}
}

static int print(struct out *o, const char *fmt, va_list args)
{
	va_list ap;
	bool known = true;
	va_copy(ap, args);
	while (*fmt && known) {
		size_t n = strcspn(fmt, "%");
		put(o, fmt, n);
		fmt += n;
		if (*fmt) {
			fmt++;
			struct spec s = take_spec(&fmt, &ap);
			known = put_conversion(o, &s, *fmt, &ap);
			fmt += known;
		}
	}
	va_end(ap);
	return o->len > INT_MAX ? -1 : (int)o->len;
}

int vsnprintf(char *s, size_t maxlen, const char *format, va_list arg)
{
	struct out o = { .at = s, .room = maxlen ? maxlen - 1 : 0 };
	int n = print(&o, format, arg);
	if (maxlen)
		s[o.len < o.room ? o.len : o.room] = '\0';
	return n;
}

int vfprintf(FILE *s, const char *format, va_list arg)
{
	struct out o = { .file = s };
	int n = print(&o, format, arg);
	return ferror(s) ? -1 : n;
}

// ---- scanf ----

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void store(void *to, int size, unsigned long long v)
{
	if (size == sizeof(char))
		*(unsigned char *)to = (unsigned char)v;
	else if (size == sizeof(short))
		*(unsigned short *)to = (unsigned short)v;
	else if (size == sizeof(int))
		*(unsigned *)to = (unsigned)v;
	else if (size == sizeof(long))
		*(unsigned long *)to = (unsigned long)v;
	else
		*(unsigned long long *)to = v;
}

// The integer at `in`; its end, or NULL when there is none.
static const char *scan_integer(const char *in, int width, unsigned long long *v)
{
	const char *end = width ? in + strnlen(in, (size_t)width) : in + strlen(in);
	bool minus = in < end && *in == '-';
	*v = 0;
	if (in < end && (*in == '-' || *in == '+'))
		in++;
	const char *first = in;
	for (; in < end && is_digit(*in); in++)
		*v = *v * 10 + (unsigned)(*in - '0');
	if (minus)
		*v = 0 - *v;
	return in == first ? NULL : in;
}

static const char *scan_chars(const char *in, int n, char *to)
{
	for (; n; n--, in++) {
		if (!*in)
			return NULL;
		if (to)
			*to++ = *in;
	}
	return in;
}

static const char *scan_word(const char *in, int width, char *to)
{
	const char *first = in;
	for (; *in && !is_blank(*in) && (!width || in - first < width); in++)
		if (to)
			*to++ = *in;
	if (to)
		*to = '\0';
	return in == first ? NULL : in;
}

// One conversion of what stands at `in`; nothing is stored where `to` is NULL. The
// rest of the input, or NULL.
static const char *scan_conversion(const char *in, char conversion, int width, int size, void *to)
{
	unsigned long long v;
	if (conversion == 'c')
		return scan_chars(in, width ? width : 1, to);
	if (conversion == 's')
		return scan_word(in, width, to);
	in = scan_integer(in, width, &v);
	if (in && to)
		store(to, size, v);
	return in;
}

static const char *past_blanks(const char *in)
{
	while (is_blank(*in))
		in++;
	return in;
}

int vsscanf(const char *s, const char *format, va_list arg)
{
	const char *in = s, *fmt = format;
	va_list ap;
	int n = 0;
	bool at_end = false; // the input ended before anything was converted
	va_copy(ap, arg);
	for (; in && *fmt; fmt++) {
		if (is_blank(*fmt)) {
			in = past_blanks(in);
			continue;
		}
		if (*fmt != '%') {
			at_end = !*in && !n;
			in = *in == *fmt ? in + 1 : NULL;
			continue;
		}
		bool skips = fmt[1] == '*';
		fmt += 1 + skips;
		int width = take_number(&fmt, &ap), size = take_size(&fmt);
		if (!*fmt || !strchr("diucs", *fmt))
			break;
		in = *fmt == 'c' ? in : past_blanks(in);
		at_end = !*in && !n;
		in = scan_conversion(in, *fmt, width, size, skips ? NULL : va_arg(ap, void *));
		n += in && !skips;
	}
	va_end(ap);
	return !in && at_end ? EOF : n;
}
