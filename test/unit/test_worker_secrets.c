/* Secrets of a worker's users: one each, kept with what was derived, gone with the edition. */
#include "worker_scene.h"

#include "worker/secrets.h"

static struct secret *secret_of(struct bench *b, const char *user)
{
	const struct conf_login *login = config_find_login(b->conf, user);
	struct secret *s;

	assert_non_null(login);
	s = secrets_find(b->w, login);
	assert_non_null(s);
	return s;
}

static void every_user_has_one_secret(void **state)
{
	struct bench b;
	struct secret *ann;

	(void)state;
	bench_init(&b, "");
	ann = secret_of(&b, "ann");
	assert_string_equal(secret_text(ann), "pencil");
	assert_ptr_equal(secret_of(&b, "ann"), ann);
	assert_ptr_not_equal(secret_of(&b, "trusty"), ann);
	assert_int_equal(secret_len(secret_of(&b, "trusty")), 0);
	assert_ptr_equal(secret_of(&b, "ann"), ann);
	bench_fini(&b);
}

static void what_was_derived_stays_with_it(void **state)
{
	static const struct scram_verifier derived = {.stored_key = {7}};
	struct bench b;

	(void)state;
	bench_init(&b, "");
	assert_null(secret_verifier(secret_of(&b, "ann")));
	secret_remember(secret_of(&b, "ann"), &derived);
	assert_non_null(secret_verifier(secret_of(&b, "ann")));
	assert_int_equal(secret_verifier(secret_of(&b, "ann"))->stored_key[0], 7);
	assert_null(secret_verifier(secret_of(&b, "trusty")));
	bench_fini(&b);
}

static void a_login_by_scram_leaves_its_derivation_there(void **state)
{
	struct bench b;
	struct side *c;

	(void)state;
	bench_init(&b, "auth_type=scram-sha-256");
	c = bench_client(&b);
	say_startup(&b, c, "ann", "app");
	prove_scram(&b, c, "pencil");
	assert_non_null(secret_verifier(secret_of(&b, "ann")));
	bench_fini(&b);
}

static void forgotten_and_new_editions_begin_again(void **state)
{
	static const struct scram_verifier derived = {.stored_key = {7}};
	struct bench b;
	struct secret *old;

	(void)state;
	bench_init(&b, "");
	old = secret_ref(secret_of(&b, "ann"));
	secret_remember(old, &derived);
	secrets_forget(b.w);
	assert_ptr_not_equal(secret_of(&b, "ann"), old);
	assert_null(secret_verifier(secret_of(&b, "ann")));
	/* whoever still has it may use it */
	assert_string_equal(secret_text(old), "pencil");
	secret_unref(old);
	old = secret_ref(secret_of(&b, "ann"));
	worker_set_config(b.w, b.conf);
	assert_ptr_not_equal(secret_of(&b, "ann"), old);
	secret_unref(old);
	bench_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_user_has_one_secret),
	    cmocka_unit_test(what_was_derived_stays_with_it),
	    cmocka_unit_test(a_login_by_scram_leaves_its_derivation_there),
	    cmocka_unit_test(forgotten_and_new_editions_begin_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
