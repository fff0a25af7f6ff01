/* Looking up a client's secret: who waits for what, and whoever leaves, dies or lies in between. */
#include "diag/error_ring.h"
#include "find.h"
#include "lookup_scene.h"
#include "worker_scene.h"

static struct side *begin(struct bench *b, const char *user)
{
	struct side *c = bench_client(b);

	say_startup(b, c, user, "app");
	return c;
}

/* The first client of all, and the server that is asked for it. */
static struct side *begin_first(struct bench *b, const char *user, struct side **s)
{
	struct side *c = begin(b, user);

	assert_int_equal(only_client(b)->state, CLIENT_LOOKUP);
	assert_int_equal(c->got.len, 0);
	*s = bench_server(b);
	assert_non_null(*s);
	say_welcome(b, *s);
	assert_string_equal(asked_for(*s), user);
	return c;
}

static bool is_asked_for_its_password(const struct side *c)
{
	size_t len;
	const char *body = side_last(c, 'R', &len);

	return body != NULL && len == 4 && body[3] == AUTH_CLEARTEXT;
}

static struct seat *seat_of_lookups(struct bench *b)
{
	struct database *d = registry_find_database(b->office->registry, "app");
	struct list *node;

	list_each (node, &d->pools) {
		struct pool *p = container_of(node, struct pool, on_database);

		if (p->lookups)
			return &p->seat[0];
	}
	fail_msg("there is no pool for lookups");
	return NULL;
}

static void assert_nobody_waits(struct bench *b)
{
	struct seat *s = seat_of_lookups(b);

	assert_int_equal(s->n_clients, 0);
	assert_int_equal(s->n_waiting, 0);
	assert_int_equal(s->n_lent, 0);
}

static void log_in(struct bench *b, struct side *c, const char *password)
{
	assert_true(is_asked_for_its_password(c));
	say_password(b, c, password, strlen(password));
}

static void whoever_is_not_listed_is_looked_up_and_logs_in_with_what_was_found(void **state)
{
	size_t most = 1;

	(void)state;
	for (size_t cut = 0; cut < most; cut++) {
		struct side *c, *s, *own;
		struct bench b;
		struct str out;
		size_t len;

		bench_init(&b, ASKING);
		c = begin_first(&b, "zoe", &s);
		str_init(&out, 65536);
		put_answer(&out, "zoe", "secret");
		most = out.len;
		str_fini(&out);
		s->sent = 0;
		s->cut = cut;
		say_found(&b, s, "zoe", "secret");
		assert_nobody_waits(&b);
		assert_int_equal(only_server(&b)->place.state, PLACE_IDLE);
		log_in(&b, c, "secret");
		assert_int_equal(only_client(&b)->state, CLIENT_GREETING);
		own = bench_server(&b);
		assert_non_null(own);
		str_init(&out, 4096);
		message_auth_cleartext(&out);
		side_say(&b, own, &out);
		assert_string_equal(side_last(own, 'p', &len), "secret");
		say_welcome(&b, own);
		assert_int_equal(only_client(&b)->state, CLIENT_IDLE);
		str_fini(&out);
		bench_fini(&b);
	}
}

static void whoever_is_listed_is_not_looked_up(void **state)
{
	struct side *c;
	struct bench b;

	(void)state;
	bench_init(&b, ASKING);
	c = begin(&b, "ann");
	assert_true(is_asked_for_its_password(c));
	c = begin(&b, "trusty");
	assert_true(is_asked_for_its_password(c));
	assert_null(bench_server(&b));
	bench_fini(&b);
}

static void whoever_is_not_found_is_asked_and_refused_all_the_same(void **state)
{
	static const char *const secrets[] = {NULL, "other"};
	struct side *c, *s;
	struct bench b;

	(void)state;
	for (int i = 0; i < 2; i++) {
		bench_init(&b, ASKING);
		c = begin_first(&b, "zoe", &s);
		say_found(&b, s, i == 0 ? NULL : "zoe", secrets[i]);
		log_in(&b, c, "secret");
		assert_told(c, "password authentication failed");
		assert_true(c->ended);
		assert_nobody_waits(&b);
		bench_fini(&b);
	}
}

static uint32_t asked_way(const struct side *c)
{
	size_t len;
	const char *body = side_last(c, 'R', &len);

	return body == NULL || len < 4 ? 0 : (uint32_t)(unsigned char)body[3];
}

/* With md5 the secret rules which way it is. */
static void way_that_is_asked_for_does_not_tell_who_exists(void **state)
{
	static const char verifier[] = "SCRAM-SHA-256$4096:MDEyMzQ1Njc4OWFiY2RlZg==$"
	                               "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=:"
	                               "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
	static const struct {
		const char *name, *secret;
		uint32_t way;
	} steps[] = {{NULL, NULL, AUTH_SASL},
	             {"zoe", "plain", AUTH_MD5},
	             {NULL, NULL, AUTH_MD5},
	             {"zoe", verifier, AUTH_SASL},
	             {"zoe", NULL, AUTH_SASL}};
	struct side *s = NULL;
	struct bench b;

	(void)state;
	bench_init(&b, ASKING "auth_type=md5");
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct side *c = i == 0 ? begin_first(&b, "zoe", &s) : begin(&b, "zoe");

		say_found(&b, s, steps[i].name, steps[i].secret);
		assert_int_equal(asked_way(c), steps[i].way);
		side_close(&b, c);
	}
	bench_fini(&b);
}

static void whom_the_answer_names_is_who_it_is(void **state)
{
	struct side *c, *s;
	struct bench b;

	(void)state;
	bench_init(&b, ASKING);
	c = begin_first(&b, "zoe", &s);
	say_found(&b, s, "max", "secret");
	log_in(&b, c, "secret");
	assert_string_equal(client_user(only_client(&b)), "max");
	assert_string_equal(only_client(&b)->entry.seat->pool->user, "max");
	bench_fini(&b);
}

static void one_server_answers_for_all_in_their_order(void **state)
{
	struct side *c[3], *s;
	struct bench b;

	(void)state;
	bench_init(&b, ASKING "default_pool_size=1");
	c[0] = begin_first(&b, "one", &s);
	c[1] = begin(&b, "two");
	c[2] = begin(&b, "three");
	assert_int_equal(seat_of_lookups(&b)->n_waiting, 2);
	say_found(&b, s, "one", "1");
	assert_string_equal(asked_for(s), "two");
	say_found(&b, s, "two", "2");
	assert_string_equal(asked_for(s), "three");
	side_close(&b, c[0]);
	say_found(&b, s, "three", "3");
	assert_true(is_asked_for_its_password(c[1]));
	assert_true(is_asked_for_its_password(c[2]));
	assert_nobody_waits(&b);
	bench_fini(&b);
}

static void a_client_that_leaves_in_the_queue_leaves_nothing(void **state)
{
	struct side *c[2], *s;
	struct bench b;

	(void)state;
	bench_init(&b, ASKING "default_pool_size=1");
	c[0] = begin_first(&b, "one", &s);
	c[1] = begin(&b, "two");
	side_close(&b, c[1]);
	assert_int_equal(seat_of_lookups(&b)->n_waiting, 0);
	say_found(&b, s, "one", "1");
	assert_true(is_asked_for_its_password(c[0]));
	assert_nobody_waits(&b);
	bench_fini(&b);
}

/* What is still to be answered for a client that has gone, and whether the connection serves the next one. */
static void check_left_behind(const char *answer, size_t len, bool stays)
{
	struct side *c, *s;
	struct bench b;

	bench_init(&b, ASKING "default_pool_size=1");
	c = begin_first(&b, "one", &s);
	side_close(&b, c);
	assert_int_equal(b.w->n_clients, 0);
	assert_int_equal(b.w->n_servers, 1);
	c = begin(&b, "two");
	assert_string_equal(asked_for(s), "one");
	side_send(&b, s, answer, len);
	assert_int_equal(error_ring_count(b.w->errors), 0);
	if (stays)
		assert_string_equal(asked_for(s), "two");
	else
		assert_string_equal(asked_for(s), "one");
	side_close(&b, c);
	bench_fini(&b);
}

static void a_client_that_leaves_while_it_is_asked_for_leaves_the_connection_to_others(void **state)
{
	struct words words = {"ERROR", "42501", "permission denied", NULL, NULL};
	struct str out;

	(void)state;
	str_init(&out, 65536);
	put_answer(&out, "one", "1");
	check_left_behind(out.data, out.len, true);
	str_clear(&out);
	put_answer(&out, NULL, NULL);
	check_left_behind(out.data, out.len, true);
	str_clear(&out);
	message_error(&out, &words);
	message_ready(&out, 'I');
	check_left_behind(out.data, out.len, true);
	str_clear(&out);
	message_error(&out, &words);
	message_ready(&out, 'E');
	check_left_behind(out.data, out.len, false);
	check_left_behind("?\0\0\0\4", 5, false);
	str_fini(&out);
}

static void a_connection_that_dies_after_its_client_has_left_is_nobodys_loss(void **state)
{
	struct side *c, *s;
	struct bench b;

	(void)state;
	bench_init(&b, ASKING);
	c = begin_first(&b, "one", &s);
	side_close(&b, c);
	side_close(&b, s);
	assert_int_equal(b.w->n_servers, 0);
	assert_int_equal(error_ring_count(b.w->errors), 0);
	assert_nobody_waits(&b);
	bench_fini(&b);
}

static void what_comes_too_early_is_read_later(void **state)
{
	struct side *c, *s;
	struct bench b;

	(void)state;
	bench_init(&b, ASKING);
	c = begin_first(&b, "zoe", &s);
	say_password(&b, c, "secret", 6);
	say_found(&b, s, "zoe", "secret");
	assert_true(is_asked_for_its_password(c));
	assert_int_equal(only_client(&b)->state, CLIENT_GREETING);
	bench_fini(&b);
}

static void an_idle_connection_that_died_is_replaced_without_a_word(void **state)
{
	struct side *c, *s, *second;
	struct bench b;

	(void)state;
	bench_init(&b, ASKING);
	c = begin_first(&b, "one", &s);
	say_found(&b, s, "one", "1");
	side_close(&b, c);
	c = begin(&b, "two");
	assert_string_equal(asked_for(s), "two");
	side_close(&b, s);
	assert_int_equal(only_client(&b)->state, CLIENT_LOOKUP);
	second = bench_server(&b);
	assert_non_null(second);
	say_welcome(&b, second);
	assert_string_equal(asked_for(second), "two");
	say_found(&b, second, "two", "2");
	assert_true(is_asked_for_its_password(c));
	bench_fini(&b);
}

static void a_connection_that_dies_of_the_question_ends_the_login(void **state)
{
	struct side *c, *s;
	struct bench b;

	(void)state;
	for (int answered = 0; answered <= 1; answered++) {
		bench_init(&b, ASKING);
		c = begin_first(&b, "one", &s);
		if (answered)
			side_send(&b, s, "1\0\0\0\4", 5);
		side_close(&b, s);
		assert_told(c, "bouncer config error");
		assert_true(c->ended);
		assert_nobody_waits(&b);
		bench_fini(&b);
	}
}

static void strangers_are_told_a_number_and_nothing_else(void **state)
{
	struct words words = {"ERROR", "42501", "permission denied for table secrets", "secret detail", "secret hint"};
	const struct error_row *row;
	struct report r;
	struct side *c, *s;
	struct bench b;
	struct str out;
	char incident[40];

	(void)state;
	bench_init(&b, ASKING);
	c = begin_first(&b, "zoe", &s);
	str_init(&out, 4096);
	message_error(&out, &words);
	message_ready(&out, 'I');
	side_say(&b, s, &out);
	assert_told(c, "bouncer config error");
	assert_null(find_bytes(c->got.data, c->got.len, "secret", 6));
	assert_int_equal(only_server(&b)->place.state, PLACE_IDLE);
	assert_int_equal(error_ring_count(b.w->errors), 1);
	row = error_ring_row(b.w->errors, 0);
	assert_string_equal(row->class, "auth_query_denied");
	assert_string_equal(row->user, "asker");
	assert_non_null(strstr(row->hint, "GRANT SELECT ON secrets TO \"asker\""));
	(void)told_hint(c, &r);
	snprintf(incident, sizeof(incident), "Incident %s.", row->incident);
	assert_string_equal(r.detail.data, incident);
	/* the next one is of the same incident */
	side_close(&b, c);
	c = begin(&b, "max");
	message_error(&out, &words);
	message_ready(&out, 'I');
	side_say(&b, s, &out);
	assert_told(c, "bouncer config error");
	assert_int_equal(error_ring_count(b.w->errors), 1);
	assert_int_equal(error_ring_row(b.w->errors, 0)->count, 2);
	str_fini(&out);
	bench_fini(&b);
}

static void a_transaction_left_open_closes_the_connection(void **state)
{
	struct words words = {"ERROR", "22012", "division by zero", NULL, NULL};
	struct side *c, *s;
	struct bench b;
	struct str out;

	(void)state;
	bench_init(&b, ASKING);
	c = begin_first(&b, "zoe", &s);
	str_init(&out, 4096);
	message_error(&out, &words);
	message_ready(&out, 'E');
	side_say(&b, s, &out);
	assert_told(c, "bouncer config error");
	assert_int_equal(b.w->n_servers, 0);
	str_fini(&out);
	bench_fini(&b);
}

static void a_server_that_lies_is_closed(void **state)
{
	struct side *c, *s;
	struct bench b;

	(void)state;
	bench_init(&b, ASKING);
	c = begin_first(&b, "zoe", &s);
	side_send(&b, s, "HTTP/1.1 400 Bad Request\r\n", 26);
	assert_told(c, "bouncer config error");
	assert_int_equal(b.w->n_servers, 0);
	assert_nobody_waits(&b);
	bench_fini(&b);
}

static void what_comes_behind_the_answer_closes_the_connection(void **state)
{
	struct side *c, *s;
	struct bench b;
	struct str out;

	(void)state;
	bench_init(&b, ASKING);
	c = begin_first(&b, "zoe", &s);
	str_init(&out, 4096);
	put_answer(&out, "zoe", "secret");
	str_add(&out, "garbage", 7);
	side_say(&b, s, &out);
	assert_true(is_asked_for_its_password(c));
	assert_int_equal(b.w->n_servers, 0);
	str_fini(&out);
	bench_fini(&b);
}

/* The password that it sent serves at the server better than the hash that was found; the pool must not get both by
   turns, since another secret than before is tried at once. */
static void the_second_login_with_the_same_secrets_is_no_news(void **state)
{
	char hash[MD5_SECRET_BYTES + 1];
	struct side *c, *s;
	struct pool *p;
	struct bench b;

	(void)state;
	bench_init(&b, ASKING);
	assert_true(md5_secret(b.office->auth, "zoe", "secret", 6, hash));
	c = begin_first(&b, "zoe", &s);
	say_found(&b, s, "zoe", hash);
	log_in(&b, c, "secret");
	p = only_client(&b)->entry.seat->pool;
	(void)pool_take_new_secret(p);
	c = begin(&b, "zoe");
	say_found(&b, s, "zoe", hash);
	log_in(&b, c, "secret");
	assert_int_equal(last_client(&b)->state, CLIENT_GREETING);
	assert_false(pool_take_new_secret(p));
	bench_fini(&b);
}

static void a_refused_login_of_auth_user_is_a_number_for_strangers(void **state)
{
	struct words words = {"FATAL", "28P01", "password authentication failed for user \"asker\"", NULL, NULL};
	struct side *c, *s;
	struct bench b;
	struct str out;

	(void)state;
	bench_init(&b, ASKING);
	c = begin(&b, "zoe");
	s = bench_server(&b);
	str_init(&out, 4096);
	message_error(&out, &words);
	side_say(&b, s, &out);
	bench_settle(&b);
	assert_told(c, "bouncer config error");
	assert_null(find_bytes(c->got.data, c->got.len, "asker", 5));
	str_fini(&out);
	bench_fini(&b);
}

static void databases_that_cannot_be_asked_are_named_to_the_log_only(void **state)
{
	struct side *c;
	struct bench b;

	(void)state;
	bench_init(&b, ASKING "auth_dbname=elsewhere");
	c = begin(&b, "zoe");
	assert_told(c, "bouncer config error");
	assert_string_equal(error_ring_row(b.w->errors, 0)->text,
	                    "auth_query cannot be run: authentication database \"elsewhere\" is not configured");
	bench_fini(&b);
	bench_init(&b, ASKING);
	c = bench_client(&b);
	say_startup(&b, c, "zoe", "pgbouncer");
	assert_told(c, "bouncer config error");
	bench_fini(&b);
	bench_init(&b, ASKING);
	registry_database(b.office->registry, b.conf, "app");
	registry_set_disabled(b.office->registry, "app", true);
	c = begin(&b, "zoe");
	assert_told(c, "authentication database \"app\" is disabled");
	bench_fini(&b);
}

static void rights_on_the_console_are_those_of_whom_the_answer_names(void **state)
{
	struct side *c, *s;
	struct bench b;

	(void)state;
	bench_init(&b, ASKING "auth_dbname=app\nadmin_users=boss");
	for (int i = 0; i < 2; i++) {
		c = bench_client(&b);
		say_startup(&b, c, i == 0 ? "boss" : "nick", "pgbouncer");
		if (i == 0) {
			s = bench_server(&b);
			say_welcome(&b, s);
		}
		say_found(&b, s, i == 0 ? "nobody" : "boss", "secret");
		if (i == 0) {
			assert_told(c, "not allowed");
			continue;
		}
		log_in(&b, c, "secret");
		assert_non_null(b.guest);
		assert_string_equal(b.guest->user, "boss");
		assert_int_equal(b.guest->rights, CONSOLE_ADMIN);
	}
	bench_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whoever_is_not_listed_is_looked_up_and_logs_in_with_what_was_found),
	    cmocka_unit_test(whoever_is_listed_is_not_looked_up),
	    cmocka_unit_test(whoever_is_not_found_is_asked_and_refused_all_the_same),
	    cmocka_unit_test(way_that_is_asked_for_does_not_tell_who_exists),
	    cmocka_unit_test(whom_the_answer_names_is_who_it_is),
	    cmocka_unit_test(one_server_answers_for_all_in_their_order),
	    cmocka_unit_test(a_client_that_leaves_in_the_queue_leaves_nothing),
	    cmocka_unit_test(a_client_that_leaves_while_it_is_asked_for_leaves_the_connection_to_others),
	    cmocka_unit_test(a_connection_that_dies_after_its_client_has_left_is_nobodys_loss),
	    cmocka_unit_test(what_comes_too_early_is_read_later),
	    cmocka_unit_test(an_idle_connection_that_died_is_replaced_without_a_word),
	    cmocka_unit_test(a_connection_that_dies_of_the_question_ends_the_login),
	    cmocka_unit_test(strangers_are_told_a_number_and_nothing_else),
	    cmocka_unit_test(a_transaction_left_open_closes_the_connection),
	    cmocka_unit_test(a_server_that_lies_is_closed),
	    cmocka_unit_test(what_comes_behind_the_answer_closes_the_connection),
	    cmocka_unit_test(the_second_login_with_the_same_secrets_is_no_news),
	    cmocka_unit_test(a_refused_login_of_auth_user_is_a_number_for_strangers),
	    cmocka_unit_test(databases_that_cannot_be_asked_are_named_to_the_log_only),
	    cmocka_unit_test(rights_on_the_console_are_those_of_whom_the_answer_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
