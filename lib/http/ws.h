// WebSocket frames and handshake (RFC 6455): pure, over bytes as they come.
#pragma once
#include "http/parse.h"

enum ws_opcode { WS_CONTINUATION, WS_TEXT, WS_BINARY, WS_OP_CLOSE = 8, WS_OP_PING, WS_OP_PONG };

enum {
	WS_CLOSE_NORMAL = 1000,
	WS_CLOSE_GOING_AWAY = 1001,
	WS_CLOSE_PROTOCOL = 1002,
	WS_CLOSE_UTF8 = 1007,
	WS_CLOSE_TOO_BIG = 1009,
	WS_CLOSE_TRY_LATER = 1013,
};

enum { WS_HEAD_MAX = 14, WS_CONTROL_MAX = 125, WS_ACCEPT_LEN = 28 };

// UTF-8 in pieces (RFC 3629).
struct ws_utf8 {
	uint8_t need; // more continuation bytes
	uint8_t low, high; // bounds of the next one
};

// Begins zeroed but for `max` and `from_client`.
struct ws_reader {
	uint64_t max; // bytes of a message
	bool from_client; // frames must be masked; else they must not
	bool in_frame, fin;
	uint8_t opcode; // of the message that is being read; 0: none
	bool text; // the message is, or the last one was
	uint8_t mask[4];
	uint8_t mask_at;
	uint64_t left; // of the frame's payload
	uint64_t len; // of the message so far, with this frame
	struct ws_utf8 utf8;
	uint16_t status; // WS_FAIL: the close code to send
};

enum ws_event {
	WS_MORE, // *used bytes are done with, the rest waits for more
	WS_PIECE, // a part of a message
	WS_LAST, // its last part
	WS_PING,
	WS_PONG,
	WS_CLOSE, // payload: the peer's code and reason, checked, or nothing
	WS_FAIL, // broken; nothing more may be read
};

// Reads from data[0..len), unmasking in place. data[*at .. *at + *n) is the payload.
enum ws_event ws_next(struct ws_reader *r, char *data, size_t len, size_t *used, size_t *at, size_t *n);

// The bytes in front of a payload; `mask` (4 bytes) or NULL. Their number.
size_t ws_head(char out[WS_HEAD_MAX], enum ws_opcode opcode, uint64_t len, const uint8_t *mask);
void ws_mask(const uint8_t mask[4], unsigned mask_at, char *data, size_t len);

// Does the request try to become a WebSocket?
static inline bool ws_is_attempt(const struct http_head *h)
{
	return h->ws_key.at || h->ws_version.at || h->websocket;
}
// 0 and the value of Sec-WebSocket-Accept, or the status that refuses the handshake.
int ws_handshake(const struct http_head *h, const char *data, char accept[WS_ACCEPT_LEN]);
// What a server must answer to this key (24 characters).
void ws_accept(const char *key, char accept[WS_ACCEPT_LEN]);
