/* Roles of servers, wanted and found. Pure, any thread. */
#include "pool/role.h"

#include <stddef.h>

enum server_role server_role_of(bool in_recovery, bool read_only)
{
	if (in_recovery)
		return ROLE_STANDBY;
	return read_only ? ROLE_READ_ONLY : ROLE_PRIMARY;
}

bool session_attrs_prefer(enum session_attrs wanted, enum server_role role)
{
	switch (wanted) {
	case SESSION_ATTRS_ANY:
		return true;
	case SESSION_ATTRS_READ_WRITE:
		return role == ROLE_PRIMARY;
	case SESSION_ATTRS_READ_ONLY:
		return role == ROLE_READ_ONLY || role == ROLE_STANDBY;
	case SESSION_ATTRS_PRIMARY:
		return role == ROLE_PRIMARY || role == ROLE_READ_ONLY;
	case SESSION_ATTRS_STANDBY:
	case SESSION_ATTRS_PREFER_STANDBY:
		return role == ROLE_STANDBY;
	}
	return true;
}

bool session_attrs_allow(enum session_attrs wanted, enum server_role role)
{
	return wanted == SESSION_ATTRS_PREFER_STANDBY || session_attrs_prefer(wanted, role);
}

const char *server_role_name(enum server_role role)
{
	switch (role) {
	case ROLE_PRIMARY:
		return "primary";
	case ROLE_READ_ONLY:
		return "read-only";
	case ROLE_STANDBY:
		return "standby";
	case ROLE_UNKNOWN:
		break;
	}
	return NULL;
}

const char *server_role_phrase(enum server_role role)
{
	switch (role) {
	case ROLE_PRIMARY:
		return "is a primary";
	case ROLE_READ_ONLY:
		return "is a primary with default_transaction_read_only = on";
	case ROLE_STANDBY:
		return "is a standby";
	case ROLE_UNKNOWN:
		break;
	}
	return NULL;
}

const char *session_attrs_phrase(enum session_attrs wanted)
{
	switch (wanted) {
	case SESSION_ATTRS_READ_WRITE:
		return "takes writes";
	case SESSION_ATTRS_READ_ONLY:
		return "is read-only";
	case SESSION_ATTRS_PRIMARY:
		return "is a primary";
	case SESSION_ATTRS_STANDBY:
	case SESSION_ATTRS_PREFER_STANDBY:
		return "is a standby";
	case SESSION_ATTRS_ANY:
		break;
	}
	return NULL;
}
