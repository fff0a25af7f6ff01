/*
 * User name maps (auth_ident_file): who an account of the system, or the holder of a certificate, may be here. Lines
 * are "map-name system-user database-user". Immutable once loaded, any thread.
 */
#ifndef AUTH_IDENT_H
#define AUTH_IDENT_H

#include <stdbool.h>

#include "base/attr.h"
#include "conf/error.h"
#include "conf/read.h"

struct ident;     /* all maps */
struct ident_map; /* one of them */

/* Reads the file `name`, in the working directory, else beside `beside` (may be NULL). NULL with `why`. */
struct ident *ident_load(const struct conf_source *source, const char *name, const char *beside,
                         struct conf_error *why) MUST_USE;
void ident_free(struct ident *i); /* NULL is fine */

/* NULL: there is no map of that name. `i` may be NULL. Valid as long as `i`. */
const struct ident_map *ident_find(const struct ident *i, const char *name);

enum ident_result {
	IDENT_FITS,
	IDENT_DIFFERS,
	IDENT_FAILED /* a regular expression would have taken too much work, or there was no memory */
};

/* Whether who is proven to be `system_user` may be `user` here. Without a map (NULL) the names must be the same. */
enum ident_result ident_check(const struct ident_map *map, const char *system_user, const char *user) MUST_USE;

#endif
