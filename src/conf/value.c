/* Reads single values as people write them. Any thread. */
#include "conf/value.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* True for a digit or a sign before one: no blanks, which strtoll would skip. */
static bool starts_number(const char *text)
{
	if (*text == '-' || *text == '+')
		text++;
	return is_digit(*text);
}

static bool number_of_base(const char *text, int base, long long *out)
{
	char *end;
	long long n;

	if (!starts_number(text))
		return false;
	errno = 0;
	n = strtoll(text, &end, base);
	if (errno != 0 || *end != '\0')
		return false;
	*out = n;
	return true;
}

bool value_number(const char *text, long long *out)
{
	return number_of_base(text, 0, out);
}

bool value_decimal(const char *text, int *out)
{
	long long n;

	if (!number_of_base(text, 10, &n) || n < INT_MIN || n > INT_MAX)
		return false;
	*out = (int)n;
	return true;
}

/* Reads digits into `value`, each worth `*weight` (0: whole number, what was read counts ten times). */
static const char *read_digits(const char *p, double *value, double weight)
{
	for (; is_digit(*p); p++) {
		if (weight > 0) {
			*value += weight * (*p - '0');
			weight /= 10;
		} else {
			*value = *value * 10 + (*p - '0');
		}
	}
	return p;
}

/* Applies an exponent such as "e-3" or "e+06"; NULL if it is malformed. */
static const char *read_exponent(const char *p, double *value)
{
	bool divide = p[1] == '-';
	int exponent = 0;

	p += (p[1] == '-' || p[1] == '+') ? 2 : 1;
	if (!is_digit(*p))
		return NULL;
	for (; is_digit(*p); p++)
		if (exponent < 100)
			exponent = exponent * 10 + (*p - '0');
	for (; exponent > 0; exponent--)
		*value = divide ? *value / 10 : *value * 10;
	return p;
}

bool value_seconds(const char *text, uint64_t max_s, uint64_t *out_us)
{
	double value = 0;
	const char *p = *text == '+' ? text + 1 : text;

	if (!is_digit(*p) && !(*p == '.' && is_digit(p[1])))
		return false;
	p = read_digits(p, &value, 0);
	if (*p == '.')
		p = read_digits(p + 1, &value, 0.1);
	if (*p == 'e' || *p == 'E')
		p = read_exponent(p, &value);
	if (p == NULL || *p != '\0' || !(value <= (double)max_s))
		return false;
	*out_us = (uint64_t)(value * (double)US_PER_S + 0.5);
	return true;
}

/* NULL: there is none of that name. */
static const struct value_unit *find_unit(const char *name, const struct value_unit *units)
{
	if (name[0] == '\0')
		return units;
	for (; units->name != NULL; units++)
		if (strcasecmp(name, units->name) == 0)
			return units;
	return NULL;
}

bool value_measure(const char *text, const struct value_unit *units, uint64_t max, uint64_t *out)
{
	const struct value_unit *unit;
	uint64_t n = 0;

	if (!is_digit(*text))
		return false;
	max *= units->each;
	for (; is_digit(*text); text++) {
		if (n > max / 10)
			return false;
		n = n * 10 + (uint64_t)(*text - '0');
	}
	unit = find_unit(text + strspn(text, " "), units);
	if (unit == NULL || n > max / unit->each)
		return false;
	*out = n * unit->each;
	return true;
}

const char *value_measure_text(uint64_t value, const struct value_unit *units, char *buf, size_t size)
{
	const struct value_unit *unit = units;

	for (; units->name != NULL; units++)
		if (value % units->each == 0)
			unit = units;
	snprintf(buf, size, "%llu%s", (unsigned long long)(value / unit->each), value == 0 ? "" : unit->name);
	return buf;
}

char *value_take_quoted(char **at)
{
	char quote = **at, *text = *at + 1, *to = text;

	for (char *from = text; *from != '\0'; from++) {
		if (*from == quote && from[1] != quote) {
			*at = from + 1;
			*to = '\0';
			return text;
		}
		if (*from == quote)
			from++;
		*to++ = *from;
	}
	return NULL;
}

int value_word(const char *text, const char *const *words)
{
	for (int i = 0; words[i] != NULL; i++)
		if (strcasecmp(text, words[i]) == 0)
			return i;
	return -1;
}

bool value_is_among(const char *text, const char *list)
{
	size_t len = strlen(text);

	for (const char *p = list;; p++) {
		size_t word = strcspn(p, "|");

		if (word == len && strncmp(p, text, len) == 0)
			return true;
		p += word;
		if (*p == '\0')
			return false;
	}
}
