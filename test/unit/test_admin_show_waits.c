/* Tests of src/admin/show_waits.c: who waits on one worker, and has a server on the other. */
#include "console_bench.h"

#include "place.h"

#include <time.h>

#include "base/clock.h"
#include "pool/outage.h"
#include "pool/pool.h"
#include "worker/server.h"

/* two seats: one on each worker */
#define CONF "[databases]\napp = host=127.0.0.1 pool_size=8\n[pgbouncer]\nauth_type=trust\nlisten_port=7000\n"

static struct bench b;
static struct bench_client *c;
static struct entry entry[2]; /* one on each worker */

static int set_up(void **state)
{
	(void)state;
	place_set_variable("TZ", "UTC");
	tzset();
	bench_begin(&b, CONF, NULL);
	c = bench_connect(&b, CONSOLE_ADMIN);
	for (uint16_t i = 0; i < 2; i++)
		assert_int_equal(registry_enter(b.office->registry, b.conf, "app", "ann", i, &entry[i]), ENTERED);
	assert_ptr_not_equal(entry[0].seat, entry[1].seat);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	bench_disconnect(c);
	bench_finish(&b);
	return 0;
}

static void free_welcome(struct shared *s)
{
	free(s);
}

/* A server on that seat, lent to this client for 48 s. */
static void lend(struct server *s, struct client *holder, struct seat *seat, uint64_t id)
{
	struct shared *welcome = (struct shared *)malloc(sizeof(*welcome));
	uint64_t then_us = loop_now_us(b.loop) - 48 * US_PER_S;
	struct waiter *to = NULL;
	struct outage *outage = NULL;
	struct place *got = NULL;
	enum retire_reason why;
	struct letters out;

	assert_non_null(welcome);
	shared_init(welcome, free_welcome);
	letters_init(&out);
	memset(s, 0, sizeof(*s));
	memset(holder, 0, sizeof(*holder));
	answers_init(&s->answers);
	s->answers.status = 'I';
	pool_count_opening(seat);
	pool_place_init(&s->place, seat);
	pool_opened(&s->place, then_us, welcome, &out);
	assert_int_equal(pool_settle(&s->place, then_us, &to, &why, &out), SETTLED_IDLE);
	holder->waiter.id = id;
	holder->state = CLIENT_LINKED;
	holder->in_transaction = true;
	holder->entry.seat = seat;
	list_init(&holder->waiter.node);
	assert_int_equal(pool_borrow(seat, &holder->waiter, then_us, &got, &outage, &out), BORROWED);
	holder->server = s;
	s->client = holder;
	s->state = SERVER_READY;
	list_init(&s->on_worker);
	list_add_tail(&b.worker[seat->worker].servers, &s->on_worker);
}

static void gone(struct server *s)
{
	struct letters out;

	letters_init(&out);
	list_remove(&s->on_worker);
	assert_true(pool_gone(&s->place, loop_now_us(b.loop), &out));
}

static void nobody_waits(void **state)
{
	(void)state;
	assert_null(strstr(bench_ask(c, "show waits"), " D("));
}

static void who_has_the_servers_may_be_on_another_worker(void **state)
{
	struct client waiting, holder;
	struct server s;
	const char *story, *at;
	unsigned holder_ms;
	char day[40];
	time_t now = time(NULL);

	(void)state;
	/* the waiting one's worker is visited first */
	lend(&s, &holder, entry[1].seat, 17);
	pool_set_limit(entry[0].seat->pool, LIMIT_POOL_SIZE, NULL);
	bench_waiting_client(&b, &waiting, &entry[0], 9);
	story = bench_ask(c, "show waits");
	assert_non_null(strstr(story, " D(9,app,ann,,,0,"));
	strftime(day, sizeof(day), ",%Y-%m-%d ", gmtime(&now));
	assert_non_null(strstr(story, day));
	at = strstr(story, ",all 1 of 1 servers are busy (pool_size = 8), the longest for 48 s by client 17 (idle in "
	                   "transaction),pool_size,NULL,NULL,17,,");
	if (at == NULL)
		fail_msg("%s", story);
	assert_int_equal(sscanf(strstr(at, ",17,,"), ",17,,%u,idle in transaction)", &holder_ms), 1);
	assert_in_range(holder_ms, 48000, 4800000);
	assert_null(strstr(at, " D("));
	bench_waiting_client_leaves(&waiting);
	gone(&s);
}

static void an_outage_is_shown_with_since_and_next(void **state)
{
	struct client waiting;
	struct letters out;
	struct outage *o;
	struct verdict v;
	const char *at;

	(void)state;
	verdict_init(&v);
	str_add_str(&v.message, "refused");
	o = outage_new(&v, loop_now_us(b.loop), UINT64_MAX, 3);
	assert_non_null(o);
	o->next_try_us = loop_now_us(b.loop) + 3600 * US_PER_S;
	letters_init(&out);
	bench_waiting_client(&b, &waiting, &entry[1], 9);
	pool_set_outage(entry[1].seat->pool, o, false, &out);
	at = strstr(bench_ask(c, "show waits"), "(attempts: 3, the next in 3");
	assert_non_null(at);
	at = strstr(at, "): refused,,20");
	assert_non_null(at);
	assert_non_null(strstr(at, " UTC,3"));
	assert_non_null(strstr(at, ",NULL,NULL,NULL,NULL)"));
	pool_set_trying(entry[1].seat->pool, true);
	at = strstr(bench_ask(c, "show waits"), "one is under way): refused,,20");
	assert_non_null(at);
	assert_non_null(strstr(at, " UTC,0,NULL,NULL,NULL,NULL)"));
	bench_waiting_client_leaves(&waiting);
}

static void a_login_that_waits_is_shown_others_are_not(void **state)
{
	struct client waiting;

	(void)state;
	bench_waiting_client(&b, &waiting, &entry[0], 9);
	waiting.state = CLIENT_GREETING;
	assert_non_null(strstr(bench_ask(c, "show waits"), ",the login waits for the pool's first server: "));
	waiting.state = CLIENT_IDLE;
	assert_null(strstr(bench_ask(c, "show waits"), " D("));
	bench_waiting_client_leaves(&waiting);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(nobody_waits, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(who_has_the_servers_may_be_on_another_worker, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_outage_is_shown_with_since_and_next, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_login_that_waits_is_shown_others_are_not, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
