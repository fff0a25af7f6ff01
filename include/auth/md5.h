/* MD5 passwords of the protocol ("AuthenticationMD5Password"). Pure, any thread. */
#ifndef AUTH_MD5_H
#define AUTH_MD5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/context.h"
#include "base/attr.h"

#define MD5_SECRET_BYTES 35u /* "md5" and 32 hex digits; one more for the NUL */

/* What is stored for a password: "md5" + hex(md5(password + user)). False: out of memory or MD5 not to be had. */
bool md5_secret(const struct auth_context *ctx, const char *user, const char *password, size_t password_len,
                char out[MD5_SECRET_BYTES + 1]) MUST_USE;

/* What goes over the wire for a stored "md5…": "md5" + hex(md5(hex part + salt)). */
bool md5_answer(const struct auth_context *ctx, const char secret[MD5_SECRET_BYTES + 1], const uint8_t salt[4],
                char out[MD5_SECRET_BYTES + 1]) MUST_USE;

#endif
