/* Asking LDAP servers. Each question has a connection of its own, so any thread may ask. */
#ifndef AUTH_LDAP_H
#define AUTH_LDAP_H

#include <stdbool.h>

#include "auth/ask.h"
#include "base/str.h"

/* Before threads that may ask: the library's very first call must be over when others begin (ldap_initialize(3)). */
void ldap_prepare(void);

/*
 * Tries the user's password at the server: as prefix, name and suffix, or as the one entry that is found below the
 * base. Blocks, but only so long: see the bounds in ldap.c.
 */
void ldap_ask(struct ask *a);

/* Whether a server can be reached, with TLS if it is asked for, and lets us search. False: `why` has a line of text.
   Blocks as ldap_ask does. */
bool ldap_try(const struct ldap_options *o, char *why, size_t size) MUST_USE;

/* ---- Pure; what keeps a user's name a name. ---- */

/* Appends a value for a filter (RFC 4515). */
void ldap_escape_filter(const char *value, struct str *out);
/* Appends a value for a distinguished name (RFC 4514). */
void ldap_escape_dn(const char *value, struct str *out);

/* The name to try the password as, in the way without search. False: a user's name that cannot be put into it. */
bool ldap_simple_name(const struct ldap_options *o, const char *user, struct str *out) MUST_USE;
/* The filter that finds the user's entry. */
void ldap_search_filter(const struct ldap_options *o, const char *user, struct str *out);
/* "ldap://one:389 ldap://two:389" */
void ldap_uris(const struct ldap_options *o, struct str *out);

#endif
