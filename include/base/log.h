/*
 * The log: each record is one write(2), so threads never mix and nothing is
 * locked. As text a record is PgBouncer's line: "2026-05-08 12:00:00.123 UTC [pid] LEVEL text";
 * as JSON it is one object on one line.
 *
 * What one write means: records appended to a file do not mix, whatever their
 * length. In a pipe that holds up to PIPE_BUF bytes (4096 on Linux); longer ones, which only long texts from servers
 * make, may be torn there when several threads write at once.
 *
 * Nothing that clients or servers said can look like a record, or like a part that it is not: bytes that are no UTF-8
 * and control characters become '?' in text, U+FFFD and \uXXXX in JSON. What exceeds LOG_…_MAX ends with "...".
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

enum log_level { LEVEL_FATAL, LEVEL_ERROR, LEVEL_WARNING, LEVEL_LOG, LEVEL_DEBUG, LEVEL_NOISE };

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Bytes that a part of a record takes at most, as it is written (JSON: escaped). */
#define LOG_TEXT_MAX 8000
#define LOG_MORE_MAX 4000 /* detail, hint */
#define LOG_NAME_MAX 400  /* database, user, host, address */
#define LOG_WORD_MAX 64   /* event, class, incident */

struct log;

/* What happened. Strings may be NULL, numbers 0: then it is not in the record. Valid during the call. */
struct log_event {
	enum log_level level;
	const char *event; /* constant, snake_case: "client_told" */
	const char *class; /* of the failure: diag/failures.def */
	const char *database, *user, *host, *address;
	int port;
	uint64_t client, server; /* their ids */
	const char *incident;
	uint64_t count;   /* of those whom it concerns */
	const char *who;  /* text only: stands before `text`, which needs it where there are no fields */
	const char *text; /* one line: newlines become blanks */
	const char *detail, *hint;
};

/* A log that writes text to stderr, down to LEVEL_LOG. NULL when out of memory. */
struct log *log_new(void) MUST_USE;
void log_free(struct log *l);

/* Main thread only: records go to the end of this open file from now on, and to none with -1. The descriptor is the
 * log's, which may give its file another number: see log_file. False with errno set: nothing has changed. */
bool log_take_file(struct log *l, int fd) MUST_USE;
/* Its descriptor; -1: there is no file. */
int log_file(const struct log *l);
void log_set_stderr(struct log *l, bool on);
/* For file and stderr, from the next record on. */
void log_set_format(struct log *l, enum log_format format);

/* A further target (syslog), called with the record and its text form without the head; NULL for none. It must be
 * callable from any thread. */
typedef void log_sink(const struct log_event *e, const char *text);
void log_set_sink(struct log *l, log_sink *sink);

/* What stderr leads to takes text with its level, apart from each other (systemd's journal): called in place of writing
   text there, with the same form as the sink; false: it was not taken, and is written as usual. NULL: write always. It
   must be callable from any thread. */
typedef bool log_journal(enum log_level level, const char *text);
void log_set_journal(struct log *l, log_journal *journal);

/* Records above this level are dropped. `verbose` 0: down to LEVEL_LOG, 1: LEVEL_DEBUG, 2: LEVEL_NOISE. */
void log_set_verbose(struct log *l, int verbose);

/* True if records of this level are wanted: ask before building expensive text. */
bool log_wants(const struct log *l, enum log_level level);

/* Any thread. One record. Text: "who text", then each of DETAIL and HINT on a line of its own, which like
 * further lines of theirs begins with a tab. JSON: time, level, pid, and the members in their order. */
void log_event(struct log *l, const struct log_event *e);

/* How text names the connection that an event is about, for `who`: "C-0x55d0c0de: app/ann@10.0.0.5:40312". `side` is
 * 'C' or 'S'. */
#define LOG_WHO_BYTES (3 * LOG_NAME_MAX)
void log_name_connection(const struct log_event *e, char side, const void *connection, char who[LOG_WHO_BYTES]);

/* Any thread. One record of text alone; newlines inside become newline and tab. */
void log_write(struct log *l, enum log_level level, const char *fmt, ...) PRINTF(3, 4);

#endif
