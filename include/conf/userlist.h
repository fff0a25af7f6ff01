/* The user list (userlist.txt): lines of "name" "secret". Pure; any thread. */
#ifndef CONF_USERLIST_H
#define CONF_USERLIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "conf/error.h"

/* What a stored secret is. */
enum secret_kind {
	SECRET_NONE,  /* empty: logs in without proof or not at all */
	SECRET_PLAIN, /* a password */
	SECRET_MD5,   /* "md5" and 32 hexadecimal digits */
	SECRET_SCRAM  /* SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey> */
};

/* Tells what a NUL-terminated secret is, by its form. */
enum secret_kind secret_classify(const char *secret);

/* Called for each user; texts are valid during the call. False with `why` filled in stops. */
typedef bool userlist_user(void *context, const char *name, const char *secret, unsigned line, struct conf_error *why);

/*
 * Reads a whole list, in place: `content` has `len` bytes and a NUL behind them, or is NULL and empty. `file` is for
 * errors only. False with `why` at the first line that is not right; texts never show a secret.
 */
bool userlist_parse(char *content, size_t len, const char *file, userlist_user *user, void *context,
                    struct conf_error *why) MUST_USE;

#endif
