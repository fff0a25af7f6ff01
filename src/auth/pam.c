/* Asking PAM whether a password is right, and whether the account may be used. Any thread. */
#include "auth/pam.h"

#include "conf/settings.h"

#ifdef HAVE_PAM
#include <security/pam_appl.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* What the modules say and are told. */
struct talk {
	const struct ask *ask;
	char said[200]; /* the last error message of a module */
};

static void forget(struct pam_response *response, int n)
{
	for (int i = 0; i < n; i++) {
		if (response[i].resp != NULL)
			mem_wipe(response[i].resp, strlen(response[i].resp));
		mem_free(response[i].resp);
	}
	mem_free(response);
}

static bool answer_one(struct talk *t, const struct pam_message *message, struct pam_response *response)
{
	switch (message->msg_style) {
	case PAM_PROMPT_ECHO_OFF:
		response->resp = mem_copy_str(t->ask->password);
		return response->resp != NULL;
	case PAM_ERROR_MSG:
		snprintf(t->said, sizeof(t->said), "%s", message->msg == NULL ? "" : message->msg);
		return true;
	case PAM_TEXT_INFO:
		return true;
	default: /* questions that nobody is there to answer */
		snprintf(t->said, sizeof(t->said), "a module asks for more than a password: \"%s\"",
		         message->msg == NULL ? "" : message->msg);
		return false;
	}
}

/* libpam frees the responses with free(), which is what mem_free calls. */
static int converse(int n, const struct pam_message **messages, struct pam_response **responses, void *arg)
{
	struct talk *t = (struct talk *)arg;
	struct pam_response *made;

	if (n <= 0 || n > PAM_MAX_NUM_MSG)
		return PAM_CONV_ERR;
	made = (struct pam_response *)mem_alloc((size_t)n * sizeof(made[0]));
	if (made == NULL)
		return PAM_BUF_ERR;
	for (int i = 0; i < n; i++) {
		if (!answer_one(t, messages[i], &made[i])) {
			forget(made, n);
			return PAM_CONV_ERR;
		}
	}
	*responses = made;
	return PAM_SUCCESS;
}

/* Did somebody say no, or is there trouble? */
static enum ask_answer answer_of(int result)
{
	switch (result) {
	case PAM_AUTH_ERR:
	case PAM_USER_UNKNOWN:
	case PAM_MAXTRIES:
	case PAM_PERM_DENIED:
	case PAM_ACCT_EXPIRED:
	case PAM_NEW_AUTHTOK_REQD:
	case PAM_AUTHTOK_EXPIRED:
	case PAM_CRED_INSUFFICIENT:
		return ASK_NO;
	default: /* numbers from modules */
		return ASK_NO_ANSWER;
	}
}

static void told_no(struct ask *a, const struct talk *t, pam_handle_t *handle, const char *step, int result)
{
	ask_answer(a, answer_of(result), "PAM service \"%s\" (%s): %s%s%s", ASK_PAM_SERVICE, step,
	           pam_strerror(handle, result), t->said[0] == '\0' ? "" : ": ", t->said);
}

static int ask_modules(struct ask *a, const struct talk *t, pam_handle_t *handle)
{
	const char *step = "client's address";
	int result = pam_set_item(handle, PAM_RHOST, a->host);

	if (result == PAM_SUCCESS) {
		step = "authentication";
		result = pam_authenticate(handle, PAM_SILENT);
	}
	if (result == PAM_SUCCESS) {
		step = "account";
		result = pam_acct_mgmt(handle, PAM_SILENT);
	}
	if (result == PAM_SUCCESS)
		a->answer = ASK_YES;
	else
		told_no(a, t, handle, step, result);
	return result;
}

void pam_ask(struct ask *a)
{
	struct talk talk = {a, ""};
	struct pam_conv conversation = {converse, &talk};
	pam_handle_t *handle = NULL;
	int result = pam_start(ASK_PAM_SERVICE, a->user, &conversation, &handle);

	if (result == PAM_SUCCESS)
		result = ask_modules(a, &talk, handle);
	else
		told_no(a, &talk, handle, "start", result);
	if (handle != NULL)
		(void)pam_end(handle, result);
}
#else
/* auth_type = pam is refused by the configuration; nobody is let in if it ever gets here. */
void pam_ask(struct ask *a)
{
	ask_answer(a, ASK_NO_ANSWER, "%s", CONF_NO_PAM);
}
#endif
