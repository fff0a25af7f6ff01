/* Files, directories and addresses, in a directory of this test's own. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../check_bench.h"
#include "main/check_offline.h"

static int set_up(void **state)
{
	static const char form[] = "/tmp/pgweir-check-XXXXXX";
	char *directory = (char *)calloc(1, sizeof(form));

	assert_non_null(directory);
	memcpy(directory, form, sizeof(form));
	assert_non_null(mkdtemp(directory));
	*state = directory;
	return chdir(directory);
}

static int tear_down(void **state)
{
	char *directory = (char *)*state;
	static const char *const names[] = {"users.txt", "log", "pid"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)unlink(names[i]);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(directory), 0);
	free(directory);
	return 0;
}

static void make(const char *name, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void check(const char *settings, const char *story)
{
	char text[500];
	struct config *c;
	struct findings f;

	snprintf(text, sizeof(text), "[pgbouncer]\nunix_socket_dir=\nlisten_port=61234\n%s", settings);
	c = configured(text, "\"ann\" \"secret\"\n");
	findings_init(&f);
	check_files(&f, c, "nobody");
	assert_story(&f, story);
	findings_fini(&f);
	config_unref(c);
}

static void a_user_list_is_for_its_owner_only(void **state)
{
	(void)state;
	make("users.txt", 0600);
	check("auth_file=users.txt\n", "");
	make("users.txt", 0640);
	check("auth_file=users.txt\n", "");
	make("users.txt", 0644);
	check("auth_file=users.txt\n", "warning files: auth_file \"users.txt\" can be read by others than its owner\n");
	make("users.txt", 0620);
	check("auth_file=users.txt\n",
	      "warning files: auth_file \"users.txt\" can be changed by others than its owner\n");
	check("auth_file=/nowhere/users.txt\n", "warning files: auth_file \"/nowhere/users.txt\" cannot be found\n");
}

static void files_that_were_made_of_variables_are_not_looked_for(void **state)
{
	struct config *c =
	    configured("[databases]\na = host=h password=p\n[pgbouncer]\nunix_socket_dir=\nlisten_port=61234\n"
	               "auth_file=users.txt\n",
	               "\"ann\" \"secret\"\n");
	struct findings f;

	(void)state;
	findings_init(&f);
	check_files(&f, c, "nobody");
	assert_int_equal(f.n[SEVERITY_WARNING], 2);
	findings_fini(&f);
	c->is_file_made = c->is_user_list_made = true;
	findings_init(&f);
	check_files(&f, c, "nobody");
	assert_story(&f, "");
	findings_fini(&f);
	config_unref(c);
}

static void what_will_be_written_needs_a_place(void **state)
{
	(void)state;
	check("logfile=log\npidfile=pid\n", "");
	check("logfile=/nowhere/log\n", "error files: logfile \"/nowhere/log\" cannot be created by account "
	                                "\"nobody\": No such file or directory\n");
	check("pidfile=/nowhere/pid\n", "error files: pidfile \"/nowhere/pid\" cannot be created by account "
	                                "\"nobody\": No such file or directory\n");
	/* nothing was made by looking */
	assert_int_equal(access("log", F_OK), -1);
	assert_int_equal(access("pid", F_OK), -1);
	/* of a running pooler */
	make("pid", 0644);
	check("pidfile=pid\n", "");
}

static void a_socket_needs_a_directory(void **state)
{
	(void)state;
	check("unix_socket_dir=/tmp\n", "");
	check("unix_socket_dir=.\n", "error files: unix_socket_dir \".\" is no absolute path\n");
	check("unix_socket_dir=@abstract\n", "");
	check("unix_socket_dir=/nowhere\n",
	      "error files: no Unix socket can be made in unix_socket_dir \"/nowhere\" by account "
	      "\"nobody\": No such file or directory\n");
	check("unix_socket_dir=/nowhere\nlisten_addr=127.0.0.1\n",
	      "error files: no Unix socket can be made in unix_socket_dir \"/nowhere\" by account \"nobody\": No "
	      "such file or "
	      "directory\n");
	check(
	    "unix_socket_dir=/"
	    "a-directory-with-a-name-so-long-that-no-socket-address-has-room-for-it-whatever-the-system-is-"
	    "on-which-this-runs\n",
	    "error files: unix_socket_dir is too long: "
	    "\"/"
	    "a-directory-with-a-name-so-long-that-no-socket-address-has-room-for-it-whatever-the-system-is-on-wh\"\n");
}

static void addresses_must_be_this_machines(void **state)
{
	(void)state;
	check("listen_addr=127.0.0.1\n", "");
	check("listen_addr=*\n", "");
	check("listen_addr=203.0.113.77\n",
	      "error addresses: cannot listen on \"203.0.113.77\", port 61234: Cannot assign requested address\n");
	check("listen_addr=127.0.0.1, 203.0.113.77\n",
	      "warning addresses: cannot listen on \"203.0.113.77\", port 61234: Cannot assign requested address\n");
	check("listen_addr=127.0.0.1 127.0.0.2\n",
	      "error addresses: listen_addr \"127.0.0.1 127.0.0.2\" cannot be found: Name or service not known\n");
}

static void remedies_are_for_the_system_that_it_runs_on(void **state)
{
	static const struct {
		bool on_windows;
		const char *remedy;
	} cases[] = {{false, "(ip addr)"}, {true, "(Get-NetIPAddress)"}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config *c =
		    configured("[pgbouncer]\nunix_socket_dir=\nlisten_port=61234\nlisten_addr=203.0.113.77\n", "");
		struct findings f;
		struct finding *n;

		findings_init(&f);
		f.on_windows = cases[i].on_windows;
		check_files(&f, c, "nobody");
		n = container_of(list_first(&f.list), struct finding, node);
		assert_non_null(strstr(str_text(&n->remedy), cases[i].remedy));
		findings_fini(&f);
		config_unref(c);
	}
}

static void more_clients_than_descriptors_is_a_warning(void **state)
{
	struct config *c = configured("[pgbouncer]\nmax_client_conn=2000000000\n", "");
	struct findings f;

	(void)state;
	findings_init(&f);
	check_descriptors(&f, c);
	assert_int_equal(f.n[SEVERITY_WARNING], 1);
	findings_fini(&f);
	config_unref(c);
	c = configured("[pgbouncer]\nmax_client_conn=10\n", "");
	findings_init(&f);
	check_descriptors(&f, c);
	assert_story(&f, "");
	findings_fini(&f);
	config_unref(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_user_list_is_for_its_owner_only, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(files_that_were_made_of_variables_are_not_looked_for, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_will_be_written_needs_a_place, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_socket_needs_a_directory, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(addresses_must_be_this_machines, set_up, tear_down),
	    cmocka_unit_test(remedies_are_for_the_system_that_it_runs_on),
	    cmocka_unit_test(more_clients_than_descriptors_is_a_warning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
