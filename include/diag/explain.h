/*
 * From what was noticed to what people read: one table (failures.def) turns a
 * failure and the facts around it into a verdict. Pure, any thread.
 */
#ifndef DIAG_EXPLAIN_H
#define DIAG_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/failure.h"
#include "base/str.h"
#include "diag/server_place.h"
#include "wire/message.h"

/* How long anybody may wait for it to pass (doc/manual/errors.md). */
enum verdict_kind {
	VERDICT_NONE,      /* no outage: only this session or this attempt is concerned */
	VERDICT_REFUSED,   /* somebody answered, and it was no: told at once */
	VERDICT_UNREACHED, /* nobody usable answered: told when the outage is server_down_wait old */
	VERDICT_LATER      /* the server says that it is coming: likewise */
};

/* Between whom the knowledge may be shared: only what was learned before saying who we are leaves the pool. */
enum verdict_scope { SCOPE_POOL, SCOPE_ADDRESS, SCOPE_NAME };

/* Which SQLSTATE the pooler's own errors have. What a server sent is always kept. */
enum sqlstate_mode {
	SQLSTATE_COMPATIBLE, /* 08P01, as PgBouncer */
	SQLSTATE_PRECISE
};

/* What is known here of the user's password. */
enum stored_secret { STORED_UNKNOWN, STORED_NOTHING, STORED_PLAIN, STORED_MD5, STORED_SCRAM };

/* One of several targets that were tried, one after the other. */
struct tried {
	const char *host, *address; /* as in struct facts */
	int port;
	bool is_unix;
	const struct failure *failure;
};

/* Plain values around a failure; unknown ones are NULL or 0 and left out of the texts. Valid during the call. */
struct facts {
	const char *database;        /* on the server */
	const char *user;            /* the role we log in as */
	const char *host;            /* as configured: a name, an address, or a socket's directory */
	const char *address;         /* numeric, or the socket's full path */
	int port;                    /* 0: not known */
	bool is_unix;                /* a Unix socket: address is its path */
	const char *hosts;           /* all of the [databases] line, as written */
	const char *wanted_role;     /* what target_session_attrs asks of one: "is a primary" */
	const char *tls;             /* "require", "off", a protocol version, … */
	const char *ca_file;         /* of authorities for servers' certificates */
	bool system_ca;              /* those authorities are the ones that the system trusts */
	bool encrypted;              /* the connection was */
	const char *source_address;  /* our end of the connection */
	const char *config_place;    /* "/etc/pgweir.ini:12", of the [databases] line in use */
	const char *config_database; /* the name on its left side, which clients ask for */
	const char
	    *secret_place; /* "/etc/userlist.txt:3", "auth_query", "the client's login": where the password came from */
	enum stored_secret stored; /* what it is */
	bool forced_user;          /* the [databases] line has user= */
	bool runs_auth_query;      /* the role is an auth_user, and the connection is one that runs auth_query */
	const char *auth_query;    /* PHASE_LOOKUP: the query */
	const char *account;       /* the system account that we run as */
	const char *since;         /* formatted time at which the outage began */
	uint32_t attempts;         /* made so far in this outage; 0: not known */
	uint64_t phase_us;         /* how long the failed phase took; 0: not known */
	uint64_t next_try_us;      /* from now; UINT64_MAX: none planned */
	const char *incident;      /* number under which log and SHOW ERRORS have it */
	bool in_container;         /* this process runs in a container */
	bool on_windows;           /* this process runs on Windows */
	bool below_windows;        /* this process runs on a Linux that Windows runs (WSL 2, Docker Desktop) */
	struct server_place place; /* of the server, as far as it is known before the failure is looked at */

	/* In the texts of those failures only to which they matter; may always be filled in. */
	const char *keepalive;    /* of server connections: "after 10 s, every 5 s, 3 times" */
	const char *name_servers; /* "10.0.0.2, 10.0.0.3" */
	const char *limits;       /* "pool_size 20, max_db_connections 50" */
	uint32_t pool_sizes;      /* of all pools for this host, added up */
	uint32_t connections;     /* held by us at this host */

	const struct tried *tried; /* all targets of this attempt in their order */
	unsigned n_tried;
	enum sqlstate_mode sqlstate_mode;
};

/* The target is this machine, or this container, itself. */
bool facts_are_local(const struct facts *facts) MUST_USE;

/* Owned by whoever holds it. */
struct verdict {
	const char *class; /* constant name of the row, for metrics and tests: "connection_refused" */
	enum verdict_kind kind;
	enum verdict_scope scope;
	char sqlstate[SQLSTATE_BYTES];         /* to be sent: by mode, or the server's own */
	char precise_sqlstate[SQLSTATE_BYTES]; /* for logs and views */
	struct str message;                    /* primary text, one line */
	struct str detail;                     /* one line; may be empty */
	struct str hint;                       /* may be empty; lines to paste stand alone */
};

void verdict_init(struct verdict *v);
void verdict_fini(struct verdict *v);

/* Copies; `to` must be initialised. When memory runs out, texts are cut short but never missing their terminator. */
void verdict_copy(struct verdict *to, const struct verdict *from);

/*
 * Fills `v` (initialised; former content is replaced). Never fails: when memory runs out the texts are shorter.
 * Whatever came from a server or a client is made printable; of each of the server's texts at most
 * PRINTABLE_MAX_BYTES are kept (base/printable.h). A report that is broken, or cut off at its end, is used as far as
 * it goes.
 */
void explain(const struct failure *f, const struct facts *facts, struct verdict *v);

/*
 * Which of several targets' failures the verdict is to be about: the first that is not a refusal, because waiting may
 * help as long as one target may come back; else the first. That one of them is of another role says more than that
 * others do not answer. So the kind is REFUSED only if every target refused.
 * An index into facts->tried; facts->n_tried is at least 1. Whoever explains that one sets host, address, port and
 * is_unix of the facts to its.
 */
unsigned explain_choose(const struct facts *facts);

/* True for a wrong password (28P01 from the server): such attempts are repeated ever more slowly. */
bool verdict_is_wrong_password(const struct verdict *v);

/* The words of an ErrorResponse that is FATAL; they point into the verdict. */
struct words verdict_words(const struct verdict *v);

/* What the row of a class is for: for documents and the test that walks the table. */
struct explain_row {
	const char *class;
	enum verdict_kind kind;
	const char *sqlstate; /* "" = the server's own */
	const char *doc;      /* what it means and when it happens; "" in further rows of a class */
};

/* All rows in the order of the table, classes with several causes more than once; ends with class NULL. */
extern const struct explain_row explain_rows[];

#endif
