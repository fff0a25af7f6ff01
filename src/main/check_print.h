/* Findings as people and programs read them: text or JSON. Pure: into a string. Main thread. */
#ifndef MAIN_CHECK_PRINT_H
#define MAIN_CHECK_PRINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "main/check_finding.h"

/* How text looks. */
struct check_style {
	bool utf8;  /* marks ✓ ✗ !, else words */
	bool brief; /* only errors */
};

/* True if the environment (LC_ALL, LC_CTYPE, LANG, the first that is set) says UTF-8. Any may be NULL. */
bool check_locale_is_utf8(const char *lc_all, const char *lc_ctype, const char *lang);

/* Findings behind `after` (NULL: from the first) under headings; returns the last, for the next call. `heading` is the
   last one printed before (NULL: none) and is updated. */
const struct finding *check_print_text(const struct findings *f, const struct finding *after, const char **heading,
                                       const struct check_style *style, struct str *out);
/* The closing line; `total_us` is how long the whole check took. */
void check_print_sum(const struct findings *f, uint64_t total_us, struct str *out);

/*
 * One object and a newline: {"status", "exit_status", "source", "time_ms", "findings": [{"step", "severity", "subject",
 * "database", "user", "what", "detail", "hint", "time_ms"}]}. Values that are not known are null.
 */
void check_print_json(const struct findings *f, int exit_status, const char *source, uint64_t total_us,
                      struct str *out);

#endif
