/* Tests of src/conf/entries.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/entries.h"
#include "conf/entry.h"

static void the_last_entry_of_a_name_takes_the_place_of_the_first(void **state)
{
	struct conf_entries *e = entries_new();
	struct conf_error why;

	(void)state;
	assert_true(entries_add_database(e, conf_database_new("a", "port=1", NULL, 0, &why)));
	assert_true(entries_add_database(e, conf_database_new("b", "port=2", NULL, 0, &why)));
	assert_true(entries_add_database(e, conf_database_new("a", "port=3", NULL, 0, &why)));
	assert_int_equal(e->databases.n, 2);
	assert_int_equal(((struct conf_database *)e->databases.at[0])->port, 3);
	assert_int_equal(entries_find_database(e, "a")->port, 3);
	assert_int_equal(entries_find_database(e, "b")->port, 2);
	assert_true(entries_add_user(e, conf_user_new("u", "pool_size=1", NULL, 0, &why)));
	assert_true(entries_add_user(e, conf_user_new("u", "pool_size=2", NULL, 0, &why)));
	assert_int_equal(e->users.n, 1);
	assert_int_equal(entries_find_user(e, "u")->pool_size, 2);
	assert_true(entries_add_peer(e, conf_peer_new("7", "host=a", NULL, 0, &why)));
	assert_true(entries_add_peer(e, conf_peer_new("07", "host=b", NULL, 0, &why)));
	assert_int_equal(e->peers.n, 1);
	assert_true(entries_add_login(e, conf_login_new("l", "1")));
	assert_true(entries_add_login(e, conf_login_new("l", "2")));
	assert_int_equal(e->logins.n, 1);
	assert_string_equal(entries_find_login(e, "l")->secret, "2");
	entries_unref(e);
}

static void names_are_told_apart_by_every_byte(void **state)
{
	struct conf_entries *e = entries_new();

	(void)state;
	assert_true(entries_add_login(e, conf_login_new("Ab", "1")));
	assert_null(entries_find_login(e, "ab"));
	assert_null(entries_find_login(e, "A"));
	assert_null(entries_find_login(e, "Abc"));
	assert_null(entries_find_user(e, "Ab"));
	assert_null(entries_find_database(e, "Ab"));
	entries_unref(e);
	entries_unref(NULL);
}

static void entries_are_shared_until_the_last_lets_go(void **state)
{
	struct conf_entries *e = entries_new();

	(void)state;
	assert_true(entries_add_login(e, conf_login_new("a", "1")));
	assert_ptr_equal(entries_ref(e), e);
	entries_unref(e);
	assert_string_equal(entries_find_login(e, "a")->secret, "1");
	entries_unref(e);
}

static void texts_are_kept_in_order(void **state)
{
	struct conf_texts texts = {NULL, 0};

	(void)state;
	for (int i = 0; i < 40; i++)
		assert_true(texts_add(&texts, "text %d", i));
	assert_int_equal(texts.n, 40);
	assert_string_equal(texts.text[0], "text 0");
	assert_string_equal(texts.text[39], "text 39");
	texts_fini(&texts);
	assert_int_equal(texts.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(the_last_entry_of_a_name_takes_the_place_of_the_first),
	                                   cmocka_unit_test(names_are_told_apart_by_every_byte),
	                                   cmocka_unit_test(entries_are_shared_until_the_last_lets_go),
	                                   cmocka_unit_test(texts_are_kept_in_order)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
