/* Every allocation fails once while environment variables are read: what was made is freed, and the next try works. */
#include "environment_bench.h"

#include "failing_mem.h"

static struct fake_file files[] = {{"/s", "geheim\n", 0}, {ENVIRONMENT_USERS, "\"ann\" \"x\"\n", 0}, {NULL, NULL, 0}};
static struct fake_file no_list[] = {{"/s", "geheim\n", 0}, {NULL, NULL, 0}};

/* Loads and shows; true if nothing was missing. */
static bool use(const char *const *variables, struct fake_file *of)
{
	struct environment e = bench_environment(variables, of);
	struct environment_made *m = environment_make(&e);
	struct conf_error why;
	struct config *c;
	struct str text;
	bool good;

	if (m == NULL)
		return false;
	memset(&why, 0, sizeof(why));
	c = environment_load(m, NULL, &why);
	if (c == NULL)
		assert_true(why.text[0] != '\0');
	str_init(&text, 1024 * 1024);
	environment_show(m, &text);
	good = c != NULL && !text.failed;
	str_fini(&text);
	config_unref(c);
	environment_free(m);
	return good;
}

static void sweep(const char *const *variables, struct fake_file *of)
{
	for (size_t at = 1; at < 100000; at++) {
		bool good, reached;

		mem_until_failure = at;
		mem_fails_once = true;
		good = use(variables, of);
		reached = mem_until_failure == 0;
		mem_until_failure = 0;
		assert_int_equal(mem_blocks, 0);
		if (!reached) {
			assert_true(good);
			assert_true(at > 50);
			return;
		}
	}
	fail();
}

static void variables_survive_every_failure(void **state)
{
	(void)state;
	sweep(ENV("DATABASE_URLS=postgres://u:p@h/d?sslmode=disable&x=y,postgres://v:q@i/e", "POOL_MODE=session",
	          "DB_NOTHING=1", "POOL_SIZE=3", "CLIENT_ENCODING=UTF8", "POSTGRESQL_PORT=1"),
	      files);
	sweep(ENV("DATABASE_URL=postgres://u@h/d", "DB_PASSWORD_FILE=/s", "AUTH_FILE=/none"), no_list);
	sweep(
	    ENV("DATABASES_HOST=h", "DATABASES_PASSWORD=p", "DATABASES_POOL_SIZE=3", "DATABASES=a=host=b,\"c\"=host=d"),
	    no_list);
	sweep(ENV("POSTGRESQL_PASSWORD=p", "PGBOUNCER_DSN_0=a=host=b password=c", "PGBOUNCER_USERLIST=\"x\" \"y\"",
	          "PGBOUNCER_DSN_1_FILE=/none", "PGBOUNCER_AUTH_USER=z"),
	      no_list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(variables_survive_every_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
