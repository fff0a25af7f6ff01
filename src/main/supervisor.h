/*
 * The main thread: everything that spans pools. Private to main/; one structure,
 * several files, each with one job:
 *
 *   supervisor.c  life, letters, timers, the turn     listen.c    who may connect, where
 *   action.c      what was asked for and is answered  edition.c   RELOAD, SET
 *   pausing.c     PAUSE, KILL and their kin           shutdown.c  signals, the end
 *   resolve.c     hosts of a permit → addresses       logging.c   where the log goes, log_rotation.c: its old files
 *   listen_web.c  where HTTP is answered
 *   peers.c       cancel requests for other processes
 *   watchdog.c    the service manager hears that all threads turn
 */
#ifndef MAIN_SUPERVISOR_H
#define MAIN_SUPERVISOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "admin/control.h"
#include "base/attr.h"
#include "base/letter.h"
#include "base/list.h"
#include "main/logging.h"
#include "os/thread.h"
#include "worker/drain.h"
#include "worker/office.h"
#include "worker/worker.h"

struct cancel;
struct console;
struct dns;
struct edition;
struct environment;
struct jobs;
struct listener;
struct options;
struct permit;
struct signal_watch;
struct stream;
struct timer;
struct web;

#define STARVED_MAX 16u

struct worker_thread {
	struct worker *worker;
	struct thread thread;
	bool started;
};

#define ACCEPTING_WORKER 0u

struct listeners {
	struct listener **all;
	unsigned n;
};

/* Where clients connect. From the start of the threads on the accepting worker's, except `visit` and what is said to be
 * main's. */
struct listening {
	struct listeners tcp, local; /* local: Unix sockets */
	unsigned n_full;             /* listeners that pause for want of descriptors */
	bool full_told;              /* the log has said so */
	uint64_t full_told_us;       /* when it last did; 0: never */
	uint16_t next_worker;
	char refused[320], refused_hint[1000]; /* main's, at the start: of the last address where we could not listen */
	bool passed;              /* the sockets are the service manager's, which goes on listening on them */
	struct visit visit;       /* closes the TCP listeners */
	bool visiting;            /* main's: it is under way, */
	bool again, again_gently; /* main's: and has been ordered again, so */
	bool gently;              /* set with it: nobody who is connecting shall be lost */
	struct timer *leaving;    /* on the accepting worker's loop: the next step of that; NULL: not under way */
	bool turning_away;        /* that is the step that was last */
	atomic_bool tcp_closed;   /* the last step is done */
};

/* How far a shutdown is. */
enum shutdown_stage {
	STAGE_RUNNING,
	STAGE_DELAYING, /* drain_delay: everything goes on as ever */
	STAGE_WAITING_FOR_CLIENTS,
	STAGE_WAITING_FOR_SERVERS,
	STAGE_ENDING, /* closing, visit by visit */
	STAGE_ENDED
};

struct shutdown {
	enum shutdown_stage stage;
	struct timer *look;         /* while waiting: clients leave without telling main */
	uint64_t since_us;          /* when drain_delay began, */
	enum shutdown_mode delayed; /* and what comes after it */
	uint64_t closed_us;         /* when the end of listening was seen, 0: not yet */
	bool leaving;               /* drain_timeout is over */
	struct visit visit; /* while waiting for servers: drops waiting clients; for clients: counts them, tells them to
	                       leave; while ending: closes, at last stops */
	bool visiting;
	struct drain_counts counts;     /* of the visit for clients */
	uint64_t count_us, progress_us; /* when to count next, when the log has last said how far we are */
	struct drain_counts progress;   /* what it said */
	int n_visits;                   /* of the end */
	int n_deserted; /* looks in a row that met no client: one may be on its way between two workers */
	bool at_once;   /* threads are left running: the system ends them with the process */
};

/* Whether all threads turn. Owned by main. */
struct watchdog {
	struct timer *timer;
	struct visit visit;
	uint64_t period_us; /* 0: nobody watches */
	bool visiting;
};

/* Who could not even get a struct action: answered with "no mem". */
struct starved {
	control_done *done;
	void *asker;
};

/* Owned by one thread: main. */
struct supervisor {
	struct log *log;                       /* the process's */
	struct logging *logging;               /* the process's */
	const struct config *config;           /* of the running edition, a reference */
	const struct config *noticed;          /* the loaded one whose notices have been logged, a reference */
	const struct environment *environment; /* what RELOAD reads in place of a file; NULL: a file. Borrowed */
	struct loop *loop;
	struct mailbox *mailbox;
	struct office *office;
	struct worker_thread *workers; /* office->n_workers */
	struct opener *opener;
	struct dns *dns;
	struct jobs *lookups; /* threads of dns's own: a name server that is silent shall not hold up key derivations */
	struct console *console;
	struct web *web; /* NULL: HTTP is off */
	struct control control;
	struct listening listening;
	struct shutdown shutdown;
	struct watchdog watchdog;
	struct signal_watch *signals;
	struct timer *opener_timer, *stats_timer, *sweep_timer, *peers_timer, *log_timer;

	struct letters out;      /* posted at the end of each turn */
	struct list actions;     /* action->node, in the order in which they were asked for */
	struct edition *editing; /* the RELOAD or SET under way: one at a time */
	struct list peer_pools;  /* peers.c: those that a cancel request was passed on to */
	struct list resolving;   /* permits whose hosts are being looked up */
	struct starved starved[STARVED_MAX];
	unsigned n_starved;
	bool helpers_ended;  /* supervisor_free_helpers was called */
	uint64_t n_returned; /* permits that have come back, ever */
	long n_descriptors;  /* that the configuration may come to use, when this was last looked at */
};

/* No thread runs and nothing listens yet. The log and the logging settings are borrowed, the configuration is
   referenced. NULL, after saying why in the log. */
struct supervisor *supervisor_new(struct logging *logging, const struct config *config) MUST_USE;
/* Opens the listeners. False, after saying why in the log. */
bool supervisor_listen(struct supervisor *s) MUST_USE;
/* Starts the workers and serves until the end of a shutdown. False, after saying why in the log, when a thread could
   not be started. */
bool supervisor_run(struct supervisor *s) MUST_USE;
/* Frees everything, also half-built; after supervisor_run, or instead of it. False: threads still run and use things,
   nothing was freed; the process must end without touching them (_exit). */
bool supervisor_free(struct supervisor *s) MUST_USE;

/* Worker threads that these settings ask for, on this machine. */
uint16_t supervisor_count_workers(const struct settings *set);

/* Part of the end: console, lookups, helper threads. */
void supervisor_free_helpers(struct supervisor *s);

/* Posts all letters that pool functions have left, and resolves new permits. */
void supervisor_flush(struct supervisor *s);
uint64_t supervisor_now_us(const struct supervisor *s);
/* The running edition is another now: timers and times that main keeps itself. */
void supervisor_settings_changed(struct supervisor *s);
/* Something may have to be swept sooner than planned. */
void supervisor_sweep_soon(struct supervisor *s);

/* ---- listen.c ---- */

/* How many this configuration may come to use. */
long listen_expected_descriptors(const struct config *c, unsigned n_workers);
/* Raises the limit of descriptors and says what was found. */
void listen_prepare(struct supervisor *s);
/* The same after a reload: says something only when more may be needed now than before, and there are too few. */
void listen_check_descriptors(struct supervisor *s);
bool listen_start(struct supervisor *s) MUST_USE;
/* Options of connections that will be accepted. */
void listen_set_options(struct supervisor *s);
/* Main: the accepting worker closes the TCP listeners, soon. Gently: if other processes listen on the port too
   (so_reuseport), in such a way that each client that is connecting meanwhile is served, here or there. */
enum listen_stop_way { LISTEN_STOP_AT_ONCE, LISTEN_STOP_GENTLY };
void listen_order_stop_tcp(struct supervisor *s, enum listen_stop_way way);
/* It has. Any thread. */
bool listen_tcp_is_closed(struct supervisor *s);
void listen_stop(struct supervisor *s);
/* Any thread: for an end that waits for nobody. */
void listen_remove_file(struct supervisor *s);

/* ---- listen_web.c ---- */

/* Answers HTTP where http_listen says. False, after saying why in the log. */
bool listen_web_start(struct supervisor *s) MUST_USE;
/* A shutdown begins: ports that other processes listen on, too, are theirs from now on. */
void listen_web_leave(struct supervisor *s);

/* ---- resolve.c ---- */

/* Looks up the permit's hosts, then gives it back to the opener. */
void resolve_permit(struct supervisor *s, struct permit *permit);
/* From now on s->dns tells when names move (servers at the old address close as they come free) and get old (those of
   pools with servers are looked up anew). */
void resolve_watch(struct supervisor *s);
/* The end: permits under way go back unused. */
void resolve_stop(struct supervisor *s);

/* ---- peers.c ---- */

/* A cancel request whose key nobody has here, taken: passed on to the peer that has made the key, or ended. */
void peers_take(struct supervisor *s, struct cancel *c);
/* The timer's: requests that waited too long are ended. */
void peers_look(void *owner);
/* The running edition is another now: requests for peers that are not in it are ended. */
void peers_settings_changed(struct supervisor *s);
/* The end: all requests are ended. */
void peers_stop(struct supervisor *s);
/* For the console. False: nothing was ever passed on to that peer. */
bool peers_counts(struct supervisor *s, int id, struct peer_counts *counts) MUST_USE;

/* ---- watchdog.c ---- */

/* Once the workers run: begins if the service manager wants it. */
void watchdog_start(struct supervisor *s);
/* The timer's. */
void watchdog_look(void *owner);

/* ---- edition.c, pausing.c, shutdown.c: entries of struct control ---- */

void edition_reload(struct supervisor *s, control_done *done, void *asker);
void edition_set(struct supervisor *s, const char *name, const char *value, control_done *done, void *asker);
/* Once at start. */
void edition_log_notices(struct supervisor *s);

void pausing_pause(struct supervisor *s, const char *database, control_done *done, void *asker);
void pausing_resume(struct supervisor *s, const char *database, control_done *done, void *asker);
void pausing_disable(struct supervisor *s, const char *database, control_done *done, void *asker);
void pausing_enable(struct supervisor *s, const char *database, control_done *done, void *asker);
void pausing_reconnect(struct supervisor *s, const char *database, control_done *done, void *asker);
void pausing_kill(struct supervisor *s, const char *database, control_done *done, void *asker);
void pausing_kill_client(struct supervisor *s, uint64_t id, control_done *done, void *asker);
void pausing_wait_close(struct supervisor *s, const char *database, control_done *done, void *asker);

/* Something does not work any more because of it. */
bool shutdown_is_under_way(struct supervisor *s);
/* It will come or has begun. */
bool shutdown_is_announced(struct supervisor *s);
void shutdown_ask(struct supervisor *s, enum shutdown_mode mode, control_done *done, void *asker);
void shutdown_begin(struct supervisor *s, enum shutdown_mode mode);
bool shutdown_watch_signals(struct supervisor *s) MUST_USE;
/* Each turn: whether the wait is over. */
void shutdown_look(struct supervisor *s);

#endif
