/* Reads DEALLOCATE [PREPARE] name [;]. Pure, any thread. */
#include "wire/deallocate.h"

#include <string.h>
#include <strings.h>

/* What is left of a statement. */
struct text {
	const char *at, *end;
};

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_inner(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '$';
}

static void skip_blanks(struct text *t)
{
	while (t->at < t->end && is_blank(*t->at))
		t->at++;
}

/* The word that comes next, without quotes; its length, 0: there is none. */
static size_t word_length(const struct text *t)
{
	const char *at = t->at;

	if (at == t->end || !is_letter(*at))
		return 0;
	while (at < t->end && is_inner(*at))
		at++;
	return (size_t)(at - t->at);
}

static bool take_word(struct text *t, const char *word)
{
	size_t len = word_length(t);

	if (len != strlen(word) || strncasecmp(t->at, word, len) != 0)
		return false;
	t->at += len;
	skip_blanks(t);
	return true;
}

/* Characters beyond the limit are dropped; one of several bytes that would be cut makes it unreadable. */
static bool put(char *name, size_t *n, char c)
{
	if (*n < DEALLOCATE_NAME_MOST)
		name[(*n)++] = c;
	else if ((unsigned char)c >= 0x80)
		return false;
	return true;
}

static bool take_quoted(struct text *t, char *name)
{
	size_t n = 0;

	while (++t->at < t->end) {
		if (*t->at == '"') {
			if (t->at + 1 == t->end || t->at[1] != '"') {
				t->at++;
				name[n] = '\0';
				return n > 0;
			}
			t->at++; /* two of them stand for one */
		}
		if (*t->at == '\0' || !put(name, &n, *t->at))
			return false;
	}
	return false;
}

static bool take_plain(struct text *t, char *name)
{
	size_t len = word_length(t), n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = t->at[i];

		if ((unsigned char)c >= 0x80) /* how these are folded depends on the server's locale */
			return false;
		if (!put(name, &n, c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c))
			return false;
	}
	name[n] = '\0';
	t->at += len;
	return n > 0 && strcmp(name, "all") != 0;
}

static bool take_name(struct text *t, char *name)
{
	return t->at < t->end && *t->at == '"' ? take_quoted(t, name) : take_plain(t, name);
}

bool deallocate_name(const char *sql, size_t len, char name[DEALLOCATE_NAME_MOST + 1])
{
	struct text t = {sql, sql + len};

	skip_blanks(&t);
	if (!take_word(&t, "deallocate"))
		return false;
	if (take_word(&t, "prepare") && (t.at == t.end || *t.at == ';'))
		return false; /* a statement of the name "prepare": let it be */
	if (!take_name(&t, name))
		return false;
	skip_blanks(&t);
	if (t.at < t.end && *t.at == ';')
		t.at++;
	skip_blanks(&t);
	return t.at == t.end;
}
