/*
 * A pool: who waits for a server of one (database, user), who is idle, what is
 * wrong. It sits on some workers; on each it has a seat.
 *
 * Every function here takes the pool's lock itself, decides, and returns; it does
 * no I/O, calls nobody, and leaves letters for the caller to post after it has
 * returned. So all of it runs without threads in tests, and in the simulator.
 *
 *   place.state   OPENING -> LENT <-> IDLE     LENT|IDLE -> MOVING -> LENT|IDLE
 *                 IDLE -> CLOSING              any -> GONE
 *
 * LENT: server and client are on the same worker, or the server is lent to nobody
 * (login, reset, cancel). An idle server stays in its worker's loop. A server is
 * promised to a seat, never to a client.
 */
#ifndef POOL_POOL_H
#define POOL_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/letter.h"
#include "base/list.h"
#include "base/shared.h"
#include "base/table.h"
#include "diag/counters.h"
#include "diag/session_state.h"
#include "os/lock.h"

struct host;
struct outage;
struct pool_settings;

enum pool_state { POOL_OPEN, POOL_PAUSED, POOL_CLOSED };

enum place_state { PLACE_OPENING, PLACE_LENT, PLACE_IDLE, PLACE_MOVING, PLACE_CLOSING, PLACE_GONE };

/* What keeps main from opening another server for those who wait. */
enum pool_limit {
	LIMIT_NONE,
	LIMIT_POOL_SIZE, /* pool_size and reserve_pool_size */
	LIMIT_DATABASE,  /* max_db_connections */
	LIMIT_USER,      /* max_user_connections */
	LIMIT_HOST,      /* max_host_connections */
	LIMIT_PROCESS,   /* max_server_connections */
	LIMIT_PARALLEL   /* server_connect_parallel: others are being opened */
};

/*
 * All servers under a limit that pools share are at work, and somebody waits for one. Main calls all pools under the
 * limit; the first that has a server free and may part with it closes it, and so answers the call.
 */
struct call {
	_Atomic uint64_t since_us; /* since when they wait; 0: nobody calls, or it is answered */
	enum pool_limit limit;     /* immutable */
	const struct host *host;   /* immutable: only a server there is of use; NULL: any is */
};

/* A pool whose own clients wait, too, parts with a server that is at least so old, for those who have waited at least
   so long and twice as long as its own. Between these, each change of hands costs a login. */
#define POOL_GIVE_WAY_US 500000u

/* What a client does with the server that it has. */
enum holder_state {
	HOLDER_UNSEEN, /* nobody has looked yet */
	HOLDER_RUNNING,
	HOLDER_RUNNING_IN_TRANSACTION,
	HOLDER_IDLE_IN_TRANSACTION,
	HOLDER_IDLE_IN_SESSION,
	HOLDER_PINNED, /* idle, and its client keeps it: state_guard = pin */
	HOLDER_LEFT    /* its server is being reset, or a cancel request for it is under way */
};

#define HOLDER_APPLICATION_BYTES 64u

/* Who has a server, as its own worker saw it at some moment. */
struct holder {
	uint64_t id; /* of the client; 0: nobody has been seen */
	uint64_t seen_us;
	enum holder_state state;
	char application[HOLDER_APPLICATION_BYTES]; /* printable; "" if it has no name */
};

/* A server's place in its pool; embedded in the server. Guarded by: pool->lock. */
struct place {
	struct list node; /* in seat->idle or seat->lent */
	struct pool *pool;
	struct seat *seat; /* where it is; OPENING and MOVING: where it is going */
	enum place_state state;
	bool used;               /* has been lent to a client */
	uint32_t epoch;          /* of the pool when its connection was begun */
	uint64_t opened_us;      /* when its login succeeded */
	const struct host *host; /* where it is, once it has logged in; NULL: not known */
	uint8_t why;             /* enum retire_reason, of CLOSE */
	uint64_t idle_since_us;
	uint64_t lent_us, holder; /* LENT: since when, and to which client (its id) */
	struct letter letter;     /* GIVE, HERE or CLOSE */
	bool letter_posted;       /* until its reader has called pool_letter_read */
};

/* A client's place in a queue; embedded in the client. Guarded by: seat->pool->lock while queued. */
struct waiter {
	struct list node;
	uint64_t since_us;
	uint64_t id; /* the client's, from the office: of SHOW CLIENTS */
	bool queued;
	bool notified; /* taken by pool_take_unnotified in this wait */
	bool newcomer; /* waits for the pool's welcome, not for a server of its own */
	bool patient;  /* is told of an outage after a moment only (pool_wait) */
};

/* What a worker has told of its pool's outage, and what the log says of it (worker/telling.h). */
struct telling {
	struct list on_worker; /* worker->tellings, while `last` is set */
	uint64_t since_us;     /* of the outage that is counted; 0: none yet */
	uint32_t n_lines;      /* clients that have lines of their own in the log */
	uint32_t n_attempts;   /* "login attempt" lines since a login last succeeded */
	uint64_t n_more;       /* clients told that no line speaks of yet */
	uint64_t line_us;      /* when the last line was written */
	struct outage *last;   /* what they were told last, a reference; NULL: nothing to be said */
};

/* A pool's part on one worker. Guarded by: pool->lock, except the worker's own part. */
struct seat {
	struct pool *pool;
	uint16_t worker;
	struct list waiting;   /* waiters, first come first */
	struct list newcomers; /* waiters */
	struct list idle;      /* places, last used first */
	struct list lent;      /* places, lent longest first */
	uint32_t n_waiting, n_newcomers, n_idle, n_lent, n_moving, n_opening;
	uint32_t n_clients;
	struct letter look;
	bool look_posted;
	bool holder_asked;     /* somebody wants to know who has the server lent longest here */
	struct holder busiest; /* what was last answered */
	bool kept;             /* its worker has something to say about it yet */

	/* The worker's own part: only its thread touches these, without the lock. */
	struct list on_worker;          /* worker's list of seats with waiters */
	struct pool_settings *settings; /* as of the last LOOK */
	struct counters counters;
	struct guard_counts guard;
	struct telling telling;
};

enum replication_kind { REPLICATION_NONE, REPLICATION_LOGICAL, REPLICATION_PHYSICAL };

/* What makes a pool that of one replication connection. Immutable. */
struct replication {
	enum replication_kind kind;
	size_t len;
	char params[]; /* for the start-up message to its server: names and values by turns, each with its NUL */
};

/*
 * Guarded by: lock, except what says otherwise.
 *
 * A replication connection has a pool of its own beside that of its database and user (`home`), with one client and one
 * server, so that its server is nobody else's. When its client has left it is closed for good.
 *
 * The pool of an auth_user (`lookups`) is another one than that of the clients who log in as it, if there are any: who
 * waits there is a client of whatever database whose secret is to be found. It has a seat on each worker, so that
 * nobody moves for that.
 */
struct pool {
	struct lock lock;
	const char *database, *user;     /* immutable */
	bool console;                    /* immutable */
	bool lookups;                    /* immutable: its servers run auth_query and serve no client */
	struct pool *home;               /* immutable; NULL: this is no replication connection's pool */
	struct replication *replication; /* immutable, owned; NULL likewise */
	enum pool_state state;
	uint32_t epoch;           /* RECONNECT and changed connection settings count it up */
	struct shared *welcome;   /* parameters for new clients; NULL until the first login */
	struct shared *keys;      /* SCRAM keys of a client's login, for logging in as it */
	struct shared *secret;    /* what auth_query has found for its user (pool/found_secret.h); NULL: nothing yet */
	uint32_t n_secrets;       /* how often that or the configured one has changed */
	bool secret_is_new;       /* that or the configured one has changed since main last looked */
	struct outage *outage;    /* what is wrong, NULL when nothing is */
	bool trying;              /* with an outage: an attempt is under way */
	bool asked;               /* with an outage: somebody has asked since the last attempt */
	enum pool_limit limit;    /* as main last found it */
	const struct host *full;  /* LIMIT_HOST: which one */
	struct call *call;        /* the last one; NULL: none, or it is answered */
	uint64_t paused_since_us; /* 0: not paused, or nobody has looked since */
	uint64_t n_told;          /* clients given an outage since pool_take_told */
	bool may_ask;             /* a WANT may be sent; false while one is under way or remembered */
	bool want_posted;         /* the letter is under way: main may allow asking meanwhile */
	uint64_t last_free_us;    /* when a server last came free */
	uint64_t last_retired_us; /* when one was last closed for its age */
	struct pool_settings *settings;
	struct letter want;

	struct opener_pool *opener; /* main's own part */
	struct list on_database;    /* registry: pools of one database */
	struct table_node by_name;  /* registry */
	uint64_t unused_since_us;   /* registry's sweep: when it was first seen unused; 0: it was in use */
	uint32_t n_guests;          /* registry: pools that have this one as their home */
	struct counters guests;     /* registry: what was counted in those that exist no more */

	uint16_t n_seats; /* immutable */
	struct seat seat[];
};

/* What a server that has become free shall do. */
enum settled {
	SETTLED_LENT, /* to the waiter returned: same worker, run it */
	SETTLED_IDLE, /* stay in the loop */
	SETTLED_SEND, /* leave the loop, then post place->letter: it goes to another worker */
	SETTLED_CLOSE /* may not stay; `*why` says so. The place is CLOSING: close it, then pool_gone */
};

enum retire_reason {
	RETIRE_EPOCH,
	RETIRE_PAUSED,
	RETIRE_CLOSED,
	RETIRE_AGE,
	RETIRE_SURPLUS,
	RETIRE_SHUTDOWN,
	RETIRE_FOR_DATABASE, /* others under the same limit wait; likewise: */
	RETIRE_FOR_USER,
	RETIRE_FOR_HOST,
	RETIRE_FOR_PROCESS
};

enum borrowed {
	BORROWED,     /* *place is LENT to the caller */
	BORROW_WAITS, /* the waiter is in the seat's queue */
	BORROW_TOLD,  /* nobody waits for this: *outage (a reference for the caller) says what is wrong */
	BORROW_CLOSED /* the pool is closed */
};

/* Why a waiter stops waiting without a server. */
enum due {
	DUE_NOTHING,
	DUE_WELCOME,       /* newcomer: the pool has a welcome now */
	DUE_OUTAGE,        /* *outage is for it */
	DUE_OUTAGE_BUSY,   /* *outage keeps the pool from growing, and its servers are busy */
	DUE_WAIT_TIMEOUT,  /* query_wait_timeout */
	DUE_QUERY_TIMEOUT, /* query_timeout counts waiting too */
	DUE_CLOSED
};

/* Letter kinds that pools send; worker/office.h has the rest. */
enum pool_letter {
	LETTER_GIVE = 1, /* place: to its owner: leave the loop and pass it on as HERE */
	LETTER_HERE,     /* place: has arrived at its seat's worker */
	LETTER_CLOSE,    /* place: an idle server shall close */
	LETTER_LOOK,     /* seat: something about the pool has changed */
	LETTER_WANT,     /* pool: to main: servers are needed */
	LETTER_OPEN,     /* permit: to a worker: connect for this seat */
	LETTER_NEWS,     /* permit: to main: opened, or back */
	LETTER_KINDS_OF_POOL
};

/* Times of the travel rules, microseconds; measured, see doc/decisions.md. */
#define POOL_PATIENCE_US 2000u    /* a seat with servers at work waits this long for its own */
#define POOL_OLDER_US 1000u       /* another seat's head must have waited this much longer, and half as long again */
#define POOL_MUCH_OLDER_US 50000u /* whatever the balance: this long, */
#define POOL_MUCH_OLDER_TIMES 5u  /* and this many times as long */

/* `seats`: worker numbers. Names are copied. `settings` is taken over. NULL: out of memory. Main. */
struct pool *pool_new(const char *database, const char *user, const uint16_t *workers, uint16_t n_seats,
                      struct pool_settings *settings) MUST_USE;
/* The same for one replication connection; takes `replication` too, except when out of memory. */
struct pool *pool_new_replication(struct pool *home, uint16_t worker, struct pool_settings *settings,
                                  struct replication *replication) MUST_USE;
/* Which kind of connections its clients and servers are. */
enum replication_kind pool_replication(const struct pool *p);
/* When nothing refers to it any more: no clients, no places, no letters. Main. */
void pool_free(struct pool *p);
/* True if nothing refers to it. */
bool pool_is_unused(struct pool *p);

/* A server for this client, or a place in the queue. `w` must not be queued. */
enum borrowed pool_borrow(struct seat *s, struct waiter *w, uint64_t now_us, struct place **place,
                          struct outage **outage, struct letters *out) MUST_USE;

/* The client waits for the pool's welcome. BORROWED means *welcome (a reference) is there. */
enum borrowed pool_greet(struct seat *s, struct waiter *w, uint64_t now_us, struct shared **welcome,
                         struct outage **outage, struct letters *out) MUST_USE;

/* The client of a replication connection's pool waits for the server that is opened for it; never BORROWED. */
enum borrowed pool_claim(struct seat *s, struct waiter *w, uint64_t now_us, struct outage **outage,
                         struct letters *out) MUST_USE;

/* It was BORROW_TOLD, but shall wait a moment for that: into the queue, to be told by pool_due. */
void pool_wait(struct seat *s, struct waiter *w, bool newcomer, uint64_t now_us, struct letters *out);

/* The only way for a server to become free: after login, arrival, transaction, reset, cancel. */
enum settled pool_settle(struct place *pl, uint64_t now_us, struct waiter **to, enum retire_reason *why,
                         struct letters *out) MUST_USE;

/* A server that was lent went bad before it was used: its client goes back to the front of the queue. */
void pool_requeue(struct seat *s, struct waiter *w, struct letters *out, uint64_t now_us);

/* Brings servers to a seat that needs some. */
void pool_cover(struct seat *s, uint64_t now_us, struct letters *out);

/* A waiter leaves: died, timed out, killed. Harmless when it is not queued. */
void pool_leave(struct seat *s, struct waiter *w);

/* The next waiter of this seat whose waiting must end now, taken off the queue. *outage is a reference. */
enum due pool_due(struct seat *s, uint64_t now_us, struct waiter **w, struct outage **outage) MUST_USE;

/* Its connection exists no more. True if the place may be freed now; false: when its letter has been read. */
bool pool_gone(struct place *pl, uint64_t now_us, struct letters *out) MUST_USE;

/* The owner reads GIVE: true means leave the loop, then post place->letter, which is HERE now; false: the server is
 * gone, free it. */
bool pool_give_read(struct place *pl) MUST_USE;

/* HERE or CLOSE has been read; GONE means free it, MOVING: join the loop, then pool_settle. */
enum place_state pool_letter_read(struct place *pl) MUST_USE;

/* An idle server of this seat that may not stay (state, epoch, PostgreSQL is shutting down), taken off: CLOSING; NULL
 * when there is none. */
struct place *pool_take_unfit(struct seat *s, enum retire_reason *why) MUST_USE;

/* Its pool has been told to connect anew since this server's connection was begun. */
bool pool_is_stale(struct place *pl);

/* The owner closes its own idle server (idle timeout, it said something). False if it is promised already. */
bool pool_retire_idle(struct place *pl) MUST_USE;

/* The same for a server that is too old, when it is its turn: those of one age go one by one. When that will be, if not
   now, is *ends_us (UINT64_MAX: never). */
bool pool_retire_old(struct place *pl, uint64_t now_us, uint64_t *ends_us) MUST_USE;

/* When the head of this seat's queue began to wait; 0: nobody waits. */
uint64_t pool_head_since_us(struct seat *s);

/* Those of the queue who have waited since then or longer, each once: how many, `most` at most. The seat's owner. */
unsigned pool_take_unnotified(struct seat *s, uint64_t since_us, struct waiter **found, unsigned most) MUST_USE;

/* No more servers than min_pool_size: none is closed for being idle. */
bool pool_keeps_minimum(struct pool *p);

/* The place of a server that main allows: OPENING for that seat, counted at once. Main. */
void pool_place_init(struct place *pl, struct seat *s);
void pool_count_opening(struct seat *s);
/* Login succeeded; pool_settle follows. `welcome` is taken if the pool has none. Ends the outage. */
void pool_opened(struct place *pl, uint64_t now_us, struct shared *welcome, struct letters *out);
/* An attempt that never got a server: takes back pool_count_opening. */
void pool_open_failed(struct seat *s, uint64_t now_us, struct letters *out);

/* Everything that a pool knows about why somebody waits there, of one moment. */
struct pool_crowd {
	enum pool_state state;
	enum pool_limit limit;
	const struct host *full;   /* LIMIT_HOST: which one */
	uint64_t paused_since_us;  /* 0: not paused */
	uint32_t n_waiting;        /* clients, newcomers too */
	uint32_t n_usable, n_lent; /* servers that have logged in, and those of them that somebody has */
	uint32_t n_opening;        /* servers that are being made */
	uint64_t longest_us;       /* since when the server lent longest has been; 0: none is lent */
	struct holder longest;     /* who has it; the id is sure, the rest as last seen: HOLDER_UNSEEN if never */
	struct outage *outage;     /* a reference for the caller; NULL: nothing is wrong */
	bool trying;               /* with an outage: an attempt is under way */
};
void pool_look_around(struct pool *p, struct pool_crowd *crowd);
/* Servers that exist or are being made; with a host only those that exist there. */
uint32_t pool_count_servers(struct pool *p, const struct host *host);

/* The client that has the server lent longest on this seat; 0: none is lent, or only for our own errands. */
uint64_t pool_longest_holder(struct seat *s);
/* The seat's worker tells what that client is doing. */
void pool_show_holder(struct seat *s, const struct holder *h);
/* Asks, by LOOK, the worker that has the server lent longest, if what is known is older than `age_us`. */
void pool_ask_holder(struct pool *p, uint64_t now_us, uint64_t age_us, struct letters *out);
/* True once after each time that somebody has asked: pool_show_holder is wanted. */
bool pool_holder_is_asked(struct seat *s);

/* Main: changes, each leaves LOOK letters for all seats. */
void pool_set_state(struct pool *p, enum pool_state state, struct letters *out);
void pool_reconnect(struct pool *p, struct letters *out);
/* Takes the reference. Another secret than before is tried at once if there is an outage. */
void pool_set_settings(struct pool *p, struct pool_settings *settings, struct letters *out);
/* Takes the reference; NULL ends the outage. `trying`: whether an attempt is under way or due at once. */
void pool_set_outage(struct pool *p, struct outage *outage, bool trying, struct letters *out);
void pool_set_trying(struct pool *p, bool trying);
/* What kept those who wait from getting another server when main last looked; `full` is the host of LIMIT_HOST. */
void pool_set_limit(struct pool *p, enum pool_limit limit, const struct host *full);
/* The call is for this pool, too. It is read until it is answered, at any later time. */
void pool_call(struct pool *p, struct call *call);
/* SCRAM keys of a client that has just logged in; takes the reference. */
void pool_set_keys(struct pool *p, struct shared *keys);
struct shared *pool_keys(struct pool *p) MUST_USE;
/* What auth_query has found for its user; takes the reference. If that is something else than before, an outage may be
   over: main is told to try again at once. */
void pool_set_secret(struct pool *p, struct shared *secret, struct letters *out);
struct shared *pool_secret(struct pool *p) MUST_USE;
/* True once after each change of either secret. Main. */
bool pool_take_new_secret(struct pool *p);
/* How many changes there have been: what an attempt that began before the last one met says nothing of the secret now.
 */
uint32_t pool_count_secrets(struct pool *p);
struct shared *pool_welcome(struct pool *p) MUST_USE;
struct outage *pool_outage(struct pool *p) MUST_USE;
/* True while the outage that began then is not over. */
bool pool_outage_lasts(struct pool *p, uint64_t since_us);
/* Somebody wants to know whether its outage is over, as a client that was told of it does: the next attempt is made
   when it is due (opener_consider_soon). */
void pool_ask_for_news(struct pool *p);
/* One more client is told of an outage. */
void pool_add_told(struct pool *p);
/* How many were since the number was last taken; taking begins anew. */
uint64_t pool_take_told(struct pool *p);
/* While a seat is kept its pool is in use, even without clients. Its worker. */
void pool_keep_seat(struct seat *s, bool keep);

/* Reading of a LOOK begins: another may be posted from now on. True if seat->settings are others than before. */
bool pool_look_begins(struct seat *s);

/* What main needs to know for opening. */
struct pool_need {
	enum pool_state state;
	uint32_t usable; /* servers that have logged in */
	uint32_t waiting, newcomers, opening, moving, idle, clients;
	uint64_t oldest_wait_us; /* when the oldest waiter began to wait; 0: nobody waits */
	struct seat *neediest;   /* seat that lacks most servers, NULL: none does */
	uint32_t lacking;        /* servers that would serve all waiters */
	uint64_t lacks_since_us; /* lacking > 0: since when the longest waiter waits for whom no server is on its way */
	struct seat *emptiest;   /* with the fewest servers, for min_pool_size */
	bool has_welcome, asked;
};
void pool_needs(struct pool *p, struct pool_need *need);
/* Main reads WANT: it may be posted again. Then opener_consider. */
void pool_want_read(struct pool *p);
void pool_may_ask(struct pool *p, bool may, struct letters *out);
/* Asks for its servers although nobody waits: for min_pool_size. */
void pool_ask(struct pool *p, struct letters *out);

/* The idle server that has been idle longest, over all seats (`host`: of those there; NULL: of all): when (0: none);
 * taking it makes it CLOSING and orders CLOSE, for whoever waits for that limit. */
uint64_t pool_coldest_us(struct pool *p, const struct host *host);
bool pool_evict_coldest(struct pool *p, const struct host *host, enum pool_limit limit, struct letters *out) MUST_USE;

/* Clients on a seat. pool_seat_for picks the seat with the fewest and counts the client there. */
struct seat *pool_seat_for(struct pool *p, uint16_t prefer_worker);
/* The seat on this worker, of a pool that has one on each; counts the client there. */
struct seat *pool_seat_at(struct pool *p, uint16_t worker);
void pool_seat_left(struct seat *s);

/* What must always hold (src/README.md): NULL, or the text of the first thing that does not. Tests and the simulator.
 */
const char *pool_check(struct pool *p) MUST_USE;

#endif
