/* What the parts of a client's login share (client_login.c, login_params.c). */
#ifndef WORKER_LOGIN_H
#define WORKER_LOGIN_H

#include <stdbool.h>

#include "auth/exchange.h"
#include "base/str.h"
#include "net/jobs.h"
#include "wire/startup.h"
#include "worker/client.h"
#include "worker/console_guest.h"

/* Owned by its client, or by the job while a derivation is under way. */
struct login {
	struct client *client; /* NULL once it has gone while the job was out */
	char *database, *user;
	struct replication *replication; /* NULL: an ordinary connection */
	struct params *own;              /* what the start-up message asked for */
	struct exchange *exchange;
	struct str out; /* not sent yet */
	struct job job; /* LETTER_CLIENT_KEYS */
	struct scram_order *order;
	const struct auth_context *auth;
	bool job_out;
	bool console;
	bool replicates; /* its `replication` has gone to its pool */
	bool unsaid;     /* its "login attempt" line waits for what becomes of it (telling.h) */
	enum console_rights rights;
};

/* FATAL, a row of this class in SHOW ERRORS, and the end. */
enum step login_refuse(struct client *c, const char *class, const char *precise, const char *text);
enum step login_no_memory(struct client *c);

/* Everything but user and database of the start-up message: into login->own, ignored, or refused. */
enum step login_take_params(struct client *c, const struct startup *s);

#endif
