/* From a permit's hosts to its targets. Name lookups and the opener are played by this file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "failing_mem.h"
#include "main/supervisor.h"
#include "net/dns.h"
#include "net/loop.h"
#include "pool/opener.h"
#include "pool/permit.h"
#include "pool/registry.h"
#include "until.h"

/* ---- the others ---- */

/* The lookups that wait, in the order of asking. */
#define ASKED_MAX 20
static struct {
	struct dns_query *query;
	char host[64];
} asked[ASKED_MAX];
static bool answer_at_once;
static struct permit *resolved;
static char refreshed[128];

static unsigned n_asked(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ASKED_MAX; i++)
		n += asked[i].query != NULL;
	return n;
}

static struct dns_query *take_asked(const char *host)
{
	for (unsigned i = 0; i < ASKED_MAX; i++) {
		struct dns_query *q = asked[i].query;

		if (q == NULL || strcmp(asked[i].host, host) != 0)
			continue;
		asked[i].query = NULL;
		q->waiting = false;
		return q;
	}
	fail_msg("nobody asks for %s", host);
	return NULL;
}

static struct address address_of(const char *text, uint16_t port)
{
	struct address a;

	assert_true(address_from_text(&a, text, port));
	return a;
}

static void answer_all(struct dns_query *q, const char *const *addresses)
{
	struct address a[8];
	struct dns_answer good = {0, a};

	for (; addresses[good.n] != NULL; good.n++)
		a[good.n] = address_of(addresses[good.n], 0);
	q->answered(q, &good, NULL);
}

static void answer_query(struct dns_query *q, const char *one, const char *two)
{
	answer_all(q, (const char *const[]){one, two, NULL});
}

static void answer(const char *host, const char *one, const char *two)
{
	answer_query(take_asked(host), one, two);
}

static void answer_no(const char *host)
{
	struct dns_query *q = take_asked(host);
	struct failure why;

	failure_init(&why);
	failure_set(&why, PHASE_RESOLVE, DOMAIN_GAI, -2, host);
	q->answered(q, NULL, &why);
	failure_fini(&why);
}

void dns_lookup(struct dns *d, const char *host, struct dns_query *q)
{
	unsigned at = 0;

	(void)d;
	if (answer_at_once) {
		answer_query(q, "10.9.9.9", NULL);
		return;
	}
	while (at < ASKED_MAX && asked[at].query != NULL)
		at++;
	assert_true(at < ASKED_MAX);
	q->waiting = true;
	asked[at].query = q;
	snprintf(asked[at].host, sizeof(asked[at].host), "%s", host);
}

void dns_cancel(struct dns *d, struct dns_query *q)
{
	(void)d;
	for (unsigned i = 0; i < ASKED_MAX; i++) {
		if (asked[i].query == q)
			asked[i].query = NULL;
	}
	q->waiting = false;
}

void dns_refresh(struct dns *d, const char *host)
{
	size_t used = strlen(refreshed);

	(void)d;
	snprintf(refreshed + used, sizeof(refreshed) - used, "%s ", host);
}

static const struct dns_watcher *watcher;

void dns_watch(struct dns *d, const struct dns_watcher *w, void *owner)
{
	(void)d;
	assert_non_null(owner);
	watcher = w;
}

/* Long ago for the loop, so that its timers are due at its next turn. */
uint64_t supervisor_now_us(const struct supervisor *s)
{
	(void)s;
	return 1;
}

void opener_resolved(struct opener *o, struct permit *permit, uint64_t now_us, struct letters *out)
{
	(void)o;
	(void)now_us;
	(void)out;
	assert_null(resolved);
	resolved = permit;
}

/* The pool that is known, and the one whose servers are let go. */
static struct pool *only_pool, *reconnected;

void registry_each_pool(struct registry *r, const char *database, pool_each *each, void *arg)
{
	assert_null(r);
	assert_null(database);
	each(arg, only_pool);
}

void pool_reconnect(struct pool *p, struct letters *out)
{
	(void)out;
	reconnected = p;
}

/* ---- a permit for some hosts ---- */

struct world {
	struct supervisor s;
	struct permit permit;
	struct pool *pool;
	struct opener_pool part;
	struct pool_settings set;
	struct conf_database d;
	struct settings global;
	char *hosts[20];
	size_t blocks;
};

static void set_up(struct world *w, const char *const *hosts)
{
	static char socket_dir[] = "/run/pg";

	memset(w, 0, sizeof(*w));
	w->blocks = mem_blocks;
	w->s.loop = loop_new();
	assert_non_null(w->s.loop);
	w->s.log = log_new();
	assert_non_null(w->s.log);
	log_set_stderr(w->s.log, false);
	list_init(&w->s.resolving);
	letters_init(&w->s.out);
	failure_init(&w->permit.failure);
	w->pool = (struct pool *)calloc(1, sizeof(*w->pool));
	assert_non_null(w->pool);
	w->permit.pool = w->pool;
	w->permit.settings = &w->set;
	w->pool->opener = &w->part;
	w->set.database = &w->d;
	w->set.global = &w->global;
	w->global.unix_socket_dir = socket_dir;
	w->d.port = 5433;
	w->d.hosts = w->hosts;
	for (; hosts[w->d.n_hosts] != NULL; w->d.n_hosts++)
		w->hosts[w->d.n_hosts] = (char *)(uintptr_t)hosts[w->d.n_hosts];
	memset(asked, 0, sizeof(asked));
	refreshed[0] = '\0';
	answer_at_once = false;
	resolved = NULL;
}

#define SET_UP(w, ...) set_up(w, (const char *const[]){__VA_ARGS__, NULL})

static void tear_down(struct world *w)
{
	failure_fini(&w->permit.failure);
	assert_true(list_is_empty(&w->s.resolving));
	free(w->pool);
	log_free(w->s.log);
	loop_free(w->s.loop);
	assert_int_equal(mem_blocks, w->blocks);
}

/* Again with the same part of the pool, so that turns go on. */
static void next_permit(struct world *w)
{
	failure_fini(&w->permit.failure);
	w->permit.n_targets = 0;
	resolved = NULL;
}

static void expect_target(const struct world *w, uint32_t i, const char *host, const char *address)
{
	struct address want = address_of(address, 5433);

	assert_true(i < w->permit.n_targets);
	assert_string_equal(w->permit.target[i].host, host);
	assert_true(address_same(&w->permit.target[i].address, &want));
}

/* ---- tests ---- */

static void without_a_host_it_is_the_socket_in_unix_socket_dir(void **state)
{
	struct world w;

	(void)state;
	set_up(&w, (const char *const[]){NULL});
	resolve_permit(&w.s, &w.permit);
	assert_ptr_equal(resolved, &w.permit);
	assert_int_equal(w.permit.n_targets, 1);
	expect_target(&w, 0, "/run/pg", "/run/pg/.s.PGSQL.5433");
	tear_down(&w);
}

static void without_any_place_the_failure_says_so(void **state)
{
	struct world w;

	(void)state;
	set_up(&w, (const char *const[]){NULL});
	w.global.unix_socket_dir = NULL;
	resolve_permit(&w.s, &w.permit);
	assert_ptr_equal(resolved, &w.permit);
	assert_int_equal(w.permit.n_targets, 0);
	assert_int_equal(w.permit.failure.phase, PHASE_RESOLVE);
	assert_int_equal(w.permit.failure.code, FAILURE_NO_ADDRESS);
	tear_down(&w);
}

static void literal_hosts_need_no_lookup_and_keep_their_order(void **state)
{
	struct world w;
	struct address a;
	bool abstract;

	(void)state;
	SET_UP(&w, "10.0.0.1", "::1", "/var/run/pg", "@weir");
	w.d.load_balance_hosts = LOAD_BALANCE_DISABLE;
	resolve_permit(&w.s, &w.permit);
	assert_ptr_equal(resolved, &w.permit);
	/* not all systems have the abstract namespace */
	abstract = address_from_text(&a, "@weir", 0);
	assert_int_equal(w.permit.n_targets, abstract ? 4 : 3);
	expect_target(&w, 0, "10.0.0.1", "10.0.0.1");
	expect_target(&w, 1, "::1", "::1");
	expect_target(&w, 2, "/var/run/pg", "/var/run/pg/.s.PGSQL.5433");
	if (abstract)
		expect_target(&w, 3, "@weir", "@weir/.s.PGSQL.5433");
	tear_down(&w);
}

static void without_turns_it_begins_where_the_last_one_has_succeeded(void **state)
{
	struct world w;

	(void)state;
	SET_UP(&w, "10.0.0.1", "10.0.0.2", "10.0.0.3");
	w.d.load_balance_hosts = LOAD_BALANCE_DISABLE;
	w.part.next_target = 1;
	for (int i = 0; i < 2; i++) {
		resolve_permit(&w.s, &w.permit);
		expect_target(&w, 0, "10.0.0.2", "10.0.0.2");
		expect_target(&w, 1, "10.0.0.3", "10.0.0.3");
		expect_target(&w, 2, "10.0.0.1", "10.0.0.1");
		next_permit(&w);
	}
	tear_down(&w);
}

static void hosts_take_turns(void **state)
{
	static const char *const first[] = {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.1"};
	struct world w;

	(void)state;
	SET_UP(&w, "10.0.0.1", "10.0.0.2", "10.0.0.3");
	for (int i = 0; i < 4; i++) {
		resolve_permit(&w.s, &w.permit);
		assert_int_equal(w.permit.n_targets, 3);
		expect_target(&w, 0, first[i], first[i]);
		next_permit(&w);
	}
	tear_down(&w);
}

static void addresses_of_one_name_take_turns(void **state)
{
	struct world w;

	(void)state;
	SET_UP(&w, "db");
	resolve_permit(&w.s, &w.permit);
	assert_null(resolved);
	answer("db", "10.0.0.1", "10.0.0.2");
	expect_target(&w, 0, "db", "10.0.0.1");
	expect_target(&w, 1, "db", "10.0.0.2");
	next_permit(&w);
	resolve_permit(&w.s, &w.permit);
	answer("db", "10.0.0.1", "10.0.0.2");
	expect_target(&w, 0, "db", "10.0.0.2");
	tear_down(&w);
}

/* The resolver's order is kept within each family. */
static void both_families_of_a_name_are_tried_in_turn(void **state)
{
	static const char *const six_first[] = {"::1", "::2", "::3", "10.0.0.1", "10.0.0.2", NULL};
	static const char *const four_first[] = {"10.0.0.1", "10.0.0.2", "::1", NULL};
	static const char *const expected[2][5] = {{"::1", "10.0.0.1", "::2", "10.0.0.2", "::3"},
	                                           {"10.0.0.1", "::1", "10.0.0.2", NULL, NULL}};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct world w;

		SET_UP(&w, "db");
		w.d.load_balance_hosts = LOAD_BALANCE_DISABLE;
		resolve_permit(&w.s, &w.permit);
		answer_all(take_asked("db"), i == 0 ? six_first : four_first);
		assert_int_equal(w.permit.n_targets, i == 0 ? 5 : 3);
		for (uint32_t k = 0; k < w.permit.n_targets; k++)
			expect_target(&w, k, "db", expected[i][k]);
		tear_down(&w);
	}
}

static void names_are_asked_for_at_once_and_keep_their_order(void **state)
{
	struct world w;

	(void)state;
	SET_UP(&w, "one", "10.0.0.2", "three");
	resolve_permit(&w.s, &w.permit);
	assert_int_equal(n_asked(), 2);
	answer("three", "10.0.0.3", "10.0.0.1");
	assert_null(resolved);
	answer("one", "10.0.0.1", NULL);
	assert_ptr_equal(resolved, &w.permit);
	assert_int_equal(w.permit.n_targets, 3); /* 10.0.0.1 is there once */
	expect_target(&w, 0, "one", "10.0.0.1");
	expect_target(&w, 1, "10.0.0.2", "10.0.0.2");
	expect_target(&w, 2, "three", "10.0.0.3");
	tear_down(&w);
}

static void silence_about_one_host_holds_the_others_up_for_a_moment_only(void **state)
{
	struct world w;

	(void)state;
	SET_UP(&w, "silent", "good", "bad");
	resolve_permit(&w.s, &w.permit);
	run_turns(w.s.loop, 2);
	/* nobody to connect to: whoever answers */
	answer_no("bad");
	assert_null(resolved);
	answer("good", "10.0.0.2", NULL);
	assert_ptr_equal(resolved, &w.permit);
	assert_int_equal(w.permit.n_targets, 1);
	expect_target(&w, 0, "good", "10.0.0.2");
	assert_false(failure_is_set(&w.permit.failure));
	assert_int_equal(n_asked(), 0); /* taken back */
	next_permit(&w);
	/* an address that is known makes a difference only when the moment is over */
	w.part.next_target = 0;
	resolve_permit(&w.s, &w.permit);
	answer("good", "10.0.0.2", NULL);
	assert_null(resolved);
	run_turns(w.s.loop, 2);
	assert_ptr_equal(resolved, &w.permit);
	expect_target(&w, 0, "good", "10.0.0.2");
	tear_down(&w);
}

static void names_of_pools_with_servers_are_kept_fresh(void **state)
{
	struct world w;
	struct office office = {0};

	(void)state;
	SET_UP(&w, "one", "10.0.0.2");
	w.s.office = &office;
	w.pool->settings = &w.set;
	only_pool = w.pool;
	resolve_watch(&w.s);
	watcher->expired(&w.s);
	assert_string_equal(refreshed, "");
	w.part.n_permits = 1;
	watcher->expired(&w.s);
	assert_string_equal(refreshed, "one 10.0.0.2 ");
	w.pool->opener = NULL;
	watcher->expired(&w.s);
	assert_string_equal(refreshed, "one 10.0.0.2 ");
	tear_down(&w);
}

static void a_cached_name_is_answered_inside_the_question(void **state)
{
	struct world w;

	(void)state;
	SET_UP(&w, "one", "10.0.0.2");
	answer_at_once = true;
	resolve_permit(&w.s, &w.permit);
	assert_ptr_equal(resolved, &w.permit);
	expect_target(&w, 0, "one", "10.9.9.9");
	expect_target(&w, 1, "10.0.0.2", "10.0.0.2");
	tear_down(&w);
}

static void a_name_that_fails_matters_only_if_nothing_else_is_left(void **state)
{
	struct world w;

	(void)state;
	SET_UP(&w, "bad", "good");
	resolve_permit(&w.s, &w.permit);
	answer_no("bad");
	answer("good", "10.0.0.2", NULL);
	assert_int_equal(w.permit.n_targets, 1);
	assert_false(failure_is_set(&w.permit.failure));
	next_permit(&w);
	w.part.next_target = 0;
	resolve_permit(&w.s, &w.permit);
	answer_no("good");
	answer_no("bad");
	assert_ptr_equal(resolved, &w.permit);
	assert_int_equal(w.permit.n_targets, 0);
	assert_int_equal(w.permit.failure.domain, DOMAIN_GAI);
	assert_int_equal(w.permit.failure.code, -2);
	assert_string_equal(w.permit.failure.text, "good"); /* the first that came */
	tear_down(&w);
}

static void a_pool_lets_its_servers_go_when_one_of_its_names_has_moved(void **state)
{
	struct world w;
	struct office office = {0};

	(void)state;
	SET_UP(&w, "10.0.0.1", "Db");
	w.s.office = &office;
	w.pool->settings = &w.set;
	only_pool = w.pool;
	reconnected = NULL;
	resolve_watch(&w.s);
	watcher->zone_changed(&w.s, "lab", 1, 2);
	watcher->moved(&w.s, "elsewhere");
	assert_null(reconnected);
	watcher->moved(&w.s, "db");
	assert_ptr_equal(reconnected, w.pool);
	/* one that has never asked for a server */
	reconnected = NULL;
	w.pool->opener = NULL;
	watcher->moved(&w.s, "db");
	assert_null(reconnected);
	tear_down(&w);
}

static void there_are_never_more_targets_than_fit(void **state)
{
	static const char *const hosts[] = {"10.0.0.1",  "10.0.0.2",  "10.0.0.3",  "10.0.0.4",  "10.0.0.5",
	                                    "10.0.0.6",  "10.0.0.7",  "10.0.0.8",  "10.0.0.9",  "10.0.0.10",
	                                    "10.0.0.11", "10.0.0.12", "10.0.0.13", "10.0.0.14", "10.0.0.15",
	                                    "name",      "10.0.0.17", "10.0.0.18", NULL};
	struct world w;

	(void)state;
	set_up(&w, hosts);
	resolve_permit(&w.s, &w.permit);
	answer("name", "10.0.1.1", "10.0.1.2");
	assert_int_equal(w.permit.n_targets, PERMIT_MAX_TARGETS);
	expect_target(&w, PERMIT_MAX_TARGETS - 1, "name", "10.0.1.1");
	tear_down(&w);
}

static void a_socket_path_that_is_too_long_is_a_failure(void **state)
{
	char host[160];
	struct world w;

	(void)state;
	memset(host, 'x', sizeof(host));
	host[0] = '/';
	host[sizeof(host) - 1] = '\0';
	SET_UP(&w, host);
	resolve_permit(&w.s, &w.permit);
	assert_int_equal(w.permit.n_targets, 0);
	assert_int_equal(w.permit.failure.code, FAILURE_NO_ADDRESS);
	tear_down(&w);
}

static void without_memory_the_permit_comes_back(void **state)
{
	struct world w;

	(void)state;
	SET_UP(&w, "one");
	for (size_t i = 1; i <= 2; i++) {
		mem_until_failure = i;
		resolve_permit(&w.s, &w.permit);
		mem_until_failure = 0;
		assert_ptr_equal(resolved, &w.permit);
		assert_int_equal(w.permit.n_targets, 0);
		assert_int_equal(w.permit.failure.code, FAILURE_NO_MEMORY);
		next_permit(&w);
	}
	resolve_permit(&w.s, &w.permit);
	mem_until_failure = 1;
	answer("one", "10.0.0.1", NULL);
	mem_until_failure = 0;
	assert_ptr_equal(resolved, &w.permit);
	assert_int_equal(w.permit.n_targets, 0);
	assert_int_equal(w.permit.failure.code, FAILURE_NO_MEMORY);
	tear_down(&w);
}

static void at_the_end_permits_under_way_come_back(void **state)
{
	struct world w;

	(void)state;
	SET_UP(&w, "10.0.0.1", "one");
	resolve_permit(&w.s, &w.permit);
	assert_int_equal(n_asked(), 1);
	resolve_stop(&w.s);
	assert_int_equal(n_asked(), 0);
	assert_ptr_equal(resolved, &w.permit);
	assert_int_equal(w.permit.n_targets, 0);
	assert_false(failure_is_set(&w.permit.failure));
	tear_down(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_a_host_it_is_the_socket_in_unix_socket_dir),
	    cmocka_unit_test(without_any_place_the_failure_says_so),
	    cmocka_unit_test(literal_hosts_need_no_lookup_and_keep_their_order),
	    cmocka_unit_test(without_turns_it_begins_where_the_last_one_has_succeeded),
	    cmocka_unit_test(both_families_of_a_name_are_tried_in_turn),
	    cmocka_unit_test(hosts_take_turns),
	    cmocka_unit_test(addresses_of_one_name_take_turns),
	    cmocka_unit_test(names_are_asked_for_at_once_and_keep_their_order),
	    cmocka_unit_test(silence_about_one_host_holds_the_others_up_for_a_moment_only),
	    cmocka_unit_test(names_of_pools_with_servers_are_kept_fresh),
	    cmocka_unit_test(a_cached_name_is_answered_inside_the_question),
	    cmocka_unit_test(a_name_that_fails_matters_only_if_nothing_else_is_left),
	    cmocka_unit_test(a_pool_lets_its_servers_go_when_one_of_its_names_has_moved),
	    cmocka_unit_test(there_are_never_more_targets_than_fit),
	    cmocka_unit_test(a_socket_path_that_is_too_long_is_a_failure),
	    cmocka_unit_test(without_memory_the_permit_comes_back),
	    cmocka_unit_test(at_the_end_permits_under_way_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
