/*
 * The lines of rule files: HBA rules and user name maps, written as PostgreSQL's pg_hba.conf and pg_ident.conf.
 *
 * A line is divided into fields by blanks, a field into words by commas. "#" begins a comment, double quotes take the
 * meaning from everything ("" inside is a quote), a backslash at the end joins a line with the next one. Lines
 * "include", "include_if_exists" and "include_dir" are followed here; who takes the lines does not see them.
 *
 * Pure, given a source of files; any thread.
 */
#ifndef AUTH_RULE_LINES_H
#define AUTH_RULE_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "conf/error.h"
#include "conf/read.h"

#define RULE_MAX_INCLUDES 10 /* how deep files may include each other */
#define RULE_MAX_FILES 1000  /* read for one rule file, itself and "@file" included */
#define RULE_MAX_LINE_BYTES 65536
#define RULE_MAX_WORD_BYTES 1023
#define RULE_MAX_WORDS 100000 /* in one field */

/* A word of a field. */
struct rule_word {
	char *text;  /* without its quotes */
	bool quoted; /* it begins with a quote: no keyword */
};

/* Owned by who has it; all zero is an empty one. */
struct rule_field {
	struct rule_word *words;
	unsigned n, capacity;
};

struct rule_reader;

/* One line while it is being taken. */
struct rule_line {
	struct rule_reader *reader;
	const char *file; /* the path that was read */
	unsigned number;  /* of its first line, from 1 */
	const char *text; /* joined, without its comment */
	const char *at;   /* what has not been taken yet */
};

/* Called for each line that has anything in it. False, after rule_line_fail, stops. */
typedef bool rule_take(void *context, struct rule_line *line);

/*
 * Reads the file `name`, in the working directory, else beside the file `beside` (may be NULL), and what it includes.
 * `kind` is what texts call it: "hba", "ident". False with `why` at the first line that is not right, or if a file
 * cannot be read.
 */
bool rule_lines_read(const struct conf_source *source, const char *kind, const char *name, const char *beside,
                     rule_take *take, void *context, struct conf_error *why) MUST_USE;

enum rule_result { RULE_GOT, RULE_END, RULE_FAILED };

/* Takes the next field, into an initialised and empty `out`, to be freed in any case. RULE_FAILED: said in `why`. */
enum rule_result rule_line_field(struct rule_line *l, struct rule_field *out) MUST_USE;

/* The same for a field that must be there and have one word; `what` names it in errors. False: said in `why`. */
bool rule_line_word(struct rule_line *l, const char *what, struct rule_field *out) MUST_USE;

/* Everything that has not been taken, without blanks around it. The caller frees it; NULL when out of memory. */
char *rule_line_rest(struct rule_line *l) MUST_USE;

/* Replaces words "@file" by the words of that file, which is sought beside the one that the line is in. False: said in
   `why`. */
bool rule_field_expand(struct rule_line *l, struct rule_field *field) MUST_USE;

void rule_field_fini(struct rule_field *field);

/* True for this word without quotes. */
bool rule_word_is(const struct rule_word *word, const char *keyword);

/* The line is not right: "broken hba file (file:line): …, in "what has been taken"". What has not been taken is not
   shown: it may hold a password. Returns false. */
bool rule_line_fail(struct rule_line *l, const char *fmt, ...) PRINTF(2, 3);
/* Adds a hint to that. Returns false. */
bool rule_line_hint(struct rule_line *l, const char *hint);
bool rule_line_no_memory(struct rule_line *l);
/* Where somebody else, who reads a part of the line, says what is wrong. */
struct conf_error *rule_line_why(struct rule_line *l);

#endif
