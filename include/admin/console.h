/*
 * The console: commands of the databases pgbouncer and pgweir, run by the main
 * thread one at a time per connection.
 */
#ifndef ADMIN_CONSOLE_H
#define ADMIN_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

#include "admin/control.h"
#include "base/attr.h"
#include "worker/console_guest.h"

struct console;

/* Keeps the pointer to `control`. NULL: out of memory. */
struct console *console_new(const struct control *control) MUST_USE;
/* Closes all its connections. Visits that are still under way free themselves when they come back to main. */
void console_free(struct console *c);

/* A guest has proved who it is and has rights: sends the login reply and serves it. Takes the guest. */
void console_welcome(struct console *c, struct console_guest *guest);

/* How many connections it has (they appear in SHOW CLIENTS and LISTS). */
unsigned console_count(const struct console *c);

/* A cancel request with a console client's key: what it waits for is given up. False: the key is nobody's here. */
bool console_cancel(struct console *c, const uint8_t key[8]);

/* Every stats_period (main's timer): averages are taken anew and the log line is written if log_stats is on. */
void console_stats_period(struct console *c);

/* Whether samples of the last quarter of an hour are kept, for who looks at them by HTTP. Not keeping them any more
   forgets those that there are. False: out of memory, none are kept. */
bool console_keep_history(struct console *c, bool keep) MUST_USE;

#endif
