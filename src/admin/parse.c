/* Takes commands of the console apart; what the words mean is commands.c's business. Any thread. */
#include "admin/parse.h"

#include <string.h>
#include <strings.h>

#define SPACES " \t\r\n\f\v"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

/* A place in the text. */
struct scan {
	const char *at;
	bool too_long; /* some word was */
};

static void add_char(struct scan *s, char *word, size_t limit, size_t *len, char c)
{
	if (*len == limit) {
		s->too_long = true;
		return;
	}
	word[(*len)++] = c;
	word[*len] = '\0';
}

/* `word` has room for `limit` bytes and a NUL. False: no closing quote. */
static bool take_quoted(struct scan *s, char *word, size_t limit)
{
	char quote = *s->at++;
	size_t len = 0;

	word[0] = '\0';
	for (; *s->at != '\0'; s->at++) {
		if (*s->at == quote && *++s->at != quote)
			return true;
		add_char(s, word, limit, &len, *s->at);
	}
	return false;
}

static bool take_word(struct scan *s, char *word, size_t limit)
{
	size_t n = strspn(s->at, LETTERS), len = 0;

	if (*s->at == '"')
		return take_quoted(s, word, limit);
	word[0] = '\0';
	for (size_t i = 0; i < n; i++)
		add_char(s, word, limit, &len, s->at[i]);
	s->at += n;
	return n > 0;
}

static bool take_value(struct scan *s, char *value)
{
	return *s->at == '\'' ? take_quoted(s, value, PARSE_VALUE_MAX) : take_word(s, value, PARSE_VALUE_MAX);
}

static bool take_spaces(struct scan *s)
{
	size_t n = strspn(s->at, SPACES);

	s->at += n;
	return n > 0;
}

/* At most one semicolon, and nothing behind it. */
static bool take_end(struct scan *s)
{
	(void)take_spaces(s);
	if (*s->at == ';')
		s->at++;
	(void)take_spaces(s);
	return *s->at == '\0';
}

static bool take_equals(struct scan *s)
{
	char word[3];

	(void)take_spaces(s);
	if (*s->at == '=') {
		s->at++;
	} else {
		struct scan to = *s;

		if (*to.at == '"' || !take_word(&to, word, 2) || strcasecmp(word, "to") != 0 || to.at - s->at != 2)
			return false;
		s->at = to.at;
	}
	(void)take_spaces(s);
	return true;
}

/* Behind the word SET. */
static bool take_assignment(struct scan *s, struct parsed *out)
{
	out->has_argument = out->has_value = true;
	return take_spaces(s) && take_word(s, out->argument, PARSE_ARGUMENT_MAX) && take_equals(s) &&
	       take_value(s, out->value) && take_end(s);
}

/* Behind any other word. */
static bool take_argument(struct scan *s, struct parsed *out)
{
	bool apart = take_spaces(s);

	if (*s->at != '\0' && *s->at != ';') {
		if (!apart || !take_word(s, out->argument, PARSE_ARGUMENT_MAX))
			return false;
		out->has_argument = true;
	}
	return take_end(s);
}

/* What drivers send to see whether the connection lives: "", ";", "-- ping". */
static bool is_nothing(const char *text)
{
	struct scan s = {text, false};

	if (take_end(&s))
		return true;
	return strncmp(s.at, "--", 2) == 0 && strchr(s.at, '\n') == NULL;
}

enum parse_result command_parse(const char *text, struct parsed *out)
{
	struct scan s = {text, false};
	bool good;

	memset(out, 0, sizeof(*out));
	if (is_nothing(text))
		return PARSE_NOTHING;
	(void)take_spaces(&s);
	if (!take_word(&s, out->name, PARSE_NAME_MAX))
		return PARSE_NO_COMMAND;
	good = strcasecmp(out->name, "set") == 0 ? take_assignment(&s, out) : take_argument(&s, out);
	if (!good)
		return PARSE_NO_COMMAND;
	return s.too_long ? PARSE_TOO_LONG : PARSE_GOT;
}
