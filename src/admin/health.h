/*
 * Whether the process works, and whether clients should be sent to it. Main thread.
 */
#ifndef ADMIN_HEALTH_H
#define ADMIN_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "admin/control.h"
#include "base/str.h"
#include "worker/worker.h"

/* A thread that has not come round for so long is stuck. */
#define HEALTH_STUCK_US 30000000u

struct web;

/* A visit to all workers. Owned by main; it frees itself when it has come round. */
struct health_visit {
	struct visit visit;
	struct health *health; /* NULL: nobody wants to know any more */
	uint64_t since_us;     /* when it set out */
};

/* Embedded in struct web. Owned by main. */
struct health {
	struct health_visit *under_way; /* NULL: the last one has come round */
};

/* What is under way will not come back to it. */
void health_fini(struct health *h);

struct health *web_health(struct web *w); /* web.c */

/* Where a request for one database may lead. */
enum health_state { HEALTH_READY, HEALTH_NOT_READY, HEALTH_NO_SUCH_DATABASE };

enum health_form { HEALTH_TEXT, HEALTH_JSON };

/*
 * Why no clients should be sent here: reasons are appended to `out`, one a line (further lines of a reason begin with a
 * tab), or as the members of a JSON array. `database` NULL: for all. Nobody but clients brings about attempts to reach
 * a server, and without readiness no clients come: so if all are out of reach, this has it tried again.
 */
enum health_state health_look(const struct control *control, const char *database, enum health_form form,
                              struct str *out) MUST_USE;

#endif
