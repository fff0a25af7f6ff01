/*
 * Editions: how another configuration comes into force. Main thread.
 *
 *   edition_look: build and check ─> visit: every worker takes it ─> spread: the pools take it, main takes it
 *                      │ refused                                          │ no memory: visit again with the old one
 *                      └──> answer                                        └──> visit: clients of removed databases go
 */
#include <string.h>

#include "base/mem.h"
#include "conf/config.h"
#include "conf/environment.h"
#include "main/action.h"
#include "main/rules.h"
#include "main/secret_files.h"
#include "main/supervisor.h"
#include "main/tls.h"
#include "net/dns.h"
#include "os/process.h"
#include "pool/opener.h"
#include "wire/sqlstate.h"
#include "worker/client.h"
#include "worker/server.h"

enum edition_stage { EDITION_QUEUED, EDITION_SPREADING, EDITION_TAKING_BACK, EDITION_DROPPING };

/* Owned by main; workers read `fresh` or supervisor->config during a visit. */
struct edition {
	struct action action;
	char *name, *value; /* SET; NULL: RELOAD */
	enum edition_stage stage;
	const struct config *fresh; /* a reference until it is in force */
	unsigned n_loaded_notices;  /* the first ones of fresh->notices: of the load itself */
	int n_visits;
};

static struct edition *edition_of(struct action *a)
{
	return container_of(a, struct edition, action);
}

/* ---- refusing ---- */

/* RELOAD and SET have fixed texts; the reason is DETAIL, and in the log. */
static void refuse(struct edition *e, const char *detail, const char *hint)
{
	struct action *a = &e->action;
	struct log *log = a->s->log;

	struct log_event first = {.level = LEVEL_ERROR, .text = detail, .hint = hint};
	struct log_event second = {
	    .level = LEVEL_WARNING, .event = "refused_again", .text = "config file loading failed"};

	if (e->name == NULL)
		first.event = "reload_refused";
	log_event(log, &first);
	if (e->name == NULL)
		log_event(log, &second);
	str_add_str(&a->detail, detail);
	str_add_str(&a->hint, hint);
	if (e->name != NULL) {
		action_fail(a, "SET failed");
		return;
	}
	a->sqlstate = SQLSTATE_CONFIG_FILE;
	action_fail(a, "RELOAD failed, see logs for additional details");
}

/* ---- building ---- */

static struct config *load(struct edition *e, struct conf_error *why)
{
	const struct environment *environment = e->action.s->environment;
	const struct config *running = e->action.s->config;
	const char *path = running->settings.conffile;
	struct config *fresh;

	if (path == NULL || path[0] == '\0') {
		(void)conf_fail(why, NULL, 0, "there is no configuration file: pgweir was started with a URL");
		conf_hint(why, "Use SET, or start pgweir with a file.");
		return NULL;
	}
	/* SET conffile may have named a file meanwhile */
	if (environment != NULL && environment_has_path(path))
		fresh = config_from_environment(environment, running, why);
	else
		fresh = config_load(path, running, conf_read_file, NULL, why);
	if (fresh == NULL)
		return NULL;
	e->n_loaded_notices = fresh->notices.n;
	if (config_keep_restart_settings(fresh, running))
		return fresh;
	(void)conf_fail_memory(why, path, 0);
	config_unref(fresh);
	return NULL;
}

static bool build(struct edition *e)
{
	struct conf_error why;
	struct config *fresh;
	char reason[512];

	memset(&why, 0, sizeof(why));
	fresh = e->name == NULL ? load(e, &why) : config_with_setting(e->action.s->config, e->name, e->value, &why);
	if (fresh == NULL) {
		refuse(e, why.text, why.hint);
		return false;
	}
	e->fresh = fresh;
	if (!rules_prepare(fresh, e->name == NULL ? NULL : e->action.s->config, &rules_source, &why) ||
	    !tls_prepare(fresh, e->action.s->config, &why)) {
		refuse(e, why.text, why.hint);
		return false;
	}
	if (!logging_check(&fresh->settings, reason, sizeof(reason))) {
		refuse(e, reason, "");
		return false;
	}
	return true;
}

/* ---- in force ---- */

static void log_change(void *context, enum conf_change what, const char *name, const char *before, const char *after)
{
	struct log *log = ((struct supervisor *)context)->log;

	switch (what) {
	case CONF_SETTING_CHANGED:
	case CONF_SETTING_NEEDS_RESTART:
		log_write(log, LEVEL_LOG, "parameter \"%s\" changed from \"%s\" to \"%s\"", name,
		          before == NULL ? "" : before, after == NULL ? "" : after);
		break;
	case CONF_DATABASE_ADDED:
		log_write(log, LEVEL_LOG, "database \"%s\" added", name);
		break;
	case CONF_DATABASE_REMOVED:
		log_write(log, LEVEL_LOG,
		          "dropping database '%s' as it does not exist anymore or inactive auto-database", name);
		break;
	case CONF_DATABASE_CHANGED:
		log_write(log, LEVEL_LOG, "database \"%s\" changed", name);
		break;
	case CONF_DATABASE_SERVERS_STALE:
		log_write(log, LEVEL_LOG, "database \"%s\" changed: its server connections are renewed", name);
		break;
	case CONF_USER_ADDED:
		log_write(log, LEVEL_LOG, "user \"%s\" added", name);
		break;
	case CONF_USER_REMOVED:
		log_write(log, LEVEL_LOG, "user \"%s\" removed", name);
		break;
	case CONF_USER_CHANGED:
		log_write(log, LEVEL_LOG, "user \"%s\" changed", name);
		break;
	case CONF_LOGIN_ADDED:
		log_write(log, LEVEL_LOG, "login of user \"%s\" added", name);
		break;
	case CONF_LOGIN_REMOVED:
		log_write(log, LEVEL_LOG, "login of user \"%s\" removed", name);
		break;
	case CONF_LOGIN_CHANGED:
		log_write(log, LEVEL_LOG, "password of user \"%s\" changed", name);
		break;
	}
}

static bool has_text(const struct conf_texts *texts, const char *text)
{
	for (unsigned i = 0; i < texts->n; i++)
		if (strcmp(texts->text[i], text) == 0)
			return true;
	return false;
}

/* Of a load, those that the log does not have yet. */
static void log_load_notices(struct supervisor *s, const struct config *loaded, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (s->noticed == NULL || !has_text(&s->noticed->notices, loaded->notices.text[i]))
			log_write(s->log, LEVEL_WARNING, "%s", loaded->notices.text[i]);
	config_unref(s->noticed);
	s->noticed = config_ref(loaded);
}

void edition_log_notices(struct supervisor *s)
{
	log_load_notices(s, s->config, s->config->notices.n);
	/* in a container there is nobody else */
	if (!os_is_in_container(""))
		secret_files_warn(s->config, s->log);
}

/* What this change is about: the asker is told, too. Without memory for that only the log has them. */
static void give_notices(struct edition *e)
{
	struct action *a = &e->action;
	const struct conf_texts *texts = &a->s->config->notices;
	unsigned first = e->n_loaded_notices, n = texts->n - first;

	for (unsigned i = 0; i < n; i++)
		log_write(a->s->log, LEVEL_WARNING, "%s", texts->text[first + i]);
	if (n == 0)
		return;
	a->notices = (const char **)mem_alloc((n + 1) * sizeof(a->notices[0]));
	for (unsigned i = 0; i < n && a->notices != NULL; i++)
		a->notices[i] = texts->text[first + i];
	/* the texts live as long as the answer */
	e->fresh = config_ref(a->s->config);
}

/* Workers and pools have it: the rest cannot fail. */
static void take_over(struct edition *e)
{
	struct supervisor *s = e->action.s;
	const struct config *before = s->config;
	char reason[512];

	s->config = e->fresh;
	e->fresh = NULL;
	if (!logging_apply(s->logging, &s->config->settings, reason, sizeof(reason)))
		log_write(s->log, LEVEL_ERROR, "%s", reason);
	opener_set_config(s->opener, s->config);
	supervisor_settings_changed(s);
	if (!config_diff(before, s->config, log_change, s))
		log_write(s->log, LEVEL_WARNING, "not all changes are shown: out of memory");
	if (e->name == NULL)
		log_load_notices(s, s->config, e->n_loaded_notices);
	give_notices(e);
	config_unref(before);
}

static void consider_soon(void *arg, struct pool *p)
{
	struct supervisor *s = (struct supervisor *)arg;

	opener_consider_soon(s->opener, p, supervisor_now_us(s));
}

/* Every worker has the new edition. */
static void spread(struct edition *e)
{
	struct supervisor *s = e->action.s;

	if (!registry_apply(s->office->registry, e->fresh, &s->out)) {
		/* the workers take the old one back; the pools have not changed */
		e->stage = EDITION_TAKING_BACK;
		action_visit(&e->action);
		return;
	}
	take_over(e);
	registry_make_standing(s->office->registry, s->config, &s->out);
	registry_each_pool(s->office->registry, NULL, consider_soon, s);
	if (e->name != NULL) {
		action_succeed(&e->action);
		s->editing = NULL;
		return;
	}
	e->stage = EDITION_DROPPING;
	action_visit(&e->action);
}

/* ---- visits ---- */

static bool is_removed(const struct worker *w, const char *database)
{
	return config_find_database(w->config, database, NULL) == NULL;
}

/* On a worker: its configuration is the new one already. */
static void drop_removed(struct worker *w)
{
	struct list *node, *after;

	list_each_safe (node, after, &w->clients) {
		struct client *c = container_of(node, struct client, on_worker);

		if (c->entry.database != NULL && is_removed(w, c->entry.database->name))
			client_fail_text(c, SQLSTATE_ADMIN_SHUTDOWN, "database removed");
	}
	list_each_safe (node, after, &w->servers) {
		struct server *server = container_of(node, struct server, on_worker);

		if (is_removed(w, server->place.pool->database))
			server_close(server, "database removed");
	}
}

static void edition_visit(struct action *a, struct worker *w)
{
	struct edition *e = edition_of(a);

	switch (e->stage) {
	case EDITION_SPREADING:
		worker_set_config(w, e->fresh);
		break;
	case EDITION_TAKING_BACK:
		worker_set_config(w, a->s->config);
		break;
	case EDITION_DROPPING:
		drop_removed(w);
		break;
	case EDITION_QUEUED:
		break;
	}
}

static void say_reloaded(struct log *log)
{
	struct log_event e = {.level = LEVEL_LOG, .event = "reloaded", .text = "configuration reloaded"};

	log_event(log, &e);
}

static void edition_visited(struct action *a)
{
	struct edition *e = edition_of(a);

	switch (e->stage) {
	case EDITION_SPREADING:
		spread(e);
		break;
	case EDITION_TAKING_BACK:
		refuse(e, "out of memory", "");
		a->s->editing = NULL;
		break;
	case EDITION_DROPPING:
		/* twice: who was on its way between two workers at the first visit has arrived at the second */
		if (++e->n_visits < 2) {
			action_visit(a);
			break;
		}
		supervisor_sweep_soon(a->s);
		say_reloaded(a->s->log);
		action_succeed(a);
		a->s->editing = NULL;
		break;
	case EDITION_QUEUED:
		break;
	}
}

static void edition_look(struct action *a)
{
	struct edition *e = edition_of(a);

	if (a->s->editing != NULL || !build(e))
		return;
	a->s->editing = e;
	e->stage = EDITION_SPREADING;
	action_visit(a);
}

static void edition_fini(struct action *a)
{
	struct edition *e = edition_of(a);

	config_unref(e->fresh);
	mem_free(e->name);
	mem_free(e->value);
}

static const struct action_kind edition_kind = {edition_look, edition_visit, edition_visited, NULL, edition_fini};

void edition_reload(struct supervisor *s, control_done *done, void *asker)
{
	/* it begins when those before it have ended */
	if (action_new(s, sizeof(struct edition), &edition_kind, NULL, done, asker) == NULL)
		log_write(s->log, LEVEL_ERROR, "could not reload: out of memory");
}

void edition_set(struct supervisor *s, const char *name, const char *value, control_done *done, void *asker)
{
	struct edition *e = (struct edition *)action_new(s, sizeof(*e), &edition_kind, NULL, done, asker);

	if (e == NULL)
		return;
	e->name = mem_copy_str(name);
	e->value = mem_copy_str(value);
	if (e->name == NULL || e->value == NULL)
		action_fail(&e->action, "no mem");
}
