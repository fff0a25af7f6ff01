/* What the parts of a client's login share (client_login.c, client_proof.c, login_params.c). */
#ifndef WORKER_LOGIN_H
#define WORKER_LOGIN_H

#include <stdbool.h>

#include "auth/exchange.h"
#include "base/str.h"
#include "net/jobs.h"
#include "wire/startup.h"
#include "worker/client.h"
#include "worker/console_guest.h"

#define LOGIN_ACCOUNT_BYTES 256
#define LOGIN_DETAIL_BYTES 512

/* Owned by its client, or by the job while a derivation or a question is under way. */
struct login {
	struct client *client; /* NULL once it has gone while the job was out */
	char *database, *user;
	struct replication *replication; /* NULL: an ordinary connection */
	struct params *own;              /* what the start-up message asked for */
	struct exchange *exchange;
	struct str out; /* not sent yet */
	struct job job; /* LETTER_CLIENT_KEYS, _ACCOUNT, _ANSWER */
	struct scram_order *order;
	struct ask *ask;
	const struct auth_context *auth;
	char *query;                       /* auth_query, while it waits for its turn or its answer */
	struct secret *found;              /* by auth_query; NULL: none */
	int64_t uid;                       /* method peer: the account at the other end, */
	char account[LOGIN_ACCOUNT_BYTES]; /* and its name, once knows_account; "": it has none */
	char detail[LOGIN_DETAIL_BYTES];   /* why its certificate or account is not enough, for the log */
	bool knows_account;
	bool job_out;
	bool looked_up;  /* auth_query has been asked, not the user list, */
	bool user_found; /* and knows the user */
	bool console;
	bool known;      /* it is let in there */
	bool physical;   /* it asks for physical replication */
	bool replicates; /* its `replication` has gone to its pool */
	bool
	    knocks; /* pg_isready of this machine, which has proved nothing yet: the log at its usual level is silent */
	bool unsaid; /* its "login attempt" line waits for what becomes of it (telling.h) */
	enum console_rights rights;
};

/* Wipes and frees; NULL is fine. */
void login_free(struct login *l);

/* FATAL, a row of this class in SHOW ERRORS, and the end. */
enum step login_refuse(struct client *c, const char *class, const char *precise, const char *text);
enum step login_no_memory(struct client *c);

/* Everything but user and database of the start-up message: into login->own, ignored, or refused. */
enum step login_take_params(struct client *c, const struct startup *s);

/* What has come, or what is held of it. */
enum read_result login_read(struct client *c, struct span *bytes) MUST_USE;
/* What login_read answered when it was not READ_GOT: waits, or closes. */
enum step login_nothing_read(struct client *c, enum read_result result);
/* Keeps bytes for the next login_read. */
enum step login_keep(struct client *c, struct span bytes);
/* Sends what has gathered in login->out; false: the client is closed. */
bool login_flush(struct client *c);

/* auth_query has answered: looked_up, user_found and found say what. */
void login_looked_up(struct client *c);

/* STEP_CLOSED: an HBA rule, or none, has turned it away. Else says whether it will have to be known here. */
enum step login_may_prove(struct client *c, bool *needs_user);
/* Begins the proof: everything of the start-up message has been taken. */
enum step login_prove(struct client *c);
/* The client is who it says it is: it goes on to the console or to its pool. */
enum step login_passed(struct client *c);

#endif
