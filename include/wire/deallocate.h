/*
 * DEALLOCATE as drivers send it: libpq had no other way to take back a named statement before version 17. Pure, any
 * thread.
 */
#ifndef WIRE_DEALLOCATE_H
#define WIRE_DEALLOCATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

#define DEALLOCATE_NAME_MOST 63u /* what PostgreSQL looks at of a name */

/* True if `sql`, `len` bytes, is one DEALLOCATE statement with a name and nothing else (not ALL); `name` is that name
   as PostgreSQL reads it: folded unless in quotes, cut, with a NUL. Comments are not understood. Source: PostgreSQL's
   manual, DEALLOCATE and "Identifiers and Key Words". */
bool deallocate_name(const char *sql, size_t len, char name[DEALLOCATE_NAME_MOST + 1]) MUST_USE;

#endif
