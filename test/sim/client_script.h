/*
 * A client in the simulator: logs in, runs random scripts, and compares every
 * message that it gets with what its shadow, a session of its own, answers to the
 * same bytes.
 */
#ifndef SIM_CLIENT_SCRIPT_H
#define SIM_CLIENT_SCRIPT_H

#include "backend.h"
#include "sim.h"

enum script_state { SCRIPT_LOGIN, SCRIPT_RUNS, SCRIPT_ENDED };

struct script {
	struct world *world;
	uint32_t number; /* among the clients; part of every N that it says */
	struct conn *conn;
	enum script_state state;
	struct sim_backend shadow;
	struct str in;     /* what came and is no whole message yet */
	struct str unsent; /* what is to be sent */
	uint32_t n_said;
	bool session;       /* pool_mode = session: one server for the whole life */
	bool may_be_failed; /* its COPY did what nobody can count: losing the connection is allowed */
	bool quiet;         /* starts nothing new */
	bool forgets;       /* has said DEALLOCATE ALL: no names until it is answered */
	bool had_error;     /* FATAL has come */
	bool had_end;       /* and ReadyForQuery behind it */
	char fatal[120];
	bool cancel_asked; /* once, at any time */
	bool cancel_sent;  /* for what it runs now */
	uint8_t key[8];
	uint32_t transaction_pid; /* whose rows came since the last ReadyForQuery outside of a transaction; 0: none */
	char application_name[PARAM_BYTES], time_zone[PARAM_BYTES];
	uint64_t n_answers;
	uint32_t n_units;
};

void script_begin(struct script *s, struct world *w, uint32_t number, struct conn *c, const char *database,
                  const char *user);
void script_fini(struct script *s);
/* Sends some, takes what has come, perhaps begins something new. */
void script_step(struct script *s);
/* Everything that it is owed has come. */
bool script_is_done(const struct script *s);

/* The script whose statement says N. */
#define SCRIPT_OF(n) ((n) / 1000000u)

#endif
