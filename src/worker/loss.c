/*
 * The last message of a client whose server was killed, crashed, stopped or cut
 * off. Thread: the worker of both.
 *
 *   server_lost ──> server_close ──> link_server_lost ──> loss_tell: facts, explain, what was going on ──> client_fail
 */
#include "worker/loss.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "diag/explain.h"
#include "pool/settings.h"
#include "worker/vigil.h"

/* The host as configured of where it is connected to. */
static const char *host_of(const struct server *s)
{
	const struct permit *p = s->permit;

	return p->reached < p->n_targets ? p->target[p->reached].host : p->settings->database->host;
}

void loss_facts(const struct server *s, struct facts *f, char address[LOSS_ADDRESS_BYTES])
{
	const struct pool_settings *set = s->permit->settings;

	memset(f, 0, sizeof(*f));
	f->database = set->dbname;
	f->user = set->user;
	f->host = host_of(s);
	f->is_unix = address_is_unix(&s->address);
	f->address = f->is_unix ? s->address.u.local.sun_path : address_text(&s->address, address, LOSS_ADDRESS_BYTES);
	f->port = set->database->port;
	f->config_database = s->place.pool->database;
	f->phase_us = s->silent_us;
	f->sqlstate_mode =
	    set->global->error_sqlstate == ERROR_SQLSTATE_PRECISE ? SQLSTATE_PRECISE : SQLSTATE_COMPATIBLE;
}

static void write_seconds(uint64_t us, struct str *out)
{
	str_printf(out, "%llu.%llu s", (unsigned long long)(us / US_PER_S),
	           (unsigned long long)(us / (US_PER_S / 10) % 10));
}

/* What the client was doing, as the pooler knows it. */
static void add_story(const struct client *c, struct str *out)
{
	uint64_t now_us = worker_now_us(c->worker);

	if (out->len > 0)
		str_add_char(out, ' ');
	if (c->query_since_us != 0) {
		str_add_str(out, "The query had been running for ");
		write_seconds(now_us - c->request_us, out); /* not counting what it waited before it was sent */
	} else {
		str_add_str(out, "No query was running");
	}
	if (c->in_transaction && c->xact_since_us != 0) {
		str_add_str(out, ", in a transaction that was open for ");
		write_seconds(now_us - c->xact_since_us, out);
		str_add_char(out, '.');
	} else {
		str_add_str(out, ", outside of a transaction block.");
	}
}

static void add_silence(const struct server *s, struct str *out)
{
	if (s->silent_us == 0)
		return;
	str_add_str(out, " Nothing has come from the server for ");
	write_seconds(s->silent_us, out);
	str_add_char(out, '.');
}

static const char *keepalive_text(const struct settings *g, char *buf, size_t size)
{
	struct socket_options o = vigil_socket_options(g);

	if (!o.keepalive)
		return "none (tcp_keepalive = 0)";
	snprintf(buf, size, "tcp_keepidle = %d, tcp_keepintvl = %d, tcp_keepcnt = %d", o.keepidle_s, o.keepintvl_s,
	         o.keepcnt);
	return buf;
}

static void add_advice(const struct client *c, struct str *out)
{
	if (out->len > 0)
		str_add_char(out, ' ');
	if (c->query_since_us == 0 && !c->in_transaction)
		str_add_str(out, "Connect again: nothing was under way.");
	else if (c->query_since_us == 0)
		str_add_str(out, "Connect again and repeat the transaction: it has been rolled back.");
	else
		str_add_str(out,
		            "Connect again, and check what was changed before repeating it: the lost query may have "
		            "been committed.");
}

void loss_tell(struct client *c, const struct server *s, const struct failure *why)
{
	char address[LOSS_ADDRESS_BYTES], keepalive[96];
	struct facts facts;
	struct verdict v;
	struct words words;

	loss_facts(s, &facts, address);
	facts.keepalive = keepalive_text(s->permit->settings->global, keepalive, sizeof(keepalive));
	verdict_init(&v);
	explain(why, &facts, &v);
	add_story(c, &v.detail);
	if (why->domain == DOMAIN_POOLER && why->code == FAILURE_TIMED_OUT)
		add_silence(s, &v.detail);
	add_advice(c, &v.hint);
	words = verdict_words(&v);
	client_note(c, v.class, facts.address, words.message, words.hint);
	client_fail(c, &words);
	verdict_fini(&v);
}
