// HTTP/1.0 and 1.1 requests as bytes (RFC 9110, 9112): strict, pure, resumable.
//
// Nothing here allocates or reads beyond `len`. Each parser keeps what it has
// seen in its own state, so every byte is looked at once however it arrives, and
// what is refused is refused as early as it can be known.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HTTP_HEAD_MAX = 16 * 1024,
	HTTP_TARGET_MAX = 8 * 1024,
	HTTP_FIELDS_MAX = 100,
	HTTP_OVERHEAD_MAX = 16 * 1024, // chunk extensions and trailers of a body
};

// A part of the head, from the start of the buffer. Absent: at = 0.
struct http_span {
	uint16_t at, len;
};

// Begins zeroed.
struct http_head {
	uint16_t scan; // looked at so far
	uint16_t line; // where the unfinished line begins
	uint8_t blank_lines;
	uint8_t nfields;
	uint16_t status; // of the reply to what is refused
	bool http10;
	bool close, keep_alive; // said by Connection
	bool connection_upgrade, websocket; // said by Connection and Upgrade
	bool expect_continue;
	bool chunked;
	bool has_length;
	uint64_t length;
	struct http_span method, target;
	struct http_span host, origin, content_type, authorization, ws_key, ws_version;
	struct http_span content_length, transfer_encoding; // only to find them twice
};

// data[0..len) begins with the request. > 0: the head is complete, its length.
// 0: more is needed. -1: refused, h->status says how; nothing more may be read.
int http_head_parse(struct http_head *h, const char *data, size_t len);
bool http_span_is(const char *data, struct http_span s, const char *text); // not minding case
bool http_method_is(const struct http_head *h, const char *data, const char *name);
// Does the client want the connection kept?
static inline bool http_keeps(const struct http_head *h)
{
	return !h->close && (!h->http10 || h->keep_alive);
}

enum http_chunk { HTTP_CHUNK_MORE, HTTP_CHUNK_DATA, HTTP_CHUNK_END, HTTP_CHUNK_BAD };

// Begins zeroed.
struct http_chunked {
	uint8_t state;
	uint8_t digits;
	uint8_t fields; // of the trailer
	uint32_t left; // of the chunk
	uint32_t extra; // bytes of extensions and trailers
	uint32_t framing; // bytes of sizes and line ends
	uint64_t data; // bytes of content
};

// Consumes *used bytes. HTTP_CHUNK_DATA: data[*at .. *at + *n) is content.
// HTTP_CHUNK_MORE: all is used. HTTP_CHUNK_END: *used ends the body.
enum http_chunk http_chunked_next(
	struct http_chunked *c, const char *data, size_t len, size_t *used, size_t *at, size_t *n);

// A media type that JSON-RPC is sent as: exactly those that the original accepts.
bool http_is_json_type(const char *data, struct http_span type);
