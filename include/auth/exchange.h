/*
 * The login of one client at us, without a socket: messages in, messages out.
 * Made when the user and the method are known, freed right after the login.
 * Owned by one thread (the client's worker).
 *
 *   exchange_new → exchange_start → [SEND → exchange_take]… → PASSED or REFUSED
 *                                      NEED_KEYS → exchange_take_order → scram_order_run on a helper → exchange_resume
 *                                      NEED_ANSWER → exchange_take_ask → ask_run on a helper → exchange_answered
 */
#ifndef AUTH_EXCHANGE_H
#define AUTH_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/ask.h"
#include "auth/context.h"
#include "auth/scram.h"
#include "auth/secret.h"
#include "base/attr.h"
#include "base/str.h"
#include "conf/config.h"

#define EXCHANGE_RANDOM_BYTES (SCRAM_NONCE_BYTES + 4u)
#define EXCHANGE_MAX_PASSWORD_BYTES 65535u

enum exchange_method {
	EXCHANGE_TRUST, /* the user must exist */
	EXCHANGE_ANY,   /* not even that */
	EXCHANGE_PLAIN, /* cleartext password */
	EXCHANGE_MD5,   /* becomes SCRAM where a SCRAM verifier is stored */
	EXCHANGE_SCRAM,
	EXCHANGE_CERT, /* nothing is asked: its certificate has said who it is */
	EXCHANGE_PEER, /* the same with the account at the other end of a Unix socket */
	EXCHANGE_PAM,  /* these two: cleartext password, of which somebody else says whether it is right; */
	EXCHANGE_LDAP  /* users need not exist here */
};

enum exchange_result {
	EXCHANGE_SEND,        /* send what was appended, then wait for a 'p' message */
	EXCHANGE_NEED_KEYS,   /* nothing to send: an order is to be carried out first */
	EXCHANGE_NEED_ANSWER, /* likewise: a question is to be asked first */
	EXCHANGE_PASSED,      /* send what was appended (may be nothing); AuthenticationOk is the caller's */
	EXCHANGE_REFUSED      /* exchange_refusal says why; nothing was appended */
};

/* Why, in the words of reference section 14. The client is never told more than exchange_refusal_text. */
enum exchange_refusal {
	EXCHANGE_WRONG_PASSWORD, /* password authentication failed */
	EXCHANGE_SASL_FAILED,    /* SASL authentication failed */
	EXCHANGE_SASL_MECHANISM, /* client selected an invalid SASL authentication mechanism */
	EXCHANGE_EMPTY_PASSWORD, /* empty password returned by client */
	EXCHANGE_NOT_TRUSTED,    /* "trust" authentication failed */
	EXCHANGE_PAM_FAILED,     /* PAM authentication failed */
	EXCHANGE_LDAP_FAILED,    /* LDAP authentication failed */
	EXCHANGE_CERT_FAILED,    /* certificate authentication failed */
	EXCHANGE_PEER_FAILED,    /* unix socket login rejected */
	EXCHANGE_TOO_LONG,       /* password too long */
	EXCHANGE_BROKEN_MESSAGE, /* failed to parse packet */
	EXCHANGE_OUT_OF_MEMORY   /* out of memory */
};

struct exchange_setup {
	enum exchange_method method;
	const char *user;          /* as the client gave it; copied */
	bool user_exists;          /* false: a mock login, same messages and work, always refused */
	struct secret *secret;     /* a reference is taken; NULL as SECRET_NONE */
	uint32_t scram_iterations; /* for plain secrets, and mock logins that are like those */
	struct conf_mock mock;     /* what users look like who do not exist, or have no secret */
	const void *binding;       /* what binds SCRAM to this connection (RFC 5929); copied; NULL: nothing */
	size_t binding_len;        /* at most SCRAM_MAX_BINDING_BYTES */
	const char *host;          /* EXCHANGE_PAM: where the client is, in numbers, or "[local]"; copied */
	struct ldap_options *ldap; /* EXCHANGE_LDAP: a reference is taken */
	const char *unproven; /* EXCHANGE_CERT, EXCHANGE_PEER: why it may not be this user, for the log; NULL: it may.
	                         Lives as long as the exchange */
	uint8_t random[EXCHANGE_RANDOM_BYTES]; /* fresh for every login */
};

struct exchange;

/* NULL: out of memory. `ctx` outlives the exchange. */
struct exchange *exchange_new(const struct auth_context *ctx, const struct exchange_setup *setup) MUST_USE;
/* Wipes and frees; NULL is fine. */
void exchange_free(struct exchange *e);

/* Once, first: appends the request for a password, or passes or refuses at once. */
enum exchange_result exchange_start(struct exchange *e, struct str *out) MUST_USE;

/* Body of a 'p' message. Allowed after EXCHANGE_SEND only, anything else is refused. */
enum exchange_result exchange_take(struct exchange *e, const char *body, size_t len, struct str *out) MUST_USE;

/* After EXCHANGE_NEED_KEYS: the order, now the caller's (scram_order_free). NULL: out of memory, refuse the login. */
struct scram_order *exchange_take_order(struct exchange *e) MUST_USE;

/* With the order carried out; it stays the caller's. */
enum exchange_result exchange_resume(struct exchange *e, const struct scram_order *order, struct str *out) MUST_USE;

/* After EXCHANGE_NEED_ANSWER: the question, now the caller's (ask_free). NULL: out of memory, refuse the login. */
struct ask *exchange_take_ask(struct exchange *e) MUST_USE;

/* With the answer; it stays the caller's, until exchange_refusal_detail is not needed any more. */
enum exchange_result exchange_answered(struct exchange *e, const struct ask *a) MUST_USE;

/* After EXCHANGE_REFUSED. */
enum exchange_refusal exchange_refusal(const struct exchange *e);
const char *exchange_refusal_text(enum exchange_refusal why);  /* for the client */
const char *exchange_refusal_detail(const struct exchange *e); /* for the log: "user has MD5 secret", …; may be "" */

/* After EXCHANGE_PASSED by SCRAM: the client's own keys, for pass-through to a server with the same verifier. NULL
   otherwise. Valid until exchange_free. */
const struct scram_keys *exchange_keys(const struct exchange *e);

/* After EXCHANGE_PASSED by cleartext: the password the client sent, which may serve at the server. NULL otherwise. */
const char *exchange_password(const struct exchange *e, size_t *len);

/* Whether the password itself is stored. */
bool exchange_has_plain_secret(const struct exchange *e);

/* The method in use: EXCHANGE_MD5 may have become EXCHANGE_SCRAM. */
enum exchange_method exchange_method(const struct exchange *e);

#endif
