/*
 * An action: something that the console or a signal asked for, from the question
 * to its answer. Embed it; it is answered and freed in a later step of the loop,
 * never inside the call that asked. Main thread, except what says otherwise.
 */
#ifndef MAIN_ACTION_H
#define MAIN_ACTION_H

#include <stdbool.h>
#include <stddef.h>

#include "admin/control.h"
#include "base/attr.h"
#include "base/list.h"
#include "base/str.h"
#include "worker/worker.h"

struct supervisor;
struct action;

/* What a kind of action does. */
struct action_kind {
	void (*look)(struct action *a);                     /* each turn while it waits and no visit is under way */
	void (*visit)(struct action *a, struct worker *w);  /* on each worker's thread; NULL: it makes no visits */
	void (*visited)(struct action *a);                  /* the visit is back */
	void (*forgotten)(struct action *a, bool canceled); /* nobody waits for its end any more; may be NULL */
	void (*fini)(struct action *a);                     /* of the part around it; may be NULL */
};

/* Owned by main, on supervisor->actions. */
struct action {
	struct list node;
	struct supervisor *s;
	const struct action_kind *kind;
	control_done *done; /* NULL: nobody wants to know */
	void *asker;
	struct visit visit;
	bool visiting;
	bool finished;
	char *database; /* NULL: all */

	/* the answer */
	bool ok;
	const char *sqlstate; /* a constant, NULL: 08P01 */
	struct str error, detail, hint;
	const char **notices; /* NULL, or texts that live as long as the action; ends with NULL */
};

/* `size` bytes whose first field is a struct action, put at the end of the list. NULL: out of memory, and the asker
   will be told. `database` is copied, NULL is all. */
void *action_new(struct supervisor *s, size_t size, const struct action_kind *kind, const char *database,
                 control_done *done, void *asker) MUST_USE;

/* The answer is settled. */
void action_succeed(struct action *a);
void action_fail(struct action *a, const char *fmt, ...) PRINTF(2, 3);

/* Sends its visit over all workers. */
void action_visit(struct action *a);

/* Looks at all that wait and answers all that are finished. True: there is more to do at once. */
bool actions_step(struct supervisor *s) MUST_USE;
/* The asker has gone. */
void actions_forget(struct supervisor *s, void *asker, bool canceled);
/* The end: none is answered any more. */
void actions_free(struct supervisor *s);

#endif
