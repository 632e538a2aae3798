// libFuzzer: any bytes as a command line, in exactly as much memory as promised.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size ? size : 1);
	char *out = malloc(size + 1);
	const char *why = NULL;
	size_t used = 0, at = SIZE_MAX, seen = 0;
	int count;

	if (!text || !out)
		abort();
	if (size)
		memcpy(text, data, size);
	count = words_split(text, size, out, &used, &at, &why);
	for (size_t i = 0; count >= 0 && i < used; i++)
		seen += out[i] == '\0';
	if (count < 0 ? !why || at >= size : seen != (size_t)count || used > size + 1)
		abort();
	free(text);
	free(out);
	return 0;
}
