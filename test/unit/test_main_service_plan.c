/* What a service may use, and how long its stop may take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "main/service_plan.h"

static int read_text(void *context, const char *path, struct str *out)
{
	(void)path;
	str_add_str(out, (const char *)context);
	return 0;
}

static struct config *load(const char *text)
{
	struct conf_error why;
	struct config *c = config_load("/x/pgweir.ini", NULL, read_text, (void *)(uintptr_t)text, &why);

	if (c == NULL)
		fail_msg("%s", why.text);
	return c;
}

static void assert_files(const struct service_files *files, enum service_use use, const char *const *paths)
{
	size_t n = 0;

	for (size_t i = 0; i < files->n; i++) {
		if (files->all[i].use != use)
			continue;
		assert_non_null(paths[n]);
		assert_string_equal(files->all[i].path, paths[n]);
		n++;
	}
	assert_null(paths[n]);
}

#define ASSERT_FILES(files, use, ...) assert_files(files, use, (const char *const[]){__VA_ARGS__, NULL})

static void a_service_uses_its_files_and_nothing_else(void **state)
{
	struct config *c = load("[databases]\n"
	                        "a = host=h\n"
	                        "[pgbouncer]\n"
	                        "client_tls_sslmode = require\n"
	                        "client_tls_key_file = tls/key.pem\n"
	                        "client_tls_cert_file = tls/cert.pem\n"
	                        "server_tls_ca_file = tls/root.pem\n"
	                        "logfile = log/pgweir.log\n"
	                        "pidfile = run/pgweir.pid\n");
	struct service_files files = {NULL, 0};

	(void)state;
	assert_true(service_files_add_config(&files, c));
	ASSERT_FILES(&files, SERVICE_READS, "/x/pgweir.ini", "tls/key.pem", "tls/cert.pem", "tls/root.pem");
	ASSERT_FILES(&files, SERVICE_ENTERS, "/x/");
	ASSERT_FILES(&files, SERVICE_WRITES, "log/pgweir.log", "run/pgweir.pid");
	service_files_fini(&files);
	config_unref(c);
}

static void certificates_of_databases_are_read_and_those_of_the_system_are_no_file(void **state)
{
	struct config *c =
	    load("[databases]\n"
	         "a = host=h server_tls_ca_file=a.pem server_tls_cert_file=c.pem server_tls_key_file=k.pem\n"
	         "b = host=h server_tls_ca_file=a.pem\n"
	         "[pgbouncer]\n"
	         "server_tls_ca_file = system\n");
	struct service_files files = {NULL, 0};

	(void)state;
	assert_true(service_files_add_config(&files, c));
	ASSERT_FILES(&files, SERVICE_READS, "/x/pgweir.ini", "a.pem", "c.pem", "k.pem");
	service_files_fini(&files);
	config_unref(c);
}

static void each_file_is_there_once(void **state)
{
	struct service_files files = {NULL, 0};

	(void)state;
	assert_true(service_files_add(&files, SERVICE_READS, "a"));
	assert_true(service_files_add(&files, SERVICE_READS, "a"));
	assert_true(service_files_add(&files, SERVICE_WRITES, "a"));
	assert_true(service_files_add(&files, SERVICE_READS, NULL));
	assert_true(service_files_add(&files, SERVICE_READS, ""));
	ASSERT_FILES(&files, SERVICE_READS, "a");
	ASSERT_FILES(&files, SERVICE_WRITES, "a");
	service_files_fini(&files);
}

static void the_directories_of_what_is_read_are_looked_into(void **state)
{
	struct service_files files = {NULL, 0};

	(void)state;
	assert_true(service_files_add_read(&files, "/x/pgweir.ini"));
	assert_true(service_files_add_read(&files, "userlist.txt"));
	assert_true(service_files_add_read(&files, "conf.d/a.ini"));
	assert_true(service_files_add_read(&files, "conf.d/b.ini"));
	ASSERT_FILES(&files, SERVICE_READS, "/x/pgweir.ini", "userlist.txt", "conf.d/a.ini", "conf.d/b.ini");
	ASSERT_FILES(&files, SERVICE_ENTERS, "/x/", "conf.d/");
	service_files_fini(&files);
}

static void a_stop_may_take_what_the_settings_say_or_half_a_minute(void **state)
{
	struct settings s = {.drain_delay_us = 0};

	(void)state;
	assert_int_equal(service_stop_us(&s), 30 * US_PER_S);
	s.drain_delay_us = 5 * US_PER_S;
	assert_int_equal(service_stop_us(&s), 35 * US_PER_S);
	s.drain_timeout_us = 7 * US_PER_S;
	assert_int_equal(service_stop_us(&s), 12 * US_PER_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_service_uses_its_files_and_nothing_else),
	    cmocka_unit_test(certificates_of_databases_are_read_and_those_of_the_system_are_no_file),
	    cmocka_unit_test(each_file_is_there_once),
	    cmocka_unit_test(the_directories_of_what_is_read_are_looked_into),
	    cmocka_unit_test(a_stop_may_take_what_the_settings_say_or_half_a_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
