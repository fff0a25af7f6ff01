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

/* A part of a URL, decoded; texts are valid during the call. Only parts that the URL names. False with `why` stops. */
typedef bool conf_url_part(void *context, const char *name, const char *value, struct conf_error *why);

/* Takes a URL apart as libpq does: names are libpq's (user, password, host, port, dbname, …). False with `why`, which
   never shows the password. Any thread. */
bool conf_url_parts(const char *url, conf_url_part *part, void *context, struct conf_error *why) MUST_USE;

/* libpq allows one port, or one for each host; here they must be the same. `*port` stays when the text names none. */
bool conf_url_port(const char *text, int *port, struct conf_error *why) MUST_USE;

/* Whether a parameter of a URL asks for nothing but what is done anyway; `*needs` is what it asks for otherwise, NULL
   if it is none of those that are looked at so. */
bool conf_url_is_harmless(const char *name, const char *value, const char **needs);

#endif
