/* Verbs of services where there are none: each says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "main/service.h"

static char directory[64], file[96], output[96], before[512];

static void put_file(const char *text)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int set_up(void **state)
{
	(void)state;
	assert_non_null(getcwd(before, sizeof(before)));
	snprintf(directory, sizeof(directory), "/tmp/pgweir-service-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(file, sizeof(file), "%s/pgweir.ini", directory);
	snprintf(output, sizeof(output), "%s/output", directory);
	put_file("[pgbouncer]\nservice_name = west\n");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(chdir(before), 0);
	unlink(file);
	unlink(output);
	return rmdir(directory);
}

static int run(const struct options *o)
{
	return service_command(o);
}

static int explain(const struct options *o)
{
	return service_explain(o, SERVICE_NOT_WAITED);
}

static int explain_elsewhere(const struct options *o)
{
	return service_explain(o, SERVICE_NO_MANAGER);
}

/* What it says on stderr has this in it; it fails. */
static void assert_says(int (*what)(const struct options *o), enum command command, const char *source,
                        const char *expected)
{
	struct options o = {.command = command, .program = "pgweir", .source = source};
	char said[2000];
	int kept = dup(STDERR_FILENO), status;
	size_t n;
	FILE *f;

	assert_non_null(freopen(output, "w", stderr));
	status = what(&o);
	fflush(stderr);
	assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
	close(kept);
	f = fopen(output, "r");
	assert_non_null(f);
	n = fread(said, 1, sizeof(said) - 1, f);
	fclose(f);
	said[n] = '\0';
	assert_int_equal(status, EXIT_FAILURE);
	if (strstr(said, expected) == NULL)
		fail_msg("not said: %s\nbut: %s", expected, said);
}

static void there_are_no_services_here(void **state)
{
	(void)state;
	assert_says(run, COMMAND_REGISTER, file,
	            "FATAL this system has no services that a program registers by itself");
	assert_says(run, COMMAND_UNREGISTER, file, "FATAL this system has no services");
	assert_says(explain_elsewhere, COMMAND_SERVICE, file, "option --service is not supported on this platform");
}

static void a_file_that_cannot_be_used_is_said_first(void **state)
{
	(void)state;
	put_file("[pgbouncer]\nlisten_port = west\n");
	assert_says(run, COMMAND_REGISTER, file, "listen_port");
	assert_says(run, COMMAND_UNREGISTER, file, "remove the service by its name: sc.exe delete NAME");
	assert_says(explain, COMMAND_SERVICE, file, "listen_port");
	assert_says(run, COMMAND_REGISTER, "postgres://a:b@c/d",
	            "a service needs a configuration file, and this is a URL");
}

static void who_types_what_the_manager_types_is_told_what_to_type(void **state)
{
	(void)state;
	assert_says(explain, COMMAND_SERVICE, file,
	            "To register a service:  pgweir -regservice \"/tmp/pgweir-service-");
}

static void paths_are_relative_to_the_file(void **state)
{
	struct options o = {.source = file};
	struct log *log = log_new();
	char now[512];

	(void)state;
	assert_non_null(log);
	service_enter(&o, log);
	assert_non_null(getcwd(now, sizeof(now)));
	assert_string_equal(now, directory);
	log_free(log);
}

static void a_directory_that_is_not_there_is_refused(void **state)
{
	(void)state;
	assert_says(run, COMMAND_REGISTER, "/tmp/pgweir-no-such-directory/x.ini",
	            "could not enter the directory of \"/tmp/pgweir-no-such-directory/x.ini\": No such file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(there_are_no_services_here, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_file_that_cannot_be_used_is_said_first, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(who_types_what_the_manager_types_is_told_what_to_type, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(paths_are_relative_to_the_file, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_directory_that_is_not_there_is_refused, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
