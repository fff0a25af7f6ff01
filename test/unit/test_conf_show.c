/* Tests of src/conf/show.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/show.h"
#include "configured.h"
#include "os/file.h"

struct table_seen {
	struct str text;
	int rows;
	int stop_after; /* 0: never */
};

static bool note_row(void *context, const char *name, const char *value, const char *standard, bool changeable)
{
	struct table_seen *seen = (struct table_seen *)context;

	seen->rows++;
	str_printf(&seen->text, "%s|%s|%s|%s\n", name, value == NULL ? "NULL" : value,
	           standard == NULL ? "NULL" : standard, changeable ? "yes" : "no");
	return seen->rows != seen->stop_after;
}

static struct config *load(void)
{
	return configured("[pgbouncer]\nlisten_port=6931\nunix_socket_dir=\nauth_type=trust\n"
	                  "server_idle_timeout=0.5\nservice_name=weir\n",
	                  NULL);
}

static void rows_look_as_in_pgbouncer(void **state)
{
	static const char *const lines[] = {
	    "admin_users|||yes\n",
	    "auth_dbname|NULL|NULL|yes\n",
	    "auth_type|trust|md5|yes\n",
	    "client_tls_sslmode|disable|disable|yes\n",
	    "conffile|pgweir.ini|NULL|yes\n",
	    "job_name|weir|pgbouncer|no\n",
	    "listen_port|6931|6432|no\n",
	    "max_packet_size|2147483647|2147483647|yes\n",
	    "max_prepared_statements|200|200|yes\n",
	    "pool_idle_timeout|0|0|yes\npool_mode|session|session|yes\n",
	    "server_check_query|<empty>|<empty>|yes\n",
	    "server_idle_timeout|0.5|600|yes\n",
	    "server_tls_sslmode|prefer|prefer|yes\n",
	    "unix_socket_dir||" SOCKET_DIRECTORY "|no\n",
	    "unix_socket_mode|511|0777|no\n",
	    "user|NULL|NULL|no\nverbose|0|NULL|yes\nthreads|0|0|no\n",
	    "error_sqlstate|compatible|compatible|yes\nlog_format|text|text|yes\n",
	    "server_tls_negotiation|postgres|postgres|yes\n",
	    "server_max_protocol_version|3.0|3.0|yes\n",
	    "target_session_attrs|any|any|yes\n",
	};
	struct config *c = load();
	struct table_seen seen = {{0}, 0, 0};

	(void)state;
	str_init(&seen.text, 100000);
	assert_true(conf_show(c, note_row, &seen));
	assert_int_equal(seen.rows, N_SETTINGS);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (strstr(str_text(&seen.text), lines[i]) == NULL)
			fail_msg("no row %s", lines[i]);
	str_fini(&seen.text);
	config_unref(c);
}

static void the_walk_ends_when_asked(void **state)
{
	struct config *c = load();
	struct table_seen seen = {{0}, 0, 3};

	(void)state;
	str_init(&seen.text, 100000);
	assert_false(conf_show(c, note_row, &seen));
	assert_int_equal(seen.rows, 3);
	str_fini(&seen.text);
	config_unref(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(rows_look_as_in_pgbouncer),
	                                   cmocka_unit_test(the_walk_ends_when_asked)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
