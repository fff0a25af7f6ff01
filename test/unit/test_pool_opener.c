/* Permits, limits and attempts; also permits (src/pool/permit.c) on their way. */
#include "opener_bench.h"

/* ---- limits ---- */

static void one_waiter_gets_one_permit(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "");
	struct side s = {0};

	(void)state;
	waits(t, &s, "app", "ann");
	assert_int_equal(s.n_permits, 1);
	assert_int_equal(s.permit[0]->letter.kind, LETTER_OPEN);
	assert_int_equal(s.permit[0]->letter.to, 0);
	assert_int_equal(s.n_open_letters, 1);
	assert_int_equal(s.p->seat[0].n_opening, 1);
	end(t);
}

static void the_first_login_goes_alone_then_several_at_once(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "server_connect_parallel=3");
	struct side s = {0};

	(void)state;
	for (int i = 0; i < 6; i++)
		waits(t, &s, "app", "ann");
	assert_int_equal(s.n_permits, 1);
	logs_in(t, &s, 0);
	assert_int_equal(s.n_permits, 4);
	end(t);
}

static void server_connect_parallel_one_opens_one_at_a_time(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "server_connect_parallel=1");
	struct side s = {0};

	(void)state;
	for (int i = 0; i < 4; i++)
		waits(t, &s, "app", "ann");
	logs_in(t, &s, 0);
	assert_int_equal(s.n_permits, 2);
	assert_int_equal(s.p->limit, LIMIT_PARALLEL);
	logs_in(t, &s, 1);
	assert_int_equal(s.n_permits, 3);
	end(t);
}

static void a_waiter_after_the_first_login_is_heard_at_once(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "");
	struct side s = {0};

	(void)state;
	waits(t, &s, "app", "ann");
	logs_in(t, &s, 0);
	assert_true(s.p->may_ask);
	waits(t, &s, "app", "ann");
	assert_int_equal(s.n_permits, 2);
	end(t);
}

static void pool_size_is_exact(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1 pool_size=2", "");
	struct side s = {0};

	(void)state;
	for (int i = 0; i < 4; i++)
		waits(t, &s, "app", "ann");
	logs_in(t, &s, 0);
	logs_in(t, &s, 1);
	assert_int_equal(s.n_permits, 2);
	assert_false(s.p->may_ask); /* a full pool never asks twice */
	assert_int_equal(s.p->limit, LIMIT_POOL_SIZE);
	ends(t, &s, 0); /* a permit that comes back goes to those who wait */
	resolve(t, true);
	assert_int_equal(s.n_permits, 3);
	assert_int_equal(s.p->opener->n_permits, 2);
	end(t);
}

static void max_db_connections_is_exact_over_pools(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1 max_db_connections=1", "");
	struct side a = {0}, b = {0};

	(void)state;
	waits(t, &a, "app", "ann");
	waits(t, &b, "app", "ben");
	assert_int_equal(a.n_permits, 1);
	assert_int_equal(a.p->limit, LIMIT_NONE);
	assert_int_equal(b.n_permits, 0);
	assert_int_equal(b.p->limit, LIMIT_DATABASE);
	logs_in(t, &a, 0);
	leaves(t, &a, 0);
	ends(t, &a, 0);
	resolve(t, true);
	assert_int_equal(b.n_permits, 1);
	assert_int_equal(b.p->limit, LIMIT_NONE);
	assert_int_equal(b.p->opener->database->quota.n_permits, 1);
	end(t);
}

static void max_user_connections_is_exact_over_databases(void **state)
{
	struct bench *t = begin("one = host=127.0.0.1\ntwo = host=127.0.0.1", "max_user_connections=1");
	struct side a = {0}, b = {0}, c = {0};

	(void)state;
	waits(t, &a, "one", "ann");
	waits(t, &b, "two", "ann");
	waits(t, &c, "two", "ben");
	assert_int_equal(a.n_permits, 1);
	assert_int_equal(b.n_permits, 0);
	assert_int_equal(b.p->limit, LIMIT_USER);
	assert_int_equal(c.n_permits, 1);
	assert_int_equal(c.p->limit, LIMIT_NONE);
	leaves(t, &a, 0);
	logs_in(t, &a, 0);
	ends(t, &a, 0);
	resolve(t, true);
	assert_int_equal(b.n_permits, 1);
	end(t);
}

static void idle_server_of_another_pool_is_evicted_for_the_limit(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1 max_db_connections=1", "");
	struct side a = {0}, b = {0};

	(void)state;
	waits(t, &a, "app", "ann");
	leaves(t, &a, 0);
	logs_in(t, &a, 0);
	assert_int_equal(a.place[0].state, PLACE_IDLE);
	waits(t, &b, "app", "ben");
	assert_int_equal(took(&t->out, LETTER_CLOSE), 1);
	assert_int_equal(a.place[0].state, PLACE_CLOSING);
	/* only one is evicted for it, however often it looks again */
	opener_consider(t->opener, b.p, t->now_us, &t->out);
	assert_int_equal(took(&t->out, LETTER_CLOSE), 0);
	assert_int_equal(pool_letter_read(&a.place[0]), PLACE_CLOSING);
	ends(t, &a, 0);
	resolve(t, true);
	assert_int_equal(b.n_permits, 1);
	end(t);
}

static enum settled settles(struct bench *t, struct side *s, int i, enum retire_reason *why)
{
	struct waiter *to;

	return pool_settle(&s->place[i], t->now_us, &to, why, &t->out);
}

static void server_that_comes_free_later_makes_room_at_once(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1 max_db_connections=1", "");
	struct side a = {0}, b = {0};
	enum retire_reason why;

	(void)state;
	waits(t, &a, "app", "ann");
	logs_in(t, &a, 0);
	waits(t, &b, "app", "ben");
	assert_int_equal(took(&t->out, LETTER_CLOSE), 0);
	assert_int_equal(settles(t, &a, 0, &why), SETTLED_CLOSE);
	assert_int_equal(why, RETIRE_FOR_DATABASE);
	ends(t, &a, 0);
	resolve(t, true);
	assert_int_equal(b.n_permits, 1);
	end(t);
}

/* Two servers of one pool are at work; only one of them closes for the one who waits. */
static void a_call_is_answered_once(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1 max_db_connections=2", "");
	struct side a = {0}, b = {0};
	enum retire_reason why;

	(void)state;
	waits(t, &a, "app", "ann");
	waits(t, &a, "app", "ann");
	logs_in(t, &a, 0);
	logs_in(t, &a, 1);
	waits(t, &b, "app", "ben");
	assert_int_equal(settles(t, &a, 0, &why), SETTLED_CLOSE);
	t->now_us += US_PER_S;
	run_main(t, &b);
	assert_int_equal(settles(t, &a, 1, &why), SETTLED_IDLE);
	end(t);
}

/* A pool whose clients never stop coming would keep its server for ever. */
static void a_busy_pool_gives_way_to_those_who_have_waited_much_longer(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1 max_db_connections=1", "");
	struct side a = {0}, b = {0};
	enum retire_reason why;

	(void)state;
	waits(t, &a, "app", "ann");
	logs_in(t, &a, 0);
	waits(t, &b, "app", "ben");
	t->now_us += POOL_GIVE_WAY_US - MS;
	run_main(t, &b);
	waits(t, &a, "app", "ann");
	assert_int_equal(settles(t, &a, 0, &why), SETTLED_LENT); /* not that long */
	t->now_us += 2 * MS;
	waits(t, &a, "app", "ann");
	assert_int_equal(settles(t, &a, 0, &why), SETTLED_CLOSE);
	assert_int_equal(why, RETIRE_FOR_DATABASE);
	ends(t, &a, 0);
	resolve(t, true);
	assert_int_equal(b.n_permits, 1);
	end(t);
}

static void a_busy_pool_keeps_its_server_from_those_who_have_waited_as_long(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1 max_db_connections=1", "");
	struct side a = {0}, b = {0};
	enum retire_reason why;

	(void)state;
	waits(t, &a, "app", "ann");
	logs_in(t, &a, 0);
	waits(t, &a, "app", "ann");
	t->now_us += MS;
	waits(t, &b, "app", "ben");
	t->now_us += 10 * US_PER_S;
	run_main(t, &b);
	assert_int_equal(settles(t, &a, 0, &why), SETTLED_LENT);
	end(t);
}

static void those_who_wait_for_a_limit_are_served_in_turn(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1 max_db_connections=1", "");
	struct side a = {0}, b = {0}, c = {0};

	(void)state;
	waits(t, &a, "app", "ann");
	waits(t, &b, "app", "ben");
	waits(t, &b, "app", "ben");
	waits(t, &c, "app", "cid");
	logs_in(t, &a, 0);
	leaves(t, &a, 0);
	/* looking again does not cost b its place */
	opener_consider(t->opener, b.p, t->now_us, &t->out);
	ends(t, &a, 0);
	resolve(t, true);
	assert_int_equal(b.n_permits, 1);
	/* b wants another one, but now it is c's turn */
	pool_open_failed(b.permit[0]->seat, t->now_us, &t->out);
	news(t, b.permit[0], PERMIT_RETURNED);
	b.permit[0] = NULL;
	resolve(t, true);
	assert_int_equal(c.n_permits, 1);
	end(t);
}

static void the_longest_waiter_is_served_first_whatever_the_order_of_asking(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1 max_db_connections=1", "");
	struct side a = {0}, b = {0}, c = {0};

	(void)state;
	waits(t, &a, "app", "ann");
	logs_in(t, &a, 0);
	waits(t, &b, "app", "ben");
	t->now_us += MS;
	waits(t, &c, "app", "cid");
	t->now_us += MS;
	/* ben's first client gives up: cid's has waited longer than his second */
	waits(t, &b, "app", "ben");
	leaves(t, &b, 0);
	leaves(t, &a, 0);
	ends(t, &a, 0);
	resolve(t, true);
	assert_int_equal(c.n_permits, 1);
	assert_int_equal(b.n_permits, 0);
	end(t);
}

static void a_second_server_waits_until_the_others_have_had_one(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1 max_db_connections=2", "");
	struct side a = {0}, b = {0}, c = {0};

	(void)state;
	waits(t, &a, "app", "ann");
	waits(t, &a, "app", "ann");
	logs_in(t, &a, 0);
	logs_in(t, &a, 1);
	waits(t, &b, "app", "ben");
	t->now_us += MS;
	waits(t, &c, "app", "cid");
	t->now_us += MS;
	waits(t, &b, "app", "ben");
	leaves(t, &a, 0);
	leaves(t, &a, 1);
	ends(t, &a, 0);
	resolve(t, true);
	ends(t, &a, 1);
	resolve(t, true);
	/* ben's second client has waited least, although his first has waited longest */
	assert_int_equal(b.n_permits, 1);
	assert_int_equal(c.n_permits, 1);
	end(t);
}

static void run_time(struct bench *t, uint64_t until_us)
{
	while (opener_next_us(t->opener) <= until_us) {
		t->now_us = opener_next_us(t->opener);
		opener_tick(t->opener, t->now_us, &t->out);
		resolve(t, true);
	}
	t->now_us = until_us;
}

/* Each would leave it to the other to call. */
static void those_who_began_to_wait_at_the_same_moment_are_served_too(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1 max_db_connections=1", "");
	struct side a = {0}, b = {0}, c = {0}, d = {0};
	enum retire_reason why;

	(void)state;
	waits(t, &a, "app", "ann");
	waits(t, &b, "app", "ben");
	waits(t, &c, "app", "cid");
	waits(t, &d, "app", "dan");
	leaves(t, &a, 0);
	logs_in(t, &a, 0);
	ends(t, &a, 0);
	resolve(t, true);
	assert_int_equal(b.n_permits, 1);
	logs_in(t, &b, 0);
	run_time(t, t->now_us + US_PER_S);
	assert_int_equal(settles(t, &b, 0, &why), SETTLED_CLOSE);
	end(t);
}

static void max_server_connections_is_exact_over_everything(void **state)
{
	struct bench *t = begin("one = host=127.0.0.1\ntwo = host=127.0.0.1", "max_server_connections=2");
	struct side a = {0}, b = {0}, c = {0};
	enum retire_reason why;

	(void)state;
	waits(t, &a, "one", "ann");
	waits(t, &b, "two", "ben");
	waits(t, &c, "two", "cid");
	assert_int_equal(a.n_permits + b.n_permits, 2);
	assert_int_equal(c.n_permits, 0);
	assert_int_equal(c.p->limit, LIMIT_PROCESS);
	logs_in(t, &a, 0);
	assert_int_equal(settles(t, &a, 0, &why), SETTLED_CLOSE);
	assert_int_equal(why, RETIRE_FOR_PROCESS);
	ends(t, &a, 0);
	resolve(t, true);
	assert_int_equal(c.n_permits, 1);
	assert_int_equal(t->opener->process.n_permits, 2);
	end(t);
}

static void max_host_connections_is_exact_at_each_address(void **state)
{
	struct bench *t = begin("one = host=127.0.0.1\ntwo = host=localhost", "max_host_connections=1");
	struct side a = {0}, b = {0};

	(void)state;
	waits(t, &a, "one", "ann");
	/* another name and another database, the same address */
	waits(t, &b, "two", "ben");
	assert_int_equal(a.n_permits, 1);
	assert_int_equal(b.n_permits, 0);
	assert_int_equal(b.p->limit, LIMIT_HOST);
	assert_ptr_equal(b.p->full, a.permit[0]->target[0].backend->at);
	assert_int_equal(b.p->opener->n_permits, 0);
	logs_in(t, &a, 0);
	leaves(t, &a, 0);
	ends(t, &a, 0);
	resolve(t, true);
	assert_int_equal(b.n_permits, 1);
	end(t);
}

static void a_full_host_is_left_out_while_another_has_room(void **state)
{
	struct bench *t = begin("one = host=127.0.0.1\ntwo = host=127.0.0.1,127.0.0.2", "max_host_connections=1");
	struct side a = {0}, b = {0};

	(void)state;
	waits(t, &a, "one", "ann");
	logs_in(t, &a, 0);
	t->n_hosts = 2; /* ports 5432 and 5433 */
	waits(t, &b, "two", "ben");
	assert_int_equal(b.n_permits, 1);
	assert_int_equal(b.permit[0]->n_targets, 1);
	assert_int_equal(address_port(&b.permit[0]->target[0].address), 5433);
	end(t);
}

static void an_attempt_counts_where_it_may_come_to_be_then_where_it_is(void **state)
{
	struct bench *t = begin("one = host=127.0.0.1\ntwo = host=127.0.0.1", "max_host_connections=1");
	struct side a = {0}, b = {0};

	(void)state;
	t->n_hosts = 2;
	waits(t, &a, "one", "ann");
	waits(t, &b, "two", "ben");
	assert_int_equal(b.n_permits, 0);
	logs_in(t, &a, 0); /* at the first one: the second is free */
	assert_int_equal(b.n_permits, 1);
	assert_int_equal(address_port(&b.permit[0]->target[0].address), 5433);
	end(t);
}

static void an_idle_server_at_that_host_is_evicted_for_it(void **state)
{
	struct bench *t = begin("one = host=127.0.0.1\ntwo = host=127.0.0.1", "max_host_connections=1");
	struct side a = {0}, b = {0};

	(void)state;
	waits(t, &a, "one", "ann");
	leaves(t, &a, 0);
	logs_in(t, &a, 0);
	assert_int_equal(a.place[0].state, PLACE_IDLE);
	waits(t, &b, "two", "ben");
	assert_int_equal(took(&t->out, LETTER_CLOSE), 1);
	assert_int_equal(a.place[0].why, RETIRE_FOR_HOST);
	assert_int_equal(pool_letter_read(&a.place[0]), PLACE_CLOSING);
	ends(t, &a, 0);
	resolve(t, true);
	assert_int_equal(b.n_permits, 1);
	end(t);
}

/* As a RELOAD does it. */
static void reloads(struct bench *t, const char *databases, const char *globals)
{
	struct config *c = bench_config(databases, globals);

	assert_true(registry_apply(t->registry, c, &t->out));
	opener_set_config(t->opener, c);
	config_unref(t->config);
	t->config = c;
	(void)took(&t->out, LETTER_LOOK);
	for (int i = 0; i < t->n_sides; i++) {
		struct seat *s = &t->side[i]->p->seat[0];

		(void)pool_look_begins(s);
		opener_consider_soon(t->opener, s->pool, t->now_us);
	}
	opener_tick(t->opener, t->now_us, &t->out);
	resolve(t, true);
}

static void raised_limit_serves_the_longest_waiter_first(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "max_db_connections=1");
	struct side a = {0}, b = {0}, c = {0};

	(void)state;
	waits(t, &a, "app", "ann");
	logs_in(t, &a, 0);
	waits(t, &b, "app", "ben");
	t->now_us += MS;
	waits(t, &c, "app", "cid");
	t->now_us += MS;
	waits(t, &a, "app", "ann"); /* first in the list of pools, last to wait */
	reloads(t, "app = host=127.0.0.1", "max_db_connections=3");
	assert_int_equal(a.n_permits, 1);
	assert_int_equal(b.n_permits, 1);
	assert_int_equal(c.n_permits, 1);
	end(t);
}

static void lowered_limit_closes_what_is_idle_and_what_comes_free(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "");
	struct side a = {0};
	enum retire_reason why;

	(void)state;
	for (int i = 0; i < 3; i++)
		waits(t, &a, "app", "ann");
	for (int i = 0; i < 3; i++)
		logs_in(t, &a, i);
	assert_int_equal(settles(t, &a, 0, &why), SETTLED_IDLE);
	reloads(t, "app = host=127.0.0.1", "max_server_connections=1");
	assert_int_equal(took(&t->out, LETTER_CLOSE), 1);
	assert_int_equal(pool_letter_read(&a.place[0]), PLACE_CLOSING);
	ends(t, &a, 0);
	assert_int_equal(settles(t, &a, 1, &why), SETTLED_CLOSE);
	assert_int_equal(why, RETIRE_FOR_PROCESS);
	ends(t, &a, 1);
	assert_int_equal(settles(t, &a, 2, &why), SETTLED_IDLE);
	assert_int_equal(t->opener->process.n_permits, 1);
	end(t);
}

static void reserve_pool_is_for_those_who_waited_long_enough(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1 pool_size=1 reserve_pool_size=1", "reserve_pool_timeout=3");
	struct side s = {0};

	(void)state;
	waits(t, &s, "app", "ann");
	logs_in(t, &s, 0);
	waits(t, &s, "app", "ann");
	assert_int_equal(s.n_permits, 1);
	assert_int_equal(opener_next_us(t->opener), NOW + 3 * US_PER_S);
	t->now_us = NOW + 3 * US_PER_S;
	run_main(t, &s);
	assert_int_equal(s.n_permits, 2);
	logs_in(t, &s, 1);
	waits(t, &s, "app", "ann");
	waits(t, &s, "app", "ann");
	t->now_us += 10 * US_PER_S;
	run_main(t, &s);
	assert_int_equal(s.n_permits, 2); /* pool_size + reserve_pool_size, never more */
	end(t);
}

static void min_pool_size_is_kept_while_there_are_clients(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1 min_pool_size=3", "server_connect_parallel=1");
	struct side s = {0};

	(void)state;
	waits(t, &s, "app", "ann");
	for (int i = 0; i < 3; i++)
		logs_in(t, &s, i);
	assert_int_equal(s.n_permits, 3);
	ends(t, &s, 0);
	resolve(t, true);
	assert_int_equal(s.p->opener->n_permits, 3);
	leaves(t, &s, 0);
	ends(t, &s, 1);
	resolve(t, true);
	assert_int_equal(s.p->opener->n_permits, 2);
	end(t);
}

static void pool_of_a_forced_user_is_filled_without_clients(void **state)
{
	struct bench *t =
	    begin("app = host=127.0.0.1 user=ann min_pool_size=1\nsecond = host=127.0.0.1 min_pool_size=1", "");
	struct database *d;

	(void)state;
	registry_make_standing(t->registry, t->config, &t->out);
	assert_int_equal(t->registry->n_pools, 1);
	d = registry_find_database(t->registry, "app");
	assert_non_null(d);
	assert_int_equal(took(&t->out, LETTER_WANT), 1);
	opener_consider(t->opener, container_of(list_first(&d->pools), struct pool, on_database), t->now_us, &t->out);
	assert_int_equal(d->quota.n_permits, 1);
	resolve(t, false); /* nobody is there to take it */
	opener_forget(t->opener, container_of(list_first(&d->pools), struct pool, on_database));
	end(t);
}

static void min_pool_size_takes_no_room_that_somebody_waits_for(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1 min_pool_size=1\nbig = host=127.0.0.1", "max_user_connections=1");
	struct side a = {0}, b = {0};

	(void)state;
	waits(t, &a, "app", "ann");
	waits(t, &b, "big", "ann");
	assert_int_equal(a.n_permits, 1);
	logs_in(t, &a, 0);
	pool_leave(a.entry[0].seat, &a.w[0]); /* it is served, and stays */
	ends(t, &a, 0);
	resolve(t, true);
	assert_int_equal(a.p->opener->n_permits, 0);
	assert_int_equal(b.p->opener->n_permits, 1);
	assert_true(a.p->may_ask);
	end(t);
}

static void nobody_is_evicted_for_min_pool_size(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1 min_pool_size=1\nbig = host=127.0.0.1", "max_user_connections=1");
	struct side a = {0}, b = {0};
	struct waiter *to;

	(void)state;
	waits(t, &b, "big", "ann");
	waits(t, &a, "app", "ann");
	logs_in(t, &b, 0);
	pool_leave(a.entry[0].seat, &a.w[0]);
	t->now_us = opener_next_us(t->opener);
	run_main(t, &a);
	assert_int_equal(bench_settle(&b.place[0], t->now_us, &to, &t->out), SETTLED_IDLE);
	t->now_us = opener_next_us(t->opener);
	run_main(t, &a);
	assert_int_equal(took(&t->out, LETTER_CLOSE), 0);
	assert_int_equal(a.p->opener->n_permits, 0);
	end(t);
}

static void paused_or_draining_opens_nothing(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "");
	struct side s = {0};

	(void)state;
	t->opener->draining = true;
	waits(t, &s, "app", "ann");
	assert_int_equal(s.n_permits, 0);
	t->opener->draining = false;
	pool_set_state(s.p, POOL_PAUSED, &t->out);
	opener_consider(t->opener, s.p, t->now_us, &t->out);
	resolve(t, true);
	assert_int_equal(s.n_permits, 0);
	pool_set_state(s.p, POOL_OPEN, &t->out);
	opener_consider(t->opener, s.p, t->now_us, &t->out);
	resolve(t, true);
	assert_int_equal(s.n_permits, 1);
	end(t);
}

static void news_gather_while_a_letter_is_under_way(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "");
	struct side s = {0};
	struct permit *permit;

	(void)state;
	waits(t, &s, "app", "ann");
	permit = s.permit[0];
	pool_place_init(&s.place[0], permit->seat);
	pool_opened(&s.place[0], t->now_us, bench_welcome(), &t->out);
	assert_true(permit_report(permit, PERMIT_OPENED));
	assert_true(pool_gone(&s.place[0], t->now_us, &t->out));
	assert_false(permit_report(permit, PERMIT_RETURNED)); /* that letter says both */
	s.permit[0] = NULL;
	opener_news(t->opener, permit, t->now_us, &t->out);
	assert_null(s.p->outage); /* it did log in: no outage */
	resolve(t, true);
	assert_int_equal(s.n_permits, 2);
	assert_int_equal(s.p->opener->n_permits, 1);
	end(t);
}

/* A replication connection comes and waits for its server. */
static void replicates(struct bench *t, struct side *s)
{
	struct replication *r = (struct replication *)mem_alloc(sizeof(*r) + 1);
	struct outage *outage;

	assert_non_null(r);
	r->kind = REPLICATION_LOGICAL;
	r->len = 0;
	assert_int_equal(registry_enter_replication(t->registry, t->config, "app", "ann", 0, r, &s->entry[0]), ENTERED);
	s->n_clients = 1;
	joins(t, s);
	assert_int_equal(pool_claim(s->entry[0].seat, &s->w[0], t->now_us, &outage, &t->out), BORROW_WAITS);
	run_main(t, s);
}

static void replication_connections_count_in_the_size_of_their_home(void **state)
{
	struct bench *t = begin("app = host=h pool_size=2", "");
	struct side home = {0}, one = {0}, other = {0};

	(void)state;
	waits(t, &home, "app", "ann");
	logs_in(t, &home, 0);
	replicates(t, &one);
	assert_int_equal(one.n_permits, 1);
	logs_in(t, &one, 0);
	replicates(t, &other);
	assert_int_equal(other.n_permits, 0);
	assert_int_equal(other.p->limit, LIMIT_POOL_SIZE);
	assert_int_equal(home.p->opener->n_guests, 1);
	ends(t, &one, 0);
	resolve(t, true);
	assert_int_equal(other.n_permits, 1);
	assert_int_equal(home.p->opener->n_guests, 1);
	end(t);
}

static void idle_server_of_their_home_is_evicted_for_them(void **state)
{
	struct bench *t = begin("app = host=h pool_size=1", "");
	struct side home = {0}, one = {0};
	struct waiter *to;

	(void)state;
	waits(t, &home, "app", "ann");
	logs_in(t, &home, 0);
	assert_int_equal(bench_settle(&home.place[0], t->now_us, &to, &t->out), SETTLED_IDLE);
	replicates(t, &one);
	assert_int_equal(one.n_permits, 0);
	assert_int_equal(took(&t->out, LETTER_CLOSE), 1);
	assert_int_equal(home.p->opener->n_evicting, 1);
	(void)!pool_letter_read(&home.place[0]);
	ends(t, &home, 0);
	assert_int_equal(home.p->opener->n_evicting, 0);
	resolve(t, true);
	assert_int_equal(one.n_permits, 1);
	end(t);
}

static uint16_t port_of(const struct permit *permit, uint32_t target)
{
	return address_port(&permit->target[target].address);
}

static void known_roles_decide_the_order_and_are_kept(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1 target_session_attrs=primary", "server_connect_parallel=9");
	struct side s = {0};

	(void)state;
	t->n_hosts = 3;
	waits(t, &s, "app", "ann");
	for (uint16_t i = 0; i < 3; i++)
		assert_int_equal(port_of(s.permit[0], i), 5432 + i);
	s.permit[0]->target[0].role = ROLE_STANDBY;
	s.permit[0]->target[2].role = ROLE_PRIMARY;
	s.permit[0]->reached = 2;
	logs_in(t, &s, 0);
	waits(t, &s, "app", "ann");
	assert_int_equal(port_of(s.permit[1], 0), 5434); /* the primary, */
	assert_int_equal(port_of(s.permit[1], 1), 5433); /* one that nobody knows, */
	assert_int_equal(port_of(s.permit[1], 2), 5432); /* and the standby */
	s.permit[1]->reached = 0;
	logs_in(t, &s, 1);
	/* its server has become a standby: main knows when it is closed */
	s.permit[1]->role_is_new = true;
	s.permit[1]->new_role = ROLE_STANDBY;
	ends(t, &s, 1);
	resolve(t, true);
	waits(t, &s, "app", "ann");
	assert_int_equal(port_of(s.permit[2], 0), 5433);
	end(t);
}

static void hosts_that_are_down_stay_known_beside_one_that_is_full(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "server_connect_parallel=9\nmax_host_connections=1");
	struct side s = {0};

	(void)state;
	t->n_hosts = 3;
	waits(t, &s, "app", "ann");
	fails_at(t, &s, 0, 0, NULL);
	logs_in(t, &s, 0); /* at the second one */
	waits(t, &s, "app", "ann");
	assert_int_equal(s.n_permits, 2);
	assert_int_equal(s.permit[1]->n_targets, 1);
	assert_int_equal(port_of(s.permit[1], 0), 5434);
	assert_int_equal(s.permit[1]->n_left_out, 1);
	assert_int_equal(port_of(s.permit[1], 1), 5432);
	assert_true(s.permit[1]->target[1].backend->down);
	end(t);
}

static void who_was_overtaken_is_tried_after_the_others_for_a_while(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "server_connect_parallel=9");
	struct side s = {0};

	(void)state;
	t->n_hosts = 2;
	waits(t, &s, "app", "ann");
	s.permit[0]->target[0].overtaken = true;
	s.permit[0]->reached = 1;
	logs_in(t, &s, 0);
	waits(t, &s, "app", "ann");
	assert_int_equal(port_of(s.permit[1], 0), 5433);
	t->now_us += 60 * US_PER_S;
	s.permit[1]->reached = 0;
	logs_in(t, &s, 1);
	waits(t, &s, "app", "ann");
	assert_int_equal(port_of(s.permit[2], 0), 5432);
	end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_waiter_gets_one_permit),
	    cmocka_unit_test(the_first_login_goes_alone_then_several_at_once),
	    cmocka_unit_test(server_connect_parallel_one_opens_one_at_a_time),
	    cmocka_unit_test(a_waiter_after_the_first_login_is_heard_at_once),
	    cmocka_unit_test(pool_size_is_exact),
	    cmocka_unit_test(max_db_connections_is_exact_over_pools),
	    cmocka_unit_test(max_user_connections_is_exact_over_databases),
	    cmocka_unit_test(idle_server_of_another_pool_is_evicted_for_the_limit),
	    cmocka_unit_test(server_that_comes_free_later_makes_room_at_once),
	    cmocka_unit_test(a_call_is_answered_once),
	    cmocka_unit_test(a_busy_pool_gives_way_to_those_who_have_waited_much_longer),
	    cmocka_unit_test(a_busy_pool_keeps_its_server_from_those_who_have_waited_as_long),
	    cmocka_unit_test(the_longest_waiter_is_served_first_whatever_the_order_of_asking),
	    cmocka_unit_test(a_second_server_waits_until_the_others_have_had_one),
	    cmocka_unit_test(those_who_began_to_wait_at_the_same_moment_are_served_too),
	    cmocka_unit_test(max_server_connections_is_exact_over_everything),
	    cmocka_unit_test(max_host_connections_is_exact_at_each_address),
	    cmocka_unit_test(a_full_host_is_left_out_while_another_has_room),
	    cmocka_unit_test(an_attempt_counts_where_it_may_come_to_be_then_where_it_is),
	    cmocka_unit_test(an_idle_server_at_that_host_is_evicted_for_it),
	    cmocka_unit_test(raised_limit_serves_the_longest_waiter_first),
	    cmocka_unit_test(lowered_limit_closes_what_is_idle_and_what_comes_free),
	    cmocka_unit_test(those_who_wait_for_a_limit_are_served_in_turn),
	    cmocka_unit_test(reserve_pool_is_for_those_who_waited_long_enough),
	    cmocka_unit_test(min_pool_size_is_kept_while_there_are_clients),
	    cmocka_unit_test(pool_of_a_forced_user_is_filled_without_clients),
	    cmocka_unit_test(min_pool_size_takes_no_room_that_somebody_waits_for),
	    cmocka_unit_test(nobody_is_evicted_for_min_pool_size),
	    cmocka_unit_test(paused_or_draining_opens_nothing),
	    cmocka_unit_test(news_gather_while_a_letter_is_under_way),
	    cmocka_unit_test(replication_connections_count_in_the_size_of_their_home),
	    cmocka_unit_test(idle_server_of_their_home_is_evicted_for_them),
	    cmocka_unit_test(known_roles_decide_the_order_and_are_kept),
	    cmocka_unit_test(hosts_that_are_down_stay_known_beside_one_that_is_full),
	    cmocka_unit_test(who_was_overtaken_is_tried_after_the_others_for_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
