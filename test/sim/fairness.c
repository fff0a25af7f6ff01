/*
 * Who waits how long when pools compete for one limit: the real pools, registry and
 * opener, with clients and servers that are only times. One thread, one worker,
 * virtual time. Each client thinks, asks, waits, is served, and thinks again.
 */
#include "fairness.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "dice.h"
#include "pool/opener.h"

#define POOLS 20u
#define CLIENTS_MAX 500u
#define SERVERS_MAX 32u
#define LOGIN_US (10 * US_PER_MS) /* of a server: TCP, fork, SCRAM */
#define CLOSE_US (2 * US_PER_MS)
#define RUN_US (120 * US_PER_S)

/* What a pool's clients do. */
struct load {
	const char *name;
	uint32_t n_clients;
	uint32_t think_ms, serve_ms; /* on average */
};

static const struct load loads[] = {
    {"never stops, 40 clients", 40, 0, 2},
    {"busy, 10 clients", 10, 20, 2},
    {"long transactions, 4 clients", 4, 100, 60},
    {"seldom, 1 client", 1, 1000, 2},
};
#define LOADS (sizeof(loads) / sizeof(loads[0]))

struct scene {
	const char *what;
	const char *globals;
	bool by_user; /* one database with many users; else many databases with one user */
	uint32_t limit;
};

static const struct scene scenes[] = {
    {"20 users of one database, max_db_connections = 5", "max_db_connections=5", true, 5},
    {"20 databases of one user, max_user_connections = 5", "max_user_connections=5", false, 5},
    {"20 databases at one server, max_host_connections = 5", "max_host_connections=5", false, 5},
    {"20 databases, max_server_connections = 5", "max_server_connections=5", false, 5},
    {"20 users of one database, max_db_connections = 1", "max_db_connections=1", true, 1},
};

struct fair_client {
	struct entry entry;
	struct waiter waiter;
	unsigned pool;
	uint64_t asks_us; /* UINT64_MAX: waits or is served */
};

enum fair_server_state { NO_SERVER, LOGGING_IN, SERVING, IDLING, ENDING };

struct fair_server {
	enum fair_server_state state;
	struct place place;
	struct permit *permit;
	struct fair_client *client;
	uint64_t due_us;
};

struct tally {
	uint64_t n, total_us, most_us;
};

struct fair {
	const struct scene *scene;
	struct dice dice;
	uint64_t now_us, end_us;
	struct registry *registry;
	struct opener *opener;
	struct config *config;
	struct log *log;
	struct letters out;
	struct fair_client client[CLIENTS_MAX];
	unsigned n_clients;
	struct fair_server server[SERVERS_MAX];
	struct tally of[POOLS];
	uint64_t n_logins, busy_us;
	uint32_t n_connections; /* PostgreSQL's view */
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "fairness: %s\n", what);
	abort();
}

static const struct load *load_of(unsigned pool)
{
	return &loads[pool % LOADS];
}

static uint64_t about(struct fair *f, uint32_t ms)
{
	return ms == 0 ? 0 : ms * US_PER_MS / 2 + dice_below(&f->dice, ms * (uint32_t)US_PER_MS);
}

static void free_shared(struct shared *s)
{
	free(s);
}

/* ---- what workers do ---- */

static void note_wait(struct fair *f, const struct fair_client *c, uint64_t us)
{
	struct tally *t = &f->of[c->pool];

	t->n++;
	t->total_us += us;
	if (us > t->most_us)
		t->most_us = us;
}

static void serve(struct fair *f, struct fair_server *s, struct fair_client *c)
{
	uint64_t us = about(f, load_of(c->pool)->serve_ms);

	note_wait(f, c, f->now_us - c->waiter.since_us);
	f->busy_us += us;
	s->state = SERVING;
	s->client = c;
	s->due_us = f->now_us + us;
}

static void report(struct fair *f, struct permit *permit, enum permit_news news)
{
	if (!permit_report(permit, news))
		fail("one letter at a time");
	opener_news(f->opener, permit, f->now_us, &f->out);
}

static void settle(struct fair *f, struct fair_server *s)
{
	struct waiter *to = NULL;
	enum retire_reason why;

	switch (pool_settle(&s->place, f->now_us, &to, &why, &f->out)) {
	case SETTLED_LENT:
		serve(f, s, container_of(to, struct fair_client, waiter));
		break;
	case SETTLED_IDLE:
		s->state = IDLING;
		s->due_us = UINT64_MAX;
		break;
	case SETTLED_CLOSE:
		s->state = ENDING;
		s->due_us = f->now_us + CLOSE_US;
		break;
	case SETTLED_SEND:
		fail("there is one worker only");
	}
}

static void logged_in(struct fair *f, struct fair_server *s)
{
	struct shared *welcome = (struct shared *)calloc(1, sizeof(*welcome));

	if (welcome == NULL)
		fail("out of memory");
	shared_init(welcome, free_shared);
	s->place.host = s->permit->target[0].backend->at;
	pool_opened(&s->place, f->now_us, welcome, &f->out);
	report(f, s->permit, PERMIT_OPENED);
	settle(f, s);
}

static void ended(struct fair *f, struct fair_server *s)
{
	struct permit *permit = s->permit;

	if (!pool_gone(&s->place, f->now_us, &f->out))
		fail("a letter is under way to a server that is gone");
	s->state = NO_SERVER;
	f->n_connections--;
	report(f, permit, PERMIT_RETURNED);
}

static void server_due(struct fair *f, struct fair_server *s)
{
	struct fair_client *c = s->client;

	if (s->state == LOGGING_IN) {
		logged_in(f, s);
	} else if (s->state == ENDING) {
		ended(f, s);
	} else {
		s->client = NULL;
		c->asks_us = f->now_us + about(f, load_of(c->pool)->think_ms);
		settle(f, s);
	}
}

static void ask(struct fair *f, struct fair_client *c)
{
	struct outage *outage = NULL;
	struct place *place = NULL;

	c->asks_us = UINT64_MAX;
	switch (pool_borrow(c->entry.seat, &c->waiter, f->now_us, &place, &outage, &f->out)) {
	case BORROWED:
		serve(f, container_of(place, struct fair_server, place), c);
		break;
	case BORROW_WAITS:
		break;
	case BORROW_TOLD:
	case BORROW_CLOSED:
		fail("nothing is wrong with any server");
	}
}

static void open_server(struct fair *f, struct permit *permit)
{
	struct fair_server *s = f->server;

	while (s->state != NO_SERVER)
		if (++s == f->server + SERVERS_MAX)
			fail("more servers than could ever be allowed");
	if (++f->n_connections > f->scene->limit)
		fail("more connections than the limit allows");
	pool_place_init(&s->place, permit->seat);
	s->permit = permit;
	s->client = NULL;
	s->state = LOGGING_IN;
	s->due_us = f->now_us + LOGIN_US;
	f->n_logins++;
}

/* ---- what main does ---- */

static void resolve_all(struct fair *f)
{
	struct permit *permit;

	while ((permit = opener_take_unresolved(f->opener)) != NULL) {
		permit->n_targets = 1;
		permit->target[0].host = "127.0.0.1";
		if (!address_from_text(&permit->target[0].address, "127.0.0.1", 5432))
			fail("no address");
		opener_resolved(f->opener, permit, f->now_us, &f->out);
	}
}

static void read_letter(struct fair *f, struct letter *letter)
{
	struct fair_server *s;
	struct pool *p;

	switch (letter->kind) {
	case LETTER_WANT:
		p = container_of(letter, struct pool, want);
		pool_want_read(p);
		opener_consider(f->opener, p, f->now_us, &f->out);
		break;
	case LETTER_OPEN:
		open_server(f, container_of(letter, struct permit, letter));
		break;
	case LETTER_LOOK:
		pool_look_begins(container_of(letter, struct seat, look));
		pool_cover(container_of(letter, struct seat, look), f->now_us, &f->out);
		break;
	case LETTER_CLOSE:
		s = container_of(container_of(letter, struct place, letter), struct fair_server, place);
		(void)!pool_letter_read(&s->place); /* how it stands does not matter any more */
		s->state = ENDING;
		s->due_us = f->now_us + CLOSE_US;
		break;
	default:
		fail("a letter that nobody expects");
	}
}

/* Everything that follows from what has happened, at the same moment. */
static void follow(struct fair *f)
{
	struct letter *letter;

	do {
		if (opener_next_us(f->opener) <= f->now_us)
			opener_tick(f->opener, f->now_us, &f->out);
		resolve_all(f);
		letter = letters_take(&f->out);
		if (letter != NULL)
			read_letter(f, letter);
	} while (letter != NULL || opener_next_us(f->opener) <= f->now_us);
}

/* ---- time ---- */

static void next_event(struct fair *f)
{
	uint64_t at_us = opener_next_us(f->opener);
	struct fair_client *client = NULL;
	struct fair_server *server = NULL;

	for (unsigned i = 0; i < f->n_clients; i++)
		if (f->client[i].asks_us < at_us) {
			client = &f->client[i];
			at_us = client->asks_us;
		}
	for (unsigned i = 0; i < SERVERS_MAX; i++)
		if (f->server[i].state != NO_SERVER && f->server[i].due_us < at_us) {
			server = &f->server[i];
			at_us = server->due_us;
		}
	f->now_us = at_us;
	if (server != NULL)
		server_due(f, server);
	else if (client != NULL)
		ask(f, client);
	follow(f);
}

/* ---- a scene ---- */

static int read_text(void *context, const char *path, struct str *out)
{
	(void)path;
	str_add_str(out, (const char *)context);
	return 0;
}

static void configure(struct fair *f)
{
	struct conf_error why;
	struct str text;

	str_init(&text, 10000);
	str_add_str(&text, "[databases]\n* = host=127.0.0.1\n[pgbouncer]\nauth_type=trust\nauth_file=\n");
	str_printf(&text, "default_pool_size=5\npool_mode=transaction\nquery_wait_timeout=0\n%s\n", f->scene->globals);
	f->config = config_load("fairness.ini", NULL, read_text, text.data, &why);
	f->log = log_new();
	f->registry = registry_new(1, 7);
	if (text.failed || f->config == NULL || f->log == NULL || f->registry == NULL)
		fail("the scene cannot be set");
	log_set_stderr(f->log, false);
	f->opener = opener_new(f->registry, f->log, f->config, 5);
	if (f->opener == NULL)
		fail("out of memory");
	str_fini(&text);
}

static void enter(struct fair *f, unsigned pool)
{
	struct fair_client *c = &f->client[f->n_clients++];
	char name[32];
	enum entering entered;

	/* those who load most have the names that come first */
	snprintf(name, sizeof(name), "p%02u", pool);
	c->pool = pool;
	c->asks_us = f->now_us + dice_below(&f->dice, (uint32_t)US_PER_S);
	entered = registry_enter(f->registry, f->config, f->scene->by_user ? "shop" : name,
	                         f->scene->by_user ? name : "ann", 0, &c->entry);
	if (entered != ENTERED && entered != ENTERED_NEW_DATABASE)
		fail("a client is turned away");
}

static void begin(struct fair *f, const struct scene *scene)
{
	memset(f, 0, sizeof(*f));
	f->scene = scene;
	f->dice.state = 1;
	f->now_us = 1000 * US_PER_S;
	f->end_us = f->now_us + RUN_US;
	letters_init(&f->out);
	configure(f);
	for (unsigned pool = 0; pool < POOLS; pool++)
		for (unsigned i = 0; i < load_of(pool)->n_clients; i++)
			enter(f, pool);
}

static void forget(void *arg, struct pool *p)
{
	opener_forget((struct opener *)arg, p);
}

static void end(struct fair *f)
{
	for (unsigned i = 0; i < f->n_clients; i++) {
		struct fair_client *c = &f->client[i];

		if (c->waiter.queued) /* whoever waits still, counts */
			note_wait(f, c, f->now_us - c->waiter.since_us);
		pool_leave(c->entry.seat, &c->waiter);
		registry_leave(f->registry, &c->entry, f->now_us);
	}
	f->opener->draining = true;
	for (unsigned i = 0; i < SERVERS_MAX; i++) {
		struct fair_server *s = &f->server[i];

		if (s->state == NO_SERVER)
			continue;
		(void)!pool_gone(&s->place, f->now_us, &f->out);
		if (s->state == LOGGING_IN)
			(void)!permit_report(s->permit, PERMIT_OPENED);
		if (permit_report(s->permit, PERMIT_RETURNED) || s->state == LOGGING_IN)
			opener_news(f->opener, s->permit, f->now_us, &f->out);
	}
	registry_each_pool(f->registry, NULL, forget, f->opener);
	opener_free(f->opener);
	registry_free(f->registry);
	config_unref(f->config);
	log_free(f->log);
}

/* ---- what came of it ---- */

static uint64_t in_ms(uint64_t us)
{
	return us / US_PER_MS;
}

static uint64_t most_of(const struct fair *f, unsigned load)
{
	uint64_t most_us = 0;

	for (unsigned pool = load; pool < POOLS; pool += LOADS)
		if (f->of[pool].most_us > most_us)
			most_us = f->of[pool].most_us;
	return most_us;
}

/* Each round every pool has its turn: a server stays half a second at most, plus the transaction that it is in, plus
   the change of hands. Who comes just too late waits for the next round, and then for its own queue. */
static uint64_t promised_us(const struct fair *f)
{
	uint64_t turn_us = POOL_GIVE_WAY_US + 90 * US_PER_MS + CLOSE_US + LOGIN_US;

	return POOL_GIVE_WAY_US + (POOLS / f->scene->limit + 1) * turn_us;
}

static void print_load(const struct fair *f, unsigned load)
{
	struct tally all = {0, 0, 0};
	uint64_t least = UINT64_MAX;

	for (unsigned pool = load; pool < POOLS; pool += LOADS) {
		all.n += f->of[pool].n;
		all.total_us += f->of[pool].total_us;
		if (f->of[pool].n < least)
			least = f->of[pool].n;
	}
	printf("  %-30s %8" PRIu64 " served, %7" PRIu64 " by the least served pool; waited %5" PRIu64
	       " ms on average, %5" PRIu64 " ms at most\n",
	       loads[load].name, all.n, least, in_ms(all.n == 0 ? 0 : all.total_us / all.n), in_ms(most_of(f, load)));
}

static bool judge(const struct fair *f)
{
	bool good = true;

	printf("%s, %u s:\n", f->scene->what, (unsigned)(RUN_US / US_PER_S));
	for (unsigned load = 0; load < LOADS; load++) {
		print_load(f, load);
		good = good && most_of(f, load) <= promised_us(f);
	}
	for (unsigned pool = 0; pool < POOLS; pool++)
		good = good && f->of[pool].n > 0;
	printf("  connections were at work %" PRIu64 " %% of the time, %" PRIu64 " logins; promised: %" PRIu64
	       " ms at most%s\n",
	       in_ms(f->busy_us) * 100 / (in_ms(RUN_US) * f->scene->limit), f->n_logins, in_ms(promised_us(f)),
	       good ? "" : ": BROKEN");
	return good;
}

static bool play(const struct scene *scene)
{
	static struct fair f;
	bool good;

	begin(&f, scene);
	while (f.now_us < f.end_us)
		next_event(&f);
	end(&f);
	good = judge(&f);
	return good;
}

bool fairness_run(void)
{
	bool good = true;

	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
		good = play(&scenes[i]) && good;
	return good;
}
