/* Asking PAM. Each question has a handle of its own, so any thread may ask. */
#ifndef AUTH_PAM_H
#define AUTH_PAM_H

#include <stdbool.h>

#include "auth/ask.h"

/* The name that PAM knows us by, as PgBouncer's: /etc/pam.d/pgbouncer. */
#define ASK_PAM_SERVICE "pgbouncer"

/* Authentication, then the account: expired, not at this hour. Blocks for as long as the modules do. */
void pam_ask(struct ask *a);

#endif
