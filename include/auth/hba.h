/*
 * HBA rules (auth_hba_file): which client may come in how. Lines are those of PostgreSQL's pg_hba.conf as far as they
 * mean something here: "TYPE DATABASE USER [ADDRESS [MASK]] METHOD [OPTIONS]". The first line that matches decides.
 *
 * Loaded by main, immutable once published, counted; any thread.
 */
#ifndef AUTH_HBA_H
#define AUTH_HBA_H

#include <stdbool.h>

#include "auth/ident.h"
#include "base/attr.h"
#include "base/shared.h"
#include "conf/error.h"
#include "conf/ldap_options.h"
#include "conf/read.h"
#include "os/socket.h"

/* Longer names match no line; PostgreSQL has none that are longer. */
#define HBA_MAX_NAME_BYTES 127

enum hba_type { HBA_LOCAL, HBA_HOST, HBA_HOSTSSL, HBA_HOSTNOSSL };

enum hba_method { HBA_TRUST, HBA_REJECT, HBA_MD5, HBA_PASSWORD, HBA_SCRAM, HBA_CERT, HBA_PEER, HBA_LDAP, HBA_PAM };

/* Which addresses a line is for; HBA_LOCAL: none of these counts. */
enum hba_where { HBA_ANYWHERE, HBA_NETWORK, HBA_SAMEHOST, HBA_SAMENET };

struct hba_names;

/* One line. */
struct hba_rule {
	const char *file; /* the path that was read */
	unsigned line;
	enum hba_type type;
	struct hba_names *databases, *users;
	enum hba_where where;
	uint8_t family; /* HBA_NETWORK: as in struct peer */
	uint8_t address[16], mask[16];
	enum hba_method method;
	const char *map_name;        /* map=…; NULL: none */
	const struct ident_map *map; /* NULL: none */
	struct ldap_options
	    *ldap; /* HBA_LDAP: the rest of the line; NULL: nothing was there, auth_ldap_options counts */
};

struct hba; /* begins with struct shared */

/*
 * Reads the file `name`, in the working directory, else beside `beside` (may be NULL), and the maps of `ident` (NULL or
 * empty: none). One reference, or NULL with `why`: a line is not right, a file cannot be read, a map is not there.
 */
struct hba *hba_load(const struct conf_source *source, const char *name, const char *ident, const char *beside,
                     struct conf_error *why) MUST_USE;

struct shared *hba_shared(struct hba *h);
/* Of such a reference. */
const struct hba *hba_of(const struct shared *shared);

/* All rules in their order; NULL behind the last. */
const struct hba_rule *hba_rule_at(const struct hba *h, unsigned i);

const char *hba_type_name(enum hba_type type);
const char *hba_method_name(enum hba_method method);

/* Whether a client is on this machine, or, with `networks`, in a network that it is in. Asks the system. */
typedef bool hba_near(const struct peer *peer, bool networks);

/* Who wants to come in. Nothing is owned. */
struct hba_client {
	const char *database; /* of the console: "pgbouncer" */
	const char *user;
	const struct peer *peer;
	bool encrypted;
	bool replicates; /* a physical replication connection, which only the word "replication" matches */
	hba_near *is_near;
};

enum hba_result {
	HBA_FOUND,
	HBA_NONE,
	HBA_FAILED /* a regular expression of *rule would have taken too much work, or there was no memory */
};

/* The first rule that matches; `*rule` lives as long as `h`. */
enum hba_result hba_find(const struct hba *h, const struct hba_client *c, const struct hba_rule **rule) MUST_USE;

/* Whether every client that `later` matches is one that `earlier` matches, too; false where that is not certain. */
bool hba_covers(const struct hba_rule *earlier, const struct hba_rule *later);

/* The first name of the rule that means something else in PgBouncer: a regular expression (`*is_pattern`), which is a
   name there, or a user called as a keyword for databases, which is that keyword there. NULL: none. */
const char *hba_foreign_name(const struct hba_rule *r, bool *is_pattern);

#endif
