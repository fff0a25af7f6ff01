/*
 * Where and how to ask an LDAP server whether a password is right: the option string of auth_ldap_options and of `ldap`
 * lines in an HBA file, written as in PostgreSQL's pg_hba.conf. Values only; auth/ldap.h asks.
 */
#ifndef CONF_LDAP_OPTIONS_H
#define CONF_LDAP_OPTIONS_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/shared.h"
#include "conf/error.h"

struct str;

enum ldap_scope { LDAP_OPTION_SCOPE_BASE, LDAP_OPTION_SCOPE_ONE, LDAP_OPTION_SCOPE_SUBTREE };

/*
 * Immutable once published. Two ways: `prefix`, the name and `suffix` are who the password is tried as; or, if there is
 * a `base_dn`, the user's entry is searched below that first.
 */
struct ldap_options {
	struct shared shared;
	char *servers; /* host names or addresses, with blanks between them: tried in this order */
	int port;      /* 0: 389, with `ldaps` 636 */
	bool ldaps;    /* TLS from the first byte */
	bool start_tls;
	char *prefix, *suffix;         /* NULL: empty */
	char *base_dn;                 /* NULL: no search */
	char *bind_dn, *bind_password; /* who searches; NULL: anonymous. The password is never printed */
	char *search_attribute;        /* NULL: "uid" */
	char *search_filter;           /* with $username in it; NULL: made from the attribute */
	enum ldap_scope scope;
};

/*
 * One reference, or NULL with `why` filled in (file, NULL if there is none, and line only name the place). Options have
 * blanks or commas between them; values may be in double quotes, a quote inside is written twice. Texts never show
 * ldapbindpasswd.
 */
struct ldap_options *ldap_options_parse(const char *text, const char *file, unsigned line,
                                        struct conf_error *why) MUST_USE;

/* The option string as people may see it: the value of ldapbindpasswd is replaced. Appended to `out`. */
void ldap_options_show(const char *text, struct str *out);

#endif
