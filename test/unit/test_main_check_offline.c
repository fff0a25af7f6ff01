/* The checks that need no server, all together. */
#include "check_bench.h"
#include "main/check_offline.h"

#define GOOD                                                                                                           \
	"[databases]\napp = host=h\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port=61235\nunix_socket_dir=\n"         \
	"auth_type=md5\nserver_tls_sslmode=disable\nmax_prepared_statements=0\n"

static void check(const char *text, const char *story)
{
	struct config *c = configured(text, "\"ann\" \"secret\"\n\"ben\" \"\"\n");
	struct findings f;

	findings_init(&f);
	check_offline(&f, c, "nobody");
	assert_story(&f, story);
	findings_fini(&f);
	config_unref(c);
}

static void every_kind_of_check_takes_part(void **state)
{
	(void)state;
	/* settings, differences, secrets, files, descriptors; the user list exists only for the loader */
	check(GOOD "auth_file=users.txt\nquery_wait_timeout=0\n",
	      "warning settings: query_wait_timeout is 0: a client waits for a server without end\n"
	      "note PgBouncer: query_wait_timeout (0 s) is not how long a client waits for a server that cannot be "
	      "reached: it is told after server_down_wait\n"
	      "warning secrets: user \"ben\" cannot log in by md5: the stored secret is empty\n"
	      "warning files: auth_file \"users.txt\" cannot be found\n");
}

static void remarks_of_the_loader_are_notes_but_what_the_files_own_check_says_is_said_once(void **state)
{
	(void)state;
	check(GOOD "auth_file=missing.txt\nsuspend_timeout=3\n",
	      "note settings: parameter suspend_timeout has no effect in configuration (pgweir.ini:11): the command it "
	      "belonged to is gone\n"
	      "error secrets: no user can log in: auth_file names none\n"
	      "warning files: auth_file \"missing.txt\" cannot be found\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_kind_of_check_takes_part),
	    cmocka_unit_test(remarks_of_the_loader_are_notes_but_what_the_files_own_check_says_is_said_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
