#include "http/ws.h"
#include "http/digest.h"
#include <string.h>

// ---- UTF-8 ----

static bool utf8_first(struct ws_utf8 *u, uint8_t c)
{
	u->low = 0x80;
	u->high = 0xbf;
	if (c < 0xc2 || c > 0xf4)
		return false;
	if (c == 0xe0)
		u->low = 0xa0;
	else if (c == 0xed)
		u->high = 0x9f;
	else if (c == 0xf0)
		u->low = 0x90;
	else if (c == 0xf4)
		u->high = 0x8f;
	u->need = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
	return true;
}

static bool utf8_next(struct ws_utf8 *u, uint8_t c)
{
	if (c < u->low || c > u->high)
		return false;
	u->low = 0x80;
	u->high = 0xbf;
	u->need--;
	return true;
}

// false as soon as no continuation could make it valid.
static bool utf8_piece(struct ws_utf8 *u, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint64_t eight;
		while (!u->need && len - i >= sizeof(eight) &&
			(memcpy(&eight, data + i, sizeof(eight)), !(eight & UINT64_C(0x8080808080808080))))
			i += sizeof(eight);
		if (i == len)
			break;
		uint8_t c = (uint8_t)data[i];
		if (u->need ? !utf8_next(u, c) : c >= 0x80 && !utf8_first(u, c))
			return false;
	}
	return true;
}

// ---- frames ----

void ws_mask(const uint8_t mask[4], unsigned at, char *data, size_t len)
{
	uint8_t m[8];
	uint64_t wide, v;
	size_t i = 0;
	for (unsigned k = 0; k < 8; k++)
		m[k] = mask[(at + k) & 3];
	memcpy(&wide, m, sizeof(wide));
	for (; len - i >= sizeof(v); i += sizeof(v)) {
		memcpy(&v, data + i, sizeof(v));
		v ^= wide;
		memcpy(data + i, &v, sizeof(v));
	}
	for (; i < len; i++)
		data[i] = (char)(data[i] ^ (char)m[i & 7]);
}

static enum ws_event broken(struct ws_reader *r, uint16_t status)
{
	r->status = status;
	return WS_FAIL;
}

struct frame_head {
	bool fin;
	uint8_t opcode;
	uint64_t len;
	uint8_t mask[4];
	size_t size; // of the head
};

static uint64_t big_endian(const uint8_t *p, size_t n)
{
	uint64_t v = 0;
	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

// Which opcode may come now?
static bool is_in_order(const struct ws_reader *r, uint8_t opcode)
{
	if (opcode >= WS_OP_CLOSE)
		return opcode <= WS_OP_PONG;
	if (opcode == WS_CONTINUATION)
		return r->opcode != 0;
	return opcode <= WS_BINARY && !r->opcode;
}

// WS_MORE, WS_FAIL, or WS_PIECE: complete.
static enum ws_event read_head(struct ws_reader *r, const uint8_t *p, size_t len, struct frame_head *f)
{
	bool control = len && p[0] & 8;
	if (len && ((p[0] & 0x70) || !is_in_order(r, p[0] & 15) || (control && !(p[0] & 0x80))))
		return broken(r, WS_CLOSE_PROTOCOL);
	if (len < 2)
		return WS_MORE;
	if (!(p[1] & 0x80) == r->from_client || (control && (p[1] & 0x7f) > WS_CONTROL_MAX))
		return broken(r, WS_CLOSE_PROTOCOL);
	size_t ext = (p[1] & 0x7f) == 127 ? 8 : (p[1] & 0x7f) == 126 ? 2 : 0;
	size_t mask = r->from_client ? 4 : 0;
	if (len < 2 + ext)
		return WS_MORE;
	f->fin = p[0] & 0x80;
	f->opcode = p[0] & 15;
	f->len = ext ? big_endian(p + 2, ext) : p[1] & 0x7f;
	f->size = 2 + ext + mask;
	if ((ext == 2 && f->len < 126) || (ext == 8 && (f->len < 65536 || f->len >> 63)))
		return broken(r, WS_CLOSE_PROTOCOL);
	if (f->opcode < WS_OP_CLOSE && f->len > r->max - (f->opcode ? 0 : r->len))
		return broken(r, WS_CLOSE_TOO_BIG);
	if (len < f->size)
		return WS_MORE;
	if (mask)
		memcpy(f->mask, p + 2 + ext, mask);
	return WS_PIECE;
}

static bool is_close_code(unsigned code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

static enum ws_event check_close(struct ws_reader *r, const char *data, size_t len)
{
	struct ws_utf8 u = { 0 };
	if (len == 1 || (len && !is_close_code((unsigned)big_endian((const uint8_t *)data, 2))))
		return broken(r, WS_CLOSE_PROTOCOL);
	if (len && (!utf8_piece(&u, data + 2, len - 2) || u.need))
		return broken(r, WS_CLOSE_UTF8);
	return WS_CLOSE;
}

// A control frame is taken when it is there as a whole.
static enum ws_event control(
	struct ws_reader *r, const struct frame_head *f, char *data, size_t len, size_t *used, size_t *at, size_t *n)
{
	if (len - f->size < f->len)
		return WS_MORE;
	*at = f->size;
	*n = (size_t)f->len;
	*used = f->size + *n;
	if (r->from_client)
		ws_mask(f->mask, 0, data + *at, *n);
	if (f->opcode == WS_OP_CLOSE)
		return check_close(r, data + *at, *n);
	return f->opcode == WS_OP_PING ? WS_PING : WS_PONG;
}

static void begin_frame(struct ws_reader *r, const struct frame_head *f)
{
	if (f->opcode) {
		r->opcode = f->opcode;
		r->text = f->opcode == WS_TEXT;
		r->len = 0;
		r->utf8 = (struct ws_utf8){ 0 };
	}
	r->in_frame = true;
	r->fin = f->fin;
	r->left = f->len;
	r->len += f->len;
	r->mask_at = 0;
	memcpy(r->mask, f->mask, sizeof(r->mask));
}

static enum ws_event payload(struct ws_reader *r, char *data, size_t len)
{
	if (r->from_client)
		ws_mask(r->mask, r->mask_at, data, len);
	r->mask_at = (uint8_t)((r->mask_at + len) & 3);
	r->left -= len;
	if (r->opcode == WS_TEXT && !utf8_piece(&r->utf8, data, len))
		return broken(r, WS_CLOSE_UTF8);
	if (r->left)
		return WS_PIECE;
	r->in_frame = false;
	if (!r->fin)
		return WS_PIECE;
	if (r->opcode == WS_TEXT && r->utf8.need)
		return broken(r, WS_CLOSE_UTF8);
	r->opcode = 0;
	return WS_LAST;
}

enum ws_event ws_next(struct ws_reader *r, char *data, size_t len, size_t *used, size_t *at, size_t *n)
{
	struct frame_head f = { 0 };
	*used = *at = *n = 0;
	if (!r->in_frame) {
		enum ws_event e = read_head(r, (const uint8_t *)data, len, &f);
		if (e != WS_PIECE)
			return e;
		if (f.opcode >= WS_OP_CLOSE)
			return control(r, &f, data, len, used, at, n);
		begin_frame(r, &f);
		*used = *at = f.size;
	}
	*n = len - *at < r->left ? len - *at : (size_t)r->left;
	*used = *at + *n;
	if (!*n && r->left)
		return WS_MORE;
	return payload(r, data + *at, *n);
}

size_t ws_head(char out[WS_HEAD_MAX], enum ws_opcode opcode, uint64_t len, const uint8_t *mask)
{
	size_t ext = len > 0xffff ? 8 : len >= 126 ? 2 : 0;
	out[0] = (char)(0x80 | opcode);
	out[1] = (char)((mask ? 0x80 : 0) | (ext == 8 ? 127 : ext ? 126 : (int)len));
	for (size_t i = 0; i < ext; i++)
		out[2 + i] = (char)(len >> 8 * (ext - 1 - i));
	if (!mask)
		return 2 + ext;
	memcpy(out + 2 + ext, mask, 4);
	return 6 + ext;
}

// ---- handshake ----

enum { KEY_LEN = 24, KEY_BYTES = 16 };

void ws_accept(const char *key, char accept[WS_ACCEPT_LEN])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	char text[KEY_LEN + sizeof(guid) - 1];
	uint8_t digest[SHA1_LEN];
	memcpy(text, key, KEY_LEN);
	memcpy(text + KEY_LEN, guid, sizeof(guid) - 1);
	sha1(text, sizeof(text), digest);
	base64_encode(digest, sizeof(digest), accept);
}

int ws_handshake(const struct http_head *h, const char *data, char accept[WS_ACCEPT_LEN])
{
	uint8_t key[KEY_LEN];
	if (h->http10 || !http_method_is(h, data, "GET") || !h->connection_upgrade || !h->websocket || h->chunked ||
		h->length)
		return 400;
	if (!http_span_is(data, h->ws_version, "13"))
		return 426;
	if (h->ws_key.len != KEY_LEN || base64_decode(data + h->ws_key.at, KEY_LEN, key) != KEY_BYTES)
		return 400;
	ws_accept(data + h->ws_key.at, accept);
	return 0;
}
