/*
 * A server: one connection that we hold to PostgreSQL. Owned by one thread: the
 * worker of the seat where its place is.
 */
#ifndef WORKER_SERVER_H
#define WORKER_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/failure.h"
#include "base/list.h"
#include "net/stream.h"
#include "os/socket.h"
#include "pool/permit.h"
#include "pool/pool.h"
#include "wire/framer.h"
#include "worker/answers.h"
#include "worker/client.h"
#include "worker/worker.h"

struct params;
struct welcome;
struct server_login;
struct server_statements;
struct stream;
struct timer;

#define SERVER_KEY_MAX 256u

/* What a server is doing. */
enum server_state {
	SERVER_CONNECTING, /* TCP or Unix connect */
	SERVER_LOGIN,      /* from our start-up message to its first ReadyForQuery */
	SERVER_READY,      /* idle or lent */
	SERVER_CLOSING
};

/* Something of ours that the server runs before it serves, or before it is free. */
enum errand {
	ERRAND_NONE,
	ERRAND_LISTEN,  /* something has come from it while it was idle: that is read first */
	ERRAND_CHECK,   /* server_check_query, for its client */
	ERRAND_PARAMS,  /* SET, for its client */
	ERRAND_CONNECT, /* connect_query after login */
	ERRAND_RESET,   /* server_reset_query, its client has left */
	ERRAND_LOOKUP,  /* auth_query, for its client, which logs in, or has left meanwhile */
	ERRAND_CANCEL   /* waits until a cancel request for it has been closed */
};

/* Owned by one thread: its worker. */
struct server {
	struct place place;
	struct worker *worker;
	struct seat *seat; /* of its worker; place.seat is the pool's, and may already be where it is promised to */
	struct stream *stream;
	struct client *client; /* to whom it is lent, or NULL */
	struct permit *permit;
	struct server_login *login; /* until it is READY */
	struct welcome *welcome;    /* from the login until the server is announced, a reference */
	struct params *params;      /* what its session runs with, a reference */
	struct answers answers;
	struct server_statements *statements; /* prepared on it by us; NULL: none ever were */
	struct framer framer;
	enum server_state state;
	enum errand errand;
	bool errand_failed;
	bool ddl;           /* a command in its transaction has changed the schema */
	bool swallowing;    /* the message that is passing is not for the client */
	bool said_fatal;    /* its client has read the server's last words already */
	bool unused;        /* lent, and nothing of its client's has been sent to it */
	bool failed;        /* it ends through no wish of ours, and worker->why says how */
	bool lost;          /* its side of the connection is gone */
	bool unfit;         /* not what target_session_attrs asks for any more: not to be reused */
	bool may_be_hit;    /* by a cancel request that was never answered: not to be reused */
	uint32_t n_cancels; /* cancel requests under way */
	struct list on_worker;
	struct grave grave;
	struct address address; /* where it is connected to */
	uint32_t pid;           /* BackendKeyData */
	uint16_t key_len;
	uint8_t *key;
	uint64_t id;
	uint64_t connected_us, request_us;
	uint64_t errand_us;         /* when the last errand began */
	uint64_t silent_us;         /* if it ended for being silent: how long nothing was acknowledged; 0: not known */
	struct failure *last_words; /* it said why it would go; NULL: it has not */
	struct lookup *lookup;      /* ERRAND_LOOKUP: the answer as far as it has come; owned */
	char *refusal;              /* what it said last to our SETs for a client, owned; NULL: nothing */
	struct timer *timer;        /* connect, idle, lifetime, query and transaction timeouts; set lazily */
	uint64_t timer_at_us;       /* when it fires; UINT64_MAX: not set */
};

/* The letter OPEN. */
void server_open(struct worker *w, struct permit *permit);
/* The letters GIVE, HERE, CLOSE. */
void server_give(struct worker *w, struct place *pl);
void server_here(struct worker *w, struct place *pl);
void server_close_letter(struct worker *w, struct place *pl);

/* It may not stay in its pool, for this reason; its place is CLOSING. */
void server_retire(struct server *s, enum retire_reason why);

/* Safe to call from anywhere on its worker, any number of times. `reason` is the log's and the client's text. */
void server_close(struct server *s, const char *reason);
/* It has closed, or cannot be written to: "server conn crashed?". worker->why has what was noticed, if anything. */
void server_lost(struct server *s);
/* It said something while nobody had asked: whoever it is lent to goes on with another one. */
void server_close_dirty(struct server *s);
/* It owes an answer, and its system has not acknowledged anything for that long. */
void server_is_silent(struct server *s, uint64_t silent_us);
/* The body of a message after which PostgreSQL ends the connection: kept for whoever has to be told. */
void server_note_last_words(struct server *s, const char *body, size_t len);
void server_forget_last_words(struct server *s);
/* A parameter that nobody can set has changed. */
void server_note_fixed(struct server *s, const char *name, const char *value);
/* It is free, and may not be what target_session_attrs asks for any more. */
void server_drop_unfit(struct server *s);
/* The body of an error, or the first part of it: it may show that the server takes no writes where it should. */
void server_note_error(struct server *s, const char *body, size_t len);

/* Lent to a client: errands first if it needs any. Called by link.c only. */
void server_lend(struct server *s, struct client *c);
/* Free again, nothing outstanding: settle. */
void server_settle(struct server *s);
/* Its client has left it at rest: reset query if one is due, then settle. */
void server_release(struct server *s, bool reset);
/* Its login has succeeded: connect_query if there is one, then settle. */
void server_opened(struct server *s, struct welcome *welcome);
void server_event(void *owner, enum stream_event event);
/* The server answered its errand with an error, of which this is the body or the first part: says so where nothing else
   comes of it. */
void server_errand_failed(struct server *s, const char *body, size_t len);
/* Its errand has begun at errand_us: it may last as long as server_connect_timeout says. */
void server_watch_errand(struct server *s);
/* Its errand's ReadyForQuery has come. */
void server_errand_done(struct server *s);

/* The permit goes back to main: its connection does not exist any more. */
void server_return_permit(struct worker *w, struct permit *permit);

/* A timeout may have become nearer: the timer fires at `at_us` at the latest. What is due then is decided then. */
void server_wake_by(struct server *s, uint64_t at_us);
/* Its pool has other settings now. */
void server_settings_changed(struct server *s);
/* A query or a transaction begins: the timeouts that are configured for it. Cheap when there are none. */
void server_watch_query(struct server *s);

const char *server_state_word(const struct server *s); /* of SHOW SERVERS */
void server_log(struct server *s, enum log_level level, const char *fmt, ...) PRINTF(3, 4);
/* The same with level, event, class, incident, detail, hint and count of `e`; all else of it is filled in. */
void server_log_event(struct server *s, struct log_event *e, const char *fmt, ...) PRINTF(3, 4);

static inline struct server *server_of(struct place *pl)
{
	return container_of(pl, struct server, place);
}

#endif
