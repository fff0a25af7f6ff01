/* MD5 passwords of the protocol. Pure, any thread. */
#include "auth/md5.h"

#include <string.h>

#define PREFIX_BYTES 3u /* "md5" */

bool md5_secret(const struct auth_context *ctx, const char *user, const char *password, size_t password_len,
                char out[MD5_SECRET_BYTES + 1])
{
	memcpy(out, "md5", PREFIX_BYTES);
	return auth_md5_hex(ctx, password, password_len, user, strlen(user), out + PREFIX_BYTES);
}

bool md5_answer(const struct auth_context *ctx, const char secret[MD5_SECRET_BYTES + 1], const uint8_t salt[4],
                char out[MD5_SECRET_BYTES + 1])
{
	memcpy(out, "md5", PREFIX_BYTES);
	return auth_md5_hex(ctx, secret + PREFIX_BYTES, MD5_HEX_BYTES, salt, 4, out + PREFIX_BYTES);
}
