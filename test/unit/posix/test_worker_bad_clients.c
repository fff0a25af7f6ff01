/* Whatever a client says, in every state: see bad_input.h. */
#include "../bad_input.h"

static void has_said_nothing(struct play *p)
{
	p->who = p->c = bench_client(&p->b);
}

static void is_proving(struct play *p)
{
	log_in_on(p, bench_client(&p->b), "ann");
	p->who = p->c;
}

static void is_half_through_scram(struct play *p)
{
	struct str out;

	is_proving(p);
	str_init(&out, 4096);
	message_sasl_initial(&out, SCRAM_MECHANISM, "n,,n=,r=abcdefgh", 16);
	side_say(&p->b, p->c, &out);
	str_fini(&out);
}

static void waits_for_a_welcome(struct play *p)
{
	log_in(p);
	p->who = p->c;
}

static void waits_for_a_server(struct play *p)
{
	asks(p, "begin");
	scene_done(&p->b, p->s, "BEGIN", 'T');
	log_in_on(p, bench_client(&p->b), "ann");
	scene_query(&p->b, p->c, "select 2");
	p->who = p->c;
}

static void runs_a_query(struct play *p)
{
	asks(p, "select 1");
}

static void is_in_a_batch(struct play *p)
{
	sends_a_batch(p);
	say_bare(p, p->s, "12");
}

static void is_in_a_failed_batch(struct play *p)
{
	sends_a_batch(p);
	say_error(p);
}

static void has_names(struct play *p)
{
	fits(p);
	say(p, p->c, 'P', "a\0select 1\0\0\0", 13);
	say_bare(p, p->c, "S");
	say_bare(p, p->s, "1");
	say_ready(p, 'I');
}

static void sends_a_long_statement(struct play *p)
{
	static const char front[] = {'P', 0, 1, 0, 0, 'a', 0, 's'};

	fits(p);
	side_send(&p->b, p->c, front, sizeof(front));
}

/* Our fence is answered, and the client does not know yet that it has failed. */
static void is_behind_a_fence(struct play *p)
{
	has_failed_to_copy(p);
	say_ready(p, 'I');
	say_bare(p, p->s, "I");
	say_ready(p, 'I');
}

static void is_in_a_message(struct play *p)
{
	static const char front[] = {'Q', 0, 0, 1, 0, 's'};

	fits(p);
	side_send(&p->b, p->c, front, sizeof(front));
}

static const struct scene clients[] = {
    {"has said nothing", TRUST, has_said_nothing},
    {"is proving who it is", SCRAM, is_proving},
    {"is half through SCRAM", SCRAM, is_half_through_scram},
    {"waits for a welcome", TRUST, waits_for_a_welcome},
    {"is idle", TRUST, logged_in},
    {"has a server of its own", SESSION, fits},
    {"waits for a server", TRUST "default_pool_size=1", waits_for_a_server},
    {"waits for our SET", TRUST, waits_for_our_set},
    {"runs a query", TRUST, runs_a_query},
    {"is in a transaction", TRUST, is_in_a_transaction},
    {"is in a batch", TRUST, is_in_a_batch},
    {"is in a failed batch", TRUST, is_in_a_failed_batch},
    {"has names", TRUST, has_names},
    {"sends a long statement", TRUST, sends_a_long_statement},
    {"copies in", TRUST, copies_in},
    {"copies out", TRUST, copies_out},
    {"has failed to copy", TRUST, has_failed_to_copy},
    {"is behind a fence", TRUST, is_behind_a_fence},
    {"is in a message", TRUST, is_in_a_message},
    {"asks to cancel", TRUST, asks_to_cancel},
};

static void every_message_in_every_state_comes_to_the_same_at_every_cut(void **state)
{
	static const char types[] = "QFSHPEBCDdcfXpRZ\xff"; /* and the NUL */

	(void)state;
	check_all(clients, sizeof(clients) / sizeof(clients[0]), types, sizeof(types));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_message_in_every_state_comes_to_the_same_at_every_cut)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
