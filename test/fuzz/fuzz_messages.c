/*
 * Streams of messages in a session: cut into frames as the relay does it, bodies read by all who read them. The first
 * two bytes say which side sends, and where the stream is cut. fuzz runs: 300000
 */
#include "base/failure.h"
#include "fuzz.h"
#include "wire/framer.h"
#include "wire/message.h"
#include "worker/relay.h"

static void read_body(uint8_t type, const char *at, size_t len)
{
	char *body = fuzz_copy(at, len, 0);
	struct bytes a, b;
	uint32_t number, other;
	char status;

	switch (type) {
	case 'S':
		if (message_parse_parameter_status(body, len, &a, &b))
			HOLDS(a.data[a.len] == '\0' && b.data[b.len] == '\0' && a.len + b.len + 2 == len);
		break;
	case 'C':
		(void)!message_parse_command_complete(body, len, &a);
		break;
	case 'Z':
		if (message_parse_ready(body, len, &status))
			HOLDS(status == 'I' || status == 'T' || status == 'E');
		break;
	case 'K':
		if (message_parse_backend_key(body, len, &number, &a))
			HOLDS(a.len >= 4 && a.len <= 256);
		break;
	case 'R':
		(void)!message_parse_authentication(body, len, &number, &a);
		break;
	case 'v':
		(void)!message_parse_negotiate(body, len, &number, &other);
		break;
	default:
		break;
	}
	free(body);
}

/* Frames of data[0..len); returns how much was used. */
static size_t walk(struct framer *f, const struct frame_rules *rules, char *data, size_t len, int *ended)
{
	size_t used = 0;

	while (used < len) {
		struct frame frame;

		switch (framer_next(f, rules, data + used, len - used, &frame)) {
		case FRAME_GOT:
			HOLDS(frame.len > 0 && frame.len <= len - used);
			HOLDS(frame.data == data + used);
			if (frame.starts && frame.ends)
				read_body(frame.type, frame.data + 5, frame.len - 5);
			HOLDS(frame.ends == framer_at_boundary(f));
			used += frame.len;
			break;
		case FRAME_MORE:
			return used;
		case FRAME_BAD_LENGTH:
		case FRAME_TOO_LARGE:
		case FRAME_NOT_ALLOWED:
			*ended = 1;
			return used;
		}
	}
	return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct frame_rules *rules;
	struct framer f = {0};
	size_t cut, used;
	char *copy;
	int ended = 0;

	if (size < 2)
		return 0;
	rules = data[0] % 2 == 0 ? relay_client_rules() : relay_server_rules();
	cut = data[1] < size - 2 ? data[1] : size - 2;
	copy = fuzz_copy(data + 2, size - 2, 0);
	used = walk(&f, rules, copy, cut, &ended);
	if (!ended)
		(void)walk(&f, rules, copy + used, size - 2 - used, &ended);
	for (size_t i = 2; i < size && i < 10; i++)
		read_body(data[i], copy, size - 2);
	free(copy);
	return 0;
}
