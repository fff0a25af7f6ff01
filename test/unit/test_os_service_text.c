/* What a service manager and its log are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <string.h>

#include "os/service_text.h"

static struct str out;

static int set_up(void **state)
{
	(void)state;
	str_init(&out, 4096);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	str_fini(&out);
	return 0;
}

static void assert_out(const char *expected)
{
	assert_string_equal(str_text(&out), expected);
	str_clear(&out);
}

static void paths_are_quoted_whether_or_not_they_have_spaces(void **state)
{
	(void)state;
	service_put_command_line(&out, "C:\\Program Files\\pgweir\\pgweir.exe", "C:\\ProgramData\\pgweir\\pgweir.ini");
	assert_out("\"C:\\Program Files\\pgweir\\pgweir.exe\" -service \"C:\\ProgramData\\pgweir\\pgweir.ini\"");
	service_put_command_line(&out, "C:\\pgweir.exe", "D:\\M\xc3\xbcller & S\xc3\xb6hne\\a b.ini");
	assert_out("\"C:\\pgweir.exe\" -service \"D:\\M\xc3\xbcller & S\xc3\xb6hne\\a b.ini\"");
}

static void backslashes_and_quotes_are_taken_apart_as_they_were_meant(void **state)
{
	(void)state;
	service_put_command_line(&out, "C:\\", "\\\\?\\C:\\x\\");
	assert_out("\"C:\\\\\" -service \"\\\\?\\C:\\x\\\\\"");
	service_put_command_line(&out, "/opt/a\"b", "c\\\"d");
	assert_out("\"/opt/a\\\"b\" -service \"c\\\\\\\"d\"");
}

static void a_service_has_an_account_of_its_own_unless_another_is_named(void **state)
{
	static const struct {
		const char *given, *account;
		bool has_password, is_mighty;
	} rows[] = {
	    {NULL, "NT SERVICE\\pgweir west", false, false},
	    {"", "NT SERVICE\\pgweir west", false, false},
	    {"LocalService", "NT AUTHORITY\\LocalService", false, false},
	    {"networkservice", "NT AUTHORITY\\networkservice", false, false},
	    {"NT AUTHORITY\\LocalService", "NT AUTHORITY\\LocalService", false, false},
	    {"LocalSystem", "LocalSystem", false, true},
	    {"NT AUTHORITY\\System", "NT AUTHORITY\\System", false, true},
	    {".\\LocalSystem", ".\\LocalSystem", true, true},
	    {"pooler", ".\\pooler", true, false},
	    {"SHOP\\pooler", "SHOP\\pooler", true, false},
	    {"pooler@shop.example", "pooler@shop.example", true, false},
	    {"SHOP\\pooler$", "SHOP\\pooler$", false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		service_put_account(&out, rows[i].given, "pgweir west");
		assert_int_equal(service_account_has_password(str_text(&out)), rows[i].has_password);
		assert_int_equal(service_account_is_mighty(str_text(&out)), rows[i].is_mighty);
		assert_out(rows[i].account);
	}
}

static void names_are_those_that_the_manager_takes(void **state)
{
	char longest[258];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	longest[256] = '\0';
	assert_true(service_name_is_good("pgbouncer"));
	assert_true(service_name_is_good("pgweir west \xc3\xb6"));
	assert_true(service_name_is_good(longest));
	longest[256] = 'x';
	longest[257] = '\0';
	assert_false(service_name_is_good(longest));
	assert_false(service_name_is_good(""));
	assert_false(service_name_is_good("a/b"));
	assert_false(service_name_is_good("a\\b"));
	assert_false(service_name_is_good("a\nb"));
	assert_false(service_name_is_good(" a"));
	assert_false(service_name_is_good("a "));
}

static void letters_are_counted_and_not_bytes(void **state)
{
	char name[2 * 256 + 1];

	(void)state;
	for (size_t i = 0; i < 256; i++)
		memcpy(name + 2 * i, "\xc3\xbc", 2);
	name[2 * 256] = '\0';
	assert_true(service_name_is_good(name));
}

static void assert_list(const char *names, const char *bytes, size_t len)
{
	service_put_list(&out, names);
	assert_int_equal(out.len, len);
	assert_memory_equal(out.data, bytes, len);
	str_clear(&out);
}

static void a_list_ends_with_two_zeros(void **state)
{
	(void)state;
	assert_list("RPCSS", "RPCSS\0", 7);
	assert_list("RPCSS,Tcpip", "RPCSS\0Tcpip\0", 13);
	assert_list(" RPCSS , postgresql-x64-16 ,,", "RPCSS\0postgresql-x64-16\0", 25);
	assert_list("", "", 1);
	assert_list(" , ", "", 1);
	assert_list(NULL, "", 1);
}

static void texts_of_the_event_log_keep_what_they_say(void **state)
{
	(void)state;
	service_put_event(&out, "could not connect\n\tDETAIL: 100% of it\n\tHINT: x");
	assert_out("could not connect\r\n\tDETAIL: 100% of it\r\n\tHINT: x");
	/* or the viewer would put the text itself in its place */
	service_put_event(&out, "server at fe80::1%1 50% %");
	assert_out("server at fe80::1% 1 50% %");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(paths_are_quoted_whether_or_not_they_have_spaces, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(backslashes_and_quotes_are_taken_apart_as_they_were_meant, set_up,
	                                    tear_down),
	    cmocka_unit_test_setup_teardown(a_service_has_an_account_of_its_own_unless_another_is_named, set_up,
	                                    tear_down),
	    cmocka_unit_test_setup_teardown(names_are_those_that_the_manager_takes, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(letters_are_counted_and_not_bytes, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_list_ends_with_two_zeros, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(texts_of_the_event_log_keep_what_they_say, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
