/* Logins at servers that fail: each failure says where and what; and the next target is tried. */
#include <errno.h>

#include "../worker_scene.h"

/* A client comes, and we begin to log in. */
static struct side *begin(struct bench *b)
{
	struct side *s;

	bench_init(b, "auth_type=trust");
	say_startup(b, bench_client(b), "ann", "app");
	s = bench_server(b);
	assert_non_null(s);
	assert_true(s->got.len > 0);
	return s;
}

static void assert_failure(const struct bench *b, enum failure_phase phase, enum failure_domain domain, int code)
{
	assert_int_equal(b->failure.phase, phase);
	assert_int_equal(b->failure.domain, domain);
	assert_int_equal(b->failure.code, code);
	assert_int_equal(b->w->n_servers, 0);
}

static void a_server_that_closes_at_once_is_told_from_others(void **state)
{
	struct bench b;

	(void)state;
	side_close(&b, begin(&b));
	assert_failure(&b, PHASE_STARTUP, DOMAIN_POOLER, FAILURE_CLOSED);
	bench_fini(&b);
}

static void what_is_not_postgresql_is_quoted(void **state)
{
	struct bench b;
	struct side *s = begin(&b);

	(void)state;
	side_send(&b, s, "HTTP/1.1 400 Bad Request\r\n", 26);
	assert_failure(&b, PHASE_STARTUP, DOMAIN_POOLER, FAILURE_NOT_POSTGRES);
	assert_string_equal(b.failure.text, "HTTP/1.1 400 Bad Request..");
	assert_true(s->ended);
	bench_fini(&b);
}

static void say_error(struct bench *b, struct side *s, bool authenticated)
{
	struct words words = {"FATAL", "53300", "sorry, too many clients already", NULL, NULL};
	struct str out;

	str_init(&out, 4096);
	if (authenticated)
		message_auth_ok(&out);
	message_error(&out, &words);
	side_say(b, s, &out);
	str_fini(&out);
}

static void the_servers_own_words_are_kept_whole(void **state)
{
	struct bench b;
	struct report report;

	(void)state;
	for (int authenticated = 0; authenticated <= 1; authenticated++) {
		say_error(&b, begin(&b), authenticated);
		assert_failure(&b, authenticated ? PHASE_SETTLE : PHASE_AUTH, DOMAIN_SERVER, b.failure.code);
		assert_true(report_parse(&report, b.failure.report, b.failure.report_len));
		assert_true(bytes_are(report.sqlstate, "53300"));
		assert_true(bytes_are(report.message, "sorry, too many clients already"));
		bench_fini(&b);
	}
}

static void ready_without_a_proof_is_no_login(void **state)
{
	struct bench b;
	struct side *s = begin(&b);

	(void)state;
	side_send(&b, s, "Z\0\0\0\5I", 6);
	assert_failure(&b, PHASE_AUTH, DOMAIN_POOLER, FAILURE_PROTOCOL);
	assert_string_equal(b.failure.text, "ReadyForQuery at a wrong time");
	bench_fini(&b);
}

/* Nobody listens there. */
static struct address nowhere(void)
{
	struct address a;
	int fd = pair_listen(&a);

	assert_true(fd >= 0);
	socket_close(fd);
	return a;
}

static void a_refused_connection_has_the_systems_reason(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, "auth_type=trust");
	b.at = nowhere();
	say_startup(&b, bench_client(&b), "ann", "app");
	bench_settle(&b);
	assert_failure(&b, PHASE_CONNECT, DOMAIN_ERRNO, ECONNREFUSED);
	bench_fini(&b);
}

static void the_second_target_is_tried_when_the_first_fails(void **state)
{
	struct bench b;
	struct side *c, *s;
	size_t len;

	(void)state;
	bench_init(&b, "auth_type=trust");
	b.second = b.at;
	b.at = nowhere();
	c = bench_client(&b);
	say_startup(&b, c, "ann", "app");
	s = bench_server(&b);
	assert_non_null(s);
	say_welcome(&b, s);
	assert_non_null(side_last(c, 'Z', &len));
	assert_int_equal(only_server(&b)->place.state, PLACE_IDLE);
	assert_null(only_server(&b)->place.pool->outage); /* all is well in the end, */
	assert_int_equal(b.failure.code, ECONNREFUSED);   /* and the first one's failure is known all the same */
	bench_fini(&b);
}

static void a_target_that_fails_in_its_login_gives_way_to_the_next(void **state)
{
	struct bench b;
	struct side *c, *first, *s;
	size_t len;

	(void)state;
	bench_init(&b, "auth_type=trust");
	b.second = b.at;
	c = bench_client(&b);
	say_startup(&b, c, "ann", "app");
	first = bench_server(&b);
	assert_non_null(first);
	say_error(&b, first, true);
	assert_true(first->ended);
	s = bench_server(&b);
	assert_non_null(s);
	say_welcome(&b, s);
	assert_non_null(side_last(c, 'Z', &len));
	bench_fini(&b);
}

/* ---- roles ---- */

/* A login as of PostgreSQL 14 and later: it says what it is. */
static void say_welcome_as(struct bench *b, struct side *s, const char *in_hot_standby, const char *read_only)
{
	struct str out;

	str_init(&out, 4096);
	message_auth_ok(&out);
	message_parameter_status(&out, "in_hot_standby", in_hot_standby);
	message_parameter_status(&out, "default_transaction_read_only", read_only);
	message_backend_key(&out, 77, "\1\2\3\4", 4);
	message_ready(&out, 'I');
	side_say(b, s, &out);
	str_fini(&out);
}

static void answer_role(struct bench *b, struct side *s, const char *in_recovery, const char *read_only)
{
	const struct message_column columns[] = {{"pg_is_in_recovery", 16, 1}, {"current_setting", 25, -1}};
	struct str out;

	str_init(&out, 4096);
	message_row_description(&out, columns, 2);
	message_data_row(&out, (const char *const[]){in_recovery, read_only}, 2);
	message_command_complete(&out, "SELECT 1");
	message_ready(&out, 'I');
	side_say(b, s, &out);
	str_fini(&out);
}

/* Two hosts; a client of a database with this target_session_attrs, and the first server. */
static struct side *begin_with_roles(struct bench *b, const char *attrs, struct side **c)
{
	char settings[100];
	struct side *s;

	snprintf(settings, sizeof(settings), "auth_type=trust\ntarget_session_attrs=%s", attrs);
	bench_init(b, settings);
	b->second = b->at;
	*c = bench_client(b);
	say_startup(b, *c, "ann", "app");
	s = bench_server(b);
	assert_non_null(s);
	return s;
}

static void a_server_of_another_role_is_left_before_the_next_is_tried(void **state)
{
	struct bench b;
	struct side *c, *first, *s;
	size_t len;

	(void)state;
	first = begin_with_roles(&b, "primary", &c);
	say_welcome_as(&b, first, "on", "off");
	assert_non_null(side_last(first, 'X', &len));
	assert_false(first->ended);
	assert_null(bench_server(&b)); /* a permit is one session: not before the first is over */
	assert_int_equal(only_server(&b)->state, SERVER_LOGIN);
	side_close(&b, first);
	s = bench_server(&b);
	assert_non_null(s);
	say_welcome_as(&b, s, "off", "on");
	assert_non_null(side_last(c, 'Z', &len));
	assert_int_equal(only_server(&b)->permit->target[0].role, ROLE_STANDBY);
	assert_int_equal(only_server(&b)->permit->target[1].role, ROLE_READ_ONLY);
	assert_int_equal(only_server(&b)->permit->reached, 1);
	assert_int_equal(b.failure.code, FAILURE_WRONG_ROLE);
	assert_int_equal(b.failure.phase, PHASE_SETTLE);
	assert_string_equal(b.failure.text, "is a standby");
	bench_fini(&b);
}

static void what_an_older_server_is_it_is_asked(void **state)
{
	(void)state;
	for (size_t cut = 0; cut < 150; cut++) {
		struct bench b;
		struct side *c, *s;
		const char *sql;
		size_t len, before;

		s = begin_with_roles(&b, "read-write", &c);
		say_welcome(&b, s);
		assert_null(side_last(c, 'Z', &len)); /* not announced yet */
		sql = side_last(s, 'Q', &len);
		assert_non_null(sql);
		assert_non_null(strstr(sql, "pg_is_in_recovery()"));
		before = c->got.len;
		s->sent = 0;
		s->cut = cut;
		answer_role(&b, s, "f", "off");
		assert_true(c->got.len > before);
		assert_non_null(side_last(c, 'Z', &len));
		assert_null(side_last(c, 'D', &len)); /* that was our question */
		assert_int_equal(only_server(&b)->permit->target[0].role, ROLE_PRIMARY);
		bench_fini(&b);
	}
}

static void nobody_is_asked_where_anything_goes(void **state)
{
	struct bench b;
	struct side *c, *s;
	size_t len;

	(void)state;
	s = begin_with_roles(&b, "any", &c);
	say_welcome(&b, s);
	assert_null(side_last(s, 'Q', &len));
	assert_non_null(side_last(c, 'Z', &len));
	bench_fini(&b);
}

static void an_older_server_is_left_by_what_it_answers(void **state)
{
	static const char *const answers[][3] = {{"standby", "f", "off"},   {"read-only", "f", "off"},
	                                         {"primary", "t", "on"},    {"read-write", "t", "on"},
	                                         {"read-write", "f", "on"}, {"primary", NULL, NULL}};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct bench b;
		struct side *c, *s = begin_with_roles(&b, answers[i][0], &c);
		size_t len;

		say_welcome(&b, s);
		if (answers[i][1] != NULL)
			answer_role(&b, s, answers[i][1], answers[i][2]);
		else
			scene_done(&b, s, "SELECT 0", 'I');
		if (side_last(s, 'X', &len) == NULL)
			fail_msg("%s is fulfilled by %s %s", answers[i][0], answers[i][1], answers[i][2]);
		bench_fini(&b);
	}
}

static void an_error_in_place_of_a_role_is_a_failed_login(void **state)
{
	struct bench b;
	struct side *c, *s = begin_with_roles(&b, "primary", &c);

	(void)state;
	b.second.len = 0;
	say_welcome(&b, s);
	say_error(&b, s, false);
	assert_int_equal(only_server(&b)->login == NULL, false); /* it goes on with the second one */
	s = bench_server(&b);
	assert_non_null(s);
	say_welcome(&b, s);
	side_send(&b, s, "D\0\0\0\6\0\0", 7);
	assert_failure(&b, PHASE_SETTLE, DOMAIN_POOLER, FAILURE_PROTOCOL);
	assert_string_equal(b.failure.text, "DataRow");
	bench_fini(&b);
}

static void the_last_one_will_do_where_a_standby_is_only_preferred(void **state)
{
	struct bench b;
	struct side *c, *first, *s;
	size_t len;

	(void)state;
	first = begin_with_roles(&b, "prefer-standby", &c);
	say_welcome_as(&b, first, "off", "off");
	assert_non_null(side_last(first, 'X', &len));
	side_close(&b, first);
	s = bench_server(&b);
	assert_non_null(s);
	say_welcome_as(&b, s, "off", "off");
	assert_null(side_last(s, 'X', &len));
	assert_non_null(side_last(c, 'Z', &len));
	bench_fini(&b);
}

static void a_primary_that_was_left_is_gone_back_to_when_there_is_no_standby(void **state)
{
	struct bench b;
	struct side *c, *first, *second, *s;
	size_t len;

	(void)state;
	first = begin_with_roles(&b, "prefer-standby", &c);
	say_welcome_as(&b, first, "off", "off");
	side_close(&b, first);
	second = bench_server(&b);
	assert_non_null(second);
	say_error(&b, second, true);
	s = bench_server(&b);
	assert_non_null(s);
	say_welcome_as(&b, s, "off", "off");
	assert_non_null(side_last(c, 'Z', &len));
	assert_int_equal(only_server(&b)->permit->reached, 0);
	bench_fini(&b);
}

/* ---- hostile and broken servers, at every split ---- */

#define OK "R\0\0\0\10\0\0\0\0"
#define KEY "K\0\0\0\14\0\0\0\1abcd"
#define READY "Z\0\0\0\5I"
#define MD5 "R\0\0\0\14\0\0\0\5salt"
#define SASL "R\0\0\0\27\0\0\0\12SCRAM-SHA-256\0\0"
#define BYTES(text) text, sizeof(text) - 1

/* What a server says, closing behind it, and what must become of it. */
struct hostile {
	const char *says;
	size_t len;
	enum failure_phase phase;
	int code;
	const char *text; /* NULL: it depends on how much of it came first */
};

static void run_hostile(const struct hostile *h, size_t cut)
{
	struct bench b;
	struct side *s;

	bench_init(&b, "auth_type=trust");
	b.server_cut = cut;
	say_startup(&b, bench_client(&b), "ann", "app");
	s = bench_server(&b);
	assert_non_null(s);
	side_send(&b, s, h->says, h->len);
	side_close(&b, s);
	if (b.failure.phase != h->phase || b.failure.domain != DOMAIN_POOLER || b.failure.code != h->code ||
	    (h->text != NULL && strcmp(b.failure.text, h->text) != 0))
		fail_msg("phase %d, domain %d, code %d, \"%s\" instead of \"%s\", cut at %zu", (int)b.failure.phase,
		         (int)b.failure.domain, b.failure.code, b.failure.text, h->text == NULL ? "…" : h->text, cut);
	if (h->code != FAILURE_CLOSED) /* which is tried again soon */
		assert_int_equal(b.w->n_servers, 0);
	bench_fini(&b);
}

static void messages_out_of_order_or_malformed_are_named(void **state)
{
	static const struct hostile cases[] = {
	    {BYTES(""), PHASE_STARTUP, FAILURE_CLOSED, ""},
	    {BYTES("R\0\0"), PHASE_STARTUP, FAILURE_CLOSED, ""},
	    {BYTES(OK "Z\0"), PHASE_SETTLE, FAILURE_CLOSED, ""},
	    {BYTES("HTTP/1.1 400 Bad Request\r\n"), PHASE_STARTUP, FAILURE_NOT_POSTGRES, NULL},
	    {BYTES("SSH-2.0-OpenSSH\r\n"), PHASE_STARTUP, FAILURE_NOT_POSTGRES, NULL},
	    {BYTES("ERROR\r\n"), PHASE_STARTUP, FAILURE_NOT_POSTGRES, NULL},
	    {BYTES("NOPE, not here\r\n"), PHASE_STARTUP, FAILURE_NOT_POSTGRES, NULL},
	    {BYTES("R\0\0\0\3"), PHASE_STARTUP, FAILURE_NOT_POSTGRES, NULL},
	    {BYTES("R\377\377\377\377"), PHASE_STARTUP, FAILURE_NOT_POSTGRES, NULL},
	    {BYTES("R\0\0\0\7\0\0\0"), PHASE_AUTH, FAILURE_PROTOCOL, "malformed Authentication message"},
	    {BYTES("R\0\0\0\11\0\0\0\0x"), PHASE_AUTH, FAILURE_PROTOCOL, "malformed AuthenticationOk"},
	    {BYTES("R\0\0\0\13\0\0\0\5abc"), PHASE_AUTH, FAILURE_PROTOCOL, "malformed request for an MD5 password"},
	    {BYTES("R\0\0\0\10\0\0\0\12"), PHASE_AUTH, FAILURE_PROTOCOL, "malformed list of SASL mechanisms"},
	    {BYTES("R\0\0\0\10\0\0\0\143"), PHASE_AUTH, FAILURE_AUTH_METHOD, "number 99"},
	    {BYTES(MD5 MD5), PHASE_AUTH, FAILURE_PROTOCOL, "Authentication message at a wrong time"},
	    {BYTES(SASL OK), PHASE_AUTH, FAILURE_AUTH_SERVER, "AuthenticationOk before the end of SCRAM"},
	    {BYTES(SASL SASL), PHASE_AUTH, FAILURE_PROTOCOL, "Authentication message at a wrong time"},
	    {BYTES(OK OK), PHASE_SETTLE, FAILURE_PROTOCOL, "AuthenticationOk at a wrong time"},
	    {BYTES(OK MD5), PHASE_SETTLE, FAILURE_PROTOCOL, "Authentication message at a wrong time"},
	    {BYTES("S\0\0\0\10a\0b\0"), PHASE_AUTH, FAILURE_PROTOCOL, "ParameterStatus at a wrong time"},
	    {BYTES(KEY), PHASE_AUTH, FAILURE_PROTOCOL, "BackendKeyData at a wrong time"},
	    {BYTES(READY), PHASE_AUTH, FAILURE_PROTOCOL, "ReadyForQuery at a wrong time"},
	    {BYTES(OK "Z\0\0\0\5T"), PHASE_SETTLE, FAILURE_PROTOCOL, "ReadyForQuery"},
	    {BYTES(OK "Z\0\0\0\5?"), PHASE_SETTLE, FAILURE_PROTOCOL, "ReadyForQuery"},
	    {BYTES(OK "Z\0\0\0\4"), PHASE_SETTLE, FAILURE_PROTOCOL, "ReadyForQuery"},
	    {BYTES(OK "S\0\0\0\6ab"), PHASE_SETTLE, FAILURE_PROTOCOL, "ParameterStatus"},
	    {BYTES(OK "S\0\0\0\10\0a\0\0"), PHASE_SETTLE, FAILURE_PROTOCOL, "ParameterStatus"},
	    {BYTES(OK "S\0\0\0\3"), PHASE_SETTLE, FAILURE_PROTOCOL, "ParameterStatus with an impossible length"},
	    {BYTES(OK "S\0\1\0\0"), PHASE_SETTLE, FAILURE_TOO_LARGE, "ParameterStatus"},
	    {BYTES(OK "E????"), PHASE_SETTLE, FAILURE_TOO_LARGE, "ErrorResponse"},
	    {BYTES(OK "K\0\0\0\4"), PHASE_SETTLE, FAILURE_PROTOCOL, "BackendKeyData"},
	    {BYTES(OK "D\0\0\0\6\0\0"), PHASE_SETTLE, FAILURE_PROTOCOL, "DataRow at a wrong time"},
	    {BYTES(OK "\377"), PHASE_SETTLE, FAILURE_PROTOCOL, "message of type 0xff in a login"},
	    {BYTES("v\0\0\0\14\0\4\0\0\0\0\0\0"), PHASE_AUTH, FAILURE_PROTOCOL, "NegotiateProtocolVersion"},
	    {BYTES("v\0\0\0\14\0\3\0\0\377\377\377\377"), PHASE_AUTH, FAILURE_PROTOCOL, "NegotiateProtocolVersion"},
	    {BYTES("v\0\0\0\16\0\3\0\0\0\0\0\1x\0"), PHASE_AUTH, FAILURE_PROTOCOL, "NegotiateProtocolVersion"},
	    {BYTES(OK "v\0\0\0\14\0\3\0\0\0\0\0\0"), PHASE_SETTLE, FAILURE_PROTOCOL, "NegotiateProtocolVersion"},
	    {BYTES("N\0\40\0\0"), PHASE_AUTH, FAILURE_TOO_LARGE, "more than 1 MB in one login"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		run_hostile(&cases[i], NO_CUT);
		for (size_t cut = 1; cut < cases[i].len; cut++)
			run_hostile(&cases[i], cut);
	}
}

/* An ErrorResponse in whatever form, and what is told of it. */
struct wording {
	const char *says;
	size_t len;
	const char *sqlstate, *message; /* NULL: absent */
};

static void check_field(struct bytes got, const char *want, size_t cut)
{
	if (want == NULL ? got.data != NULL : !bytes_are(got, want))
		fail_msg("\"%s\" instead of \"%s\", cut at %zu", got.data == NULL ? "(absent)" : got.data,
		         want == NULL ? "(absent)" : want, cut);
}

static void run_wording(const struct wording *w, size_t cut)
{
	struct bench b;
	struct report report;
	struct side *s;

	bench_init(&b, "auth_type=trust");
	b.server_cut = cut;
	say_startup(&b, bench_client(&b), "ann", "app");
	s = bench_server(&b);
	assert_non_null(s);
	side_send(&b, s, w->says, w->len);
	side_close(&b, s);
	assert_int_equal(b.failure.domain, DOMAIN_SERVER);
	assert_int_equal(b.failure.phase, PHASE_AUTH);
	assert_true(report_parse(&report, b.failure.report, b.failure.report_len));
	check_field(report.sqlstate, w->sqlstate, cut);
	check_field(report.message, w->message, cut);
	bench_fini(&b);
}

static void errors_in_whatever_form_are_told_as_far_as_they_can_be_read(void **state)
{
	static const struct wording cases[] = {
	    {BYTES("E\0\0\0\25SFATAL\0Mso sad\0\0"), NULL, "so sad"},
	    {BYTES("E\0\0\0\23SFATAL\0C57P03\0\0"), "57P03", NULL},
	    {BYTES("E\0\0\0\4"), NULL, NULL},
	    {BYTES("E\0\0\0\5\0"), NULL, NULL},
	    {BYTES("E\0\0\0\25C57P03\0Mno end\0"), "57P03", "no end"}, /* no terminator */
	    {BYTES("E\0\0\0\24C57P03\0Mno end"), "57P03", "no end"},   /* nor NUL */
	    {BYTES("E\0\0\0\17Mbehind\0\0xx"), NULL, "behind"},
	    {BYTES("E\0\0\0\14Ma\1\x1b\377b\0"), NULL, "a\1\x1b\377b"}, /* who shows it makes it printable */
	    {BYTES("E\0\0\1\0C57P03\0Mit ends in the midd"), "57P03", "it ends in the midd"},
	    {BYTES("E\0\0\1\0C57P03\0Mf\303\274r \303"), "57P03", "f\303\274r "}, /* in the middle of a letter */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		run_wording(&cases[i], NO_CUT);
		for (size_t cut = 1; cut < cases[i].len; cut++)
			run_wording(&cases[i], cut);
	}
}

/* As from a postmaster that cannot fork. Read in pieces it is shown as something else, its words being there as well.
 */
static void an_error_of_the_old_protocol_is_told(void **state)
{
	static const struct wording fork = {BYTES("Ecould not fork new process for connection: Out of memory\n\0"),
	                                    NULL, "could not fork new process for connection: Out of memory"};

	(void)state;
	run_wording(&fork, NO_CUT);
}

static void of_an_endless_error_the_front_is_told_at_once(void **state)
{
	static char says[5 + 16384];
	struct bench b;
	struct report report;

	(void)state;
	memset(says, 'x', sizeof(says));
	memcpy(says, "E\0\20\0\0C28000\0M", 13);
	for (int silent = 0; silent <= 1; silent++) {
		struct side *s = begin(&b);

		s->cut = 13;
		side_send(&b, s, says, sizeof(says) - (silent ? 1 : 0));
		if (silent) {
			assert_false(failure_is_set(&b.failure));
			side_send(&b, s, "x", 1);
		}
		assert_failure(&b, PHASE_AUTH, DOMAIN_SERVER, b.failure.code);
		assert_true(b.failure.report_len <= 16384 + REPORT_MEND_BYTES);
		assert_true(report_parse(&report, b.failure.report, b.failure.report_len));
		assert_true(bytes_are(report.sqlstate, "28000"));
		assert_int_equal(report.message.len, 16384 - 8);
		assert_true(s->ended);
		bench_fini(&b);
	}
}

static void flood(struct bench *b, struct side *s, unsigned n, const char *message, size_t len)
{
	struct str out;

	str_init(&out, BENCH_STORY);
	for (unsigned i = 0; i < n; i++)
		str_add(&out, message, len);
	side_say(b, s, &out);
	str_fini(&out);
}

static void too_many_messages_end_the_login(void **state)
{
	static const struct hostile floods[] = {{BYTES("N\0\0\0\11Mhi\0\0"), PHASE_AUTH, 0, NULL},
	                                        {BYTES("S\0\0\0\10a\0b\0"), PHASE_SETTLE, 0, NULL}};
	struct bench b;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		bool settle = floods[i].phase == PHASE_SETTLE;
		struct side *s = begin(&b);

		if (settle)
			side_send(&b, s, BYTES(OK));
		flood(&b, s, settle ? 999 : 1000, floods[i].says, floods[i].len);
		assert_false(failure_is_set(&b.failure));
		flood(&b, s, 1, floods[i].says, floods[i].len);
		assert_failure(&b, floods[i].phase, DOMAIN_POOLER, FAILURE_TOO_LARGE);
		assert_string_equal(b.failure.text, "more than 1000 messages in one login");
		bench_fini(&b);
	}
}

static void too_many_parameters_end_the_login(void **state)
{
	static char value[20000];
	struct bench b;
	struct str out;

	(void)state;
	str_init(&out, BENCH_STORY);
	memset(value, 'x', sizeof(value) - 1);
	for (int i = 0; i < 3; i++) {
		struct side *s = begin(&b);

		message_auth_ok(&out);
		for (int n = 0; n < (i == 0 ? 65 : i == 1 ? 1 : 4); n++) {
			char name[40];

			snprintf(name, sizeof(name), "%s", "server_version");
			if (i < 2)
				snprintf(name, sizeof(name), "name_%d", n);
			message_parameter_status(&out, name, i == 0 ? "" : value);
		}
		side_say(&b, s, &out);
		assert_failure(&b, PHASE_SETTLE, DOMAIN_POOLER, FAILURE_TOO_LARGE);
		assert_string_equal(b.failure.text, "ParameterStatus: too many parameters, or too long ones");
		bench_fini(&b);
	}
	str_fini(&out);
}

/* Odd but allowed: a long notice, the key twice, and what may come at any time between the login and the session. */
static void odd_logins_succeed_at_every_split(void **state)
{
	static const char odd[] = "v\0\0\0\14\0\3\0\2\0\0\0\0"
	                          "N\0\0\0\11Mhi\0\0" OK KEY "K\0\0\0\14\0\0\0\2efgh" READY "N\0\0\0\11Mhi\0\0"
	                          "S\0\0\0\14DateS\0x\0";
	static char notice[100005] = "N\0\1\206\244M";

	(void)state;
	for (size_t cut = 0; cut < sizeof(odd) - 1; cut++) {
		struct bench b;
		struct side *c, *s;
		size_t len;

		bench_init(&b, "auth_type=trust");
		b.server_cut = cut == 0 ? NO_CUT : sizeof(notice) + cut;
		c = bench_client(&b);
		say_startup(&b, c, "ann", "app");
		s = bench_server(&b);
		assert_non_null(s);
		side_send(&b, s, notice, sizeof(notice));
		side_send(&b, s, BYTES(odd));
		assert_non_null(side_last(c, 'Z', &len));
		assert_int_equal(only_server(&b)->place.state, PLACE_IDLE);
		assert_int_equal(only_server(&b)->pid, 2);
		assert_string_equal(params_value(only_server(&b)->params, "dates"), "x");
		bench_fini(&b);
	}
}

static void last_words_right_behind_the_login_are_told(void **state)
{
	static const char says[] = OK READY "E\0\0\0\23SFATAL\0C57P01\0\0";
	struct report report;

	(void)state;
	for (size_t cut = 1; cut < sizeof(says) - 1; cut++) {
		struct bench b;
		struct side *s;

		if (cut == sizeof(OK READY) - 1)
			continue; /* it is logged in, and the words are those of an idle server */
		bench_init(&b, "auth_type=trust");
		b.server_cut = cut;
		say_startup(&b, bench_client(&b), "ann", "app");
		s = bench_server(&b);
		side_send(&b, s, BYTES(says));
		assert_failure(&b, PHASE_SETTLE, DOMAIN_SERVER, b.failure.code);
		assert_true(report_parse(&report, b.failure.report, b.failure.report_len));
		assert_true(bytes_are(report.sqlstate, "57P01"));
		bench_fini(&b);
	}
}

/* It asked for a password, refused us, and was gone before we could answer. */
static void words_behind_a_question_that_cannot_be_answered_are_heard(void **state)
{
	static const char says[] = MD5 "E\0\0\0\23SFATAL\0C57P01\0\0";
	struct report report;
	struct bench b;
	struct side *s = begin(&b);

	(void)state;
	assert_int_equal(pair_send(s->fd, BYTES(says)), sizeof(says) - 1);
	side_close(&b, s);
	assert_failure(&b, PHASE_AUTH, DOMAIN_SERVER, b.failure.code);
	assert_true(report_parse(&report, b.failure.report, b.failure.report_len));
	assert_true(bytes_are(report.sqlstate, "57P01"));
	bench_fini(&b);
}

/* A key is no use at another server, and what one has said is not counted against the other. */
static void nothing_of_a_failed_target_stays_for_the_next(void **state)
{
	struct bench b;
	struct side *c, *s;
	size_t len;

	(void)state;
	bench_init(&b, "auth_type=trust");
	b.second = b.at;
	c = bench_client(&b);
	say_startup(&b, c, "ann", "app");
	s = bench_server(&b);
	flood(&b, s, 900, BYTES("N\0\0\0\11Mhi\0\0"));
	side_send(&b, s, BYTES(OK KEY));
	side_close(&b, s);
	s = bench_server(&b);
	assert_non_null(s);
	flood(&b, s, 900, BYTES("N\0\0\0\11Mhi\0\0"));
	side_send(&b, s, BYTES(OK READY));
	assert_non_null(side_last(c, 'Z', &len));
	assert_int_equal(only_server(&b)->key_len, 0);
	assert_int_equal(only_server(&b)->pid, 0);
	bench_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_server_that_closes_at_once_is_told_from_others),
	    cmocka_unit_test(what_is_not_postgresql_is_quoted),
	    cmocka_unit_test(the_servers_own_words_are_kept_whole),
	    cmocka_unit_test(ready_without_a_proof_is_no_login),
	    cmocka_unit_test(a_refused_connection_has_the_systems_reason),
	    cmocka_unit_test(the_second_target_is_tried_when_the_first_fails),
	    cmocka_unit_test(a_target_that_fails_in_its_login_gives_way_to_the_next),
	    cmocka_unit_test(a_server_of_another_role_is_left_before_the_next_is_tried),
	    cmocka_unit_test(what_an_older_server_is_it_is_asked),
	    cmocka_unit_test(nobody_is_asked_where_anything_goes),
	    cmocka_unit_test(an_older_server_is_left_by_what_it_answers),
	    cmocka_unit_test(an_error_in_place_of_a_role_is_a_failed_login),
	    cmocka_unit_test(the_last_one_will_do_where_a_standby_is_only_preferred),
	    cmocka_unit_test(a_primary_that_was_left_is_gone_back_to_when_there_is_no_standby),
	    cmocka_unit_test(messages_out_of_order_or_malformed_are_named),
	    cmocka_unit_test(errors_in_whatever_form_are_told_as_far_as_they_can_be_read),
	    cmocka_unit_test(an_error_of_the_old_protocol_is_told),
	    cmocka_unit_test(of_an_endless_error_the_front_is_told_at_once),
	    cmocka_unit_test(too_many_messages_end_the_login),
	    cmocka_unit_test(too_many_parameters_end_the_login),
	    cmocka_unit_test(odd_logins_succeed_at_every_split),
	    cmocka_unit_test(last_words_right_behind_the_login_are_told),
	    cmocka_unit_test(words_behind_a_question_that_cannot_be_answered_are_heard),
	    cmocka_unit_test(nothing_of_a_failed_target_stays_for_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
