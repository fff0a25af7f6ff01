/* Filling in the texts of failures.def. Private to diag/. Pure, any thread. */
#ifndef DIAG_TEXTS_H
#define DIAG_TEXTS_H

#include <stdbool.h>

#include "diag/explain.h"

/* What is to be explained. */
struct subject {
	const struct failure *f;
	const struct facts *facts;
	struct report report;      /* the server's words, all absent if there are none */
	struct server_place place; /* of the server: what was known, and what the failure shows */
};

/* Reads the server's report, as far as it goes, and finds out where the server runs. */
void subject_init(struct subject *s, const struct failure *f, const struct facts *facts);

/* Of a text that may be absent. */
bool is_known(const char *text);

/* The target is the machine outside of the container, by the name that Docker or Podman has for it. */
bool is_outside(const struct facts *facts);

/* server at "db" (10.0.0.5), port 5432 */
void write_target(const struct facts *facts, struct str *out);
void write_duration(uint64_t us, struct str *out);

/* The reason alone, in a few words: "connection refused". */
void write_reason(const struct subject *s, struct str *out);

/* Appends a text of the table with everything filled in. */
void texts_expand(const char *text, const struct subject *s, struct str *out);

/* Appends the sentences that every DETAIL ends with: what was tried, and the common facts in their fixed order. */
void detail_add_facts(const struct subject *s, struct str *out);

#endif
