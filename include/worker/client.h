/*
 * A client: one connection to us, from its first byte to its last. Owned by one
 * thread: its worker; it moves once, at the end of its login.
 */
#ifndef WORKER_CLIENT_H
#define WORKER_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/letter.h"
#include "base/list.h"
#include "base/table.h"
#include "pool/pool.h"
#include "pool/registry.h"
#include "wire/framer.h"
#include "worker/cancel_key.h"
#include "worker/worker.h"

struct client;
struct client_statements;
struct guard;
struct login;
struct params;
struct server;
struct stream;
struct timer;
struct words;

/* The application_name of pg_isready, and of "pgweir ready". */
#define CLIENT_KNOCKS_AS "pg_isready"

/* What a client waits for. One handler each, in client.c and client_login.c. */
#define CLIENT_STATES(X)                                                                                               \
	X(HELLO, "waiting for the startup packet", client_login_hello)                                                 \
	X(LOOKUP, "waiting for its password to be looked up", client_login_wait)                                       \
	X(PROVING, "waiting for the client's proof of identity", client_login_proof)                                   \
	X(DERIVING, "waiting for a helper thread", client_login_wait)                                                  \
	X(ASKING, "waiting for PAM or an LDAP server", client_login_wait)                                              \
	X(MOVING, "on its way to its pool's worker", client_login_wait)                                                \
	X(GREETING, "waiting for the pool's first server connection", client_login_wait)                               \
	X(CANCELING, "waiting for the end of its cancel request", client_login_wait)                                   \
	X(IDLE, "idle", client_idle)                                                                                   \
	X(QUEUED, "waiting for a server connection", client_queued)                                                    \
	X(LINKED, "running on a server connection", client_linked)                                                     \
	X(CLOSING, "closing", client_closing)

enum client_state {
#define CLIENT_STATE(name, text, handler) CLIENT_##name,
	CLIENT_STATES(CLIENT_STATE)
#undef CLIENT_STATE
};

/* What a state's handler answers. */
enum step {
	STEP_AGAIN, /* the state has changed: run the new one now */
	STEP_WAIT,  /* nothing to do until the next event */
	STEP_CLOSED /* on its way out: touch nothing, go back to the loop */
};

/* Owned by one thread: its worker. */
struct client {
	struct worker *worker;
	struct stream *stream;
	struct server *server;                /* LINKED: its server */
	struct params *params;                /* session parameters, a reference; NULL before the login */
	struct login *login;                  /* until the login is complete */
	struct client_statements *statements; /* its named prepared statements; NULL: it never had any */
	struct guard *guard;                  /* state_guard: what it leaves behind; NULL: never looked at */
	struct entry entry;                   /* database, account, seat */
	struct waiter waiter;                 /* with the client's id */
	struct framer framer;
	struct list on_worker, runnable;
	struct grave grave;
	union {
		struct list in_login; /* worker->logins, until the login is complete */
		struct letter letter; /* ARRIVE, JOIN: between workers it is on no list */
	};
	struct table_node by_key;
	uint8_t key_len;               /* of `key` */
	uint8_t key[CANCEL_KEY_BYTES]; /* for CancelRequest, as sent in BackendKeyData */
	enum client_state state;
	bool readable;                     /* its stream has announced bytes that nobody has read yet */
	bool in_transaction;               /* the last ReadyForQuery it got was not 'I' */
	bool pinned;                       /* it keeps its server until it leaves (state_guard = pin) */
	bool skipping;                     /* the message that is passing goes nowhere */
	bool collects;                     /* a Parse too long for a buffer is kept until all of it has come */
	bool in_keys;                      /* by_key is in worker->keys */
	bool counted;                      /* in max_client_conn */
	uint8_t n_losses;                  /* servers that this request was given and that died before it was sent */
	bool untold;                       /* the log does not speak of its end: telling.h counts it */
	uint64_t connected_us, request_us; /* loop time; request: last activity */
	uint64_t query_since_us;           /* the current query was received; 0: none */
	uint64_t xact_since_us;            /* its transaction began; 0: none */
	struct timer *timer;               /* client_idle_timeout and its kin, only if one is set */
};

/* Main: a client for an accepted stream (taken); NULL: out of memory (the stream is closed). Post its letter to a
 * worker. */
struct client *client_new(struct office *o, struct stream *s) MUST_USE;

/* The letter ARRIVE: it joins this worker's loop and logs in. */
void client_arrived(struct worker *w, struct client *c);
/* The letter JOIN. */
void client_joined(struct worker *w, struct client *c);

/* Runs the client until it waits. Never called from inside a pool function or another client's run. */
void client_run(struct client *c);
/* Has it run at the end of this turn. */
void client_run_soon(struct client *c);

/* Where a client is, as the log has it: "10.0.0.5", "unix(4711)" with our port, as in PgBouncer. Lives in `text`. */
#define PEER_LOG_BYTES 64
void client_log_address(struct log_event *e, const struct peer *peer, int listen_port, char text[PEER_LOG_BYTES]);

/* Its state in words, for people. */
const char *client_state_text(enum client_state state);

/* Safe to call from anywhere on the client's worker, any number of times. `why` is for the log, e.g. "client close
 * request". */
void client_close(struct client *c, const char *why);
/* Sends FATAL first, if its stream is at a message boundary, and ReadyForQuery behind it if the client has sent a
   request that no server has. */
void client_fail(struct client *c, const struct words *words);
/* FATAL 08P01 (or `precise` if error_sqlstate says so) with a plain text. */
void client_fail_text(struct client *c, const char *precise, const char *text);
/* The same, and it is in SHOW ERRORS. `class` is constant. */
void client_fail_noted(struct client *c, const char *class, const char *precise, const char *text);
/* Into SHOW ERRORS alone. `address` NULL: the client's; hint may be NULL. */
void client_note(struct client *c, const char *class, const char *address, const char *text, const char *hint);

/* The server side tells (link.c): */
void client_got_server(struct client *c, struct server *s);    /* from the queue; runs soon */
void client_lost_server(struct client *c, const char *reason); /* FATAL and close: we have closed it */
void client_released(struct client *c);                        /* its transaction is over: IDLE */
void client_wake(struct client *c);                            /* its server can take more: reads on */
void client_requeued(struct client *c, struct letters *out);   /* its server was bad before it was used */

/* BORROW_TOLD: it is told of this outage at once, or, if its address was told a moment ago, waits a little for it.
   True: it waits, in the queue. */
bool client_told(struct client *c, struct outage *outage) MUST_USE;

/* It is QUEUED and a cancel request has come: its request is answered with an error. Nothing happens if that is not yet
   there in whole. */
void client_cancel_queued(struct client *c);

/* Ends of waiting (worker's tick, LOOK). */
void client_due(struct client *c, enum due due, struct outage *outage);

/* Its pool has other settings now. */
void client_settings_changed(struct client *c);

/* query_wait_notify: a NOTICE to those of the seat who have waited that long. */
void client_notify_waiters(struct worker *w, struct seat *s);

/* Prefix of its log lines: "C-0x…: db/user@host:port". */
void client_log(struct client *c, enum log_level level, const char *fmt, ...) PRINTF(3, 4);
/* The same with level, event, class, incident, detail, hint, and count of `e`; all else of it is filled in. */
void client_log_event(struct client *c, struct log_event *e, const char *fmt, ...) PRINTF(3, 4);

const char *client_database(const struct client *c);
const char *client_user(const struct client *c);
/* As it is now, or as its start-up message says; NULL: it has none. Valid until its session parameters change. */
const char *client_application_name(const struct client *c);

#endif
