/* The line that a server's pg_hba.conf needs, ready to paste. Pure, any thread. */
#ifndef DIAG_HBA_LINE_H
#define DIAG_HBA_LINE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/str.h"
#include "wire/message.h"

struct hba_subject {
	struct bytes message;       /* the server's words, which name the address that it saw; may be absent */
	const char *database;       /* NULL: not known */
	const char *user;           /* NULL: not known */
	const char *source_address; /* our end as we see it, used if the server's words name none; may be NULL */
	bool is_unix;
	bool encrypted; /* the connection was; used if the server's words do not say */
	bool only_md5;  /* nothing but an MD5 hash is stored, which cannot answer SCRAM */
};

enum hba_line_result {
	HBA_LINE_WRITTEN,
	HBA_LINE_NOT_KNOWN,     /* database, user or address are missing */
	HBA_LINE_NO_SUCH_NAMES, /* no line can mean exactly this database and user */
	HBA_LINE_NO_NETWORK     /* hba_line_write_network only: not a private IPv4 address */
};

/*
 * Appends "host    app    app    10.0.0.5/32    scram-sha-256" and nothing else; nothing at all unless
 * HBA_LINE_WRITTEN. It lets in what was asked for and no more: one address, one user, one database; "hostssl" where
 * the connection was encrypted.
 */
enum hba_line_result hba_line_write(const struct hba_subject *s, struct str *out) MUST_USE;

/* The same for the network around a private IPv4 address: /16, or Docker Desktop's own. It opens more, and whoever
   shows it has to say so. */
enum hba_line_result hba_line_write_network(const struct hba_subject *s, struct str *out) MUST_USE;

/*
 * Appends the address that the server's words name, if it is another one than source_address: something between
 * translates. False, and nothing, otherwise, and where one of them is not known.
 */
bool hba_line_write_translated(const struct hba_subject *s, struct str *out) MUST_USE;

#endif
