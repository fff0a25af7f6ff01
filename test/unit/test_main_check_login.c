/* Which logins a check consists of. This program brings its own base/mem. */
#include <stdio.h>

#include "check_bench.h"
#include "failing_mem.h"
#include "main/check_login.h"

#define USERS "\"boss\" \"b\"\n\"ann\" \"a\"\n\"none\" \"\"\n\"ben\" \"b\"\n"
#define BEGIN "[pgbouncer]\nauth_type=md5\nauth_file=users.txt\nadmin_users=boss\n[databases]\n"

/* "app: ann ben; second: …" */
static void check(const char *text, const char *users, const char *name, const char *expected)
{
	struct config *c = configured(text, users);
	struct logins l;
	struct str out;

	str_init(&out, 4096);
	assert_true(logins_init(&l, c, name, false));
	for (unsigned i = 0; i < l.n_databases; i++) {
		str_printf(&out, "%s:", l.database[i].name);
		for (unsigned j = 0; j < l.database[i].n_logins; j++)
			str_printf(&out, " %s%s%s%s", l.database[i].login[j].user,
			           l.database[i].login[j].looks_up ? "?" : "",
			           l.database[i].login[j].secret == NULL ? "-" : "",
			           l.database[i].login[j].is_console ? "!" : "");
		str_add_str(&out, ";");
	}
	if (l.template_left_out)
		str_add_str(&out, " template");
	assert_string_equal(str_text(&out), expected);
	str_fini(&out);
	logins_fini(&l);
	config_unref(c);
	assert_int_equal(mem_blocks, 0);
}

static void each_database_is_checked_as_each_user_those_with_secrets_first(void **state)
{
	(void)state;
	check(BEGIN "app = host=h\nsecond = host=h\n", USERS, NULL,
	      "app: ann ben none- boss!;second: ann ben none- boss!;");
}

static void a_forced_user_is_the_only_one(void **state)
{
	(void)state;
	check(BEGIN "app = host=h user=owner password=x\nb = host=h user=ann\nc = host=h user=stranger\n", USERS, NULL,
	      "app: owner;b: ann;c: stranger-;");
}

static void auth_user_logs_in_where_it_looks_up(void **state)
{
	(void)state;
	check(BEGIN "app = host=h auth_user=ann\n", USERS, NULL, "app: ann? ben none- boss!;");
	check(BEGIN "app = host=h user=owner password=x auth_user=ann\n", USERS, NULL, "app: owner ann?;");
	check(BEGIN "app = host=h auth_user=stranger auth_dbname=second\nsecond = host=h\nthird = host=h auth_user=ben "
	            "auth_dbname=second\n",
	      "\"ann\" \"a\"\n\"ben\" \"b\"\n", NULL, "app: ann ben;second: ann ben? stranger?-;third: ann ben;");
	check(BEGIN "app = host=h auth_user=ann auth_dbname=nix\n", "\"ann\" \"a\"\n", NULL, "app: ann;");
	check(BEGIN "* = host=h auth_user=ann\n", "\"ann\" \"a\"\n", "shop", "shop: ann?;");
}

static void the_template_is_checked_under_the_name_that_is_given(void **state)
{
	(void)state;
	check(BEGIN "* = host=h\n", "\"ann\" \"a\"\n", NULL, " template");
	check(BEGIN "* = host=h\n", "\"ann\" \"a\"\n", "shop", "shop: ann;");
	check(BEGIN "* = host=h\napp = host=h\n", "\"ann\" \"a\"\n", "app", "app: ann; template");
	check(BEGIN "app = host=h\n", "\"ann\" \"a\"\n", "shop", "app: ann;");
}

static void users_without_a_line_in_the_list_count_where_they_may_log_in(void **state)
{
	(void)state;
	check(BEGIN "app = host=h\n[users]\nzoe = pool_size=3\n", "\"ann\" \"a\"\n", NULL, "app: ann;");
	check(BEGIN "app = host=h\n[users]\nzoe = pool_size=3\n[pgbouncer]\nauth_type=trust\n", "\"ann\" \"a\"\n", NULL,
	      "app: ann zoe-;");
}

static void a_check_has_an_end_whatever_the_number_of_users(void **state)
{
	struct str users;
	struct config *c;
	struct logins l;

	(void)state;
	str_init(&users, 1 << 20);
	for (int i = 0; i < 5000; i++)
		str_printf(&users, "\"u%d\" \"x\"\n", i);
	c = configured(BEGIN "a = host=h\nb = host=h\n", str_text(&users));
	assert_true(logins_init(&l, c, NULL, false));
	assert_true(l.n_logins <= 2000 && l.n_logins > 1000);
	assert_int_equal(l.database[0].n_logins + l.database[0].n_left_out, 5000);
	logins_fini(&l);
	config_unref(c);
	str_fini(&users);
}

static void without_memory_nothing_is_left(void **state)
{
	struct config *c = configured(BEGIN "a = host=h\nb = host=h\n", USERS);
	size_t before = mem_blocks, n = 0;
	bool good = false;

	(void)state;
	while (!good) {
		struct logins l;

		mem_until_failure = ++n;
		good = logins_init(&l, c, NULL, false);
		mem_until_failure = 0;
		logins_fini(&l);
		assert_int_equal(mem_blocks, before);
	}
	assert_int_equal(n, 4);
	config_unref(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_database_is_checked_as_each_user_those_with_secrets_first),
	    cmocka_unit_test(a_forced_user_is_the_only_one),
	    cmocka_unit_test(auth_user_logs_in_where_it_looks_up),
	    cmocka_unit_test(the_template_is_checked_under_the_name_that_is_given),
	    cmocka_unit_test(users_without_a_line_in_the_list_count_where_they_may_log_in),
	    cmocka_unit_test(a_check_has_an_end_whatever_the_number_of_users),
	    cmocka_unit_test(without_memory_nothing_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
