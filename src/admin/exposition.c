/* Metrics as text: families, samples, labels, and which format is asked for. Any thread. */
#include "admin/exposition.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/printable.h"

#define TOTAL "_total"
#define INVALID "<invalid>"

/* ---- which format ---- */

/* One of the things that an Accept header names: "type;name=value;...". */
struct media {
	const char *text;
	size_t len; /* of the type */
	bool other_version;
	int quality; /* thousandths */
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static const char *skip_spaces(const char *at)
{
	while (is_space(*at))
		at++;
	return at;
}

/* From ";" or "," on or the end; quotes are no concern, nothing that we look for has any. */
static size_t part_len(const char *at)
{
	return strcspn(at, ";,");
}

static size_t trimmed(const char *at, size_t len)
{
	while (len > 0 && is_space(at[len - 1]))
		len--;
	return len;
}

static bool has_front(const char *at, size_t len, const char *front)
{
	return len >= strlen(front) && strncasecmp(at, front, strlen(front)) == 0;
}

/* "0.5" as thousandths; what is no such number is 0. */
static int quality_of(const char *at)
{
	int whole = *at == '1' ? 1000 : 0, digit = 100;

	if ((*at != '0' && *at != '1') || at[1] != '.')
		return whole;
	for (at += 2; *at >= '0' && *at <= '9' && digit > 0; at++, digit /= 10)
		whole += (*at - '0') * digit;
	return whole > 1000 ? 1000 : whole;
}

static const char *read_media(const char *at, struct media *m)
{
	size_t len;

	at = skip_spaces(at);
	len = part_len(at);
	*m = (struct media){.text = at, .len = trimmed(at, len), .quality = 1000};
	for (at += len; *at == ';'; at += len) {
		at = skip_spaces(at + 1);
		len = part_len(at);
		if (has_front(at, len, "q="))
			m->quality = quality_of(at + 2);
		else if (has_front(at, len, "version="))
			m->other_version = trimmed(at, len) != strlen("version=1.0.0") ||
			                   strncmp(at + strlen("version="), "1.0.0", strlen("1.0.0")) != 0;
	}
	return *at == ',' ? at + 1 : at;
}

static bool is_type(const struct media *m, const char *type)
{
	return m->len == strlen(type) && strncasecmp(m->text, type, m->len) == 0;
}

/* Text in whatever version: it has always been the same. */
static bool is_text(const struct media *m)
{
	return is_type(m, "text/plain") || is_type(m, "text/*") || is_type(m, "*/*");
}

enum exposition exposition_wanted(const char *accept)
{
	int open = 0, text = 0;
	struct media m;

	while (accept != NULL && *accept != '\0') {
		accept = read_media(accept, &m);
		if (is_type(&m, "application/openmetrics-text") && !m.other_version && m.quality > open)
			open = m.quality;
		else if (is_text(&m) && m.quality > text)
			text = m.quality;
	}
	return open > 0 && open >= text ? EXPOSITION_OPEN : EXPOSITION_TEXT;
}

const char *exposition_content_type(enum exposition format)
{
	return format == EXPOSITION_OPEN ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
	                                 : "text/plain; version=0.0.4; charset=utf-8";
}

/* ---- families and samples ---- */

/* OpenMetrics speaks of a counter without the end of its samples' name. */
static size_t family_len(enum exposition format, const char *name, const char *type)
{
	size_t len = strlen(name), end = strlen(TOTAL);

	if (format == EXPOSITION_OPEN && strcmp(type, "counter") == 0 && len > end &&
	    strcmp(name + len - end, TOTAL) == 0)
		return len - end;
	return len;
}

static void add_line(struct str *out, const char *keyword, const char *name, size_t len, const char *text)
{
	str_add_str(out, keyword);
	str_add(out, name, len);
	str_add_char(out, ' ');
	for (; *text != '\0'; text++) {
		if (*text == '\\' || *text == '\n')
			str_add_char(out, '\\');
		str_add_char(out, *text == '\n' ? 'n' : *text);
	}
	str_add_char(out, '\n');
}

void exposition_family(struct str *out, enum exposition format, const char *name, const char *type, const char *unit,
                       const char *help)
{
	size_t len = family_len(format, name, type);

	add_line(out, "# HELP ", name, len, help);
	add_line(out, "# TYPE ", name, len, type);
	if (format == EXPOSITION_OPEN && unit[0] != '\0')
		add_line(out, "# UNIT ", name, len, unit);
}

static void add_value(struct str *out, uint64_t value, uint64_t divisor)
{
	if (divisor == US_PER_S)
		str_printf(out, "%llu.%06llu\n", value / US_PER_S, value % US_PER_S);
	else
		str_printf(out, "%" PRIu64 "\n", value / divisor);
}

static void add_sample(struct str *out, const char *name, const char *end, const char *labels, size_t len)
{
	str_add_str(out, name);
	str_add_str(out, end);
	if (len > 0) {
		str_add_char(out, '{');
		str_add(out, labels, len);
		str_add_char(out, '}');
	}
	str_add_char(out, ' ');
}

void exposition_sample(struct str *out, const char *name, const char *labels, size_t len, uint64_t value,
                       uint64_t divisor)
{
	add_sample(out, name, "", labels, len);
	add_value(out, value, divisor);
}

/* The shortest way to write it with at least one digit behind the point, which both formats take for the same. */
static void bound_text(char text[48], uint64_t bound_us)
{
	size_t len = (size_t)snprintf(text, 48, "le=\"%llu.%06llu", bound_us / US_PER_S, bound_us % US_PER_S);

	while (text[len - 1] == '0' && text[len - 2] != '.')
		len--;
	snprintf(text + len, 48 - len, "\"");
}

void exposition_histogram(struct str *out, const char *name, const struct histogram *h)
{
	static const char infinite[] = "le=\"+Inf\"";
	uint64_t n = 0;
	char le[48];

	for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
		n += h->bucket[i];
		bound_text(le, histogram_bound_us[i]);
		add_sample(out, name, "_bucket", le, strlen(le));
		add_value(out, n, 1);
	}
	n += h->bucket[HISTOGRAM_BOUNDS];
	add_sample(out, name, "_bucket", infinite, strlen(infinite));
	add_value(out, n, 1);
	add_sample(out, name, "_sum", "", 0);
	add_value(out, h->sum_us, US_PER_S);
	add_sample(out, name, "_count", "", 0);
	add_value(out, n, 1);
}

void exposition_end(struct str *out, enum exposition format)
{
	if (format == EXPOSITION_OPEN)
		str_add_str(out, "# EOF\n");
}

/* ---- labels ---- */

/* How much of it is kept, whole characters; *valid: all of that is UTF-8. */
static size_t kept_len(const char *value, size_t len, bool *valid)
{
	size_t at = 0;

	*valid = true;
	while (at < len) {
		struct printable_char c = printable_first(value + at, len - at);

		*valid = c.kind != PRINTABLE_INVALID;
		if (!*valid || at + c.len > EXPOSITION_LABEL_BYTES)
			break;
		at += c.len;
	}
	return at;
}

void exposition_label(struct str *out, size_t from, const char *name, const char *value, size_t len)
{
	bool valid;
	size_t kept = kept_len(value, len, &valid);

	if (out->len > from)
		str_add_char(out, ',');
	str_add_str(out, name);
	str_add_str(out, "=\"");
	if (!valid) {
		value = INVALID;
		kept = strlen(INVALID);
	}
	for (size_t i = 0; i < kept; i++) {
		if (value[i] == '\\' || value[i] == '"' || value[i] == '\n')
			str_add_char(out, '\\');
		str_add_char(out, value[i] == '\n' ? 'n' : value[i]);
	}
	str_add_char(out, '"');
}
