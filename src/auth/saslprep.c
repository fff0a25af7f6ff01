/* Prepares passwords for SCRAM as PostgreSQL does; the tables are those of libidn. Pure, any thread. */
#include "auth/saslprep.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

#ifdef HAVE_LIBIDN
#include <stringprep.h>

#define MOST_STEPS 40u
#define GROWTH 18u /* NFKC makes no character longer than this many times its bytes */

static bool is_ascii(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] > 127)
			return false;
	return true;
}

/*
 * RFC 4013 in the order of PostgreSQL: what is prohibited is looked for before the normalization, so that U+0340, say,
 * which becomes another character, keeps a password as it is. False: libidn has changed.
 */
static bool make_profile(Stringprep_profile to[MOST_STEPS])
{
	const Stringprep_profile *from = stringprep_saslprep, *normalize = NULL;
	size_t n = 0;

	for (; from->operation != 0; from++) {
		if (from->operation == STRINGPREP_NFKC)
			normalize = from;
		else if (n < MOST_STEPS - 2)
			to[n++] = *from;
		else
			return false;
	}
	if (normalize == NULL)
		return false;
	to[n++] = *normalize;
	memset(&to[n], 0, sizeof(to[n]));
	return true;
}

/* Prepared in `room` bytes of `text`; false: not UTF-8, prohibited, or nothing would be left. */
static bool prepare(char *text, size_t room)
{
	Stringprep_profile profile[MOST_STEPS];

	return make_profile(profile) && stringprep(text, room, STRINGPREP_NO_UNASSIGNED, profile) == STRINGPREP_OK &&
	       text[0] != '\0';
}

char *saslprep(const char *password, size_t len, size_t *prepared_len)
{
	size_t room = len * GROWTH + 1;
	char *text, *copy;

	*prepared_len = len;
	if (is_ascii(password, len) || memchr(password, '\0', len) != NULL)
		return mem_copy(password, len);
	text = (char *)mem_alloc(room);
	if (text == NULL)
		return NULL;
	memcpy(text, password, len);
	if (prepare(text, room))
		*prepared_len = strlen(text);
	else
		memcpy(text, password, len);
	copy = mem_copy(text, *prepared_len);
	mem_wipe(text, room);
	mem_free(text);
	return copy;
}
#else
char *saslprep(const char *password, size_t len, size_t *prepared_len)
{
	*prepared_len = len;
	return mem_copy(password, len);
}
#endif
