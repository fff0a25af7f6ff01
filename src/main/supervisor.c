/*
 * The main thread's life, letters, timers and turn.
 *
 *   loop: streams of the console, listeners, signals ─> timers ─> letters (read_letter) ─> turn:
 *         actions_step, shutdown_look, supervisor_flush (letters out, permits resolved), opener's timer
 */
#include "main/supervisor.h"

#include <stdio.h>
#include <string.h>

#include "admin/console.h"
#include "admin/web.h"
#include "auth/context.h"
#include "auth/ldap.h"
#include "base/clock.h"
#include "base/mem.h"
#include "main/action.h"
#include "net/dns.h"
#include "net/jobs.h"
#include "net/loop.h"
#include "net/mailbox.h"
#include "net/signals.h"
#include "os/family.h"
#include "os/process.h"
#include "pool/opener.h"
#include "pool/permit.h"
#include "pool/registry.h"
#include "worker/cancel.h"
#include "worker/cancel_key.h"
#include "worker/console_guest.h"
#include "worker/params.h"

#define MOST_DEFAULT_WORKERS 8
#define MOST_WORKERS 256
#define HELPERS 4
#define ASKERS 8                       /* threads for PAM, and as many for LDAP */
#define LOOKUPS 8                      /* threads for name lookups, each of which may take many seconds */
#define DNS_TIMEOUT_US (15 * US_PER_S) /* when server_connect_timeout is off */

uint64_t supervisor_now_us(const struct supervisor *s)
{
	return loop_now_us(s->loop);
}

/* ---- the turn ---- */

void supervisor_flush(struct supervisor *s)
{
	struct permit *permit;

	/* a permit without any address is back at once, and may bring about the next one */
	while ((permit = opener_take_unresolved(s->opener)) != NULL)
		resolve_permit(s, permit);
	office_post_all(s->office, &s->out);
}

static void set_opener_timer(struct supervisor *s)
{
	uint64_t next_us = opener_next_us(s->opener);

	if (next_us == UINT64_MAX)
		timer_clear(s->opener_timer);
	else
		timer_set(s->opener_timer, next_us);
}

static bool turn(void *owner)
{
	struct supervisor *s = (struct supervisor *)owner;
	bool more;

	more = actions_step(s);
	/* behind the answers: whoever issued the command that ends us shall have read that it was accepted */
	shutdown_look(s);
	supervisor_flush(s);
	set_opener_timer(s);
	return more && s->shutdown.stage != STAGE_ENDED;
}

/* ---- timers ---- */

static void opener_due(void *owner)
{
	struct supervisor *s = (struct supervisor *)owner;

	opener_tick(s->opener, supervisor_now_us(s), &s->out);
}

static uint64_t stats_period_us(const struct supervisor *s)
{
	int seconds = s->config->settings.stats_period;

	return (seconds < 1 ? 1ull : (unsigned long long)seconds) * US_PER_S;
}

static void stats_due(void *owner)
{
	struct supervisor *s = (struct supervisor *)owner;

	timer_set(s->stats_timer, supervisor_now_us(s) + stats_period_us(s));
	if (s->console != NULL)
		console_stats_period(s->console);
}

static void log_due(void *owner)
{
	struct supervisor *s = (struct supervisor *)owner;

	logging_look(s->logging);
	timer_set(s->log_timer, supervisor_now_us(s) + LOG_ROTATION_LOOK_US);
}

static void set_log_timer(struct supervisor *s)
{
	if (logging_is_watched(s->logging))
		timer_set(s->log_timer, supervisor_now_us(s));
	else
		timer_clear(s->log_timer);
}

/* Pools that go with their database are not worth a line. */
static void say_swept(struct supervisor *s, const struct pool *p)
{
	uint64_t patience_us = s->config->settings.pool_idle_timeout_us;
	uint64_t age_us = supervisor_now_us(s) - p->unused_since_us;

	if (patience_us > 0 && age_us >= patience_us)
		log_write(s->log, LEVEL_LOG,
		          "cleaning up idle pool for user %s on db %s because: pool idle timeout (age= %llus)", p->user,
		          p->database, (unsigned long long)(age_us / US_PER_S));
}

static void free_swept(struct supervisor *s, struct list *pools, struct list *databases)
{
	struct list *node;

	while ((node = list_take_first(pools)) != NULL) {
		struct pool *p = container_of(node, struct pool, on_database);

		say_swept(s, p);
		opener_forget(s->opener, p);
		pool_free(p);
	}
	while ((node = list_take_first(databases)) != NULL) {
		struct database *d = container_of(node, struct database, on_all);

		/* a removed one was told when it was removed, one that only strangers have named never */
		if (!d->removed && d->entered)
			log_write(s->log, LEVEL_LOG,
			          "dropping database '%s' as it does not exist anymore or inactive auto-database",
			          d->name);
		registry_database_free(d);
	}
}

static void sweep_due(void *owner)
{
	struct supervisor *s = (struct supervisor *)owner;
	struct sweep_times times = {s->config->settings.autodb_idle_timeout_us,
	                            s->config->settings.pool_idle_timeout_us};
	struct list pools, databases;
	uint64_t next_us;

	if (s->shutdown.stage >= STAGE_ENDING)
		return;
	list_init(&pools);
	list_init(&databases);
	next_us = registry_sweep(s->office->registry, supervisor_now_us(s), &times, &pools, &databases);
	free_swept(s, &pools, &databases);
	if (next_us != UINT64_MAX)
		timer_set(s->sweep_timer, next_us);
}

void supervisor_sweep_soon(struct supervisor *s)
{
	timer_set(s->sweep_timer, supervisor_now_us(s) + US_PER_S);
}

/* A new pool may be one that will have to be swept. */
static void plan_sweep(struct supervisor *s, const struct pool *p)
{
	if (timer_is_set(s->sweep_timer))
		return;
	if (p->home != NULL || s->config->settings.pool_idle_timeout_us > 0 ||
	    config_find_database(s->config, "*", NULL) != NULL)
		supervisor_sweep_soon(s);
}

static struct dns_times dns_times(const struct settings *set)
{
	struct dns_times times = {
	    .max_ttl_us = set->dns_max_ttl_us,
	    .nx_ttl_us = set->dns_nxdomain_ttl_us,
	    .timeout_us = set->server_connect_timeout_us == 0 ? DNS_TIMEOUT_US : set->server_connect_timeout_us,
	    .zone_period_us = set->dns_zone_check_period_us,
	};

	return times;
}

/* For texts. */
static void find_name_servers(struct supervisor *s)
{
	const char *own = s->config->settings.resolv_conf;

	(void)os_name_servers(own != NULL && own[0] != '\0' ? own : NULL, s->opener->name_servers,
	                      sizeof(s->opener->name_servers));
}

void supervisor_settings_changed(struct supervisor *s)
{
	struct dns_times times = dns_times(&s->config->settings);

	find_name_servers(s);
	dns_set_times(s->dns, &times);
	timer_set(s->stats_timer, supervisor_now_us(s) + stats_period_us(s));
	set_log_timer(s);
	listen_check_descriptors(s);
	if (!shutdown_is_under_way(s))
		listen_set_options(s); /* else they may be closed already, on their own thread */
	peers_settings_changed(s);
	supervisor_sweep_soon(s);
}

/* ---- letters ---- */

static void permit_news(struct supervisor *s, struct permit *permit)
{
	opener_news(s->opener, permit, supervisor_now_us(s), &s->out);
	s->n_returned++;
}

static void pool_wants(struct supervisor *s, struct pool *p)
{
	pool_want_read(p);
	opener_consider(s->opener, p, supervisor_now_us(s), &s->out);
	plan_sweep(s, p);
}

/* No worker's client has this key: it may be one of the console's, or a peer's. */
static void cancel_came(struct supervisor *s, struct letter *letter)
{
	struct cancel *c = cancel_of(letter);

	if (s->shutdown.stage == STAGE_ENDED)
		cancel_free(c); /* there are no workers any more */
	else if (s->console != NULL && cancel_key_len(c) == CANCEL_KEY_BYTES &&
	         console_cancel(s->console, cancel_key(c)))
		cancel_end(s->office, c);
	else
		peers_take(s, c);
}

static void guest_came(struct supervisor *s, struct console_guest *guest)
{
	if (s->console != NULL)
		console_welcome(s->console, guest);
	else
		console_guest_free(guest);
}

static void read_letter(void *owner, struct letter *letter)
{
	struct supervisor *s = (struct supervisor *)owner;

	switch (letter->kind) {
	case LETTER_WANT:
		pool_wants(s, container_of(letter, struct pool, want));
		break;
	case LETTER_NEWS:
		permit_news(s, container_of(letter, struct permit, letter));
		break;
	case LETTER_VISIT:
		visit_arrived(container_of(letter, struct visit, letter));
		break;
	case LETTER_CONSOLE:
		guest_came(s, container_of(letter, struct console_guest, letter));
		break;
	case LETTER_LOOKUP:
		dns_read(s->dns, letter);
		break;
	case LETTER_CANCEL:
		cancel_came(s, letter);
		break;
	default: /* not for main */
		break;
	}
}

/* ---- what the console is given ---- */

static const struct config *config_now(struct supervisor *s)
{
	return s->config;
}

static bool is_paused(struct supervisor *s)
{
	return registry_is_paused(s->office->registry, NULL);
}

static const char *config_path(struct supervisor *s)
{
	const char *path = s->config->settings.conffile;

	return path == NULL ? "" : path;
}

static void fill_control(struct supervisor *s)
{
	struct control *c = &s->control;

	c->self = s;
	c->office = s->office;
	c->opener = s->opener;
	c->dns = s->dns;
	c->loop = s->loop;
	c->config = config_now;
	c->is_paused = is_paused;
	c->is_shutting_down = shutdown_is_under_way;
	c->is_draining = shutdown_is_announced;
	c->config_path = config_path;
	c->reload = edition_reload;
	c->set = edition_set;
	c->pause = pausing_pause;
	c->resume = pausing_resume;
	c->disable = pausing_disable;
	c->enable = pausing_enable;
	c->reconnect = pausing_reconnect;
	c->kill = pausing_kill;
	c->kill_client = pausing_kill_client;
	c->wait_close = pausing_wait_close;
	c->peer_counts = peers_counts;
	c->shutdown = shutdown_ask;
	c->forget = actions_forget;
}

/* ---- beginning ---- */

uint16_t supervisor_count_workers(const struct settings *set)
{
	int n = set->threads;

	if (n <= 0) {
		n = os_usable_processors();
		n = n < MOST_DEFAULT_WORKERS ? n : MOST_DEFAULT_WORKERS;
	}
	return (uint16_t)(n < 1 ? 1 : n > MOST_WORKERS ? MOST_WORKERS : n);
}

static bool make_loop(struct supervisor *s)
{
	s->loop = loop_new();
	if (s->loop == NULL)
		return false;
	loop_set_turn(s->loop, turn, s);
	s->mailbox = mailbox_new(s->loop, read_letter, s);
	s->opener_timer = timer_new(s->loop, opener_due, s);
	s->stats_timer = timer_new(s->loop, stats_due, s);
	s->sweep_timer = timer_new(s->loop, sweep_due, s);
	s->peers_timer = timer_new(s->loop, peers_look, s);
	s->log_timer = timer_new(s->loop, log_due, s);
	s->watchdog.timer = timer_new(s->loop, watchdog_look, s);
	return s->mailbox != NULL && s->opener_timer != NULL && s->stats_timer != NULL && s->sweep_timer != NULL &&
	       s->peers_timer != NULL && s->log_timer != NULL && s->watchdog.timer != NULL && shutdown_watch_signals(s);
}

static bool make_office(struct supervisor *s)
{
	struct office *o = mem_new(struct office);
	uint8_t mock_key[MOCK_KEY_BYTES];
	uint32_t seeds[2];

	if (o == NULL)
		return false;
	s->office = o;
	loop_random(s->loop, mock_key, sizeof(mock_key));
	loop_random(s->loop, seeds, sizeof(seeds));
	o->log = s->log;
	o->main_box = s->mailbox;
	o->n_workers = supervisor_count_workers(&s->config->settings);
	atomic_init(&o->last_id, 0);
	for (unsigned i = 0; i < o->n_workers; i++)
		atomic_init(&o->n_clients_of[i], 0);
	o->registry = registry_new(o->n_workers, seeds[0]);
	o->params = params_book_new(seeds[1]);
	o->auth = auth_context_new(mock_key);
	o->jobs = jobs_new(HELPERS);
	for (int i = 0; i < ASK_KINDS; i++) {
		atomic_init(&o->n_asking[i], 0);
		o->asking[i] = jobs_new(ASKERS);
		if (o->asking[i] == NULL)
			return false;
	}
	mem_wipe(mock_key, sizeof(mock_key));
	return o->registry != NULL && o->params != NULL && o->auth != NULL && o->jobs != NULL;
}

static bool make_opener(struct supervisor *s)
{
	const struct settings *set = &s->config->settings;
	struct dns_times times = dns_times(set);
	uint64_t random;

	loop_random(s->loop, &random, sizeof(random));
	s->opener = opener_new(s->office->registry, s->log, s->config, random);
	if (s->opener == NULL)
		return false;
	s->opener->wall_offset_us = clock_wall_us() - clock_steady_us();
	s->opener->in_container = os_is_in_container("");
	s->opener->on_windows = os_is_windows();
	s->opener->below_windows = os_is_below_windows("");
	find_name_servers(s);
	if (!os_user_name(os_user_id(), s->opener->account_name, sizeof(s->opener->account_name)))
		snprintf(s->opener->account_name, sizeof(s->opener->account_name), "%lld", (long long)os_user_id());
	s->lookups = jobs_new(LOOKUPS);
	if (s->lookups == NULL)
		return false;
	s->dns = dns_new(s->loop, s->lookups, s->mailbox, LETTER_LOOKUP, &times, set->resolv_conf);
	if (s->dns == NULL)
		return false;
	resolve_watch(s);
	fill_control(s);
	s->console = console_new(&s->control);
	return s->console != NULL;
}

static void *worker_thread(void *arg)
{
	worker_run((struct worker *)arg);
	return NULL;
}

/* All of them before any thread runs: from then on the office does not change. */
static bool make_workers(struct supervisor *s)
{
	s->workers = (struct worker_thread *)mem_alloc(s->office->n_workers * sizeof(s->workers[0]));
	for (uint16_t i = 0; s->workers != NULL && i < s->office->n_workers; i++) {
		s->workers[i].worker = worker_new(s->office, i, s->config);
		if (s->workers[i].worker == NULL)
			return false;
	}
	return s->workers != NULL;
}

static bool start_workers(struct supervisor *s)
{
	char name[16];

	for (uint16_t i = 0; i < s->office->n_workers; i++) {
		struct worker_thread *t = &s->workers[i];

		snprintf(name, sizeof(name), "worker %u", i);
		t->started = thread_start(&t->thread, name, worker_thread, t->worker);
		if (!t->started) {
			log_write(s->log, LEVEL_FATAL, "could not start thread %u of %u", i + 1, s->office->n_workers);
			return false;
		}
	}
	return true;
}

static bool make(struct supervisor *s)
{
	if (make_loop(s) && make_office(s) && make_opener(s) && make_workers(s))
		return true;
	log_write(s->log, LEVEL_FATAL, "out of memory or file descriptors");
	return false;
}

struct supervisor *supervisor_new(struct logging *logging, const struct config *config)
{
	struct supervisor *s = mem_new(struct supervisor);

	if (s == NULL) {
		log_write(logging->log, LEVEL_FATAL, "out of memory");
		return NULL;
	}
	s->log = logging->log;
	s->logging = logging;
	s->config = config_ref(config);
	letters_init(&s->out);
	list_init(&s->actions);
	list_init(&s->resolving);
	list_init(&s->peer_pools);
	if (!make(s)) {
		/* no thread runs yet */
		(void)!supervisor_free(s);
		return NULL;
	}
	return s;
}

bool supervisor_listen(struct supervisor *s)
{
	listen_prepare(s);
	registry_make_standing(s->office->registry, s->config, &s->out);
	/* HTTP first: whoever has met us at the clients' port can ask there, too */
	return listen_web_start(s) && listen_start(s);
}

/* ---- serving ---- */

bool supervisor_run(struct supervisor *s)
{
	ldap_prepare();
	if (!start_workers(s)) {
		s->shutdown.at_once = true;
		listen_remove_file(s);
		return false;
	}
	edition_log_notices(s);
	supervisor_flush(s);
	timer_set(s->stats_timer, supervisor_now_us(s) + stats_period_us(s));
	set_log_timer(s);
	watchdog_start(s);
	loop_run(s->loop);
	if (s->shutdown.at_once)
		listen_remove_file(s);
	return true;
}

/* ---- the end ---- */

void supervisor_free_helpers(struct supervisor *s)
{
	struct jobs *jobs = s->office == NULL ? NULL : s->office->jobs;

	if (s->helpers_ended)
		return;
	s->helpers_ended = true;
	actions_free(s);
	web_end_views(s->web);
	console_free(s->console);
	s->console = NULL;
	dns_free(s->dns);
	s->dns = NULL;
	jobs_free(s->lookups);
	s->lookups = NULL;
	for (int i = 0; s->office != NULL && i < ASK_KINDS; i++)
		jobs_free(s->office->asking[i]);
	jobs_free(jobs);
}

/* They have been stopped by the end of a shutdown; here they are only waited for. */
static void free_workers(struct supervisor *s)
{
	if (s->workers == NULL)
		return;
	for (uint16_t i = 0; i < s->office->n_workers; i++)
		if (s->workers[i].started)
			thread_join(&s->workers[i].thread);
	for (uint16_t i = 0; i < s->office->n_workers; i++)
		worker_free(s->workers[i].worker);
	mem_free(s->workers);
}

static bool drained(void *owner)
{
	loop_stop(((struct supervisor *)owner)->loop);
	return true;
}

/* What has come back to main meanwhile: permits, finished lookups. */
static void read_last_letters(struct supervisor *s)
{
	if (s->loop == NULL || s->mailbox == NULL || s->opener == NULL)
		return;
	loop_set_turn(s->loop, drained, s);
	loop_run(s->loop);
}

static void forget_pool(void *arg, struct pool *p)
{
	opener_forget((struct opener *)arg, p);
}

static void free_office(struct supervisor *s)
{
	struct office *o = s->office;

	if (o == NULL)
		return;
	if (o->registry != NULL && s->opener != NULL)
		registry_each_pool(o->registry, NULL, forget_pool, s->opener);
	opener_free(s->opener);
	registry_free(o->registry);
	params_book_free(o->params);
	auth_context_free(o->auth);
	mem_free(o);
}

static void free_loop(struct supervisor *s)
{
	signal_watch_free(s->signals);
	timer_free(s->shutdown.look);
	timer_free(s->opener_timer);
	timer_free(s->stats_timer);
	timer_free(s->sweep_timer);
	timer_free(s->peers_timer);
	timer_free(s->log_timer);
	timer_free(s->watchdog.timer);
	mailbox_free(s->mailbox);
	loop_free(s->loop);
}

bool supervisor_free(struct supervisor *s)
{
	if (s->shutdown.at_once)
		return false;
	listen_stop(s);
	supervisor_free_helpers(s);
	web_free(s->web);
	free_workers(s);
	read_last_letters(s);
	free_office(s);
	free_loop(s);
	config_unref(s->config);
	config_unref(s->noticed);
	mem_free(s);
	return true;
}
