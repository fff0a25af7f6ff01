/* Asking PAM. libpam's place is taken by functions of this test, which do what a stack of modules might. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/pam.h"
#include "base/mem.h"
#include "conf/settings.h"

#ifdef HAVE_PAM
#include <security/pam_appl.h>

/* What the stack does: asks with these styles, then answers. */
static struct {
	int start, authenticate, account;
	int style[3]; /* 0: nothing more */
	bool asked_account;
	char service[50], user[50], host[50], got[50];
	int n_ended;
} stack;

struct pam_handle {
	struct pam_conv conv;
};

static struct pam_handle handle;

int pam_start(const char *service, const char *user, const struct pam_conv *conv, pam_handle_t **out)
{
	snprintf(stack.service, sizeof(stack.service), "%s", service);
	snprintf(stack.user, sizeof(stack.user), "%s", user);
	handle.conv = *conv;
	*out = stack.start == PAM_SUCCESS ? &handle : NULL;
	return stack.start;
}

int pam_set_item(pam_handle_t *h, int type, const void *item)
{
	(void)h;
	assert_int_equal(type, PAM_RHOST);
	snprintf(stack.host, sizeof(stack.host), "%s", (const char *)item);
	return PAM_SUCCESS;
}

static int converse(pam_handle_t *h)
{
	struct pam_message message[3];
	const struct pam_message *pointer[3];
	struct pam_response *response = NULL;
	int n = 0, result;

	for (; n < 3 && stack.style[n] != 0; n++) {
		message[n].msg_style = stack.style[n];
		message[n].msg = "a module speaks";
		pointer[n] = &message[n];
	}
	if (n == 0)
		return PAM_SUCCESS;
	result = h->conv.conv(n, pointer, &response, h->conv.appdata_ptr);
	if (result != PAM_SUCCESS)
		return result;
	for (int i = 0; i < n; i++) {
		if (response[i].resp != NULL)
			snprintf(stack.got, sizeof(stack.got), "%s", response[i].resp);
		mem_free(response[i].resp);
	}
	mem_free(response);
	return PAM_SUCCESS;
}

int pam_authenticate(pam_handle_t *h, int flags)
{
	int result = converse(h);

	assert_int_equal(flags, PAM_SILENT);
	return result == PAM_SUCCESS ? stack.authenticate : result;
}

int pam_acct_mgmt(pam_handle_t *h, int flags)
{
	(void)h;
	(void)flags;
	stack.asked_account = true;
	return stack.account;
}

int pam_end(pam_handle_t *h, int status)
{
	(void)h;
	(void)status;
	stack.n_ended++;
	return PAM_SUCCESS;
}

const char *pam_strerror(pam_handle_t *h, int number)
{
	static char text[30];

	(void)h;
	snprintf(text, sizeof(text), "error %d", number);
	return text;
}

static int reset(void **state)
{
	(void)state;
	memset(&stack, 0, sizeof(stack));
	stack.style[0] = PAM_PROMPT_ECHO_OFF;
	return 0;
}

static struct ask *ask(void)
{
	struct ask *a = ask_new(ASK_PAM, "ann", "pencil", 6, "10.0.0.5", NULL);

	assert_non_null(a);
	pam_ask(a);
	assert_null(strstr(a->why, "pencil"));
	assert_int_equal(stack.n_ended, stack.start == PAM_SUCCESS);
	return a;
}

static void right_password_of_a_good_account_is_a_yes(void **state)
{
	struct ask *a = ask();

	(void)state;
	assert_int_equal(a->answer, ASK_YES);
	assert_string_equal(stack.service, "pgbouncer");
	assert_string_equal(stack.user, "ann");
	assert_string_equal(stack.host, "10.0.0.5");
	assert_string_equal(stack.got, "pencil");
	assert_true(stack.asked_account);
	ask_free(a);
}

static void what_is_refused_and_what_is_trouble_are_told_apart(void **state)
{
	static const struct {
		int start, authenticate, account;
		enum ask_answer answer;
		const char *step;
	} cases[] = {
	    {0, PAM_AUTH_ERR, 0, ASK_NO, "authentication"},
	    {0, PAM_USER_UNKNOWN, 0, ASK_NO, "authentication"},
	    {0, PAM_AUTHINFO_UNAVAIL, 0, ASK_NO_ANSWER, "authentication"},
	    {0, 0, PAM_ACCT_EXPIRED, ASK_NO, "account"},
	    {0, 0, PAM_NEW_AUTHTOK_REQD, ASK_NO, "account"},
	    {0, 0, PAM_PERM_DENIED, ASK_NO, "account"},
	    {0, 0, PAM_SYSTEM_ERR, ASK_NO_ANSWER, "account"},
	    {PAM_ABORT, 0, 0, ASK_NO_ANSWER, "start"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char expected[100];
		int number = cases[i].start + cases[i].authenticate + cases[i].account;
		struct ask *a;

		(void)reset(state);
		stack.start = cases[i].start;
		stack.authenticate = cases[i].authenticate;
		stack.account = cases[i].account;
		a = ask();
		assert_int_equal(a->answer, cases[i].answer);
		snprintf(expected, sizeof(expected), "PAM service \"pgbouncer\" (%s): error %d", cases[i].step, number);
		assert_string_equal(a->why, expected);
		ask_free(a);
	}
}

static void messages_of_modules_are_heard_and_questions_refused(void **state)
{
	struct ask *a;

	(void)state;
	stack.style[0] = PAM_TEXT_INFO;
	stack.style[1] = PAM_ERROR_MSG;
	stack.style[2] = PAM_PROMPT_ECHO_OFF;
	stack.authenticate = PAM_AUTH_ERR;
	a = ask();
	assert_string_equal(stack.got, "pencil");
	assert_non_null(strstr(a->why, ": a module speaks"));
	ask_free(a);
	(void)reset(state);
	stack.style[1] = PAM_PROMPT_ECHO_ON;
	a = ask();
	assert_int_equal(a->answer, ASK_NO_ANSWER);
	assert_non_null(strstr(a->why, "a module asks for more than a password: \"a module speaks\""));
	assert_string_equal(stack.got, "");
	ask_free(a);
}
#else
static int reset(void **state)
{
	(void)state;
	return 0;
}

static void without_the_library_nobody_is_let_in(void **state)
{
	struct ask *a = ask_new(ASK_PAM, "ann", "pencil", 6, "10.0.0.5", NULL);

	(void)state;
	assert_non_null(a);
	pam_ask(a);
	assert_int_equal(a->answer, ASK_NO_ANSWER);
	assert_string_equal(a->why, CONF_NO_PAM);
	ask_free(a);
}
#endif

#define TEST(f) cmocka_unit_test_setup(f, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef HAVE_PAM
	    TEST(right_password_of_a_good_account_is_a_yes),
	    TEST(what_is_refused_and_what_is_trouble_are_told_apart),
	    TEST(messages_of_modules_are_heard_and_questions_refused),
#else
	    TEST(without_the_library_nobody_is_let_in),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
