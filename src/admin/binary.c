/* Values of the console as PostgreSQL's binary format has them. Any thread. */
#include "admin/binary.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "wire/framer.h"

#define DIGITS_MAX 20 /* of an unsigned number of 64 bits, its sign apart */

/* Whole numbers only: the console has no others. */
static bool read_number(const char *text, size_t len, bool *negative, uint64_t *value)
{
	uint64_t v = 0;
	size_t i = 0;

	*negative = len > 0 && text[0] == '-';
	i = *negative;
	if (i == len || len - i > DIGITS_MAX)
		return false;
	for (; i < len; i++) {
		uint64_t digit = (uint64_t)(text[i] - '0');

		if (text[i] < '0' || text[i] > '9' || v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*value = v;
	return true;
}

/* Big-endian two's complement of that many bytes. */
static void add_integer(struct str *out, uint64_t value, unsigned bytes)
{
	while (bytes-- > 0)
		message_u8(out, (uint8_t)(value >> (8 * bytes)));
}

/* As numeric_send: digits of base 10,000, the first one's weight, sign, and no digits behind the point. */
static void add_numeric(struct str *out, uint64_t value, bool negative)
{
	uint16_t digits[5]; /* 10,000⁵ > 2⁶⁴ */
	int16_t n = 0;

	for (; value > 0; value /= 10000)
		digits[n++] = (uint16_t)(value % 10000);
	message_i16(out, n);
	message_i16(out, n > 0 ? (int16_t)(n - 1) : 0);
	add_integer(out, negative ? 0x4000 : 0, 2);
	message_i16(out, 0);
	while (n > 0)
		add_integer(out, digits[--n], 2);
}

bool binary_value(struct str *out, uint32_t type_oid, const char *text, size_t len)
{
	uint64_t value, most = type_oid == TYPE_OID_INT4 ? INT32_MAX : INT64_MAX;
	bool negative;

	if (type_oid == TYPE_OID_TEXT) {
		message_bytes(out, text, len);
		return true;
	}
	if (!read_number(text, len, &negative, &value))
		return false;
	if (type_oid == TYPE_OID_NUMERIC) {
		add_numeric(out, value, negative);
		return true;
	}
	if (type_oid != TYPE_OID_INT4 && type_oid != TYPE_OID_INT8)
		return false;
	if (value > most + negative)
		value = most + negative;
	add_integer(out, negative ? 0 - value : value, type_oid == TYPE_OID_INT4 ? 4 : 8);
	return true;
}

/* One value with its length. */
static bool add_value(struct str *out, const struct message_column *column, bool binary, struct reader *r)
{
	int32_t len = reader_i32(r);
	struct bytes text;
	struct str value;
	bool good;

	if (len < 0) {
		message_i32(out, -1);
		return true;
	}
	text = reader_bytes(r, (size_t)len);
	if (r->failed)
		return false;
	str_init(&value, text.len + 64);
	good = !binary || binary_value(&value, column->type_oid, text.data, text.len);
	if (value.failed)
		out->failed = true;
	message_i32(out, binary ? (int32_t)value.len : len);
	message_bytes(out, binary ? value.data : text.data, binary ? value.len : text.len);
	str_fini(&value);
	return good;
}

size_t binary_row(struct str *out, const struct message_column *columns, binary_columns binary, const char *rows,
                  size_t len)
{
	struct reader r;
	int32_t total;
	int16_t n;
	size_t m;

	reader_init(&r, rows, len);
	if (reader_u8(&r) != 'D')
		return 0;
	total = reader_i32(&r);
	n = reader_i16(&r);
	m = message_begin(out, 'D');
	message_i16(out, n);
	for (int16_t i = 0; i < n; i++) {
		bool wanted = (unsigned)i < BINARY_COLUMNS_MAX && (binary >> i & 1) != 0;

		if (!add_value(out, &columns[i], wanted, &r))
			return 0;
	}
	message_end(out, m);
	if (r.failed || total < 0 || (size_t)(r.at - rows) != 1 + (size_t)total)
		return 0;
	return 1 + (size_t)total;
}
