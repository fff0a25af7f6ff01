/*
 * auth_query without a socket: the messages that ask for one user's secret, and
 * their answer. The answer comes from a server, which is not trusted: it may be
 * cut anywhere, be anything, and never end; what is kept of it is bounded.
 * Owned by one thread.
 */
#ifndef AUTH_LOOKUP_H
#define AUTH_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/failure.h"
#include "base/str.h"
#include "wire/framer.h"

#define LOOKUP_MAX_NAME_BYTES 127u
#define LOOKUP_MAX_SECRET_BYTES 65534u
#define LOOKUP_MAX_ROWS 10u

enum lookup_result {
	LOOKUP_MORE,   /* the answer is not complete */
	LOOKUP_FOUND,  /* complete: a user, with `name` and perhaps a secret */
	LOOKUP_NOBODY, /* complete: no such user */
	LOOKUP_FAILED, /* complete: an error, or something else than what auth_query has to return; `why` says what. The
	                  server may be used on */
	LOOKUP_LOST,   /* the server has said why it ends; `why` has its last words. Close it */
	LOOKUP_BROKEN  /* not PostgreSQL's protocol, beyond a limit, or no memory: `why`. Close it */
};

/* One answer being read. */
struct lookup {
	struct framer framer;
	int due;             /* how far the answer has come (lookup.c) */
	uint32_t n_messages; /* so far */
	uint32_t n_bytes;    /* of them, as announced */
	struct str body;     /* of the message that is passing, as far as it is wanted */
	struct str row;      /* body of the last DataRow; empty: there was none */
	bool has_begun;      /* the question has been seen */
	bool has_row;        /* there was one */
	char status;         /* of the ReadyForQuery at the end */
	struct failure why;  /* of LOOKUP_FAILED, LOOKUP_LOST and LOOKUP_BROKEN; phase PHASE_LOOKUP */
	const char *name;    /* LOOKUP_FOUND: as the server has it, never empty; in `row` */
	const char *secret;  /* LOOKUP_FOUND: NULL: there is none; in `row` */
	size_t secret_len;   /* bytes */
};

/* Appends the whole question: `query` with the user's name as its one parameter, a text. Look at out->failed. */
void lookup_ask(struct str *out, const char *query, const char *user);

void lookup_init(struct lookup *l);
/* Wipes what was kept. */
void lookup_fini(struct lookup *l);

/* The server has begun to answer; what it says at its end is no answer. */
bool lookup_has_begun(const struct lookup *l);

/* Takes bytes off the front of data[0..len); `*used` of them need not be shown again, the rest (less than a message's
   header) belongs in front of what comes next. After anything but LOOKUP_MORE nothing more may be shown. */
enum lookup_result lookup_take(struct lookup *l, char *data, size_t len, size_t *used) MUST_USE;

#endif
