#include "rpc/frame.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// true when the value that began at the buffer's start is complete at f->at.
static bool scan_value(struct frame *f, const char *data, size_t len)
{
	while (f->at < len) {
		char c = data[f->at++];
		if (f->in_string) {
			if (f->escaped)
				f->escaped = false;
			else if (c == '\\')
				f->escaped = true;
			else if (c == '"')
				f->in_string = false;
			continue;
		}
		if (c == '"')
			f->in_string = true;
		else if (c == '{' || c == '[')
			f->depth++;
		else if ((c == '}' || c == ']') && !--f->depth)
			return true;
	}
	return false;
}

enum frame_result frame_next(struct frame *f, const char *data, size_t len, size_t *start, size_t *used)
{
	size_t i = 0;
	*start = 0;
	if (!f->depth) {
		for (; i < len; i++) {
			if (f->junk) {
				f->junk = data[i] != '\n';
			} else if (!is_blank(data[i])) {
				break;
			}
		}
		if (i == len) {
			*used = len;
			f->at = 0;
			return FRAME_MORE;
		}
		if (data[i] != '{' && data[i] != '[') {
			f->junk = true;
			f->at = 0;
			*used = i;
			return FRAME_JUNK;
		}
		f->at = i;
		*start = i;
	}
	if (scan_value(f, data, len)) {
		*used = f->at;
		*f = (struct frame){ 0 };
		return FRAME_VALUE;
	}
	// The beginning of the value becomes the beginning of the buffer.
	*used = *start;
	f->at -= *start;
	return FRAME_MORE;
}
