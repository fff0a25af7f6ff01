/*
 * SHOW DATABASES, POOLS, USERS, LISTS, MEM: what is counted in the pools and the
 * registry, taken under their locks. Pools, databases and accounts are freed by
 * main only, so main may keep pointers while it answers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/rows.h"
#include "admin/terminal.h"
#include "admin/view.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/dns.h"
#include "net/loop.h"
#include "worker/client.h"
#include "worker/server.h"

const struct message_column databases_columns[] = {
    COLUMN_TEXT("name"),
    COLUMN_TEXT("host"),
    COLUMN_INT("port"),
    COLUMN_TEXT("database"),
    COLUMN_TEXT("force_user"),
    COLUMN_INT("pool_size"),
    COLUMN_INT("min_pool_size"),
    COLUMN_INT("reserve_pool_size"),
    COLUMN_INT("server_lifetime"),
    COLUMN_TEXT("pool_mode"),
    COLUMN_TEXT("load_balance_hosts"),
    COLUMN_INT("max_connections"),
    COLUMN_INT("current_connections"),
    COLUMN_INT("max_client_connections"),
    COLUMN_INT("current_client_connections"),
    COLUMN_INT("paused"),
    COLUMN_INT("disabled"),
    {NULL, 0, 0},
};

const struct message_column pools_columns[] = {
    COLUMN_TEXT("database"),
    COLUMN_TEXT("user"),
    COLUMN_INT("cl_active"),
    COLUMN_INT("cl_waiting"),
    COLUMN_INT("cl_active_cancel_req"),
    COLUMN_INT("cl_waiting_cancel_req"),
    COLUMN_INT("sv_active"),
    COLUMN_INT("sv_active_cancel"),
    COLUMN_INT("sv_being_canceled"),
    COLUMN_INT("sv_idle"),
    COLUMN_INT("sv_used"),
    COLUMN_INT("sv_tested"),
    COLUMN_INT("sv_login"),
    COLUMN_INT("maxwait"),
    COLUMN_INT("maxwait_us"),
    COLUMN_TEXT("pool_mode"),
    COLUMN_TEXT("load_balance_hosts"),
    {NULL, 0, 0},
};

const struct message_column usage_columns[] = {
    COLUMN_TEXT("database"),
    COLUMN_TEXT("user"),
    COLUMN_TEXT("pool_mode"),
    COLUMN_BIG("pool_size"),
    COLUMN_BIG("reserve_pool_size"),
    COLUMN_INT("cl_active"),
    COLUMN_INT("cl_waiting"),
    COLUMN_INT("sv_active"),
    COLUMN_INT("sv_idle"),
    COLUMN_INT("sv_login"),
    COLUMN_BIG("maxwait_us"),
    COLUMN_INT("paused"),
    {NULL, 0, 0},
};

const struct message_column users_columns[] = {
    COLUMN_TEXT("name"),
    COLUMN_TEXT("pool_size"),
    COLUMN_TEXT("reserve_pool_size"),
    COLUMN_TEXT("pool_mode"),
    COLUMN_INT("max_user_connections"),
    COLUMN_INT("current_connections"),
    COLUMN_INT("max_user_client_connections"),
    COLUMN_INT("current_client_connections"),
    {NULL, 0, 0},
};

const struct message_column lists_columns[] = {COLUMN_TEXT("list"), COLUMN_INT("items"), {NULL, 0, 0}};

const struct message_column mem_columns[] = {
    COLUMN_TEXT("name"), COLUMN_INT("size"),     COLUMN_INT("used"),
    COLUMN_INT("free"),  COLUMN_INT("memtotal"), {NULL, 0, 0},
};

static const struct config *config_of(const struct view *v)
{
	return v->console->control->config(v->console->control->self);
}

static struct registry *registry_of(const struct view *v)
{
	return v->console->control->office->registry;
}

/* ---- growing arrays ---- */

/* Things of one size. */
struct array {
	void *things;
	size_t size, n, room;
	bool failed; /* out of memory */
};

/* Room for one more, zeroed; NULL: out of memory. */
static void *array_add(struct array *a)
{
	size_t room = a->room == 0 ? 16 : a->room * 2;
	void *more;

	if (a->n == a->room) {
		more = mem_resize(a->things, room * a->size);
		if (more == NULL) {
			a->failed = true;
			return NULL;
		}
		a->things = more;
		a->room = room;
	}
	more = (char *)a->things + a->n++ * a->size;
	memset(more, 0, a->size);
	return more;
}

static void array_sort(struct array *a, int (*compare)(const void *x, const void *y))
{
	if (a->n > 1)
		qsort(a->things, a->n, a->size, compare);
}

static void *array_at(const struct array *a, size_t i)
{
	return (char *)a->things + i * a->size;
}

/* ---- databases ---- */

/* A row of SHOW DATABASES. Names are the registry's or the configuration's. */
struct database_facts {
	const char *name;
	const struct conf_database *entry; /* NULL: the console */
	bool paused, disabled;
	uint32_t n_permits, n_clients;
};

static int by_database_name(const void *x, const void *y)
{
	return strcmp(((const struct database_facts *)x)->name, ((const struct database_facts *)y)->name);
}

static void note_database(void *arg, struct database *d)
{
	struct array *all = (struct array *)arg;
	struct database_facts *facts;

	if (d->removed)
		return;
	facts = (struct database_facts *)array_add(all);
	if (facts == NULL)
		return;
	facts->name = d->name;
	facts->paused = d->paused;
	facts->disabled = d->disabled;
	facts->n_permits = d->quota.n_permits;
	facts->n_clients = d->n_clients;
}

static void add_console(const struct view *v, struct array *all)
{
	struct database_facts *facts = (struct database_facts *)array_add(all);

	if (facts == NULL)
		return;
	facts->name = CONSOLE_DATABASE;
	facts->n_clients = v->console->n_terminals;
}

/* What is configured and what clients have made of the template, in order of names. */
static struct array list_databases(const struct view *v)
{
	struct array all = {.size = sizeof(struct database_facts)}, known;
	const struct config *conf = config_of(v);
	const struct conf_database *entry;

	registry_each_database(registry_of(v), note_database, &all);
	array_sort(&all, by_database_name);
	known = all;
	for (size_t i = 0; i < known.n; i++) {
		struct database_facts *facts = (struct database_facts *)array_at(&all, i);

		facts->entry = config_find_database(conf, facts->name, NULL);
	}
	for (unsigned i = 0; (entry = config_database(conf, i)) != NULL; i++) {
		struct database_facts key = {.name = entry->name}, *facts;

		if (strcmp(entry->name, "*") == 0)
			continue;
		if (known.n > 0 && bsearch(&key, all.things, known.n, all.size, by_database_name) != NULL)
			continue;
		facts = (struct database_facts *)array_add(&all);
		if (facts == NULL)
			break;
		facts->name = entry->name;
		facts->entry = entry;
	}
	add_console(v, &all);
	array_sort(&all, by_database_name);
	return all;
}

static const char *balance_text(const struct conf_database *d)
{
	return d->n_hosts > 1 ? load_balance_name(d->load_balance_hosts) : NULL;
}

static void write_database(struct view *v, const struct database_facts *facts)
{
	const struct config *conf = config_of(v);
	const struct conf_database *d = facts->entry;
	struct row r;

	row_begin(&r, &v->out, v->n_columns);
	row_text(&r, facts->name);
	row_text(&r, d->host);
	row_int(&r, d->port);
	row_text(&r, d->dbname == NULL ? facts->name : d->dbname);
	row_text(&r, d->user);
	row_int(&r, conf_pool_size(conf, d, NULL));
	row_int(&r, conf_min_pool_size(conf, d));
	row_int(&r, conf_reserve_pool_size(conf, d, NULL));
	row_int(&r, (int64_t)(conf_server_lifetime_us(conf, d) / US_PER_S));
	row_text(&r, d->has_pool_mode ? pool_mode_name(d->pool_mode) : NULL);
	row_text(&r, balance_text(d));
	row_int(&r, conf_max_db_connections(conf, d));
	row_int(&r, facts->n_permits);
	row_int(&r, conf_max_db_client_connections(conf, d));
	row_int(&r, facts->n_clients);
	row_int(&r, facts->paused);
	row_int(&r, facts->disabled);
	row_end(&r);
}

static void write_console_database(struct view *v, const struct database_facts *facts)
{
	const struct settings *settings = &config_of(v)->settings;
	struct row r;

	row_begin(&r, &v->out, v->n_columns);
	row_text(&r, CONSOLE_DATABASE);
	row_text(&r, NULL);
	row_int(&r, settings->listen_port);
	row_text(&r, CONSOLE_DATABASE);
	row_text(&r, CONSOLE_DATABASE);
	row_int(&r, 2);
	row_int(&r, 0);
	row_int(&r, 0);
	row_int(&r, (int64_t)(settings->server_lifetime_us / US_PER_S));
	row_text(&r, pool_mode_name(POOL_MODE_STATEMENT));
	row_text(&r, NULL);
	row_int(&r, 0);
	row_int(&r, 0);
	row_int(&r, 0);
	row_int(&r, facts->n_clients);
	row_int(&r, 0);
	row_int(&r, 0);
	row_end(&r);
}

void show_databases(struct view *v)
{
	struct array all = list_databases(v);

	for (size_t i = 0; i < all.n; i++) {
		const struct database_facts *facts = (const struct database_facts *)array_at(&all, i);

		if (strcmp(facts->name, CONSOLE_DATABASE) == 0)
			write_console_database(v, facts);
		else if (facts->entry != NULL)
			write_database(v, facts);
	}
	if (all.failed)
		v->out.failed = true;
	mem_free(all.things);
}

/* ---- pools ---- */

/* What is counted in one pool, over all its seats. */
struct pool_facts {
	uint32_t clients, waiting, active, idle, opening;
	uint64_t oldest_us;     /* when the first waiter began to wait; 0: nobody waits */
	uint32_t size, reserve; /* UINT32_MAX: unlimited */
	bool paused;
	enum pool_mode mode;
	const char *balance;
};

static struct pool_facts pool_facts_of(struct pool *p)
{
	struct pool_facts facts;

	memset(&facts, 0, sizeof(facts));
	lock_take(&p->lock);
	for (uint16_t i = 0; i < p->n_seats; i++) {
		const struct seat *s = &p->seat[i];

		facts.clients += s->n_clients;
		facts.waiting += s->n_waiting + s->n_newcomers;
		facts.active += s->n_lent + s->n_moving; /* one that moves is promised to somebody */
		facts.idle += s->n_idle;
		facts.opening += s->n_opening;
		if (!list_is_empty(&s->waiting)) {
			uint64_t since_us = container_of_const(s->waiting.next, struct waiter, node)->since_us;

			if (facts.oldest_us == 0 || since_us < facts.oldest_us)
				facts.oldest_us = since_us;
		}
	}
	if (p->lookups) /* as in PgBouncer, its clients are none that have logged in */
		facts.clients = facts.waiting;
	facts.size = p->settings->size;
	facts.reserve = p->settings->reserve_size;
	facts.paused = p->state == POOL_PAUSED;
	facts.mode = p->settings->mode;
	facts.balance = balance_text(p->settings->database);
	lock_drop(&p->lock);
	return facts;
}

/* NULL stands for the console. */
static void note_pool(void *arg, struct pool *p)
{
	struct pool **slot = (struct pool **)array_add((struct array *)arg);

	if (slot != NULL)
		*slot = p;
}

static const char *pool_database(const struct pool *p)
{
	return p == NULL ? CONSOLE_DATABASE : p->database;
}

static const char *pool_user(const struct pool *p)
{
	return p == NULL ? CONSOLE_DATABASE : p->user;
}

/* A replication connection's, or one that runs auth_query: it counts in the row of its database and user. */
static bool is_guest(const struct pool *p)
{
	return p != NULL && (p->home != NULL || p->lookups);
}

/* In one row with the one before it. */
static bool shares_row(const struct pool *before, const struct pool *p)
{
	return is_guest(p) && strcmp(pool_database(before), pool_database(p)) == 0 &&
	       strcmp(pool_user(before), pool_user(p)) == 0;
}

/* Guests come behind their home, if there is one. */
static int by_pool_name(const void *x, const void *y)
{
	const struct pool *a = *(const struct pool *const *)x, *b = *(const struct pool *const *)y;
	int order = strcmp(pool_database(a), pool_database(b));

	if (order == 0)
		order = strcmp(pool_user(a), pool_user(b));
	return order != 0 ? order : (int)is_guest(a) - (int)is_guest(b);
}

static struct array list_pools(const struct view *v)
{
	struct array all = {.size = sizeof(struct pool *)};

	registry_each_pool(registry_of(v), NULL, note_pool, &all);
	note_pool(&all, NULL);
	array_sort(&all, by_pool_name);
	return all;
}

static void add_guest(struct pool_facts *home, struct pool *guest)
{
	struct pool_facts facts = pool_facts_of(guest);

	home->clients += facts.clients;
	home->waiting += facts.waiting;
	home->active += facts.active;
	home->idle += facts.idle;
	home->opening += facts.opening;
	if (facts.oldest_us != 0 && (home->oldest_us == 0 || facts.oldest_us < home->oldest_us))
		home->oldest_us = facts.oldest_us;
}

static uint64_t waited_us(const struct view *v, const struct pool_facts *facts)
{
	uint64_t now_us = loop_now_us(v->console->control->loop);

	return facts->oldest_us != 0 && now_us > facts->oldest_us ? now_us - facts->oldest_us : 0;
}

static uint32_t active_clients(const struct pool_facts *facts)
{
	return facts->clients > facts->waiting ? facts->clients - facts->waiting : 0;
}

static void write_pool(struct view *v, struct pool *p, const struct pool_facts *facts)
{
	uint64_t longest_us = waited_us(v, facts);
	struct row r;

	row_begin(&r, &v->out, v->n_columns);
	row_text(&r, pool_database(p));
	row_text(&r, pool_user(p));
	row_int(&r, active_clients(facts));
	row_int(&r, facts->waiting);
	row_int(&r, 0); /* cancel requests have no queue here */
	row_int(&r, 0);
	row_int(&r, facts->active);
	row_int(&r, 0);
	row_int(&r, 0);
	row_int(&r, facts->idle);
	row_int(&r, 0); /* servers are not kept apart until they are tested */
	row_int(&r, 0);
	row_int(&r, facts->opening);
	row_int(&r, (int64_t)(longest_us / US_PER_S));
	row_int(&r, (int64_t)(longest_us % US_PER_S));
	row_text(&r, pool_mode_name(facts->mode));
	row_text(&r, facts->balance);
	row_end(&r);
}

static void write_usage(struct view *v, struct pool *p, const struct pool_facts *facts)
{
	struct row r;

	if (p == NULL)
		return;
	row_begin(&r, &v->out, v->n_columns);
	row_text(&r, p->database);
	row_text(&r, p->user);
	row_text(&r, pool_mode_name(facts->mode));
	if (facts->size == UINT32_MAX)
		row_text(&r, NULL);
	else
		row_number(&r, facts->size);
	row_number(&r, facts->reserve);
	row_int(&r, active_clients(facts));
	row_int(&r, facts->waiting);
	row_int(&r, facts->active);
	row_int(&r, facts->idle);
	row_int(&r, facts->opening);
	row_number(&r, waited_us(v, facts));
	row_int(&r, facts->paused);
	row_end(&r);
}

static void write_pools(struct view *v, void (*write)(struct view *v, struct pool *p, const struct pool_facts *facts))
{
	struct array all = list_pools(v);

	for (size_t i = 0; i < all.n; i++) {
		struct pool *p = *(struct pool **)array_at(&all, i);
		struct pool_facts console = {.clients = v->console->n_terminals, .mode = POOL_MODE_STATEMENT};
		struct pool_facts facts = p == NULL ? console : pool_facts_of(p);

		while (i + 1 < all.n && shares_row(p, *(struct pool **)array_at(&all, i + 1)))
			add_guest(&facts, *(struct pool **)array_at(&all, ++i));
		write(v, p, &facts);
	}
	if (all.failed)
		v->out.failed = true;
	mem_free(all.things);
}

void show_pools(struct view *v)
{
	write_pools(v, write_pool);
}

void show_usage(struct view *v)
{
	write_pools(v, write_usage);
}

bool pools_sum(const struct view *v, struct pool_sums *sums)
{
	struct array all = list_pools(v);
	struct pool_sums sum = {0};

	for (size_t i = 0; i < all.n; i++) {
		struct pool *p = *(struct pool **)array_at(&all, i);
		struct pool_facts facts;

		if (p == NULL)
			continue;
		facts = pool_facts_of(p);
		sum.pools += !is_guest(p);
		sum.clients += facts.clients;
		sum.waiting += facts.waiting;
		sum.active += facts.active;
		sum.idle += facts.idle;
		sum.opening += facts.opening;
	}
	mem_free(all.things);
	if (!all.failed)
		*sums = sum;
	return !all.failed;
}

/* ---- users ---- */

/* A row of SHOW USERS. */
struct user_facts {
	const char *name;
	uint32_t n_permits, n_clients;
};

static int by_user_name(const void *x, const void *y)
{
	return strcmp(((const struct user_facts *)x)->name, ((const struct user_facts *)y)->name);
}

static void add_user(struct array *all, const char *name, uint32_t n_permits, uint32_t n_clients)
{
	struct user_facts *facts = (struct user_facts *)array_add(all);

	if (facts == NULL)
		return;
	facts->name = name;
	facts->n_permits = n_permits;
	facts->n_clients = n_clients;
}

static void add_accounts(struct registry *reg, struct array *all)
{
	struct table_node *node;

	lock_take(&reg->lock);
	for (node = table_next(&reg->accounts, NULL); node != NULL; node = table_next(&reg->accounts, node)) {
		const struct account *a = container_of(node, struct account, node);

		add_user(all, a->name, a->quota.n_permits, a->n_clients);
	}
	lock_drop(&reg->lock);
}

/* The same user of several sources becomes one row, with the sums. */
static void merge_users(struct array *all)
{
	struct user_facts *users = (struct user_facts *)all->things;
	size_t n = 0;

	array_sort(all, by_user_name);
	for (size_t i = 0; i < all->n; i++) {
		if (n > 0 && strcmp(users[n - 1].name, users[i].name) == 0) {
			users[n - 1].n_permits += users[i].n_permits;
			users[n - 1].n_clients += users[i].n_clients;
		} else {
			users[n++] = users[i];
		}
	}
	all->n = n;
}

/* Those of the user list, of [users], those that have connected, and the console's. */
static struct array list_users(const struct view *v)
{
	struct array all = {.size = sizeof(struct user_facts)};
	const struct config *conf = config_of(v);
	const struct conf_login *login;
	const struct conf_user *user;
	struct list *node;

	add_user(&all, CONSOLE_DATABASE, 0, 0);
	for (unsigned i = 0; (login = config_login(conf, i)) != NULL; i++)
		add_user(&all, login->name, 0, 0);
	for (unsigned i = 0; (user = config_user(conf, i)) != NULL; i++)
		add_user(&all, user->name, 0, 0);
	add_accounts(registry_of(v), &all);
	list_each (node, &v->console->terminals)
		add_user(&all, terminal_of(node)->guest->user, 0, 1);
	merge_users(&all);
	return all;
}

/* As PgBouncer prints it: nine wide, or nothing. */
static void row_size(struct row *r, int size)
{
	char text[24] = "";

	if (size != CONF_UNSET)
		snprintf(text, sizeof(text), "%9d", size);
	row_text(r, text);
}

static void write_user(struct view *v, const struct user_facts *facts)
{
	const struct config *conf = config_of(v);
	const struct conf_user *u = config_find_user(conf, facts->name);
	struct row r;

	row_begin(&r, &v->out, v->n_columns);
	row_text(&r, facts->name);
	row_size(&r, u == NULL ? CONF_UNSET : u->pool_size);
	row_size(&r, u == NULL ? CONF_UNSET : u->reserve_pool_size);
	row_text(&r, u != NULL && u->has_pool_mode ? pool_mode_name(u->pool_mode) : NULL);
	row_int(&r, conf_max_user_connections(conf, u));
	row_int(&r, facts->n_permits);
	row_int(&r, conf_max_user_client_connections(conf, u));
	row_int(&r, facts->n_clients);
	row_end(&r);
}

void show_users(struct view *v)
{
	struct array all = list_users(v);

	for (size_t i = 0; i < all.n; i++)
		write_user(v, (const struct user_facts *)array_at(&all, i));
	if (all.failed)
		v->out.failed = true;
	mem_free(all.things);
}

/* ---- how many ---- */

struct totals {
	size_t databases, users, pools, clients, servers;
};

static struct totals count_all(struct view *v)
{
	struct array databases = list_databases(v), users = list_users(v), pools = list_pools(v);
	struct totals n = {.databases = databases.n, .users = users.n};

	for (size_t i = 0; i < pools.n; i++) {
		struct pool *p = *(struct pool **)array_at(&pools, i);
		struct pool_facts facts;

		n.pools += !is_guest(p);
		if (p == NULL)
			continue;
		facts = pool_facts_of(p);
		n.clients += facts.clients;
		n.servers += facts.active + facts.idle + facts.opening;
	}
	n.clients += v->console->n_terminals;
	if (databases.failed || users.failed || pools.failed)
		v->out.failed = true;
	mem_free(databases.things);
	mem_free(users.things);
	mem_free(pools.things);
	return n;
}

static void write_list(struct view *v, const char *name, uint64_t items)
{
	struct row r;

	row_begin(&r, &v->out, v->n_columns);
	row_text(&r, name);
	row_int(&r, (int64_t)items);
	row_end(&r);
}

static unsigned count_peers(const struct config *conf)
{
	unsigned n = 0;

	while (config_peer(conf, n) != NULL)
		n++;
	return n;
}

static unsigned count_peer_pools(const struct view *v)
{
	const struct control *control = v->console->control;
	const struct conf_peer *peer;
	struct peer_counts counts;
	unsigned n = 0;

	for (unsigned i = 0; (peer = config_peer(config_of(v), i)) != NULL; i++)
		n += control->peer_counts(control->self, peer->id, &counts);
	return n;
}

void show_lists(struct view *v)
{
	const struct dns *dns = v->console->control->dns;
	struct totals n = count_all(v);

	write_list(v, "databases", n.databases);
	write_list(v, "users", n.users);
	write_list(v, "peers", count_peers(config_of(v)));
	write_list(v, "pools", n.pools);
	write_list(v, "peer_pools", count_peer_pools(v));
	write_list(v, "free_clients", 0); /* nothing is kept in reserve */
	write_list(v, "used_clients", v->n_clients + v->console->n_terminals);
	write_list(v, "login_clients", v->n_logins);
	write_list(v, "free_servers", 0);
	write_list(v, "used_servers", n.servers);
	write_list(v, "dns_names", (uint64_t)dns_count(dns));
	write_list(v, "dns_zones", (uint64_t)dns_count_zones(dns));
	write_list(v, "dns_queries", (uint64_t)dns_pending(dns));
	write_list(v, "dns_pending", 0);
}

void collect_mem(struct view *v, struct worker *w)
{
	v->n_statements += w->statements.count;
	v->statement_bytes += w->statement_bytes;
}

static void write_mem_total(struct view *v, const char *name, size_t size, size_t used, size_t total)
{
	struct row r;

	row_begin(&r, &v->out, v->n_columns);
	row_text(&r, name);
	row_int(&r, (int64_t)size);
	row_int(&r, (int64_t)used);
	row_int(&r, 0);
	row_int(&r, (int64_t)total);
	row_end(&r);
}

static void write_mem(struct view *v, const char *name, size_t size, size_t used)
{
	write_mem_total(v, name, size, used, size * used);
}

/* PgBouncer's rows. We allocate things one by one, so nothing is ever free; what we do not have is used 0 times.
   Prepared statements are of any size: theirs is the mean. */
void show_mem(struct view *v)
{
	struct totals n = count_all(v);

	write_mem(v, "user_cache", sizeof(struct account), n.users);
	write_mem(v, "credentials_cache", sizeof(struct conf_login), 0);
	write_mem(v, "db_cache", sizeof(struct database), n.databases);
	write_mem(v, "peer_cache", sizeof(struct conf_peer), count_peers(config_of(v)));
	write_mem(v, "peer_pool_cache", 0, 0);
	write_mem(v, "pool_cache", sizeof(struct pool) + sizeof(struct seat), n.pools);
	write_mem(v, "outstanding_request_cache", sizeof(struct answer), 0);
	write_mem(v, "server_cache", sizeof(struct server), n.servers);
	write_mem(v, "client_cache", sizeof(struct client), n.clients);
	write_mem(v, "iobuf_cache", LOOP_BUFFER_BYTES, v->console->control->office->n_workers + 1u);
	write_mem(v, "var_list_cache", 0, 0);
	write_mem_total(v, "server_prepared_statement_cache",
	                v->n_statements == 0 ? 0 : v->statement_bytes / v->n_statements, v->n_statements,
	                v->statement_bytes);
}
