/* Walks the records of a DNS message (RFC 1035) up to the first SOA. Pure; the message is a stranger's. */
#include "net/soa.h"

#define HEADER_BYTES 12
#define TYPE_SOA 6
#define POINTER 0xc0    /* both bits: the rest of the name is elsewhere; one of them: unknown */
#define RECORD_BYTES 10 /* between a record's name and its data */
#define SERIAL_BYTES 4

struct cursor {
	const uint8_t *message;
	size_t len, at;
};

static bool skip(struct cursor *c, size_t n)
{
	if (c->len - c->at < n)
		return false;
	c->at += n;
	return true;
}

static uint16_t read_16(const struct cursor *c, size_t at)
{
	return (uint16_t)(c->message[at] << 8 | c->message[at + 1]);
}

/* Pointers are not followed: what a name is does not matter here. */
static bool skip_name(struct cursor *c)
{
	while (c->at < c->len) {
		uint8_t n = c->message[c->at];

		if ((n & POINTER) == POINTER)
			return skip(c, 2);
		if ((n & POINTER) != 0 || !skip(c, (size_t)n + 1))
			return false;
		if (n == 0)
			return true;
	}
	return false;
}

static bool skip_questions(struct cursor *c)
{
	for (unsigned n = read_16(c, 4); n > 0; n--) {
		if (!skip_name(c) || !skip(c, 4))
			return false;
	}
	return true;
}

/* `c` stands at the data of an SOA record and ends with it. */
static bool read_serial(struct cursor *c, uint32_t *serial)
{
	if (!skip_name(c) || !skip_name(c) || c->len - c->at < SERIAL_BYTES)
		return false;
	*serial = (uint32_t)read_16(c, c->at) << 16 | read_16(c, c->at + 2);
	return true;
}

bool soa_serial(const uint8_t *message, size_t len, uint32_t *serial)
{
	struct cursor c = {message, len, HEADER_BYTES};
	unsigned n;

	if (len < HEADER_BYTES || !skip_questions(&c))
		return false;
	for (n = (unsigned)read_16(&c, 6) + read_16(&c, 8); n > 0; n--) {
		size_t record, size;

		if (!skip_name(&c))
			return false;
		record = c.at;
		if (!skip(&c, RECORD_BYTES))
			return false;
		size = read_16(&c, record + 8);
		if (c.len - c.at < size)
			return false;
		if (read_16(&c, record) == TYPE_SOA) {
			c.len = c.at + size;
			return read_serial(&c, serial);
		}
		c.at += size;
	}
	return false;
}
