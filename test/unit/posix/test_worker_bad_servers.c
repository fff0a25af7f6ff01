/* Whatever a server says, in every state: see bad_input.h. */
#include "../bad_input.h"

static void has_been_asked_to_cancel(struct play *p)
{
	asks_to_cancel(p);
	p->who = bench_server(&p->b);
	assert_non_null(p->who);
}

/* Its query is over, the request is not. */
static void may_still_be_cancelled(struct play *p)
{
	has_been_asked_to_cancel(p);
	scene_done(&p->b, p->s, "SELECT 1", 'I');
	by_server(p);
}

static void asks_for_md5(struct play *p)
{
	struct str out;

	log_in(p);
	str_init(&out, 4096);
	message_auth_md5(&out, (const uint8_t *)"salt");
	side_say(&p->b, p->s, &out);
	str_fini(&out);
}

static void asks_for_scram(struct play *p)
{
	struct str out;

	log_in(p);
	str_init(&out, 4096);
	message_auth_sasl(&out, NULL, SCRAM_MECHANISM);
	side_say(&p->b, p->s, &out);
	str_fini(&out);
}

static void has_let_us_in(struct play *p)
{
	log_in(p);
	say(p, p->s, 'R', "\0\0\0\0", 4);
}

static void is_idle(struct play *p)
{
	fits(p);
	by_server(p);
}

static void is_set_to_fit(struct play *p)
{
	waits_for_our_set(p);
	by_server(p);
}

static void is_checked(struct play *p)
{
	logged_in(p);
	scene_query(&p->b, p->c, "select 1");
	by_server(p);
}

static void is_reset(struct play *p)
{
	fits(p);
	say_bare(p, p->c, "X");
	by_server(p);
}

static void is_asked(struct play *p)
{
	asks(p, "select 1");
	by_server(p);
}

static void is_in_rows(struct play *p)
{
	asks(p, "select 1");
	say(p, p->s, 'T', "\0\0", 2);
	say(p, p->s, 'D', "\0\0", 2);
	by_server(p);
}

static void is_between_results(struct play *p)
{
	is_in_rows(p);
	say(p, p->s, 'C', "SELECT 1", 9);
}

static void has_failed(struct play *p)
{
	asks(p, "select 1");
	say_error(p);
	by_server(p);
}

static void is_asked_for_a_batch(struct play *p)
{
	sends_a_batch(p);
	by_server(p);
}

static void is_asked_for_names(struct play *p)
{
	fits(p);
	say(p, p->c, 'P', "a\0select 1\0\0\0", 13);
	say(p, p->c, 'B', "\0a\0\0\0\0\0\0\0", 9);
	say_bare(p, p->c, "S");
	by_server(p);
}

static void waits_in_a_transaction(struct play *p)
{
	is_in_a_transaction(p);
	by_server(p);
}

static void takes_a_copy(struct play *p)
{
	copies_in(p);
	by_server(p);
}

static void gives_a_copy(struct play *p)
{
	copies_out(p);
	by_server(p);
}

static void is_asked_behind_a_copy(struct play *p)
{
	has_failed_to_copy(p);
	by_server(p);
}

static void is_in_a_row(struct play *p)
{
	static const char front[] = {'D', 0, 0, 1, 0, 0, 1};

	asks(p, "select 1");
	say(p, p->s, 'T', "\0\0", 2);
	side_send(&p->b, p->s, front, sizeof(front));
	by_server(p);
}

static const struct scene servers[] = {
    {"has been greeted", TRUST, log_in},
    {"asks for MD5", TRUST, asks_for_md5},
    {"asks for SCRAM", TRUST, asks_for_scram},
    {"has let us in", TRUST, has_let_us_in},
    {"is idle", TRUST, is_idle},
    {"is its client's own", SESSION, is_idle},
    {"is set to fit", TRUST, is_set_to_fit},
    {"is checked", TRUST "server_check_query=select 42\nserver_check_delay=0", is_checked},
    {"is reset", SESSION, is_reset},
    {"is asked", TRUST, is_asked},
    {"is in rows", TRUST, is_in_rows},
    {"is between results", TRUST, is_between_results},
    {"has failed", TRUST, has_failed},
    {"is asked for a batch", TRUST, is_asked_for_a_batch},
    {"is asked for names", TRUST, is_asked_for_names},
    {"waits in a transaction", TRUST, waits_in_a_transaction},
    {"takes a copy", TRUST, takes_a_copy},
    {"gives a copy", TRUST, gives_a_copy},
    {"is asked behind a copy", TRUST, is_asked_behind_a_copy},
    {"is in a row", TRUST, is_in_a_row},
    {"has been asked to cancel", TRUST, has_been_asked_to_cancel},
    {"may still be cancelled", TRUST, may_still_be_cancelled},
};

static void every_message_in_every_state_comes_to_the_same_at_every_cut(void **state)
{
	static const char types[] = "RSKZNAE123nstTDCIVGHWdcvQ\xff"; /* and the NUL */

	(void)state;
	check_all(servers, sizeof(servers) / sizeof(servers[0]), types, sizeof(types));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_message_in_every_state_comes_to_the_same_at_every_cut)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
