/*
 * Asking somebody else whether a password is right: PAM (auth/pam.h), or an LDAP server (auth/ldap.h). Both block, PAM
 * for as long as its modules like, so a question is a thing of its own that a helper thread can work on.
 *
 * Owned by whoever holds the pointer.
 */
#ifndef AUTH_ASK_H
#define AUTH_ASK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "conf/ldap_options.h"

#define ASK_WHY_BYTES 400u
#define ASK_HOST_BYTES 64u

enum ask_whom { ASK_PAM, ASK_LDAP, ASK_KINDS };

enum ask_answer {
	ASK_NO_ANSWER, /* nobody could be asked, or there is trouble on the other side */
	ASK_YES,
	ASK_NO
};

struct ask {
	enum ask_whom whom;
	char *user;
	char *password; /* NUL-terminated, never empty */
	size_t password_len;
	char host[ASK_HOST_BYTES]; /* where the client is, in numbers; "[local]" */
	struct ldap_options *ldap; /* ASK_LDAP: a reference */
	atomic_bool nobody_waits;  /* set by any thread: do not even begin */
	enum ask_answer answer;    /* the result */
	char why[ASK_WHY_BYTES];   /* one line for the log: what PAM or the server said; empty after ASK_YES */
};

/* Copies everything; takes a reference to `ldap`, which is NULL for PAM. NULL: out of memory. */
struct ask *ask_new(enum ask_whom whom, const char *user, const char *password, size_t len, const char *host,
                    struct ldap_options *ldap) MUST_USE;
/* Wipes and frees; NULL is fine. */
void ask_free(struct ask *a);

/* Blocks. Any thread; touches nothing but the question. */
void ask_run(struct ask *a);

/* Sets answer and why. Control characters in it become question marks. */
void ask_answer(struct ask *a, enum ask_answer answer, const char *fmt, ...) PRINTF(3, 4);

/* "PAM", "LDAP", for texts. */
const char *ask_name(enum ask_whom whom);

#endif
