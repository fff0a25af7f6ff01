/* Configuration files as people may see them; private to conf/. */
#ifndef CONF_MASK_H
#define CONF_MASK_H

#include "base/str.h"

/*
 * Appends a pgbouncer.ini, or a user list, with "********" in place of everything secret. `from`, if not NULL, gives
 * the variables that line `line` (1, 2, …) was made from, or an empty text: they are said in a comment before it.
 * Comments of the text itself are left out, because secrets may be in them, and so are lines that cannot be read.
 */
typedef const char *mask_origin(void *context, unsigned line);

void mask_ini(const char *text, size_t len, mask_origin *from, void *context, struct str *out);
void mask_userlist(const char *text, size_t len, mask_origin *from, void *context, struct str *out);

#endif
