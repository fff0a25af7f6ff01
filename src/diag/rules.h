/* The rows of failures.def as explain.c and the test that walks them see them. Private to diag/. */
#ifndef DIAG_RULES_H
#define DIAG_RULES_H

#include "diag/explain.h"
#include "diag/texts.h"

#define ANY (-1)             /* in the code column */
#define PHASE_ANY PHASE_NONE /* in the phase column */

enum rule_when {
	ALWAYS,
	ON_UNIX,
	WITHOUT_HOST, /* neither a name nor a directory of sockets is configured */
	ON_UNIX_IN_CONTAINER,
	IN_CONTAINER,
	LOCAL_IN_CONTAINER,   /* the host is the container itself */
	OUTSIDE_OF_CONTAINER, /* the host is host.docker.internal */
	ON_WINDOWS,           /* this process */
	LOCAL_ON_WINDOWS,     /* and the server is on the same machine */
	OUTSIDE_ON_WINDOWS,   /* the host is host.docker.internal, and that is Windows */
	SYSTEM_CA,
	FORCED_USER,
	SCRAM_STORED,
	MD5_STORED,
	MD5_STORED_FORCED_USER
};

struct rule_match {
	enum failure_phase phase;
	enum failure_domain domain; /* DOMAIN_NONE: any */
	int code;                   /* DOMAIN_ERRNO, DOMAIN_POOLER */
	const char *sqlstate;       /* DOMAIN_SERVER: "" any */
	const char *text;           /* DOMAIN_SERVER: parts of the message; DOMAIN_POOLER: at the front of the text */
	enum rule_when when;
};

struct rule {
	const char *class;
	struct rule_match match;
	enum verdict_kind kind;
	const char *sqlstate;
	const char *message, *detail, *hint;
};

/* In the order of the table; ends with class NULL. */
extern const struct rule rules[];

/* The first row that fits; there always is one. */
const struct rule *rules_find(const struct subject *s);

#endif
