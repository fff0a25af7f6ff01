/*
 * A client of the console database that has proved who it is: its worker gives it
 * to main, which runs its commands.
 */
#ifndef WORKER_CONSOLE_GUEST_H
#define WORKER_CONSOLE_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/letter.h"
#include "conf/config.h"
#include "net/stream.h"

enum console_rights { CONSOLE_NONE, CONSOLE_STATS, CONSOLE_ADMIN };

/* Owned by main once its letter CONSOLE is posted. The login reply has not been sent yet. */
struct console_guest {
	struct letter letter;
	struct stream *stream; /* on no loop */
	char *user;
	char *database;         /* as asked for: pgbouncer or pgweir */
	char *application_name; /* may be NULL */
	enum console_rights rights;
	uint64_t id;
	uint64_t connected_us;
	uint8_t key[8];
};

/* True if this name is the console's: pgbouncer always, pgweir unless [databases] has it. */
bool console_is_database(const struct config *c, const char *name);

void console_guest_free(struct console_guest *g);

#endif
