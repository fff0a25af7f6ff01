/*
 * What servers tell when they are asked, through libpq: limits, roles, rules, and
 * whether the configured queries work. Each database that could be logged in to
 * is asked once, with the same credentials, in transactions that are read-only
 * and rolled back. Main thread.
 */
#ifndef MAIN_CHECK_SERVER_H
#define MAIN_CHECK_SERVER_H

#include "main/check_finding.h"
#include "main/check_login.h"

/* Asks and tells. What may not be asked is a note. Blocks, at most for server_connect_timeout per database. */
void check_servers(const struct logins *l, struct findings *f);

#endif
