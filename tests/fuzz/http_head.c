// libFuzzer: any bytes as a request. However they are cut, the verdict is the same.
#include "http/parse.h"
#include "http/ws.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int parse(const uint8_t *data, size_t size, size_t step, struct http_head *h)
{
	*h = (struct http_head){ 0 };
	int rc = 0;
	for (size_t n = 0; !rc && n < size;) {
		n = n + step < size ? n + step : size;
		char *text = malloc(n);
		memcpy(text, data, n);
		rc = http_head_parse(h, text, n);
		free(text);
	}
	return rc < 0 ? -h->status : rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_head a, b;
	if (size > 2000)
		return 0;
	int rc = parse(data, size, size ? size : 1, &a);
	if (parse(data, size, 1, &b) != rc || parse(data, size, 7, &b) != rc)
		abort();
	if (rc > 0 && ((size_t)rc > size || memcmp(data + rc - 4, "\r\n\r\n", 4) || memcmp(&a, &b, sizeof(a))))
		abort();
	if (rc > 0 && a.chunked && a.has_length)
		abort();
	return 0;
}
