/* Questions: who is asked, and who is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/ask.h"
#include "auth/ldap.h"
#include "auth/pam.h"
#include "failing_mem.h"

static int n_pam, n_ldap;

void pam_ask(struct ask *a)
{
	n_pam++;
	ask_answer(a, ASK_NO, "said\nno to %s", a->user);
}

void ldap_ask(struct ask *a)
{
	n_ldap++;
	assert_non_null(a->ldap);
	a->answer = ASK_YES;
}

static struct ldap_options *options(void)
{
	struct conf_error why;

	return ldap_options_parse("ldapserver=a ldapprefix=b", NULL, 0, &why);
}

static void each_kind_has_its_answerer(void **state)
{
	struct ldap_options *o = options();
	struct ask *pam = ask_new(ASK_PAM, "ann", "pencil", 6, "10.0.0.5", NULL);
	struct ask *ldap = ask_new(ASK_LDAP, "ann", "pencil", 6, "10.0.0.5", o);

	(void)state;
	shared_unref(&o->shared); /* the question has a reference of its own */
	n_pam = n_ldap = 0;
	ask_run(pam);
	assert_int_equal(n_pam, 1);
	assert_int_equal(pam->answer, ASK_NO);
	assert_string_equal(pam->why, "said no to ann"); /* one line */
	ask_run(ldap);
	assert_int_equal(n_ldap, 1);
	assert_int_equal(ldap->answer, ASK_YES);
	assert_string_equal(ask_name(ASK_PAM), "PAM");
	assert_string_equal(ask_name(ASK_LDAP), "LDAP");
	ask_free(pam);
	ask_free(ldap);
	ask_free(NULL);
	assert_int_equal(mem_blocks, 0);
}

static void empty_passwords_and_questions_of_nobody_are_not_asked(void **state)
{
	struct ldap_options *o = options();
	struct ask *empty = ask_new(ASK_LDAP, "ann", "", 0, "[local]", o);
	struct ask *gone = ask_new(ASK_PAM, "ann", "pencil", 6, "[local]", NULL);

	(void)state;
	n_pam = n_ldap = 0;
	ask_run(empty);
	assert_int_equal(empty->answer, ASK_NO);
	assert_string_equal(empty->why, "empty password");
	atomic_store(&gone->nobody_waits, true);
	ask_run(gone);
	assert_int_equal(gone->answer, ASK_NO_ANSWER);
	assert_int_equal(n_pam + n_ldap, 0);
	ask_free(empty);
	ask_free(gone);
	shared_unref(&o->shared);
}

static void want_of_memory_makes_no_half_question(void **state)
{
	struct ask *a = NULL;

	(void)state;
	for (size_t n = 1; a == NULL; n++) {
		assert_true(n < 10);
		mem_until_failure = n;
		a = ask_new(ASK_PAM, "ann", "pencil", 6, "[local]", NULL);
		mem_until_failure = 0;
		if (a == NULL)
			assert_int_equal(mem_blocks, 0);
	}
	ask_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_kind_has_its_answerer),
	    cmocka_unit_test(empty_passwords_and_questions_of_nobody_are_not_asked),
	    cmocka_unit_test(want_of_memory_makes_no_half_question),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
