/* Logins and the data path, with what either side sends cut in two at every byte: the story is always the same. */
#include "../worker_bench.h"

typedef void script(struct bench *b);

static void run_script(const char *globals, script *play, size_t client_cut, size_t server_cut, struct str *story,
                       size_t *client_bytes, size_t *server_bytes)
{
	struct bench b;

	bench_init(&b, globals);
	b.client_cut = client_cut;
	b.server_cut = server_cut;
	play(&b);
	bench_settle(&b);
	bench_story(&b, story);
	*client_bytes = *server_bytes = 0;
	for (int i = 0; i < BENCH_SIDES; i++) {
		size_t *most = b.side[i].is_server ? server_bytes : client_bytes;

		*most = b.side[i].sent > *most ? b.side[i].sent : *most;
	}
	bench_fini(&b);
}

static void check_cut(const char *globals, script *play, size_t client_cut, size_t server_cut, const struct str *whole)
{
	struct str story;
	size_t client_bytes, server_bytes;

	str_init(&story, BENCH_STORY);
	run_script(globals, play, client_cut, server_cut, &story, &client_bytes, &server_bytes);
	if (strcmp(str_text(&story), str_text(whole)) != 0) {
		print_message("cut at %zu of the client's, %zu of the server's bytes:\n%s\nuncut:\n%s", client_cut,
		              server_cut, str_text(&story), str_text(whole));
		fail();
	}
	str_fini(&story);
}

/* `must` are parts of the story, one per line. */
static void at_every_split(const char *globals, script *play, const char *must)
{
	struct str whole;
	size_t client_bytes, server_bytes;

	str_init(&whole, BENCH_STORY);
	run_script(globals, play, NO_CUT, NO_CUT, &whole, &client_bytes, &server_bytes);
	while (*must != '\0') {
		char part[200];
		size_t len = strcspn(must, "\n");

		snprintf(part, sizeof(part), "%.*s", (int)len, must);
		if (strstr(str_text(&whole), part) == NULL)
			fail_msg("\"%s\" is not in this story:\n%s", part, str_text(&whole));
		must += len + (must[len] == '\n');
	}
	for (size_t cut = 1; cut < client_bytes; cut++)
		check_cut(globals, play, cut, NO_CUT, &whole);
	for (size_t cut = 1; cut < server_bytes; cut++)
		check_cut(globals, play, NO_CUT, cut, &whole);
	str_fini(&whole);
}

/* ---- logins ---- */

static void terminate(struct bench *b, struct side *c)
{
	side_send(b, c, "X\0\0\0\4", 5);
}

static void log_in_by_trust(struct bench *b)
{
	struct side *c = bench_client(b), *s;

	say_startup(b, c, "ann", "app");
	s = bench_server(b);
	assert_non_null(s);
	say_welcome(b, s);
	terminate(b, c);
}

static void clients_and_servers_log_in_by_trust(void **state)
{
	(void)state;
	at_every_split(
	    "auth_type=trust", log_in_by_trust,
	    "S application_name\\00test\\00\nS server_version\\0015.5\\00\nK \nZ I\nend\nuser\\00ann\\00\nopen");
}

static void log_in_by_md5(struct bench *b)
{
	struct side *c = bench_client(b), *s;
	struct str out;

	str_init(&out, 4096);
	say_startup(b, c, "ann", "app");
	prove_md5(b, c, "ann", "pencil");
	s = bench_server(b);
	assert_non_null(s);
	message_auth_md5(&out, (const uint8_t *)"salt");
	side_say(b, s, &out);
	say_welcome(b, s);
	terminate(b, c);
	str_fini(&out);
}

static void clients_and_servers_log_in_by_md5(void **state)
{
	(void)state;
	at_every_split("auth_type=md5", log_in_by_md5, "R \\00\\00\\00\\05\nR \\00\\00\\00\\00\nZ I\np ");
}

static void log_in_by_scram(struct bench *b)
{
	struct side *c = bench_client(b), *s;

	say_startup(b, c, "ann", "app");
	prove_scram(b, c, "pencil");
	s = bench_server(b);
	assert_non_null(s);
	assert_true(ask_scram(b, s, "pencil"));
	say_welcome(b, s);
	terminate(b, c);
}

static void clients_and_servers_log_in_by_scram(void **state)
{
	(void)state;
	at_every_split(
	    "auth_type=scram-sha-256", log_in_by_scram,
	    "R \\00\\00\\00\\0aSCRAM-SHA-256\\00\nR \\00\\00\\00\\0b\nR \\00\\00\\00\\0c\nR \\00\\00\\00\\00\nZ I");
}

static void log_in_with_a_wrong_password(struct bench *b)
{
	struct side *c = bench_client(b);

	say_startup(b, c, "ann", "app");
	prove_scram(b, c, "crayon");
	assert_null(bench_server(b));
}

static void wrong_passwords_are_refused(void **state)
{
	(void)state;
	at_every_split("auth_type=scram-sha-256", log_in_with_a_wrong_password, "SASL authentication failed\nend");
}

static void ask_for_encryption(struct bench *b)
{
	static const char ssl[] = {0, 0, 0, 8, 4, (char)0xd2, 22, 47}, gss[] = {0, 0, 0, 8, 4, (char)0xd2, 22, 48};
	struct side *c = bench_client(b), *s;

	side_send(b, c, ssl, sizeof(ssl));
	assert_int_equal(c->got.len > 0 ? c->got.data[0] : 0, 'N');
	str_clear(&c->got);
	side_send(b, c, gss, sizeof(gss));
	assert_int_equal(c->got.len > 0 ? c->got.data[0] : 0, 'N');
	str_clear(&c->got);
	say_startup(b, c, "ann", "app");
	s = bench_server(b);
	assert_non_null(s);
	say_welcome(b, s);
}

static void encryption_is_declined_and_the_login_goes_on(void **state)
{
	(void)state;
	at_every_split("auth_type=trust", ask_for_encryption, "Z I");
}

static void server_refuses(struct bench *b)
{
	struct words words = {"FATAL", "28000", "no pg_hba.conf entry for host", NULL, NULL};
	struct side *c = bench_client(b), *s;
	struct str out;

	str_init(&out, 4096);
	say_startup(b, c, "ann", "app");
	s = bench_server(b);
	assert_non_null(s);
	message_error(&out, &words);
	side_say(b, s, &out);
	side_close(b, s);
	bench_settle(b);
	str_fini(&out);
}

static void what_a_server_says_at_login_reaches_the_client(void **state)
{
	(void)state;
	at_every_split("auth_type=trust", server_refuses, "no pg_hba.conf entry for host\nend");
}

static void log_in_to_the_console(struct bench *b)
{
	struct side *c = bench_client(b);

	say_startup(b, c, "ann", "pgbouncer");
	prove_scram(b, c, "pencil");
	assert_non_null(b->guest);
	assert_string_equal(b->guest->user, "ann");
	assert_string_equal(b->guest->database, "pgbouncer");
	assert_string_equal(b->guest->application_name, "test");
	assert_int_equal(b->guest->rights, CONSOLE_ADMIN);
}

static void console_clients_go_to_main(void **state)
{
	(void)state;
	at_every_split("auth_type=scram-sha-256", log_in_to_the_console, "R \\00\\00\\00\\0c\nopen");
}

/* ---- sessions ---- */

static struct side *client_in(struct bench *b, struct side **s)
{
	struct side *c = bench_client(b);
	size_t client_cut = c->cut;

	/* logins have their own tests */
	c->cut = NO_CUT;
	say_startup(b, c, "ann", "app");
	*s = bench_server(b);
	assert_non_null(*s);
	(*s)->cut = NO_CUT;
	say_welcome(b, *s);
	assert_false(c->ended);
	c->cut = client_cut;
	(*s)->cut = b->server_cut;
	c->sent = (*s)->sent = 0;
	return c;
}

static void say_rows(struct str *out, char status)
{
	static const struct message_column column = {"n", TYPE_OID_INT4, 4};
	static const char *const one[] = {"1"};

	message_row_description(out, &column, 1);
	message_data_row(out, one, 1);
	message_command_complete(out, "SELECT 1");
	message_ready(out, status);
}

static void query_simply(struct bench *b)
{
	struct side *s, *c = client_in(b, &s);
	struct str out;

	str_init(&out, 65536);
	message_query(&out, "set application_name to test");
	side_say(b, c, &out);
	/* ours comes first: the client's application_name */
	message_command_complete(&out, "SET");
	message_parameter_status(&out, "application_name", "test");
	message_ready(&out, 'I');
	side_say(b, s, &out);
	message_command_complete(&out, "SET");
	message_ready(&out, 'I');
	side_say(b, s, &out);
	message_query(&out, "begin; select 1");
	side_say(b, c, &out);
	message_command_complete(&out, "BEGIN");
	say_rows(&out, 'T');
	side_say(b, s, &out);
	assert_int_equal(list_is_empty(&b->w->clients), 0);
	message_query(&out, "commit");
	side_say(b, c, &out);
	message_command_complete(&out, "COMMIT");
	message_ready(&out, 'I');
	side_say(b, s, &out);
	terminate(b, c);
	str_fini(&out);
}

static void simple_queries_pass(void **state)
{
	(void)state;
	at_every_split("auth_type=trust\npool_mode=transaction", query_simply,
	               "Q SET application_name='test';\\00\nQ begin; select 1\\00\nD \\00\\01\\00\\00\\00\\011\nZ T");
}

/* The client's application name is the server's: no errand comes first. */
static void fit(struct bench *b, struct side *c, struct side *s)
{
	struct str out;
	size_t client_cut = c->cut, server_cut = s->cut;

	str_init(&out, 4096);
	c->cut = s->cut = NO_CUT;
	message_query(&out, "");
	side_say(b, c, &out);
	message_command_complete(&out, "SET");
	message_parameter_status(&out, "application_name", "test");
	message_ready(&out, 'I');
	side_say(b, s, &out);
	message_bare(&out, 'I');
	message_ready(&out, 'I');
	side_say(b, s, &out);
	c->cut = client_cut;
	s->cut = server_cut;
	c->sent = s->sent = 0;
	str_fini(&out);
}

/* A client that has asked its server for something. */
static struct side *client_asking(struct bench *b, struct side **s)
{
	struct side *c = client_in(b, s);
	struct str out;

	fit(b, c, *s);
	str_init(&out, 4096);
	message_query(&out, "select 1");
	side_say(b, c, &out);
	str_fini(&out);
	return c;
}

static void bare(struct str *out, char type, const char *body, size_t len)
{
	size_t at = message_begin(out, type);

	message_bytes(out, body, len);
	message_end(out, at);
}

static void say_parse_bind_execute(struct str *out)
{
	bare(out, 'P', "\0select 1\0\0\0", 12);
	bare(out, 'B', "\0\0\0\0\0\0\0\0", 8);
	bare(out, 'E', "\0\0\0\0\0", 5);
}

static void query_in_a_pipeline(struct bench *b)
{
	struct words words = {"ERROR", "22012", "division by zero", NULL, NULL};
	struct side *s, *c = client_in(b, &s);
	struct str out;

	fit(b, c, s);
	str_init(&out, 65536);
	say_parse_bind_execute(&out);
	message_sync(&out);
	say_parse_bind_execute(&out);
	say_parse_bind_execute(&out);
	message_sync(&out);
	say_parse_bind_execute(&out);
	bare(&out, 'H', "", 0);
	side_say(b, c, &out);
	message_bare(&out, '1');
	message_bare(&out, '2');
	message_command_complete(&out, "SELECT 0");
	message_ready(&out, 'I');
	message_bare(&out, '1');
	message_bare(&out, '2');
	message_error(&out, &words);
	message_ready(&out, 'I');
	message_bare(&out, '1');
	message_bare(&out, '2');
	message_command_complete(&out, "SELECT 0");
	side_say(b, s, &out);
	message_sync(&out);
	side_say(b, c, &out);
	message_ready(&out, 'I');
	side_say(b, s, &out);
	terminate(b, c);
	str_fini(&out);
}

static void pipelines_with_errors_pass(void **state)
{
	(void)state;
	at_every_split("auth_type=trust\npool_mode=transaction", query_in_a_pipeline, "division by zero\nZ I\nH ");
}

static void copy_in_and_out(struct bench *b)
{
	struct side *s, *c = client_in(b, &s);
	struct str out;

	fit(b, c, s);
	str_init(&out, 65536);
	message_query(&out, "copy t from stdin");
	side_say(b, c, &out);
	bare(&out, 'G', "\0\0\0", 3);
	side_say(b, s, &out);
	bare(&out, 'd', "1\t2\n", 4);
	bare(&out, 'd', "3\t4\n", 4);
	bare(&out, 'c', "", 0);
	side_say(b, c, &out);
	message_command_complete(&out, "COPY 2");
	message_ready(&out, 'I');
	side_say(b, s, &out);
	message_query(&out, "copy t to stdout");
	side_say(b, c, &out);
	bare(&out, 'H', "\0\0\0", 3);
	bare(&out, 'd', "1\t2\n", 4);
	bare(&out, 'c', "", 0);
	message_command_complete(&out, "COPY 1");
	message_ready(&out, 'I');
	side_say(b, s, &out);
	terminate(b, c);
	str_fini(&out);
}

static void copy_passes_both_ways(void **state)
{
	(void)state;
	at_every_split("auth_type=trust\npool_mode=transaction", copy_in_and_out,
	               "d 1\\092\\0a\nc \nC COPY 2\\00\nC COPY 1\\00");
}

static void fail_a_copy(struct bench *b)
{
	struct words words = {"ERROR", "22P02", "invalid input syntax", NULL, NULL};
	struct side *s, *c = client_in(b, &s);
	struct str out;

	fit(b, c, s);
	str_init(&out, 65536);
	say_parse_bind_execute(&out);
	message_sync(&out);
	side_say(b, c, &out);
	message_bare(&out, '1');
	message_bare(&out, '2');
	bare(&out, 'G', "\0\0\0", 3);
	side_say(b, s, &out);
	bare(&out, 'd', "x\n", 2);
	side_say(b, c, &out);
	message_error(&out, &words);
	side_say(b, s, &out);
	/* the fence: our Sync and an empty query */
	message_ready(&out, 'I');
	message_bare(&out, 'I');
	message_ready(&out, 'I');
	side_say(b, s, &out);
	/* without the fence the server would skip this, up to the client's Sync */
	bare(&out, 'd', "y\n", 2);
	bare(&out, 'c', "", 0);
	say_parse_bind_execute(&out);
	message_sync(&out);
	message_query(&out, "select 1");
	side_say(b, c, &out);
	message_ready(&out, 'I');
	say_rows(&out, 'I');
	side_say(b, s, &out);
	terminate(b, c);
	str_fini(&out);
}

static void a_failed_copy_is_fenced(void **state)
{
	(void)state;
	at_every_split("auth_type=trust\npool_mode=transaction", fail_a_copy,
	               "invalid input syntax\nd x\\0a\nS \nQ \\00\nS \nQ select 1\\00\nC SELECT 1");
}

static void say_in_mid_stream(struct bench *b)
{
	struct words words = {"NOTICE", "00000", "hello", NULL, NULL};
	static const struct message_column column = {"n", TYPE_OID_INT4, 4};
	struct side *s, *c = client_in(b, &s);
	struct str out;

	fit(b, c, s);
	str_init(&out, 65536);
	message_query(&out, "select set_config('TimeZone','CET',false)");
	side_say(b, c, &out);
	message_row_description(&out, &column, 1);
	message_notice(&out, &words);
	message_parameter_status(&out, "TimeZone", "CET");
	message_command_complete(&out, "SELECT 1");
	message_ready(&out, 'I');
	side_say(b, s, &out);
	/* now for an idle server, to nobody */
	message_notice(&out, &words);
	message_parameter_status(&out, "TimeZone", "UTC");
	side_say(b, s, &out);
	message_query(&out, "select 2");
	side_say(b, c, &out);
	message_command_complete(&out, "SET");
	message_parameter_status(&out, "TimeZone", "CET");
	message_ready(&out, 'I');
	side_say(b, s, &out);
	say_rows(&out, 'I');
	side_say(b, s, &out);
	str_fini(&out);
}

static void parameters_follow_their_client(void **state)
{
	(void)state;
	at_every_split("auth_type=trust\npool_mode=transaction", say_in_mid_stream,
	               "S TimeZone\\00CET\\00\nQ SET TimeZone='CET';\\00\nQ select 2\\00\nC SELECT 1");
}

static void server_dies(struct bench *b)
{
	struct words words = {"FATAL", "57P01", "terminating connection due to administrator command", NULL, NULL};
	struct side *s;
	struct str out;

	(void)client_asking(b, &s);
	str_init(&out, 65536);
	message_error(&out, &words);
	side_say(b, s, &out);
	side_close(b, s);
	str_fini(&out);
}

static void a_servers_last_words_are_the_clients(void **state)
{
	(void)state;
	at_every_split("auth_type=trust", server_dies, "terminating connection due to administrator command\nend");
}

/* In the words of its language: what it is stands in the second field. */
static void server_dies_in_translation(struct bench *b)
{
	static const char says[] = "SSCHWERWIEGEND: so geht es nicht weiter\0VFATAL\0C57P01\0Mund aus\0";
	struct side *s, *c = client_asking(b, &s);
	struct str out;

	str_init(&out, 4096);
	bare(&out, 'E', says, sizeof(says));
	side_say(b, s, &out);
	side_close(b, s);
	assert_true(c->ended);
	str_fini(&out);
}

static void last_words_in_any_language_are_the_only_ones(void **state)
{
	(void)state;
	at_every_split("auth_type=trust", server_dies_in_translation, "und aus\\00\\00\nend");
}

static void send_nonsense(struct bench *b)
{
	struct side *s;
	struct str out;

	(void)client_asking(b, &s);
	str_init(&out, 65536);
	bare(&out, '2', "", 0);
	side_say(b, s, &out);
	str_fini(&out);
}

static void nonsense_from_a_server_ends_both(void **state)
{
	(void)state;
	at_every_split("auth_type=trust", send_nonsense, "unknown pkt\nend");
}

static void send_nonsense_behind_the_answer(struct bench *b)
{
	struct side *s;
	struct str out;

	(void)client_asking(b, &s);
	str_init(&out, 65536);
	say_rows(&out, 'I');
	bare(&out, '2', "", 0);
	side_say(b, s, &out);
	assert_int_equal(b->w->n_servers, 0);
	str_fini(&out);
}

static void nonsense_behind_the_answer_is_not_the_clients_business(void **state)
{
	(void)state;
	at_every_split("auth_type=trust\npool_mode=transaction", send_nonsense_behind_the_answer, "Z I\nopen\nX ");
}

static void send_an_endless_message(struct bench *b)
{
	struct side *s;

	(void)client_asking(b, &s);
	side_send(b, s, "HTTP/1.1 400 Bad Request\r\n", 26);
}

static void a_message_too_long_for_its_type_ends_both(void **state)
{
	(void)state;
	at_every_split("auth_type=trust", send_an_endless_message, "bad pkt header\nend");
}

static void reset_a_session(struct bench *b)
{
	struct side *s, *c = client_asking(b, &s);
	struct str out;

	str_init(&out, 65536);
	say_rows(&out, 'I');
	side_say(b, s, &out);
	terminate(b, c);
	message_command_complete(&out, "DISCARD ALL");
	message_ready(&out, 'I');
	side_say(b, s, &out);
	str_fini(&out);
	assert_int_equal(b->w->n_servers, 1);
}

static void sessions_are_reset_when_their_client_leaves(void **state)
{
	(void)state;
	at_every_split("auth_type=trust\npool_mode=session", reset_a_session, "Q DISCARD ALL\\00\nopen");
}

/* ---- more than bytes ---- */

static void a_client_with_more_requests_than_fit_is_not_forgotten(void **state)
{
	struct bench b;
	struct side *s, *c;
	struct str out;
	unsigned n = ANSWERS_MAX + 100;

	(void)state;
	bench_init(&b, "auth_type=trust\npool_mode=transaction");
	c = client_in(&b, &s);
	fit(&b, c, s);
	str_init(&out, 1u << 20);
	for (unsigned i = 0; i < n; i++)
		bare(&out, 'P', "\0a\0\0\0", 5);
	message_sync(&out);
	side_say(&b, c, &out);
	str_clear(&s->got);
	for (unsigned i = 0; i < ANSWERS_MAX; i++)
		message_bare(&out, '1');
	side_say(&b, s, &out);
	/* the rest has come */
	assert_int_equal(s->got.len, 100 * 10 + 5);
	for (unsigned i = ANSWERS_MAX; i < n; i++)
		message_bare(&out, '1');
	message_ready(&out, 'I');
	side_say(&b, s, &out);
	assert_true(c->got.len > n * 5);
	assert_int_equal(c->got.data[c->got.len - 1], 'I');
	str_fini(&out);
	bench_fini(&b);
}

static struct client *only_client(struct bench *b)
{
	assert_int_equal(b->w->n_clients, 1);
	return container_of(list_first(&b->w->clients), struct client, on_worker);
}

static struct server *only_server(struct bench *b)
{
	assert_int_equal(b->w->n_servers, 1);
	return container_of(list_first(&b->w->servers), struct server, on_worker);
}

static void a_server_that_waited_for_a_client_is_read_again(void **state)
{
	static char row[50000];
	struct words words = {"NOTICE", "00000", "hello", NULL, NULL};
	struct bench b;
	struct side *s, *c;
	struct str out;

	(void)state;
	bench_init(&b, "auth_type=trust\npool_mode=session");
	str_init(&out, 1u << 20);
	c = client_in(&b, &s);
	fit(&b, c, s);
	c->deaf = true;
	for (int i = 0; i < 40 && stream_pending_bytes(only_client(&b)->stream) == 0; i++) {
		message_query(&out, "select large");
		side_say(&b, c, &out);
		bare(&out, 'D', row, sizeof(row));
		message_ready(&out, 'I');
		side_say(&b, s, &out);
	}
	assert_true(stream_pending_bytes(only_client(&b)->stream) > 0);
	/* the client does not take more, so this is not read now */
	message_notice(&out, &words);
	side_say(&b, s, &out);
	assert_true(stream_is_paused(only_server(&b)->stream));
	side_close(&b, c);
	assert_int_equal(only_server(&b)->errand, ERRAND_RESET);
	message_ready(&out, 'I');
	side_say(&b, s, &out);
	assert_int_equal(only_server(&b)->errand, ERRAND_NONE);
	assert_int_equal(only_server(&b)->place.state, PLACE_IDLE);
	str_fini(&out);
	bench_fini(&b);
}

static void a_failed_check_sends_the_client_back_to_the_queue(void **state)
{
	struct words words = {"ERROR", "XX000", "no", NULL, NULL};
	struct bench b;
	struct side *s, *c;
	struct str out;
	size_t len;

	(void)state;
	bench_init(&b, "auth_type=trust\npool_mode=transaction\nserver_check_query=select 42\nserver_check_delay=0");
	str_init(&out, 65536);
	c = client_in(&b, &s);
	message_query(&out, "select 1");
	side_say(&b, c, &out);
	assert_string_equal(side_last(s, 'Q', &len), "select 42");
	message_error(&out, &words);
	message_ready(&out, 'I');
	side_say(&b, s, &out);
	assert_non_null(side_last(s, 'X', &len));
	side_close(&b, s);
	assert_false(c->ended);
	assert_true(only_client(&b)->waiter.since_us > 0); /* it has not begun to wait at the beginning of time */
	/* a new server, and the query is still there */
	s = bench_server(&b);
	assert_non_null(s);
	say_welcome(&b, s);
	message_command_complete(&out, "SET");
	message_ready(&out, 'I');
	side_say(&b, s, &out);
	assert_string_equal(side_last(s, 'Q', &len), "select 1");
	str_fini(&out);
	bench_fini(&b);
}

static void cancel_requests_reach_the_right_server(void **state)
{
	struct bench b;
	struct side *s, *c, *asks, *request;
	struct str out;
	const char *key;
	char mine[8];
	size_t len;

	(void)state;
	bench_init(&b, "auth_type=trust\npool_mode=transaction");
	str_init(&out, 65536);
	c = client_in(&b, &s);
	fit(&b, c, s);
	key = side_last(c, 'K', &len);
	assert_int_equal(len, 8);
	memcpy(mine, key, 8);
	message_query(&out, "select pg_sleep(60)");
	side_say(&b, c, &out);
	asks = bench_client(&b);
	message_cancel_request(&out, 0, "????", 4);
	memcpy(out.data + 8, mine, 8);
	side_say(&b, asks, &out);
	request = bench_server(&b);
	assert_non_null(request);
	message_cancel_request(&out, 77, "\1\2\3\4", 4);
	assert_int_equal(request->got.len, out.len);
	assert_memory_equal(request->got.data, out.data, out.len);
	str_clear(&out);
	/* the query is over, but the server may still be hit: it is nobody's until the request is closed */
	say_rows(&out, 'I');
	side_say(&b, s, &out);
	message_query(&out, "select 2");
	str_clear(&s->got);
	side_say(&b, c, &out);
	assert_int_equal(s->got.len, 0);
	assert_false(asks->ended);
	side_close(&b, request);
	assert_true(s->got.len > 0);
	assert_true(asks->ended);
	str_fini(&out);
	bench_fini(&b);
}

static void a_cancel_request_with_a_key_of_nobody_does_nothing(void **state)
{
	struct bench b;
	struct side *asks;
	struct str out;

	(void)state;
	bench_init(&b, "auth_type=trust");
	str_init(&out, 65536);
	asks = bench_client(&b);
	message_cancel_request(&out, 5, "abcd", 4);
	side_say(&b, asks, &out);
	assert_true(asks->ended);
	assert_int_equal(b.n_cancels_lost, 1);
	assert_null(bench_server(&b));
	str_fini(&out);
	bench_fini(&b);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(clients_and_servers_log_in_by_trust),
	    TEST(clients_and_servers_log_in_by_md5),
	    TEST(clients_and_servers_log_in_by_scram),
	    TEST(wrong_passwords_are_refused),
	    TEST(encryption_is_declined_and_the_login_goes_on),
	    TEST(what_a_server_says_at_login_reaches_the_client),
	    TEST(console_clients_go_to_main),
	    TEST(simple_queries_pass),
	    TEST(pipelines_with_errors_pass),
	    TEST(copy_passes_both_ways),
	    TEST(a_failed_copy_is_fenced),
	    TEST(parameters_follow_their_client),
	    TEST(a_servers_last_words_are_the_clients),
	    TEST(last_words_in_any_language_are_the_only_ones),
	    TEST(nonsense_from_a_server_ends_both),
	    TEST(nonsense_behind_the_answer_is_not_the_clients_business),
	    TEST(a_message_too_long_for_its_type_ends_both),
	    TEST(sessions_are_reset_when_their_client_leaves),
	    TEST(a_client_with_more_requests_than_fit_is_not_forgotten),
	    TEST(a_server_that_waited_for_a_client_is_read_again),
	    TEST(a_failed_check_sends_the_client_back_to_the_queue),
	    TEST(cancel_requests_reach_the_right_server),
	    TEST(a_cancel_request_with_a_key_of_nobody_does_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
