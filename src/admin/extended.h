/*
 * The extended protocol on the console, for drivers that know nothing else: statements without parameters, with and
 * without names, portals that give their rows in portions, errors that skip to Sync. Main thread.
 */
#ifndef ADMIN_EXTENDED_H
#define ADMIN_EXTENDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/str.h"

struct portal;
struct terminal;

/* A connection may have so many at a time, */
#define EXTENDED_STATEMENTS_MAX 1000u
#define EXTENDED_PORTALS_MAX 16u
#define EXTENDED_NAME_MAX 255u /* with names of so many bytes. */

/* Part of a terminal. */
struct extended {
	struct list statements, portals;
	unsigned n_statements, n_portals;
	struct portal *running; /* its command is under way; NULL: what runs came in a Query */
	int32_t limit;          /* rows that its Execute wants; 0: all */
	bool in_request;        /* a message has come whose Sync has not: answers end without ReadyForQuery */
	bool skipping;          /* after an error, until Sync */
};

void extended_init(struct extended *x);
/* Forgets everything. */
void extended_fini(struct extended *x);

/* Parse, Bind, Describe, Execute, Close or Sync: the body of one whole message. */
void extended_message(struct terminal *t, uint8_t type, const char *body, size_t len);

/* A Query has come: ends what was begun without Sync, and the unnamed statement, as in PostgreSQL. */
void extended_end(struct terminal *t);

/* The rows of the command that runs: they go to its portal, `rows` is empty afterwards. */
void extended_take_rows(struct terminal *t, struct str *rows);

/* The command that runs has ended well: appends its rows, as many as are wanted, and CommandComplete. */
void extended_done(struct terminal *t, const char *tag, struct str *out);

/* DEALLOCATE. NULL: all. False: there is no statement of that name. */
bool extended_deallocate(struct extended *x, const char *name);

#endif
