/*
 * Pools, registry and opener are driven by random steps as workers and main would
 * do it, but without bytes: letters wait in one queue per pair of threads and are
 * delivered in any order between pairs. A model that is counted anew from clients,
 * servers and permits is compared after every step. One thread.
 */
#include "pool_steps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "dice.h"
#include "pool/opener.h"
#include "pool/outage.h"

#define WORKERS_MAX 4
#define CLIENTS_MAX 40
#define SERVERS_MAX 64
#define PERMITS_MAX 128
#define MAIN WORKERS_MAX /* its number among the threads */

enum model_client_state { OUTSIDE, GREETING, AT_EASE, WAITING, SERVED };

struct model_server;

struct model_client {
	enum model_client_state state;
	struct entry entry;
	struct waiter waiter;
	struct model_server *server;
	uint64_t since_us;
};

struct model_server {
	bool exists; /* its memory: until the place's letter has been read */
	bool alive;  /* its connection */
	bool in_loop;
	uint16_t worker; /* whose it is */
	struct place place;
	struct permit *permit;
	struct model_client *client;
};

struct model_permit {
	struct permit *permit;
	struct pool *pool;
	struct database *database;
	struct account *account;
	bool returned; /* reported; main has not read it */
};

struct model {
	struct dice dice;
	uint64_t seed, step, now_us;
	bool trace, calm;
	uint32_t success; /* of logins, per thousand */
	uint16_t n_workers;
	struct registry *registry;
	struct opener *opener;
	struct config *config;
	struct log *log;
	struct model_client client[CLIENTS_MAX];
	struct model_server server[SERVERS_MAX];
	struct model_permit permit[PERMITS_MAX];
	struct letters box[WORKERS_MAX + 1][WORKERS_MAX + 1]; /* [from][to] */
	uint64_t n_served, n_told, n_travels, n_opened, n_failed;
};

static _Noreturn void __attribute__((format(printf, 2, 3))) broken(const struct model *m, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fprintf(stderr, "pool_steps: seed %" PRIu64 ", step %" PRIu64 ": ", m->seed, m->step);
	vfprintf(stderr, fmt, args);
	fprintf(stderr, "\n");
	va_end(args);
	abort();
}

#define REQUIRE(m, cond) ((cond) ? (void)0 : broken(m, "line %d: %s", __LINE__, #cond))

static void __attribute__((format(printf, 2, 3))) trace(const struct model *m, const char *fmt, ...)
{
	va_list args;

	if (!m->trace)
		return;
	va_start(args, fmt);
	printf("%6" PRIu64 " %10" PRIu64 " us  ", m->step, m->now_us);
	vprintf(fmt, args);
	printf("\n");
	va_end(args);
}

static uint32_t some_success(struct model *m)
{
	static const uint32_t success[] = {0, 500, 900, 1000, 1000, 1000};

	return success[dice_below(&m->dice, 6)];
}

/* ---- letters ---- */

static unsigned box_of(uint16_t to)
{
	return to == TO_MAIN ? MAIN : to;
}

static void post_all(struct model *m, unsigned from, struct letters *out)
{
	struct letter *letter;

	while ((letter = letters_take(out)) != NULL) {
		REQUIRE(m, letter->to == TO_MAIN || letter->to < m->n_workers);
		letters_add(&m->box[from][box_of(letter->to)], letter);
	}
}

static void post(struct model *m, unsigned from, struct letter *letter)
{
	struct letters out;

	letters_init(&out);
	letters_add(&out, letter);
	post_all(m, from, &out);
}

/* ---- configurations ---- */

static int read_text(void *context, const char *path, struct str *out)
{
	if (strcmp(path, "pgweir.ini") != 0)
		return ENOENT;
	str_add_str(out, (const char *)context);
	return 0;
}

/* One value at a time: the order in which arguments are evaluated is not the same everywhere, and a seed's run must be.
 */
static struct config *some_config(struct model *m)
{
	static const char *const down_wait[] = {"0", "5", "1"};
	struct dice *d = &m->dice;
	struct str text;
	struct conf_error why;
	struct config *c;

	str_init(&text, 4000);
	str_printf(&text, "[databases]\na = host=127.0.0.1 pool_size=%u", 1 + dice_below(d, 24));
	str_printf(&text, " min_pool_size=%u\n", dice_below(d, 4));
	str_printf(&text, "b = host=127.0.0.2 pool_size=%u", 1 + dice_below(d, 6));
	str_printf(&text, " reserve_pool_size=%u\n", dice_below(d, 3));
	str_add_str(&text, dice_chance(d, 900) ? "c = host=127.0.0.3 pool_size=3\n" : "");
	str_add_str(&text, "[pgbouncer]\nauth_type=trust\nauth_file=\nquery_wait_timeout=0\nserver_login_retry=3\n");
	str_printf(&text, "server_round_robin=%u\n", dice_below(d, 2));
	str_printf(&text, "max_db_connections=%u\n", dice_chance(d, 500) ? 0 : 1 + dice_below(d, 10));
	str_printf(&text, "max_user_connections=%u\n", dice_chance(d, 500) ? 0 : 1 + dice_below(d, 15));
	str_printf(&text, "max_host_connections=%u\n", dice_chance(d, 500) ? 0 : 1 + dice_below(d, 12));
	str_printf(&text, "max_server_connections=%u\n", dice_chance(d, 500) ? 0 : 1 + dice_below(d, 20));
	str_printf(&text, "server_down_wait=%s\n", down_wait[dice_below(d, 3)]);
	str_printf(&text, "server_lifetime=%u\n", dice_chance(d, 300) ? dice_below(d, 3) : 3600u);
	str_printf(&text, "reserve_pool_timeout=%u\n", dice_below(d, 4));
	str_printf(&text, "server_connect_parallel=%u\n", 1 + dice_below(d, 4));
	REQUIRE(m, !text.failed);
	c = config_load("pgweir.ini", NULL, read_text, text.data, &why);
	if (c == NULL)
		broken(m, "configuration refused:\n%s", text.data);
	str_fini(&text);
	return c;
}

/* ---- permits ---- */

static struct model_permit *record_of(struct model *m, const struct permit *permit)
{
	for (unsigned i = 0; i < PERMITS_MAX; i++)
		if (m->permit[i].permit == permit)
			return &m->permit[i];
	broken(m, "a permit that nobody gave out");
}

static uint32_t permits_where(const struct model *m, const struct pool *p, const struct database *d,
                              const struct account *a)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < PERMITS_MAX; i++) {
		const struct model_permit *r = &m->permit[i];

		n += r->permit != NULL && (p == NULL || r->pool == p) && (d == NULL || r->database == d) &&
		     (a == NULL || r->account == a);
	}
	return n;
}

/* A permit has just been given out: that is when limits count. */
static void limits_hold(struct model *m, const struct permit *permit)
{
	const struct pool_settings *set = permit->settings;
	uint32_t of_pool = permits_where(m, permit->pool, NULL, NULL);

	REQUIRE(m, of_pool <= set->size || of_pool <= set->size + set->reserve_size);
	REQUIRE(m, permits_where(m, NULL, permit->database, NULL) <= set->max_db_connections);
	REQUIRE(m, permits_where(m, NULL, NULL, permit->account) <= set->max_user_connections);
	REQUIRE(m, permits_where(m, NULL, NULL, NULL) <= set->max_server_connections);
}

/* Permits whose servers are there, or may come to be. */
static uint32_t permits_at(const struct model *m, const struct host *host)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < PERMITS_MAX; i++) {
		const struct permit *permit = m->permit[i].permit;

		for (uint32_t k = 0; permit != NULL && k < permit->n_targets; k++)
			n += permit->target[k].counted && permit->target[k].backend->at == host;
	}
	return n;
}

/* Its targets are counted: that is when the limit of hosts counts. */
static void host_limits_hold(struct model *m, const struct permit *permit)
{
	REQUIRE(m, permit->n_targets > 0);
	for (uint32_t k = 0; k < permit->n_targets; k++) {
		REQUIRE(m, permit->target[k].counted);
		REQUIRE(m, permits_at(m, permit->target[k].backend->at) <= permit->settings->max_host_connections);
	}
}

static void give_targets(struct model *m, struct permit *permit)
{
	static const char *const host[] = {"127.0.0.1", "127.0.0.2"};

	permit->n_targets = 1 + dice_below(&m->dice, 2);
	for (uint32_t k = 0; k < permit->n_targets; k++) {
		permit->target[k].host = host[k];
		REQUIRE(m, address_from_text(&permit->target[k].address, host[k], 5432));
	}
}

static void set_failure(struct model *m, struct permit *permit)
{
	static const char refused[] = "SFATAL\0VFATAL\0C28000\0Mno pg_hba.conf entry for host\0";
	static const char password[] = "SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed\0";
	static const char starting[] = "SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0";

	struct failure why;

	failure_init(&why);
	switch (dice_below(&m->dice, 4)) {
	case 0:
		failure_set(&why, PHASE_CONNECT, DOMAIN_ERRNO, ECONNREFUSED, NULL);
		break;
	case 1:
		failure_set_report(&why, PHASE_AUTH, refused, sizeof(refused));
		break;
	case 2:
		failure_set_report(&why, PHASE_AUTH, password, sizeof(password));
		break;
	default:
		failure_set_report(&why, PHASE_STARTUP, starting, sizeof(starting));
		break;
	}
	permit_add_failure(permit, 0, &why, 1000);
	failure_fini(&why);
	m->n_failed++;
}

static bool is_among(const struct letters *out, const struct letter *letter)
{
	for (const struct letter *l = out->first; l != NULL; l = l->next)
		if (l == letter)
			return true;
	return false;
}

static void resolve_all(struct model *m)
{
	struct permit *permit;

	while ((permit = opener_take_unresolved(m->opener)) != NULL) {
		struct letters out;
		unsigned i = 0;

		while (i < PERMITS_MAX && m->permit[i].permit != NULL)
			i++;
		REQUIRE(m, i < PERMITS_MAX);
		m->permit[i] = (struct model_permit){permit, permit->pool, permit->database, permit->account, false};
		limits_hold(m, permit);
		if (dice_chance(&m->dice, 1000 - m->success) && dice_chance(&m->dice, 200)) {
			failure_set(&permit->failure, PHASE_RESOLVE, DOMAIN_POOLER, FAILURE_NO_ADDRESS, NULL);
			m->permit[i].permit = NULL;
		} else {
			give_targets(m, permit);
		}
		letters_init(&out);
		opener_resolved(m->opener, permit, m->now_us, &out);
		if (!is_among(&out, &permit->letter))
			m->permit[i].permit = NULL; /* the address is down or full: it is back already */
		else
			host_limits_hold(m, permit);
		post_all(m, MAIN, &out);
	}
}

/* ---- servers ---- */

static void report(struct model *m, struct model_server *s, enum permit_news news)
{
	struct model_permit *r = record_of(m, s->permit);

	if (news == PERMIT_RETURNED)
		r->returned = true;
	s->permit->letter.kind = LETTER_NEWS;
	s->permit->letter.to = TO_MAIN;
	if (permit_report(s->permit, news))
		post(m, s->worker, &s->permit->letter);
}

/* Its connection is over. */
static void server_ends(struct model *m, struct model_server *s)
{
	struct letters out;

	letters_init(&out);
	trace(m, "server %td of seat %u ends", s - m->server, s->place.seat->worker);
	if (s->client != NULL) {
		s->client->server = NULL;
		s->client = NULL;
	}
	s->alive = s->in_loop = false;
	if (pool_gone(&s->place, m->now_us, &out))
		s->exists = false;
	post_all(m, s->worker, &out);
	report(m, s, PERMIT_RETURNED);
}

static void serve(struct model *m, struct model_client *c, struct model_server *s)
{
	REQUIRE(m, s->alive && s->in_loop && s->client == NULL && s->place.state == PLACE_LENT);
	REQUIRE(m, s->place.seat == c->entry.seat && s->worker == c->entry.seat->worker);
	c->state = SERVED;
	c->server = s;
	s->client = c;
	m->n_served++;
	trace(m, "client %td gets server %td on worker %u", c - m->client, s - m->server, s->worker);
}

static uint64_t head_waited_us(const struct model *m, const struct seat *s)
{
	return list_is_empty(&s->waiting) ? 0
	                                  : m->now_us - container_of(s->waiting.next, struct waiter, node)->since_us;
}

/* A server at `own` is free: whose head, at a seat with nothing, has waited so long that it must not be passed over? */
static const struct seat *must_come_first(const struct model *m, const struct seat *own)
{
	const struct pool *p = own->pool;
	uint64_t mine = head_waited_us(m, own);

	for (uint16_t i = 0; i < p->n_seats; i++) {
		const struct seat *s = &p->seat[i];
		uint64_t theirs = head_waited_us(m, s);

		if (s != own && s->n_waiting > 0 && s->n_idle + s->n_lent + s->n_moving + s->n_opening == 0 &&
		    theirs >= mine + POOL_OLDER_US && theirs >= mine + mine / 2)
			return s;
	}
	return NULL;
}

static void settle(struct model *m, struct model_server *s)
{
	const struct seat *first = must_come_first(m, s->place.seat);

	struct waiter *to = NULL;
	enum retire_reason why;
	struct letters out;

	letters_init(&out);
	switch (pool_settle(&s->place, m->now_us, &to, &why, &out)) {
	case SETTLED_LENT:
		REQUIRE(m, first == NULL);
		serve(m, container_of(to, struct model_client, waiter), s);
		break;
	case SETTLED_IDLE:
		break;
	case SETTLED_SEND:
		trace(m, "server %td is sent from %u to %u", s - m->server, s->worker, s->place.letter.to);
		s->in_loop = false;
		letters_add(&out, &s->place.letter);
		break;
	case SETTLED_CLOSE:
		post_all(m, s->worker, &out);
		server_ends(m, s);
		return;
	}
	post_all(m, s->worker, &out);
}

static void server_opens(struct model *m, uint16_t worker, struct permit *permit)
{
	unsigned i = 0;
	struct model_server *s;

	while (i < SERVERS_MAX && m->server[i].exists)
		i++;
	s = &m->server[i == SERVERS_MAX ? 0 : i];
	if (i == SERVERS_MAX || (!m->calm && dice_chance(&m->dice, 20))) {
		struct letters out;
		struct model_permit *r = record_of(m, permit);

		letters_init(&out);
		failure_set(&permit->failure, PHASE_CONNECT, DOMAIN_POOLER, FAILURE_NO_MEMORY, NULL);
		pool_open_failed(permit->seat, m->now_us, &out);
		post_all(m, worker, &out);
		r->returned = true;
		permit->letter.kind = LETTER_NEWS;
		permit->letter.to = TO_MAIN;
		if (permit_report(permit, PERMIT_RETURNED))
			post(m, worker, &permit->letter);
		return;
	}
	memset(s, 0, sizeof(*s));
	s->exists = s->alive = true;
	s->worker = worker;
	s->permit = permit;
	pool_place_init(&s->place, permit->seat);
}

static void free_shared(struct shared *s)
{
	free(s);
}

static void server_logs_in(struct model *m, struct model_server *s)
{
	struct letters out;
	struct shared *welcome = (struct shared *)malloc(sizeof(*welcome));

	letters_init(&out);
	if (!dice_chance(&m->dice, m->success)) {
		free(welcome);
		set_failure(m, s->permit);
		server_ends(m, s);
		return;
	}
	REQUIRE(m, welcome != NULL);
	shared_init(welcome, free_shared);
	trace(m, "server %td of seat %u logs in", s - m->server, s->worker);
	s->in_loop = true;
	m->n_opened++;
	s->place.host = s->permit->target[0].backend->at;
	pool_opened(&s->place, m->now_us, welcome, &out);
	post_all(m, s->worker, &out);
	report(m, s, PERMIT_OPENED);
	settle(m, s);
}

/* ---- clients ---- */

static void client_leaves(struct model *m, struct model_client *c)
{
	struct model_server *s = c->server;

	trace(m, "client %td leaves", c - m->client);
	pool_leave(c->entry.seat, &c->waiter);
	REQUIRE(m, !c->waiter.queued);
	c->server = NULL;
	c->state = OUTSIDE;
	registry_leave(m->registry, &c->entry, m->now_us);
	if (s == NULL)
		return;
	s->client = NULL;
	if (dice_chance(&m->dice, 500))
		server_ends(m, s);
	else
		settle(m, s);
}

static void client_wants(struct model *m, struct model_client *c)
{
	uint32_t moving = c->entry.seat->n_moving;
	struct place *pl = NULL;
	struct outage *outage = NULL;
	struct letters out;
	enum borrowed result;

	letters_init(&out);
	c->since_us = m->now_us;
	result = pool_borrow(c->entry.seat, &c->waiter, m->now_us, &pl, &outage, &out);
	REQUIRE(m, c->entry.seat->n_moving <= moving || c->entry.seat->n_moving <= c->entry.seat->n_waiting);
	post_all(m, c->entry.seat->worker, &out);
	trace(m, "client %td wants on worker %u: %d", c - m->client, c->entry.seat->worker, result);
	switch (result) {
	case BORROWED:
		serve(m, c, container_of(pl, struct model_server, place));
		break;
	case BORROW_WAITS:
		c->state = WAITING;
		break;
	case BORROW_TOLD:
		REQUIRE(m, outage != NULL);
		shared_unref(&outage->shared);
		m->n_told++;
		client_leaves(m, c);
		break;
	case BORROW_CLOSED:
		client_leaves(m, c);
		break;
	}
}

static void client_comes(struct model *m, struct model_client *c)
{
	static const char *const databases[] = {"a", "a", "a", "a", "b", "c"};
	static const char *const users[] = {"u", "u", "u", "v"};
	struct shared *welcome = NULL;
	struct outage *outage = NULL;
	struct letters out;
	const char *database = databases[dice_below(&m->dice, 6)];
	const char *user = users[dice_below(&m->dice, 4)];
	uint16_t worker = (uint16_t)dice_below(&m->dice, m->n_workers);

	memset(c, 0, sizeof(*c));
	if (registry_enter(m->registry, m->config, database, user, worker, &c->entry) != ENTERED)
		return;
	c->state = AT_EASE;
	c->since_us = m->now_us;
	letters_init(&out);
	switch (pool_greet(c->entry.seat, &c->waiter, m->now_us, &welcome, &outage, &out)) {
	case BORROWED:
		shared_unref(welcome);
		break;
	case BORROW_WAITS:
		c->state = GREETING;
		break;
	case BORROW_TOLD:
		shared_unref(&outage->shared);
		m->n_told++;
		post_all(m, c->entry.seat->worker, &out);
		client_leaves(m, c);
		return;
	case BORROW_CLOSED:
		client_leaves(m, c);
		return;
	}
	post_all(m, c->entry.seat->worker, &out);
}

/* ---- letters are read ---- */

static void tell_due(struct model *m, struct seat *s)
{
	for (;;) {
		struct waiter *w = NULL;
		struct outage *outage = NULL;
		enum due due = pool_due(s, m->now_us, &w, &outage);
		struct model_client *c;

		if (due == DUE_NOTHING)
			return;
		c = container_of(w, struct model_client, waiter);
		REQUIRE(m, c->state == WAITING || c->state == GREETING);
		trace(m, "client %td is due: %d", c - m->client, due);
		if (due == DUE_WELCOME) {
			c->state = AT_EASE;
			continue;
		}
		if (outage != NULL)
			shared_unref(&outage->shared);
		m->n_told++;
		client_leaves(m, c);
	}
}

static void cover(struct model *m, struct seat *s)
{
	uint32_t moving = s->n_moving;
	struct letters out;

	letters_init(&out);
	pool_cover(s, m->now_us, &out);
	REQUIRE(m, s->n_moving <= moving || s->n_moving <= s->n_waiting);
	post_all(m, s->worker, &out);
}

static void look(struct model *m, struct seat *s)
{
	enum retire_reason why;
	struct place *pl;

	pool_look_begins(s);
	while ((pl = pool_take_unfit(s, &why)) != NULL)
		server_ends(m, container_of(pl, struct model_server, place));
	tell_due(m, s);
	cover(m, s);
}

static void read_place(struct model *m, unsigned me, struct letter *letter)
{
	struct model_server *s = container_of(letter, struct model_server, place.letter);

	REQUIRE(m, s->exists);
	switch (letter->kind) {
	case LETTER_GIVE:
		REQUIRE(m, s->worker == me);
		if (!pool_give_read(&s->place)) {
			s->exists = false;
			return;
		}
		REQUIRE(m, s->alive && s->in_loop);
		s->in_loop = false;
		m->n_travels++;
		post(m, me, &s->place.letter);
		return;
	case LETTER_HERE: {
		enum place_state state = pool_letter_read(&s->place);

		REQUIRE(m, state == PLACE_MOVING && s->alive && !s->in_loop);
		s->worker = (uint16_t)me;
		s->in_loop = true;
		if (dice_chance(&m->dice, m->calm ? 0 : 20))
			server_ends(m, s);
		else
			settle(m, s);
		return;
	}
	case LETTER_CLOSE: {
		enum place_state state = pool_letter_read(&s->place);

		REQUIRE(m, state == PLACE_CLOSING || state == PLACE_GONE);
		if (state == PLACE_GONE)
			s->exists = false;
		else
			server_ends(m, s);
		return;
	}
	default:
		broken(m, "a place's letter of kind %u", letter->kind);
	}
}

static void read_main(struct model *m, struct letter *letter)
{
	struct letters out;

	letters_init(&out);
	if (letter->kind == LETTER_WANT) {
		pool_want_read(container_of(letter, struct pool, want));
		opener_consider(m->opener, container_of(letter, struct pool, want), m->now_us, &out);
	} else {
		struct permit *permit = container_of(letter, struct permit, letter);
		struct model_permit *r = record_of(m, permit);

		REQUIRE(m, letter->kind == LETTER_NEWS);
		if (r->returned)
			r->permit = NULL;
		opener_news(m->opener, permit, m->now_us, &out);
	}
	post_all(m, MAIN, &out);
}

static void read_letter(struct model *m, unsigned me, struct letter *letter)
{
	if (me == MAIN) {
		read_main(m, letter);
		return;
	}
	switch (letter->kind) {
	case LETTER_LOOK:
		look(m, container_of(letter, struct seat, look));
		return;
	case LETTER_OPEN:
		server_opens(m, (uint16_t)me, container_of(letter, struct permit, letter));
		return;
	default:
		read_place(m, me, letter);
	}
}

/* One letter from a pair of threads, any pair; false: there is none. */
static bool deliver_one(struct model *m)
{
	unsigned n = (WORKERS_MAX + 1) * (WORKERS_MAX + 1);
	unsigned start = dice_below(&m->dice, n);

	for (unsigned i = 0; i < n; i++) {
		unsigned at = (start + i) % n, to = at % (WORKERS_MAX + 1);
		struct letter *letter = letters_take(&m->box[at / (WORKERS_MAX + 1)][to]);

		if (letter == NULL)
			continue;
		read_letter(m, to, letter);
		return true;
	}
	return false;
}

/* ---- the other steps ---- */

struct walk {
	struct model *m;
	void (*each)(struct model *m, struct pool *p);
	struct pool *pool[64];
	unsigned n;
};

static void collect(void *arg, struct pool *p)
{
	struct walk *w = (struct walk *)arg;

	if (w->n < 64)
		w->pool[w->n++] = p;
}

/* Outside the registry's lock, as main does it. */
static void each_pool(struct model *m, void (*each)(struct model *m, struct pool *p))
{
	struct walk w = {.m = m};

	registry_each_pool(m->registry, NULL, collect, &w);
	for (unsigned i = 0; i < w.n; i++)
		each(m, w.pool[i]);
}

static struct pool *some_pool(struct model *m)
{
	struct walk w = {.m = m};

	registry_each_pool(m->registry, NULL, collect, &w);
	return w.n == 0 ? NULL : w.pool[dice_below(&m->dice, w.n)];
}

static void cover_ticks(struct model *m, struct pool *p)
{
	for (uint16_t i = 0; i < p->n_seats; i++)
		cover(m, &p->seat[i]);
}

static void due_ticks(struct model *m, struct pool *p)
{
	for (uint16_t i = 0; i < p->n_seats; i++)
		tell_due(m, &p->seat[i]);
}

/* After the moment-of-waiting tick nobody is overlooked. */
static void nobody_is_overlooked(struct model *m, struct pool *p)
{
	bool idle = false, patient = false;

	if (p->state != POOL_OPEN)
		return;
	for (uint16_t i = 0; i < p->n_seats; i++) {
		struct seat *s = &p->seat[i];
		struct list *node;

		list_each (node, &s->idle)
			idle |= container_of(node, struct place, node)->epoch == p->epoch;
		if (s->n_waiting > s->n_moving)
			patient |= s->n_lent == 0 ||
			           m->now_us - container_of(s->waiting.next, struct waiter, node)->since_us >=
			               POOL_PATIENCE_US;
	}
	REQUIRE(m, !idle || !patient);
}

static void opener_time(struct model *m)
{
	struct letters out;

	letters_init(&out);
	if (opener_next_us(m->opener) <= m->now_us)
		opener_tick(m->opener, m->now_us, &out);
	post_all(m, MAIN, &out);
}

static void consider(struct model *m, struct pool *p)
{
	struct letters out;

	letters_init(&out);
	opener_consider(m->opener, p, m->now_us, &out);
	post_all(m, MAIN, &out);
}

static void set_state(struct model *m, struct pool *p, enum pool_state state)
{
	struct letters out;

	if (p->state == POOL_CLOSED)
		return;
	letters_init(&out);
	trace(m, "pool %s.%s: state %d", p->database, p->user, state);
	pool_set_state(p, state, &out);
	post_all(m, MAIN, &out);
}

static void reconnect(struct model *m, struct pool *p)
{
	struct letters out;

	letters_init(&out);
	trace(m, "pool %s.%s: reconnect", p->database, p->user);
	opener_forget_outage(m->opener, p);
	pool_reconnect(p, &out);
	post_all(m, MAIN, &out);
}

static void reload(struct model *m)
{
	struct config *c = some_config(m);
	struct letters out;

	letters_init(&out);
	trace(m, "reload");
	REQUIRE(m, registry_apply(m->registry, c, &out));
	opener_set_config(m->opener, c);
	config_unref(m->config);
	m->config = c;
	post_all(m, MAIN, &out);
	each_pool(m, consider);
}

static void sweep(struct model *m)
{
	const struct sweep_times times = {.auto_database_us = US_PER_S, .pool_us = 2 * US_PER_S};
	struct list pools, databases, *node;

	list_init(&pools);
	list_init(&databases);
	(void)!registry_sweep(m->registry, m->now_us, &times, &pools, &databases);
	while ((node = list_take_first(&pools)) != NULL) {
		struct pool *p = container_of(node, struct pool, on_database);

		trace(m, "pool %s.%s is freed", p->database, p->user);
		REQUIRE(m, permits_where(m, p, NULL, NULL) == 0);
		opener_forget(m->opener, p);
		pool_free(p);
	}
	while ((node = list_take_first(&databases)) != NULL)
		registry_database_free(container_of(node, struct database, on_all));
}

static void client_step(struct model *m)
{
	struct model_client *c = &m->client[dice_below(&m->dice, CLIENTS_MAX)];

	switch (c->state) {
	case OUTSIDE:
		client_comes(m, c);
		break;
	case AT_EASE:
		if (dice_chance(&m->dice, 30))
			client_leaves(m, c);
		else
			client_wants(m, c);
		break;
	case GREETING:
	case WAITING:
		if (dice_chance(&m->dice, 30))
			client_leaves(m, c);
		break;
	case SERVED:
		if (c->server == NULL) { /* its server has died */
			client_leaves(m, c);
		} else if (dice_chance(&m->dice, 30)) {
			client_leaves(m, c);
		} else if (dice_chance(&m->dice, 10)) {
			/* it went bad before it was used */
			struct model_server *s = c->server;
			struct letters out;

			server_ends(m, s);
			letters_init(&out);
			c->state = WAITING;
			pool_requeue(c->entry.seat, &c->waiter, &out, m->now_us);
			post_all(m, c->entry.seat->worker, &out);
		} else {
			struct model_server *s = c->server;

			c->state = AT_EASE;
			c->server = NULL;
			s->client = NULL;
			settle(m, s);
		}
		break;
	}
}

static void server_step(struct model *m)
{
	struct model_server *s = &m->server[dice_below(&m->dice, SERVERS_MAX)];

	if (!s->exists || !s->alive)
		return;
	if (s->place.state == PLACE_OPENING)
		server_logs_in(m, s);
	else if (!m->calm && s->in_loop && dice_chance(&m->dice, s->place.state == PLACE_LENT ? 40 : 15))
		server_ends(m, s);
	else if (!m->calm && s->in_loop && dice_chance(&m->dice, 10) && pool_retire_idle(&s->place))
		server_ends(m, s);
}

static void rare_step(struct model *m)
{
	struct pool *p = some_pool(m);

	switch (dice_below(&m->dice, 8)) {
	case 0:
		if (p != NULL)
			set_state(m, p, POOL_PAUSED);
		break;
	case 1:
	case 2:
	case 3:
		if (p != NULL)
			set_state(m, p, POOL_OPEN);
		break;
	case 4:
		if (p != NULL)
			reconnect(m, p);
		break;
	case 5:
		reload(m);
		break;
	case 6:
		m->success = some_success(m);
		break;
	default:
		sweep(m);
		break;
	}
}

static void time_step(struct model *m)
{
	if (dice_chance(&m->dice, 20))
		m->now_us += dice_below(&m->dice, 1500000);
	else
		m->now_us += dice_below(&m->dice, 400);
	opener_time(m);
	if (dice_chance(&m->dice, 500))
		each_pool(m, due_ticks);
	if (dice_chance(&m->dice, 500)) {
		each_pool(m, cover_ticks);
		each_pool(m, nobody_is_overlooked);
	}
}

/* ---- what must always hold ---- */

static void count_seat(struct model *m, struct seat *s)
{
	uint32_t lent = 0, idle = 0, moving = 0, opening = 0, waiting = 0, newcomers = 0, clients = 0;

	for (unsigned i = 0; i < SERVERS_MAX; i++) {
		struct model_server *sv = &m->server[i];

		if (!sv->exists || !sv->alive || sv->place.seat != s)
			continue;
		lent += sv->place.state == PLACE_LENT;
		idle += sv->place.state == PLACE_IDLE;
		moving += sv->place.state == PLACE_MOVING;
		opening += sv->place.state == PLACE_OPENING;
		REQUIRE(m, sv->place.state != PLACE_IDLE || (sv->in_loop && sv->worker == s->worker));
		REQUIRE(m, sv->client == NULL || sv->place.state == PLACE_LENT);
	}
	for (unsigned i = 0; i < PERMITS_MAX; i++) {
		/* on its way to the worker */
		const struct permit *permit = m->permit[i].permit;

		opening +=
		    permit != NULL && permit->seat == s && permit->letter.kind == LETTER_OPEN && !m->permit[i].returned;
	}
	for (unsigned i = 0; i < SERVERS_MAX; i++) {
		/* its permit has arrived: not counted twice */
		struct model_server *sv = &m->server[i];

		opening -= sv->exists && sv->alive && sv->permit->seat == s && sv->permit->letter.kind == LETTER_OPEN;
	}
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		struct model_client *c = &m->client[i];

		if (c->state == OUTSIDE || c->entry.seat != s)
			continue;
		clients++;
		waiting += c->state == WAITING;
		newcomers += c->state == GREETING;
	}
	REQUIRE(m, s->n_lent == lent);
	REQUIRE(m, s->n_idle == idle);
	REQUIRE(m, s->n_moving == moving);
	REQUIRE(m, s->n_opening == opening);
	REQUIRE(m, s->n_waiting == waiting);
	REQUIRE(m, s->n_newcomers == newcomers);
	REQUIRE(m, s->n_clients == clients);
}

static void check_pool(struct model *m, struct pool *p)
{
	REQUIRE(m, pool_check(p) == NULL);
	for (uint16_t i = 0; i < p->n_seats; i++)
		count_seat(m, &p->seat[i]);
	if (p->opener == NULL)
		return;
	REQUIRE(m, p->opener->n_permits == permits_where(m, p, NULL, NULL));
	REQUIRE(m, p->opener->database->quota.n_permits == permits_where(m, NULL, p->opener->database, NULL));
	REQUIRE(m, p->opener->account->quota.n_permits == permits_where(m, NULL, NULL, p->opener->account));
	REQUIRE(m, m->opener->process.n_permits == permits_where(m, NULL, NULL, NULL));
	for (uint32_t i = 0; i < p->opener->n_known; i++)
		REQUIRE(m, p->opener->known[i]->at->quota.n_permits == permits_at(m, p->opener->known[i]->at));
}

static void check(struct model *m)
{
	each_pool(m, check_pool);
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		struct model_client *c = &m->client[i];

		if (c->state != SERVED || c->server == NULL)
			continue;
		REQUIRE(m, c->server->client == c && c->server->worker == c->entry.seat->worker);
		REQUIRE(m, c->server->place.seat == c->entry.seat && c->server->place.state == PLACE_LENT);
	}
}

/* ---- quiet times: whoever waits is served ---- */

static bool anybody_waits(const struct model *m)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (m->client[i].state == WAITING || m->client[i].state == GREETING)
			return true;
	return false;
}

static void resume(struct model *m, struct pool *p)
{
	set_state(m, p, POOL_OPEN);
}

static const char *limit_name(enum pool_limit limit)
{
	return limit == LIMIT_DATABASE ? "database"
	       : limit == LIMIT_USER   ? "account"
	       : limit == LIMIT_HOST   ? "host"
	                               : "process";
}

static void show_pool(struct model *m, struct pool *p)
{
	const struct opener_pool *op = p->opener;

	fprintf(stderr, "pool %s.%s: state %d, may_ask %d, outage %d, trying %d, asked %d\n", p->database, p->user,
	        p->state, p->may_ask, p->outage != NULL, p->trying, p->asked);
	for (uint16_t k = 0; k < p->n_seats; k++)
		fprintf(stderr, "  seat %u: waiting %u newcomers %u idle %u lent %u moving %u opening %u\n", k,
		        p->seat[k].n_waiting, p->seat[k].n_newcomers, p->seat[k].n_idle, p->seat[k].n_lent,
		        p->seat[k].n_moving, p->seat[k].n_opening);
	if (op != NULL)
		fprintf(stderr,
		        "  permits %u, starting %u, full %d, short %d of its %s, awake in %" PRId64
		        " us; database: permits %u, "
		        "evicting %u; account: permits %u, evicting %u\n",
		        op->n_permits, op->n_starting, op->full, op->is_short,
		        op->queue == NULL ? "none" : limit_name(op->queue->call.limit),
		        list_is_empty(&op->sleeping) ? -1 : (int64_t)(op->wake_us - m->now_us),
		        op->database->quota.n_permits, op->database->quota.n_evicting, op->account->quota.n_permits,
		        op->account->quota.n_evicting);
}

static void who_waits(struct model *m)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		struct model_client *c = &m->client[i];

		if (c->state == WAITING || c->state == GREETING)
			fprintf(stderr, "client %u waits in state %d at %s.%s, worker %u, since %" PRIu64 " us ago\n",
			        i, c->state, c->entry.seat->pool->database, c->entry.seat->pool->user,
			        c->entry.seat->worker, m->now_us - c->since_us);
	}
	each_pool(m, show_pool);
}

static void everybody_is_served(struct model *m)
{
	m->calm = true;
	m->success = 1000;
	each_pool(m, resume);
	for (unsigned round = 0; round < 4000 && anybody_waits(m); round++) {
		m->now_us += 5 * US_PER_MS;
		opener_time(m);
		resolve_all(m);
		while (deliver_one(m))
			resolve_all(m);
		each_pool(m, cover_ticks);
		each_pool(m, due_ticks);
		for (unsigned i = 0; i < SERVERS_MAX; i++)
			if (m->server[i].exists && m->server[i].alive && m->server[i].place.state == PLACE_OPENING)
				server_logs_in(m, &m->server[i]);
		for (unsigned i = 0; i < CLIENTS_MAX; i++) {
			struct model_client *c = &m->client[i];
			struct model_server *s = c->server;

			if (c->state != SERVED)
				continue;
			if (s == NULL) {
				client_leaves(m, c);
				continue;
			}
			c->state = AT_EASE;
			c->server = NULL;
			s->client = NULL;
			settle(m, s);
		}
		check(m);
	}
	if (anybody_waits(m)) {
		who_waits(m);
		broken(m, "somebody waits for ever");
	}
	m->calm = false;
	m->success = some_success(m);
}

/* Everybody goes home; nothing may be left. */
static void all_leave(struct model *m)
{
	m->calm = true;
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (m->client[i].state != OUTSIDE)
			client_leaves(m, &m->client[i]);
	m->opener->draining = true; /* min_pool_size does not open again */
	for (unsigned round = 0; round < 100; round++) {
		while (deliver_one(m))
			resolve_all(m);
		for (unsigned i = 0; i < SERVERS_MAX; i++)
			if (m->server[i].exists && m->server[i].alive && m->server[i].in_loop &&
			    (m->server[i].place.state != PLACE_IDLE || pool_retire_idle(&m->server[i].place)))
				server_ends(m, &m->server[i]);
			else if (m->server[i].exists && m->server[i].place.state == PLACE_OPENING)
				server_ends(m, &m->server[i]);
		m->now_us += US_PER_S;
		opener_time(m);
		resolve_all(m);
	}
	check(m);
	for (unsigned i = 0; i < PERMITS_MAX; i++)
		REQUIRE(m, m->permit[i].permit == NULL);
	for (unsigned i = 0; i < SERVERS_MAX; i++)
		REQUIRE(m, !m->server[i].exists);
	m->opener->draining = false;
}

static void forget(struct model *m, struct pool *p)
{
	opener_forget(m->opener, p);
}

static void model_begin(struct model *m, uint64_t seed, bool with_trace)
{
	memset(m, 0, sizeof(*m));
	m->seed = seed;
	m->dice.state = seed;
	m->trace = with_trace;
	m->now_us = 1000 * US_PER_S;
	m->success = 1000;
	m->n_workers = (uint16_t)(1 + dice_below(&m->dice, WORKERS_MAX));
	for (unsigned i = 0; i <= WORKERS_MAX; i++)
		for (unsigned k = 0; k <= WORKERS_MAX; k++)
			letters_init(&m->box[i][k]);
	m->config = some_config(m);
	m->log = log_new();
	REQUIRE(m, m->log != NULL);
	log_set_stderr(m->log, with_trace);
	m->registry = registry_new(m->n_workers, (uint32_t)seed);
	REQUIRE(m, m->registry != NULL);
	m->opener = opener_new(m->registry, m->log, m->config, seed);
	REQUIRE(m, m->opener != NULL);
}

static void model_end(struct model *m)
{
	all_leave(m);
	each_pool(m, forget);
	opener_free(m->opener);
	registry_free(m->registry);
	config_unref(m->config);
	log_free(m->log);
}

static void any_step(struct model *m)
{
	uint32_t what = dice_below(&m->dice, 1000);

	if (what < 450)
		(void)deliver_one(m);
	else if (what < 840)
		client_step(m);
	else if (what < 920)
		server_step(m);
	else if (what < 998)
		time_step(m);
	else
		rare_step(m);
}

uint64_t pool_steps(uint64_t seed, uint64_t steps, bool with_trace)
{
	struct model *m = (struct model *)malloc(sizeof(*m));

	if (m == NULL)
		abort();
	model_begin(m, seed, with_trace);
	while (m->step < steps) {
		m->step++;
		any_step(m);
		resolve_all(m);
		check(m);
		if (m->step % 3000 == 0)
			everybody_is_served(m);
	}
	everybody_is_served(m);
	trace(m, "served %" PRIu64 ", told %" PRIu64 ", travelled %" PRIu64 ", opened %" PRIu64 ", failed %" PRIu64,
	      m->n_served, m->n_told, m->n_travels, m->n_opened, m->n_failed);
	model_end(m);
	free(m);
	return steps;
}
