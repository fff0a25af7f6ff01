/*
 * A configuration from environment variables, as container images of PgBouncer take it: the text of a pgbouncer.ini and
 * of a user list is made of them, in memory only, and then loaded like files. Files that are mounted in their places
 * win. Which variables there are is said in conf/environment.def. Nothing here asks the process for its environment.
 */
#ifndef CONF_ENVIRONMENT_H
#define CONF_ENVIRONMENT_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/str.h"
#include "conf/config.h"
#include "conf/error.h"
#include "conf/read.h"

/* Where the texts would stand, and where mounted files are looked for first. */
#define ENVIRONMENT_INI "/etc/pgbouncer/pgbouncer.ini"
#define ENVIRONMENT_USERS "/etc/pgbouncer/userlist.txt"

/* A value is at most this long, in bytes, whether it stands in a variable or in a file. */
#define ENVIRONMENT_MAX_VALUE (64 * 1024)

/* What is read. Nothing is owned; it must stay as it is between two loads, apart from the content of files. */
struct environment {
	char *const *variables;                   /* "NAME=value", NULL behind the last one */
	conf_read *read;                          /* files: those of NAME_FILE, mounted ones, and what these include */
	void *context;                            /* of `read` */
	bool (*can_write)(const char *directory); /* whether a Unix socket could be made there */
	bool is_superuser;                        /* the setting `user` can have an effect */
};

/* What one reading gave. Owned by who called environment_make; holds secrets until it is freed. */
struct environment_made;

/* Reads all variables and files. What is wrong with them is kept for environment_error. NULL: out of memory. */
struct environment_made *environment_make(const struct environment *e) MUST_USE;
void environment_free(struct environment_made *m);

/* What keeps it from being used, number `i`; NULL behind the last one. Texts name the variable. */
const struct conf_error *environment_error(const struct environment_made *m, unsigned i);

/* The configuration, as config_load makes it. NULL with `why`, which names a variable where one is the cause. */
struct config *environment_load(struct environment_made *m, const struct config *running,
                                struct conf_error *why) MUST_USE;

/* Both at once. */
struct config *config_from_environment(const struct environment *e, const struct config *running,
                                       struct conf_error *why) MUST_USE;

/* A conf_read whose context is the environment_made: its texts, and all other files. */
int environment_read(void *context, const char *path, struct str *out);

/* The path of the configuration file, mounted or not, for environment_read. */
const char *environment_path(const struct environment_made *m);

/* True for the paths that the configuration file of an environment may have. */
bool environment_has_path(const char *path);

/* An error at a line that was made from a variable becomes one that names the variable. */
void environment_place(const struct environment_made *m, struct conf_error *why);

/* One line for the log: where this configuration comes from, and its port. `c` was loaded from it. */
void environment_describe(const struct environment_made *m, const struct config *c, struct str *out);

/* Both files as text, without anything secret: "********" stands in its place. Comments of mounted files are left out:
   secrets may be in them. */
void environment_show(const struct environment_made *m, struct str *out);

#endif
