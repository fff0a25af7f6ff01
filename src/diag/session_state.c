/* The words of session_state.def. Any thread. */
#include "diag/session_state.h"

static const struct {
	const char *what, *remedy;
	bool by_transaction;
} rows[] = {
#define STATE(name, column, what, by_transaction, remedy) {what, remedy, by_transaction},
#include "diag/session_state.def"
#undef STATE
};

const char *session_state_what(enum session_state state)
{
	return rows[state].what;
}

const char *session_state_remedy(enum session_state state)
{
	return rows[state].remedy;
}

bool session_state_is_by_transaction(enum session_state state)
{
	return rows[state].by_transaction;
}

void guard_counts_add(struct guard_counts *sum, const struct guard_counts *more)
{
	for (unsigned i = 0; i < N_STATES; i++)
		sum->left[i] += more->left[i];
	sum->warned += more->warned;
	sum->refused += more->refused;
	sum->pinned += more->pinned;
}
