/* PAUSE, RESUME, DISABLE, ENABLE, RECONNECT, KILL, KILL_CLIENT, WAIT_CLOSE. Main thread; visits run on workers. */
#include <string.h>

#include "main/action.h"
#include "main/supervisor.h"
#include "os/service.h"
#include "pool/opener.h"
#include "pool/registry.h"
#include "wire/sqlstate.h"
#include "worker/client.h"
#include "worker/console_guest.h"
#include "worker/server.h"

/* ---- what is common ---- */

static struct registry *registry_of(const struct action *a)
{
	return a->s->office->registry;
}

/* For actions that are settled when they are asked for. */
static void look_at_nothing(struct action *a)
{
	(void)a;
}

static const struct action_kind at_once = {look_at_nothing, NULL, NULL, NULL, NULL};

/* The named database exists and is none of the console's; else the action fails. `verb` as in "cannot pause admin db".
 */
static bool find_database(struct action *a, const char *verb)
{
	if (a->database == NULL)
		return true;
	if (console_is_database(a->s->config, a->database)) {
		action_fail(a, "cannot %s admin db: %s", verb, a->database);
		return false;
	}
	if (registry_database(registry_of(a), a->s->config, a->database) == NULL) {
		action_fail(a, "no such database: %s", a->database);
		return false;
	}
	return true;
}

struct for_pools {
	struct supervisor *s;
	bool reconnect;
};

/* With the registry's lock held: nothing here takes it again. */
static void try_again(void *arg, struct pool *p)
{
	struct for_pools *all = (struct for_pools *)arg;

	if (all->reconnect)
		pool_reconnect(p, &all->s->out);
	opener_forget_outage(all->s->opener, p);
	opener_consider_soon(all->s->opener, p, supervisor_now_us(all->s));
}

/* ---- PAUSE and RESUME ---- */

static void look_at_pause(struct action *a)
{
	if (!registry_is_paused(registry_of(a), a->database)) {
		action_fail(a, "the pause was ended by RESUME");
	} else if (registry_count_permits(registry_of(a), a->database) == 0) {
		if (a->database == NULL)
			service_notify_paused(true);
		action_succeed(a);
	}
}

static void resume(struct supervisor *s, const char *database)
{
	struct for_pools all = {s, false};

	registry_set_paused(s->office->registry, database, false, &s->out);
	registry_each_pool(s->office->registry, database, try_again, &all);
	if (database == NULL)
		service_notify_paused(false);
}

/* Canceled: as if it had never been asked for. Who has just gone meant it, perhaps by way of a bad line. */
static void pause_forgotten(struct action *a, bool canceled)
{
	if (canceled && !shutdown_is_under_way(a->s))
		resume(a->s, a->database);
	action_succeed(a);
}

static const struct action_kind pause_kind = {look_at_pause, NULL, NULL, pause_forgotten, NULL};

void pausing_pause(struct supervisor *s, const char *database, control_done *done, void *asker)
{
	struct action *a = (struct action *)action_new(s, sizeof(*a), &pause_kind, database, done, asker);

	if (a == NULL)
		return;
	if (registry_is_paused(s->office->registry, NULL)) {
		action_fail(a, "already paused");
	} else if (find_database(a, "pause")) {
		registry_set_paused(s->office->registry, database, true, &s->out);
		if (database == NULL)
			service_notify_pausing();
	}
}

void pausing_resume(struct supervisor *s, const char *database, control_done *done, void *asker)
{
	struct action *a = (struct action *)action_new(s, sizeof(*a), &at_once, database, done, asker);
	struct registry *r = s->office->registry;

	if (a == NULL)
		return;
	if (shutdown_is_under_way(s)) {
		action_fail(a, "pooler is shutting down");
	} else if (database == NULL && !registry_is_paused(r, NULL)) {
		action_fail(a, "pooler is not paused");
	} else if (database != NULL && !console_is_database(s->config, database) &&
	           registry_database(r, s->config, database) == NULL) {
		action_fail(a, "no such database: %s", database);
	} else if (database != NULL && !registry_is_paused(r, database)) {
		action_fail(a, "database %s is not paused", database);
	} else {
		resume(s, database);
		action_succeed(a);
	}
}

/* ---- DISABLE and ENABLE ---- */

static void set_disabled(struct supervisor *s, const char *database, bool disabled, control_done *done, void *asker)
{
	struct action *a = (struct action *)action_new(s, sizeof(*a), &at_once, database, done, asker);

	if (a == NULL)
		return;
	if (database == NULL) {
		action_fail(a, "a database is required");
	} else if (find_database(a, disabled ? "disable" : "enable")) {
		registry_set_disabled(s->office->registry, database, disabled);
		action_succeed(a);
	}
}

void pausing_disable(struct supervisor *s, const char *database, control_done *done, void *asker)
{
	set_disabled(s, database, true, done, asker);
}

void pausing_enable(struct supervisor *s, const char *database, control_done *done, void *asker)
{
	set_disabled(s, database, false, done, asker);
}

/* ---- RECONNECT ---- */

void pausing_reconnect(struct supervisor *s, const char *database, control_done *done, void *asker)
{
	struct action *a = (struct action *)action_new(s, sizeof(*a), &at_once, database, done, asker);
	struct for_pools all = {s, true};

	if (a == NULL || !find_database(a, "reconnect"))
		return;
	registry_each_pool(s->office->registry, database, try_again, &all);
	action_succeed(a);
}

/* ---- KILL ---- */

static bool is_meant(const struct database *d, const char *name)
{
	return d != NULL && (name == NULL || strcmp(d->name, name) == 0);
}

/* Closing one can close others, whichever they are: after each the walk begins anew. */
static bool drop_one_client(struct worker *w, const char *database)
{
	struct list *node;

	list_each (node, &w->clients) {
		struct client *c = container_of(node, struct client, on_worker);

		if (!is_meant(c->entry.database, database))
			continue;
		client_fail_text(c, SQLSTATE_ADMIN_SHUTDOWN, "database removed");
		return true;
	}
	return false;
}

static bool drop_one_server(struct worker *w, const char *database)
{
	struct list *node;

	list_each (node, &w->servers) {
		struct server *server = container_of(node, struct server, on_worker);

		if (database != NULL && strcmp(server->place.pool->database, database) != 0)
			continue;
		server_close(server, "database removed");
		return true;
	}
	return false;
}

/* Closes clients and servers of this database, or of all when it is NULL. */
static void drop_all(struct worker *w, const char *database)
{
	while (drop_one_client(w, database))
		;
	while (drop_one_server(w, database))
		;
}

struct killing {
	struct action action;
	int n_visits;
};

static void kill_visit(struct action *a, struct worker *w)
{
	drop_all(w, a->database);
}

/* Twice: who was on its way between two workers at the first visit has arrived at the second. */
static void kill_visited(struct action *a)
{
	struct killing *k = container_of(a, struct killing, action);

	if (++k->n_visits < 2) {
		action_visit(a);
		return;
	}
	registry_end_kill(registry_of(a), a->database, &a->s->out);
	action_succeed(a);
}

static const struct action_kind kill_kind = {look_at_nothing, kill_visit, kill_visited, NULL, NULL};

/* "All" are those of the configuration, too, that nobody has asked for yet. */
static void make_all_databases(struct supervisor *s)
{
	const struct conf_database *d;

	for (unsigned i = 0; (d = config_database(s->config, i)) != NULL; i++)
		if (strcmp(d->name, "*") != 0)
			(void)registry_database(s->office->registry, s->config, d->name);
}

void pausing_kill(struct supervisor *s, const char *database, control_done *done, void *asker)
{
	struct killing *k = (struct killing *)action_new(s, sizeof(*k), &kill_kind, database, done, asker);

	if (k == NULL || !find_database(&k->action, "kill"))
		return;
	if (database == NULL)
		make_all_databases(s);
	registry_begin_kill(s->office->registry, database, &s->out);
	action_visit(&k->action);
}

/* ---- KILL_CLIENT ---- */

struct search {
	struct action action;
	uint64_t id;
	bool found;
	int n_visits;
};

static void search_visit(struct action *a, struct worker *w)
{
	struct search *search = container_of(a, struct search, action);
	struct list *node;

	list_each (node, &w->clients) {
		struct client *c = container_of(node, struct client, on_worker);

		if (c->waiter.id != search->id || c->state == CLIENT_CLOSING)
			continue;
		search->found = true;
		client_fail_text(c, SQLSTATE_ADMIN_SHUTDOWN, "admin forced disconnect");
		break;
	}
}

/* Twice for the same reason as KILL. */
static void search_visited(struct action *a)
{
	struct search *search = container_of(a, struct search, action);

	if (search->found)
		action_succeed(a);
	else if (++search->n_visits < 2)
		action_visit(a);
	else
		action_fail(a, "client not found");
}

static const struct action_kind search_kind = {look_at_nothing, search_visit, search_visited, NULL, NULL};

void pausing_kill_client(struct supervisor *s, uint64_t id, control_done *done, void *asker)
{
	struct search *search = (struct search *)action_new(s, sizeof(*search), &search_kind, NULL, done, asker);

	if (search == NULL)
		return;
	search->id = id;
	action_visit(&search->action);
}

/* ---- WAIT_CLOSE ---- */

struct waiting {
	struct action action;
	uint32_t n_stale;    /* servers of an older epoch that the present visit has met */
	int n_clear;         /* visits in a row that met none */
	bool wanted;         /* another visit is due */
	uint64_t n_returned; /* supervisor's when the last visit began */
};

static bool is_stale(const struct place *pl)
{
	bool stale;

	lock_take(&pl->pool->lock);
	stale = pl->epoch != pl->pool->epoch;
	lock_drop(&pl->pool->lock);
	return stale;
}

static void wait_visit(struct action *a, struct worker *w)
{
	struct waiting *wait = container_of(a, struct waiting, action);
	struct list *node;

	list_each (node, &w->servers) {
		struct server *server = container_of(node, struct server, on_worker);

		if (a->database != NULL && strcmp(server->place.pool->database, a->database) != 0)
			continue;
		if (is_stale(&server->place))
			wait->n_stale++;
	}
}

static void wait_visited(struct action *a)
{
	struct waiting *wait = container_of(a, struct waiting, action);

	wait->n_clear = wait->n_stale == 0 ? wait->n_clear + 1 : 0;
	wait->wanted = wait->n_clear == 1;
	/* one clear visit may have missed a server that was on its way between two workers */
	if (wait->n_clear == 2 || a->done == NULL)
		action_succeed(a);
}

/* A server that goes away gives its permit back: then it is worth counting again. */
static void look_at_wait(struct action *a)
{
	struct waiting *wait = container_of(a, struct waiting, action);

	if (!wait->wanted && wait->n_returned == a->s->n_returned)
		return;
	wait->wanted = false;
	wait->n_stale = 0;
	wait->n_returned = a->s->n_returned;
	action_visit(a);
}

/* A visit that is under way cannot be called back: it ends the action when it returns. */
static void wait_forgotten(struct action *a, bool canceled)
{
	(void)canceled;
	if (!a->visiting)
		action_succeed(a);
}

static const struct action_kind wait_kind = {look_at_wait, wait_visit, wait_visited, wait_forgotten, NULL};

void pausing_wait_close(struct supervisor *s, const char *database, control_done *done, void *asker)
{
	struct waiting *wait = (struct waiting *)action_new(s, sizeof(*wait), &wait_kind, database, done, asker);

	if (wait != NULL && find_database(&wait->action, "wait in"))
		wait->wanted = true;
}
