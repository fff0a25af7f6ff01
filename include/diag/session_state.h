/* What statements leave behind in a session, made from session_state.def; and how often that was seen. Any thread. */
#ifndef DIAG_SESSION_STATE_H
#define DIAG_SESSION_STATE_H

#include <stdbool.h>
#include <stdint.h>

enum session_state {
#define STATE(name, column, what, by_transaction, remedy) STATE_##name,
#include "diag/session_state.def"
#undef STATE
	N_STATES
};

/* For people: "SET", "a temporary object". */
const char *session_state_what(enum session_state state);
/* What to do instead. */
const char *session_state_remedy(enum session_state state);
/* Whether it is undone when its transaction is rolled back. */
bool session_state_is_by_transaction(enum session_state state);

/* Owned by whoever owns the structure they are in. */
struct guard_counts {
	uint64_t left[N_STATES]; /* statements */
	uint64_t warned;         /* clients */
	uint64_t refused;        /* statements */
	uint64_t pinned;         /* clients that keep a server now */
};

void guard_counts_add(struct guard_counts *sum, const struct guard_counts *more);

#endif
