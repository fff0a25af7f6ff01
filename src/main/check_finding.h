/*
 * A finding of `pgweir check`: one step that was looked at, and what came of it.
 * Findings are data; check_print.h makes text or JSON of them. Main thread.
 */
#ifndef MAIN_CHECK_FINDING_H
#define MAIN_CHECK_FINDING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/list.h"
#include "base/str.h"

enum severity {
	SEVERITY_OK,
	SEVERITY_NOTE, /* worth knowing, nothing to do */
	SEVERITY_WARNING,
	SEVERITY_ERROR /* it would not serve */
};

#define FINDING_NO_TIME UINT64_MAX

/* Owned by the list it is on. No text holds a secret. */
struct finding {
	struct list node;
	enum severity severity;
	const char *step;  /* a constant: "settings", "connect", … */
	char *subject;     /* what it is about, the heading: "configuration", "database \"app\", user \"app\"", … */
	char *database;    /* as clients name it; NULL: it is about none */
	char *user;        /* on the server; NULL: it is about none */
	uint64_t time_us;  /* how long the step took; FINDING_NO_TIME: not measured */
	struct str what;   /* one line, lower case, without a full stop */
	struct str cause;  /* DETAIL, whole sentences; may be empty */
	struct str remedy; /* HINT, whole sentences; may be empty */
};

/* Owned by one check. */
struct findings {
	struct list list; /* finding->node, in the order in which they shall be read */
	unsigned n[SEVERITY_ERROR + 1];
	const char *subject, *database, *user; /* what the next findings are about; borrowed */
	bool failed;                           /* out of memory: some are missing */
	bool on_windows;                       /* whose commands remedies name */
};

void findings_init(struct findings *f);
void findings_fini(struct findings *f);

/* What the findings that follow are about. Texts are borrowed until the next call; `database` and `user` may be NULL.
 */
void findings_about(struct findings *f, const char *subject, const char *database, const char *user);

/* A finding with its primary text. NULL when out of memory, which is remembered and accepted by the two below. */
struct finding *findings_add(struct findings *f, enum severity severity, const char *step, const char *fmt, ...)
    PRINTF(4, 5);
void finding_cause(struct finding *n, const char *fmt, ...) PRINTF(2, 3);
void finding_remedy(struct finding *n, const char *fmt, ...) PRINTF(2, 3);

/* "ok", "note", "warning", "error". */
const char *severity_name(enum severity severity);

/* What a check ends with. */
enum check_status { CHECK_FINE = 0, CHECK_NOT_SERVING = 1, CHECK_WARNINGS = 2, CHECK_WRONG_USE = 3 };
enum check_status findings_status(const struct findings *f);

#endif
