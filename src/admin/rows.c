/* Rows as protocol messages. Any thread. */
#include "admin/rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/local_time.h"

void row_begin(struct row *r, struct str *out, unsigned n_columns)
{
	r->out = out;
	r->message = message_begin(out, 'D');
	message_i16(out, (int16_t)n_columns);
}

void row_end(struct row *r)
{
	message_end(r->out, r->message);
}

void row_text(struct row *r, const char *text)
{
	size_t len;

	if (text == NULL) {
		message_i32(r->out, -1);
		return;
	}
	len = strlen(text);
	message_i32(r->out, (int32_t)len);
	message_bytes(r->out, text, len);
}

void row_int(struct row *r, int64_t value)
{
	char text[24];

	if (value > INT32_MAX)
		value = INT32_MAX;
	if (value < INT32_MIN)
		value = INT32_MIN;
	snprintf(text, sizeof(text), "%" PRId64, value);
	row_text(r, text);
}

void row_number(struct row *r, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	row_text(r, text);
}

void time_write(char text[TIME_TEXT_BYTES], uint64_t wall_us)
{
	time_t seconds = (time_t)(wall_us / US_PER_S);
	char day[32], zone[24];
	struct tm tm;

	text[0] = '\0';
	if (localtime_r(&seconds, &tm) == NULL || strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S", &tm) == 0)
		return;
	local_time_zone(&tm, seconds, zone, sizeof(zone));
	snprintf(text, TIME_TEXT_BYTES, "%s %s", day, zone);
}

void row_time(struct row *r, uint64_t wall_us)
{
	char text[TIME_TEXT_BYTES];

	time_write(text, wall_us);
	row_text(r, text);
}

void row_address(struct row *r, const struct address *a, int unix_port)
{
	char text[64] = "";
	bool is_unix = address_is_unix(a);

	if (a->len > 0)
		(void)address_text(a, text, sizeof(text));
	row_text(r, text);
	row_int(r, is_unix ? unix_port : address_port(a));
}

void row_pointer(struct row *r, const void *thing)
{
	char text[32] = "";

	if (thing != NULL)
		snprintf(text, sizeof(text), "0x%" PRIxPTR, (uintptr_t)thing);
	row_text(r, text);
}
