// SHA-1 (FIPS 180-4), base64 (RFC 4648) and a comparison that takes the same
// time whatever differs. SHA-1 is what RFC 6455 wants; nothing relies on it.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHA1_LEN = 20 };

void sha1(const void *data, size_t len, uint8_t out[SHA1_LEN]);
// Writes 4 * ((len + 2) / 3) characters, no NUL.
size_t base64_encode(const void *data, size_t len, char *out);
// Padded, without blanks. out: room for len / 4 * 3. The length, or -1.
int base64_decode(const char *text, size_t len, uint8_t *out);
bool equal_in_constant_time(const void *a, size_t alen, const void *b, size_t blen);
