/* Which roles do for which words: libpq's table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "pool/role.h"
#include <cmocka.h>

#define Y true
#define N false

static void roles_fit_as_libpq_says(void **state)
{
	static const struct {
		enum session_attrs wanted;
		bool unknown, primary, read_only, standby;
	} cases[] = {
	    {SESSION_ATTRS_ANY, Y, Y, Y, Y},       {SESSION_ATTRS_READ_WRITE, N, Y, N, N},
	    {SESSION_ATTRS_READ_ONLY, N, N, Y, Y}, {SESSION_ATTRS_PRIMARY, N, Y, Y, N},
	    {SESSION_ATTRS_STANDBY, N, N, N, Y},   {SESSION_ATTRS_PREFER_STANDBY, N, N, N, Y},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool any = cases[i].wanted == SESSION_ATTRS_PREFER_STANDBY;

		assert_int_equal(session_attrs_prefer(cases[i].wanted, ROLE_UNKNOWN), cases[i].unknown);
		assert_int_equal(session_attrs_prefer(cases[i].wanted, ROLE_PRIMARY), cases[i].primary);
		assert_int_equal(session_attrs_prefer(cases[i].wanted, ROLE_READ_ONLY), cases[i].read_only);
		assert_int_equal(session_attrs_prefer(cases[i].wanted, ROLE_STANDBY), cases[i].standby);
		for (int role = ROLE_UNKNOWN; role <= ROLE_STANDBY; role++)
			assert_int_equal(session_attrs_allow(cases[i].wanted, (enum server_role)role),
			                 any || session_attrs_prefer(cases[i].wanted, (enum server_role)role));
	}
}

static void a_standby_is_one_whatever_its_sessions_may_write(void **state)
{
	(void)state;
	assert_int_equal(server_role_of(true, true), ROLE_STANDBY);
	assert_int_equal(server_role_of(true, false), ROLE_STANDBY);
	assert_int_equal(server_role_of(false, true), ROLE_READ_ONLY);
	assert_int_equal(server_role_of(false, false), ROLE_PRIMARY);
}

static void everything_but_the_unknown_has_words(void **state)
{
	(void)state;
	assert_null(server_role_name(ROLE_UNKNOWN));
	assert_null(server_role_phrase(ROLE_UNKNOWN));
	assert_null(session_attrs_phrase(SESSION_ATTRS_ANY));
	for (int role = ROLE_PRIMARY; role <= ROLE_STANDBY; role++) {
		assert_non_null(server_role_name((enum server_role)role));
		assert_non_null(server_role_phrase((enum server_role)role));
	}
	for (int wanted = SESSION_ATTRS_READ_WRITE; wanted <= SESSION_ATTRS_PREFER_STANDBY; wanted++)
		assert_non_null(session_attrs_phrase((enum session_attrs)wanted));
	assert_string_equal(session_attrs_phrase(SESSION_ATTRS_PRIMARY), "is a primary");
	assert_string_equal(server_role_phrase(ROLE_STANDBY), "is a standby");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(roles_fit_as_libpq_says),
	    cmocka_unit_test(a_standby_is_one_whatever_its_sessions_may_write),
	    cmocka_unit_test(everything_but_the_unknown_has_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
