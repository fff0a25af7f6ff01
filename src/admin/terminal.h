/*
 * One connection to the console, and the console that has them all. Main thread.
 */
#ifndef ADMIN_TERMINAL_H
#define ADMIN_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>

#include "admin/console.h"
#include "admin/extended.h"
#include "admin/stats.h"
#include "base/attr.h"
#include "base/list.h"
#include "base/log.h"
#include "base/str.h"
#include "diag/counters.h"
#include "wire/framer.h"

#define TERMINAL_COMMAND_MAX 16384u /* bytes of a Query message */

struct command;
struct history;
struct message_column;
struct timer;
struct view;

#define CONSOLE_DATABASE "pgbouncer" /* what SHOW calls the console's database, whatever was asked for */

struct console {
	const struct control *control;
	struct list terminals; /* terminal->on_console */
	struct list views;     /* view->on_console: those that are visiting workers */
	unsigned n_terminals;
	struct counters counters; /* of the console itself */
	struct stats stats;
	uint64_t started_us;       /* the same, wall clock */
	uint64_t n_served_at_once; /* clients that got a server without waiting, as /metrics last said it */
	uint64_t began_us;         /* when it was started, loop time */
	struct history *history;   /* NULL: nobody may look at it */
	struct view *sampling;     /* a sample is being taken */
	struct timer *sample_timer;
};

/* Idle: waits for a command and owns no buffers. Busy: `command` is being run, by a view or by main. */
struct terminal {
	struct console *console;
	struct list on_console;
	struct console_guest *guest; /* who it is */
	struct stream *stream;
	struct framer framer;
	struct str rest;               /* received and not yet looked at */
	const struct command *command; /* under way; NULL: none */
	char *tag;                     /* of its answer */
	struct extended extended;
	struct view *view;   /* SHOW: what workers are being asked for */
	bool acting;         /* main has been asked and will call back */
	bool has_asked;      /* counted as one query, as PgBouncer does */
	bool running;        /* in terminal_go_on */
	bool closing;        /* freed when control goes back to the loop */
	uint64_t request_us; /* last command received */
};

/* For stats and shows. */
static inline struct terminal *terminal_of(struct list *node)
{
	return container_of(node, struct terminal, on_console);
}

/* NULL: out of memory, the guest is freed. */
struct terminal *terminal_new(struct console *c, struct console_guest *guest) MUST_USE;
/* Sends the login reply. */
void terminal_welcome(struct terminal *t);
/* Takes it off the console; what it waits for is given up. */
void terminal_free(struct terminal *t);

/* Runs what has been received as far as it goes; then frees the terminal if it is closing. Last call of every way in.
 */
void terminal_go_on(struct terminal *t);
/* Sends what `out` has and frees its bytes. */
void terminal_send(struct terminal *t, struct str *out);

/* Ends of a command; what is ready for the next one is said only where a Query was answered. ERROR; `precise` is the
 * SQLSTATE if error_sqlstate asks for it. */
void terminal_error(struct terminal *t, const char *precise, const char *text);
/* The same from main: a SQLSTATE given is sent in any case. */
void terminal_refuse(struct terminal *t, const struct control_reply *reply);
/* The answer has these rows; `rows` is freed. Then terminal_done. */
void terminal_rows(struct terminal *t, const struct message_column *columns, unsigned n_columns, struct str *rows);
/* CommandComplete and ready; `notices` may be NULL. */
void terminal_done(struct terminal *t, const char *tag, const char *const *notices);

/* Says FATAL and closes. */
void terminal_fail(struct terminal *t, const char *precise, const char *text);
void terminal_close(struct terminal *t, const char *why);

/* Counts what has been asked, as PgBouncer does: once. */
void terminal_count_query(struct terminal *t);

/* A cancel request: what it waits for is given up, and it is told. */
void terminal_cancel(struct terminal *t);

#endif
