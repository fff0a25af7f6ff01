/* URLs of databases as people put them into variables; private to conf/. */
#ifndef CONF_VARIABLE_URL_H
#define CONF_VARIABLE_URL_H

#include <stdbool.h>

#include "base/attr.h"
#include "conf/config.h"
#include "conf/error.h"

#define VARIABLE_URL_MAX_KEYS 12

/* What one URL says. Strings are NULL where it says nothing. */
struct variable_url {
	char *user, *password, *host, *dbname;
	int port; /* 0: not named */
	struct {
		const char *key; /* of [databases]; a constant */
		char *value;
	} keys[VARIABLE_URL_MAX_KEYS];
	unsigned n_keys;
	struct conf_texts ignored; /* names of parameters that are not for connections */
};

/*
 * Takes a URL apart: as libpq does, and beyond that, as images of PgBouncer do, a password may have @ and a % that
 * begins no code, and the scheme may name a driver (postgresql+psycopg2). False with `why`, which never shows the
 * password; variable_url_fini is right afterwards in both cases.
 */
bool variable_url_parse(struct variable_url *u, const char *url, struct conf_error *why) MUST_USE;
void variable_url_fini(struct variable_url *u);

/*
 * The next URL of a list, `len` bytes at the result; `*rest` is what is behind it. Between URLs there are commas, or
 * blanks and line ends; a comma between hosts of one URL belongs to it. NULL at the end.
 */
const char *variable_url_next(const char **rest, size_t *len);

#endif
