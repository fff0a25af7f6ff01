/* Questions to PAM and LDAP, and who answers them. Any thread. */
#include "auth/ask.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "auth/ldap.h"
#include "auth/pam.h"
#include "base/mem.h"
#include "base/printable.h"

struct ask *ask_new(enum ask_whom whom, const char *user, const char *password, size_t len, const char *host,
                    struct ldap_options *ldap)
{
	struct ask *a = mem_new(struct ask);

	if (a == NULL)
		return NULL;
	a->whom = whom;
	atomic_init(&a->nobody_waits, false);
	if (ldap != NULL) {
		shared_ref(&ldap->shared);
		a->ldap = ldap;
	}
	snprintf(a->host, sizeof(a->host), "%s", host);
	a->user = mem_copy_str(user);
	a->password = mem_copy(password, len);
	a->password_len = len;
	if (a->user == NULL || a->password == NULL) {
		ask_free(a);
		return NULL;
	}
	return a;
}

void ask_free(struct ask *a)
{
	if (a == NULL)
		return;
	if (a->ldap != NULL)
		shared_unref(&a->ldap->shared);
	if (a->password != NULL)
		mem_wipe(a->password, a->password_len);
	mem_free(a->password);
	mem_free(a->user);
	mem_free(a);
}

void ask_answer(struct ask *a, enum ask_answer answer, const char *fmt, ...)
{
	char text[ASK_WHY_BYTES];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	printable_copy(a->why, sizeof(a->why), text);
	a->answer = answer;
}

void ask_run(struct ask *a)
{
	if (atomic_load(&a->nobody_waits)) {
		ask_answer(a, ASK_NO_ANSWER, "nobody waits for it any more");
		return;
	}
	/* an LDAP server takes an empty password for "I do not want to prove anything", and says yes */
	if (a->password_len == 0) {
		ask_answer(a, ASK_NO, "empty password");
		return;
	}
	if (a->whom == ASK_LDAP)
		ldap_ask(a);
	else
		pam_ask(a);
}

const char *ask_name(enum ask_whom whom)
{
	return whom == ASK_LDAP ? "LDAP" : "PAM";
}
