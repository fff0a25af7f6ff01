/*
 * A SHOW under way: what is asked of the workers, and the answer as it grows. And
 * the list of what can be shown, made from commands.def.
 */
#ifndef ADMIN_VIEW_H
#define ADMIN_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "admin/tally.h"
#include "base/list.h"
#include "base/str.h"
#include "wire/message.h"
#include "worker/worker.h"

#define SHOW_TAG "SHOW"

struct client;
struct console;
struct metrics;
struct topic;
struct view;

/* Everything is in v->out. Main thread; the view is freed when it returns. */
typedef void view_done(void *asker, struct view *v);

/* Owned by main; while its visit is under way, by the worker that is being visited, except console, done, asker and
 * on_console. */
struct view {
	struct visit visit;
	const struct topic *topic;
	struct console *console; /* NULL: it has been freed */
	view_done *done;         /* NULL: nobody asks (any more) */
	void *asker;
	bool went_round; /* workers were asked: `done` is not called from inside view_start */
	struct list on_console;
	unsigned n_columns;
	struct str out; /* the rows of the answer */
	struct tally tally;
	struct str errors;       /* struct error_row, one after the other */
	uint64_t wall_offset_us; /* wall clock minus loop time */
	uint64_t n_clients, n_logins;
	size_t n_statements, statement_bytes; /* that clients have prepared */
	struct list waits, holders;           /* show_waits.c */
	uint64_t n_waits;                     /* collect_longest_waits: clients that wait, all of them */
	uint64_t n_errors;                    /* history.c: clients told of an error so far */
	struct str guards;                    /* show_state_guard.c */
	struct metrics *metrics;              /* metrics.h; NULL: nothing of the kind is asked for */
};

/* A worker adds what it knows; on its thread. */
typedef void view_collect(struct view *v, struct worker *w);
/* Main adds the rest. */
typedef void view_write(struct view *v);

/* What SHOW can show. */
struct topic {
	const char *name;
	uint8_t help_line;                    /* of SHOW HELP */
	const struct message_column *columns; /* ends with name NULL; NULL itself: no table is answered */
	view_collect *collect;                /* may be NULL */
	view_write *write;                    /* may be NULL */
	const char *doc;
};

/* In the order of SHOW HELP; ends with name NULL. */
extern const struct topic topics[];
/* Not something that SHOW shows: every stats_period. */
extern const struct topic stats_period_topic;

/* NULL when there is none of that name. */
const struct topic *topic_find(const char *name);

/* What drivers ask: NULL when it is none of these. */
struct constant {
	const char *name, *value;
};
extern const struct constant constants[];
const struct constant *constant_find(const char *name);

/* Appends the text of SHOW HELP, made from commands.def. */
void help_write(struct str *out);

/* Begins to answer; `done(asker, v)` gets the view when everything is in v->out, from inside this call if no worker is
   asked. `*under_way` is the view until then, NULL if there is nothing (more) to wait for. `done` NULL: nobody wants to
   know. False: out of memory, `done` is not called. */
bool view_start(struct console *c, const struct topic *topic, view_done *done, void *asker,
                struct view **under_way) MUST_USE;
/* Who asked has gone: `done` will not be called. */
void view_forget(struct view *v);
/* The console ends while the visit is under way: the view is freed when it comes back to main. */
void view_abandon(struct view *v);

/* What topics are made of: collect and write of each, see commands.def. */
#define TOPIC(name, line, columns, collect, write, doc) extern const struct message_column columns[];
#include "admin/commands.def"

/* Its state in SHOW CLIENTS; NULL: it is not there. On its worker's thread, likewise: */
const char *client_word(const struct client *c);
/* The name that it has there; NULL: none. */
const char *client_shown_application(const struct client *c);

view_collect collect_clients, collect_servers, collect_sockets; /* show_sockets.c */
view_write show_clients, show_sockets;
view_write show_databases, show_pools, show_users, show_lists, show_mem; /* show_pools.c */
view_collect collect_lists, collect_mem;
view_collect stats_collect; /* stats.c */
view_write show_stats, show_stats_totals, show_stats_averages, show_totals;
view_collect collect_errors; /* show_errors.c */
view_write show_errors;
view_write show_config, show_version, show_peers, show_peer_pools, show_state; /* show.c */
view_write show_dns_hosts, show_dns_zones;
view_collect collect_workers;
view_write show_backends;   /* show_backends.c */
view_collect collect_waits; /* show_waits.c */
view_write show_waits;
view_collect collect_state_guard; /* show_state_guard.c */
view_write show_state_guard;
/* What collect_waits has gathered. */
void waits_free(struct view *v);

/* What overview.c is made of beside topics that SHOW shows: columns, what is asked of workers, and what main writes. */
#define WAITS_LONGEST 50u /* of each worker */
view_collect collect_longest_waits;
extern const struct message_column usage_columns[], outages_columns[], backend_hints_columns[];
view_write show_usage;         /* show_pools.c: each pool with its size, without the console's */
view_write show_outages;       /* show_outages.c: what is wrong now */
view_write show_error_hints;   /* show_errors.c: as SHOW ERRORS, with the lines of hints apart */
view_write show_backend_hints; /* show_backends.c: as SHOW BACKENDS, and what to do */

/* Clients and servers of all pools together. */
struct pool_sums {
	uint64_t pools, clients, waiting, active, idle, opening;
};
/* False: out of memory. Main. */
bool pools_sum(const struct view *v, struct pool_sums *sums) MUST_USE;

#endif
