/*
 * Cuts the byte stream into messages. Runs for every message of every
 * connection: no loops, no calls, no allocation. Any thread.
 */
#include "wire/framer.h"

#include <stdio.h>
#include <string.h>

static uint32_t read_u32(const char *at)
{
	const unsigned char *b = (const unsigned char *)at;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | (uint32_t)b[3];
}

static enum frame_result take_continuation(struct framer *f, char *data, size_t len, struct frame *frame)
{
	size_t piece = len < f->left ? len : f->left;

	if (piece == 0)
		return FRAME_MORE;
	f->left -= (uint32_t)piece;
	frame->type = f->type;
	frame->starts = false;
	frame->ends = f->left == 0;
	frame->total = 0;
	frame->data = data;
	frame->len = piece;
	return FRAME_GOT;
}

enum frame_result framer_next(struct framer *f, const struct frame_rules *rules, char *data, size_t len,
                              struct frame *frame)
{
	uint32_t length, total;
	size_t piece;
	uint8_t type;

	if (f->left > 0)
		return take_continuation(f, data, len, frame);
	if (len == 0)
		return FRAME_MORE;
	type = (uint8_t)data[0];
	if (rules->need[type] == FRAME_FORBIDDEN) {
		frame->type = type;
		return FRAME_NOT_ALLOWED;
	}
	if (len < FRAME_HEADER_BYTES)
		return FRAME_MORE;
	length = read_u32(data + 1);
	if (length < 4 || length > INT32_MAX)
		return FRAME_BAD_LENGTH;
	total = length + 1;
	if (total > rules->max_message)
		return FRAME_TOO_LARGE;
	piece = len < total ? len : total;
	if (rules->need[type] == FRAME_WHOLE) {
		if (total > rules->whole_limit)
			return FRAME_TOO_LARGE;
		if (piece < total)
			return FRAME_MORE;
	}
	f->type = type;
	f->left = total - (uint32_t)piece;
	frame->type = type;
	frame->starts = true;
	frame->ends = f->left == 0;
	frame->total = total;
	frame->data = data;
	frame->len = piece;
	return FRAME_GOT;
}

size_t framer_request_bytes(const char *data, size_t len)
{
	size_t at = 0;

	while (len - at >= FRAME_HEADER_BYTES) {
		const uint8_t *p = (const uint8_t *)data + at + 1;
		uint32_t body = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
		char type = data[at];

		if (body < 4 || body > len - at - 1)
			return 0;
		at += 1 + (size_t)body;
		if (type == 'S' || ((type == 'Q' || type == 'F') && at == 1 + (size_t)body))
			return at;
		if (type == '\0' || strchr("PBDECH", type) == NULL)
			return 0;
	}
	return 0;
}

const char *frame_problem_text(const char *data, size_t len, char text[FRAME_PROBLEM_BYTES])
{
	char hex[2 * FRAME_HEADER_BYTES + 1] = "";

	for (size_t i = 0; i < len && i < FRAME_HEADER_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", (unsigned)(uint8_t)data[i]);
	snprintf(text, FRAME_PROBLEM_BYTES, "bad packet header: '%s'", hex);
	return text;
}
