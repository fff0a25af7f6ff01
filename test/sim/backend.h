/*
 * A look-alike of one PostgreSQL session: it takes the bytes of a frontend and
 * gives the answers, as tcop/postgres.c and commands/copy do. It serves twice:
 * behind a connection of the product, and as the shadow of a client that tells
 * what a direct connection would have answered.
 *
 * Its language: statements separated by ';', each one of
 *   echo N [rows [bytes]]     rows that say N, the transaction status and the process id
 *   fail N                    an error
 *   begin, commit, rollback
 *   set NAME = VALUE, SET NAME='VALUE', show NAME N
 *   copyin N, copyout N rows  a line of data that says "bad" makes COPY IN fail
 *   sleep N                   lasts until it is cancelled or woken
 *   notice N
 *   LISTEN, which a shadow that refuses it answers as state_guard = reject does, but for the words
 *   lookup                    a row of two columns: the parameter of Bind, and no secret
 *   DISCARD ALL, DEALLOCATE ALL, DEALLOCATE name, PREPARE name AS
 */
#ifndef SIM_BACKEND_H
#define SIM_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define N_PARAMS 4
#define PARAM_BYTES 48

enum backend_phase { BACKEND_STARTUP, BACKEND_READY, BACKEND_GONE };

struct param_values {
	char value[N_PARAMS][PARAM_BYTES];
};

#define NAMED_MAX 64

struct named_statement {
	char name[64], text[200];
};

struct sim_backend {
	struct str in, out;
	enum backend_phase phase;
	bool is_cancel; /* the start-up packet was a CancelRequest with this key */
	uint32_t cancel_pid, cancel_key;
	uint32_t pid, key;
	char database[64], user[64];

	struct param_values now, at_begin, at_start;
	char status;  /* I, T or E */
	bool skip;    /* until Sync */
	bool refuses; /* LISTEN */
	bool copying;
	bool in_query; /* of the simple protocol: `rest` is still to be run, then ReadyForQuery */
	bool sleeping;
	uint32_t sleeper; /* N of that statement */
	uint32_t copied;
	char rest[400];
	char statement[200]; /* the unnamed one */
	char portal[200];    /* its statement */
	char bound[64];      /* its first parameter, "" if there is none */
	bool has_statement, has_portal;
	struct named_statement named[NAMED_MAX];
	uint32_t n_named;
};

extern const char *const backend_param[N_PARAMS];

void backend_init(struct sim_backend *b, uint32_t pid, uint32_t key);
void backend_fini(struct sim_backend *b);
/* Answers whatever is complete in b->in, into b->out. Stops while it sleeps. */
void backend_run(struct sim_backend *b);
/* Ends a sleep: as if its time were over, or as if it was cancelled. */
void backend_wake(struct sim_backend *b, bool cancelled);
/* FATAL with this code, and the end. */
void backend_die(struct sim_backend *b, const char *sqlstate, const char *message);

#endif
