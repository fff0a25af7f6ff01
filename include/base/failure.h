/*
 * A failure as the code that noticed it knows it: facts, no judgement. It is
 * filled in where it happens and travels up unchanged; diag/explain turns it
 * into what people read. An empty failure (all zero) means "none".
 */
#ifndef BASE_FAILURE_H
#define BASE_FAILURE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

/* What was being done. Order is that of a server connection's life. */
enum failure_phase {
	PHASE_NONE,
	PHASE_RESOLVE, /* looking up a host name */
	PHASE_CONNECT, /* TCP or Unix connect */
	PHASE_TLS,     /* SSLRequest and handshake */
	PHASE_STARTUP, /* our start-up message is out, nothing came back yet */
	PHASE_AUTH,    /* from the server's first answer to AuthenticationOk */
	PHASE_SETTLE,  /* from AuthenticationOk to the first ReadyForQuery */
	PHASE_SESSION, /* in use or idle */
	PHASE_LOOKUP   /* running auth_query for a client that logs in */
};

/* What `code` means. */
enum failure_domain {
	DOMAIN_NONE,
	DOMAIN_ERRNO,  /* an errno value */
	DOMAIN_GAI,    /* a getaddrinfo result */
	DOMAIN_TLS,    /* one of enum failure_tls; the words are in text */
	DOMAIN_SERVER, /* the server's ErrorResponse; `report` has it whole */
	DOMAIN_POOLER  /* one of enum failure_code */
};

/* Reasons that no system and no server names. */
enum failure_code {
	FAILURE_NONE,
	FAILURE_TIMED_OUT,    /* the time allowed for this phase is over */
	FAILURE_CLOSED,       /* the other side closed without a word */
	FAILURE_NOT_POSTGRES, /* something answered in another protocol; text: first bytes, printable */
	FAILURE_PROTOCOL,     /* a message that is malformed or not allowed now; text: which */
	FAILURE_TOO_LARGE,    /* a message beyond a limit; text: which */
	FAILURE_NO_TLS,       /* TLS is required, the other side has none */
	FAILURE_AUTH_METHOD,  /* the server asks for a method that we do not know; text: its name */
	FAILURE_AUTH_SECRET,  /* what we have stored cannot answer that method; text: why */
	FAILURE_AUTH_NO_KEYS, /* a SCRAM verifier is stored, and no client's own login gave its keys; text: likewise */
	FAILURE_AUTH_OTHER_SALT,  /* the SCRAM verifier or keys are not those of this server; text: what differs */
	FAILURE_AUTH_NO_PASSWORD, /* the server asks for a password, none is known */
	FAILURE_AUTH_SERVER,      /* the server could not prove that it knows the secret (SCRAM) */
	FAILURE_NO_MEMORY,
	FAILURE_WRONG_ROLE,      /* target_session_attrs asks for another host; text: what this one is */
	FAILURE_NO_ADDRESS,      /* a host name has no addresses, or no host is configured */
	FAILURE_ADMIN,           /* ended by an operator; text: how */
	FAILURE_LOOKUP_SHAPE,    /* auth_query does not return what it has to; text: what instead */
	FAILURE_LOOKUP_DATABASE, /* there is no database to run auth_query in; text: why */

	/* No server has failed: what keeps a client from being served. Phase PHASE_NONE. */
	FAILURE_POOL_FULL,                /* query_wait_timeout is over: all servers of the pool are busy */
	FAILURE_DATABASE_FULL,            /* likewise, and max_db_connections is reached */
	FAILURE_USER_FULL,                /* likewise, and max_user_connections is reached */
	FAILURE_HOST_FULL,                /* likewise, and max_host_connections is reached */
	FAILURE_PROCESS_FULL,             /* likewise, and max_server_connections is reached */
	FAILURE_PAUSED,                   /* likewise, while paused; text: by whom, since when */
	FAILURE_DISABLED,                 /* the database is */
	FAILURE_NO_DATABASE,              /* no entry for the name that the client asked for */
	FAILURE_DATABASE_CLIENTS,         /* max_db_client_connections is reached */
	FAILURE_USER_CLIENTS,             /* max_user_client_connections is reached */
	FAILURE_TOO_MANY_CLIENTS,         /* max_client_conn is reached */
	FAILURE_QUERY_TIMEOUT,            /* text: "waiting" if no server had been found yet */
	FAILURE_TRANSACTION_TIMEOUT,      /* the setting of that name, as are the next three */
	FAILURE_IDLE_TRANSACTION_TIMEOUT, /* ditto */
	FAILURE_CLIENT_IDLE_TIMEOUT,      /* ditto */
	FAILURE_CLIENT_LOGIN_TIMEOUT,     /* ditto; text: "server down" if only a server was missing */
	FAILURE_SHUTDOWN,                 /* the pooler ends; text: "newcomer" for clients that come now */
	FAILURE_DATABASE_REMOVED          /* by a changed configuration, or by KILL */
};

/* What a handshake, or the records after it, ended with. */
enum failure_tls {
	FAILURE_TLS_OTHER,       /* text: the library's words */
	FAILURE_TLS_NOT_TRUSTED, /* the other side's certificate; text: why, and who issued it */
	FAILURE_TLS_EXPIRED,     /* likewise; text: when, and our clock */
	FAILURE_TLS_NOT_YET_VALID,
	FAILURE_TLS_OTHER_NAME,     /* it is for another host; text: which names are in it */
	FAILURE_TLS_NOTHING_COMMON, /* no protocol version, cipher or group; text: what we offer */
	FAILURE_TLS_OURS_REFUSED,   /* the other side does not want our certificate; text: its words */
	FAILURE_TLS_NOT_TLS         /* it answered something else */
};

struct failure {
	enum failure_phase phase;
	enum failure_domain domain;
	int code;
	char text[160];    /* further facts, one line, may be empty */
	char *report;      /* DOMAIN_SERVER: body of the ErrorResponse, owned */
	size_t report_len; /* bytes */
};

void failure_init(struct failure *f);
void failure_fini(struct failure *f);

/* Fill in; whatever was there before is freed. `text` may be NULL. `f` may be NULL where nobody wants to know. */
void failure_set(struct failure *f, enum failure_phase phase, enum failure_domain domain, int code, const char *text);
void failure_setf(struct failure *f, enum failure_phase phase, enum failure_domain domain, int code, const char *fmt,
                  ...) PRINTF(5, 6);

/* The server's ErrorResponse body is copied; out of memory leaves the report empty but the rest right. */
void failure_set_report(struct failure *f, enum failure_phase phase, const char *body, size_t len);

/* Copies or moves; a moved-from failure is empty. `to` must be initialised; in failure_copy it may be NULL. */
void failure_copy(struct failure *to, const struct failure *from);
void failure_take(struct failure *to, struct failure *from);

bool failure_is_set(const struct failure *f);
/* True for this reason of our own. */
bool failure_is_of_pooler(const struct failure *f, enum failure_code code);

#endif
