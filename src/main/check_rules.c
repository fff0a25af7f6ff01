/* HBA rules that can never match, that nobody can pass, or that PgBouncer reads otherwise. Pure; main thread. */
#include <stdio.h>
#include <string.h>

#include "auth/hba.h"
#include "base/comma_list.h"
#include "main/check_offline.h"
#include "os/file.h"
#include "os/socket.h"

#define MOST_FINDINGS 50 /* beyond that nobody reads on */

/* Where clients can come from. */
struct ways_in {
	bool v4, v6, local, tls, plain, certificates;
};

static bool is_empty(const char *text)
{
	return text == NULL || text[0] == '\0';
}

/* One of the list; a name may be of any family. */
static void add_address(struct ways_in *in, const char *name)
{
	struct address a;
	uint8_t family = 0;

	if (!path_is_of_socket(name) && address_from_text(&a, name, 0))
		family = peer_of_address(&a).family;
	in->v4 = in->v4 || family != PEER_V6;
	in->v6 = in->v6 || family != PEER_V4;
}

static void find_ways_in(const struct settings *s, struct ways_in *in)
{
	const char *list = s->listen_addr;
	char name[256];

	memset(in, 0, sizeof(*in));
	in->local = !is_empty(s->unix_socket_dir);
	in->tls = s->client_tls_sslmode != TLS_MODE_DISABLE;
	in->plain = s->client_tls_sslmode < TLS_MODE_REQUIRE;
	in->certificates = in->tls && !is_empty(s->client_tls_ca_file);
	while (comma_list_copy_next(&list, name, sizeof(name)))
		add_address(in, name);
}

static struct finding *tell(struct findings *f, enum severity severity, const char *step, const struct hba_rule *r,
                            const char *what)
{
	return findings_add(f, severity, step, "line %s:%u (%s … %s) %s", r->file, r->line, hba_type_name(r->type),
	                    hba_method_name(r->method), what);
}

/* ---- where it is for ---- */

static const char *no_way_in(const struct hba_rule *r, const struct ways_in *in, const char **remedy)
{
	if (r->type == HBA_LOCAL) {
		*remedy = "Set unix_socket_dir, or take the line out.";
		return in->local ? NULL : "never matches: unix_socket_dir is empty";
	}
	*remedy = "Add such an address to listen_addr, or take the line out.";
	if (!in->v4 && !in->v6)
		return "never matches: listen_addr is empty";
	if (r->where == HBA_NETWORK && r->family == PEER_V4 && !in->v4)
		return "never matches: listen_addr has no IPv4 address";
	if (r->where == HBA_NETWORK && r->family == PEER_V6 && !in->v6)
		return "never matches: listen_addr has no IPv6 address";
	*remedy = "Set client_tls_sslmode, client_tls_key_file and client_tls_cert_file, or take the line out.";
	if (r->type == HBA_HOSTSSL && !in->tls)
		return "never matches: client_tls_sslmode is disable";
	*remedy = "Take the line out, or let clients choose by client_tls_sslmode = allow.";
	if (r->type == HBA_HOSTNOSSL && !in->plain)
		return "never matches: client_tls_sslmode takes encrypted connections only";
	return NULL;
}

/* ---- whom it lets in ---- */

static const char *nobody_passes(const struct hba_rule *r, const struct ways_in *in, const char **remedy)
{
	if (r->method == HBA_PEER && r->type != HBA_LOCAL) {
		*remedy =
		    "Accounts are known of Unix sockets only: begin the line with local, or choose another method.";
		return "lets nobody in: method peer needs a Unix socket";
	}
	if (r->method != HBA_CERT)
		return NULL;
	*remedy = "Begin the line with hostssl, or choose another method.";
	if (r->type == HBA_LOCAL || r->type == HBA_HOSTNOSSL)
		return "lets nobody in: method cert needs TLS";
	*remedy = "Set client_tls_sslmode and client_tls_ca_file.";
	return in->certificates ? NULL : "lets nobody in: clients are not asked for certificates";
}

/* ---- lines before it ---- */

static const struct hba_rule *find_cover(const struct hba *h, unsigned later)
{
	for (unsigned i = 0; i < later; i++)
		if (hba_covers(hba_rule_at(h, i), hba_rule_at(h, later)))
			return hba_rule_at(h, i);
	return NULL;
}

/* True if there was something to say. */
static bool look_at_rule(struct findings *f, const struct hba *h, unsigned i, const struct ways_in *in)
{
	const struct hba_rule *r = hba_rule_at(h, i), *cover = find_cover(h, i);
	const char *remedy = "", *what = no_way_in(r, in, &remedy);
	struct finding *n;

	if (what == NULL && cover != NULL) {
		n = tell(f, SEVERITY_WARNING, "rules", r, "never matches");
		finding_cause(n, "Line %s:%u (%s … %s), before it, matches all that it does.", cover->file, cover->line,
		              hba_type_name(cover->type), hba_method_name(cover->method));
		finding_remedy(n, "The first line that matches decides: put the narrower one first, or take it out.");
		return true;
	}
	if (what == NULL)
		what = nobody_passes(r, in, &remedy);
	if (what == NULL && r->map != NULL && r->method != HBA_CERT && r->method != HBA_PEER) {
		what = "has a map without effect";
		remedy = "Maps are for the methods cert and peer: take map= out.";
	}
	if (what == NULL)
		return false;
	n = tell(f, SEVERITY_WARNING, "rules", r, what);
	finding_remedy(n, "%s", remedy);
	return true;
}

/* ---- what PgBouncer makes of it ---- */

static bool look_at_difference(struct findings *f, const struct hba_rule *r)
{
	bool is_pattern, is_skipped = r->method == HBA_PAM ||
	                              (r->type != HBA_LOCAL && (r->where == HBA_SAMEHOST || r->where == HBA_SAMENET));
	const char *name = hba_foreign_name(r, &is_pattern);
	char what[160];

	if (is_skipped)
		snprintf(what, sizeof(what), "counts; PgBouncer does not know such a line, and skips it");
	else if (name != NULL)
		snprintf(what, sizeof(what), "takes \"%.60s\" for %s; PgBouncer takes it for a %s", name,
		         is_pattern ? "a regular expression" : "a user's name", is_pattern ? "name" : "keyword");
	else
		return false;
	(void)tell(f, SEVERITY_NOTE, "PgBouncer", r, what);
	return true;
}

void check_rules(struct findings *f, const struct config *c)
{
	const struct hba *h;
	struct ways_in in;
	struct finding *n;
	unsigned told = 0;

	if (c->rules == NULL)
		return;
	h = hba_of(c->rules);
	find_ways_in(&c->settings, &in);
	for (unsigned i = 0; hba_rule_at(h, i) != NULL && told < MOST_FINDINGS; i++)
		told += look_at_rule(f, h, i, &in) + look_at_difference(f, hba_rule_at(h, i));
	if (hba_rule_at(h, 0) != NULL)
		return;
	n = findings_add(f, SEVERITY_ERROR, "rules", "auth_hba_file \"%s\" has no rule: nobody can log in",
	                 c->settings.auth_hba_file);
	finding_remedy(n, "Add a line such as \"host all all 127.0.0.1/32 scram-sha-256\".");
}
