/*
 * What a server is, and whether that is what target_session_attrs asks for: libpq's meaning of the words. Pure, any
 * thread.
 */
#ifndef POOL_ROLE_H
#define POOL_ROLE_H

#include <stdbool.h>

#include "conf/settings.h"

enum server_role {
	ROLE_UNKNOWN,
	ROLE_PRIMARY,
	ROLE_READ_ONLY, /* a primary, but default_transaction_read_only is on */
	ROLE_STANDBY    /* in recovery */
};

enum server_role server_role_of(bool in_recovery, bool read_only);

/* Anything goes for `any` and `prefer-standby`; else only what is known to be right. */
bool session_attrs_allow(enum session_attrs wanted, enum server_role role);
/* The same, but prefer-standby is standby. */
bool session_attrs_prefer(enum session_attrs wanted, enum server_role role);

/* Of SHOW BACKENDS: "primary", "read-only", "standby"; NULL: not known. */
const char *server_role_name(enum server_role role);
/* "is a standby"; NULL: not known. */
const char *server_role_phrase(enum server_role role);
/* What is asked for, likewise: "is a primary", "takes writes". NULL: nothing is. */
const char *session_attrs_phrase(enum session_attrs wanted);

#endif
