/* What is known around a failure, put together for diag/explain: from opener, pool, permit and configuration. Main
   thread. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "conf/tls.h"
#include "conf/userlist.h"
#include "os/family.h"
#include "pool/found_secret.h"
#include "pool/opener_private.h"

/* Room for the texts that facts point to. */
struct fact_texts {
	char since[40], address[128], source[64], place[300], secret_place[300], keepalive[80], limits[240];
	struct local_postgres postgres;
};

/* Likewise, for each target. */
struct tried_texts {
	struct tried tried[PERMIT_MAX_TARGETS];
	char address[PERMIT_MAX_TARGETS][64];
};

static const char *time_text(const struct opener *o, uint64_t at_us, char *buf, size_t size)
{
	time_t seconds = (time_t)((at_us + o->wall_offset_us) / US_PER_S);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(buf, size, "%Y-%m-%d %H:%M:%S UTC", &tm);
	return buf;
}

/* ---- where ---- */

static const char *numeric(const struct address *a, char *buf, size_t size)
{
	return address_is_unix(a) ? a->u.local.sun_path : address_text(a, buf, size);
}

static void add_target(struct facts *f, const struct trouble *t, struct fact_texts *texts)
{
	const struct conf_database *d = t->settings->database;

	f->host = t->host != NULL ? t->host : d->host;
	f->port = d->port;
	if (t->address == NULL)
		return;
	f->is_unix = address_is_unix(t->address);
	f->address = numeric(t->address, texts->address, sizeof(texts->address));
	if (t->source != NULL && t->source->len > 0 && !f->is_unix)
		f->source_address = address_text(t->source, texts->source, sizeof(texts->source));
}

/* `target` NULL: not known. */
static void list_one(const struct target *target, const struct failure *failure, struct tried_texts *texts, uint32_t i)
{
	struct tried *tried = &texts->tried[i];

	memset(tried, 0, sizeof(*tried));
	tried->failure = failure;
	if (target == NULL)
		return;
	tried->host = target->host;
	tried->address = numeric(&target->address, texts->address[i], sizeof(texts->address[i]));
	tried->is_unix = address_is_unix(&target->address);
	tried->port = address_port(&target->address);
}

static void list_tried(const struct permit *permit, const struct target_failure *failed, uint32_t n,
                       struct tried_texts *texts)
{
	for (uint32_t i = 0; i < n && i < PERMIT_MAX_TARGETS; i++)
		list_one(failed[i].target < permit->n_targets ? &permit->target[failed[i].target] : NULL,
		         &failed[i].failure, texts, i);
}

/* Those that were not tried again, with what they answered last. Returns how many there are now. */
static uint32_t list_left_out(const struct permit *permit, struct tried_texts *texts, uint32_t n)
{
	for (uint32_t i = 0; i < permit->n_left_out && n < PERMIT_MAX_TARGETS; i++) {
		const struct target *target = &permit->target[permit->n_targets + i];

		if (target->backend->down)
			list_one(target, &target->backend->failure, texts, n++);
	}
	return n;
}

uint32_t facts_choose(const struct permit *permit, const struct target_failure *failed, uint32_t n)
{
	struct tried_texts texts;
	struct facts f;

	if (n < 2)
		return 0;
	memset(&f, 0, sizeof(f));
	list_tried(permit, failed, n, &texts);
	f.tried = texts.tried;
	f.n_tried = n < PERMIT_MAX_TARGETS ? n : PERMIT_MAX_TARGETS;
	return explain_choose(&f);
}

/* ---- who, and with what ---- */

static enum stored_secret stored_of(const char *secret)
{
	switch (secret_classify(secret)) {
	case SECRET_NONE:
		return STORED_NOTHING;
	case SECRET_PLAIN:
		return STORED_PLAIN;
	case SECRET_MD5:
		return STORED_MD5;
	case SECRET_SCRAM:
		return STORED_SCRAM;
	}
	return STORED_UNKNOWN;
}

/* What was found for the pool's user, if it goes before what is configured. */
static bool add_found_secret(struct facts *f, const struct pool_settings *set, struct pool *p)
{
	struct shared *shared = pool_secret(p);
	const struct found_secret *found = found_secret_of(shared);
	bool counts = found != NULL && (found->by_client || set->secret == NULL);

	if (counts) {
		f->stored = found->by_client ? STORED_PLAIN : stored_of(found->text);
		f->secret_place = found->by_client ? "the client's login" : "auth_query";
	}
	shared_unref(shared);
	return counts;
}

static void add_secret(struct facts *f, const struct pool_settings *set, struct pool *p, struct fact_texts *texts)
{
	const struct conf_login *login = config_find_login(set->config, set->user);
	const struct conf_database *d = set->database;

	f->forced_user = set->forced_user;
	if (add_found_secret(f, set, p))
		return;
	f->stored = set->secret == NULL ? STORED_NOTHING : stored_of(set->secret);
	if (d->password != NULL && set->secret == d->password)
		f->secret_place = f->config_place;
	else if (set->secret != NULL && login != NULL && login->line > 0) {
		if (login->variable != NULL)
			snprintf(texts->secret_place, sizeof(texts->secret_place), "environment variable %s",
			         login->variable);
		else
			snprintf(texts->secret_place, sizeof(texts->secret_place), "%s:%u", set->global->auth_file,
			         login->line);
		f->secret_place = texts->secret_place;
	} else if (set->secret == NULL && !set->forced_user && !p->lookups)
		f->secret_place = "the client's login";
}

static void add_config(struct facts *f, const struct opener_pool *op, const struct trouble *t, struct fact_texts *texts)
{
	const struct pool_settings *set = t->settings;
	const struct conf_database *d = set->database;
	struct tls_settings tls;

	f->database = set->dbname;
	f->hosts = d->host;
	f->wanted_role = session_attrs_phrase(set->session_attrs);
	f->user = set->user;
	conf_server_tls(set->global, d, &tls);
	/* what is configured, where it is in force: never on Unix sockets */
	f->tls = set->server_tls == NULL || f->is_unix ? "off" : tls_mode_name(tls.mode);
	f->ca_file = tls.ca_file;
	f->system_ca = conf_tls_trusts_system(&tls);
	f->encrypted = set->server_tls != NULL && !f->is_unix && tls.mode >= TLS_MODE_REQUIRE;
	f->config_database = op->pool->database;
	if (d->file != NULL) {
		/* without a line it is the name of a variable */
		if (d->line == 0)
			snprintf(texts->place, sizeof(texts->place), "%s", d->file);
		else
			snprintf(texts->place, sizeof(texts->place), "%s:%u", d->file, d->line);
		f->config_place = texts->place;
	}
	f->sqlstate_mode =
	    set->global->error_sqlstate == ERROR_SQLSTATE_PRECISE ? SQLSTATE_PRECISE : SQLSTATE_COMPATIBLE;
	f->runs_auth_query = op->pool->lookups;
	add_secret(f, set, op->pool, texts);
}

/* ---- how many ---- */

static void add_limit(char *text, size_t size, const char *name, uint32_t limit)
{
	size_t used = strlen(text);

	if (limit != UINT32_MAX && used < size)
		snprintf(text + used, size - used, "%s%s %u", used == 0 ? "" : ", ", name, limit);
}

static void add_limits(struct facts *f, const struct pool_settings *set, struct fact_texts *texts)
{
	texts->limits[0] = '\0';
	add_limit(texts->limits, sizeof(texts->limits), "pool_size", set->size);
	add_limit(texts->limits, sizeof(texts->limits), "max_db_connections", set->max_db_connections);
	add_limit(texts->limits, sizeof(texts->limits), "max_user_connections", set->max_user_connections);
	add_limit(texts->limits, sizeof(texts->limits), "max_host_connections", set->max_host_connections);
	add_limit(texts->limits, sizeof(texts->limits), "max_server_connections", set->max_server_connections);
	f->limits = texts->limits;
}

struct count {
	const struct backend *at;
	uint32_t sizes, connections;
};

static void count_pool(void *arg, struct pool *p)
{
	struct count *count = (struct count *)arg;
	const struct opener_pool *op = p->opener;

	if (op == NULL || op->behind != count->at)
		return;
	count->connections += op->n_permits;
	if (p->settings->size != UINT32_MAX)
		count->sizes += p->settings->size;
}

/* Only when the server complains of too many: this walks over all pools. */
static void add_connections(struct facts *f, const struct opener *o, const struct opener_pool *op,
                            const struct failure *failure)
{
	struct count count = {op->behind, 0, 0};

	if (failure->domain != DOMAIN_SERVER || op->behind == NULL)
		return;
	registry_each_pool(o->registry, NULL, count_pool, &count);
	f->pool_sizes = count.sizes;
	f->connections = count.connections;
}

/* ---- together ---- */

static void add_process(struct facts *f, const struct opener *o, const struct settings *g, struct fact_texts *texts)
{
	f->account = o->account_name;
	f->in_container = o->in_container;
	f->on_windows = o->on_windows;
	f->below_windows = o->below_windows;
	f->name_servers = o->name_servers[0] == '\0' ? NULL : o->name_servers;
	if (g->tcp_keepalive && g->tcp_keepidle > 0) {
		snprintf(texts->keepalive, sizeof(texts->keepalive), "after %d s, every %d s, %d times",
		         g->tcp_keepidle, g->tcp_keepintvl, g->tcp_keepcnt);
		f->keepalive = texts->keepalive;
	}
}

/* A server on this machine, as it is registered there. */
static void add_place(struct facts *f, struct fact_texts *texts)
{
	const struct local_postgres *found = &texts->postgres;

	if (!f->on_windows || !facts_are_local(f) || !os_find_postgres(f->port, &texts->postgres))
		return;
	f->place = (struct server_place){.on_windows = true,
	                                 .major = found->major,
	                                 .base = found->base,
	                                 .data = found->data,
	                                 .service = found->service};
}

void facts_judge(const struct opener *o, const struct opener_pool *op, const struct trouble *t, uint64_t now_us,
                 struct verdict *v)
{
	struct fact_texts texts;
	struct tried_texts tried;
	struct facts f;

	memset(&f, 0, sizeof(f));
	add_target(&f, t, &texts);
	add_config(&f, op, t, &texts);
	add_limits(&f, t->settings, &texts);
	add_connections(&f, o, op, t->failure);
	add_process(&f, o, t->settings->global, &texts);
	add_place(&f, &texts);
	f.since = time_text(o, t->since_us, texts.since, sizeof(texts.since));
	f.attempts = t->attempts;
	f.phase_us = t->phase_us;
	f.next_try_us = t->next_try_us > now_us ? t->next_try_us - now_us : 0;
	f.incident = t->incident;
	if (t->n_failed > 0 && t->permit != NULL) {
		list_tried(t->permit, t->failed, t->n_failed, &tried);
		f.tried = tried.tried;
		f.n_tried = t->n_failed < PERMIT_MAX_TARGETS ? t->n_failed : PERMIT_MAX_TARGETS;
		f.n_tried = list_left_out(t->permit, &tried, f.n_tried);
	}
	explain(t->failure, &f, v);
}
