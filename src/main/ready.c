/*
 * Whether connections are accepted, as PostgreSQL's pg_isready says it: libpq asks, without logging in. Main thread.
 *
 *   where: the command line ──> the configuration ──> PGHOST, PGPORT ──> our own defaults, or libpq's
 */
#include "main/ready.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/comma_list.h"
#include "base/log.h"
#include "main/start.h"
#include "worker/client.h"

#define TIMEOUT_S "3"
#define MOST_PARAMETERS 8

struct parameters {
	const char *name[MOST_PARAMETERS + 1], *value[MOST_PARAMETERS + 1]; /* behind the last: NULL */
	int n;
};

static void put(struct parameters *p, const char *name, const char *value)
{
	if (value == NULL)
		return;
	p->name[p->n] = name;
	p->value[p->n++] = value;
}

/* ---- where a configuration says that it listens ---- */

struct where {
	char host[256], port[16]; /* "": not known */
};

/* The first of listen_addr; whoever listens everywhere is asked here. */
static void first_address(const char *list, char *host, size_t size)
{
	static const char *const everywhere[][2] = {{"*", "127.0.0.1"}, {"0.0.0.0", "127.0.0.1"}, {"::", "::1"}};

	if (!comma_list_copy_next(&list, host, size))
		host[0] = '\0';
	for (size_t i = 0; i < sizeof(everywhere) / sizeof(everywhere[0]); i++)
		if (strcmp(host, everywhere[i][0]) == 0)
			snprintf(host, size, "%s", everywhere[i][1]);
}

static void where_it_listens(const struct settings *s, struct where *to)
{
	first_address(s->listen_addr, to->host, sizeof(to->host));
	if (to->host[0] == '\0' && s->unix_socket_dir != NULL)
		snprintf(to->host, sizeof(to->host), "%s", s->unix_socket_dir);
	snprintf(to->port, sizeof(to->port), "%d", s->listen_port);
}

/* Its remarks are for the process that serves. */
static void say_error(const struct log_event *e, const char *text)
{
	if (e->level <= LEVEL_ERROR)
		fprintf(stderr, "%s\n", text);
}

/* False after saying on stderr why it cannot be used. */
static bool read_configuration(const struct options *o, struct where *to)
{
	struct log *log = log_new();
	struct config *c;
	bool good;

	if (log == NULL)
		return false;
	log_set_stderr(log, false);
	log_set_sink(log, say_error);
	c = start_load(o, log);
	good = c != NULL;
	if (good)
		where_it_listens(&c->settings, to);
	config_unref(c);
	log_free(log);
	return good;
}

/* ---- asking ---- */

/* What was not given, and nothing in the environment says. */
static const char *own_default(const struct options *o, const char *variable, const char *value)
{
	return o->is_pg_isready || getenv(variable) != NULL ? NULL : value;
}

static const char *first_of(const char *one, const char *two, const char *three)
{
	return one != NULL ? one : two != NULL && two[0] != '\0' ? two : three;
}

static void choose(const struct options *o, const struct where *file, struct parameters *p)
{
	put(p, "host", first_of(o->host, file->host, own_default(o, "PGHOST", "localhost")));
	put(p, "port", first_of(o->port, file->port, own_default(o, "PGPORT", "6432")));
	put(p, "user", o->user);
	put(p, "connect_timeout", o->timeout == NULL ? TIMEOUT_S : o->timeout);
	put(p, "fallback_application_name", CLIENT_KNOCKS_AS);
	/* last, because a connection string counts more than what stands before it */
	put(p, "dbname", first_of(o->database, NULL, own_default(o, "PGDATABASE", "pgbouncer")));
}

static void say(const struct parameters *p, const char *what)
{
	struct parameters refused = *p;
	PGconn *conn;
	const char *host;

	/* libpq alone knows its defaults. It works out where to go before it notices that there is no such mode, and
	 * goes nowhere. */
	put(&refused, "sslmode", "only to learn where");
	conn = PQconnectStartParams(refused.name, refused.value, 1);
	host = PQhost(conn);
	if (host == NULL || host[0] == '\0')
		printf("%s\n", what);
	else
		printf("%s:%s - %s\n", host, PQport(conn), what);
	PQfinish(conn);
}

enum ready_status ready_run(const struct options *o)
{
	static const char *const words[] = {
	    [READY_ACCEPTING] = "accepting connections",
	    [READY_REJECTING] = "rejecting connections",
	    [READY_NO_RESPONSE] = "no response",
	    [READY_NO_ATTEMPT] = "no attempt",
	};
	enum ready_status status = READY_NO_ATTEMPT;
	struct where file = {"", ""};
	struct parameters p;

	memset(&p, 0, sizeof(p));
	if ((o->source != NULL || o->environment != NULL) && !read_configuration(o, &file))
		return READY_NO_ATTEMPT;
	choose(o, &file, &p);
	switch (PQpingParams(p.name, p.value, 1)) {
	case PQPING_OK:
		status = READY_ACCEPTING;
		break;
	case PQPING_REJECT:
		status = READY_REJECTING;
		break;
	case PQPING_NO_RESPONSE:
		status = READY_NO_RESPONSE;
		break;
	case PQPING_NO_ATTEMPT:
		break;
	}
	if (!o->quiet)
		say(&p, words[status]);
	return status;
}
