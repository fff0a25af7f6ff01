/* Hosts that vanish: when silence is too long, and what the system is told to do about it. */
#include "worker_scene.h"

#include "worker/vigil.h"

#define S US_PER_S

static void silence_is_too_long_only_with_something_unacknowledged_and_old(void **state)
{
	static const struct {
		struct socket_silence silence;
		uint64_t unsent_us;
		bool over;
	} cases[] = {
	    {{true, 20 * S}, 20 * S, true},
	    {{true, 3600 * S}, 21 * S, true},
	    /* everything has arrived: the server may think as long as it wants */
	    {{false, 3600 * S}, 3600 * S, false},
	    /* it was quiet for an hour, and now something was sent that is on its way */
	    {{true, 3600 * S}, 0, false},
	    {{true, 3600 * S}, 19 * S, false},
	    /* lost packets, but somebody answers */
	    {{true, 19 * S}, 3600 * S, false},
	    {{true, 0}, 3600 * S, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(vigil_is_over(&cases[i].silence, cases[i].unsent_us), cases[i].over);
}

static void keepalive_is_close_unless_the_file_says_something(void **state)
{
	static const struct {
		const char *globals;
		bool on;
		int idle, interval, count;
	} cases[] = {
	    {"", true, 10, 5, 3},
	    {"tcp_keepidle=60", true, 60, 0, 0},
	    {"tcp_keepintvl=7\ntcp_keepcnt=2", true, 0, 7, 2},
	    {"tcp_user_timeout=5", true, 10, 5, 3},
	    {"tcp_keepalive=0", false, 10, 5, 3},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config *c = bench_conf(cases[i].globals);
		struct socket_options o = vigil_socket_options(&c->settings);

		assert_int_equal(o.keepalive, cases[i].on);
		assert_int_equal(o.keepidle_s, cases[i].idle);
		assert_int_equal(o.keepintvl_s, cases[i].interval);
		assert_int_equal(o.keepcnt, cases[i].count);
		config_unref(c);
	}
}

static void it_is_kept_while_a_server_is_lent_and_no_longer(void **state)
{
	struct bench b;
	struct side *s;

	(void)state;
	bench_init(&b, "auth_type=trust\npool_mode=transaction");
	(void)scene_login(&b, &s);
	assert_false(timer_is_set(b.w->vigil));
	bench_fini(&b);
	bench_init(&b, "auth_type=trust\npool_mode=transaction");
	(void)scene_running(&b, &s, "select 1");
	assert_true(timer_is_set(b.w->vigil) && b.w->keeps_vigil);
	timer_clear(b.w->vigil);
	vigil_tick(b.w);
	assert_true(timer_is_set(b.w->vigil) && b.w->keeps_vigil);
	scene_done(&b, s, "SELECT 1", 'I');
	timer_clear(b.w->vigil);
	vigil_tick(b.w);
	assert_false(timer_is_set(b.w->vigil) || b.w->keeps_vigil);
	bench_fini(&b);
}

static void the_client_of_a_silent_server_is_told_for_how_long_and_what_keepalive_is(void **state)
{
	struct bench b;
	struct side *s, *c;

	(void)state;
	bench_init(&b, "auth_type=trust\npool_mode=transaction");
	c = scene_running(&b, &s, "select 1");
	server_is_silent(only_server(&b), 23 * S);
	bench_settle(&b);
	assert_told_of_loss(c, "server conn crashed?", "Nothing has come from the server for 23.0 s.");
	assert_told_of_loss(c, "server conn crashed?",
	                    "Keepalive in force: tcp_keepidle = 10, tcp_keepintvl = 5, tcp_keepcnt = 3.");
	assert_int_equal(b.w->n_servers, 0);
	bench_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(silence_is_too_long_only_with_something_unacknowledged_and_old),
	    cmocka_unit_test(keepalive_is_close_unless_the_file_says_something),
	    cmocka_unit_test(it_is_kept_while_a_server_is_lent_and_no_longer),
	    cmocka_unit_test(the_client_of_a_silent_server_is_told_for_how_long_and_what_keepalive_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
