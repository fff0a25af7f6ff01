/* A second opinion from libpq, database by database, one after the other: all of these have just answered. Main thread.
 */
#include "main/check_server.h"

#include <errno.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "diag/server_place.h"
#include "os/socket.h"
#include "wire/framer.h"
#include "wire/message.h"

#define QUERY_US (5 * US_PER_S)
#define MOST_RULES 64 /* logins whose rule is looked up, per server */

/* One server being asked. */
struct asking {
	const struct logins *logins;
	const struct database_check *database;
	const struct login_check *login;
	struct findings *findings;
	PGconn *conn;
	bool first; /* of this server: what holds for all its databases is asked now */
	struct server_place place;
	char data[300], hba_file[300]; /* for it */
};

/* ---- talking, with an end ---- */

static uint64_t connect_us(const struct logins *l)
{
	uint64_t us = l->config->settings.server_connect_timeout_us;

	return us == 0 || us > QUERY_US ? QUERY_US : us;
}

/* False when the time is up. */
static bool wait_for(const PGconn *conn, enum socket_direction direction, uint64_t until_us)
{
	int fd = PQsocket(conn);
	uint64_t now_us;

	if (fd < 0)
		return false;
	while ((now_us = clock_steady_us()) < until_us) {
		if (socket_await(fd, direction, (int)((until_us - now_us) / US_PER_MS) + 1))
			return true;
		if (errno != EINTR && errno != ETIMEDOUT)
			return false;
	}
	return false;
}

static bool finish_connecting(PGconn *conn, uint64_t until_us)
{
	PostgresPollingStatusType state = PGRES_POLLING_WRITING;

	while (state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED) {
		if (!wait_for(conn, state == PGRES_POLLING_READING ? SOCKET_READ : SOCKET_WRITE, until_us))
			return false;
		state = PQconnectPoll(conn);
	}
	return state == PGRES_POLLING_OK;
}

/* The last result of a query, NULL: none in time. The caller clears it. */
static PGresult *result_of(PGconn *conn, uint64_t until_us)
{
	PGresult *last = NULL, *next;

	for (;;) {
		while (PQisBusy(conn)) {
			if (!wait_for(conn, SOCKET_READ, until_us) || !PQconsumeInput(conn)) {
				PQclear(last);
				return NULL;
			}
		}
		next = PQgetResult(conn);
		if (next == NULL)
			return last;
		/* the first error says why */
		if (last != NULL && PQresultStatus(last) == PGRES_FATAL_ERROR) {
			PQclear(next);
			continue;
		}
		PQclear(last);
		last = next;
		if (PQresultStatus(last) == PGRES_COPY_OUT || PQresultStatus(last) == PGRES_COPY_IN) {
			PQclear(last);
			return NULL;
		}
	}
}

static PGresult *query(PGconn *conn, const char *text, int n, const char *const *values)
{
	int sent = n == 0 ? PQsendQuery(conn, text) : PQsendQueryParams(conn, text, n, NULL, values, NULL, NULL, 0);

	return sent ? result_of(conn, clock_steady_us() + QUERY_US) : NULL;
}

/* Between these two nothing can be changed, and nothing stays set, not even through another pooler. */
static bool begin(PGconn *conn)
{
	PGresult *r =
	    query(conn, "BEGIN READ ONLY; SET LOCAL statement_timeout = 5000; SET LOCAL lock_timeout = 1000", 0, NULL);
	bool good = PQresultStatus(r) == PGRES_COMMAND_OK;

	PQclear(r);
	return good;
}

static void roll_back(PGconn *conn)
{
	PQclear(query(conn, "ROLLBACK", 0, NULL));
}

/* NULL: it was not allowed, or failed. The caller clears it. */
static PGresult *rows_of(PGconn *conn, const char *text, int n, const char *const *values)
{
	PGresult *r = begin(conn) ? query(conn, text, n, values) : NULL;

	roll_back(conn);
	if (PQresultStatus(r) == PGRES_TUPLES_OK)
		return r;
	PQclear(r);
	return NULL;
}

static void ignore(void *arg, const char *message)
{
	(void)arg;
	(void)message;
}

/* ---- connecting ---- */

/* NULL when out of memory. */
static PGconn *start_connecting(const struct logins *l, const struct login_check *at)
{
	const struct conf_database *d = at->of->entry;
	char port[16];
	const char *keys[] = {"host",
	                      "port",
	                      "dbname",
	                      "user",
	                      "password",
	                      "sslmode",
	                      "gssencmode",
	                      "application_name",
	                      "target_session_attrs",
	                      NULL};
	const char *values[] = {d->host == NULL ? l->config->settings.unix_socket_dir : d->host,
	                        port,
	                        d->dbname == NULL ? at->of->name : d->dbname,
	                        at->user,
	                        at->secret == NULL ? "" : at->secret,
	                        "disable",
	                        "disable",
	                        "pgweir check",
	                        session_attrs_name(conf_session_attrs(l->config, d)),
	                        NULL};

	snprintf(port, sizeof(port), "%d", d->port);
	return PQconnectStartParams(keys, values, 0);
}

/* What libpq can use: it takes passwords only. */
static bool has_usable_secret(const struct login_check *at)
{
	enum secret_kind kind = at->secret == NULL ? SECRET_NONE : secret_classify(at->secret);

	return kind == SECRET_NONE || kind == SECRET_PLAIN;
}

static const struct login_check *usable_login(const struct database_check *d)
{
	for (unsigned i = 0; i < d->n_logins; i++)
		if (d->login[i].result == LOGIN_GOOD && has_usable_secret(&d->login[i]))
			return &d->login[i];
	return NULL;
}

static bool same_server(const struct logins *l, const struct conf_database *a, const struct conf_database *b)
{
	const char *directory = l->config->settings.unix_socket_dir;
	const char *x = a->host == NULL ? directory : a->host, *y = b->host == NULL ? directory : b->host;

	return a->port == b->port && conf_session_attrs(l->config, a) == conf_session_attrs(l->config, b) &&
	       (x == y || (x != NULL && y != NULL && strcmp(x, y) == 0));
}

/* ---- the configured queries ---- */

static void strip(char *text)
{
	text[strcspn(text, "\n")] = '\0';
}

static void tell_query(struct asking *a, const char *setting, const char *cause, const PGresult *r, uint64_t took_us)
{
	const char *sqlstate = r == NULL ? NULL : PQresultErrorField(r, PG_DIAG_SQLSTATE);
	bool good = PQresultStatus(r) == PGRES_COMMAND_OK || PQresultStatus(r) == PGRES_TUPLES_OK ||
	            PQresultStatus(r) == PGRES_EMPTY_QUERY;
	struct finding *n;
	char text[300];

	if (good) {
		n = findings_add(a->findings, SEVERITY_OK, setting, "%s works", setting);
		if (n != NULL)
			n->time_us = took_us;
		return;
	}
	if (sqlstate != NULL && strcmp(sqlstate, "25006") == 0) {
		(void)findings_add(a->findings, SEVERITY_NOTE, setting, "%s was not checked: it writes", setting);
		return;
	}
	snprintf(text, sizeof(text), "%s",
	         r == NULL ? "no answer in time" : PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY));
	strip(text);
	n = findings_add(a->findings, SEVERITY_WARNING, setting, "%s fails: %s", setting, text);
	finding_cause(n, "%s", cause);
	finding_remedy(n, "Correct %s, or give user \"%s\" the rights that it needs.", setting, a->login->user);
}

/* `cause`: what it means when it fails. */
static void try_query(struct asking *a, const char *setting, const char *cause, const char *text)
{
	uint64_t began_us = clock_steady_us();
	PGresult *r;

	if (text == NULL || text[0] == '\0' || !begin(a->conn))
		return;
	r = query(a->conn, strcmp(text, "<empty>") == 0 ? ";" : text, 0, NULL);
	tell_query(a, setting, cause, r, clock_steady_us() - began_us);
	PQclear(r);
	roll_back(a->conn);
}

/* It may be one that no transaction can hold, such as DISCARD ALL. */
static void try_reset(struct asking *a)
{
	const struct settings *s = &a->logins->config->settings;
	const struct conf_user *u = config_find_user(a->logins->config, a->login->user);
	uint64_t began_us;
	PGresult *r;

	if (s->server_reset_query == NULL || s->server_reset_query[0] == '\0')
		return;
	if (!s->server_reset_query_always &&
	    conf_pool_mode(a->logins->config, a->database->entry, u) != POOL_MODE_SESSION)
		return;
	PQclear(query(a->conn, "SET default_transaction_read_only = on", 0, NULL));
	began_us = clock_steady_us();
	r = query(a->conn, s->server_reset_query, 0, NULL);
	tell_query(a, "server_reset_query", "A server connection that cannot be cleaned is closed after each session.",
	           r, clock_steady_us() - began_us);
	PQclear(r);
	PQclear(query(a->conn, "RESET default_transaction_read_only", 0, NULL));
}

/* ---- the server as a whole ---- */

static long number(const PGresult *r, int column)
{
	return PQgetisnull(r, 0, column) ? 0 : strtol(PQgetvalue(r, 0, column), NULL, 10);
}

/* Servers that one entry may come to need: a pool for each user, up to its limit. -1: no limit. */
static long most_of(const struct logins *l, const struct database_check *d)
{
	long sum = 0, limit = conf_max_db_connections(l->config, d->entry);

	for (unsigned i = 0; i < d->n_logins && sum >= 0; i++) {
		const struct conf_user *u = config_find_user(l->config, d->login[i].user);
		int size = conf_pool_size(l->config, d->entry, u);

		/* who cannot log in has no pool */
		if (d->login[i].result == LOGIN_GOOD)
			sum = size <= 0 ? -1 : sum + size + conf_reserve_pool_size(l->config, d->entry, u);
	}
	return limit > 0 && (sum < 0 || sum > limit) ? limit : sum;
}

static long most_of_server(const struct asking *a, unsigned *n_databases)
{
	long sum = 0;

	*n_databases = 0;
	for (unsigned i = 0; i < a->logins->n_databases; i++) {
		const struct database_check *d = &a->logins->database[i];
		long most;

		if (!same_server(a->logins, d->entry, a->database->entry))
			continue;
		most = most_of(a->logins, d);
		++*n_databases;
		sum = most < 0 || sum < 0 ? -1 : sum + most;
	}
	return sum;
}

static const char *copy_value(const PGresult *r, int column, char *buf, size_t size)
{
	int n = snprintf(buf, size, "%s", PQgetvalue(r, 0, column));

	return n < 0 || (size_t)n >= size ? NULL : buf;
}

/* Where its files are: only some roles may know. */
static void ask_place(struct asking *a)
{
	PGresult *r =
	    rows_of(a->conn, "SELECT current_setting('data_directory'), current_setting('hba_file')", 0, NULL);

	if (r == NULL)
		return;
	a->place.data = copy_value(r, 0, a->data, sizeof(a->data));
	a->place.hba_file = copy_value(r, 1, a->hba_file, sizeof(a->hba_file));
	PQclear(r);
}

/* A sentence about the server's place, behind what the remedy has already; nothing where it is not known. */
static void add_place(const struct asking *a, struct finding *n, const char *before, const char *behind,
                      bool (*write)(const struct server_place *p, struct str *out))
{
	struct str text;

	str_init(&text, 1000);
	if (n != NULL && write(&a->place, &text))
		finding_remedy(n, "%s%s%s%s", n->remedy.len == 0 ? "" : " ", before, str_text(&text), behind);
	str_fini(&text);
}

static void tell_room(struct asking *a, long slots, long reserved)
{
	unsigned n_databases;
	long most = most_of_server(a, &n_databases), room = slots - reserved;
	struct finding *n;

	if (most >= 0 && most <= room) {
		(void)findings_add(a->findings, SEVERITY_OK, "max_connections",
		                   "pools of at most %ld connections fit into the %ld that the server has", most, room);
		return;
	}
	if (most < 0)
		n = findings_add(a->findings, SEVERITY_WARNING, "max_connections",
		                 "the pools have no limit, the server has %ld connections", room);
	else
		n = findings_add(a->findings, SEVERITY_WARNING, "max_connections",
		                 "the pools may come to %ld connections, the server has %ld", most, room);
	finding_cause(n, "max_connections is %ld, of which %ld are reserved; %u entries of [databases] lead there.",
	              slots, reserved, n_databases);
	finding_remedy(n,
	               "Lower pool_size, or set max_db_connections so that all entries for this server together stay "
	               "below %ld, or raise max_connections of the server.",
	               room);
	add_place(a, n, "That needs, in PowerShell as administrator: Restart-Service ", "", server_place_write_service);
}

static void ask_server(struct asking *a)
{
	static const char text[] =
	    "SELECT current_setting('server_version'), current_setting('max_connections')::int, "
	    "current_setting('superuser_reserved_connections')::int "
	    "+ coalesce(nullif(current_setting('reserved_connections', true), ''), '0')::int, pg_is_in_recovery(), "
	    "version()";
	PGresult *r = rows_of(a->conn, text, 0, NULL);

	if (r == NULL) {
		(void)findings_add(a->findings, SEVERITY_NOTE, "server", "the server does not tell its limits");
		return;
	}
	server_place_read_version(&a->place, PQgetvalue(r, 0, 4));
	(void)findings_add(a->findings, SEVERITY_OK, "server", "PostgreSQL %s%s%s", PQgetvalue(r, 0, 0),
	                   a->place.on_windows ? " on Windows" : "",
	                   PQgetvalue(r, 0, 3)[0] == 't' ? ", in recovery: it takes no writes" : "");
	tell_room(a, number(r, 1), number(r, 2));
	PQclear(r);
}

/* ---- roles ---- */

static void tell_role(struct asking *a, const char *user, const PGresult *r)
{
	bool expired = PQgetvalue(r, 0, 0)[0] == 't', expires = PQgetvalue(r, 0, 1)[0] == 't';
	long limit = strtol(PQgetvalue(r, 0, 3), NULL, 10);
	int size = conf_pool_size(a->logins->config, a->database->entry, config_find_user(a->logins->config, user));
	struct finding *n;

	if (expired || expires) {
		n = findings_add(a->findings, SEVERITY_WARNING, "role", "the password of role \"%s\" %s at %s", user,
		                 expired ? "expired" : "expires", PQgetvalue(r, 0, 2));
		finding_cause(n, "Logins with that password are refused from then on.");
		finding_remedy(n, "ALTER ROLE \"%s\" VALID UNTIL 'infinity', or set a new password.", user);
	}
	if (limit >= 0 && (size <= 0 || limit < size)) {
		n = findings_add(a->findings, SEVERITY_WARNING, "role",
		                 "role \"%s\" may have %ld connections, a pool of it up to %d", user, limit, size);
		finding_remedy(n, "ALTER ROLE \"%s\" CONNECTION LIMIT -1, or pool_size = %ld here.", user, limit);
	}
}

static void ask_role(struct asking *a, const char *user)
{
	static const char text[] =
	    "SELECT coalesce(rolvaliduntil <= now(), false), "
	    "coalesce(rolvaliduntil > now() AND rolvaliduntil < now() + interval '7 days', false), rolvaliduntil, "
	    "rolconnlimit FROM pg_roles WHERE rolname = $1";
	const char *values[] = {user};
	PGresult *r = rows_of(a->conn, text, 1, values);

	if (r != NULL && PQntuples(r) == 1)
		tell_role(a, user, r);
	PQclear(r);
}

/* Why a role that was refused cannot log in, if the server shows it. */
static void ask_refused_role(struct asking *a, const char *user)
{
	const char *values[] = {user};
	PGresult *r = rows_of(a->conn, "SELECT rolcanlogin FROM pg_roles WHERE rolname = $1", 1, values);

	if (r != NULL && PQntuples(r) == 0)
		(void)findings_add(a->findings, SEVERITY_NOTE, "role", "there is no role \"%s\" on this server", user);
	else if (r != NULL && PQgetvalue(r, 0, 0)[0] != 't')
		(void)findings_add(a->findings, SEVERITY_NOTE, "role", "role \"%s\" may not log in (NOLOGIN)", user);
	PQclear(r);
}

/* ---- rules ---- */

/* The first rule for database $1, role $2 from the address of this very connection; without TLS. */
static const char rule_query[] =
    "SELECT line_number, type, array_to_string(database, ','), array_to_string(user_name, ','), "
    "coalesce(address, ''), coalesce(netmask, ''), auth_method FROM pg_hba_file_rules WHERE error IS NULL "
    "AND type = ANY (CASE WHEN inet_client_addr() IS NULL THEN '{local}'::text[] "
    "ELSE '{host,hostnossl,hostnogssenc}'::text[] END) "
    "AND ('all' = ANY (database) OR $1 = ANY (database) OR ('sameuser' = ANY (database) AND $1 = $2) "
    "OR (EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AND EXISTS (SELECT FROM unnest(database) AS d(name) "
    "WHERE name IN ('samerole', 'samegroup')))) "
    "AND ('all' = ANY (user_name) OR $2 = ANY (user_name) OR EXISTS (SELECT FROM unnest(user_name) AS u(name), "
    "pg_roles AS g, pg_roles AS r WHERE u.name = '+' || g.rolname AND r.rolname = $2 "
    "AND pg_has_role(r.oid, g.oid, 'member'))) "
    "AND CASE WHEN type = 'local' OR address IN ('all', 'samehost', 'samenet') THEN true "
    "WHEN netmask IS NULL OR address !~ '^[0-9a-fA-F:.]+$' THEN false "
    "WHEN family(address::inet) <> family(inet_client_addr()) THEN false "
    "ELSE (host(inet_client_addr())::inet & netmask::inet) = (address::inet & netmask::inet) END "
    "ORDER BY line_number LIMIT 1";

static void tell_where_lines_go(const struct asking *a, struct finding *n)
{
	add_place(a, n, a->place.hba_file == NULL ? "The file usually is " : "The file is ", ".",
	          server_place_write_hba_file);
}

static void tell_rule(struct asking *a, const struct login_check *at, const PGresult *r)
{
	bool refused = at->result != LOGIN_GOOD;
	struct finding *n;

	if (PQntuples(r) == 0) {
		/* the login itself has said which line is missing */
		n = findings_add(a->findings, SEVERITY_NOTE, "pg_hba", "no line for database \"%s\", user \"%s\"",
		                 at->of->name, at->user);
		tell_where_lines_go(a, n);
		return;
	}
	n = findings_add(a->findings, refused ? SEVERITY_NOTE : SEVERITY_OK, "pg_hba",
	                 "line %s decides for database \"%s\", user \"%s\": %s %s %s %s %s %s", PQgetvalue(r, 0, 0),
	                 at->of->name, at->user, PQgetvalue(r, 0, 1), PQgetvalue(r, 0, 2), PQgetvalue(r, 0, 3),
	                 PQgetvalue(r, 0, 4), PQgetvalue(r, 0, 5), PQgetvalue(r, 0, 6));
	if (refused && strcmp(PQgetvalue(r, 0, 6), "reject") == 0) {
		finding_remedy(n, "A line that lets this login in belongs before line %s.", PQgetvalue(r, 0, 0));
		tell_where_lines_go(a, n);
	}
}

/* False: it is not for this login to look. */
static bool ask_rule(struct asking *a, const struct login_check *at)
{
	const char *dbname = at->of->entry->dbname == NULL ? at->of->name : at->of->entry->dbname;
	const char *values[] = {dbname, at->user};
	PGresult *r = rows_of(a->conn, rule_query, 2, values);

	if (r == NULL)
		return false;
	tell_rule(a, at, r);
	PQclear(r);
	return true;
}

static bool may_see_rules(struct asking *a)
{
	static const char text[] = "SELECT has_function_privilege('pg_hba_file_rules()', 'execute') "
	                           "AND has_table_privilege('pg_hba_file_rules', 'select')";
	PGresult *r = rows_of(a->conn, text, 0, NULL);
	bool may = r != NULL && PQgetvalue(r, 0, 0)[0] == 't';

	PQclear(r);
	return may;
}

/* True if an earlier entry of this server has the same user. */
static bool is_known_role(const struct asking *a, unsigned i, const char *user)
{
	for (unsigned j = 0; j < i; j++) {
		const struct database_check *d = &a->logins->database[j];

		if (!same_server(a->logins, d->entry, a->database->entry))
			continue;
		for (unsigned k = 0; k < d->n_logins; k++)
			if (strcmp(d->login[k].user, user) == 0)
				return true;
	}
	return false;
}

static void ask_login(struct asking *a, unsigned i, const struct login_check *at)
{
	if (is_known_role(a, i, at->user))
		return;
	if (at->result == LOGIN_GOOD)
		ask_role(a, at->user);
	else
		ask_refused_role(a, at->user);
}

/* Each login that met this server. */
static void ask_logins(struct asking *a)
{
	bool rules = may_see_rules(a);
	unsigned n = 0;

	if (!rules)
		(void)findings_add(a->findings, SEVERITY_NOTE, "pg_hba",
		                   "user \"%s\" is not allowed to look at pg_hba_file_rules", a->login->user);
	for (unsigned i = 0; i < a->logins->n_databases; i++) {
		const struct database_check *d = &a->logins->database[i];

		if (!same_server(a->logins, d->entry, a->database->entry))
			continue;
		for (unsigned j = 0; j < d->n_logins && n < MOST_RULES; j++) {
			const struct login_check *at = &d->login[j];

			if (at->result != LOGIN_GOOD && at->result != LOGIN_FAILED)
				continue;
			n++;
			ask_login(a, i, at);
			rules = rules && ask_rule(a, at);
		}
	}
}

/* ---- one database after the other ---- */

static void ask(struct asking *a)
{
	PQsetNoticeProcessor(a->conn, ignore, NULL);
	if (a->first) {
		ask_place(a);
		ask_server(a);
		ask_logins(a);
	}
	try_query(a, "connect_query", "It runs on each new server connection; the connection is used all the same.",
	          a->database->entry->connect_query);
	try_reset(a);
	try_query(a, "server_check_query",
	          "A server connection that was idle for server_check_delay is dropped when this fails.",
	          a->logins->config->settings.server_check_query);
}

static void ask_database(struct asking *a)
{
	a->conn = start_connecting(a->logins, a->login);
	if (a->conn != NULL && PQstatus(a->conn) != CONNECTION_BAD &&
	    finish_connecting(a->conn, clock_steady_us() + connect_us(a->logins)))
		ask(a);
	else
		(void)findings_add(a->findings, SEVERITY_NOTE, "server",
		                   "libpq could not log in: nothing more was looked at");
	PQfinish(a->conn);
}

static bool is_first(const struct logins *l, unsigned i)
{
	for (unsigned j = 0; j < i; j++)
		if (same_server(l, l->database[j].entry, l->database[i].entry) && usable_login(&l->database[j]) != NULL)
			return false;
	return true;
}

static void show_progress(const struct logins *l, const struct asking *a, unsigned i, uint64_t began_us)
{
	if (!l->shows_progress || clock_steady_us() < began_us + US_PER_S)
		return;
	fprintf(stderr, "\r\033[K%u of %u databases asked, now \"%.40s\"", i, l->n_databases, a->database->name);
	fflush(stderr);
}

/* ---- auth_query ---- */

/* What the product would make of that answer. */
static void explain_result(const struct logins *l, const struct login_check *at, const char *text, const PGresult *r,
                           struct verdict *v)
{
	const char *sqlstate = PQresultErrorField(r, PG_DIAG_SQLSTATE),
	           *said = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
	const struct conf_database *d = at->of->entry;
	struct facts facts = {.database = d->dbname == NULL ? at->of->name : d->dbname,
	                      .user = at->user,
	                      .host = d->host == NULL ? l->config->settings.unix_socket_dir : d->host,
	                      .port = d->port,
	                      .runs_auth_query = true,
	                      .auth_query = text};
	struct words words = {"ERROR", sqlstate == NULL ? SQLSTATE_PROTOCOL : sqlstate, said == NULL ? "" : said, NULL,
	                      NULL};
	struct failure why;
	struct str report;
	char shape[80];

	failure_init(&why);
	str_init(&report, 65536);
	if (r == NULL) {
		failure_set(&why, PHASE_LOOKUP, DOMAIN_POOLER, FAILURE_LOOKUP_SHAPE, "no answer in time");
	} else if (PQresultStatus(r) == PGRES_TUPLES_OK) {
		snprintf(shape, sizeof(shape), "it returns %d columns instead of 2", PQnfields(r));
		failure_set(&why, PHASE_LOOKUP, DOMAIN_POOLER, FAILURE_LOOKUP_SHAPE, shape);
	} else if (PQresultStatus(r) != PGRES_FATAL_ERROR) {
		failure_set(&why, PHASE_LOOKUP, DOMAIN_POOLER, FAILURE_LOOKUP_SHAPE,
		            "it is a command that returns no rows");
	} else {
		message_error(&report, &words);
		failure_set_report(&why, PHASE_LOOKUP, report.data + FRAME_HEADER_BYTES,
		                   report.len - FRAME_HEADER_BYTES);
	}
	explain(&why, &facts, v);
	str_fini(&report);
	failure_fini(&why);
}

/* Users who are not in the list depend on it, if anybody meant that there are any. */
static void tell_failed_lookup(struct findings *f, const struct login_check *at, const struct verdict *v)
{
	struct finding *n;

	if (at->of->entry->is_auth_user_usual) {
		n = findings_add(f, SEVERITY_NOTE, "auth_query", "only users of the user list can log in: %s",
		                 str_text(&v->message));
		finding_cause(n,
		              "User \"%s\" is auth_user by the conventions of the variables in use, and looks up all "
		              "others.",
		              at->user);
	} else {
		n = findings_add(f, SEVERITY_ERROR, "auth_query", "%s", str_text(&v->message));
		finding_cause(n, "%s", str_text(&v->detail));
	}
	finding_remedy(n, "%s", str_text(&v->hint));
}

static void tell_lookup(struct findings *f, const struct logins *l, const struct login_check *at, const char *text,
                        const PGresult *r, uint64_t took_us)
{
	bool good = PQresultStatus(r) == PGRES_TUPLES_OK && PQnfields(r) == 2;
	const char *sqlstate = r == NULL ? NULL : PQresultErrorField(r, PG_DIAG_SQLSTATE);
	struct finding *n;
	struct verdict v;

	if (sqlstate != NULL && strcmp(sqlstate, "25006") == 0) {
		(void)findings_add(f, SEVERITY_NOTE, "auth_query", "auth_query was not checked: it writes");
		return;
	}
	if (good) {
		n = findings_add(f, SEVERITY_OK, "auth_query", "auth_query works");
		if (n != NULL)
			n->time_us = took_us;
		return;
	}
	verdict_init(&v);
	explain_result(l, at, text, r, &v);
	tell_failed_lookup(f, at, &v);
	verdict_fini(&v);
}

/* It is asked for auth_user itself: whoever it finds, what can go wrong has gone wrong then. */
static void look_up(struct findings *f, const struct logins *l, const struct login_check *at, const char *text)
{
	const char *values[] = {at->user};
	PGconn *conn = start_connecting(l, at);
	uint64_t began_us;
	PGresult *r;

	if (conn == NULL || PQstatus(conn) == CONNECTION_BAD ||
	    !finish_connecting(conn, clock_steady_us() + connect_us(l)) || !begin(conn)) {
		(void)findings_add(f, SEVERITY_NOTE, "auth_query",
		                   "libpq could not log in: auth_query was not checked");
	} else {
		PQsetNoticeProcessor(conn, ignore, NULL);
		began_us = clock_steady_us();
		r = query(conn, text, 1, values);
		tell_lookup(f, l, at, text, r, clock_steady_us() - began_us);
		PQclear(r);
		roll_back(conn);
	}
	PQfinish(conn);
}

/* The same question at the same place has been asked for an earlier database. */
static bool is_asked(const struct logins *l, unsigned i, const struct login_check *at, const char *text)
{
	for (unsigned j = 0; j < i; j++)
		if (logins_of_lookups(l, &l->database[j]) == at &&
		    strcmp(conf_auth_query(l->config, l->database[j].entry), text) == 0)
			return true;
	return false;
}

static void check_lookups(const struct logins *l, struct findings *f)
{
	char subject[300];

	for (unsigned i = 0; i < l->n_databases; i++) {
		const struct login_check *at = logins_of_lookups(l, &l->database[i]);
		const char *text = conf_auth_query(l->config, l->database[i].entry);

		if (at == NULL || at->result != LOGIN_GOOD || text == NULL || is_asked(l, i, at, text))
			continue;
		snprintf(subject, sizeof(subject), "auth_query in database \"%.128s\"", at->of->name);
		findings_about(f, subject, at->of->name, at->user);
		if (has_usable_secret(at))
			look_up(f, l, at, text);
		else
			(void)findings_add(f, SEVERITY_NOTE, "auth_query",
			                   "auth_query was not checked: no plain password is known to ask with");
	}
}

/* ---- all ---- */

void check_servers(const struct logins *l, struct findings *f)
{
	uint64_t began_us = clock_steady_us();
	char subject[300];

	for (unsigned i = 0; i < l->n_databases; i++) {
		struct asking a = {.logins = l, .database = &l->database[i], .findings = f};

		a.login = usable_login(a.database);
		if (logins_good(a.database) == NULL)
			continue;
		snprintf(subject, sizeof(subject), "server of database \"%.128s\"", a.database->name);
		findings_about(f, subject, a.database->name, a.login == NULL ? NULL : a.login->user);
		if (a.login == NULL) {
			(void)findings_add(f, SEVERITY_NOTE, "server",
			                   "nothing more was looked at: no plain password is known to ask with");
			continue;
		}
		a.first = is_first(l, i);
		show_progress(l, &a, i, began_us);
		ask_database(&a);
	}
	check_lookups(l, f);
	if (l->shows_progress)
		fprintf(stderr, "\r\033[K");
	findings_about(f, "", NULL, NULL);
}
