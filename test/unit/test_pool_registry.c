/* Tests of src/pool/registry.c, and of the settings it resolves (src/pool/settings.c). */
#include <string.h>

#include "base/mem.h"
#include "pool/registry.h"
#include "pool_bench.h"

struct bench {
	struct registry *r;
	struct config *c;
	struct entry entry[8];
	struct letters out;
};

static struct bench *begin(uint16_t n_workers, const char *databases, const char *globals)
{
	struct bench *t = (struct bench *)calloc(1, sizeof(*t));

	assert_non_null(t);
	t->c = bench_config(databases, globals);
	t->r = registry_new(n_workers, 3);
	assert_non_null(t->r);
	letters_init(&t->out);
	return t;
}

static void end(struct bench *t)
{
	for (int i = 0; i < 8; i++)
		registry_leave(t->r, &t->entry[i], NOW);
	assert_int_equal(atomic_load(&t->r->n_clients), 0);
	registry_free(t->r);
	config_unref(t->c);
	free(t);
}

static enum entering enter(struct bench *t, int i, const char *database, const char *user)
{
	return registry_enter(t->r, t->c, database, user, 0, &t->entry[i]);
}

static void clients_of_one_database_and_user_share_a_pool(void **state)
{
	struct bench *t = begin(2, "app = host=h", "");

	(void)state;
	assert_int_equal(enter(t, 0, "app", "ann"), ENTERED);
	assert_int_equal(enter(t, 1, "app", "ann"), ENTERED);
	assert_int_equal(enter(t, 2, "app", "ben"), ENTERED);
	assert_ptr_equal(t->entry[0].seat->pool, t->entry[1].seat->pool);
	assert_ptr_not_equal(t->entry[0].seat->pool, t->entry[2].seat->pool);
	assert_ptr_equal(t->entry[0].database, t->entry[2].database);
	assert_int_equal(t->entry[0].database->n_clients, 3);
	assert_int_equal(t->entry[0].account->n_clients, 2);
	assert_int_equal(t->r->n_pools, 2);
	registry_leave(t->r, &t->entry[0], NOW);
	assert_null(t->entry[0].seat);
	registry_leave(t->r, &t->entry[0], NOW); /* harmless */
	assert_int_equal(t->entry[1].database->n_clients, 2);
	end(t);
}

static void a_forced_user_makes_one_pool_for_all(void **state)
{
	struct bench *t = begin(1, "app = host=h user=owner password=x", "");

	(void)state;
	assert_int_equal(enter(t, 0, "app", "ann"), ENTERED);
	assert_int_equal(enter(t, 1, "app", "ben"), ENTERED);
	assert_ptr_equal(t->entry[0].seat, t->entry[1].seat);
	assert_string_equal(t->entry[0].seat->pool->user, "owner");
	assert_string_equal(t->entry[0].seat->pool->settings->user, "owner");
	assert_string_equal(t->entry[0].seat->pool->settings->secret, "x");
	assert_string_equal(t->entry[1].account->name, "ben"); /* clients count for who they are */
	end(t);
}

static void a_pool_has_a_seat_for_every_four_servers(void **state)
{
	static const struct {
		int size, seats;
	} cases[] = {{1, 1}, {4, 1}, {7, 1}, {8, 2}, {15, 3}, {16, 4}, {100, 4}, {0, 4}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char line[100];
		struct bench *t;

		assert_true(snprintf(line, sizeof(line), "app = host=h pool_size=%d", cases[i].size) > 0);
		t = begin(4, line, "");
		assert_int_equal(enter(t, 0, "app", "ann"), ENTERED);
		assert_int_equal(t->entry[0].seat->pool->n_seats, cases[i].seats);
		end(t);
	}
}

static void small_pools_sit_on_different_workers(void **state)
{
	struct bench *t = begin(2, "app = host=h pool_size=1", "");

	(void)state;
	assert_int_equal(enter(t, 0, "app", "ann"), ENTERED);
	assert_int_equal(enter(t, 1, "app", "ben"), ENTERED);
	assert_int_not_equal(t->entry[0].seat->worker, t->entry[1].seat->worker);
	end(t);
}

static void who_may_not_enter_is_told_why(void **state)
{
	struct bench *t =
	    begin(1, "app = host=h max_db_client_connections=2\nbig = host=h", "max_user_client_connections=3");

	(void)state;
	assert_int_equal(enter(t, 0, "none", "ann"), ENTER_NO_DATABASE);
	assert_int_equal(enter(t, 0, "app", "ann"), ENTERED);
	assert_int_equal(enter(t, 1, "app", "ben"), ENTERED);
	assert_int_equal(enter(t, 2, "app", "cid"), ENTER_DATABASE_FULL);
	assert_int_equal(enter(t, 3, "big", "ann"), ENTERED);
	assert_int_equal(enter(t, 4, "big", "ann"), ENTERED);
	assert_int_equal(enter(t, 5, "big", "ann"), ENTER_USER_FULL);
	registry_set_disabled(t->r, "big", true);
	assert_int_equal(enter(t, 5, "big", "dan"), ENTER_DISABLED);
	registry_set_disabled(t->r, "big", false);
	assert_int_equal(enter(t, 5, "big", "dan"), ENTERED);
	assert_false(registry_turns_local_away(t->r));
	registry_turn_local_away(t->r);
	assert_true(registry_turns_local_away(t->r));
	registry_shut_down(t->r);
	assert_int_equal(enter(t, 6, "big", "eve"), ENTER_SHUTTING_DOWN);
	end(t);
}

static void pause_covers_pools_that_come_later(void **state)
{
	struct bench *t = begin(1, "app = host=h\nbig = host=h", "");

	(void)state;
	assert_int_equal(enter(t, 0, "app", "ann"), ENTERED);
	registry_set_paused(t->r, "app", true, &t->out);
	assert_int_equal(took(&t->out, LETTER_LOOK), 1);
	assert_true(registry_is_paused(t->r, "app"));
	assert_false(registry_is_paused(t->r, "big"));
	assert_false(registry_is_paused(t->r, NULL));
	assert_int_equal(t->entry[0].seat->pool->state, POOL_PAUSED);
	assert_int_equal(enter(t, 1, "app", "ben"), ENTERED);
	assert_int_equal(t->entry[1].seat->pool->state, POOL_PAUSED);
	registry_set_paused(t->r, "app", false, &t->out);
	assert_int_equal(t->entry[0].seat->pool->state, POOL_OPEN);
	registry_set_paused(t->r, NULL, true, &t->out);
	assert_int_equal(enter(t, 2, "big", "ann"), ENTERED);
	assert_int_equal(t->entry[2].seat->pool->state, POOL_PAUSED);
	registry_set_paused(t->r, NULL, false, &t->out);
	assert_int_equal(t->entry[2].seat->pool->state, POOL_OPEN);
	end(t);
}

static void kill_closes_the_pools_and_leaves_them_paused(void **state)
{
	struct bench *t = begin(1, "app = host=h\nbig = host=h", "");

	(void)state;
	assert_int_equal(enter(t, 0, "app", "ann"), ENTERED);
	assert_int_equal(enter(t, 1, "big", "ann"), ENTERED);
	registry_begin_kill(t->r, "app", &t->out);
	assert_int_equal(t->entry[0].seat->pool->state, POOL_CLOSED);
	assert_int_equal(t->entry[1].seat->pool->state, POOL_OPEN);
	registry_end_kill(t->r, "app", &t->out);
	assert_int_equal(t->entry[0].seat->pool->state, POOL_PAUSED);
	registry_set_paused(t->r, "app", false, &t->out);
	assert_int_equal(t->entry[0].seat->pool->state, POOL_OPEN);
	end(t);
}

static void reload_gives_new_settings_and_reconnects_where_servers_are_stale(void **state)
{
	struct bench *t = begin(1, "app = host=h\nbig = host=h", "");
	uint32_t epoch;

	(void)state;
	assert_int_equal(enter(t, 0, "app", "ann"), ENTERED);
	assert_int_equal(enter(t, 1, "big", "ann"), ENTERED);
	epoch = t->entry[0].seat->pool->epoch;
	config_unref(t->c);
	t->c = bench_config("app = host=h pool_size=9\nbig = host=elsewhere", "");
	assert_true(registry_apply(t->r, t->c, &t->out));
	assert_int_equal(took(&t->out, LETTER_LOOK), 2);
	assert_int_equal(t->entry[0].seat->pool->settings->size, 9);
	assert_int_equal(t->entry[0].seat->pool->epoch, epoch);
	assert_int_equal(t->entry[1].seat->pool->epoch, epoch + 1);
	end(t);
}

static void a_removed_database_is_closed_until_it_comes_back(void **state)
{
	struct bench *t = begin(1, "app = host=h", "");
	struct config *without = bench_config("big = host=h", "");

	(void)state;
	assert_int_equal(enter(t, 0, "app", "ann"), ENTERED);
	assert_true(registry_apply(t->r, without, &t->out));
	assert_int_equal(t->entry[0].seat->pool->state, POOL_CLOSED);
	assert_int_equal(enter(t, 1, "app", "ann"), ENTER_NO_DATABASE);
	assert_true(registry_apply(t->r, t->c, &t->out));
	assert_int_equal(t->entry[0].seat->pool->state, POOL_OPEN);
	assert_int_equal(enter(t, 1, "app", "ann"), ENTERED);
	config_unref(without);
	end(t);
}

static unsigned sweep_after(struct bench *t, const struct sweep_times *times, uint64_t now_us, unsigned *n_databases)
{
	struct list pools, databases, *node;
	unsigned n = 0;

	list_init(&pools);
	list_init(&databases);
	(void)!registry_sweep(t->r, now_us, times, &pools, &databases);
	while ((node = list_take_first(&pools)) != NULL) {
		pool_free(container_of(node, struct pool, on_database));
		n++;
	}
	for (*n_databases = 0; (node = list_take_first(&databases)) != NULL; ++*n_databases)
		registry_database_free(container_of(node, struct database, on_all));
	return n;
}

static unsigned sweep(struct bench *t, uint64_t now_us, unsigned *n_databases)
{
	const struct sweep_times times = {.auto_database_us = 60 * US_PER_S, .pool_us = 0};

	return sweep_after(t, &times, now_us, n_databases);
}

/* pool_idle_timeout, with and without autodb_idle_timeout, which 0 switches off. */
static void unused_pools_are_swept_when_there_is_a_time_for_it(void **state)
{
	struct bench *t = begin(1, "* = host=h\napp = host=h", "");
	const struct sweep_times never = {0, 0}, pools = {0, 60 * US_PER_S};
	unsigned n_databases;

	(void)state;
	assert_int_equal(enter(t, 0, "app", "ann"), ENTERED);
	assert_int_equal(enter(t, 1, "any", "ann"), ENTERED_NEW_DATABASE);
	t->entry[0].seat->counters.xact_count = 5;
	t->entry[1].seat->counters.xact_count = 20;
	t->entry[1].seat->pool->guests.xact_count = 100;
	registry_leave(t->r, &t->entry[0], NOW);
	registry_leave(t->r, &t->entry[1], NOW);
	assert_int_equal(sweep_after(t, &never, NOW, &n_databases), 0);
	assert_int_equal(sweep_after(t, &never, NOW + 10000 * US_PER_S, &n_databases), 0);
	assert_int_equal(sweep_after(t, &pools, NOW + 10000 * US_PER_S, &n_databases), 0);
	assert_int_equal(sweep_after(t, &pools, NOW + 10059 * US_PER_S, &n_databases), 0);
	assert_int_equal(registry_gone(t->r).xact_count, 0);
	assert_int_equal(sweep_after(t, &pools, NOW + 10060 * US_PER_S, &n_databases), 2);
	assert_int_equal(registry_gone(t->r).xact_count, 125);
	assert_int_equal(n_databases, 0);
	assert_non_null(registry_find_database(t->r, "any"));
	end(t);
}

static void unused_automatic_databases_are_swept(void **state)
{
	struct bench *t = begin(1, "* = host=h\napp = host=h", "");
	unsigned n_databases;

	(void)state;
	assert_int_equal(enter(t, 0, "app", "ann"), ENTERED);
	assert_int_equal(enter(t, 1, "any", "ann"), ENTERED_NEW_DATABASE);
	assert_true(t->entry[1].database->is_auto);
	assert_false(t->entry[0].database->is_auto);
	assert_int_equal(sweep(t, NOW + 1000 * US_PER_S, &n_databases), 0);
	registry_leave(t->r, &t->entry[0], NOW);
	registry_leave(t->r, &t->entry[1], NOW);
	assert_int_equal(sweep(t, NOW, &n_databases), 0);
	assert_int_equal(sweep(t, NOW + 59 * US_PER_S, &n_databases), 0);
	assert_int_equal(sweep(t, NOW + 60 * US_PER_S, &n_databases), 1);
	assert_int_equal(n_databases, 1);
	assert_null(registry_find_database(t->r, "any"));
	assert_non_null(registry_find_database(t->r, "app"));
	end(t);
}

static void a_pool_that_something_refers_to_is_not_swept(void **state)
{
	struct bench *t = begin(1, "app = host=h", "");
	struct config *without = bench_config("big = host=h", "");
	struct seat *s;
	unsigned n_databases;

	(void)state;
	assert_int_equal(enter(t, 0, "app", "ann"), ENTERED);
	s = t->entry[0].seat;
	registry_leave(t->r, &t->entry[0], NOW);
	assert_true(registry_apply(t->r, without, &t->out));
	/* a LOOK is under way */
	assert_int_equal(sweep(t, NOW + 10 * US_PER_S, &n_databases), 0);
	assert_int_equal(sweep(t, NOW + 100 * US_PER_S, &n_databases), 0);
	pool_look_begins(s);
	assert_int_equal(sweep(t, NOW + 200 * US_PER_S, &n_databases), 0);
	assert_int_equal(sweep(t, NOW + 201 * US_PER_S, &n_databases), 1);
	assert_int_equal(n_databases, 1);
	config_unref(without);
	end(t);
}

static void count_pool(void *arg, struct pool *p)
{
	(void)p;
	++*(int *)arg;
}

static void count_database(void *arg, struct database *d)
{
	(void)d;
	++*(int *)arg;
}

static void walks_meet_everything_once(void **state)
{
	struct bench *t = begin(1, "app = host=h\nbig = host=h", "");
	int n = 0;

	(void)state;
	assert_int_equal(enter(t, 0, "app", "ann"), ENTERED);
	assert_int_equal(enter(t, 1, "app", "ben"), ENTERED);
	assert_int_equal(enter(t, 2, "big", "ann"), ENTERED);
	registry_each_pool(t->r, NULL, count_pool, &n);
	assert_int_equal(n, 3);
	n = 0;
	registry_each_pool(t->r, "app", count_pool, &n);
	assert_int_equal(n, 2);
	n = 0;
	registry_each_database(t->r, count_database, &n);
	assert_int_equal(n, 2);
	end(t);
}

static void databases_are_made_from_the_configuration_only(void **state)
{
	struct bench *t = begin(1, "app = host=h", "");

	(void)state;
	assert_null(registry_find_database(t->r, "app"));
	assert_non_null(registry_database(t->r, t->c, "app"));
	assert_ptr_equal(registry_find_database(t->r, "app"), registry_database(t->r, t->c, "app"));
	assert_null(registry_database(t->r, t->c, "none"));
	assert_ptr_equal(registry_account(t->r, "ann"), registry_account(t->r, "ann"));
	end(t);
}

static void permits_are_counted_by_database(void **state)
{
	struct bench *t = begin(1, "app = host=h\nbig = host=h", "");

	(void)state;
	assert_int_equal(enter(t, 0, "app", "ann"), ENTERED);
	assert_int_equal(enter(t, 1, "big", "ann"), ENTERED);
	t->entry[0].database->quota.n_permits = 2;
	t->entry[1].database->quota.n_permits = 3;
	assert_int_equal(registry_count_permits(t->r, "app"), 2);
	assert_int_equal(registry_count_permits(t->r, NULL), 5);
	end(t);
}

static void closing_closes_every_pool(void **state)
{
	struct bench *t = begin(1, "app = host=h\nbig = host=h", "");

	(void)state;
	assert_int_equal(enter(t, 0, "app", "ann"), ENTERED);
	assert_int_equal(enter(t, 1, "big", "ann"), ENTERED);
	registry_close(t->r, &t->out);
	assert_int_equal(t->entry[0].seat->pool->state, POOL_CLOSED);
	assert_int_equal(t->entry[1].seat->pool->state, POOL_CLOSED);
	assert_int_equal(enter(t, 2, "app", "ann"), ENTER_NO_DATABASE);
	end(t);
}

static void limits_of_zero_are_none(void **state)
{
	struct bench *t = begin(1, "app = host=h pool_size=0", "");
	struct pool_settings *set;

	(void)state;
	assert_int_equal(enter(t, 0, "app", "ann"), ENTERED);
	set = t->entry[0].seat->pool->settings;
	assert_int_equal(set->size, UINT32_MAX);
	assert_int_equal(set->max_db_connections, UINT32_MAX);
	assert_int_equal(set->max_user_connections, UINT32_MAX);
	assert_int_equal(set->min_size, 0);
	assert_string_equal(set->dbname, "app");
	assert_string_equal(set->user, "ann");
	assert_null(set->secret);
	end(t);
}

static enum entering enter_replication(struct bench *t, int i, const char *database, uint16_t worker)
{
	struct replication *r = (struct replication *)mem_alloc(sizeof(*r) + 1);

	assert_non_null(r);
	r->kind = REPLICATION_PHYSICAL;
	r->len = 0;
	return registry_enter_replication(t->r, t->c, database, "ann", worker, r, &t->entry[i]);
}

static void a_replication_connection_has_a_pool_of_its_own(void **state)
{
	struct bench *t =
	    begin(2, "app = host=h pool_mode=transaction min_pool_size=3 pool_size=7 state_guard=pin", "");
	struct pool *one, *other;

	(void)state;
	assert_int_equal(enter_replication(t, 0, "app", 1), ENTERED);
	assert_int_equal(enter_replication(t, 1, "app", 0), ENTERED);
	assert_int_equal(enter(t, 2, "app", "ann"), ENTERED);
	one = t->entry[0].seat->pool;
	other = t->entry[1].seat->pool;
	assert_int_equal(t->entry[0].seat->settings->guard, STATE_GUARD_OFF);
	assert_int_equal(t->entry[2].seat->settings->guard, STATE_GUARD_PIN);
	assert_ptr_not_equal(one, other);
	assert_ptr_equal(one->home, t->entry[2].seat->pool);
	assert_ptr_equal(other->home, t->entry[2].seat->pool);
	assert_null(one->home->home);
	assert_int_equal(one->home->n_guests, 2);
	assert_int_equal(one->n_seats, 1);
	assert_int_equal(one->seat[0].worker, 1);
	assert_int_equal(one->settings->mode, POOL_MODE_SESSION);
	assert_int_equal(one->settings->min_size, 0);
	assert_int_equal(one->settings->size, 7);
	assert_int_equal(t->entry[0].database->n_clients, 3);
	assert_int_equal(t->r->n_pools, 1);
	assert_true(registry_apply(t->r, t->c, &t->out)); /* stays so over a reload */
	assert_int_equal(one->settings->mode, POOL_MODE_SESSION);
	letters_init(&t->out);
	end(t);
}

static void a_refused_replication_connection_leaves_nothing(void **state)
{
	struct bench *t = begin(1, "app = host=h", "");

	(void)state;
	assert_int_equal(enter_replication(t, 0, "other", 0), ENTER_NO_DATABASE);
	assert_null(t->entry[0].seat);
	assert_int_equal(t->r->n_pools, 0);
	end(t);
}

static void its_pool_is_closed_for_good_and_swept_and_what_it_counted_stays(void **state)
{
	struct bench *t = begin(1, "app = host=h", "");
	struct pool *p, *home;
	unsigned n_databases;

	(void)state;
	assert_int_equal(enter_replication(t, 0, "app", 0), ENTERED);
	p = t->entry[0].seat->pool;
	home = p->home;
	p->seat[0].counters.query_count = 5;
	pool_set_state(p, POOL_CLOSED, &t->out);
	registry_leave(t->r, &t->entry[0], NOW);
	registry_set_paused(t->r, "app", true, &t->out);
	assert_int_equal(p->state, POOL_CLOSED);
	registry_set_paused(t->r, "app", false, &t->out);
	assert_int_equal(p->state, POOL_CLOSED);
	assert_int_equal(home->state, POOL_OPEN);
	letters_init(&t->out);
	p->seat[0].look_posted = home->seat[0].look_posted = false;
	assert_int_equal(sweep(t, NOW, &n_databases), 0);
	assert_int_equal(sweep(t, NOW + US_PER_S, &n_databases), 1);
	assert_int_equal(home->n_guests, 0);
	assert_int_equal(home->guests.query_count, 5);
	assert_int_equal(registry_gone(t->r).query_count, 0);
	assert_int_equal(sweep(t, NOW + 100 * US_PER_S, &n_databases), 0); /* pool_idle_timeout is off */
	end(t);
}

static enum entering look_up(struct bench *t, int i, const char *database, const char *auth_user, uint16_t worker)
{
	return registry_enter_lookups(t->r, t->c, database, auth_user, worker, &t->entry[i]);
}

static void lookups_have_a_pool_of_their_own_with_a_seat_on_each_worker(void **state)
{
	struct bench *t = begin(3, "app = host=h user=owner password=x pool_size=2", "");
	struct seat *seat;
	struct pool *p;

	(void)state;
	assert_int_equal(enter(t, 0, "app", "asker"), ENTERED);
	for (uint16_t worker = 0; worker < 3; worker++) {
		assert_int_equal(look_up(t, 1 + worker, "app", "asker", worker), ENTERED);
		assert_int_equal(t->entry[1 + worker].seat->worker, worker);
		assert_int_equal(t->entry[1 + worker].seat->n_clients, 1);
	}
	p = t->entry[1].seat->pool;
	assert_ptr_equal(p, t->entry[3].seat->pool);
	assert_true(p->lookups);
	assert_string_equal(p->user, "asker");
	assert_string_equal(p->settings->user, "asker"); /* not the forced one */
	assert_int_equal(p->settings->size, 2);
	assert_ptr_not_equal(p, t->entry[0].seat->pool);
	assert_int_equal(t->entry[0].database->n_clients, 1); /* they count in no limit */
	seat = t->entry[1].seat;
	registry_leave(t->r, &t->entry[1], NOW);
	assert_int_equal(seat->n_clients, 0);
	/* the clients of a database without a forced user who log in as that user have another one */
	assert_true(registry_apply(t->r, t->c, &t->out));
	assert_string_equal(p->settings->user, "asker");
	end(t);
}

static void who_cannot_be_looked_up_is_told_why(void **state)
{
	struct bench *t = begin(1, "app = host=h", "");

	(void)state;
	assert_int_equal(look_up(t, 0, "nix", "asker", 0), ENTER_NO_DATABASE);
	assert_int_equal(look_up(t, 0, "app", "asker", 0), ENTERED);
	registry_set_disabled(t->r, "app", true);
	assert_int_equal(look_up(t, 1, "app", "asker", 0), ENTER_DISABLED);
	registry_set_disabled(t->r, "app", false);
	registry_shut_down(t->r);
	assert_int_equal(look_up(t, 1, "app", "asker", 0), ENTER_SHUTTING_DOWN);
	assert_null(t->entry[1].seat);
	end(t);
}

static void first_client_that_is_let_in_makes_a_database_known(void **state)
{
	struct bench *t = begin(1, "* = host=h", "");
	unsigned n_databases;

	(void)state;
	assert_int_equal(look_up(t, 0, "any", "asker", 0), ENTERED);
	assert_int_equal(enter(t, 1, "any", "ann"), ENTERED_NEW_DATABASE);
	assert_int_equal(enter(t, 2, "any", "ann"), ENTERED);
	for (int i = 0; i < 3; i++)
		registry_leave(t->r, &t->entry[i], NOW);
	(void)sweep(t, NOW + 2 * US_PER_S, &n_databases);
	(void)sweep(t, NOW + 30 * US_PER_S, &n_databases);
	assert_int_equal(n_databases, 0);
	assert_non_null(registry_find_database(t->r, "any"));
	end(t);
}

static void what_strangers_have_made_by_lookups_is_swept_soon(void **state)
{
	struct bench *t = begin(1, "* = host=h\napp = host=h", "");
	unsigned n_databases;

	(void)state;
	assert_int_equal(look_up(t, 0, "any", "asker", 0), ENTERED);
	assert_int_equal(look_up(t, 1, "app", "asker", 0), ENTERED);
	assert_int_equal(sweep(t, NOW + US_PER_S, &n_databases), 0);
	registry_leave(t->r, &t->entry[0], NOW);
	registry_leave(t->r, &t->entry[1], NOW);
	(void)sweep(t, NOW + 2 * US_PER_S, &n_databases);
	assert_int_equal(sweep(t, NOW + 3 * US_PER_S, &n_databases), 1);
	assert_null(registry_find_database(t->r, "any"));
	assert_non_null(registry_find_database(t->r, "app"));
	end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(clients_of_one_database_and_user_share_a_pool),
	    cmocka_unit_test(a_forced_user_makes_one_pool_for_all),
	    cmocka_unit_test(a_pool_has_a_seat_for_every_four_servers),
	    cmocka_unit_test(small_pools_sit_on_different_workers),
	    cmocka_unit_test(who_may_not_enter_is_told_why),
	    cmocka_unit_test(pause_covers_pools_that_come_later),
	    cmocka_unit_test(kill_closes_the_pools_and_leaves_them_paused),
	    cmocka_unit_test(reload_gives_new_settings_and_reconnects_where_servers_are_stale),
	    cmocka_unit_test(a_removed_database_is_closed_until_it_comes_back),
	    cmocka_unit_test(unused_pools_are_swept_when_there_is_a_time_for_it),
	    cmocka_unit_test(unused_automatic_databases_are_swept),
	    cmocka_unit_test(a_pool_that_something_refers_to_is_not_swept),
	    cmocka_unit_test(walks_meet_everything_once),
	    cmocka_unit_test(databases_are_made_from_the_configuration_only),
	    cmocka_unit_test(permits_are_counted_by_database),
	    cmocka_unit_test(closing_closes_every_pool),
	    cmocka_unit_test(limits_of_zero_are_none),
	    cmocka_unit_test(a_replication_connection_has_a_pool_of_its_own),
	    cmocka_unit_test(a_refused_replication_connection_leaves_nothing),
	    cmocka_unit_test(its_pool_is_closed_for_good_and_swept_and_what_it_counted_stays),
	    cmocka_unit_test(lookups_have_a_pool_of_their_own_with_a_seat_on_each_worker),
	    cmocka_unit_test(first_client_that_is_let_in_makes_a_database_known),
	    cmocka_unit_test(who_cannot_be_looked_up_is_told_why),
	    cmocka_unit_test(what_strangers_have_made_by_lookups_is_swept_soon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
