/*
 * A configuration from one connection URL, for people who have no file:
 * pgweir postgres://user:password@host:port/database
 */
#ifndef CONF_URL_H
#define CONF_URL_H

#include "base/attr.h"
#include "conf/config.h"

/* True if a command-line argument is a URL, not the name of a file. */
bool conf_is_url(const char *argument);

/*
 * Listens on 127.0.0.1:6432 only, transaction pooling; one database of the URL's name, reached as the URL says; the
 * URL's user logs in with the URL's password by SCRAM and may use the console. What the URL leaves out has
 * libpq's defaults without its environment variables and files; parameters that cannot be followed are errors. NULL
 * with `why`, which never shows the password. Any thread.
 */
struct config *config_from_url(const char *url, struct conf_error *why) MUST_USE;

#endif
