/* Tests of src/admin/show_outages.c: what is wrong now. */
#include "console_bench.h"

#include "admin/view.h"
#include "base/clock.h"
#include "pool/outage.h"
#include "view_story.h"

#define CONF "[databases]\n* = host=127.0.0.1\n[pgbouncer]\nauth_type=trust\n"

static const struct topic outages = {"", 0, outages_columns, NULL, show_outages, ""};

static struct bench b;
static struct view_story story;

static int set_up(void **state)
{
	(void)state;
	bench_begin(&b, CONF, NULL);
	str_init(&story.text, 1 << 20);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	str_fini(&story.text);
	bench_finish(&b);
	return 0;
}

static struct pool *enter(const char *database, const char *user)
{
	struct entry entry;

	assert_in_range(registry_enter(b.office->registry, b.conf, database, user, 0, &entry), ENTERED,
	                ENTERED_NEW_DATABASE);
	return entry.seat->pool;
}

static struct outage *make_outage(const char *class, const char *incident, const char *text, const char *hint)
{
	struct outage *o;
	struct verdict v;

	verdict_init(&v);
	v.class = class;
	str_add_str(&v.message, text);
	str_add_str(&v.hint, hint);
	o = outage_new(&v, loop_now_us(b.loop), 0, 3);
	assert_non_null(o);
	snprintf(o->incident, sizeof(o->incident), "%s", incident);
	return o;
}

static void ail(struct pool *p, struct outage *o)
{
	struct letters out;

	letters_init(&out);
	pool_set_outage(p, o, false, &out);
	pool_want_read(p);
}

static unsigned count_rows(const char *text)
{
	unsigned n = 0;

	for (; (text = strstr(text, "D(")) != NULL; text++)
		n++;
	return n;
}

static void nothing_is_wrong_with_pools_that_work(void **state)
{
	(void)state;
	(void)enter("app", "ann");
	assert_string_equal(view_tell(&b, &outages, &story), "");
}

static void an_outage_of_several_pools_is_one(void **state)
{
	static const char class[] = "connection_refused";
	struct outage *never;
	struct client waiting;
	struct entry entry;
	const char *text;

	(void)state;
	/* what waits is no newcomer: the pool has had a server */
	assert_int_equal(registry_enter(b.office->registry, b.conf, "zoo", "bob", 0, &entry), ENTERED_NEW_DATABASE);
	bench_waiting_client(&b, &waiting, &entry, 9);
	ail(entry.seat->pool, make_outage(class, "0badcafe", "refused", "Start it."));
	ail(enter("app", "ann"), make_outage(class, "0badcafe", "refused", "Start it."));
	never = make_outage(class, "0badbeef", "refused", "line:\nhost <all>");
	never->next_try_us = UINT64_MAX;
	ail(enter("app", "eve"), never);
	text = view_tell(&b, &outages, &story);
	assert_int_equal(count_rows(text), 2);
	assert_non_null(strstr(text, "D(0badcafe,connection_refused,20"));
	assert_non_null(strstr(text, ",3,0,zoo,bob,2,1,refused,NULL,Start it.)"));
	assert_non_null(strstr(text, ",3,NULL,app,eve,1,0,refused,NULL,line:\nhost <all>)"));
	bench_waiting_client_leaves(&waiting);
}

static void ever_so_many_are_bounded(void **state)
{
	char name[20];

	(void)state;
	for (int i = 0; i < 120; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		ail(enter(name, "ann"), make_outage("x", name, "no", ""));
	}
	assert_int_equal(count_rows(view_tell(&b, &outages, &story)), 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(nothing_is_wrong_with_pools_that_work, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_outage_of_several_pools_is_one, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(ever_so_many_are_bounded, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
