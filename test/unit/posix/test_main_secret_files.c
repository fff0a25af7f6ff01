/* Tests of src/main/secret_files.c: which files are looked at, and what is said of those that are open. */
#include "../check_bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../log_file.h"
#include "main/secret_files.h"

static char folder[64];

static int set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/pgweir-test-XXXXXX");
	return mkdtemp(folder) != NULL && chdir(folder) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	static const char *const names[] = {"pgweir.ini", "users.txt", "client.key", "server.key", "own.key", "log"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(names[i]);
	return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1;
}

static void make(const char *name, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void note(void *context, const struct secret_file *file)
{
	str_printf((struct str *)context, "%s %s: %s\n", file->setting, file->path,
	           file->holds == NULL ? "nothing" : file->holds);
}

static void expect(const struct config *c, const char *story)
{
	struct str said;

	str_init(&said, 4096);
	secret_files_each(c, note, &said);
	assert_string_equal(str_text(&said), story);
	str_fini(&said);
}

#define PLAIN "[databases]\na = host=h\n[pgbouncer]\nauth_file=users.txt\n"

static void files_are_those_that_are_there_and_hold_secrets(void **state)
{
	struct config *c = configured(PLAIN, "\"ann\" \"secret\"\n");

	(void)state;
	expect(c, "");
	make("pgweir.ini", 0600);
	make("users.txt", 0600);
	expect(c, "auth_file users.txt: passwords\n");
	c->is_user_list_made = true;
	expect(c, "");
	config_unref(c);
	c = configured("[databases]\na = host=h server_tls_key_file=own.key\n[pgbouncer]\nserver_tls_key_file=\n", "");
	expect(c, "");
	config_unref(c);
	c = configured(PLAIN, "\"ann\" \"\"\n");
	expect(c, "auth_file users.txt: nothing\n");
	config_unref(c);
	c = configured("[databases]\na = host=h password=p\n[pgbouncer]\n", "");
	expect(c, "configuration file pgweir.ini: passwords\n");
	c->is_file_made = true;
	expect(c, "");
	config_unref(c);
	c = configured("[pgbouncer]\nhttp_auth_user=u\nhttp_auth_password=p\n", "");
	expect(c, "configuration file pgweir.ini: passwords\n");
	config_unref(c);
	c = configured(
	    "[pgbouncer]\nauth_ldap_options = ldapserver=h ldapbasedn=dc=x ldapbinddn=cn=y ldapbindpasswd=z\n", "");
	expect(c, "configuration file check.ini: passwords\n");
	config_unref(c);
}

static void keys_are_looked_at_once(void **state)
{
	struct config *c =
	    configured("[databases]\na = host=h server_tls_key_file=own.key\n"
	               "b = host=h server_tls_key_file=own.key\nc = host=h server_tls_key_file=server.key\n"
	               "[pgbouncer]\nclient_tls_key_file=client.key\nserver_tls_key_file=server.key\n",
	               "");

	(void)state;
	make("client.key", 0600);
	make("server.key", 0600);
	make("own.key", 0600);
	expect(c, "client_tls_key_file client.key: a private key\nserver_tls_key_file server.key: a private key\n"
	          "server_tls_key_file own.key: a private key\n");
	config_unref(c);
}

/* What the log says of this configuration. */
static void expect_log(const struct config *c, const char *words)
{
	struct log *log = log_new();
	char text[2000];
	FILE *f;

	assert_non_null(log);
	log_set_stderr(log, false);
	unlink("log");
	assert_true(log_to_file(log, "log"));
	secret_files_warn(c, log);
	log_free(log);
	f = fopen("log", "r");
	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	if (words[0] == '\0')
		assert_string_equal(text, "");
	else if (strstr(text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", text, words);
}

static void what_everybody_may_read_is_said_if_there_is_a_secret_in_it(void **state)
{
	struct config *c = configured(PLAIN, "\"ann\" \"secret\"\n"), *empty = configured(PLAIN, "\"ann\" \"\"\n");
	char here[512], words[1024];

	(void)state;
	assert_non_null(getcwd(here, sizeof(here)));
	make("users.txt", 0640);
	expect_log(c, "");
	make("users.txt", 0660); /* whom a group is for is its maker's business */
	expect_log(c, "");
	make("users.txt", 0644);
	snprintf(words, sizeof(words),
	         " WARNING auth_file \"users.txt\" can be read by others than its owner\n"
	         "\tDETAIL: It holds passwords, and its mode is 0644.\n\tHINT: chmod 640 %s/users.txt\n",
	         here);
	expect_log(c, words);
	expect_log(empty, "");
	config_unref(c);
	config_unref(empty);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(files_are_those_that_are_there_and_hold_secrets),
	    TEST(keys_are_looked_at_once),
	    TEST(what_everybody_may_read_is_said_if_there_is_a_secret_in_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
