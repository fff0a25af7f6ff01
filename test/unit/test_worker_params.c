/* Sets of session parameters: interned, written as SQL, limited. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "failing_mem.h"
#include "worker/params.h"

static struct params_book *book;

static int make_book(void **state)
{
	(void)state;
	mem_until_failure = 0;
	book = params_book_new(1);
	return book == NULL ? -1 : 0;
}

static int free_book(void **state)
{
	(void)state;
	params_book_free(book);
	return mem_blocks == 0 ? 0 : -1;
}

static struct params *with(struct params *p, const char *name, const char *value)
{
	struct params *next = params_with(p, name, value);

	assert_non_null(next);
	return next;
}

static struct params *two(const char *a, const char *a_value, const char *b, const char *b_value)
{
	return with(with(params_empty(book), a, a_value), b, b_value);
}

static void equal_sets_are_one_pointer(void **state)
{
	struct params *p = two("TimeZone", "UTC", "DateStyle", "ISO, MDY");
	struct params *q = two("DateStyle", "ISO, MDY", "TimeZone", "UTC");
	struct params *r = with(two("DateStyle", "ISO, MDY", "TimeZone", "CET"), "TimeZone", "UTC");
	struct params *other = two("DateStyle", "ISO, MDY", "TimeZone", "CET");
	struct params *empty = params_empty(book), *again = params_empty(book);

	(void)state;
	assert_ptr_equal(p, q);
	assert_ptr_equal(p, r);
	assert_ptr_not_equal(p, other);
	assert_ptr_equal(empty, again);
	params_unref(p);
	params_unref(q);
	params_unref(r);
	params_unref(other);
	params_unref(empty);
	params_unref(again);
	params_unref(NULL);
}

/* "ab" = "c" is not "a" = "bc". */
static void names_and_values_do_not_run_together(void **state)
{
	struct params *p = with(params_empty(book), "ab", "c"), *q = with(params_empty(book), "a", "bc");

	(void)state;
	assert_ptr_not_equal(p, q);
	params_unref(p);
	params_unref(q);
}

static void names_are_compared_without_case_and_keep_their_first_spelling(void **state)
{
	struct params *p = with(with(params_empty(book), "TimeZone", "UTC"), "TIMEZONE", "CET");
	struct params *q = with(params_empty(book), "TimeZone", "CET");
	const char *name, *value;

	(void)state;
	assert_ptr_equal(p, q);
	assert_string_equal(params_value(p, "timezone"), "CET");
	assert_null(params_value(p, "timezon"));
	assert_null(params_value(p, ""));
	assert_true(params_at(p, 0, &name, &value));
	assert_string_equal(name, "TimeZone");
	assert_string_equal(value, "CET");
	assert_false(params_at(p, 1, &name, &value));
	params_unref(p);
	params_unref(q);
}

static void sets_are_walked_in_order_of_names(void **state)
{
	struct params *p = with(two("b", "2", "C", "3"), "a", "1");
	const char *name, *value;
	char all[20] = "";

	(void)state;
	for (unsigned i = 0; params_at(p, i, &name, &value); i++)
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s ", name, value);
	assert_string_equal(all, "a1 b2 C3 ");
	params_unref(p);
}

static void a_value_that_is_there_changes_nothing(void **state)
{
	struct params *p = with(params_empty(book), "a", "1");

	(void)state;
	assert_ptr_equal(params_with(p, "A", "1"), p);
	params_unref(p);
}

static void too_many_names_and_bytes_are_refused(void **state)
{
	struct params *p = params_empty(book);
	static char large[16000];
	char name[16];

	(void)state;
	for (int i = 0; i < 64; i++) {
		snprintf(name, sizeof(name), "name%d", i);
		assert_true(params_have_room(p, name, "x"));
		p = with(p, name, "x");
	}
	assert_false(params_have_room(p, "one_more", "x"));
	assert_null(params_with(p, "one_more", "x"));
	p = with(p, "NAME7", "changed");
	memset(large, 'x', sizeof(large) - 1);
	assert_null(params_with(p, "name8", large));
	assert_string_equal(params_value(p, "name8"), "x");
	params_unref(p);
	p = with(params_empty(book), "a", large);
	assert_true(params_have_room(p, "b", "x"));
	assert_false(params_have_room(p, "b", large));
	params_unref(p);
}

static void without_memory_the_old_set_stays(void **state)
{
	struct params *p = with(params_empty(book), "a", "1"), *base, *own;

	(void)state;
	mem_until_failure = 1;
	assert_null(params_with(p, "b", "2"));
	assert_string_equal(params_value(p, "a"), "1");
	assert_null(params_value(p, "b"));
	assert_null(welcome_new(p, "a\0001\0", 4));
	assert_null(params_book_new(1));
	mem_until_failure = 0;
	base = with(params_empty(book), "a", "0");
	own = two("a", "1", "b", "2");
	mem_until_failure = 1;
	assert_null(params_fitted(base, own));
	assert_null(params_after_sets(base, own));
	mem_until_failure = 2;
	assert_null(welcome_new(p, "a\0001\0", 4));
	mem_until_failure = 0;
	params_unref(base);
	params_unref(own);
	params_unref(p);
}

static void wishes_come_over_what_the_server_said(void **state)
{
	struct params *base = two("a", "0", "c", "3"), *own = two("A", "1", "c", "4");
	struct params *fitted = params_fitted(base, own), *same = two("a", "1", "c", "4");

	(void)state;
	assert_ptr_equal(fitted, same);
	params_unref(base);
	params_unref(own);
	params_unref(fitted);
	params_unref(same);
}

static void check_sql(struct params *want, struct params *have, unsigned n, const char *sql)
{
	struct str s;

	str_init(&s, 65536);
	assert_int_equal(params_write_sets(want, have, &s), n);
	assert_string_equal(str_text(&s), sql);
	str_fini(&s);
	params_unref(want);
	params_unref(have);
}

static void only_differences_that_the_server_knows_are_set(void **state)
{
	(void)state;
	check_sql(two("a", "1", "b", "2"), two("a", "1", "b", "2"), 0, "");
	check_sql(two("a", "1", "b", "2"), two("A", "0", "c", "3"), 1, "SET a='1';");
	check_sql(two("a", "1", "b", "2"), two("a", "0", "b", "0"), 2, "SET a='1';SET b='2';");
	check_sql(params_empty(book), two("a", "0", "b", "0"), 0, "");
}

/* What a client runs with that asks for `name`, which servers that report `base` do not. */
static struct params *wishing(struct params *base, const char *name, const char *value)
{
	struct params *own = with(params_empty(book), name, value), *fitted = params_fitted(base, own);

	assert_non_null(fitted);
	params_unref(base);
	params_unref(own);
	return fitted;
}

/* The SETs and RESETs from `have` to `want`, and what is known afterwards. Takes both. */
static struct params *after(struct params *have, struct params *want, const char *sql)
{
	struct params *known;
	unsigned n = 0;

	for (const char *c = sql; *c != '\0'; c++)
		n += *c == ';' ? 1 : 0;
	check_sql(params_ref(want), params_ref(have), n, sql);
	known = params_after_sets(have, want);
	assert_non_null(known);
	check_sql(want, params_ref(known), 0, "");
	return known;
}

static void wishes_for_what_is_not_reported_are_set_and_reset(void **state)
{
	struct params *s = two("a", "1", "c", "3");

	(void)state;
	s = after(s, wishing(two("a", "1", "c", "3"), "b", "2"), "SET b='2';");
	assert_string_equal(params_value(s, "b"), "2");
	/* the same wish again costs nothing: it is the same set */
	s = after(s, wishing(two("a", "1", "c", "3"), "b", "2"), "");
	s = after(s, wishing(two("a", "1", "c", "3"), "B", "5"), "SET B='5';");
	s = after(s, wishing(two("a", "1", "c", "3"), "d", "it's"), "SET d='it''s';RESET B;");
	assert_null(params_value(s, "b"));
	s = after(s, two("a", "1", "c", "3"), "RESET d;");
	params_unref(s);
}

static void a_fulfilled_wish_is_one_pointer_for_client_and_server(void **state)
{
	struct params *want = wishing(two("a", "1", "c", "3"), "b", "2"), *s = two("a", "1", "c", "3");

	(void)state;
	assert_ptr_not_equal(s, want);
	s = after(s, params_ref(want), "SET b='2';");
	assert_ptr_equal(s, want);
	params_unref(s);
	params_unref(want);
}

static void after_a_reset_query_wishes_are_set_or_reset_in_any_case(void **state)
{
	struct params *s = after(two("a", "1", "c", "3"), wishing(two("a", "1", "c", "3"), "b", "2"), "SET b='2';");

	(void)state;
	s = params_unsure(s);
	assert_ptr_equal(params_unsure(s), s);
	check_sql(two("a", "1", "c", "3"), params_ref(s), 1, "RESET b;");
	s = after(s, wishing(two("a", "1", "c", "3"), "b", "2"), "SET b='2';");
	s = params_unsure(s);
	s = after(s, two("a", "1", "c", "3"), "RESET b;");
	/* nothing was set: nothing to be unsure of */
	assert_ptr_equal(params_unsure(s), s);
	params_unref(s);
}

static void what_a_client_has_set_itself_is_reset_for_the_next(void **state)
{
	struct params *s = two("a", "1", "c", "3");

	(void)state;
	assert_true(params_is_reported(s, "A"));
	s = params_with_unsure(s, "b");
	assert_non_null(s);
	assert_false(params_is_reported(s, "b"));
	assert_ptr_equal(params_with_unsure(s, "b"), s);
	check_sql(wishing(two("a", "1", "c", "3"), "b", "2"), params_ref(s), 1, "SET b='2';");
	s = after(s, two("a", "1", "c", "3"), "RESET b;");
	/* one that was set for a wish may be anything now */
	s = after(s, wishing(two("a", "1", "c", "3"), "b", "2"), "SET b='2';");
	s = params_with_unsure(s, "b");
	check_sql(wishing(two("a", "1", "c", "3"), "b", "2"), params_ref(s), 1, "SET b='2';");
	/* what the server reports is known */
	s = after(s, two("a", "1", "c", "3"), "RESET b;");
	assert_ptr_equal(params_with_unsure(s, "a"), s);
	params_unref(s);
}

/* Servers of one pool may be of different versions. */
static void a_server_that_reports_a_wish_is_believed(void **state)
{
	struct params *s = two("a", "1", "b", "1"), *want = wishing(with(params_empty(book), "a", "1"), "b", "2");

	(void)state;
	check_sql(params_ref(want), params_ref(s), 1, "SET b='2';");
	s = with(s, "b", "2.0"); /* as it spells it */
	s = params_after_sets(s, want);
	assert_string_equal(params_value(s, "b"), "2.0");
	params_unref(want);
	params_unref(s);
}

static void values_are_quoted_whatever_they_hold(void **state)
{
	static const char *const cases[][2] = {
	    {"it's", "SET a='it''s';"},
	    {"'; drop table t; --", "SET a='''; drop table t; --';"},
	    {"back\\slash", "SET a= E'back\\\\slash';"},
	    {"\\'", "SET a= E'\\\\''';"},
	    {"", "SET a='';"},
	    {"new\nline", "SET a='new\nline';"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_sql(with(params_empty(book), "a", cases[i][0]), with(params_empty(book), "a", "0"), 1,
		          cases[i][1]);
}

static void backslashes_are_ordinary_with_standard_conforming_strings(void **state)
{
	(void)state;
	check_sql(with(two("a", "back\\slash'", "b", "2"), "standard_conforming_strings", "on"),
	          with(two("a", "0", "b", "2"), "standard_conforming_strings", "on"), 1, "SET a='back\\slash''';");
	check_sql(two("a", "\\", "standard_conforming_strings", "off"),
	          two("a", "0", "standard_conforming_strings", "off"), 1, "SET a= E'\\\\';");
}

static void search_path_is_a_list_of_names(void **state)
{
	(void)state;
	check_sql(with(params_empty(book), "search_path", "\"$user\", it's"),
	          with(params_empty(book), "search_path", "public"), 1,
	          "SELECT pg_catalog.set_config('search_path','\"$user\", it''s',false);");
}

static void what_sessions_cannot_set_is_fixed(void **state)
{
	(void)state;
	assert_true(params_is_fixed("server_version"));
	assert_true(params_is_fixed("IS_SUPERUSER"));
	assert_true(params_is_fixed("in_hot_standby"));
	assert_false(params_is_fixed("TimeZone"));
	assert_false(params_is_fixed(""));
}

static void a_welcome_keeps_everything_in_order(void **state)
{
	static const char reported[] = "b\0002\0a\0001\0";
	struct params *p = two("a", "1", "b", "2");
	struct welcome *w = welcome_new(p, reported, sizeof(reported) - 1);

	(void)state;
	assert_non_null(w);
	assert_memory_equal(w->names_values, reported, sizeof(reported)); /* the empty name included */
	assert_ptr_equal(w->params, p);
	params_unref(p);
	assert_string_equal(params_value(w->params, "b"), "2");
	shared_unref(&w->shared);
}

/* ---- threads ---- */

#define ROUNDS 20000

static atomic_int differences;

/* Both threads make the same sets at the same time, and drop them, so that making and freeing of one set meet. */
static void *make_and_drop(void *arg)
{
	struct params_book *b = (struct params_book *)arg;

	for (int i = 0; i < ROUNDS; i++) {
		struct params *p = params_with(params_empty(b), "a", i % 2 == 0 ? "1" : "2");
		struct params *q = params_with(params_empty(b), "a", i % 2 == 0 ? "1" : "2");

		if (p == NULL || p != q || strcmp(params_value(p, "a"), i % 2 == 0 ? "1" : "2") != 0)
			atomic_fetch_add(&differences, 1);
		params_unref(p);
		params_unref(q);
	}
	return NULL;
}

static void threads_share_sets(void **state)
{
	/* not the counting allocator's business: its counter is for one thread */
	struct params_book *b = book;
	size_t blocks = mem_blocks;
	pthread_t threads[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, make_and_drop, b), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(differences, 0);
	mem_blocks = blocks;
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(equal_sets_are_one_pointer),
	    TEST(names_and_values_do_not_run_together),
	    TEST(names_are_compared_without_case_and_keep_their_first_spelling),
	    TEST(sets_are_walked_in_order_of_names),
	    TEST(a_value_that_is_there_changes_nothing),
	    TEST(too_many_names_and_bytes_are_refused),
	    TEST(without_memory_the_old_set_stays),
	    TEST(wishes_come_over_what_the_server_said),
	    TEST(only_differences_that_the_server_knows_are_set),
	    TEST(wishes_for_what_is_not_reported_are_set_and_reset),
	    TEST(a_fulfilled_wish_is_one_pointer_for_client_and_server),
	    TEST(after_a_reset_query_wishes_are_set_or_reset_in_any_case),
	    TEST(what_a_client_has_set_itself_is_reset_for_the_next),
	    TEST(a_server_that_reports_a_wish_is_believed),
	    TEST(values_are_quoted_whatever_they_hold),
	    TEST(backslashes_are_ordinary_with_standard_conforming_strings),
	    TEST(search_path_is_a_list_of_names),
	    TEST(what_sessions_cannot_set_is_fixed),
	    TEST(a_welcome_keeps_everything_in_order),
	    TEST(threads_share_sets),
	};

	return cmocka_run_group_tests(tests, make_book, free_book);
}
