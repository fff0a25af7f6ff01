/*
 * What all threads share, and how letters find their reader. Made by main before
 * any worker runs; afterwards only what it points to changes, by its own rules.
 */
#ifndef WORKER_OFFICE_H
#define WORKER_OFFICE_H

#include <stdatomic.h>
#include <stdint.h>

#include "auth/ask.h"
#include "base/letter.h"
#include "base/log.h"
#include "pool/pool.h"
#include "pool/registry.h"

struct auth_context;
struct jobs;
struct mailbox;
struct params_book;

/* Letter kinds beside enum pool_letter. Each says in which structure the letter is embedded, and who reads it. */
enum office_letter {
	LETTER_ARRIVE = LETTER_KINDS_OF_POOL, /* client: to a worker: log in */
	LETTER_JOIN,                          /* client: to its seat's worker, once, at the end of its login */
	LETTER_CLIENT_KEYS,                   /* login: a key derivation for a client has ended */
	LETTER_CLIENT_ACCOUNT,                /* login: the name of a client's account is known, or there is none */
	LETTER_CLIENT_ANSWER,                 /* login: PAM or an LDAP server has answered, or cannot be asked */
	LETTER_SERVER_KEYS,                   /* server_login: likewise for a server */
	LETTER_VISIT,                         /* visit: from worker to worker, at last to main */
	LETTER_CANCEL,                        /* cancel: from worker to worker until one knows the key */
	LETTER_CONSOLE,                       /* console_guest: to main */
	LETTER_LOOKUP                         /* dns job: to main */
};

/* Immutable once the workers run. */
struct office {
	struct log *log;
	struct registry *registry;
	struct auth_context *auth;
	struct jobs *jobs;
	struct jobs *asking[ASK_KINDS];  /* threads of their own: nobody knows how long PAM and LDAP servers take */
	atomic_uint n_asking[ASK_KINDS]; /* clients whose password is being asked about, or was when they left */
	struct params_book *params;
	struct mailbox *main_box;
	struct mailbox *worker_box[256];
	atomic_uint n_clients_of[256]; /* clients on each worker or on their way there */
	uint16_t n_workers;
	atomic_ullong last_id; /* of clients and servers: one counter */
};

/* Of those at most this many, of each kind. */
#define OFFICE_MOST_ASKING 200u

/* Any thread. */
void office_post(struct office *o, struct letter *letter);
void office_post_all(struct office *o, struct letters *letters);
uint64_t office_next_id(struct office *o);
/* Whoever sends a client to a worker counts it there at once, so that the next one is sent elsewhere. */
void office_count_client(struct office *o, uint16_t worker);

#endif
