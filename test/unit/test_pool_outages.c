/* From failed attempts to what a pool's clients are told, and when the next attempt is. */
#include <unistd.h>

#include "diag/error_ring.h"
#include "log_file.h"
#include "opener_bench.h"
#include "pool/found_secret.h"

/* ---- outages ---- */

static void refusal_is_published_to_be_told_now(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "");
	struct side s = {0};

	(void)state;
	waits(t, &s, "app", "ann");
	t->now_us += 50;
	fails(t, &s, 0, "28000");
	assert_int_equal(verdict_of(&s)->kind, VERDICT_REFUSED);
	assert_int_equal(s.p->outage->tell_at_us, 0);
	assert_int_equal(s.p->outage->since_us, NOW); /* when its first attempt began */
	assert_int_equal(s.p->outage->attempts, 1);
	assert_string_equal(verdict_of(&s)->sqlstate, "28000");
	assert_int_equal(s.n_permits, 1); /* the next try is later */
	assert_in_range(opener_next_us(t->opener), t->now_us + 750 * MS, t->now_us + 1250 * MS);
	end(t);
}

static void hints_are_for_the_system_that_the_pooler_runs_on(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "");
	struct side s = {0};

	(void)state;
	t->opener->on_windows = true;
	waits(t, &s, "app", "ann");
	fails(t, &s, 0, NULL);
	assert_non_null(strstr(str_text(&verdict_of(&s)->hint), "Get-Service postgresql*"));
	end(t);
}

static void silence_is_published_to_be_told_after_server_down_wait(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "server_down_wait=5");
	struct side s = {0};

	(void)state;
	waits(t, &s, "app", "ann");
	fails(t, &s, 0, NULL);
	assert_int_equal(verdict_of(&s)->kind, VERDICT_UNREACHED);
	assert_int_equal(s.p->outage->tell_at_us, NOW + 5 * US_PER_S);
	assert_in_range(opener_next_us(t->opener), NOW + 75 * MS, NOW + 125 * MS);
	end(t);
}

static void the_databases_own_server_down_wait_goes_before_the_setting(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1 server_down_wait=7", "server_down_wait=5");
	struct side s = {0};

	(void)state;
	waits(t, &s, "app", "ann");
	fails(t, &s, 0, NULL);
	assert_int_equal(s.p->outage->tell_at_us, NOW + 7 * US_PER_S);
	end(t);
}

static void server_down_wait_zero_tells_only_refusals_and_pauses_like_pgbouncer(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "server_down_wait=0\nserver_login_retry=7");
	struct side s = {0};

	(void)state;
	waits(t, &s, "app", "ann");
	fails(t, &s, 0, NULL);
	assert_int_equal(s.p->outage->tell_at_us, UINT64_MAX);
	assert_int_equal(opener_next_us(t->opener), NOW + 7 * US_PER_S);
	end(t);
}

/* Fails `n` times; returns how long the last pause was. */
static uint64_t pause_after(struct bench *t, struct side *s, int n, const char *sqlstate)
{
	for (int i = 0;; i++) {
		fails(t, s, s->n_permits - 1, sqlstate);
		if (i + 1 == n)
			return opener_next_us(t->opener) - t->now_us;
		t->now_us = opener_next_us(t->opener);
		s->n_permits = 0;
		run_main(t, s);
		assert_int_equal(s->n_permits, 1);
	}
}

static void pauses_double_up_to_two_seconds(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "server_login_retry=15");
	struct side s = {0};

	(void)state;
	waits(t, &s, "app", "ann");
	assert_in_range(pause_after(t, &s, 2, NULL), 150 * MS, 250 * MS);
	t->now_us = opener_next_us(t->opener);
	s.n_permits = 0;
	run_main(t, &s);
	assert_in_range(pause_after(t, &s, 22, NULL), 1500 * MS, 2500 * MS);
	assert_int_equal(s.p->outage->attempts, 24);
	assert_int_equal(s.p->outage->since_us, NOW);
	end(t);
}

static void while_clients_are_held_pauses_stay_short(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "server_login_retry=15\nserver_down_wait=60");
	struct side s = {0};

	(void)state;
	waits(t, &s, "app", "ann");
	assert_in_range(pause_after(t, &s, 20, NULL), 375 * MS, 625 * MS);
	end(t);
}

static void a_wrong_password_is_tried_ever_more_slowly(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "server_login_retry=15");
	struct side s = {0};

	(void)state;
	waits(t, &s, "app", "ann");
	assert_int_equal(pause_after(t, &s, 8, "28P01"), 15 * US_PER_S);
	end(t);
}

static void success_ends_the_outage(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "");
	struct side s = {0};

	(void)state;
	waits(t, &s, "app", "ann");
	fails(t, &s, 0, NULL);
	t->now_us = opener_next_us(t->opener);
	run_main(t, &s);
	assert_int_equal(s.n_permits, 2);
	logs_in(t, &s, 1);
	assert_null(s.p->outage);
	assert_int_equal(s.p->opener->since_us, 0);
	assert_int_equal(s.p->opener->attempts, 0);
	assert_true(s.p->may_ask);
	end(t);
}

static void somebody_probes_for_those_who_were_told(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "");
	struct side s = {0};
	struct place *pl;

	(void)state;
	waits(t, &s, "app", "ann");
	fails(t, &s, 0, "28000");
	pool_leave(s.entry[0].seat, &s.w[0]);
	assert_int_equal(bench_borrow(s.entry[0].seat, &s.w[0], t->now_us, &pl, &t->out), BORROW_TOLD);
	t->now_us = opener_next_us(t->opener);
	run_main(t, &s);
	assert_int_equal(s.n_permits, 2);
	end(t);
}

static void nobody_probes_when_nobody_asked_but_the_next_one_waits_for_a_try(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "");
	struct side s = {0};

	(void)state;
	waits(t, &s, "app", "ann");
	fails(t, &s, 0, "28000");
	pool_leave(s.entry[0].seat, &s.w[0]);
	t->now_us = opener_next_us(t->opener);
	run_main(t, &s);
	assert_int_equal(s.n_permits, 1);
	t->now_us += 3600 * US_PER_S;
	waits(t, &s, "app", "ann"); /* not told from a verdict that is an hour old */
	assert_int_equal(s.n_permits, 2);
	end(t);
}

static void a_silent_attempt_gets_a_second_one_beside_it(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "");
	struct side s = {0};

	(void)state;
	waits(t, &s, "app", "ann");
	t->now_us = opener_next_us(t->opener);
	assert_int_equal(t->now_us, NOW + 2 * US_PER_S);
	run_main(t, &s);
	assert_int_equal(s.n_permits, 2);
	end(t);
}

/* It has been silent for two seconds and is given up. */
static void brief_one_ends(struct bench *t, struct side *s, int i)
{
	struct failure why;

	assert_true(s->permit[i]->brief);
	t->now_us += 2 * US_PER_S;
	failure_init(&why);
	failure_set(&why, PHASE_STARTUP, DOMAIN_POOLER, FAILURE_TIMED_OUT, NULL);
	permit_add_failure(s->permit[i], 0, &why, 2 * US_PER_S);
	pool_open_failed(s->permit[i]->seat, t->now_us, &t->out);
	news(t, s->permit[i], PERMIT_RETURNED);
	s->permit[i] = NULL;
	s->p->seat[0].look_posted = false;
	(void)took(&t->out, LETTER_LOOK);
}

static void the_one_beside_a_silent_attempt_is_replaced_every_two_seconds(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "server_connect_timeout=15");
	struct side s = {0};

	(void)state;
	waits(t, &s, "app", "ann");
	assert_false(s.permit[0]->brief);
	t->now_us = NOW + 2 * US_PER_S;
	for (int i = 1; i < 4; i++) {
		run_main(t, &s);
		assert_int_equal(s.n_permits, i + 1);
		brief_one_ends(t, &s, i);
		t->now_us += 200 * MS;
	}
	end(t);
}

static void an_attempt_silent_for_server_down_wait_counts_as_timed_out(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1 pool_size=1", "server_down_wait=5");
	struct side s = {0};
	char incident[INCIDENT_BYTES];

	(void)state;
	waits(t, &s, "app", "ann");
	t->now_us = NOW + 2 * US_PER_S;
	run_main(t, &s);
	assert_null(s.p->outage);
	t->now_us = NOW + 5 * US_PER_S;
	run_main(t, &s);
	assert_int_equal(verdict_of(&s)->kind, VERDICT_UNREACHED);
	assert_true(s.p->trying);
	assert_true(s.p->outage->tell_at_us <= t->now_us);
	assert_int_equal(s.p->outage->attempts, 1);
	snprintf(incident, sizeof(incident), "%s", s.p->outage->incident);
	fails(t, &s, 0, NULL);
	assert_int_equal(s.p->outage->attempts, 1); /* it was that attempt */
	assert_string_equal(s.p->outage->incident, incident);
	end(t);
}

static void silence_is_told_with_the_place_where_it_is_silent(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1 pool_size=1", "server_down_wait=5");
	struct side s = {0};

	(void)state;
	waits(t, &s, "app", "ann");
	permit_reaches(s.permit[0], PHASE_STARTUP);
	t->now_us = NOW + 5 * US_PER_S;
	run_main(t, &s);
	assert_string_equal(verdict_of(&s)->class, "server_silent");
	end(t);
	memset(&s, 0, sizeof(s));
	t = begin("app = host=127.0.0.1 pool_size=1", "server_down_wait=5");
	waits(t, &s, "app", "ann");
	t->now_us = NOW + 5 * US_PER_S;
	run_main(t, &s);
	assert_string_equal(verdict_of(&s)->class, "connect_timed_out");
	end(t);
}

static void a_name_without_addresses_is_a_failed_attempt(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "");
	struct side s = {0};
	struct place *pl;

	(void)state;
	s.n_clients = 1;
	assert_int_equal(registry_enter(t->registry, t->config, "app", "ann", 0, &s.entry[0]), ENTERED);
	joins(t, &s);
	assert_int_equal(bench_borrow(s.entry[0].seat, &s.w[0], t->now_us, &pl, &t->out), BORROW_WAITS);
	opener_consider(t->opener, s.p, t->now_us, &t->out);
	resolve(t, false);
	assert_non_null(s.p->outage);
	assert_int_equal(s.p->opener->n_permits, 0);
	assert_int_equal(s.p->seat[0].n_opening, 0);
	end(t);
}

static void a_forgotten_outage_is_tried_at_once_and_begins_anew(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "");
	struct side s = {0};

	(void)state;
	waits(t, &s, "app", "ann");
	fails(t, &s, 0, "28P01");
	t->now_us += MS;
	opener_forget_outage(t->opener, s.p);
	opener_consider_soon(t->opener, s.p, t->now_us);
	run_main(t, &s);
	assert_int_equal(s.n_permits, 2);
	fails(t, &s, 1, NULL);
	assert_int_equal(s.p->outage->since_us, NOW + MS);
	assert_int_equal(s.p->outage->attempts, 1);
	end(t);
}

static void a_secret_corrected_by_reload_is_tried_at_once(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1 user=owner password=wrong", "server_login_retry=600");
	struct config *better = bench_config("app = host=127.0.0.1 user=owner password=right", "");
	struct side s = {0};

	(void)state;
	waits(t, &s, "app", "ann");
	fails(t, &s, 0, "28P01");
	t->now_us += MS;
	assert_true(registry_apply(t->registry, t->config, &t->out)); /* nothing has changed */
	run_main(t, &s);
	assert_int_equal(s.n_permits, 1);
	assert_true(registry_apply(t->registry, better, &t->out));
	run_main(t, &s);
	assert_int_equal(s.n_permits, 2);
	config_unref(better);
	end(t);
}

/* ---- several pools behind one address ---- */

static void what_one_pool_learns_of_an_address_all_know(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "server_down_wait=5");
	struct side a = {0}, b = {0};

	(void)state;
	waits(t, &a, "app", "ann");
	fails(t, &a, 0, NULL);
	t->now_us += 10 * MS;
	waits(t, &b, "app", "bob");
	assert_int_equal(b.n_permits, 0); /* no attempt of its own */
	assert_int_equal(verdict_of(&b)->kind, VERDICT_UNREACHED);
	assert_int_equal(b.p->outage->since_us, NOW); /* the address's, not the newcomer's */
	assert_int_equal(b.p->outage->tell_at_us, NOW + 5 * US_PER_S);
	assert_string_equal(b.p->outage->incident, a.p->outage->incident);
	end(t);
}

static void one_of_them_tries_for_all(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "");
	struct side a = {0}, b = {0};

	(void)state;
	waits(t, &a, "app", "ann");
	fails(t, &a, 0, NULL);
	waits(t, &b, "app", "bob");
	t->now_us = NOW + 200 * MS;
	run_main(t, &a);
	assert_int_equal(a.n_permits + b.n_permits, 2);
	fails(t, a.n_permits == 2 ? &a : &b, a.n_permits == 2 ? 1 : 0, NULL);
	assert_int_equal(a.p->outage->attempts, 2); /* both hear of it */
	assert_int_equal(b.p->outage->attempts, 2);
	end(t);
}

static void attempts_at_a_dead_address_do_not_grow_with_pools(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "server_down_wait=5");
	struct side s[20];
	char user[8];
	int n = 0;

	(void)state;
	memset(s, 0, sizeof(s));
	for (int i = 0; i < 20; i++) {
		snprintf(user, sizeof(user), "u%d", i);
		waits(t, &s[i], "app", user);
		if (i == 0)
			fails(t, &s[0], 0, NULL);
	}
	while (opener_next_us(t->opener) < NOW + 10 * US_PER_S) {
		t->now_us = opener_next_us(t->opener);
		run_main(t, &s[0]);
		for (int i = 0; i < 20; i++) {
			if (s[i].n_permits == 0 || s[i].permit[s[i].n_permits - 1] == NULL)
				continue;
			fails(t, &s[i], s[i].n_permits - 1, NULL);
			s[i].n_permits = 0;
			n++;
		}
	}
	assert_in_range(n, 10, 39);
	end(t);
}

static void when_the_address_is_back_all_go_on(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "");
	struct side a = {0}, b = {0}, *prober, *other;

	(void)state;
	waits(t, &a, "app", "ann");
	fails(t, &a, 0, NULL);
	waits(t, &b, "app", "bob");
	t->now_us = NOW + 200 * MS;
	run_main(t, &a);
	prober = a.n_permits == 2 ? &a : &b;
	other = prober == &a ? &b : &a;
	logs_in(t, prober, prober->n_permits - 1);
	assert_null(other->p->outage);
	run_main(t, other);
	assert_int_equal(a.n_permits + b.n_permits, 3); /* at once, not at its next try */
	end(t);
}

static void a_refusal_is_nobody_elses_business(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "");
	struct side a = {0}, b = {0};

	(void)state;
	waits(t, &a, "app", "ann");
	fails(t, &a, 0, "28000");
	waits(t, &b, "app", "bob");
	assert_int_equal(b.n_permits, 1);
	assert_null(b.p->outage);
	end(t);
}

static void a_refusal_shows_that_the_address_answers(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "");
	struct side a = {0}, b = {0};

	(void)state;
	waits(t, &a, "app", "ann");
	fails(t, &a, 0, NULL);
	waits(t, &b, "app", "bob");
	t->now_us = NOW + 200 * MS;
	run_main(t, &a);
	assert_int_equal(a.n_permits, 2); /* it came first */
	fails(t, &a, 1, "28P01");
	assert_int_equal(verdict_of(&a)->kind, VERDICT_REFUSED);
	assert_null(b.p->outage);
	assert_int_equal(b.n_permits, 1);
	end(t);
}

static void silence_at_an_address_lets_two_try_and_tells_all(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "server_down_wait=5");
	struct side a = {0}, b = {0}, c = {0};

	(void)state;
	waits(t, &a, "app", "ann");
	t->now_us = NOW + 3 * US_PER_S;
	run_main(t, &a);
	assert_int_equal(a.n_permits, 2);
	waits(t, &b, "app", "bob");
	waits(t, &c, "app", "cid");
	assert_int_equal(b.n_permits, 0);
	assert_int_equal(c.n_permits, 0);
	t->now_us = NOW + 5 * US_PER_S;
	run_main(t, &a);
	assert_int_equal(verdict_of(&a)->kind, VERDICT_UNREACHED);
	assert_int_equal(verdict_of(&b)->kind, VERDICT_UNREACHED);
	assert_true(c.p->outage->tell_at_us <= t->now_us); /* its clients have not waited long, but the address has */
	end(t);
}

static void a_second_host_serves_while_the_first_is_down(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "");
	struct side s = {0};

	(void)state;
	t->n_hosts = 2;
	waits(t, &s, "app", "ann");
	fails_at(t, &s, 0, 0, NULL);
	logs_in(t, &s, 0);
	assert_null(s.p->outage);
	waits(t, &s, "app", "ann");
	assert_int_equal(s.n_permits, 2);
	assert_int_equal(s.permit[1]->n_targets, 1); /* nobody waits for the dead one first */
	assert_int_equal(ntohs(s.permit[1]->target[0].address.u.v4.sin_port), 5433);
	end(t);
}

/* Its server says that it is a standby. */
static void is_a_standby(struct side *s, int i, uint32_t target)
{
	struct failure why;

	failure_init(&why);
	failure_set(&why, PHASE_SETTLE, DOMAIN_POOLER, FAILURE_WRONG_ROLE, "is a standby");
	permit_add_failure(s->permit[i], target, &why, 20);
	s->permit[i]->target[target].role = ROLE_STANDBY;
	failure_fini(&why);
}

static void comes_back(struct bench *t, struct side *s, int i)
{
	pool_place_init(&s->place[i], s->permit[i]->seat);
	(void)!pool_gone(&s->place[i], t->now_us, &t->out);
	news(t, s->permit[i], PERMIT_RETURNED);
	s->permit[i] = NULL;
	s->p->seat[0].look_posted = false;
	(void)took(&t->out, LETTER_LOOK);
	run_main(t, s);
}

static void expect_no_primary(struct side *s)
{
	assert_string_equal(verdict_of(s)->class, "no_fitting_host");
	assert_int_equal(verdict_of(s)->kind, VERDICT_LATER);
	assert_string_equal(str_text(&verdict_of(s)->message), "no host of \"127.0.0.1\" is a primary");
	assert_non_null(strstr(str_text(&verdict_of(s)->detail), "port 5432: connection refused"));
	assert_non_null(strstr(str_text(&verdict_of(s)->detail), "port 5433: is a standby"));
	assert_int_equal(s->p->outage->tell_at_us, NOW + 5 * US_PER_S); /* clients are held */
}

static void that_no_host_has_the_role_is_told_with_all_of_them(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1 target_session_attrs=primary", "");
	struct side s = {0};
	struct backend *dead, *standby;

	(void)state;
	t->n_hosts = 2;
	waits(t, &s, "app", "ann");
	dead = s.permit[0]->target[0].backend;
	standby = s.permit[0]->target[1].backend;
	fails_at(t, &s, 0, 0, NULL);
	is_a_standby(&s, 0, 1);
	comes_back(t, &s, 0);
	expect_no_primary(&s);
	assert_int_equal(standby->role, ROLE_STANDBY);
	assert_false(standby->down);
	assert_int_equal(standby->n_failures, 0); /* it is well */
	/* soon it is asked again; the other one is not, but what it said is not forgotten */
	dead->retry.next_try_us = UINT64_MAX;
	t->now_us = s.p->opener->retry.next_try_us;
	assert_true(t->now_us < NOW + US_PER_S);
	run_main(t, &s);
	assert_int_equal(s.n_permits, 2);
	assert_int_equal(s.permit[1]->n_targets, 1);
	assert_ptr_equal(s.permit[1]->target[0].backend, standby);
	is_a_standby(&s, 1, 0);
	comes_back(t, &s, 1);
	expect_no_primary(&s);
	end(t);
}

struct seen {
	int n_failed, n_good;
	char class[48];
};

static void watch(void *arg, const struct attempt *a)
{
	struct seen *seen = (struct seen *)arg;

	if (a->verdict == NULL) {
		seen->n_good++;
		return;
	}
	seen->n_failed++;
	snprintf(seen->class, sizeof(seen->class), "%s", a->verdict->class);
}

static void whoever_watches_sees_each_attempt(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "");
	struct seen seen = {0, 0, ""};
	struct side s = {0};

	(void)state;
	t->opener->attempt_ended = watch;
	t->opener->attempt_arg = &seen;
	waits(t, &s, "app", "ann");
	fails(t, &s, 0, NULL);
	assert_int_equal(seen.n_failed, 1);
	assert_string_equal(seen.class, "connection_refused");
	t->now_us = NOW + 200 * MS;
	run_main(t, &s);
	logs_in(t, &s, 1);
	assert_int_equal(seen.n_good, 1);
	end(t);
}

/* ---- log and SHOW ERRORS ---- */

/* The log in a file of its own; the bench's log goes there until log_ends. */
static void log_begins(struct bench *t, char path[32])
{
	int fd;

	snprintf(path, 32, "/tmp/pgweir-outages.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	assert_true(log_to_file(t->log, path));
}

static void log_ends(const char *path, char *text, size_t size)
{
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	text[fread(text, 1, size - 1, f)] = '\0';
	fclose(f);
	assert_int_equal(unlink(path), 0);
}

static void an_outage_is_one_row_that_counts_who_was_told(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "");
	const struct error_row *row;
	struct side s = {0};

	(void)state;
	waits(t, &s, "app", "ann");
	fails(t, &s, 0, "28000");
	assert_int_equal(error_ring_count(t->opener->errors), 1);
	row = error_ring_row(t->opener->errors, 0);
	assert_string_equal(row->incident, s.p->outage->incident);
	assert_string_equal(row->class, verdict_of(&s)->class);
	assert_string_equal(row->database, "app");
	assert_string_equal(row->user, "ann");
	assert_string_equal(row->address, "127.0.0.1");
	assert_string_equal(row->text, str_text(&verdict_of(&s)->message));
	assert_int_equal(row->count, 0);
	pool_add_told(s.p);
	pool_add_told(s.p);
	t->now_us = opener_next_us(t->opener);
	s.n_permits = 0;
	run_main(t, &s);
	fails(t, &s, 0, "28000");
	assert_int_equal(error_ring_count(t->opener->errors), 1);
	assert_int_equal(row->count, 2);
	assert_int_equal(row->last_us, t->now_us);
	pool_add_told(s.p);
	t->now_us = opener_next_us(t->opener);
	s.n_permits = 0;
	run_main(t, &s);
	logs_in(t, &s, 0);
	assert_int_equal(row->count, 3);
	assert_int_equal(error_ring_count(t->opener->errors), 1);
	end(t);
}

static void an_outage_that_turns_into_another_is_a_second_row_of_one_incident(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "");
	struct side s = {0};

	(void)state;
	waits(t, &s, "app", "ann");
	fails(t, &s, 0, "28000");
	pool_add_told(s.p);
	t->now_us = opener_next_us(t->opener);
	s.n_permits = 0;
	run_main(t, &s);
	fails(t, &s, 0, "3D000");
	assert_int_equal(error_ring_count(t->opener->errors), 2);
	assert_int_equal(error_ring_row(t->opener->errors, 1)->count, 1); /* they were told of the first */
	assert_int_equal(error_ring_row(t->opener->errors, 0)->count, 0);
	assert_string_equal(error_ring_row(t->opener->errors, 0)->incident,
	                    error_ring_row(t->opener->errors, 1)->incident);
	end(t);
}

static void the_log_has_beginning_each_minute_and_end_with_numbers(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "");
	char path[32], text[20000];
	struct side a = {0}, b = {0};
	const char *lasts, *over;

	(void)state;
	log_begins(t, path);
	log_set_format(t->log, LOG_FORMAT_JSON);
	waits(t, &a, "app", "ann");
	fails(t, &a, 0, NULL);
	waits(t, &b, "app", "bob"); /* behind the same address: its clients count too */
	pool_add_told(a.p);
	pool_add_told(b.p);
	pool_add_told(b.p);
	t->now_us += 61 * US_PER_S;
	a.n_permits = b.n_permits = 0;
	run_main(t, &a);
	fails(t, a.n_permits > 0 ? &a : &b, 0, NULL);
	pool_add_told(b.p);
	t->now_us += 5 * US_PER_S;
	a.n_permits = b.n_permits = 0;
	run_main(t, &a);
	logs_in(t, a.n_permits > 0 ? &a : &b, 0);
	log_ends(path, text, sizeof(text));
	assert_non_null(strstr(text,
	                       "\"event\":\"outage_begins\",\"class\":\"connection_refused\",\"database\":\"app\","
	                       "\"user\":\"ann\",\"host\":\"127.0.0.1\",\"address\":\"127.0.0.1\",\"port\":5432,"
	                       "\"incident\":\""));
	lasts = strstr(text, "\"event\":\"outage_lasts\",\"class\":\"connection_refused\"");
	assert_non_null(lasts);
	assert_non_null(strstr(lasts, "\"count\":3,\"text\":\"still down: db=app "));
	assert_non_null(strstr(lasts, ", told: 3)\"}\n"));
	over = strstr(text, "\"event\":\"outage_ends\",\"class\":\"connection_refused\"");
	assert_non_null(over);
	assert_non_null(strstr(over, "\"count\":4,\"text\":\"server login works again: db=app "));
	assert_non_null(strstr(over, ", after 66 s, told: 4\"}\n"));
	assert_null(strstr(over + 1, "\"event\":"));
	end(t);
}

/* A stranger names a database; the connection that is to ask for him fails. */
static void is_named(struct bench *t, struct side *s, const char *database)
{
	struct place *pl;

	assert_int_equal(registry_enter_lookups(t->registry, t->config, database, "asker", 0, &s->entry[0]), ENTERED);
	s->n_clients++;
	joins(t, s);
	assert_int_equal(bench_borrow(s->entry[0].seat, &s->w[0], t->now_us, &pl, &t->out), BORROW_WAITS);
	run_main(t, s);
	fails(t, s, 0, "3D000");
}

static unsigned count_of(const char *text, const char *word)
{
	unsigned n = 0;

	while ((text = strstr(text, word)) != NULL) {
		text++;
		n++;
	}
	return n;
}

static void databases_that_strangers_think_of_do_not_fill_log_and_table(void **state)
{
	struct bench *t = begin("* = host=127.0.0.1\napp = host=127.0.0.1", "");
	static char text[65536];
	struct side s[16], known = {0};
	char path[32], name[32];

	(void)state;
	memset(s, 0, sizeof(s));
	log_begins(t, path);
	for (int i = 0; i < 15; i++) {
		snprintf(name, sizeof(name), "name_%d", i);
		is_named(t, &s[i], name);
	}
	assert_int_equal(error_ring_count(t->opener->errors), 10);
	/* those that are configured are spoken of all the same */
	is_named(t, &known, "app");
	assert_int_equal(error_ring_count(t->opener->errors), 11);
	t->now_us += 5 * US_PER_S;
	assert_true(opener_next_us(t->opener) <= t->now_us);
	opener_tick(t->opener, t->now_us, &t->out);
	log_ends(path, text, sizeof(text));
	assert_int_equal(count_of(text, "server login failed: db=name_"), 10);
	assert_int_equal(count_of(text, "server login failed: db=app"), 1);
	assert_int_equal(count_of(text, "left out 5 more failed server logins"), 1);
	resolve(t, true);
	end(t);
}

static void a_new_secret_is_tried_at_once(void **state)
{
	struct bench *t = begin("app = host=127.0.0.1", "server_login_retry=600");
	struct found_secret *first = found_secret_new("one", 3), *second = found_secret_new("two", 3);
	struct side s = {0};

	(void)state;
	waits(t, &s, "app", "ann");
	pool_set_secret(s.p, &first->shared, &t->out);
	fails(t, &s, 0, "28P01"); /* it began before */
	run_main(t, &s);
	assert_null(pool_outage(s.p)); /* nobody is told what the other one met */
	assert_int_equal(s.n_permits, 2);
	fails(t, &s, 1, "28P01");
	t->now_us += MS;
	run_main(t, &s);
	assert_int_equal(s.n_permits, 2);
	assert_non_null(s.p->outage);
	shared_ref(&first->shared);
	pool_set_secret(s.p, &first->shared, &t->out); /* the same does not help */
	run_main(t, &s);
	assert_int_equal(s.n_permits, 2);
	pool_set_secret(s.p, &second->shared, &t->out);
	run_main(t, &s);
	assert_int_equal(s.n_permits, 3);
	assert_true(s.p->trying); /* whoever comes now waits for it */
	end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(refusal_is_published_to_be_told_now),
	    cmocka_unit_test(hints_are_for_the_system_that_the_pooler_runs_on),
	    cmocka_unit_test(silence_is_published_to_be_told_after_server_down_wait),
	    cmocka_unit_test(the_databases_own_server_down_wait_goes_before_the_setting),
	    cmocka_unit_test(server_down_wait_zero_tells_only_refusals_and_pauses_like_pgbouncer),
	    cmocka_unit_test(pauses_double_up_to_two_seconds),
	    cmocka_unit_test(while_clients_are_held_pauses_stay_short),
	    cmocka_unit_test(a_wrong_password_is_tried_ever_more_slowly),
	    cmocka_unit_test(success_ends_the_outage),
	    cmocka_unit_test(somebody_probes_for_those_who_were_told),
	    cmocka_unit_test(nobody_probes_when_nobody_asked_but_the_next_one_waits_for_a_try),
	    cmocka_unit_test(a_silent_attempt_gets_a_second_one_beside_it),
	    cmocka_unit_test(the_one_beside_a_silent_attempt_is_replaced_every_two_seconds),
	    cmocka_unit_test(an_attempt_silent_for_server_down_wait_counts_as_timed_out),
	    cmocka_unit_test(silence_is_told_with_the_place_where_it_is_silent),
	    cmocka_unit_test(a_name_without_addresses_is_a_failed_attempt),
	    cmocka_unit_test(a_forgotten_outage_is_tried_at_once_and_begins_anew),
	    cmocka_unit_test(what_one_pool_learns_of_an_address_all_know),
	    cmocka_unit_test(one_of_them_tries_for_all),
	    cmocka_unit_test(attempts_at_a_dead_address_do_not_grow_with_pools),
	    cmocka_unit_test(when_the_address_is_back_all_go_on),
	    cmocka_unit_test(a_refusal_is_nobody_elses_business),
	    cmocka_unit_test(a_refusal_shows_that_the_address_answers),
	    cmocka_unit_test(silence_at_an_address_lets_two_try_and_tells_all),
	    cmocka_unit_test(a_second_host_serves_while_the_first_is_down),
	    cmocka_unit_test(that_no_host_has_the_role_is_told_with_all_of_them),
	    cmocka_unit_test(whoever_watches_sees_each_attempt),
	    cmocka_unit_test(an_outage_is_one_row_that_counts_who_was_told),
	    cmocka_unit_test(an_outage_that_turns_into_another_is_a_second_row_of_one_incident),
	    cmocka_unit_test(the_log_has_beginning_each_minute_and_end_with_numbers),
	    cmocka_unit_test(a_secret_corrected_by_reload_is_tried_at_once),
	    cmocka_unit_test(databases_that_strangers_think_of_do_not_fill_log_and_table),
	    cmocka_unit_test(a_new_secret_is_tried_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
