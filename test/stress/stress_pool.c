/*
 * Real threads, mailboxes, pools and opener; servers and clients that are only places and waiters. Every client gets
 * as many transactions as it asked for, limits are never exceeded, nothing is left over, and ThreadSanitizer finds
 * nothing. Pools are reconnected, paused and resumed all the time, servers die, waiting clients give up.
 */
#include <string.h>

#include "../unit/conf_files.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/mailbox.h"
#include "pool/opener.h"
#include "pool/outage.h"
#include "stress.h"

#define WORKERS 4
#define CLIENTS 120
#define TRANSACTIONS 2000 /* of each client */
#define GUARD_US (240 * US_PER_S)
#define POOLS 13
#define LETTER_DONE (LETTER_KINDS_OF_POOL + 1)
#define LETTER_STOP (LETTER_KINDS_OF_POOL + 2)

struct client;

/* Owned by one thread: where its place is. */
struct server {
	struct place place;
	struct permit *permit;
	struct client *client;
	atomic_uint owner_check; /* threads that handle it at this moment */
};

enum client_state { CLIENT_IDLE, CLIENT_WAITING, CLIENT_LINKED, CLIENT_DONE };

/* Owned by one thread: its worker. */
struct client {
	struct entry entry;
	struct waiter waiter;
	struct server *server;
	enum client_state state;
	unsigned left;  /* transactions still to do */
	unsigned turns; /* until this one is over */
};

struct worker {
	uint16_t number;
	pthread_t thread;
	struct loop *loop;
	struct mailbox *box;
	struct timer *cover;
	struct client *client[CLIENTS];
	unsigned n_clients, n_done;
	struct server *idle; /* one that was idle when last seen, to be closed some time */
	struct letter done, stop;
	uint32_t seed;
	bool reported;
};

struct main_thread {
	struct loop *loop;
	struct mailbox *box;
	struct timer *opener_timer, *trouble, *guard;
	struct registry *registry;
	struct opener *opener;
	struct letters out;
	struct config *conf;
	struct pool *paused;
	unsigned n_done;
	bool ending, stopped;
	uint32_t seed;
};

static struct worker workers[WORKERS];
static struct main_thread boss;
static struct client clients[CLIENTS];
static atomic_uint n_connections[POOLS]; /* by database, now */
static atomic_uint n_transactions;
/* what must have happened, or this has tested little */
static atomic_uint n_travels, n_evicted, n_retired, n_gave_up, n_troubles;

static const char *const databases[] = {"one", "few", "many", "tight"};
static const unsigned limits[] = {1, 4, 20, 3};

static void post(struct letter *letter)
{
	mailbox_post(letter->to == TO_MAIN ? boss.box : workers[letter->to].box, letter);
}

static void post_all(struct letters *letters)
{
	struct letter *letter;

	while ((letter = letters_take(letters)) != NULL)
		post(letter);
}

static unsigned database_of(const struct pool *p)
{
	for (unsigned i = 0; i < sizeof(databases) / sizeof(databases[0]); i++)
		if (strcmp(p->database, databases[i]) == 0)
			return i;
	return 0;
}

static uint64_t now(const struct worker *w)
{
	return loop_now_us(w->loop);
}

/* ---- servers, on their worker ---- */

/* Nobody else handles it meanwhile. */
static void enter(struct server *s)
{
	EXPECT(atomic_fetch_add(&s->owner_check, 1) == 0);
}

static void leave(struct server *s)
{
	EXPECT(atomic_fetch_sub(&s->owner_check, 1) == 1);
}

static void return_permit(struct permit *permit)
{
	if (!permit_report(permit, PERMIT_RETURNED))
		return;
	permit->letter.kind = LETTER_NEWS;
	permit->letter.to = TO_MAIN;
	post(&permit->letter);
}

static void close_server(struct worker *w, struct server *s)
{
	struct permit *permit = s->permit;
	struct letters out;
	bool may_free;

	if (w->idle == s)
		w->idle = NULL;
	atomic_fetch_sub(&n_connections[database_of(s->place.pool)], 1);
	letters_init(&out);
	may_free = pool_gone(&s->place, now(w), &out);
	post_all(&out);
	return_permit(permit);
	if (may_free)
		mem_free(s);
}

static void link_client(struct worker *w, struct client *c, struct server *s)
{
	if (w->idle == s)
		w->idle = NULL;
	EXPECT(c->state == CLIENT_WAITING || c->state == CLIENT_IDLE);
	EXPECT(c->server == NULL && s->client == NULL);
	EXPECT(c->entry.seat == s->place.seat);
	c->state = CLIENT_LINKED;
	c->server = s;
	s->client = c;
	c->turns = stress_random(&w->seed) % 3;
}

static void settle(struct worker *w, struct server *s)
{
	struct letters out;
	struct waiter *to = NULL;
	enum retire_reason why;

	letters_init(&out);
	enter(s);
	switch (pool_settle(&s->place, now(w), &to, &why, &out)) {
	case SETTLED_LENT:
		link_client(w, container_of(to, struct client, waiter), s);
		leave(s);
		break;
	case SETTLED_IDLE:
		w->idle = s;
		leave(s);
		break;
	case SETTLED_SEND:
		leave(s);
		post(&s->place.letter);
		break;
	case SETTLED_CLOSE:
		leave(s);
		close_server(w, s);
		break;
	}
	post_all(&out);
}

static void free_welcome(struct shared *s)
{
	mem_free(s);
}

static void open_server(struct worker *w, struct permit *permit)
{
	struct server *s = mem_new(struct server);
	struct shared *welcome = mem_new(struct shared);
	unsigned database = database_of(permit->pool);
	struct letters out;

	must(s != NULL && welcome != NULL, "memory");
	shared_init(welcome, free_welcome);
	EXPECT(atomic_fetch_add(&n_connections[database], 1) < limits[database]);
	s->permit = permit;
	pool_place_init(&s->place, permit->seat);
	letters_init(&out);
	pool_opened(&s->place, now(w), welcome, &out);
	if (permit_report(permit, PERMIT_OPENED)) {
		permit->letter.kind = LETTER_NEWS;
		permit->letter.to = TO_MAIN;
		letters_add(&out, &permit->letter);
	}
	post_all(&out);
	settle(w, s);
}

static void give(struct worker *w, struct place *pl)
{
	struct server *s = container_of(pl, struct server, place);

	if (w->idle == s)
		w->idle = NULL;
	if (pool_give_read(pl))
		post(&pl->letter);
	else
		mem_free(s);
}

static void here(struct worker *w, struct place *pl)
{
	EXPECT(pool_letter_read(pl) == PLACE_MOVING);
	EXPECT(pl->seat->worker == w->number);
	atomic_fetch_add(&n_travels, 1);
	settle(w, container_of(pl, struct server, place));
}

static void close_letter(struct worker *w, struct place *pl)
{
	struct server *s = container_of(pl, struct server, place);

	atomic_fetch_add(&n_evicted, 1);
	if (pool_letter_read(pl) == PLACE_GONE)
		mem_free(s);
	else
		close_server(w, s);
}

static void look(struct worker *w, struct seat *s)
{
	struct letters out;
	enum retire_reason why;
	struct place *pl;

	pool_look_begins(s);
	while ((pl = pool_take_unfit(s, &why)) != NULL) {
		atomic_fetch_add(&n_retired, 1);
		close_server(w, container_of(pl, struct server, place));
	}
	letters_init(&out);
	pool_cover(s, now(w), &out);
	post_all(&out);
}

/* ---- clients, on their worker ---- */

static void finish(struct worker *w, struct client *c)
{
	struct server *s = c->server;

	c->server = NULL;
	s->client = NULL;
	c->state = CLIENT_IDLE;
	c->left--;
	atomic_fetch_add(&n_transactions, 1);
	if (stress_random(&w->seed) % 64 == 0)
		close_server(w, s); /* it has died */
	else
		settle(w, s);
}

static void borrow(struct worker *w, struct client *c)
{
	struct letters out;
	struct place *pl = NULL;
	struct outage *outage = NULL;
	enum borrowed result;

	letters_init(&out);
	result = pool_borrow(c->entry.seat, &c->waiter, now(w), &pl, &outage, &out);
	if (result == BORROWED) {
		link_client(w, c, container_of(pl, struct server, place));
	} else {
		EXPECT(result == BORROW_WAITS);
		c->state = CLIENT_WAITING;
		if (!timer_is_set(w->cover))
			timer_set(w->cover, now(w) + POOL_PATIENCE_US);
	}
	post_all(&out);
}

/* True if it will go on without an event. */
static bool step(struct worker *w, struct client *c)
{
	switch (c->state) {
	case CLIENT_IDLE:
		if (c->left > 0) {
			borrow(w, c);
			return c->state != CLIENT_WAITING;
		}
		c->state = CLIENT_DONE;
		w->n_done++;
		return false;
	case CLIENT_WAITING:
		/* gives up, and comes again */
		if (stress_random(&w->seed) % 256 == 0) {
			pool_leave(c->entry.seat, &c->waiter);
			atomic_fetch_add(&n_gave_up, 1);
			c->state = CLIENT_IDLE;
			return true;
		}
		return false;
	case CLIENT_LINKED:
		if (c->turns-- == 0)
			finish(w, c);
		return true;
	case CLIENT_DONE:
		return false;
	}
	return false;
}

static void report_done(struct worker *w)
{
	w->reported = true;
	w->done.kind = LETTER_DONE;
	w->done.to = TO_MAIN;
	post(&w->done);
}

static bool worker_turn(void *owner)
{
	struct worker *w = (struct worker *)owner;
	bool more = false;

	for (unsigned i = 0; i < w->n_clients; i++)
		more |= step(w, w->client[i]);
	if (w->idle != NULL && stress_random(&w->seed) % 512 == 0) {
		struct server *s = w->idle;

		w->idle = NULL;
		if (pool_retire_idle(&s->place))
			close_server(w, s);
	}
	if (w->n_done == w->n_clients && !w->reported)
		report_done(w);
	return more;
}

static void worker_covers(void *owner)
{
	struct worker *w = (struct worker *)owner;
	struct letters out;
	bool again = false;

	letters_init(&out);
	for (unsigned i = 0; i < w->n_clients; i++) {
		struct client *c = w->client[i];

		if (c->state != CLIENT_WAITING)
			continue;
		pool_cover(c->entry.seat, now(w), &out);
		again = true;
	}
	post_all(&out);
	if (again)
		timer_set(w->cover, now(w) + POOL_PATIENCE_US);
}

static void worker_reads(void *owner, struct letter *letter)
{
	struct worker *w = (struct worker *)owner;

	switch (letter->kind) {
	case LETTER_GIVE:
		give(w, container_of(letter, struct place, letter));
		break;
	case LETTER_HERE:
		here(w, container_of(letter, struct place, letter));
		break;
	case LETTER_CLOSE:
		close_letter(w, container_of(letter, struct place, letter));
		break;
	case LETTER_LOOK:
		look(w, container_of(letter, struct seat, look));
		break;
	case LETTER_OPEN:
		open_server(w, container_of(letter, struct permit, letter));
		break;
	case LETTER_STOP:
		loop_stop(w->loop);
		break;
	default:
		EXPECT(letter->kind == LETTER_OPEN);
		break;
	}
}

static void *worker_runs(void *arg)
{
	loop_run(((struct worker *)arg)->loop);
	return NULL;
}

/* ---- main ---- */

static uint64_t boss_now(void)
{
	return loop_now_us(boss.loop);
}

static void boss_ends(void)
{
	boss.ending = true;
	boss.paused = NULL;
	registry_close(boss.registry, &boss.out);
}

static void boss_reads(void *owner, struct letter *letter)
{
	(void)owner;
	switch (letter->kind) {
	case LETTER_WANT:
		pool_want_read(container_of(letter, struct pool, want));
		opener_consider(boss.opener, container_of(letter, struct pool, want), boss_now(), &boss.out);
		break;
	case LETTER_NEWS:
		opener_news(boss.opener, container_of(letter, struct permit, letter), boss_now(), &boss.out);
		break;
	case LETTER_DONE:
		if (++boss.n_done == WORKERS)
			boss_ends();
		break;
	default:
		EXPECT(letter->kind == LETTER_WANT);
		break;
	}
}

static void boss_opens(void *owner)
{
	(void)owner;
	opener_tick(boss.opener, boss_now(), &boss.out);
}

static void stop_all(void)
{
	boss.stopped = true;
	for (uint16_t i = 0; i < WORKERS; i++) {
		workers[i].stop.kind = LETTER_STOP;
		workers[i].stop.to = i;
		letters_add(&boss.out, &workers[i].stop);
	}
	loop_stop(boss.loop);
}

static bool boss_turn(void *owner)
{
	struct permit *permit;
	uint64_t next_us;

	(void)owner;
	while ((permit = opener_take_unresolved(boss.opener)) != NULL) {
		permit->target[0].host = "db";
		permit->n_targets = 1;
		opener_resolved(boss.opener, permit, boss_now(), &boss.out);
	}
	if (boss.ending && !boss.stopped && registry_count_permits(boss.registry, NULL) == 0)
		stop_all();
	post_all(&boss.out);
	next_us = opener_next_us(boss.opener);
	if (next_us == UINT64_MAX)
		timer_clear(boss.opener_timer);
	else
		timer_set(boss.opener_timer, next_us);
	return false;
}

struct pick {
	struct pool *pool;
	unsigned left;
};

static void pick_pool(void *arg, struct pool *p)
{
	struct pick *pick = (struct pick *)arg;

	if (pick->left-- == 0)
		pick->pool = p;
}

/* What operators do: RECONNECT, PAUSE, RESUME. */
static void make_trouble(void *owner)
{
	struct pick pick = {NULL, stress_random(&boss.seed) % POOLS};

	(void)owner;
	if (boss.ending)
		return;
	timer_set(boss.trouble, boss_now() + 3 * US_PER_MS);
	atomic_fetch_add(&n_troubles, 1);
	if (boss.paused != NULL) {
		pool_set_state(boss.paused, POOL_OPEN, &boss.out);
		opener_consider(boss.opener, boss.paused, boss_now(), &boss.out);
		boss.paused = NULL;
		return;
	}
	registry_each_pool(boss.registry, NULL, pick_pool, &pick);
	if (pick.pool == NULL)
		return;
	if (stress_random(&boss.seed) % 2 == 0) {
		pool_reconnect(pick.pool, &boss.out);
	} else {
		boss.paused = pick.pool;
		pool_set_state(pick.pool, POOL_PAUSED, &boss.out);
	}
}

static void give_up(void *owner)
{
	(void)owner;
	stuck("clients wait for ever");
}

/* ---- beginning and end ---- */

static void load_config(void)
{
	static const char text[] = "[databases]\n"
	                           "one = host=127.0.0.1 pool_size=1\n"
	                           "few = host=127.0.0.1 pool_size=4\n"
	                           "many = host=127.0.0.1 pool_size=20\n"
	                           "tight = host=127.0.0.1 pool_size=2 max_db_connections=3\n"
	                           "[pgbouncer]\nauth_type=any\nquery_wait_timeout=0\nserver_lifetime=3600\n"
	                           "max_client_conn=1000\n";
	struct fake_file files[] = {{"pgweir.ini", text, 0}, {NULL, NULL, 0}};
	struct conf_error why;

	boss.conf = config_load("pgweir.ini", NULL, fake_read, files, &why);
	must(boss.conf != NULL, "a configuration");
}

static void make_boss(struct log *log)
{
	load_config();
	boss.seed = 7;
	letters_init(&boss.out);
	boss.loop = loop_new();
	must(boss.loop != NULL, "a loop");
	boss.box = mailbox_new(boss.loop, boss_reads, NULL);
	boss.opener_timer = timer_new(boss.loop, boss_opens, NULL);
	boss.trouble = timer_new(boss.loop, make_trouble, NULL);
	boss.guard = timer_new(boss.loop, give_up, NULL);
	boss.registry = registry_new(WORKERS, 3);
	boss.opener = opener_new(boss.registry, log, boss.conf, 5);
	must(boss.box != NULL && boss.opener_timer != NULL && boss.trouble != NULL && boss.guard != NULL, "main");
	must(boss.registry != NULL && boss.opener != NULL, "main");
	loop_set_turn(boss.loop, boss_turn, NULL);
	timer_set(boss.trouble, 0);
	timer_set(boss.guard, boss_now() + GUARD_US);
}

static void make_worker(uint16_t number)
{
	struct worker *w = &workers[number];

	w->number = number;
	w->seed = number + 11u;
	w->loop = loop_new();
	must(w->loop != NULL, "a loop");
	w->box = mailbox_new(w->loop, worker_reads, w);
	w->cover = timer_new(w->loop, worker_covers, w);
	must(w->box != NULL && w->cover != NULL, "a worker");
	loop_set_turn(w->loop, worker_turn, w);
}

/* Clients of four databases. In the tight one, ten users take servers from one another. */
static void make_client(unsigned i)
{
	struct client *c = &clients[i];
	unsigned database = i % 4;
	char user[8] = "ann";
	struct worker *w;

	if (database == 3)
		snprintf(user, sizeof(user), "user%u", i / 4 % 10);

	list_init(&c->waiter.node);
	c->left = TRANSACTIONS;
	must(registry_enter(boss.registry, boss.conf, databases[database], user, (uint16_t)(i % WORKERS), &c->entry) ==
	         ENTERED,
	     "a client");
	w = &workers[c->entry.seat->worker];
	w->client[w->n_clients++] = c;
}

static void check_pool(void *arg, struct pool *p)
{
	const char *wrong = pool_check(p);

	(void)arg;
	if (!EXPECT(wrong == NULL))
		fprintf(stderr, "%s\n", wrong);
	for (uint16_t i = 0; i < p->n_seats; i++) {
		const struct seat *s = &p->seat[i];

		EXPECT(s->n_waiting + s->n_newcomers + s->n_idle + s->n_lent + s->n_moving + s->n_opening == 0);
	}
}

static void forget_pool(void *arg, struct pool *p)
{
	(void)arg;
	opener_forget(boss.opener, p);
}

static void check_and_free(void)
{
	registry_each_pool(boss.registry, NULL, check_pool, NULL);
	for (unsigned i = 0; i < POOLS; i++)
		EXPECT(atomic_load(&n_connections[i]) == 0);
	for (unsigned i = 0; i < CLIENTS; i++) {
		EXPECT(clients[i].state == CLIENT_DONE && clients[i].left == 0);
		registry_leave(boss.registry, &clients[i].entry, boss_now());
	}
	EXPECT(atomic_load(&n_travels) > 0 && atomic_load(&n_evicted) > 0 && atomic_load(&n_retired) > 0);
	EXPECT(atomic_load(&n_gave_up) > 0 && atomic_load(&n_troubles) > 0);
	EXPECT(atomic_load(&n_transactions) == CLIENTS * TRANSACTIONS);
	for (unsigned i = 0; i < WORKERS; i++) {
		mailbox_free(workers[i].box);
		timer_free(workers[i].cover);
		loop_free(workers[i].loop);
	}
	registry_each_pool(boss.registry, NULL, forget_pool, NULL);
	opener_free(boss.opener);
	registry_free(boss.registry);
	mailbox_free(boss.box);
	timer_free(boss.opener_timer);
	timer_free(boss.trouble);
	timer_free(boss.guard);
	loop_free(boss.loop);
	config_unref(boss.conf);
}

int main(void)
{
	struct log *log = log_new();

	must(log != NULL, "a log");
	log_set_stderr(log, false);
	make_boss(log);
	for (uint16_t i = 0; i < WORKERS; i++)
		make_worker(i);
	for (unsigned i = 0; i < CLIENTS; i++)
		make_client(i);
	for (unsigned i = 0; i < WORKERS; i++)
		workers[i].thread = start_thread(worker_runs, &workers[i]);
	loop_run(boss.loop);
	post_all(&boss.out);
	for (unsigned i = 0; i < WORKERS; i++)
		join_thread(workers[i].thread);
	check_and_free();
	log_free(log);
	printf("%u travels, %u evicted, %u retired, %u gave up, %u troubles\n", n_travels, n_evicted, n_retired,
	       n_gave_up, n_troubles);
	return stress_result(atomic_load(&n_transactions));
}
