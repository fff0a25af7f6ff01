/*
 * Why a client waits, gathered and told. Thread: the client's worker; the writers are pure.
 *
 *   waiting_why: pool_look_around (one lock) + settings + who else is under the limit ──> struct waiting_why
 *   who holds the longest-lent server: known to its own worker only ── waiting_ask: LOOK ──> waiting_answer, in the
 * pool
 */
#include "worker/waiting.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "pool/backend.h"
#include "pool/outage.h"
#include "pool/settings.h"
#include "wire/message.h"
#include "worker/client.h"
#include "worker/server.h"
#include "worker/telling.h"

#define ASK_AFTER_US (500 * US_PER_MS) /* of waiting: sooner nobody is told */
#define ASK_AGAIN_US US_PER_S

/* ---- who holds a server ---- */

const char *holder_state_text(enum holder_state state)
{
	switch (state) {
	case HOLDER_UNSEEN:
		return "";
	case HOLDER_RUNNING:
		return "running";
	case HOLDER_RUNNING_IN_TRANSACTION:
		return "running in transaction";
	case HOLDER_IDLE_IN_TRANSACTION:
		return "idle in transaction";
	case HOLDER_IDLE_IN_SESSION:
		return "idle in session";
	case HOLDER_PINNED:
		return "idle, kept by state_guard = pin";
	case HOLDER_LEFT:
		return "gone";
	}
	return "";
}

static enum holder_state state_of(const struct client *c)
{
	const struct server *s = c->server;

	if (s == NULL)
		return HOLDER_LEFT;
	if (s->errand != ERRAND_NONE || !answers_at_rest(&s->answers))
		return c->in_transaction ? HOLDER_RUNNING_IN_TRANSACTION : HOLDER_RUNNING;
	if (c->in_transaction)
		return HOLDER_IDLE_IN_TRANSACTION;
	return c->pinned ? HOLDER_PINNED : HOLDER_IDLE_IN_SESSION;
}

/* Other people read it: printable characters only, as PostgreSQL does. */
static void copy_application(char to[HOLDER_APPLICATION_BYTES], const char *from)
{
	size_t n = 0;

	for (; from != NULL && from[n] != '\0' && n < HOLDER_APPLICATION_BYTES - 1; n++)
		to[n] = from[n] >= ' ' && from[n] <= '~' ? from[n] : '?';
	to[n] = '\0';
}

struct holder waiting_holder(const struct client *c, uint64_t now_us)
{
	struct holder h = {.id = c->waiter.id, .seen_us = now_us, .state = state_of(c)};

	copy_application(h.application, client_application_name(c));
	return h;
}

/* Called by the seat's own worker only: servers and clients of others cannot be looked at. */
static void show_holder(struct worker *w, struct seat *s)
{
	uint64_t id = pool_longest_holder(s);
	struct holder h = {.id = id, .seen_us = worker_now_us(w), .state = HOLDER_LEFT};
	struct list *node;

	if (id == 0)
		return;
	list_each (node, &w->servers) {
		const struct server *server = container_of(node, struct server, on_worker);

		if (server->client == NULL || server->client->waiter.id != id)
			continue;
		h = waiting_holder(server->client, worker_now_us(w));
		break;
	}
	pool_show_holder(s, &h);
}

void waiting_answer(struct worker *w, struct seat *s)
{
	if (pool_holder_is_asked(s))
		show_holder(w, s);
}

void waiting_ask(struct worker *w, struct seat *s)
{
	uint64_t since_us = pool_head_since_us(s);
	struct letters letters;

	if (s->pool->n_seats == 1 || since_us == 0 || worker_now_us(w) < since_us + ASK_AFTER_US)
		return;
	letters_init(&letters);
	pool_ask_holder(s->pool, worker_now_us(w), ASK_AGAIN_US, &letters);
	worker_post_all(w, &letters);
}

/* ---- gathering ---- */

struct sharing {
	struct waiting_why *why;
	const struct pool *pool;
};

/* The largest first; what does not fit is counted. */
static void add_share(struct waiting_why *why, const char *name, uint32_t n_servers)
{
	struct waiting_share more;

	snprintf(more.name, sizeof(more.name), "%s", name);
	more.n_servers = n_servers;
	for (unsigned i = 0; i < WAITING_SHARES; i++) {
		struct waiting_share there = why->share[i];

		if (there.n_servers >= more.n_servers)
			continue;
		why->share[i] = more;
		more = there;
	}
	if (more.n_servers > 0)
		why->n_others++;
}

static void look_at_share(void *arg, struct pool *p)
{
	struct sharing *s = (struct sharing *)arg;
	enum pool_limit limit = s->why->crowd.limit;
	char both[2 * WAITING_NAME_BYTES];

	snprintf(both, sizeof(both), "%s/%s", p->database, p->user);
	if (limit == LIMIT_DATABASE)
		add_share(s->why, p->user, pool_count_servers(p, NULL));
	else if (limit != LIMIT_USER)
		add_share(s->why, both, pool_count_servers(p, s->why->crowd.full));
	else if (strcmp(p->user, s->pool->user) == 0)
		add_share(s->why, p->database, pool_count_servers(p, NULL));
}

/* Whose value pool_size is; like conf_pool_size. */
static const char *size_setting(const struct pool_settings *set)
{
	const struct conf_user *u = config_find_user(set->config, set->user);

	if ((u != NULL && u->pool_size != CONF_UNSET) || set->database->pool_size != CONF_UNSET)
		return "pool_size";
	return "default_pool_size";
}

static void name_limit(struct waiting_why *why, const struct pool_settings *set)
{
	switch (why->crowd.limit) {
	case LIMIT_NONE:
		break;
	case LIMIT_POOL_SIZE:
		why->limited_by = size_setting(set);
		why->limit = set->size;
		why->reserve = set->global->reserve_pool_timeout_us > 0 ? set->reserve_size : 0;
		break;
	case LIMIT_DATABASE:
		why->limited_by = "max_db_connections";
		why->limit = set->max_db_connections;
		break;
	case LIMIT_USER:
		why->limited_by = "max_user_connections";
		why->limit = set->max_user_connections;
		break;
	case LIMIT_HOST:
		why->limited_by = "max_host_connections";
		why->limit = set->max_host_connections;
		break;
	case LIMIT_PROCESS:
		why->limited_by = "max_server_connections";
		why->limit = set->max_server_connections;
		break;
	case LIMIT_PARALLEL:
		why->limited_by = "server_connect_parallel";
		why->limit = (uint32_t)set->global->server_connect_parallel;
		break;
	}
}

/* A limit that pools share. */
static bool is_shared(enum pool_limit limit)
{
	return limit == LIMIT_DATABASE || limit == LIMIT_USER || limit == LIMIT_HOST || limit == LIMIT_PROCESS;
}

static enum waiting_reason reason_of(const struct pool_crowd *crowd)
{
	bool is_met = is_shared(crowd->limit) || (crowd->limit == LIMIT_POOL_SIZE && crowd->n_usable > 0);

	if (crowd->state == POOL_PAUSED)
		return WAITING_PAUSED;
	if (crowd->outage != NULL)
		return crowd->n_usable == 0 ? WAITING_DOWN : WAITING_DOWN_BUSY;
	if (is_met)
		return WAITING_LIMIT;
	return crowd->n_opening > 0 ? WAITING_OPENING : WAITING_BUSY;
}

enum waiting_reason waiting_reason_now(struct seat *s, enum pool_limit *limit)
{
	struct pool_crowd crowd;

	pool_look_around(s->pool, &crowd);
	if (crowd.outage != NULL)
		shared_unref(&crowd.outage->shared);
	*limit = crowd.limit;
	return reason_of(&crowd);
}

static void gather(struct waiting_why *why, struct worker *w, struct seat *s)
{
	const struct pool *p = s->pool;
	struct sharing sharing = {why, p};

	memset(why, 0, sizeof(*why));
	why->seat = s;
	why->at_us = worker_now_us(w);
	snprintf(why->database, sizeof(why->database), "%s", p->database);
	snprintf(why->user, sizeof(why->user), "%s", p->user);
	why->lookups = p->lookups;
	why->is_session = s->settings->mode == POOL_MODE_SESSION;
	show_holder(w, s);
	pool_look_around(s->pool, &why->crowd);
	why->reason = reason_of(&why->crowd);
	if (why->reason != WAITING_LIMIT && why->reason != WAITING_OPENING)
		return;
	name_limit(why, s->settings);
	if (is_shared(why->crowd.limit))
		registry_each_pool(w->office->registry, why->crowd.limit == LIMIT_DATABASE ? p->database : NULL,
		                   look_at_share, &sharing);
}

/* Many clients of a seat are told in one turn: they are told the same. */
const struct waiting_why *waiting_why(struct worker *w, struct seat *s, uint32_t n_more)
{
	struct waiting_why *why = &w->waiting;

	if (why->seat == s && why->at_us == worker_now_us(w))
		return why;
	waiting_fini(why);
	gather(why, w, s);
	why->crowd.n_waiting += n_more;
	return why;
}

void waiting_forget(struct worker *w)
{
	waiting_fini(&w->waiting);
}

void waiting_copy(struct waiting_why *to, const struct waiting_why *from)
{
	*to = *from;
	if (to->crowd.outage != NULL)
		shared_ref(&to->crowd.outage->shared);
}

void waiting_fini(struct waiting_why *why)
{
	if (why->crowd.outage != NULL)
		shared_unref(&why->crowd.outage->shared);
	memset(why, 0, sizeof(*why));
}

/* ---- words ---- */

static void write_time(uint64_t us, struct str *out)
{
	if (us < US_PER_S)
		str_printf(out, "%" PRIu64 " ms", (uint64_t)(us / US_PER_MS));
	else
		str_printf(out, "%" PRIu64 " s", (uint64_t)(us / US_PER_S));
}

static uint64_t time_since(uint64_t since_us, uint64_t now_us)
{
	return now_us > since_us ? now_us - since_us : 0;
}

static void write_holder(const struct holder *h, struct str *out)
{
	if (h->id == 0)
		return;
	str_printf(out, " by client %" PRIu64, h->id);
	if (h->state == HOLDER_UNSEEN)
		return;
	str_add_str(out, " (");
	if (h->application[0] != '\0')
		str_printf(out, "application \"%s\", ", h->application);
	str_printf(out, "%s)", holder_state_text(h->state));
}

static void write_busy(const struct waiting_why *why, struct str *out)
{
	const struct pool_crowd *crowd = &why->crowd;

	str_printf(out, "%s%" PRIu32 " of %" PRIu32 " servers are busy", crowd->n_lent == crowd->n_usable ? "all " : "",
	           crowd->n_lent, crowd->n_usable);
	if (crowd->limit == LIMIT_POOL_SIZE && why->limited_by != NULL)
		str_printf(out, " (%s = %" PRIu32, why->limited_by, why->limit);
	if (crowd->limit == LIMIT_POOL_SIZE && why->limited_by != NULL && why->reserve > 0)
		str_printf(out, ", reserve_pool_size = %" PRIu32, why->reserve);
	if (crowd->limit == LIMIT_POOL_SIZE && why->limited_by != NULL)
		str_add_char(out, ')');
	if (crowd->longest_us == 0)
		return;
	str_add_str(out, ", the longest for ");
	write_time(time_since(crowd->longest_us, why->at_us), out);
	write_holder(&crowd->longest, out);
}

static void write_shares(const struct waiting_why *why, struct str *out)
{
	enum pool_limit limit = why->crowd.limit;
	const char *what = limit == LIMIT_DATABASE ? "user" : limit == LIMIT_USER ? "database" : "pool";

	for (unsigned i = 0; i < WAITING_SHARES && why->share[i].n_servers > 0; i++)
		str_printf(out, "%s%s \"%s\" has %" PRIu32, i == 0 ? ": " : ", ", what, why->share[i].name,
		           why->share[i].n_servers);
	if (why->n_others > 0)
		str_printf(out, ", %" PRIu32 " more have some", why->n_others);
}

static void write_full_host(const struct host *full, struct str *out)
{
	char text[128];

	if (full != NULL)
		str_printf(out, " at %s", address_text(&full->address, text, sizeof(text)));
	if (full != NULL && !address_is_unix(&full->address))
		str_printf(out, ", port %u", address_port(&full->address));
}

static void write_limit(const struct waiting_why *why, struct str *out)
{
	if (why->crowd.limit != LIMIT_POOL_SIZE) {
		str_printf(out, "%s = %" PRIu32 " is reached", why->limited_by, why->limit);
		write_full_host(why->crowd.full, out);
		write_shares(why, out);
	}
	if (why->crowd.limit != LIMIT_POOL_SIZE && why->crowd.n_usable > 0)
		str_add_str(out, "; ");
	if (why->crowd.n_usable > 0)
		write_busy(why, out);
}

static void write_opening(const struct waiting_why *why, struct str *out)
{
	if (why->crowd.n_usable > 0) {
		write_busy(why, out);
		str_add_str(out, "; ");
	}
	if (why->crowd.n_opening == 1)
		str_add_str(out, "a server connection is being made");
	else
		str_printf(out, "%" PRIu32 " server connections are being made", why->crowd.n_opening);
	if (why->crowd.limit == LIMIT_PARALLEL)
		str_printf(out, " (%s = %" PRIu32 ")", why->limited_by, why->limit);
}

static void write_outage(const struct waiting_why *why, struct str *out)
{
	const struct outage *o = why->crowd.outage;

	str_add_str(out, "no server connection can be made for ");
	write_time(time_since(o->since_us, why->at_us), out);
	str_printf(out, " (attempts: %" PRIu32, o->attempts);
	if (why->crowd.trying || o->next_try_us == 0) {
		str_add_str(out, ", one is under way");
	} else if (o->next_try_us > why->at_us) {
		str_add_str(out, ", the next in ");
		write_time(o->next_try_us - why->at_us, out);
	}
	str_printf(out, "): %s", str_text(&o->verdict.message));
}

void waiting_write_sentence(const struct waiting_why *why, bool is_login, struct str *out)
{
	if (why->lookups)
		str_printf(out, "the login waits until auth_query can be asked as user \"%s\" in database \"%s\": ",
		           why->user, why->database);
	else if (is_login)
		str_add_str(out, "the login waits for the pool's first server: ");
	switch (why->reason) {
	case WAITING_BUSY:
		write_busy(why, out);
		break;
	case WAITING_LIMIT:
		write_limit(why, out);
		break;
	case WAITING_OPENING:
		write_opening(why, out);
		break;
	case WAITING_DOWN:
		write_outage(why, out);
		break;
	case WAITING_DOWN_BUSY:
		write_busy(why, out);
		str_add_str(out, "; it cannot get more because ");
		write_outage(why, out);
		break;
	case WAITING_PAUSED:
		str_printf(out, "database \"%s\" is paused", why->database);
		if (why->crowd.paused_since_us != 0) {
			str_add_str(out, " for ");
			write_time(time_since(why->crowd.paused_since_us, why->at_us), out);
		}
		break;
	}
}

static bool tells_outage(const struct waiting_why *why)
{
	return why->reason == WAITING_DOWN || why->reason == WAITING_DOWN_BUSY;
}

void waiting_write_detail(const struct waiting_why *why, bool is_login, struct str *out)
{
	uint32_t n = why->crowd.n_waiting;

	str_printf(out, "Database \"%s\", user \"%s\", %" PRIu32 " client%s waiting: ", why->database, why->user, n,
	           n == 1 ? "" : "s");
	waiting_write_sentence(why, is_login, out);
	str_add_char(out, '.');
	if (tells_outage(why) && why->crowd.outage->verdict.detail.len > 0)
		str_printf(out, " %s", str_text(&why->crowd.outage->verdict.detail));
}

/* What may be done about the pool's size; a colon or a full stop stands before it. */
static void write_size_advice(const struct waiting_why *why, struct str *out)
{
	str_printf(out, "raise %s, if PostgreSQL's max_connections leaves room",
	           why->limited_by == NULL ? "the pool's size" : why->limited_by);
}

static void write_busy_hint(const struct waiting_why *why, struct str *out)
{
	uint64_t id = why->crowd.longest.id;

	switch (why->crowd.longest.state) {
	case HOLDER_IDLE_IN_TRANSACTION:
		str_printf(out,
		           "Client %" PRIu64 " keeps a transaction open without using it: let it end its transactions "
		           "sooner, or set idle_transaction_timeout. \"KILL_CLIENT %" PRIu64
		           "\" on the console ends it now.",
		           id, id);
		break;
	case HOLDER_IDLE_IN_SESSION:
		str_printf(out,
		           "With pool_mode = session client %" PRIu64
		           " keeps its server until it disconnects: use pool_mode = transaction if the application "
		           "allows it, or ",
		           id);
		write_size_advice(why, out);
		str_add_char(out, '.');
		break;
	case HOLDER_PINNED:
		str_printf(
		    out,
		    "Client %" PRIu64
		    " has left state behind in its session and keeps its server until it disconnects (state_guard "
		    "= pin): the log says what it was and what to do instead. Or ",
		    id);
		write_size_advice(why, out);
		str_add_char(out, '.');
		break;
	case HOLDER_RUNNING:
	case HOLDER_RUNNING_IN_TRANSACTION:
		str_printf(out,
		           "See in pg_stat_activity on the server what client %" PRIu64
		           " runs and whether it waits for a lock. If such queries are normal, ",
		           id);
		write_size_advice(why, out);
		str_add_char(out, '.');
		break;
	case HOLDER_UNSEEN:
	case HOLDER_LEFT:
		str_add_str(out, "\"SHOW WAITS\" on the console tells who holds the servers. If they are needed that "
		                 "long, ");
		write_size_advice(why, out);
		str_add_char(out, '.');
		break;
	}
}

void waiting_write_hint(const struct waiting_why *why, struct str *out)
{
	switch (why->reason) {
	case WAITING_BUSY:
		write_busy_hint(why, out);
		break;
	case WAITING_LIMIT:
		if (why->crowd.limit == LIMIT_POOL_SIZE)
			write_busy_hint(why, out);
		else
			str_printf(out,
			           "Raise %s, or give the pools under it a smaller pool_size; \"SHOW POOLS\" on the "
			           "console shows what each of them has.",
			           why->limited_by);
		break;
	case WAITING_OPENING:
		break;
	case WAITING_DOWN:
	case WAITING_DOWN_BUSY:
		str_add_str(out, str_text(&why->crowd.outage->verdict.hint));
		break;
	case WAITING_PAUSED:
		str_printf(
		    out,
		    "Somebody has typed PAUSE or KILL on the console. \"RESUME %s\" ends it, or \"RESUME\" if all "
		    "databases are paused.",
		    why->database);
		break;
	}
}

/* ---- telling ---- */

/* `class` NULL: not into SHOW ERRORS, main has it there. */
static void fail_with(struct client *c, const char *class, struct words *words, const struct waiting_why *why)
{
	struct str detail, hint;

	str_init(&detail, WAITING_TEXT_LIMIT_BYTES);
	str_init(&hint, WAITING_TEXT_LIMIT_BYTES);
	waiting_write_detail(why, c->state == CLIENT_GREETING, &detail);
	waiting_write_hint(why, &hint);
	if (detail.len > 0)
		words->detail = str_text(&detail);
	words->hint = hint.len > 0 ? str_text(&hint) : NULL;
	if (tells_outage(why))
		c->untold = !telling_add(c->worker, c->entry.seat, why->crowd.outage);
	if (class != NULL)
		client_note(c, class, NULL, words->message, words->hint);
	client_fail(c, words);
	str_fini(&detail);
	str_fini(&hint);
}

void waiting_time_out(struct client *c)
{
	const struct waiting_why *why = waiting_why(c->worker, c->entry.seat, 1);

	waiting_fail(c, "query_wait_timeout",
	             why->reason == WAITING_PAUSED ? SQLSTATE_CANNOT_CONNECT_NOW : SQLSTATE_TOO_MANY_CONNECTIONS,
	             "query_wait_timeout");
}

void waiting_fail(struct client *c, const char *class, const char *precise, const char *text)
{
	bool compatible = c->worker->config->settings.error_sqlstate == ERROR_SQLSTATE_COMPATIBLE;
	struct words words = {"FATAL", compatible ? SQLSTATE_PROTOCOL : precise, text, NULL, NULL};

	fail_with(c, class, &words, waiting_why(c->worker, c->entry.seat, c->waiter.queued ? 0 : 1));
}

void waiting_fail_busy(struct client *c, struct outage *outage)
{
	struct words words = verdict_words(&outage->verdict);
	struct waiting_why why;

	waiting_copy(&why, waiting_why(c->worker, c->entry.seat, 1));
	if (why.crowd.outage != outage) {
		/* another one since, or none: told is what ended the waiting */
		if (why.crowd.outage != NULL)
			shared_unref(&why.crowd.outage->shared);
		shared_ref(&outage->shared);
		why.crowd.outage = outage;
	}
	why.reason = WAITING_DOWN_BUSY;
	why.limited_by = NULL;
	fail_with(c, NULL, &words, &why);
	waiting_fini(&why);
}
