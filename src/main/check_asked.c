/*
 * Whether those who are asked for passwords can be: PAM's service file, LDAP servers. Looked at with the rights of the
 * account that will serve. Main thread; blocks for as long as LDAP servers take, within auth/ldap.h's bounds.
 */
#include <stdio.h>
#include <string.h>

#include "auth/ask.h"
#include "auth/hba.h"
#include "auth/ldap.h"
#include "auth/pam.h"
#include "base/clock.h"
#include "main/check_offline.h"
#include "os/directory.h"
#include "os/file.h"

/* ---- PAM ---- */

#define PAM_DIRECTORY "/etc/pam.d"

/* Where libpam looks; without any of them the service "other" decides, which turns everybody away. */
static const char *const pam_files[] = {PAM_DIRECTORY "/" ASK_PAM_SERVICE, "/usr/lib/pam.d/" ASK_PAM_SERVICE,
                                        "/usr/etc/pam.d/" ASK_PAM_SERVICE};

static bool asks_pam(const struct config *c)
{
	const struct hba_rule *r;

	if (c->settings.auth_type == AUTH_TYPE_PAM)
		return true;
	for (unsigned i = 0; c->rules != NULL && (r = hba_rule_at(hba_of(c->rules), i)) != NULL; i++)
		if (r->method == HBA_PAM)
			return true;
	return false;
}

static void look_at_pam(struct findings *f)
{
	struct finding *n;

	if (!directory_exists(PAM_DIRECTORY)) /* an old system: all services are in /etc/pam.conf */
		return;
	for (size_t i = 0; i < sizeof(pam_files) / sizeof(pam_files[0]); i++)
		if (file_is_readable(pam_files[i]))
			return;
	n = findings_add(f, SEVERITY_WARNING, "pam", "PAM has no service \"%s\"", ASK_PAM_SERVICE);
	finding_cause(n,
	              "The file \"%s\" is not there, or not to be read, so the service \"other\" decides, which "
	              "lets nobody in on most systems.",
	              pam_files[0]);
	finding_remedy(n, "Write it, for example with the lines \"auth required pam_unix.so\" and \"account required "
	                  "pam_unix.so\"; modules that read /etc/shadow need an account that may.");
}

/* ---- LDAP ---- */

static void try_server(struct findings *f, const struct ldap_options *o, const char *place)
{
	uint64_t began_us = clock_steady_us();
	char why[ASK_WHY_BYTES];
	bool good = ldap_try(o, why, sizeof(why));
	struct finding *n;

	n = findings_add(f, good ? SEVERITY_OK : SEVERITY_WARNING, "ldap", good ? "%s: %s can be asked" : "%s: %s",
	                 place, good ? o->servers : why);
	if (n == NULL)
		return;
	n->time_us = clock_steady_us() - began_us;
	if (good)
		return;
	finding_cause(n, "Clients that it should let in cannot log in.");
	finding_remedy(n, "See that ldapsearch, with the same address, TLS and bind options, is answered from this "
	                  "machine.");
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a == NULL ? "" : a, b == NULL ? "" : b) == 0;
}

/* As far as ldap_try goes. */
static bool asks_alike(const struct ldap_options *a, const struct ldap_options *b)
{
	return same_text(a->servers, b->servers) && a->port == b->port && a->ldaps == b->ldaps &&
	       a->start_tls == b->start_tls && same_text(a->base_dn, b->base_dn) && same_text(a->bind_dn, b->bind_dn) &&
	       same_text(a->bind_password, b->bind_password);
}

/* An earlier line asks the same servers in the same way. */
static bool is_asked_already(const struct hba *rules, unsigned line)
{
	const struct ldap_options *o = hba_rule_at(rules, line)->ldap, *before;

	for (unsigned i = 0; i < line; i++) {
		before = hba_rule_at(rules, i)->ldap;
		if (before != NULL && asks_alike(before, o))
			return true;
	}
	return false;
}

static void look_at_rules(struct findings *f, const struct hba *rules)
{
	const struct hba_rule *r;
	char place[256];

	for (unsigned i = 0; (r = hba_rule_at(rules, i)) != NULL; i++) {
		if (r->method != HBA_LDAP || r->ldap == NULL || is_asked_already(rules, i))
			continue;
		snprintf(place, sizeof(place), "line %.200s:%u", r->file, r->line);
		try_server(f, r->ldap, place);
	}
}

void check_asked(struct findings *f, const struct config *c)
{
	if (asks_pam(c))
		look_at_pam(f);
	if (c->ldap != NULL && (c->settings.auth_type == AUTH_TYPE_LDAP || c->settings.auth_type == AUTH_TYPE_HBA))
		try_server(f, c->ldap, "auth_ldap_options");
	if (c->rules != NULL)
		look_at_rules(f, hba_of(c->rules));
}
