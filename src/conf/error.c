/* Words for what is wrong with a configuration, and the search for the name that was meant. Any thread. */
#include "conf/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MAX_NAME 40         /* bytes of the longest name that is compared */
#define MAX_PATH_SHOWN 1000 /* bytes of a path */

struct conf_place conf_place(const char *file, unsigned line)
{
	struct conf_place place = {""};
	size_t len = file == NULL ? 0 : strlen(file);
	const char *cut = len > MAX_PATH_SHOWN ? "..." : "";

	if (len > MAX_PATH_SHOWN)
		file += len - MAX_PATH_SHOWN;
	if (file != NULL && line > 0)
		snprintf(place.text, sizeof(place.text), " in configuration (%s%s:%u)", cut, file, line);
	else if (file != NULL)
		snprintf(place.text, sizeof(place.text), " in configuration (%s%s)", cut, file);
	return place;
}

bool conf_fail(struct conf_error *why, const char *file, unsigned line, const char *fmt, ...)
{
	va_list args;

	snprintf(why->file, sizeof(why->file), "%s", file == NULL ? "" : file);
	why->line = line;
	why->hint[0] = '\0';
	va_start(args, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, args);
	va_end(args);
	/* One line, whatever bytes the file had. */
	for (char *p = why->text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	return false;
}

bool conf_fail_memory(struct conf_error *why, const char *file, unsigned line)
{
	return conf_fail(why, file, line, "out of memory%s", conf_place(file, line).text);
}

void conf_hint(struct conf_error *why, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why->hint, sizeof(why->hint), fmt, args);
	va_end(args);
}

static size_t least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Letters to insert, leave out or change to get from `a` to `b`; MAX_NAME when one of them is too long. */
static size_t distance_of(const char *a, const char *b)
{
	size_t row[MAX_NAME + 1]; /* row[j]: from the first i letters of a to the first j of b */
	size_t a_len = strlen(a), b_len = strlen(b);

	if (a_len > MAX_NAME || b_len > MAX_NAME)
		return MAX_NAME;
	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t above = row[j];

			row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
			diagonal = above;
		}
	}
	return row[b_len];
}

void conf_nearest_init(struct conf_nearest *n, const char *wanted)
{
	n->wanted = wanted;
	n->best = NULL;
	/* A third of the letters may differ, at most 5. */
	n->distance = strlen(wanted) / 3 + 1;
	if (n->distance > 6)
		n->distance = 6;
}

void conf_nearest_try(struct conf_nearest *n, const char *candidate)
{
	size_t distance = distance_of(n->wanted, candidate);

	if (distance < n->distance) {
		n->best = candidate;
		n->distance = distance;
	}
}
