/* A server after its login: what it says while idle, and our own queries before and after a client's. */
#include "worker_scene.h"

static const char *asked(const struct side *s)
{
	size_t len;
	const char *sql = side_last(s, 'Q', &len);

	return sql == NULL ? "" : sql;
}

static void an_idle_server_that_says_something_odd_is_closed(void **state)
{
	struct bench b;
	struct side *s, *c;

	(void)state;
	bench_init(&b, "auth_type=trust");
	c = scene_login(&b, &s);
	side_send(&b, s, "D\0\0\0\6\0\0", 7);
	assert_int_equal(b.w->n_servers, 0);
	/* that is not the idle client's business */
	assert_false(c->ended);
	assert_int_equal(only_client(&b)->state, CLIENT_IDLE);
	bench_fini(&b);
}

static void parameters_of_an_idle_server_are_noted(void **state)
{
	struct bench b;
	struct side *s, *c;
	struct str out;
	size_t before;

	(void)state;
	bench_init(&b, "auth_type=trust");
	c = scene_login(&b, &s);
	before = c->got.len;
	str_init(&out, 4096);
	message_parameter_status(&out, "TimeZone", "CET");
	side_say(&b, s, &out);
	assert_string_equal(params_value(only_server(&b)->params, "TimeZone"), "CET");
	assert_string_equal(params_value(only_client(&b)->params, "TimeZone"), "UTC");
	assert_int_equal(c->got.len, before);
	assert_int_equal(only_server(&b)->place.state, PLACE_IDLE);
	str_fini(&out);
	bench_fini(&b);
}

static void the_check_query_comes_before_the_clients(void **state)
{
	struct bench b;
	struct side *s, *c;

	(void)state;
	bench_init(&b, "auth_type=trust\npool_mode=transaction\nserver_check_query=select 42\nserver_check_delay=0");
	c = scene_login(&b, &s);
	scene_query(&b, c, "select 1");
	assert_string_equal(asked(s), "select 42");
	assert_int_equal(only_server(&b)->errand, ERRAND_CHECK);
	scene_done(&b, s, "SELECT 1", 'I');
	assert_string_equal(asked(s), "SET application_name='test';");
	assert_int_equal(only_server(&b)->errand, ERRAND_PARAMS);
	scene_set_done(&b, s);
	assert_string_equal(asked(s), "select 1");
	assert_int_equal(only_server(&b)->errand, ERRAND_NONE);
	bench_fini(&b);
}

static void servers_that_were_used_lately_are_not_checked(void **state)
{
	struct bench b;
	struct side *s, *c;

	(void)state;
	bench_init(&b, "auth_type=trust\npool_mode=transaction\nserver_check_query=select 42\nserver_check_delay=3600");
	c = scene_login(&b, &s);
	scene_query(&b, c, "select 1");
	assert_string_equal(asked(s), "SET application_name='test';");
	bench_fini(&b);
}

static void the_reset_query_follows_every_transaction_if_it_always_shall(void **state)
{
	struct bench b;
	struct side *s;

	(void)state;
	bench_init(&b, "auth_type=trust\npool_mode=transaction\nserver_reset_query_always=1");
	(void)scene_running(&b, &s, "select 1");
	scene_done(&b, s, "SELECT 1", 'I');
	assert_string_equal(asked(s), "DISCARD ALL");
	assert_int_equal(only_client(&b)->state, CLIENT_IDLE);
	assert_string_equal(server_state_word(only_server(&b)), "tested");
	scene_done(&b, s, "DISCARD ALL", 'I');
	assert_string_equal(server_state_word(only_server(&b)), "idle");
	assert_int_equal(only_server(&b)->place.state, PLACE_IDLE);
	bench_fini(&b);
}

static void a_server_that_cannot_be_reset_is_closed(void **state)
{
	struct words words = {"ERROR", "XX000", "no", NULL, NULL};
	struct bench b;
	struct side *s, *c;
	struct str out;

	(void)state;
	bench_init(&b, "auth_type=trust\npool_mode=transaction\nserver_reset_query_always=1");
	c = scene_running(&b, &s, "select 1");
	scene_done(&b, s, "SELECT 1", 'I');
	str_init(&out, 4096);
	message_error(&out, &words);
	message_ready(&out, 'I');
	side_say(&b, s, &out);
	assert_int_equal(b.w->n_servers, 0);
	assert_false(c->ended);
	str_fini(&out);
	bench_fini(&b);
}

/* ---- roles ---- */

static void say_promoted(struct bench *b, struct side *s)
{
	struct str out;

	str_init(&out, 4096);
	message_parameter_status(&out, "in_hot_standby", "off");
	side_say(b, s, &out);
	str_fini(&out);
}

/* A pool that wants a standby, and has one; its client's query is running. */
static struct side *run_on_standby(struct bench *b, struct side **s, const char *attrs)
{
	char settings[100];
	struct side *c;
	struct str out;

	snprintf(settings, sizeof(settings), "auth_type=trust\npool_mode=transaction\ntarget_session_attrs=%s", attrs);
	bench_init(b, settings);
	c = bench_client(b);
	say_startup(b, c, "ann", "app");
	*s = bench_server(b);
	assert_non_null(*s);
	str_init(&out, 4096);
	message_auth_ok(&out);
	message_parameter_status(&out, "in_hot_standby", "on");
	message_parameter_status(&out, "default_transaction_read_only", "off");
	message_parameter_status(&out, "application_name", "");
	message_ready(&out, 'I');
	side_say(b, *s, &out);
	str_fini(&out);
	scene_query(b, c, "select 1");
	scene_set_done(b, *s);
	return c;
}

static void a_standby_that_was_promoted_is_closed_when_it_comes_free(void **state)
{
	struct bench b;
	struct side *s, *c = run_on_standby(&b, &s, "standby");
	size_t len;

	(void)state;
	say_promoted(&b, s);
	assert_true(only_server(&b)->permit->role_is_new);
	assert_int_equal(only_server(&b)->permit->new_role, ROLE_PRIMARY);
	scene_done(&b, s, "BEGIN", 'T');
	assert_int_equal(b.w->n_servers, 1); /* not in the middle of a transaction */
	scene_query(&b, c, "commit");
	scene_done(&b, s, "COMMIT", 'I');
	assert_int_equal(b.w->n_servers, 0);
	assert_non_null(side_last(s, 'X', &len));
	assert_false(c->ended);
	bench_fini(&b);
}

static void one_that_nobody_uses_is_closed_at_once(void **state)
{
	struct bench b;
	struct side *s, *c = run_on_standby(&b, &s, "standby");

	(void)state;
	scene_done(&b, s, "SELECT 1", 'I');
	assert_int_equal(only_server(&b)->place.state, PLACE_IDLE);
	say_promoted(&b, s);
	assert_int_equal(b.w->n_servers, 0);
	assert_false(c->ended);
	bench_fini(&b);
}

static void where_a_standby_is_only_preferred_it_stays(void **state)
{
	struct bench b;
	struct side *s;

	(void)state;
	(void)run_on_standby(&b, &s, "prefer-standby");
	say_promoted(&b, s);
	scene_done(&b, s, "SELECT 1", 'I');
	assert_int_equal(only_server(&b)->place.state, PLACE_IDLE);
	bench_fini(&b);
}

/* Which pools let a server go that says 25006, or something else. */
static void a_server_that_takes_no_writes_is_closed_where_they_are_wanted(void **state)
{
	static const struct {
		const char *attrs, *sqlstate;
		bool closed;
	} cases[] = {{"read-write", SQLSTATE_READ_ONLY, true},
	             {"primary", SQLSTATE_READ_ONLY, true},
	             {"any", SQLSTATE_READ_ONLY, false},
	             {"read-write", SQLSTATE_SYNTAX, false}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct words words = {"ERROR", cases[i].sqlstate, "cannot execute INSERT", NULL, NULL};
		char settings[100];
		struct side *s, *c;
		struct bench b;
		struct str out;

		snprintf(settings, sizeof(settings), "auth_type=trust\npool_mode=transaction\n");
		bench_init(&b, settings);
		c = scene_running(&b, &s, "insert");
		only_server(&b)->seat->settings->session_attrs = strcmp(cases[i].attrs, "any") == 0 ? SESSION_ATTRS_ANY
		                                                 : strcmp(cases[i].attrs, "primary") == 0
		                                                     ? SESSION_ATTRS_PRIMARY
		                                                     : SESSION_ATTRS_READ_WRITE;
		str_init(&out, 4096);
		message_error(&out, &words);
		message_ready(&out, 'I');
		side_say(&b, s, &out);
		str_fini(&out);
		assert_int_equal(b.w->n_servers, cases[i].closed ? 0 : 1);
		assert_false(c->ended); /* its client has read the error and goes on */
		bench_fini(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_idle_server_that_says_something_odd_is_closed),
	    cmocka_unit_test(parameters_of_an_idle_server_are_noted),
	    cmocka_unit_test(the_check_query_comes_before_the_clients),
	    cmocka_unit_test(servers_that_were_used_lately_are_not_checked),
	    cmocka_unit_test(the_reset_query_follows_every_transaction_if_it_always_shall),
	    cmocka_unit_test(a_server_that_cannot_be_reset_is_closed),
	    cmocka_unit_test(a_standby_that_was_promoted_is_closed_when_it_comes_free),
	    cmocka_unit_test(one_that_nobody_uses_is_closed_at_once),
	    cmocka_unit_test(where_a_standby_is_only_preferred_it_stays),
	    cmocka_unit_test(a_server_that_takes_no_writes_is_closed_where_they_are_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
