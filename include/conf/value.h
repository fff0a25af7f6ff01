/* Single values as people write them: numbers, times, words. Pure functions, any thread. */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* A whole number as C writes it (0777 is octal, 0x1ff hexadecimal), nothing around it. False if it is none or too
 * large. */
bool value_number(const char *text, long long *out) MUST_USE;

/* A decimal whole number that fits an int, with or without a minus, nothing around it. */
bool value_decimal(const char *text, int *out) MUST_USE;

/*
 * Seconds, with a dot before a fraction whatever the locale, perhaps with an exponent; not negative, no unit, at most
 * `max_s`. Gives microseconds.
 */
bool value_seconds(const char *text, uint64_t max_s, uint64_t *out_us) MUST_USE;

/* A unit that may stand behind a number. */
struct value_unit {
	const char *name;
	uint64_t each; /* how much of what is measured */
};

/*
 * A whole number and perhaps a unit behind it ("90 min", "10MB"), ASCII case ignored. `units` begins with the one that
 * counts where none is written, goes on with larger ones, and ends with a NULL name. False if it is not that, or above
 * `max` of the first unit.
 */
bool value_measure(const char *text, const struct value_unit *units, uint64_t max, uint64_t *out) MUST_USE;

/* The same as text, in the largest unit that is exact: "1d". 0 is "0". */
const char *value_measure_text(uint64_t value, const struct value_unit *units, char *buf, size_t size);

/* Takes the quoted text that `*at` begins with off it, in place and without the quotes; two of them inside stand for
   one. NULL if it is not closed. */
char *value_take_quoted(char **at) MUST_USE;

/* Index of `text` in a list of words that ends with NULL, ASCII case ignored; -1 if it is not there. */
int value_word(const char *text, const char *const *words);

/* True if `text` is one of the words in `list`, which have | between them; an empty text is an empty word. */
bool value_is_among(const char *text, const char *list);

#endif
