/*
 * The doctor's round:
 *
 *   load ──> offline (check_offline) ──> who is asked for passwords (check_asked) ──> log in (check_login)
 *    │                                         ──> report (check_report) ──> ask servers (check_server)
 *    └ refused: every wrong line (check_syntax)
 *
 * Each part only adds findings; here they are printed. Main thread.
 */
#include "main/check.h"
#include "main/rules.h"
#include "main/tls.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/url.h"
#include "main/check_finding.h"
#include "main/check_login.h"
#include "main/check_offline.h"
#include "main/check_print.h"
#include "main/check_server.h"
#include "main/logging.h"
#include "main/service.h"
#include "os/error.h"
#include "os/process.h"

#define MAX_OUTPUT ((size_t)64 * 1024 * 1024)
#define STATUS_INTERRUPTED (128 + SIGINT)

/* Owned by check_run. */
struct check {
	const struct options *o;
	struct logging *logging;
	struct config *config;
	struct findings findings;
	struct check_style style;
	const struct finding *printed; /* the last one that has been */
	const char *heading;           /* the last one */
	char account[64];
	bool interrupted, stuck;
	uint64_t began_us;
};

/* ---- printing ---- */

static void put(struct str *text)
{
	fputs(str_text(text), stdout);
	fflush(stdout);
	str_fini(text);
}

/* What has been found since the last time. */
static void show(struct check *c)
{
	struct str text;

	if (c->o->json)
		return;
	str_init(&text, MAX_OUTPUT);
	c->printed = check_print_text(&c->findings, c->printed, &c->heading, &c->style, &text);
	put(&text);
}

/* A URL holds a password. */
static const char *source_of(const struct check *c)
{
	if (c->o->environment != NULL)
		return "environment";
	return conf_is_url(c->o->source) ? "URL" : c->o->source;
}

/* For health checks only what keeps it from serving counts. */
static int status_of(const struct check *c)
{
	enum check_status status = findings_status(&c->findings);

	if (c->interrupted)
		return STATUS_INTERRUPTED;
	return (int)(c->o->quick && status == CHECK_WARNINGS ? CHECK_FINE : status);
}

static void show_end(struct check *c)
{
	uint64_t total_us = clock_steady_us() - c->began_us;
	struct str text;

	str_init(&text, MAX_OUTPUT);
	if (c->o->json)
		check_print_json(&c->findings, status_of(c), source_of(c), total_us, &text);
	else
		check_print_sum(&c->findings, total_us, &text);
	put(&text);
}

/* ---- the account ---- */

static bool is_empty(const char *text)
{
	return text == NULL || text[0] == '\0';
}

static void become(struct check *c, const char *user)
{
	char reason[128];
	struct finding *n;

	if (os_switch_user(user))
		return;
	n = findings_add(&c->findings, SEVERITY_ERROR, "account", "cannot become user \"%s\": %s", user,
	                 errno == ENOENT ? "there is no such account" : os_error_text(errno, reason, sizeof(reason)));
	finding_remedy(n, "Name an account that exists with -u or the setting user, or start pgweir from it.");
}

/* Which it keeps. */
static void look_at_account(struct check *c)
{
	struct finding *n;

	if (!is_empty(c->config->settings.user)) {
		n = findings_add(&c->findings, SEVERITY_NOTE, "account", "setting user has no effect on this platform");
		finding_remedy(n, "Choose the account of a service by -regservice CONFIG_FILE -U ACCOUNT.");
	}
	if (os_is_superuser()) {
		n = findings_add(&c->findings, SEVERITY_NOTE, "account",
		                 "this check has the rights of an administrator");
		finding_cause(n, "A service has its own, so that it may not read or write files that can be read and "
		                 "written now.");
	}
}

/* As at a start: what follows is looked at with the rights that it will have. */
static void take_account(struct check *c)
{
	const char *user = c->o->user != NULL ? c->o->user : c->config->settings.user;
	struct finding *n;

	if (!os_can_switch_user())
		look_at_account(c);
	else if (!is_empty(user))
		become(c, user);
	else if (os_is_superuser()) {
		n = findings_add(&c->findings, SEVERITY_ERROR, "account", "pgweir does not run as root");
		finding_remedy(n, "Name an account with -u or the setting user, or start pgweir from one.");
	}
	if (!os_user_name(os_user_id(), c->account, sizeof(c->account)))
		snprintf(c->account, sizeof(c->account), "%lld", (long long)os_user_id());
}

/* ---- the round ---- */

/* With --env: `m` is NULL when there was no memory for it. */
static void refused(struct check *c, struct environment_made *m, const struct conf_error *why)
{
	const char *source = c->o->source;
	struct finding *n;

	if (m != NULL && environment_error(m, 0) != NULL) {
		check_environment(&c->findings, m);
	} else if (m != NULL && why->file[0] != '\0') {
		check_syntax(&c->findings, environment_path(m), environment_read, m, why);
	} else if (source != NULL && !conf_is_url(source)) {
		check_syntax(&c->findings, source, conf_read_file, NULL, why);
	} else {
		n = findings_add(&c->findings, SEVERITY_ERROR, "syntax", "%s", why->text);
		if (why->hint[0] != '\0')
			finding_remedy(n, "%s", why->hint);
	}
}

static struct config *load_source(struct check *c, struct environment_made *m, struct conf_error *why)
{
	const char *source = c->o->source;

	if (m != NULL)
		return environment_load(m, NULL, why);
	if (source == NULL) {
		(void)conf_fail_memory(why, NULL, 0);
		return NULL;
	}
	return conf_is_url(source) ? config_from_url(source, why)
	                           : config_load(source, NULL, conf_read_file, NULL, why);
}

static bool load(struct check *c)
{
	struct environment_made *m = c->o->environment == NULL ? NULL : environment_make(c->o->environment);
	struct conf_error why;

	memset(&why, 0, sizeof(why));
	c->config = load_source(c, m, &why);
	if (c->config != NULL &&
	    (!rules_prepare(c->config, NULL, &rules_source, &why) || !tls_prepare(c->config, NULL, &why))) {
		config_unref(c->config);
		c->config = NULL;
	}
	if (c->config == NULL)
		refused(c, m, &why);
	environment_free(m);
	if (c->config != NULL)
		(void)findings_add(&c->findings, SEVERITY_OK, "syntax", "%s can be read", source_of(c));
	return c->config != NULL;
}

/* The logins and what is asked after them. */
static void go_online(struct check *c, struct logins *l)
{
	l->shows_progress = isatty(STDERR_FILENO) == 1;
	switch (logins_run(l, c->logging, &c->stuck)) {
	case LOGINS_DONE:
		break;
	case LOGINS_INTERRUPTED:
		c->interrupted = true;
		(void)findings_add(&c->findings, SEVERITY_WARNING, "connect", "the check was interrupted");
		break;
	case LOGINS_FAILED:
		(void)findings_add(&c->findings, SEVERITY_ERROR, "connect",
		                   "the logins could not begin: out of memory, threads or file descriptors");
		return;
	}
	logins_tell(l, &c->findings);
	show(c);
	if (!c->o->quick && !c->interrupted)
		check_servers(l, &c->findings);
}

static void look(struct check *c)
{
	struct logins l;

	if (!load(c))
		return;
	take_account(c);
	check_offline(&c->findings, c->config, c->account);
	show(c);
	if (!c->o->quick)
		check_asked(&c->findings, c->config);
	show(c);
	if (logins_init(&l, c->config, c->o->database, c->o->quick))
		go_online(c, &l);
	else
		c->findings.failed = true;
	logins_fini(&l);
}

static int round_of(struct check *c)
{
	int status;

	c->began_us = clock_steady_us();
	c->style.utf8 =
	    os_console_is_utf8() || check_locale_is_utf8(getenv("LC_ALL"), getenv("LC_CTYPE"), getenv("LANG"));
	c->style.brief = c->o->quick;
	findings_init(&c->findings);
	look(c);
	show(c);
	show_end(c);
	status = status_of(c);
	findings_fini(&c->findings);
	/* threads that still run may use it */
	if (!c->stuck)
		config_unref(c->config);
	return status;
}

int check_run(const struct options *o, bool *stuck)
{
	struct log *log = log_new();
	struct logging logging;
	struct options there = *o;
	struct check c;
	char *path;
	int status;

	if (log == NULL) {
		fprintf(stderr, "%s: out of memory\n", o->program);
		return CHECK_NOT_SERVING;
	}
	path = service_enter_registered(o, log);
	if (path != NULL)
		there.source = path;
	memset(&c, 0, sizeof(c));
	c.o = &there;
	c.logging = &logging;
	/* what the log would say are findings here */
	logging_init(&logging, log, o->verbose > 0 ? o->verbose - 1 : 0, o->verbose == 0);
	status = round_of(&c);
	*stuck = c.stuck;
	if (!c.stuck) {
		logging_fini(&logging);
		log_free(log);
		mem_free(path);
	}
	return status;
}
