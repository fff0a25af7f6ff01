/*
 * Signals, and how the process ends. Main thread; visits run on workers.
 *
 *   RUNNING ──TERM, INT──> DELAYING ──(drain_delay)──> WAITING_FOR_CLIENTS ──(the last has left)──┐
 *      │                        └────────────────────> WAITING_FOR_SERVERS ──(the last is free)───┤
 *      └──QUIT, SHUTDOWN─────────────────────────────────────────────────────────TERM, INT again──┴─> ENDING
 *                                                          ENDED: the loop stops <──(4 visits)────────────┘
 */
#include <string.h>

#include "admin/console.h"
#include "base/clock.h"
#include "main/action.h"
#include "main/service_plan.h"
#include "main/supervisor.h"
#include "net/dns.h"
#include "net/loop.h"
#include "net/signals.h"
#include "os/service.h"
#include "pool/opener.h"
#include "pool/registry.h"
#include "wire/sqlstate.h"
#include "worker/client.h"
#include "worker/server.h"

#define LOOK_US (100 * US_PER_MS)
#define COUNT_US (5 * US_PER_S)   /* how often the log says who is still there, if that is news */
#define REPEAT_US (60 * US_PER_S) /* and if it is not */

/* Visits of the end: three close what there is (what was on its way during one has arrived at the next), the last stops
 * the workers. */
#define END_VISITS 4

bool shutdown_is_under_way(struct supervisor *s)
{
	return s->shutdown.stage > STAGE_DELAYING;
}

bool shutdown_is_announced(struct supervisor *s)
{
	return s->shutdown.stage != STAGE_RUNNING;
}

/* ---- the end ---- */

static struct supervisor *supervisor_of(struct visit *v)
{
	return container_of(v, struct supervisor, shutdown.visit);
}

static void end_run(struct visit *v, struct worker *w)
{
	struct supervisor *s = supervisor_of(v);

	if (w->number == ACCEPTING_WORKER)
		listen_stop(s);
	worker_close_connections(w);
	if (s->shutdown.n_visits == END_VISITS - 1)
		worker_stop(w);
}

static void end_visit(struct supervisor *s)
{
	supervisor_flush(s);
	s->shutdown.visiting = true;
	visit_start(s->office, &s->shutdown.visit);
}

/* Nobody has work for helpers any more; what they have finished reaches the workers before the last visit does. */
static void end_helpers(struct supervisor *s)
{
	/* nobody knows how long a lookup takes that is under way, or a question to PAM or LDAP */
	if (dns_pending(s->dns) > 0 || atomic_load(&s->office->n_asking[ASK_PAM]) > 0 ||
	    atomic_load(&s->office->n_asking[ASK_LDAP]) > 0)
		s->shutdown.at_once = true;
	else
		supervisor_free_helpers(s);
}

static void end_done(struct visit *v)
{
	struct supervisor *s = supervisor_of(v);

	s->shutdown.visiting = false;
	if (++s->shutdown.n_visits == 1)
		registry_close(s->office->registry, &s->out);
	if (s->shutdown.n_visits == END_VISITS - 1)
		end_helpers(s);
	if (s->shutdown.n_visits < END_VISITS) {
		end_visit(s);
		return;
	}
	s->shutdown.stage = STAGE_ENDED;
	loop_stop(s->loop);
}

static void end_begin(struct supervisor *s)
{
	s->shutdown.visit.run = end_run;
	s->shutdown.visit.done = end_done;
	end_visit(s);
}

/* The service manager is told on the way; that it cannot be told the start has said already. */
static void say_stopping(const struct supervisor *s)
{
	if (s->shutdown.stage == STAGE_RUNNING)
		(void)!service_notify_stopping(service_stop_us(&s->config->settings));
}

/* From here nothing waits for anybody. */
static void end(struct supervisor *s)
{
	if (s->shutdown.stage >= STAGE_ENDING)
		return;
	say_stopping(s);
	s->shutdown.stage = STAGE_ENDING;
	timer_clear(s->shutdown.look);
	s->opener->draining = true;
	registry_shut_down(s->office->registry);
	resolve_stop(s);
	peers_stop(s);
	/* a visit that drops waiting clients and is still under way comes first: it has the same letter */
	if (!s->shutdown.visiting)
		end_begin(s);
}

/* ---- waiting for servers ---- */

static void drop_waiting(struct visit *v, struct worker *w)
{
	struct list *node, *after;

	(void)v;
	list_each_safe (node, after, &w->clients) {
		struct client *c = container_of(node, struct client, on_worker);

		if (c->state == CLIENT_QUEUED || c->state == CLIENT_GREETING || c->state == CLIENT_LOOKUP)
			client_fail_text(c, SQLSTATE_ADMIN_SHUTDOWN, "server shutting down");
	}
	list_each_safe (node, after, &w->servers) {
		struct server *server = container_of(node, struct server, on_worker);

		if (server->errand == ERRAND_LOOKUP &&
		    server->client == NULL) /* nobody waits for its answer any more */
			server_close(server, "server shutting down");
	}
}

static void drop_done(struct visit *v)
{
	struct supervisor *s = supervisor_of(v);

	s->shutdown.visiting = false;
	if (s->shutdown.stage == STAGE_ENDING)
		end_begin(s);
}

static void look_at_waiting(struct supervisor *s)
{
	s->shutdown.visit.run = drop_waiting;
	s->shutdown.visit.done = drop_done;
	s->shutdown.visiting = true;
	visit_start(s->office, &s->shutdown.visit);
}

/* ---- waiting for clients ---- */

static bool delay_is_over(const struct supervisor *s)
{
	return loop_now_us(s->loop) - s->shutdown.since_us >= s->config->settings.drain_delay_us;
}

/* Readiness is red from here on; nothing else changes. */
static void delay(struct supervisor *s, enum shutdown_mode mode)
{
	say_stopping(s);
	s->shutdown.delayed = mode;
	s->shutdown.stage = STAGE_DELAYING;
	s->shutdown.since_us = loop_now_us(s->loop);
	log_write(s->log, LEVEL_LOG, "serving on for %llu s (drain_delay)",
	          (unsigned long long)(s->config->settings.drain_delay_us / US_PER_S));
	timer_set(s->shutdown.look, loop_now_us(s->loop));
}

/* Whoever watches on the console has no transaction to end: it does not hold us up once others may not either. */
static unsigned count_clients(struct supervisor *s)
{
	unsigned n = s->shutdown.leaving ? 0 : console_count(s->console);

	for (uint16_t i = 0; i < s->office->n_workers; i++)
		n += atomic_load(&s->office->n_clients_of[i]);
	return n;
}

static bool timeout_is_over(const struct supervisor *s)
{
	uint64_t timeout_us = s->config->settings.drain_timeout_us;

	return timeout_us > 0 && s->shutdown.closed_us > 0 &&
	       loop_now_us(s->loop) - s->shutdown.closed_us >= timeout_us;
}

static bool counts_are_equal(const struct drain_counts *a, const struct drain_counts *b)
{
	return a->clients == b->clients && a->running == b->running && a->waiting == b->waiting;
}

static void say_progress(struct supervisor *s)
{
	struct drain_counts *now = &s->shutdown.counts;
	uint64_t silent_us = loop_now_us(s->loop) - s->shutdown.progress_us;

	if (!s->shutdown.leaving)
		now->clients += console_count(s->console);
	if (now->clients == 0 || (counts_are_equal(now, &s->shutdown.progress) && silent_us < REPEAT_US))
		return;
	log_write(s->log, LEVEL_LOG, "clients still here: %u; in transactions: %u, waiting for a server: %u",
	          now->clients, now->running, now->waiting);
	s->shutdown.progress = *now;
	s->shutdown.progress_us = loop_now_us(s->loop);
}

static void clients_run(struct visit *v, struct worker *w)
{
	struct supervisor *s = supervisor_of(v);

	if (s->shutdown.leaving)
		drain_tell(w);
	drain_count(w, &s->shutdown.counts);
}

static void clients_done(struct visit *v)
{
	struct supervisor *s = supervisor_of(v);

	s->shutdown.visiting = false;
	if (s->shutdown.stage == STAGE_ENDING) {
		end_begin(s);
	} else if (loop_now_us(s->loop) >= s->shutdown.count_us) {
		s->shutdown.count_us = loop_now_us(s->loop) + COUNT_US;
		say_progress(s);
	}
}

static void look_at_clients(struct supervisor *s)
{
	if (s->shutdown.closed_us == 0 && listen_tcp_is_closed(s))
		s->shutdown.closed_us = loop_now_us(s->loop);
	if (!s->shutdown.leaving && timeout_is_over(s)) {
		s->shutdown.leaving = true;
		log_write(s->log, LEVEL_LOG, "drain_timeout is over, telling clients outside of transactions to leave");
	}
	if (!s->shutdown.leaving && loop_now_us(s->loop) < s->shutdown.count_us)
		return;
	memset(&s->shutdown.counts, 0, sizeof(s->shutdown.counts));
	s->shutdown.visit.run = clients_run;
	s->shutdown.visit.done = clients_done;
	s->shutdown.visiting = true;
	visit_start(s->office, &s->shutdown.visit);
}

/* Clients leave, and begin to wait, without telling main; a reload may have changed drain_delay or drain_timeout. */
static void look_again(void *owner)
{
	struct supervisor *s = (struct supervisor *)owner;

	timer_set(s->shutdown.look, loop_now_us(s->loop) + LOOK_US);
	if (s->shutdown.stage == STAGE_DELAYING) {
		if (delay_is_over(s))
			shutdown_begin(s, s->shutdown.delayed);
		return;
	}
	s->shutdown.n_deserted = listen_tcp_is_closed(s) && count_clients(s) == 0 ? s->shutdown.n_deserted + 1 : 0;
	if (s->shutdown.visiting)
		return;
	if (s->shutdown.stage == STAGE_WAITING_FOR_SERVERS)
		look_at_waiting(s);
	else
		look_at_clients(s);
}

void shutdown_look(struct supervisor *s)
{
	if (s->shutdown.stage == STAGE_WAITING_FOR_CLIENTS && s->shutdown.n_deserted >= 2) {
		log_write(s->log, LEVEL_LOG, "client connections dropped, exiting");
		end(s);
	} else if (s->shutdown.stage == STAGE_WAITING_FOR_SERVERS &&
	           registry_count_permits(s->office->registry, NULL) == 0) {
		log_write(s->log, LEVEL_LOG, "server connections dropped, exiting");
		end(s);
	}
}

void shutdown_begin(struct supervisor *s, enum shutdown_mode mode)
{
	if (mode == SHUTDOWN_NOW || s->shutdown.stage >= STAGE_ENDING) {
		end(s);
		return;
	}
	/* asked for once more meanwhile, it begins at once */
	if (s->shutdown.stage == STAGE_RUNNING && s->config->settings.drain_delay_us > 0) {
		delay(s, mode);
		return;
	}
	say_stopping(s);
	s->shutdown.stage = mode == SHUTDOWN_WAIT_FOR_CLIENTS ? STAGE_WAITING_FOR_CLIENTS : STAGE_WAITING_FOR_SERVERS;
	s->shutdown.n_deserted = 0;
	s->shutdown.count_us = loop_now_us(s->loop) + COUNT_US;
	/* a client that came by TCP before the listeners close is served, unless servers are what is waited for */
	if (mode == SHUTDOWN_WAIT_FOR_CLIENTS) {
		listen_order_stop_tcp(s, LISTEN_STOP_GENTLY);
		registry_turn_local_away(s->office->registry);
	} else {
		listen_order_stop_tcp(s, LISTEN_STOP_AT_ONCE);
		registry_shut_down(s->office->registry);
	}
	listen_web_leave(s);
	if (mode == SHUTDOWN_WAIT_FOR_SERVERS)
		registry_set_paused(s->office->registry, NULL, true, &s->out);
	/* whoever issued the command gets its answer first */
	timer_set(s->shutdown.look, loop_now_us(s->loop));
}

static void look_at_nothing(struct action *a)
{
	(void)a;
}

static const struct action_kind at_once = {look_at_nothing, NULL, NULL, NULL, NULL};

/* SHUTDOWN without a mode is not answered: the connection closes. */
void shutdown_ask(struct supervisor *s, enum shutdown_mode mode, control_done *done, void *asker)
{
	struct action *a;

	shutdown_begin(s, mode);
	if (mode == SHUTDOWN_NOW)
		return;
	a = (struct action *)action_new(s, sizeof(*a), &at_once, NULL, done, asker);
	if (a != NULL)
		action_succeed(a);
}

/* ---- signals ---- */

static void got_stop(struct supervisor *s, const char *name, const char *how, enum shutdown_mode mode)
{
	if (s->shutdown.stage == STAGE_RUNNING) {
		log_write(s->log, LEVEL_LOG, "got %s, shutting down, %s", name, how);
		shutdown_begin(s, mode);
		return;
	}
	log_write(s->log, LEVEL_LOG, "got %s while shutting down, fast exit", name);
	if (s->shutdown.stage < STAGE_ENDING) {
		end(s);
		return;
	}
	/* not even the end can be waited for */
	s->shutdown.at_once = true;
	loop_stop(s->loop);
}

static void got_pause(struct supervisor *s, const char *name)
{
	if (registry_is_paused(s->office->registry, NULL)) {
		log_write(s->log, LEVEL_LOG, "got %s, but already paused", name);
		return;
	}
	log_write(s->log, LEVEL_LOG, "got %s, pausing all activity", name);
	pausing_pause(s, NULL, NULL, NULL);
}

static void got_resume(struct supervisor *s, const char *name)
{
	if (shutdown_is_under_way(s)) {
		log_write(s->log, LEVEL_LOG, "got %s while shutting down, ignoring", name);
	} else if (!registry_is_paused(s->office->registry, NULL)) {
		log_write(s->log, LEVEL_LOG, "got %s, but not paused", name);
	} else {
		log_write(s->log, LEVEL_LOG, "got %s, continuing from PAUSE", name);
		pausing_resume(s, NULL, NULL, NULL);
	}
}

static void reloaded(void *asker, const struct control_reply *reply)
{
	(void)asker;
	(void)reply; /* a configuration that was refused leaves the old one, and us ready */
	(void)!service_notify("READY=1");
}

static void got_signal(void *owner, enum signal what, const char *name)
{
	struct supervisor *s = (struct supervisor *)owner;

	switch (what) {
	case SIGNAL_RELOAD:
		log_write(s->log, LEVEL_LOG, "got %s, re-reading config", name);
		(void)!service_notify_reloading();
		edition_reload(s, reloaded, s);
		break;
	case SIGNAL_STOP:
		got_stop(s, name, "waiting for all clients disconnect", SHUTDOWN_WAIT_FOR_CLIENTS);
		break;
	case SIGNAL_INTERRUPT:
		got_stop(s, name, "waiting for all servers connections to be released", SHUTDOWN_WAIT_FOR_SERVERS);
		break;
	case SIGNAL_QUIT:
		log_write(s->log, LEVEL_LOG, "got %s, fast exit", name);
		end(s);
		break;
	case SIGNAL_PAUSE:
		got_pause(s, name);
		break;
	case SIGNAL_RESUME:
		got_resume(s, name);
		break;
	}
}

bool shutdown_watch_signals(struct supervisor *s)
{
	s->shutdown.look = timer_new(s->loop, look_again, s);
	if (s->shutdown.look == NULL)
		return false;
	s->signals = signal_watch_new(s->loop, (1u << N_SIGNALS) - 1, got_signal, s);
	return s->signals != NULL;
}
