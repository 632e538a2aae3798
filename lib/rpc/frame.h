// Cuts a byte stream into JSON values by balance of brackets, as clients send
// them: no separator is needed, blanks between values are ignored.
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct frame {
	size_t at; // scanned so far, from the start of the buffer
	size_t depth;
	bool in_string, escaped;
	bool junk; // in a run of bytes that begin no value; it ends at a newline
};

enum frame_result { FRAME_MORE, FRAME_VALUE, FRAME_JUNK };

// Looks at data[0..len), of which the bytes before f->at are known from earlier
// calls. FRAME_VALUE and FRAME_JUNK (reported once a run): the *used first bytes
// are to be consumed and f starts afresh; the value is data[*start..*used).
// FRAME_MORE: *used leading bytes (blanks, junk) may be consumed.
enum frame_result frame_next(struct frame *f, const char *data, size_t len, size_t *start, size_t *used);
