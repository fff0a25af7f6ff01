/*
 * Reads the text of queries for what they would leave behind in the session. Pure; any thread.
 *
 *   characters ──> lex: words, strings, names, the rest ──> token ──> facts of the statement ──> end_statement: found
 */
#include "worker/sql_scan.h"

#include <string.h>
#include <strings.h>

#define ALL_UNLOCKS 255u
#define MOST_WORDS_BEFORE_NAME 9u /* CREATE OR REPLACE … TABLE IF NOT EXISTS name */

/* ---- words that mean something ---- */

enum word {
	WORD_OTHER,
#define WORD(name, text) WORD_##name,
#include "worker/sql_words.def"
#undef WORD
};

static const char *const words[] = {
    [WORD_OTHER] = "",
#define WORD(name, text) [WORD_##name] = (text),
#include "worker/sql_words.def"
#undef WORD
};

static enum word word_of(const char *text)
{
	for (unsigned i = 1; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i][0] == text[0] && strcmp(words[i], text) == 0)
			return (enum word)i;
	return WORD_OTHER;
}

/* ---- tokens ---- */

enum token { TOKEN_WORD, TOKEN_NAME, TOKEN_STRING, TOKEN_OTHER };

enum lead { LEAD_NONE, LEAD_SET, LEAD_LISTEN, LEAD_PREPARE, LEAD_LOAD, LEAD_DECLARE, LEAD_CREATE, LEAD_OTHER };

/* What comes next in SET. */
enum stage {
	STAGE_FIRST,   /* LOCAL, SESSION, TIME ZONE, … or a name */
	STAGE_SESSION, /* behind SESSION */
	STAGE_ZONE,    /* behind TIME */
	STAGE_REST,    /* = or TO, or a further part of the name */
	STAGE_VALUE,
	STAGE_OVER
};

static enum lead lead_of(enum word word)
{
	static const struct {
		enum word word;
		enum lead lead;
	} leads[] = {{WORD_SET, LEAD_SET},   {WORD_LISTEN, LEAD_LISTEN},   {WORD_PREPARE, LEAD_PREPARE},
	             {WORD_LOAD, LEAD_LOAD}, {WORD_DECLARE, LEAD_DECLARE}, {WORD_CREATE, LEAD_CREATE}};

	for (unsigned i = 0; i < sizeof(leads) / sizeof(leads[0]); i++)
		if (leads[i].word == word)
			return leads[i].lead;
	return LEAD_OTHER;
}

static void set_name(struct sql_facts *f, const char *name, enum stage next)
{
	memcpy(f->name, name, strlen(name) + 1);
	f->stage = (uint8_t)next;
}

static void add_to_name(struct sql_facts *f, const char *more)
{
	size_t len = strlen(f->name), n = strlen(more);

	if (len + n >= sizeof(f->name))
		n = sizeof(f->name) - 1 - len;
	memcpy(f->name + len, more, n);
	f->name[len + n] = '\0';
}

static void set_begins(struct sql_facts *f, enum token token, enum word word, const char *text)
{
	bool behind_session = f->stage == STAGE_SESSION;

	if (token != TOKEN_WORD)
		word = WORD_OTHER;
	if (word == WORD_LOCAL || word == WORD_TRANSACTION || word == WORD_CONSTRAINTS)
		f->clean = true;
	else if (word == WORD_SESSION && !behind_session)
		f->stage = STAGE_SESSION;
	else if (word == WORD_CHARACTERISTICS && behind_session)
		set_name(f, "default_transaction_isolation", STAGE_VALUE);
	else if (word == WORD_AUTHORIZATION && behind_session)
		set_name(f, "session_authorization", STAGE_VALUE);
	else if (word == WORD_TIME)
		set_name(f, "TimeZone", STAGE_ZONE);
	else if (word == WORD_NAMES)
		set_name(f, "client_encoding", STAGE_VALUE);
	else if (word == WORD_SCHEMA)
		set_name(f, "search_path", STAGE_VALUE);
	else if (token == TOKEN_WORD || token == TOKEN_NAME)
		set_name(f, text, STAGE_REST);
	else
		f->clean = true; /* PostgreSQL will say that this is none */
}

/* DEFAULT is the same as RESET; so are SET ROLE NONE and SET TIME ZONE LOCAL. */
static bool is_reset(const struct sql_facts *f, enum word word)
{
	return word == WORD_DEFAULT || (word == WORD_NONE && strcmp(f->name, "role") == 0) ||
	       (word == WORD_LOCAL && strcmp(f->name, "TimeZone") == 0);
}

static void set_goes_on(struct sql_facts *f, enum token token, enum word word, const char *text)
{
	switch ((enum stage)f->stage) {
	case STAGE_FIRST:
	case STAGE_SESSION:
		set_begins(f, token, word, text);
		break;
	case STAGE_ZONE:
		/* a parameter cannot be called "time" */
		f->stage = STAGE_VALUE;
		f->clean = word != WORD_ZONE;
		break;
	case STAGE_REST:
		if (text[0] == '.' || f->name[strlen(f->name) - 1] == '.')
			add_to_name(f, text);
		else if (text[0] == '=' || word == WORD_TO)
			f->stage = STAGE_VALUE;
		else {
			/* SET ROLE x */
			f->stage = STAGE_OVER;
			f->has_value = true;
			f->clean = is_reset(f, word);
		}
		break;
	case STAGE_VALUE:
		f->stage = STAGE_OVER;
		f->has_value = true;
		f->digit = text[0] != '\0' && text[1] == '\0' ? text[0] : '\0';
		f->clean = token == TOKEN_WORD && is_reset(f, word);
		break;
	case STAGE_OVER:
		break;
	}
}

static bool is_temp(enum word word)
{
	return word == WORD_TEMP || word == WORD_TEMPORARY;
}

static bool comes_before_temp(enum word word)
{
	return word == WORD_CREATE || word == WORD_REPLACE || word == WORD_LOCAL || word == WORD_GLOBAL;
}

static void create_goes_on(struct sql_facts *f, enum token token, enum word word)
{
	if (f->n <= 4 && is_temp(word) && comes_before_temp((enum word)f->word[0]))
		f->temp = true;
	if (f->depth == 0 && f->n <= MOST_WORDS_BEFORE_NAME && token <= TOKEN_NAME && word == WORD_PG_TEMP)
		f->temp = true;
	if (word == WORD_DROP && f->word[0] == WORD_COMMIT && f->word[1] == WORD_ON)
		f->drops = true;
	/* a function's statements: they run another time */
	if (word == WORD_ATOMIC && f->word[0] == WORD_BEGIN)
		f->opaque = true;
}

/* SELECT … INTO TEMP x; but a table may be called "temp", too: INSERT INTO temp. */
static bool makes_temp(const struct sql_facts *f, enum word word)
{
	if (!is_temp(word))
		return false;
	if (f->word[0] == WORD_LOCAL || f->word[0] == WORD_GLOBAL)
		return f->word[1] == WORD_INTO;
	return f->word[0] == WORD_INTO && f->word[1] != WORD_INSERT && f->word[1] != WORD_MERGE;
}

/* ---- set_config(name, value, is_local) and locks ---- */

static void count(uint8_t *n)
{
	if (*n < UINT8_MAX)
		(*n)++;
}

static bool locks(enum word word)
{
	return word == WORD_LOCK || word == WORD_LOCK_SHARED || word == WORD_TRY_LOCK || word == WORD_TRY_LOCK_SHARED;
}

static bool unlocks(enum word word)
{
	return word == WORD_UNLOCK || word == WORD_UNLOCK_SHARED;
}

static void call_begins(struct sql_facts *f)
{
	enum word word = (enum word)f->word[0];

	if (locks(word))
		count(&f->n_locks);
	if (unlocks(word))
		count(&f->n_unlocks);
	f->unlocks_all |= word == WORD_UNLOCK_ALL;
	if (word != WORD_SET_CONFIG || f->call != 0)
		return;
	f->call = f->depth;
	f->arg = 1;
	f->n_arg = 0;
	f->call_is_local = false;
	f->call_name[0] = '\0';
}

static bool is_true(enum token token, const char *text)
{
	static const char *const yes[] = {"t", "true", "on", "yes", "y", "1"};

	if (token == TOKEN_WORD)
		return strcmp(text, "true") == 0;
	for (unsigned i = 0; token == TOKEN_STRING && i < sizeof(yes) / sizeof(yes[0]); i++)
		if (strcasecmp(text, yes[i]) == 0)
			return true;
	return false;
}

static void argument_goes_on(struct sql_facts *f, enum token token, const char *text)
{
	if (token == TOKEN_OTHER && text[0] == ',' && f->depth == f->call) {
		count(&f->arg);
		f->n_arg = 0;
		return;
	}
	count(&f->n_arg);
	if (f->arg == 1 && f->n_arg == 1 && token == TOKEN_STRING)
		memcpy(f->call_name, text, strlen(text) + 1);
	else if (f->arg == 1 && text[0] == '|')
		f->call_name[0] = '\0'; /* put together: not known */
	else if (f->arg == 3 && f->n_arg == 1)
		f->call_is_local = is_true(token, text);
}

static void call_ends(struct sql_facts *f, sql_follows *follows, void *arg)
{
	f->call = 0;
	if (!f->call_is_local && (f->call_name[0] == '\0' || !follows(arg, f->call_name)))
		count(&f->n_configs);
}

/* ---- statements ---- */

static void add_found(struct sql_scan *s, enum session_state state, unsigned n)
{
	s->found[state] = (uint8_t)(s->found[state] + n > UINT8_MAX ? UINT8_MAX : s->found[state] + n);
}

static void found_functions(struct sql_scan *s, const struct sql_facts *f)
{
	add_found(s, STATE_LOCK, f->n_locks);
	add_found(s, STATE_SET, f->n_configs);
	if (f->unlocks_all)
		s->n_unlocks = ALL_UNLOCKS;
	else
		s->n_unlocks =
		    (uint8_t)(s->n_unlocks + f->n_unlocks > ALL_UNLOCKS ? ALL_UNLOCKS : s->n_unlocks + f->n_unlocks);
}

/* Done by JDBC and others at every start, and the same as the default since PostgreSQL 12. */
static bool changes_nothing(const struct sql_facts *f)
{
	return strcmp(f->name, "extra_float_digits") == 0 && f->digit >= '1' && f->digit <= '3';
}

static void end_statement(struct sql_scan *s, sql_follows *follows, void *arg)
{
	const struct sql_facts *f = &s->facts;

	switch ((enum lead)f->lead) {
	case LEAD_NONE:
		break;
	case LEAD_SET:
		add_found(s, STATE_SET, !f->clean && f->has_value && !changes_nothing(f) && !follows(arg, f->name));
		break;
	case LEAD_LISTEN:
		add_found(s, STATE_LISTEN, f->n > 1);
		break;
	case LEAD_PREPARE:
		add_found(s, STATE_PREPARE, f->n > 1 && !f->clean);
		break;
	case LEAD_LOAD:
		add_found(s, STATE_LOAD, f->n > 1);
		break;
	case LEAD_DECLARE:
		add_found(s, STATE_CURSOR, f->holds);
		break;
	case LEAD_CREATE:
		add_found(s, STATE_TEMP, f->temp && !f->drops);
		break;
	case LEAD_OTHER:
		add_found(s, STATE_TEMP, f->temp);
		found_functions(s, f);
		break;
	}
	memset(&s->facts, 0, sizeof(s->facts));
}

static void lead_goes_on(struct sql_facts *f, enum token token, enum word word, const char *text)
{
	switch ((enum lead)f->lead) {
	case LEAD_NONE:
		f->lead = (uint8_t)(token == TOKEN_WORD ? lead_of(word) : LEAD_OTHER);
		break;
	case LEAD_SET:
		if (!f->clean)
			set_goes_on(f, token, word, text);
		break;
	case LEAD_PREPARE:
		f->clean |= f->n == 1 && token == TOKEN_WORD && word == WORD_TRANSACTION;
		break;
	case LEAD_DECLARE:
		f->holds |= word == WORD_HOLD && f->word[0] == WORD_WITH;
		break;
	case LEAD_CREATE:
		create_goes_on(f, token, word);
		break;
	case LEAD_OTHER:
		f->temp |= makes_temp(f, word);
		break;
	case LEAD_LISTEN:
	case LEAD_LOAD:
		break;
	}
}

static void parenthesis(struct sql_scan *s, char c, sql_follows *follows, void *arg)
{
	struct sql_facts *f = &s->facts;

	if (c == '(' && f->depth < UINT16_MAX) {
		f->depth++;
		if (f->last_is_word)
			call_begins(f);
	} else if (c == ')' && f->depth > 0) {
		if (f->depth == f->call)
			call_ends(f, follows, arg);
		f->depth--;
	}
}

static void take_token(struct sql_scan *s, enum token token, const char *text, sql_follows *follows, void *arg)
{
	struct sql_facts *f = &s->facts;
	enum word word = token <= TOKEN_NAME ? word_of(text) : WORD_OTHER;

	if (f->opaque)
		return;
	if (token == TOKEN_OTHER && text[0] == ';' && f->depth == 0) {
		end_statement(s, follows, arg);
		return;
	}
	/* only functions may be written with quotes; as keywords these are names */
	lead_goes_on(f, token, token == TOKEN_NAME && word != WORD_PG_TEMP ? WORD_OTHER : word, text);
	if (token == TOKEN_OTHER)
		parenthesis(s, text[0], follows, arg);
	if (f->call != 0 && !(token == TOKEN_OTHER && text[0] == '(' && f->depth == f->call))
		argument_goes_on(f, token, text);
	count(&f->n);
	f->last_is_word = token <= TOKEN_NAME;
	if (f->last_is_word) {
		f->word[1] = f->word[0];
		f->word[0] = (uint8_t)word;
	}
}

/* ---- characters ---- */

static bool begins_word(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c >= 0x80;
}

static void begin_text(struct sql_scan *s, enum sql_lex lex)
{
	s->lex = lex;
	s->len = 0;
	s->text[0] = '\0';
}

/* Of longer ones the front is kept: no word that means something is as long. */
static void add_text(struct sql_scan *s, char c)
{
	if (s->len >= sizeof(s->text) - 1)
		return;
	s->text[s->len++] = c;
	s->text[s->len] = '\0';
}

static void add_word(struct sql_scan *s, char c)
{
	add_text(s, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
}

static void begin_string(struct sql_scan *s, bool backslash)
{
	begin_text(s, SQL_STRING);
	s->backslash = backslash || s->backslash_always;
	s->escaped = false;
}

/* A character outside of everything, which ends nothing. */
static void plain_one(struct sql_scan *s, char c, sql_follows *follows, void *arg)
{
	char one[2] = {c, '\0'};

	if (begins_word((unsigned char)c)) {
		begin_text(s, SQL_WORD);
		add_word(s, c);
	} else if (c == '\'') {
		begin_string(s, false);
	} else if (c == '"') {
		begin_text(s, SQL_NAME);
	} else if (c == '$') {
		begin_text(s, SQL_DOLLAR_TAG);
	} else if (c == '-' || c == '/') {
		s->before = c;
	} else if (c >= SQL_MARK_FIRST && c <= SQL_MARK_LAST) {
		s->mark = (uint8_t)c;
	} else if (strchr(" \t\n\r\f\v", c) == NULL) {
		take_token(s, TOKEN_OTHER, one, follows, arg);
	}
}

static void plain(struct sql_scan *s, char c, sql_follows *follows, void *arg)
{
	char before[2] = {s->before, '\0'};

	s->before = '\0';
	if (before[0] == '-' && c == '-') {
		s->lex = SQL_LINE;
	} else if (before[0] == '/' && c == '*') {
		s->lex = SQL_BLOCK;
		s->depth = 1;
	} else {
		if (before[0] != '\0')
			take_token(s, TOKEN_OTHER, before, follows, arg);
		plain_one(s, c, follows, arg);
	}
}

/* False: the word is over, and the character is to be looked at again. */
static bool in_word(struct sql_scan *s, char c, sql_follows *follows, void *arg)
{
	if (begins_word((unsigned char)c) || c == '$') {
		add_word(s, c);
		return true;
	}
	if (c == '\'' && s->len == 1 && s->text[0] == 'e') {
		begin_string(s, true);
		return true;
	}
	s->lex = SQL_PLAIN;
	take_token(s, TOKEN_WORD, s->text, follows, arg);
	return false;
}

static void in_string(struct sql_scan *s, char c)
{
	if (s->escaped)
		s->escaped = false;
	else if (s->backslash && c == '\\')
		s->escaped = true;
	else if (c == '\'')
		s->lex = SQL_STRING_END;
	else
		add_text(s, c);
}

static bool after_quote(struct sql_scan *s, char c, sql_follows *follows, void *arg)
{
	if (c == '\'') {
		s->lex = SQL_STRING;
		add_text(s, c);
		return true;
	}
	s->lex = SQL_PLAIN;
	take_token(s, TOKEN_STRING, s->text, follows, arg);
	return false;
}

/* "" in it is one name for us and a name with a quote for PostgreSQL: neither means anything here. */
static void in_name(struct sql_scan *s, char c, sql_follows *follows, void *arg)
{
	if (c != '"') {
		add_text(s, c);
		return;
	}
	s->lex = SQL_PLAIN;
	take_token(s, TOKEN_NAME, s->text, follows, arg);
}

static bool in_tag(struct sql_scan *s, char c, sql_follows *follows, void *arg)
{
	if (c == '$') {
		s->lex = SQL_DOLLAR;
		s->matched = 0;
		return true;
	}
	if (begins_word((unsigned char)c) && !(s->len == 0 && c >= '0' && c <= '9')) {
		add_text(s, c);
		return true;
	}
	/* a parameter, "$1": its number follows as a word */
	s->lex = SQL_PLAIN;
	take_token(s, TOKEN_OTHER, "$", follows, arg);
	return false;
}

/* The end is $tag$, where only the first and last are dollars. */
static void in_dollar(struct sql_scan *s, char c, sql_follows *follows, void *arg)
{
	char due = s->matched == 0 || s->matched == s->len + 1 ? '$' : s->text[s->matched - 1];

	if (c != due) {
		s->matched = c == '$';
	} else if (s->matched++ == s->len + 1) {
		s->lex = SQL_PLAIN;
		take_token(s, TOKEN_STRING, "", follows, arg);
	}
}

static void in_block(struct sql_scan *s, char c)
{
	if (s->before == '/' && c == '*') {
		s->depth++;
		c = 0;
	} else if (s->before == '*' && c == '/') {
		s->depth--;
		c = 0;
	}
	s->before = c;
	if (s->depth > 0)
		return;
	s->lex = SQL_PLAIN;
	s->before = 0;
}

/* False: once more. */
static bool take(struct sql_scan *s, char c, sql_follows *follows, void *arg)
{
	switch (s->lex) {
	case SQL_PLAIN:
		plain(s, c, follows, arg);
		return true;
	case SQL_WORD:
		return in_word(s, c, follows, arg);
	case SQL_STRING:
		in_string(s, c);
		return true;
	case SQL_STRING_END:
		return after_quote(s, c, follows, arg);
	case SQL_NAME:
		in_name(s, c, follows, arg);
		return true;
	case SQL_DOLLAR_TAG:
		return in_tag(s, c, follows, arg);
	case SQL_DOLLAR:
		in_dollar(s, c, follows, arg);
		return true;
	case SQL_LINE:
		if (c == '\n' || c == '\r')
			s->lex = SQL_PLAIN;
		return true;
	case SQL_BLOCK:
		in_block(s, c);
		return true;
	}
	return true;
}

void sql_scan_begin(struct sql_scan *s, bool standard_conforming_strings)
{
	memset(s, 0, sizeof(*s));
	s->backslash_always = !standard_conforming_strings;
}

void sql_scan_feed(struct sql_scan *s, const char *data, size_t len, sql_follows *follows, void *arg)
{
	for (size_t i = 0; i < len; i++)
		while (!take(s, data[i], follows, arg))
			;
}

void sql_scan_end(struct sql_scan *s, sql_follows *follows, void *arg)
{
	/* a blank ends a word or a string */
	sql_scan_feed(s, " ", 1, follows, arg);
	s->facts.depth = 0;
	end_statement(s, follows, arg);
}

bool sql_scan_found_any(const struct sql_scan *s)
{
	for (unsigned i = 0; i < N_STATES; i++)
		if (s->found[i] > 0)
			return true;
	return false;
}

enum session_state sql_scan_first(const struct sql_scan *s)
{
	unsigned i = 0;

	while (i < N_STATES - 1 && s->found[i] == 0)
		i++;
	return (enum session_state)i;
}
