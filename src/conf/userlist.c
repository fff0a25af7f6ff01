/* Reads user lists and tells what kind of secret each user has. Any thread. */
#include "conf/userlist.h"

#include <string.h>

#include "conf/config.h"
#include "conf/read.h"
#include "conf/scram_verifier.h"
#include "conf/value.h"

#define MD5_DIGITS 32

static bool is_md5(const char *secret)
{
	return strncmp(secret, "md5", 3) == 0 && strlen(secret) == 3 + MD5_DIGITS &&
	       strspn(secret + 3, "0123456789abcdef") == MD5_DIGITS;
}

enum secret_kind secret_classify(const char *secret)
{
	struct scram_verifier v;

	if (secret[0] == '\0')
		return SECRET_NONE;
	if (is_md5(secret))
		return SECRET_MD5;
	return scram_verifier_parse(&v, secret, strlen(secret)) ? SECRET_SCRAM : SECRET_PLAIN;
}

static char *skip_blanks(char *at)
{
	while (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\f' || *at == '\v')
		at++;
	return at;
}

/* Takes a field in double quotes off the line; NULL if there is none or it is not closed. */
static char *take_field(char **at)
{
	return **at == '"' ? value_take_quoted(at) : NULL;
}

static bool fail_broken(struct conf_error *why, const char *file, unsigned line, const char *what)
{
	(void)conf_fail(why, file, line, "broken auth file (%.1000s:%u): %s", file, line, what);
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
	name = take_field(&at);
	if (name == NULL)
		return fail_broken(why, file, line, "there is no name in double quotes");
	at = skip_blanks(at);
	secret = take_field(&at);
	if (secret == NULL)
		return fail_broken(why, file, line, "after the name there is no secret in double quotes");
	if (strlen(name) > CONF_MAX_USER_NAME)
		return conf_fail(why, file, line, "username too long in auth file (%.1000s:%u): more than %d bytes",
		                 file, line, CONF_MAX_USER_NAME);
	if (strlen(secret) > CONF_MAX_PASSWORD)
		return conf_fail(why, file, line, "password too long in auth file (%.1000s:%u): more than %d bytes",
		                 file, line, CONF_MAX_PASSWORD);
	return user(context, name, secret, line, why);
}

bool userlist_parse(char *content, size_t len, const char *file, userlist_user *user, void *context,
                    struct conf_error *why)
{
	unsigned line = 0;
	size_t skip;
	char *end;

	if (len == 0)
		return true;
	end = content + len;
	if (!conf_text_begin(content, len, file, &skip, why))
		return false;
	content += skip;
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
