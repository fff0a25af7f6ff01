/*
 * Logging in. The opener is asked for one server for each pool, a few at a time, and its reports are written down:
 *
 *   tick ──> ask (registry_enter, min_pool_size 1) ──> opener ──> workers ──> attempt_ended: note it
 *    ^  └──> over: pool closed, next ones <──────────────────────────────────────────┘
 *
 * The first login of a database goes ahead: when its address is dead the others need not try. Main thread.
 */
#include "main/check_login.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "main/supervisor.h"
#include "net/loop.h"
#include "net/signals.h"
#include "pool/opener.h"
#include "pool/settings.h"

#define MOST_LOGINS 2000   /* of one check */
#define MOST_AT_ONCE 32    /* all together */
#define MOST_AT_DATABASE 4 /* of one database */
#define TICK_US (50 * US_PER_MS)
#define DEFAULT_TIMEOUT_US (15 * US_PER_S) /* when server_connect_timeout is off */
#define GRACE_US (2 * US_PER_S)            /* for the attempt's own timeout to speak first */
#define PROGRESS_US US_PER_S

/* ---- the list ---- */

static bool is_console(const struct config *c, const char *user)
{
	return conf_list_has(c->settings.admin_users, user) || conf_list_has(c->settings.stats_users, user);
}

static void add_login(const struct logins *l, struct database_check *d, const char *user, const char *secret)
{
	struct login_check *at = &d->login[d->n_logins++];

	at->of = d;
	at->user = user;
	at->secret = secret;
	at->is_console = is_console(l->config, user);
	d->n_others += at->is_console ? 0 : 1;
	verdict_init(&at->verdict);
}

static unsigned count_users(const struct config *c)
{
	unsigned n = 0, more = 0;

	while (config_login(c, n) != NULL)
		n++;
	while (config_user(c, more) != NULL)
		more++;
	return n + more;
}

static const char *known_secret(const struct conf_login *login)
{
	return login == NULL || login->kind == SECRET_NONE ? NULL : login->secret;
}

/* Those of the user list: first those who come for the databases, with a secret; then the others. */
static void add_listed(const struct logins *l, struct database_check *d, unsigned most)
{
	const struct conf_login *login;

	for (int round = 0; round < 3; round++) {
		for (unsigned i = 0; (login = config_login(l->config, i)) != NULL; i++) {
			int its = is_console(l->config, login->name) ? 2 : login->kind == SECRET_NONE ? 1 : 0;

			if (its != round)
				continue;
			if (d->n_logins < most)
				add_login(l, d, login->name, known_secret(login));
			else
				d->n_left_out++;
		}
	}
}

/* Users of [users] who need no line in the user list. */
static void add_unlisted(const struct logins *l, struct database_check *d, unsigned most)
{
	enum auth_type type = l->config->settings.auth_type;
	const struct conf_user *u;

	for (unsigned i = 0; (u = config_user(l->config, i)) != NULL; i++)
		if ((type == AUTH_TYPE_TRUST || type == AUTH_TYPE_ANY) &&
		    config_find_login(l->config, u->name) == NULL && d->n_logins < most)
			add_login(l, d, u->name, NULL);
}

/* ---- auth_query ---- */

/* Where clients of this database are looked up; NULL: nowhere, or not in a database that can be checked. */
static struct database_check *lookups_of(const struct logins *l, const struct database_check *d)
{
	const char *name = conf_auth_dbname(l->config, d->entry);

	if (conf_auth_user(l->config, d->entry) == NULL)
		return NULL;
	for (unsigned i = 0; i < l->n_databases; i++)
		if (strcmp(l->database[i].name, name == NULL ? d->name : name) == 0)
			return &l->database[i];
	return NULL;
}

static struct login_check *find_login(const struct database_check *d, const char *user)
{
	for (unsigned i = 0; i < d->n_logins; i++)
		if (strcmp(d->login[i].user, user) == 0)
			return &d->login[i];
	return NULL;
}

const struct login_check *logins_of_lookups(const struct logins *l, const struct database_check *d)
{
	const struct database_check *at = lookups_of(l, d);
	const struct login_check *login = at == NULL ? NULL : find_login(at, conf_auth_user(l->config, d->entry));

	return login != NULL && login->looks_up ? login : NULL;
}

/* auth_user logs in as itself, also where others are forced to be somebody else. */
static void add_lookups(struct logins *l, const struct database_check *d)
{
	struct database_check *at = lookups_of(l, d);
	const char *user = conf_auth_user(l->config, d->entry);
	struct login_check *login = at == NULL ? NULL : find_login(at, user);
	const char *secret;

	if (at == NULL)
		return;
	if (login == NULL) {
		secret = known_secret(config_find_login(l->config, user));
		add_login(l, at, user, secret);
		login = &at->login[at->n_logins - 1];
		l->n_logins++;
	}
	login->looks_up = true;
}

/* ---- the databases ---- */

static bool add_database(struct logins *l, const struct conf_database *entry, const char *name, unsigned most,
                         unsigned n_databases)
{
	struct database_check *d = &l->database[l->n_databases++];

	d->entry = entry;
	d->name = name;
	/* each database may have its lookups here, as another user */
	d->login =
	    (struct login_check *)mem_alloc((count_users(l->config) + 1 + n_databases + 1) * sizeof(d->login[0]));
	if (d->login == NULL)
		return false;
	if (entry->user != NULL) {
		const char *secret = entry->password;

		if (secret == NULL)
			secret = known_secret(config_find_login(l->config, entry->user));
		add_login(l, d, entry->user, secret);
	} else {
		add_listed(l, d, most);
		add_unlisted(l, d, most);
	}
	l->n_logins += d->n_logins;
	return true;
}

bool logins_init(struct logins *l, const struct config *c, const char *name, bool quick)
{
	const struct conf_database *d;
	unsigned n = 0, most;
	bool is_template = false;

	memset(l, 0, sizeof(*l));
	l->config = c;
	l->quick = quick;
	while (config_database(c, n) != NULL)
		n++;
	most = MOST_LOGINS / (n + 1);
	l->database = (struct database_check *)mem_alloc((n + 1) * sizeof(l->database[0]));
	if (l->database == NULL)
		return false;
	for (unsigned i = 0; (d = config_database(c, i)) != NULL; i++) {
		if (strcmp(d->name, "*") == 0)
			l->template_left_out = true;
		else if (!add_database(l, d, d->name, most < 1 ? 1 : most, n))
			return false;
	}
	d = name == NULL ? NULL : config_find_database(c, name, &is_template);
	if (d != NULL && is_template) {
		l->template_left_out = false;
		if (!add_database(l, d, name, most < 1 ? 1 : most, n))
			return false;
	}
	for (unsigned i = 0; i < l->n_databases; i++)
		add_lookups(l, &l->database[i]);
	return true;
}

void logins_fini(struct logins *l)
{
	for (unsigned i = 0; i < l->n_databases; i++) {
		struct database_check *d = &l->database[i];

		for (unsigned j = 0; j < d->n_logins; j++)
			verdict_fini(&d->login[j].verdict);
		mem_free(d->login);
	}
	mem_free(l->database);
	l->database = NULL;
	l->n_databases = 0;
}

const struct login_check *logins_good(const struct database_check *d)
{
	for (unsigned i = 0; i < d->n_logins; i++)
		if (d->login[i].result == LOGIN_GOOD)
			return &d->login[i];
	return NULL;
}

/* ---- reports ---- */

static struct login_check *login_of_pool(struct logins *l, const struct pool *p)
{
	for (unsigned i = 0; i < l->n_databases; i++)
		for (unsigned j = 0; j < l->database[i].n_logins; j++)
			if (l->database[i].login[j].pool == p && l->database[i].login[j].state == LOGIN_ASKED)
				return &l->database[i].login[j];
	return NULL;
}

static void note_where(struct login_check *at, const struct attempt *a)
{
	char text[128];

	at->where[0] = '\0';
	if (a->address == NULL)
		return;
	if (address_is_unix(a->address))
		snprintf(at->where, sizeof(at->where), "%s", a->address->u.local.sun_path);
	else
		snprintf(at->where, sizeof(at->where), "%s, port %u", address_text(a->address, text, sizeof(text)),
		         address_port(a->address));
}

/* The opener's: of one attempt each host that failed, then, if one did not, that one. Nothing may be ordered here. */
static void attempt_ended(void *arg, const struct attempt *a)
{
	struct logins *l = (struct logins *)arg;
	struct login_check *at = login_of_pool(l, a->pool);

	if (at == NULL)
		return;
	note_where(at, a);
	at->phases = a->phases;
	if (a->verdict == NULL) {
		at->other_failed = at->reported;
		at->result = LOGIN_GOOD;
	} else if (!at->reported || at->result == LOGIN_FAILED) {
		verdict_copy(&at->verdict, a->verdict);
		at->phase_us = a->phase_us;
		at->result = LOGIN_FAILED;
	}
	at->reported = true;
	timer_set(l->tick, loop_now_us(l->supervisor->loop));
}

/* ---- asking ---- */

static uint64_t timeout_us(const struct logins *l)
{
	uint64_t us = l->config->settings.server_connect_timeout_us;

	return us == 0 ? DEFAULT_TIMEOUT_US : us;
}

static unsigned smaller(unsigned most, int limit)
{
	return limit > 0 && (unsigned)limit < most ? (unsigned)limit : most;
}

static unsigned most_at_once(const struct logins *l)
{
	const struct settings *set = &l->config->settings;

	return smaller(smaller(MOST_AT_ONCE, set->max_server_connections), set->max_host_connections);
}

static unsigned most_out(const struct logins *l, const struct database_check *d)
{
	return conf_max_db_connections(l->config, d->entry) > 0 ? 1 : MOST_AT_DATABASE;
}

/* A limit of the user's connections holds over all databases. */
static bool is_user_busy(const struct logins *l, const char *user)
{
	if (l->n_out == 0 || conf_max_user_connections(l->config, config_find_user(l->config, user)) <= 0)
		return false;
	for (unsigned i = 0; i < l->n_databases; i++)
		for (unsigned j = 0; j < l->database[i].n_logins && l->database[i].n_out > 0; j++)
			if (l->database[i].login[j].state == LOGIN_ASKED &&
			    strcmp(l->database[i].login[j].user, user) == 0)
				return true;
	return false;
}

static bool may_ask(const struct logins *l, const struct login_check *at)
{
	const struct database_check *d = at->of;

	if (l->n_out >= most_at_once(l) || d->n_out >= most_out(l, d) || is_user_busy(l, at->user))
		return false;
	return at == d->login || (l->quick ? d->n_out == 0 : d->login[0].state == LOGIN_OVER);
}

/* One server, whatever the configured sizes are. */
static bool want_one(struct logins *l, struct login_check *at)
{
	struct supervisor *s = l->supervisor;
	struct pool *p = at->entry.seat->pool;
	struct pool_settings *set = at->looks_up
	                                ? pool_settings_new_lookups(l->config, at->of->entry, at->of->name, at->user)
	                                : pool_settings_new(l->config, at->of->entry, at->of->name, at->user);

	if (set == NULL)
		return false;
	set->min_size = 1;
	set->size = set->size < 1 ? 1 : set->size;
	at->pool = p;
	at->state = LOGIN_ASKED;
	at->asked_us = supervisor_now_us(s);
	l->n_out++;
	at->of->n_out++;
	pool_set_settings(p, set, &s->out);
	opener_consider(s->opener, p, at->asked_us, &s->out);
	return true;
}

static void over(struct logins *l, struct login_check *at, enum login_result result)
{
	struct supervisor *s = l->supervisor;

	if (at->state == LOGIN_ASKED) {
		l->n_out--;
		at->of->n_out--;
		at->behind = at->pool->opener == NULL ? NULL : at->pool->opener->behind;
		/* no further attempt, and the server goes */
		pool_set_state(at->pool, POOL_CLOSED, &s->out);
		registry_leave(s->office->registry, &at->entry, supervisor_now_us(s));
	}
	at->state = LOGIN_OVER;
	at->result = result;
	l->n_over++;
	if (result == LOGIN_GOOD)
		at->of->n_good++;
}

static void ask(struct logins *l, struct login_check *at)
{
	struct supervisor *s = l->supervisor;
	struct registry *r = s->office->registry;
	enum entering entered = at->looks_up
	                            ? registry_enter_lookups(r, l->config, at->of->name, at->user, 0, &at->entry)
	                            : registry_enter(r, l->config, at->of->name, at->user, 0, &at->entry);

	if (entered == ENTERED || entered == ENTERED_NEW_DATABASE) {
		if (want_one(l, at))
			return;
		registry_leave(s->office->registry, &at->entry, supervisor_now_us(s));
	} else if ((entered == ENTER_DATABASE_FULL || entered == ENTER_USER_FULL) && l->n_out > 0) {
		return; /* it gets another chance when one of those has left */
	}
	over(l, at, LOGIN_NONE);
}

/* ---- looking ---- */

/* Another login has found its address dead: what it was told holds here, too. */
static bool take_verdict_of_address(struct logins *l, struct login_check *at)
{
	const struct opener_pool *op = at->pool->opener;

	if (op == NULL || op->n_starting > 0 || op->behind == NULL || !op->behind->down)
		return false;
	for (unsigned i = 0; i < l->n_databases; i++) {
		for (unsigned j = 0; j < l->database[i].n_logins; j++) {
			const struct login_check *other = &l->database[i].login[j];

			if (other->state != LOGIN_OVER || other->result != LOGIN_FAILED || other->behind != op->behind)
				continue;
			verdict_copy(&at->verdict, &other->verdict);
			at->phase_us = other->phase_us;
			return true;
		}
	}
	return false;
}

/* Whoever else tries will not get further: nobody is there, or who is there does not speak. */
static bool shows_dead(const struct login_check *at)
{
	const struct verdict *v = &at->verdict;

	if (at->result == LOGIN_SILENT)
		return at == at->of->login;
	if (at->result != LOGIN_FAILED && at->result != LOGIN_SAME)
		return false;
	return v->scope != SCOPE_POOL || v->kind == VERDICT_LATER ||
	       (v->kind == VERDICT_UNREACHED && strncmp(v->precise_sqlstate, "08", 2) == 0);
}

static void look_at_asked(struct logins *l, struct login_check *at, uint64_t now_us)
{
	if (at->reported)
		over(l, at, at->result);
	else if (take_verdict_of_address(l, at))
		over(l, at, LOGIN_SAME);
	else if (now_us >= at->asked_us + timeout_us(l) + GRACE_US)
		over(l, at, LOGIN_SILENT);
	if (at->state == LOGIN_ASKED) {
		/* the connection before it may just have gone, and with it what kept a limit full */
		if (at->pool->opener != NULL && at->pool->opener->n_starting == 0)
			opener_consider(l->supervisor->opener, at->pool, now_us, &l->supervisor->out);
		return;
	}
	at->of->dead = at->of->dead || shows_dead(at);
}

static void look_at_pending(struct logins *l, struct login_check *at, uint64_t now_us)
{
	const struct database_check *d = at->of;

	if (d->dead || (l->quick && d->n_good > 0))
		over(l, at, LOGIN_NEEDLESS);
	else if (now_us >= l->began_us + 2 * timeout_us(l) + GRACE_US)
		over(l, at, LOGIN_NONE);
	else if (may_ask(l, at))
		ask(l, at);
}

/* ---- while it lasts ---- */

static void show_progress(struct logins *l, uint64_t now_us)
{
	const char *waiting_for = "";

	if (!l->shows_progress || now_us < l->began_us + PROGRESS_US || now_us < l->told_us + PROGRESS_US / 2)
		return;
	for (unsigned i = 0; i < l->n_databases && waiting_for[0] == '\0'; i++)
		if (l->database[i].n_out > 0)
			waiting_for = l->database[i].name;
	fprintf(stderr, "\r\033[K%u of %u logins, waiting for \"%.40s\" and %u others (%llu s)", l->n_over, l->n_logins,
	        waiting_for, l->n_out > 0 ? l->n_out - 1 : 0, (unsigned long long)((now_us - l->began_us) / US_PER_S));
	fflush(stderr);
	l->progress_shown = true;
	l->told_us = now_us;
}

static void look(void *owner)
{
	struct logins *l = (struct logins *)owner;
	struct supervisor *s = l->supervisor;
	uint64_t now_us = supervisor_now_us(s);

	if (shutdown_is_under_way(s))
		return;
	timer_set(l->tick, now_us + TICK_US);
	for (unsigned i = 0; i < l->n_databases; i++)
		for (unsigned j = 0; j < l->database[i].n_logins; j++)
			if (l->database[i].login[j].state == LOGIN_ASKED)
				look_at_asked(l, &l->database[i].login[j], now_us);
	for (unsigned i = 0; i < l->n_databases; i++)
		for (unsigned j = 0; j < l->database[i].n_logins; j++)
			if (l->database[i].login[j].state == LOGIN_PENDING)
				look_at_pending(l, &l->database[i].login[j], now_us);
	show_progress(l, now_us);
	if (l->n_over == l->n_logins)
		shutdown_begin(s, SHUTDOWN_NOW);
}

static void interrupted(void *owner, enum signal what, const char *name)
{
	struct logins *l = (struct logins *)owner;

	(void)what;
	(void)name;
	l->interrupted = true;
	shutdown_begin(l->supervisor, SHUTDOWN_NOW);
}

/* The supervisor's own signals mean nothing here. */
static bool watch_signals(struct logins *l)
{
	struct supervisor *s = l->supervisor;

	signal_watch_free(s->signals);
	s->signals = NULL;
	l->interrupts = signal_watch_new(s->loop, 1u << SIGNAL_INTERRUPT | 1u << SIGNAL_STOP, interrupted, l);
	return l->interrupts != NULL;
}

static bool run(struct logins *l)
{
	struct supervisor *s = l->supervisor;

	l->tick = timer_new(s->loop, look, l);
	if (l->tick == NULL || !watch_signals(l))
		return false;
	s->opener->attempt_ended = attempt_ended;
	s->opener->attempt_arg = l;
	l->began_us = supervisor_now_us(s);
	timer_set(l->tick, l->began_us);
	if (!supervisor_run(s))
		return false;
	s->opener->attempt_ended = NULL;
	return true;
}

enum logins_end logins_run(struct logins *l, struct logging *logging, bool *stuck)
{
	bool good;

	*stuck = false;
	if (l->n_logins == 0)
		return LOGINS_DONE;
	l->supervisor = supervisor_new(logging, l->config);
	if (l->supervisor == NULL)
		return LOGINS_FAILED;
	good = run(l);
	if (l->progress_shown)
		fprintf(stderr, "\r\033[K");
	signal_watch_free(l->interrupts);
	timer_free(l->tick);
	*stuck = !supervisor_free(l->supervisor);
	if (!good)
		return LOGINS_FAILED;
	return l->interrupted ? LOGINS_INTERRUPTED : LOGINS_DONE;
}
