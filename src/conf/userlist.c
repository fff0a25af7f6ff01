/* Reads user lists and tells what kind of secret each user has. Any thread. */
#include "conf/userlist.h"

#include <string.h>

#include "conf/config.h"

#define MD5_DIGITS 32
#define SHA256_BYTES 32

/* Length of base64 text when decoded, at most to `stop`; -1 if it is malformed. */
static long base64_bytes(const char *text, size_t len)
{
	size_t padding = 0;

	if (len == 0 || len % 4 != 0)
		return -1;
	while (padding < 2 && text[len - 1 - padding] == '=')
		padding++;
	for (size_t i = 0; i < len - padding; i++) {
		char c = text[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
		      c == '/'))
			return -1;
	}
	return (long)(len / 4 * 3 - padding);
}

static bool is_md5(const char *secret)
{
	return strncmp(secret, "md5", 3) == 0 && strlen(secret) == 3 + MD5_DIGITS &&
	       strspn(secret + 3, "0123456789abcdef") == MD5_DIGITS;
}

/* SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>, the three in base64. */
static bool is_scram(const char *secret)
{
	static const char name[] = "SCRAM-SHA-256$";
	const char *digits, *salt, *stored, *server;
	size_t n_digits, salt_len, stored_len;

	if (strncmp(secret, name, sizeof(name) - 1) != 0)
		return false;
	digits = secret + sizeof(name) - 1;
	n_digits = strspn(digits, "0123456789");
	if (n_digits == 0 || n_digits > 9 || strspn(digits, "0") == n_digits || digits[n_digits] != ':')
		return false;
	salt = digits + n_digits + 1;
	salt_len = strcspn(salt, "$");
	if (salt[salt_len] != '$' || base64_bytes(salt, salt_len) < 1)
		return false;
	stored = salt + salt_len + 1;
	stored_len = strcspn(stored, ":");
	if (stored[stored_len] != ':' || base64_bytes(stored, stored_len) != SHA256_BYTES)
		return false;
	server = stored + stored_len + 1;
	return base64_bytes(server, strlen(server)) == SHA256_BYTES;
}

enum secret_kind secret_classify(const char *secret)
{
	if (secret[0] == '\0')
		return SECRET_NONE;
	if (is_md5(secret))
		return SECRET_MD5;
	return is_scram(secret) ? SECRET_SCRAM : SECRET_PLAIN;
}

static char *skip_blanks(char *at)
{
	while (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\f' || *at == '\v')
		at++;
	return at;
}

/* Takes a "quoted" field off the line, "" inside being a quote; NULL if there is none or it is not closed. */
static char *take_quoted(char **at)
{
	char *field = *at + 1;
	char *to = field;

	if (**at != '"')
		return NULL;
	for (char *from = field; *from != '\0'; from++) {
		if (*from == '"' && from[1] != '"') {
			*at = from + 1;
			*to = '\0';
			return field;
		}
		if (*from == '"')
			from++;
		*to++ = *from;
	}
	return NULL;
}

static bool fail_broken(struct conf_error *why, const char *file, unsigned line, const char *what)
{
	(void)conf_fail(why, file, line, "broken auth file (%.200s:%u): %s", file, line, what);
	conf_hint(why, "A line is \"name\" \"secret\", both in double quotes; a quote inside is written twice. "
	               "Comments start with a semicolon.");
	return false;
}

static bool parse_line(char *at, const char *file, unsigned line, userlist_user *user, void *context,
                       struct conf_error *why)
{
	char *name, *secret;

	at = skip_blanks(at);
	if (*at == '\0' || *at == ';')
		return true;
	name = take_quoted(&at);
	if (name == NULL)
		return fail_broken(why, file, line, "there is no name in double quotes");
	at = skip_blanks(at);
	secret = take_quoted(&at);
	if (secret == NULL)
		return fail_broken(why, file, line, "after the name there is no secret in double quotes");
	if (strlen(name) > CONF_MAX_USER_NAME)
		return conf_fail(why, file, line, "username too long in auth file (%.200s:%u): more than %d bytes",
		                 file, line, CONF_MAX_USER_NAME);
	if (strlen(secret) > CONF_MAX_PASSWORD)
		return conf_fail(why, file, line, "password too long in auth file (%.200s:%u): more than %d bytes",
		                 file, line, CONF_MAX_PASSWORD);
	return user(context, name, secret, line, why);
}

bool userlist_parse(char *content, size_t len, const char *file, userlist_user *user, void *context,
                    struct conf_error *why)
{
	static const char byte_order_mark[] = "\xEF\xBB\xBF";
	char *end;
	unsigned line = 0;

	if (len == 0)
		return true;
	end = content + len;
	if (len >= 3 && memcmp(content, byte_order_mark, 3) == 0)
		content += 3;
	while (content < end) {
		char *newline = (char *)memchr(content, '\n', (size_t)(end - content));
		char *stop = newline == NULL ? end : newline;

		*stop = '\0';
		line++;
		if (memchr(content, '\0', (size_t)(stop - content)) != NULL)
			return fail_broken(why, file, line, "there is a zero byte");
		if (!parse_line(content, file, line, user, context, why))
			return false;
		content = stop + 1;
	}
	return true;
}
