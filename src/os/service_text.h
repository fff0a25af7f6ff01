/* What a service manager and its log are told, as text. Pure, for any system, so that it can be tested on any. Private
 * to os/. */
#ifndef OS_SERVICE_TEXT_H
#define OS_SERVICE_TEXT_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/str.h"

/* A service can have this name: up to 256 letters, no slashes, nothing that cannot be printed. */
bool service_name_is_good(const char *name) MUST_USE;

/* `"program" -service "config"`, quoted so that it is taken apart as it was meant. */
void service_put_command_line(struct str *out, const char *program, const char *config);

/* What such a command line ends with. */
void service_put_command_end(struct str *out, const char *config);

/* The account as the manager wants it. NULL or "": the service's own virtual one. LocalService and NetworkService may
   come without their authority; a name without a domain is one of this machine. */
void service_put_account(struct str *out, const char *given, const char *service);
/* Somebody's, who logs in with a password. Others are the system's own. */
bool service_account_has_password(const char *account) MUST_USE;
/* It may do everything on this machine. */
bool service_account_is_mighty(const char *account) MUST_USE;

/* "RPCSS, Tcpip" as the manager wants it: each with a NUL behind it, and another one behind the last. Empty: none. */
void service_put_list(struct str *out, const char *names);

/* A text of the Event Log: lines end as on Windows, and what would be taken for a place of an argument is not any
 * more. */
void service_put_event(struct str *out, const char *text);

#endif
