/* Servers on Windows: how they are known, and where their files are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "diag/server_place.h"

static struct bytes bytes_of(const char *text)
{
	return (struct bytes){text, text == NULL ? 0 : strlen(text)};
}

static void versions_tell_the_system_and_the_number(void **state)
{
	static const struct {
		const char *version;
		bool on_windows;
		unsigned major;
	} cases[] = {
	    {"PostgreSQL 16.4, compiled by Visual C++ build 1940, 64-bit", true, 16},
	    {"PostgreSQL 17.2 on x86_64-windows, compiled by msvc-19.42.34435, 64-bit", true, 17},
	    {"PostgreSQL 18beta1 on x86_64-windows, compiled by msvc-19.44.35209, 64-bit", true, 18},
	    {"PostgreSQL 15.1 on x86_64-w64-mingw32, compiled by x86_64-w64-mingw32-gcc.exe (Rev2) 13.2.0, 64-bit",
	     true, 15},
	    {"PostgreSQL 15.18 (Debian 15.18-0+deb12u1) on x86_64-pc-linux-gnu, compiled by gcc (Debian 12.2.0) "
	     "12.2.0, "
	     "64-bit",
	     false, 15},
	    {"PostgreSQL 16.3 on aarch64-apple-darwin23.4.0, compiled by Apple clang, 64-bit", false, 16},
	    {"", false, 0},
	    {"EnterpriseDB", false, 0},
	    {"PostgreSQL 99999999999999999999", false, 999},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct server_place p = {.major = 0};

		server_place_read_version(&p, cases[i].version);
		assert_int_equal(p.on_windows, cases[i].on_windows);
		assert_int_equal(p.major, cases[i].major);
	}
}

static void errors_may_show_it(void **state)
{
	static const struct {
		const char *message, *source_file;
		bool on_windows;
		unsigned major;
	} cases[] = {
	    {"could not open file \"C:/Program Files/PostgreSQL/14/data/global/1262\": Permission denied", NULL, true,
	     14},
	    {"could not open file \"d:\\pgdata\\x\"", "md.c", true, 0},
	    {"could not open file \"base/5/1259\": No such file or directory", "md.c", false, 0},
	    {"could not open file \"C:", NULL, false, 0},
	    {"could not ", NULL, false, 0},
	    {"could not open file \"", NULL, false, 0},
	    {NULL, NULL, false, 0},
	    /* clients choose such names */
	    {"database \"C:/Program Files/PostgreSQL/14/\" does not exist", "postinit.c", false, 0},
	    {"no pg_hba.conf entry for host \"10.0.0.1\", user \"c:/x\"", NULL, false, 0},
	    {"no pg_hba.conf entry", "d:\\pginstaller_13.auto\\postgres.windows-x64\\src\\backend\\libpq\\auth.c", true,
	     13},
	    {"no pg_hba.conf entry", "src\\backend\\libpq\\auth.c", true, 0},
	    {"no pg_hba.conf entry", "auth.c", false, 0},
	    {"no pg_hba.conf entry", "/build/src/backend/libpq/auth.c", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct server_place p = {.major = 0}, known = {.major = 9};

		server_place_read_error(&p, bytes_of(cases[i].message), bytes_of(cases[i].source_file));
		assert_int_equal(p.on_windows, cases[i].on_windows);
		assert_int_equal(p.major, cases[i].major);
		server_place_read_error(&known, bytes_of(cases[i].message), bytes_of(cases[i].source_file));
		assert_int_equal(known.major, 9);
	}
}

static void check_write(const struct server_place *p, bool (*write)(const struct server_place *p, struct str *out),
                        const char *expected)
{
	struct str out;

	str_init(&out, 1000);
	assert_int_equal(write(p, &out), expected != NULL);
	assert_string_equal(str_text(&out), expected == NULL ? "" : expected);
	str_fini(&out);
}

static void places_are_those_of_the_installer_unless_they_are_known(void **state)
{
	static const struct server_place elsewhere = {.major = 16, .data = "/var/lib/postgresql/16/main"},
	                                 debian = {.hba_file = "/etc/postgresql/15/main/pg_hba.conf"},
	                                 moved = {.on_windows = true,
	                                          .data = "D:/data",
	                                          .hba_file = "E:/etc/pg_hba.conf"},
	                                 unknown = {.on_windows = true}, sixteen = {.on_windows = true, .major = 16},
	                                 known = {.on_windows = true,
	                                          .major = 15,
	                                          .base = "D:/PG 15",
	                                          .data = "E:/pg\ndata",
	                                          .service = "postgres-shop"},
	                                 empty = {
	                                     .on_windows = true, .major = 12, .base = "", .data = "", .service = ""};

	(void)state;
	check_write(&elsewhere, server_place_write_hba_file, NULL);
	check_write(&elsewhere, server_place_write_reload, NULL);
	check_write(&debian, server_place_write_hba_file, "/etc/postgresql/15/main/pg_hba.conf");
	check_write(&debian, server_place_write_reload, NULL);
	check_write(&moved, server_place_write_hba_file, "E:\\etc\\pg_hba.conf");
	check_write(&elsewhere, server_place_write_service, NULL);

	check_write(&unknown, server_place_write_hba_file,
	            "C:\\Program Files\\PostgreSQL\\<version>\\data\\pg_hba.conf");
	check_write(&unknown, server_place_write_reload,
	            "& \"C:\\Program Files\\PostgreSQL\\<version>\\bin\\pg_ctl.exe\" reload -D "
	            "\"C:\\Program Files\\PostgreSQL\\<version>\\data\"");
	check_write(&unknown, server_place_write_service, "postgresql-x64-<version>");

	check_write(&sixteen, server_place_write_hba_file, "C:\\Program Files\\PostgreSQL\\16\\data\\pg_hba.conf");
	check_write(&sixteen, server_place_write_service, "postgresql-x64-16");

	check_write(&known, server_place_write_hba_file, "E:\\pg data\\pg_hba.conf");
	check_write(&known, server_place_write_reload, "& \"D:\\PG 15\\bin\\pg_ctl.exe\" reload -D \"E:\\pg data\"");
	check_write(&known, server_place_write_service, "postgres-shop");

	check_write(&empty, server_place_write_hba_file, "C:\\Program Files\\PostgreSQL\\12\\data\\pg_hba.conf");
	check_write(&empty, server_place_write_service, "postgresql-x64-12");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(versions_tell_the_system_and_the_number),
	    cmocka_unit_test(errors_may_show_it),
	    cmocka_unit_test(places_are_those_of_the_installer_unless_they_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
