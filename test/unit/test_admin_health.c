/* Why no clients should be sent: with a real opener, whose attempts fail as the test says. */
#include "opener_bench.h"

#include "admin/health.h"
#include "net/loop.h"

static bool paused, draining;
static struct control control;
static struct str said;
static struct side *side;

static bool is_paused(struct supervisor *s)
{
	(void)s;
	return paused;
}

static bool is_draining(struct supervisor *s)
{
	(void)s;
	return draining;
}

static const struct config *config_now(struct supervisor *s)
{
	return ((struct bench *)(void *)s)->config;
}

static struct bench *start(const char *databases)
{
	static struct office office;
	struct bench *t = begin(databases, "");

	office.registry = t->registry;
	control = (struct control){.self = (struct supervisor *)(void *)t,
	                           .office = &office,
	                           .opener = t->opener,
	                           .loop = loop_new(),
	                           .config = config_now,
	                           .is_paused = is_paused,
	                           .is_draining = is_draining};
	assert_non_null(control.loop);
	t->opener->wall_offset_us = 1000 * US_PER_S - NOW;
	paused = draining = false;
	str_init(&said, 100000);
	side = (struct side *)calloc(4, sizeof(*side));
	assert_non_null(side);
	return t;
}

static void stop(struct bench *t)
{
	str_fini(&said);
	loop_free(control.loop);
	end(t);
	free(side);
}

static const char *look(const char *database, enum health_form form, enum health_state expected)
{
	str_clear(&said);
	assert_int_equal(health_look(&control, database, form, &said), expected);
	return str_text(&said);
}

static const char *look_at_all(enum health_state expected)
{
	return look(NULL, HEALTH_TEXT, expected);
}

static void before_anybody_came_it_is_ready(void **state)
{
	struct bench *t = start("db=host=127.0.0.1\n");

	(void)state;
	assert_string_equal(look_at_all(HEALTH_READY), "");
	assert_string_equal(look("db", HEALTH_TEXT, HEALTH_READY), "");
	assert_string_equal(look("other", HEALTH_TEXT, HEALTH_NO_SUCH_DATABASE), "");
	stop(t);
}

static void an_outage_of_the_only_pool_is_told_with_its_words(void **state)
{
	struct bench *t = start("db=host=127.0.0.1\n");
	const char *text;

	(void)state;
	waits(t, &side[0], "db", "ann");
	assert_string_equal(look_at_all(HEALTH_READY), ""); /* nothing is known yet */
	fails(t, &side[0], 0, NULL);
	text = look_at_all(HEALTH_NOT_READY);
	assert_ptr_equal(strstr(text, "database \"db\", user \"ann\": could not connect to server at \"127.0.0.1\""),
	                 text);
	assert_non_null(strstr(text, "connection refused (since 1970-01-01T00:16:40Z, incident "));
	assert_non_null(strstr(text, "\n\tHINT: "));
	text = look(NULL, HEALTH_JSON, HEALTH_NOT_READY);
	assert_ptr_equal(strstr(text, "{\"code\":\"unreachable\",\"text\":\"could not connect"), text);
	assert_non_null(
	    strstr(text, "\"database\":\"db\",\"user\":\"ann\",\"class\":\"connection_refused\",\"incident\":\""));
	assert_non_null(strstr(text, "\"since\":\"1970-01-01T00:16:40Z\"}"));
	stop(t);
}

static void one_that_works_is_enough(void **state)
{
	struct bench *t = start("db=host=127.0.0.1\nother=host=127.0.0.1\n");

	(void)state;
	waits(t, &side[0], "db", "ann");
	fails(t, &side[0], 0, "28000");
	(void)look_at_all(HEALTH_NOT_READY);
	waits(t, &side[1], "other", "ann");
	(void)look_at_all(HEALTH_NOT_READY); /* its attempt is under way */
	logs_in(t, &side[1], 0);
	assert_string_equal(look_at_all(HEALTH_READY), "");
	assert_string_equal(look("other", HEALTH_TEXT, HEALTH_READY), "");
	(void)look("db", HEALTH_TEXT, HEALTH_NOT_READY);
	/* without servers, but it had one there */
	ends(t, &side[1], 0);
	assert_string_equal(look_at_all(HEALTH_READY), "");
	stop(t);
}

static void servers_that_there_are_count_although_no_more_can_be_opened(void **state)
{
	struct bench *t = start("db=host=127.0.0.1\n");

	(void)state;
	waits(t, &side[0], "db", "ann");
	logs_in(t, &side[0], 0);
	waits(t, &side[0], "db", "ann");
	fails(t, &side[0], 1, "53300");
	assert_string_equal(look_at_all(HEALTH_READY), "");
	ends(t, &side[0], 0);
	(void)look_at_all(HEALTH_NOT_READY);
	stop(t);
}

static void looking_has_it_tried_again(void **state)
{
	struct bench *t = start("db=host=127.0.0.1\n");
	int tried;

	(void)state;
	waits(t, &side[0], "db", "ann");
	fails(t, &side[0], 0, "28000");
	leaves(t, &side[0], 0);
	side[0].n_clients = 0;
	tried = side[0].n_permits;
	t->now_us = loop_now_us(control.loop) + 3600 * US_PER_S; /* the bench's clock may be far behind */
	run_main(t, &side[0]);
	assert_int_equal(side[0].n_permits, tried); /* nobody wants it */
	side[0].p->opener->retry.next_try_us = 0;
	(void)look_at_all(HEALTH_NOT_READY);
	run_main(t, &side[0]);
	assert_int_equal(side[0].n_permits, tried + 1);
	logs_in(t, &side[0], tried);
	assert_string_equal(look_at_all(HEALTH_READY), "");
	stop(t);
}

static void pools_behind_one_address_are_told_once(void **state)
{
	struct bench *t = start("db=host=127.0.0.1\n");
	const char *text;

	(void)state;
	waits(t, &side[0], "db", "ann");
	waits(t, &side[1], "db", "bob");
	fails(t, &side[0], 0, NULL);
	text = look_at_all(HEALTH_NOT_READY);
	assert_null(strstr(strstr(text, "could not connect") + 1, "could not connect"));
	stop(t);
}

static void pauses_are_told_if_nothing_else_is_left(void **state)
{
	struct bench *t = start("db=host=127.0.0.1\nother=host=127.0.0.1\n");

	(void)state;
	waits(t, &side[0], "db", "ann");
	waits(t, &side[1], "other", "ann");
	registry_set_paused(t->registry, "db", true, &t->out);
	assert_string_equal(look_at_all(HEALTH_READY), "");
	(void)look("db", HEALTH_TEXT, HEALTH_NOT_READY);
	registry_set_paused(t->registry, "other", true, &t->out);
	assert_string_equal(look_at_all(HEALTH_NOT_READY), "paused\n\tHINT: RESUME on the console goes on.\n");
	registry_set_paused(t->registry, "other", false, &t->out);
	registry_set_paused(t->registry, "db", false, &t->out);
	paused = true;
	assert_string_equal(look(NULL, HEALTH_JSON, HEALTH_NOT_READY),
	                    "{\"code\":\"paused\",\"text\":\"paused\",\"hint\":\"RESUME on the console goes on.\"}");
	(void)look("db", HEALTH_TEXT, HEALTH_NOT_READY);
	draining = true;
	assert_string_equal(look_at_all(HEALTH_NOT_READY), "shutting down\n");
	draining = paused = false;
	registry_set_disabled(t->registry, "db", true);
	assert_string_equal(look_at_all(HEALTH_READY), "");
	(void)look("db", HEALTH_TEXT, HEALTH_NOT_READY);
	letters_init(&t->out);
	stop(t);
}

static void a_paused_database_says_nothing_about_the_others(void **state)
{
	struct bench *t = start("db=host=127.0.0.1\nother=host=127.0.0.1\n");

	(void)state;
	waits(t, &side[0], "db", "ann");
	fails(t, &side[0], 0, "28000");
	(void)look_at_all(HEALTH_NOT_READY);
	registry_set_paused(t->registry, "db", true, &t->out);
	assert_string_equal(look_at_all(HEALTH_READY), "");
	registry_set_paused(t->registry, "db", false, &t->out);
	letters_init(&t->out);
	stop(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(before_anybody_came_it_is_ready),
	    cmocka_unit_test(an_outage_of_the_only_pool_is_told_with_its_words),
	    cmocka_unit_test(one_that_works_is_enough),
	    cmocka_unit_test(servers_that_there_are_count_although_no_more_can_be_opened),
	    cmocka_unit_test(looking_has_it_tried_again),
	    cmocka_unit_test(pools_behind_one_address_are_told_once),
	    cmocka_unit_test(pauses_are_told_if_nothing_else_is_left),
	    cmocka_unit_test(a_paused_database_says_nothing_about_the_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
