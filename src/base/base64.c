/* Base64, strict. Pure, any thread. */
#include "base/base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_write(struct str *out, const void *data, size_t len)
{
	const uint8_t *b = (const uint8_t *)data;

	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t v = (uint32_t)b[i] << 16;
		char four[4];

		if (n > 1)
			v |= (uint32_t)b[i + 1] << 8;
		if (n > 2)
			v |= b[i + 2];
		four[0] = letters[v >> 18];
		four[1] = letters[v >> 12 & 63];
		four[2] = n > 1 ? letters[v >> 6 & 63] : '=';
		four[3] = n > 2 ? letters[v & 63] : '=';
		str_add(out, four, sizeof(four));
	}
}

/* 0 to 63, or -1. */
static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* One group of four with `n` letters before its padding; false for strange letters or stray bits. */
static bool read_group(const char *four, size_t n, uint8_t three[3])
{
	uint32_t v = 0;

	for (size_t i = 0; i < 4; i++) {
		int value = i < n ? value_of(four[i]) : 0;

		if (value < 0)
			return false;
		v = v << 6 | (uint32_t)value;
	}
	three[0] = (uint8_t)(v >> 16);
	three[1] = (uint8_t)(v >> 8);
	three[2] = (uint8_t)v;
	return (n != 2 || three[1] == 0) && (n < 2 || n > 3 || three[2] == 0);
}

bool base64_read(const char *text, size_t len, uint8_t *out, size_t room, size_t *out_len)
{
	size_t done = 0;

	if (len % 4 != 0)
		return false;
	for (size_t i = 0; i < len; i += 4) {
		bool last = i + 4 == len;
		size_t n = 4;
		uint8_t three[3];

		if (last && text[i + 3] == '=')
			n = text[i + 2] == '=' ? 2 : 3;
		if (!read_group(text + i, n, three) || n - 1 > room - done)
			return false;
		for (size_t k = 0; k < n - 1; k++)
			out[done++] = three[k];
	}
	*out_len = done;
	return true;
}
