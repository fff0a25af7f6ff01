/* Classification of secrets, and the one slot that is filled later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/secret.h"

#define KEY "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
#define VERIFIER "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$" KEY ":" KEY

static void secrets_are_told_apart_by_their_form(void **state)
{
	static const struct {
		const char *text;
		enum secret_kind kind;
	} cases[] = {
	    {"", SECRET_NONE},
	    {"pencil", SECRET_PLAIN},
	    {"md50123456789abcdef0123456789abcdef", SECRET_MD5},
	    {"md50123456789ABCDEF0123456789abcdef", SECRET_PLAIN},
	    {"md50123456789abcdef0123456789abcde", SECRET_PLAIN},
	    {"md50123456789abcdef0123456789abcdef0", SECRET_PLAIN},
	    {"md50123456789abcdef0123456789abcdeg", SECRET_PLAIN},
	    {"MD50123456789abcdef0123456789abcdef", SECRET_PLAIN},
	    {VERIFIER, SECRET_SCRAM},
	    {VERIFIER " ", SECRET_PLAIN},
	    {"SCRAM-SHA-256$0:W22ZaJ0SNY7soEsUEjb6gQ==$" KEY ":" KEY, SECRET_PLAIN},
	    {"SCRAM-SHA-256$-1:W22ZaJ0SNY7soEsUEjb6gQ==$" KEY ":" KEY, SECRET_PLAIN},
	    {"SCRAM-SHA-256$2147483648:W22ZaJ0SNY7soEsUEjb6gQ==$" KEY ":" KEY, SECRET_PLAIN},
	    {"SCRAM-SHA-256$4096:$" KEY ":" KEY, SECRET_PLAIN},
	    {"SCRAM-SHA-256$4096:W22ZaJ0S*Y7soEsUEjb6gQ==$" KEY ":" KEY, SECRET_PLAIN},
	    {"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$" KEY, SECRET_PLAIN},
	    {"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$AAAA:" KEY, SECRET_PLAIN},
	    {"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$" KEY ":AAAA", SECRET_PLAIN},
	    {"SCRAM-SHA-256", SECRET_PLAIN},
	    {"SCRAM-SHA-256$", SECRET_PLAIN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct secret *s = secret_new(cases[i].text, strlen(cases[i].text));

		assert_non_null(s);
		assert_int_equal(secret_kind(s), cases[i].kind);
		assert_string_equal(secret_text(s), cases[i].text);
		assert_int_equal(secret_len(s), strlen(cases[i].text));
		assert_int_equal(secret_verifier(s) != NULL, cases[i].kind == SECRET_SCRAM);
		secret_unref(s);
	}
}

static void verifier_cut_anywhere_is_plain(void **state)
{
	(void)state;
	for (size_t len = 1; len < strlen(VERIFIER); len++) {
		struct secret *s = secret_new(VERIFIER, len);

		assert_int_equal(secret_kind(s), SECRET_PLAIN);
		secret_unref(s);
	}
}

static void no_secret_at_all_is_like_an_empty_one(void **state)
{
	struct secret *empty = secret_new(NULL, 5);

	(void)state;
	assert_non_null(empty);
	assert_int_equal(secret_kind(NULL), SECRET_NONE);
	assert_int_equal(secret_kind(empty), SECRET_NONE);
	assert_int_equal(secret_len(NULL), 0);
	assert_int_equal(secret_len(empty), 0);
	assert_string_equal(secret_text(NULL), "");
	assert_null(secret_ref(NULL));
	assert_null(secret_verifier(NULL));
	secret_unref(NULL);
	secret_unref(empty);
}

static void a_secret_lives_as_long_as_a_reference(void **state)
{
	struct secret *a = secret_new("one", 3);

	(void)state;
	assert_ptr_equal(secret_ref(a), a);
	secret_unref(a);
	assert_string_equal(secret_text(a), "one");
	secret_unref(a);
}

static void first_derived_verifier_is_remembered(void **state)
{
	struct secret *plain = secret_new("pencil", 6), *md5 = secret_new("md50123456789abcdef0123456789abcdef", 35);
	struct scram_verifier a = {.salt = {.iterations = 1}}, b = {.salt = {.iterations = 2}};

	(void)state;
	secret_remember(plain, &a);
	secret_remember(plain, &b);
	assert_int_equal(secret_verifier(plain)->salt.iterations, 1);
	secret_remember(md5, &a);
	assert_null(secret_verifier(md5));
	secret_remember(NULL, &a);
	secret_unref(plain);
	secret_unref(md5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(secrets_are_told_apart_by_their_form),
	    cmocka_unit_test(verifier_cut_anywhere_is_plain),
	    cmocka_unit_test(no_secret_at_all_is_like_an_empty_one),
	    cmocka_unit_test(a_secret_lives_as_long_as_a_reference),
	    cmocka_unit_test(first_derived_verifier_is_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
