/* The rows of SHOW CONFIG. */
#ifndef CONF_SHOW_H
#define CONF_SHOW_H

#include <stdbool.h>

#include "base/attr.h"
#include "conf/config.h"

/* One row; texts are valid during the call. NULL is SQL NULL. False ends the walk. */
typedef bool conf_show_row(void *context, const char *name, const char *value, const char *standard, bool changeable);

/* Calls `row` for every setting, in the order of PgBouncer 1.26, ours after that. False when out of memory or ended by
 * `row`. */
bool conf_show(const struct config *c, conf_show_row *row, void *context) MUST_USE;

#endif
