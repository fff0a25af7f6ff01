/* Farewells: a permit is back when its server has closed its side, not before. */
#include "worker_scene.h"

#include "worker/farewell.h"

/* A server is told that we leave. Returns its pool's books on main. */
static const struct opener_pool *leave(struct bench *b, struct side **s)
{
	const struct opener_pool *books;
	size_t len;

	(void)scene_login(b, s);
	books = only_client(b)->entry.seat->pool->opener;
	assert_int_equal(books->n_permits, 1);
	server_close(only_server(b), "test");
	bench_settle(b);
	assert_non_null(side_last(*s, 'X', &len));
	assert_int_equal(b->w->n_servers, 0);
	return books;
}

static void the_permit_is_back_only_when_the_server_has_closed(void **state)
{
	struct bench b;
	struct side *s;
	const struct opener_pool *books;

	(void)state;
	bench_init(&b, "auth_type=trust");
	books = leave(&b, &s);
	assert_false(s->ended);
	assert_int_equal(books->n_permits, 1);
	assert_false(list_is_empty(&b.w->farewells));
	side_close(&b, s);
	assert_int_equal(books->n_permits, 0);
	assert_true(list_is_empty(&b.w->farewells));
	bench_fini(&b);
}

static void what_the_server_still_says_is_not_its_end(void **state)
{
	struct words words = {"FATAL", "57P01", "terminating connection", NULL, NULL};
	struct bench b;
	struct side *s;
	const struct opener_pool *books;
	struct str out;

	(void)state;
	bench_init(&b, "auth_type=trust");
	books = leave(&b, &s);
	str_init(&out, 4096);
	message_error(&out, &words);
	side_say(&b, s, &out);
	assert_int_equal(books->n_permits, 1);
	side_close(&b, s);
	assert_int_equal(books->n_permits, 0);
	str_fini(&out);
	bench_fini(&b);
}

static void a_worker_that_ends_waits_for_nobody(void **state)
{
	struct bench b;
	struct side *s;
	const struct opener_pool *books;

	(void)state;
	bench_init(&b, "auth_type=trust");
	books = leave(&b, &s);
	farewell_close_all(b.w);
	bench_settle(&b);
	assert_true(s->ended);
	assert_int_equal(books->n_permits, 0);
	bench_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_permit_is_back_only_when_the_server_has_closed),
	    cmocka_unit_test(what_the_server_still_says_is_not_its_end),
	    cmocka_unit_test(a_worker_that_ends_waits_for_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
