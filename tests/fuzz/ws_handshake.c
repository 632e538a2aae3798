// libFuzzer: any bytes as fields of a WebSocket handshake.
#include "http/ws.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char first[] = "GET / HTTP/1.1\r\n", last[] = "\r\n\r\n";
	struct http_head h = { 0 };
	char accept[WS_ACCEPT_LEN];
	if (size > 2000)
		return 0;
	size_t len = sizeof(first) - 1 + size + sizeof(last) - 1;
	char *text = malloc(len);
	memcpy(text, first, sizeof(first) - 1);
	memcpy(text + sizeof(first) - 1, data, size);
	memcpy(text + sizeof(first) - 1 + size, last, sizeof(last) - 1);
	if (http_head_parse(&h, text, len) > 0) {
		int rc = ws_handshake(&h, text, accept);
		if (rc != 0 && rc != 400 && rc != 426)
			abort();
		if (rc == 0 && (!ws_is_attempt(&h) || !h.connection_upgrade || !h.websocket))
			abort();
	}
	free(text);
	return 0;
}
