/* What came of the logins, as findings: each step of each login, and what its end means for the database. Main thread.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "main/check_login.h"
#include "os/file.h"

static void add_step(struct findings *f, const char *step, uint64_t time_us, const char *what)
{
	struct finding *n = findings_add(f, SEVERITY_OK, step, "%s", what);

	if (n != NULL)
		n->time_us = time_us;
}

/* Names that a host list has only if it is no address and no socket. */
static bool resolves(const struct conf_database *d)
{
	struct address a;

	for (unsigned i = 0; i < d->n_hosts; i++)
		if (!path_is_of_socket(d->hosts[i]) && !address_from_text(&a, d->hosts[i], 0))
			return true;
	return false;
}

static bool got_address(const struct login_check *at)
{
	return at->where[0] != '\0';
}

static bool got_connection(const struct login_check *at)
{
	return at->result == LOGIN_GOOD || (got_address(at) && at->verdict.scope == SCOPE_POOL);
}

static bool got_in(const struct login_check *at)
{
	return at->result == LOGIN_GOOD || (got_connection(at) && at->phases.auth_us > 0);
}

/* The steps that went well. */
static void tell_steps(const struct login_check *at, struct findings *f)
{
	char text[300];

	if (got_address(at) && resolves(at->of->entry))
		add_step(f, "resolve", at->phases.resolve_us, at->of->entry->host);
	if (got_connection(at))
		add_step(f, "connect", at->phases.connect_us, at->where);
	if (got_connection(at) && at->phases.tls_us > 0)
		add_step(f, "tls", at->phases.tls_us, "encrypted");
	if (!got_in(at))
		return;
	snprintf(text, sizeof(text), "as \"%.128s\"", at->user);
	add_step(f, "authenticate", at->phases.auth_us, text);
	if (at->result != LOGIN_GOOD)
		return;
	snprintf(text, sizeof(text), "database \"%.128s\" is ready",
	         at->of->entry->dbname == NULL ? at->of->name : at->of->entry->dbname);
	add_step(f, "session", at->phases.settle_us, text);
}

static const char *failed_step(const struct login_check *at)
{
	if (!got_address(at))
		return "resolve";
	if (!got_connection(at))
		return "connect";
	return got_in(at) ? "session" : "authenticate";
}

static void tell_verdict(const struct login_check *at, struct findings *f, enum severity severity, const char *step)
{
	struct finding *n = findings_add(f, severity, step, "%s", str_text(&at->verdict.message));

	if (n == NULL)
		return;
	n->time_us = at->phase_us > 0 ? at->phase_us : FINDING_NO_TIME;
	finding_cause(n, "%s", str_text(&at->verdict.detail));
	finding_remedy(n, "%s", str_text(&at->verdict.hint));
}

/* What is stored is a verifier: only a client that logs in by SCRAM brings the key for the server. */
static bool needs_client(const struct logins *l, const struct login_check *at)
{
	enum auth_type type = l->config->settings.auth_type;

	/* clients of an entry with user= log in as themselves, and their keys are of no use there */
	return !at->looks_up && at->of->entry->user == NULL && at->secret != NULL &&
	       secret_classify(at->secret) == SECRET_SCRAM && at->verdict.class != NULL &&
	       strncmp(at->verdict.class, "wrong_secret", 12) == 0 && type != AUTH_TYPE_TRUST &&
	       type != AUTH_TYPE_ANY && strstr(str_text(&at->verdict.detail), "asks for SCRAM") != NULL;
}

/* A database that serves others is not down for one user; who is there for the console may have no business in it. */
static enum severity severity_of(const struct login_check *at)
{
	if (at->looks_up && !at->of->entry->is_auth_user_usual)
		return SEVERITY_ERROR; /* users who are not in auth_file depend on it */
	if (at->is_console && at->of->n_others > 0 && at->verdict.scope == SCOPE_POOL)
		return SEVERITY_NOTE;
	return at->of->n_good > 0 ? SEVERITY_WARNING : SEVERITY_ERROR;
}

static void tell_silent(const struct logins *l, const struct login_check *at, struct findings *f)
{
	struct finding *n = findings_add(f, severity_of(at), "connect", "no end of the login in time");

	finding_cause(n, "It was still silent %llu s after it began (server_connect_timeout, and a grace).",
	              (unsigned long long)(l->config->settings.server_connect_timeout_us / US_PER_S + 2));
	finding_remedy(
	    n, "Look whether the server hangs, and whether max_db_connections or max_user_connections leave room "
	       "for a login.");
}

static void tell_login(const struct logins *l, const struct login_check *at, struct findings *f)
{
	struct finding *n;
	char subject[400];

	if (at->result == LOGIN_NEEDLESS)
		return;
	snprintf(subject, sizeof(subject), "database \"%.128s\", user \"%.128s\"%s", at->of->name, at->user,
	         at->looks_up ? " (auth_user)" : "");
	findings_about(f, subject, at->of->name, at->user);
	switch (at->result) {
	case LOGIN_GOOD:
		tell_steps(at, f);
		if (at->other_failed)
			tell_verdict(at, f, SEVERITY_WARNING, "connect");
		break;
	case LOGIN_FAILED:
		tell_steps(at, f);
		if (needs_client(l, at))
			(void)findings_add(
			    f, SEVERITY_NOTE, failed_step(at),
			    "not checked: only a client's own login brings the key that the server asks for");
		else
			tell_verdict(at, f, severity_of(at), failed_step(at));
		break;
	case LOGIN_SAME:
		tell_verdict(at, f, severity_of(at), at->verdict.scope == SCOPE_NAME ? "resolve" : "connect");
		break;
	case LOGIN_SILENT:
		tell_silent(l, at, f);
		break;
	case LOGIN_NONE:
		n = findings_add(f, SEVERITY_WARNING, "connect", "not checked");
		finding_cause(n, l->interrupted
		                     ? "The check was interrupted."
		                     : "The time of this check was over, or a limit of clients left no room.");
		break;
	case LOGIN_NEEDLESS:
		break;
	}
	findings_about(f, "", NULL, NULL);
}

static void tell_database(const struct logins *l, const struct database_check *d, struct findings *f)
{
	unsigned n_needless = 0;
	char subject[200];

	for (unsigned i = 0; i < d->n_logins; i++) {
		tell_login(l, &d->login[i], f);
		n_needless += d->login[i].result == LOGIN_NEEDLESS ? 1 : 0;
	}
	snprintf(subject, sizeof(subject), "database \"%.128s\"", d->name);
	findings_about(f, subject, d->name, NULL);
	if (d->n_logins == 0)
		(void)findings_add(f, SEVERITY_NOTE, "connect", "not checked: the file knows no user to log in as");
	if (d->dead && n_needless > 0)
		(void)findings_add(f, SEVERITY_NOTE, "connect", "nobody else was tried: %u users", n_needless);
	if (d->n_left_out > 0 && !l->quick)
		(void)findings_add(f, SEVERITY_NOTE, "connect", "too many users: %u were not tried", d->n_left_out);
	findings_about(f, "", NULL, NULL);
}

void logins_tell(const struct logins *l, struct findings *f)
{
	struct finding *n;

	for (unsigned i = 0; i < l->n_databases; i++)
		tell_database(l, &l->database[i], f);
	findings_about(f, "databases", NULL, NULL);
	if (l->template_left_out) {
		n = findings_add(f, SEVERITY_NOTE, "connect", "the entry \"*\" cannot be checked without a name");
		finding_remedy(n, "Give one with --database=NAME.");
	}
}
