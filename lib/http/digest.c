#include "http/digest.h"
#include <string.h>

static uint32_t rotate(uint32_t v, int n)
{
	return v << n | v >> (32 - n);
}

static void block(uint32_t h[5], const uint8_t *p)
{
	static const uint32_t k[] = { 0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6 };
	uint32_t w[80];
	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 |
		       p[4 * i + 3];
	for (int i = 16; i < 80; i++)
		w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
	for (int i = 0; i < 80; i++) {
		uint32_t f = i < 20 ? (b & c) | (~b & d) : i < 40 || i >= 60 ? b ^ c ^ d : (b & c) | (b & d) | (c & d);
		uint32_t t = rotate(a, 5) + f + e + k[i / 20] + w[i];
		e = d;
		d = c;
		c = rotate(b, 30);
		b = a;
		a = t;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

void sha1(const void *data, size_t len, uint8_t out[SHA1_LEN])
{
	uint32_t h[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };
	const uint8_t *p = data;
	size_t left = len;
	for (; left >= 64; left -= 64, p += 64)
		block(h, p);
	uint8_t last[128] = { 0 };
	if (left)
		memcpy(last, p, left);
	last[left] = 0x80;
	size_t size = left < 56 ? 64 : 128;
	for (int i = 0; i < 8; i++)
		last[size - 1 - (size_t)i] = (uint8_t)((uint64_t)len * 8 >> 8 * i);
	block(h, last);
	if (size == 128)
		block(h, last + 64);
	for (int i = 0; i < SHA1_LEN; i++)
		out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_encode(const void *data, size_t len, char *out)
{
	const uint8_t *p = data;
	char *start = out;
	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i;
		uint32_t v = (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (n > 2 ? p[i + 2] : 0);
		*out++ = alphabet[v >> 18];
		*out++ = alphabet[v >> 12 & 63];
		*out++ = n > 1 ? alphabet[v >> 6 & 63] : '=';
		*out++ = n > 2 ? alphabet[v & 63] : '=';
	}
	return (size_t)(out - start);
}

int base64_decode(const char *text, size_t len, uint8_t *out)
{
	uint32_t v = 0;
	int n = 0;
	size_t pad = len && text[len - 1] == '=' ? 1 + (len > 1 && text[len - 2] == '=') : 0;
	if (len % 4)
		return -1;
	for (size_t i = 0; i < len; i++) {
		const char *at = text[i] ? strchr(alphabet, text[i]) : NULL;
		if (!at && i + pad < len)
			return -1;
		v = v << 6 | (at ? (uint32_t)(at - alphabet) : 0);
		if (i % 4 != 3)
			continue;
		size_t bytes = i + 1 == len ? 3 - pad : 3;
		out[n++] = (uint8_t)(v >> 16);
		if (bytes > 1)
			out[n++] = (uint8_t)(v >> 8);
		if (bytes > 2)
			out[n++] = (uint8_t)v;
		v = 0;
	}
	return n;
}

bool equal_in_constant_time(const void *a, size_t alen, const void *b, size_t blen)
{
	const volatile uint8_t *x = a, *y = b;
	size_t differs = alen ^ blen;
	for (size_t i = 0; i < alen; i++)
		differs |= x[i] ^ (blen ? y[i % blen] : 0xff);
	return !differs;
}
