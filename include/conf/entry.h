/*
 * The values of [databases], [users] and [peers]: "key=value key='another value'". Each function makes one entry.
 * Pure; any thread.
 */
#ifndef CONF_ENTRY_H
#define CONF_ENTRY_H

#include "base/attr.h"
#include "conf/config.h"
#include "conf/error.h"

/* A new entry of this name, or NULL with `why`. Texts never show values that may hold a password. The caller owns it.
 */
struct conf_database *conf_database_new(const char *name, const char *value, const char *file, unsigned line,
                                        struct conf_error *why) MUST_USE;
struct conf_user *conf_user_new(const char *name, const char *value, const char *file, unsigned line,
                                struct conf_error *why) MUST_USE;
struct conf_peer *conf_peer_new(const char *id, const char *value, const char *file, unsigned line,
                                struct conf_error *why) MUST_USE;
struct conf_login *conf_login_new(const char *name, const char *secret) MUST_USE; /* NULL: out of memory */

/* An entry without any key: everything unset. `file` may be NULL. NULL when out of memory. */
struct conf_database *conf_database_blank(const char *name, const char *file, unsigned line) MUST_USE;

/* Divides `host` of an entry into its hosts; false with `why`. For entries that are built by hand. */
bool conf_database_split_hosts(struct conf_database *d, struct conf_error *why) MUST_USE;

/* The name of key number `i` of [databases], in the order of the table; NULL behind the last one. */
const char *conf_database_key(unsigned i);

/* All accept NULL and half-built entries; secrets are wiped. */
void conf_database_free(struct conf_database *d);
void conf_user_free(struct conf_user *u);
void conf_peer_free(struct conf_peer *p);
void conf_login_free(struct conf_login *l);

#endif
