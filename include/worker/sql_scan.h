/*
 * Finds in the text of a query what its statements would leave behind in the session. Takes the text in pieces of any
 * size. Pure; any thread.
 *
 * It knows words, strings, comments and parentheses, not grammar: of a text that PostgreSQL would refuse it may find
 * anything, and what functions, DO and EXECUTE run it does not see.
 */
#ifndef WORKER_SQL_SCAN_H
#define WORKER_SQL_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diag/session_state.h"

#define SQL_WORD_BYTES 64u
#define SQL_MARK_FIRST 1 /* bytes that no query has outside of strings: they mark one that is refused (guard.c) */
#define SQL_MARK_LAST (SQL_MARK_FIRST + N_STATES - 1)

/* Whether a SET of this parameter leaves nothing behind. */
typedef bool sql_follows(void *arg, const char *name);

struct sql_statement;

/* How characters are read. */
enum sql_lex {
	SQL_PLAIN,
	SQL_WORD,
	SQL_STRING,     /* '…' */
	SQL_STRING_END, /* a quote in it: its end, or the first of two */
	SQL_NAME,       /* "…" */
	SQL_DOLLAR_TAG, /* behind $, before the $ that begins the string */
	SQL_DOLLAR,     /* $tag$…$tag$ */
	SQL_LINE,       /* -- … */
	SQL_BLOCK       /* slash, star … */
};

/* One statement so far. */
struct sql_facts {
	uint8_t lead;    /* enum lead */
	uint8_t n;       /* tokens, at most 255 */
	uint8_t word[2]; /* the last two words; enum word */
	uint8_t stage;   /* of SET; enum stage */
	bool last_is_word;
	bool clean; /* it leaves nothing, whatever follows */
	bool has_value;
	bool temp, drops, holds, opaque;
	uint8_t n_locks, n_unlocks, n_configs;
	bool unlocks_all;
	uint16_t depth, call; /* parentheses; that of set_config, 0: none */
	char digit;           /* of SET: its value, if that is one character */
	uint8_t arg, n_arg;   /* its argument, and tokens in it */
	bool call_is_local;
	char name[SQL_WORD_BYTES];      /* of SET's parameter */
	char call_name[SQL_WORD_BYTES]; /* of set_config's, empty: not known */
};

struct sql_scan {
	enum sql_lex lex;
	bool backslash_always; /* standard_conforming_strings = off */
	bool backslash;        /* in this string */
	bool escaped;          /* the next character is the string's */
	char before;           /* the character before, where two mean something */
	uint8_t len, matched;
	uint16_t depth;            /* of block comments */
	char text[SQL_WORD_BYTES]; /* of the word, string, name or tag */
	struct sql_facts facts;
	uint8_t found[N_STATES]; /* statements that would leave that, at most 255 */
	uint8_t n_unlocks;       /* 255: all */
	uint8_t mark;            /* 0: none */
};

void sql_scan_begin(struct sql_scan *s, bool standard_conforming_strings);
/* A piece of the text, without the NUL at its end. */
void sql_scan_feed(struct sql_scan *s, const char *data, size_t len, sql_follows *follows, void *arg);
/* There is no more. */
void sql_scan_end(struct sql_scan *s, sql_follows *follows, void *arg);
bool sql_scan_found_any(const struct sql_scan *s);
/* The first of what was found, in the order of the table. */
enum session_state sql_scan_first(const struct sql_scan *s);

#endif
