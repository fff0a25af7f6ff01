/* The environment variables that are for us, and what each says; private to conf/. */
#ifndef CONF_VARIABLES_H
#define CONF_VARIABLES_H

#include <stdbool.h>

#include "base/attr.h"
#include "conf/config.h"
#include "conf/environment.h"
#include "conf/settings.h"

/* Whose conventions; the order is that of precedence where several are possible. */
enum image { IMAGE_ANY, IMAGE_EDOBURU, IMAGE_PROJECT, IMAGE_BITNAMI, N_IMAGES };

/* What a variable is for; environment.def says more. */
enum variable_use {
	USE_KEY,
	USE_ENTRY,
	USE_LOGIN,
	USE_PASSWORD,
	USE_URL,
	USE_URLS,
	USE_ENTRIES,
	USE_USERLIST,
	USE_SETTING,
	USE_SWITCH,
	USE_UNUSED,
	USE_SILENT
};

/* A row of environment.def. */
struct variable_row {
	const char *name;
	enum image image;
	enum variable_use use;
	const char *target, *standard, *doc;
};

/* A variable that is set. */
struct variable {
	char *name;       /* what it means: DB_PASSWORD */
	char *said;       /* as it is called in the environment: it may be DB_PASSWORD_FILE */
	char *value;      /* may be secret */
	enum image image; /* whose it is */
	enum variable_use use;
	const char *target;      /* of USE_KEY: the key */
	enum setting_id setting; /* of USE_SETTING */
	const char *doc;         /* of USE_UNUSED: why */
	unsigned number;         /* of PGBOUNCER_DSN_n */
	bool is_numbered;        /* it is one of those */
	bool used;               /* something was made of it */
};

#define VARIABLES_MAX_ERRORS 16u

/* What is wrong, all of it, so that people mend it at once. */
struct variable_errors {
	struct conf_error at[VARIABLES_MAX_ERRORS];
	unsigned n;
};

/* All of them, in the order of the environment. */
struct variables {
	struct variable *all;
	unsigned n, capacity;
	struct variable_errors errors;
	struct conf_texts notices; /* what the log should say */
};

/* Reads them. What cannot be read is an error; false: out of memory (variables_fini is right afterwards). */
bool variables_read(struct variables *v, const struct environment *e) MUST_USE;
void variables_fini(struct variables *v);

/* The one of this name; NULL if it is not set. */
struct variable *variables_find(struct variables *v, const char *name);

/* Row number `i` of environment.def; NULL behind the last one. The row of a name that is there. */
const struct variable_row *variable_row_at(unsigned i);
const struct variable_row *variable_row_of(const char *name);

/* What a USE_SWITCH says: yes, true or 1. */
bool variable_is_yes(const char *value);

/* "edoburu/pgbouncer" */
const char *image_name(enum image image);

/* Notes an error about a variable; "environment variable NAME: " stands before the text. */
void variable_fail(struct variables *v, const struct variable *variable, const char *fmt, ...) PRINTF(3, 4);
/* The same for what conf/ found wrong with its value. */
void variable_fail_as(struct variables *v, const struct variable *variable, const struct conf_error *why);
/* Notes an error in whole words. */
void variables_fail(struct variables *v, const char *fmt, ...) PRINTF(2, 3);
/* The hint of the error noted last. */
void variables_hint(struct variables *v, const char *fmt, ...) PRINTF(2, 3);

#endif
