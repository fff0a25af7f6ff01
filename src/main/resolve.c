/*
 * A permit's hosts become addresses: in the order of the configuration or in turn,
 * names through dns, all at once. A name that has moved takes its pools along, and
 * names are kept fresh as long as there are servers. Main thread.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "main/supervisor.h"
#include "net/dns.h"
#include "net/loop.h"
#include "os/file.h"
#include "pool/opener.h"
#include "pool/permit.h"
#include "pool/registry.h"

/* As soon as one host has an address, names that are not known yet are waited for only until then, counted from the
   beginning. */
#define PATIENCE_US (500 * US_PER_MS)

/* A name among a permit's hosts. */
struct resolving_host {
	struct resolving *of;
	struct dns_query query;
	bool done;
	int n;
	struct address *address; /* n; owned */
};

/* Owned by main, on supervisor->resolving. */
struct resolving {
	struct list node;
	struct supervisor *s;
	struct permit *permit;
	struct timer *patience;
	uint32_t turn;    /* load balancing: where to begin */
	unsigned n_left;  /* hosts that are not done */
	bool starting;    /* answers that come now are from the cache */
	bool impatient;   /* the patience is over */
	bool has_address; /* one host at least */
	struct resolving_host host[];
};

static void add_target(struct permit *permit, const char *host, const struct address *a)
{
	struct target *t;

	for (uint32_t i = 0; i < permit->n_targets; i++)
		if (address_same(&permit->target[i].address, a))
			return;
	if (permit->n_targets == PERMIT_MAX_TARGETS)
		return;
	t = &permit->target[permit->n_targets++];
	t->host = host;
	t->address = *a;
}

/* Reasons count only if no target is left in the end: the first one is kept. */
static void note_failure(struct permit *permit, const char *text)
{
	if (!failure_is_set(&permit->failure))
		failure_set(&permit->failure, PHASE_RESOLVE, DOMAIN_POOLER, FAILURE_NO_ADDRESS, text);
}

static void note_no_memory(struct permit *permit)
{
	if (!failure_is_set(&permit->failure))
		failure_set(&permit->failure, PHASE_RESOLVE, DOMAIN_POOLER, FAILURE_NO_MEMORY, NULL);
}

static void set_port(struct address *a, uint16_t port)
{
	if (a->u.any.sa_family == AF_INET)
		a->u.v4.sin_port = htons(port);
	else if (a->u.any.sa_family == AF_INET6)
		a->u.v6.sin6_port = htons(port);
}

/* A Unix socket's directory, or the abstract counterpart of one. */
static void add_socket(struct permit *permit, const char *directory, int port)
{
	struct address a;
	char path[sizeof(a.u.local.sun_path)];
	int n = snprintf(path, sizeof(path), "%s/.s.PGSQL.%d", directory, port);

	if (n < 0 || (size_t)n >= sizeof(path) || !address_from_text(&a, path, 0))
		note_failure(permit, "the path of the Unix socket is too long");
	else
		add_target(permit, directory, &a);
}

/* The addresses of one name, and in which order they are tried. */
struct choice {
	const struct resolving_host *of;
	const char *host;
	uint32_t turn; /* the one to begin with */
	int next[2];   /* of the first one's family, of others: how many have been looked at */
};

static const struct address *address_at(const struct choice *c, int i)
{
	return &c->of->address[((uint32_t)i + c->turn) % (uint32_t)c->of->n];
}

/* Adds the next address that is, or is not, of the same family as the first. */
static void add_next(struct resolving *r, struct choice *c, bool same)
{
	int first = address_at(c, 0)->u.any.sa_family;
	struct address a;

	while (c->next[same] < c->of->n) {
		a = *address_at(c, c->next[same]++);
		if ((a.u.any.sa_family == first) != same)
			continue;
		set_port(&a, (uint16_t)r->permit->settings->database->port);
		add_target(r->permit, c->host, &a);
		return;
	}
}

/* IPv6 and IPv4 in turn (RFC 8305): if one of them leads nowhere, the second attempt is of the other. In turn
   themselves if hosts are, too. */
static void add_addresses(struct resolving *r, const struct resolving_host *h, const char *host)
{
	const struct conf_database *d = r->permit->settings->database;
	bool in_turn = d->load_balance_hosts == LOAD_BALANCE_ROUND_ROBIN;
	struct choice c = {h, host, in_turn ? r->turn / d->n_hosts : 0, {0, 0}};

	for (int i = 0; i < h->n; i++) {
		add_next(r, &c, true);
		add_next(r, &c, false);
	}
}

static bool is_name(const char *host)
{
	struct address a;

	return !path_is_of_socket(host) && !address_from_text(&a, host, 0);
}

static void add_host(struct resolving *r, const struct resolving_host *h, const char *host)
{
	const struct conf_database *d = r->permit->settings->database;
	struct address a;

	if (path_is_of_socket(host))
		add_socket(r->permit, host, d->port);
	else if (address_from_text(&a, host, (uint16_t)d->port))
		add_target(r->permit, host, &a);
	else
		add_addresses(r, h, host);
}

static void resolve_end(struct supervisor *s, struct permit *permit)
{
	if (permit->n_targets > 0)
		failure_fini(&permit->failure);
	else
		note_failure(permit, "no host is configured");
	opener_resolved(s->opener, permit, supervisor_now_us(s), &s->out);
}

static void resolving_free(struct resolving *r)
{
	const struct conf_database *d = r->permit->settings->database;

	for (unsigned i = 0; i < d->n_hosts; i++) {
		dns_cancel(r->s->dns, &r->host[i].query);
		mem_free(r->host[i].address);
	}
	timer_free(r->patience);
	list_remove(&r->node);
	mem_free(r);
}

static void resolving_end(struct resolving *r)
{
	const struct conf_database *d = r->permit->settings->database;
	struct permit *permit = r->permit;
	struct supervisor *s = r->s;

	for (unsigned i = 0; i < d->n_hosts; i++) {
		unsigned at = (r->turn + i) % d->n_hosts;

		add_host(r, &r->host[at], d->hosts[at]);
	}
	resolving_free(r);
	resolve_end(s, permit);
}

static void resolving_look(struct resolving *r)
{
	if (!r->starting && (r->n_left == 0 || (r->impatient && r->has_address)))
		resolving_end(r);
}

static void be_impatient(void *owner)
{
	struct resolving *r = (struct resolving *)owner;

	r->impatient = true;
	resolving_look(r);
}

static void take_answer(struct resolving_host *h, const struct dns_answer *answer)
{
	size_t size = (size_t)answer->n * sizeof(*h->address);

	h->address = (struct address *)mem_copy(answer->address, size);
	if (h->address == NULL) {
		note_no_memory(h->of->permit);
		return;
	}
	h->n = answer->n;
	h->of->has_address = true;
}

static void host_done(struct resolving_host *h)
{
	h->done = true;
	h->of->n_left--;
}

static void name_answered(struct dns_query *q, const struct dns_answer *answer, const struct failure *why)
{
	struct resolving_host *h = container_of(q, struct resolving_host, query);
	struct resolving *r = h->of;
	const char *host = r->permit->settings->database->hosts[h - r->host];

	log_write(r->s->log, LEVEL_DEBUG, "host \"%.400s\": %d addresses%s%s", host, answer == NULL ? 0 : answer->n,
	          answer == NULL ? ": " : "", answer == NULL ? why->text : "");
	if (answer != NULL)
		take_answer(h, answer);
	else if (!failure_is_set(&r->permit->failure))
		failure_copy(&r->permit->failure, why);
	host_done(h);
	resolving_look(r);
}

static void resolving_start(struct resolving *r)
{
	const struct conf_database *d = r->permit->settings->database;

	r->starting = true;
	for (unsigned i = 0; i < d->n_hosts; i++) {
		struct resolving_host *h = &r->host[i];

		h->of = r;
		h->query.answered = name_answered;
		if (is_name(d->hosts[i])) {
			dns_lookup(r->s->dns, d->hosts[i], &h->query);
		} else {
			r->has_address = true;
			host_done(h);
		}
	}
	r->starting = false;
	timer_set(r->patience, supervisor_now_us(r->s) + PATIENCE_US);
	resolving_look(r);
}

/* NULL: out of memory. */
static struct resolving *resolving_new(struct supervisor *s, struct permit *permit)
{
	const struct conf_database *d = permit->settings->database;
	struct resolving *r = (struct resolving *)mem_alloc(sizeof(*r) + d->n_hosts * sizeof(r->host[0]));

	if (r == NULL)
		return NULL;
	r->patience = timer_new(s->loop, be_impatient, r);
	if (r->patience == NULL) {
		mem_free(r);
		return NULL;
	}
	r->s = s;
	r->permit = permit;
	r->n_left = d->n_hosts;
	r->turn = permit->pool->opener->next_target;
	if (d->load_balance_hosts == LOAD_BALANCE_ROUND_ROBIN)
		permit->pool->opener->next_target++;
	list_add_tail(&s->resolving, &r->node);
	return r;
}

void resolve_permit(struct supervisor *s, struct permit *permit)
{
	const struct conf_database *d = permit->settings->database;
	const char *directory = permit->settings->global->unix_socket_dir;
	struct resolving *r;

	if (d->n_hosts == 0) {
		if (directory != NULL && directory[0] != '\0')
			add_socket(permit, directory, d->port);
		resolve_end(s, permit);
		return;
	}
	r = resolving_new(s, permit);
	if (r == NULL) {
		note_no_memory(permit);
		resolve_end(s, permit);
		return;
	}
	resolving_start(r);
}

/* ---- what becomes of names ---- */

struct moved {
	struct supervisor *s;
	const char *host;
	unsigned n_pools;
};

/* With the registry's lock held. Servers at the old address close as they come free. */
static void pool_moved(void *arg, struct pool *p)
{
	struct moved *m = (struct moved *)arg;
	const struct conf_database *d;

	if (p->opener == NULL)
		return;
	d = p->settings->database; /* only main replaces it */
	for (unsigned i = 0; i < d->n_hosts; i++) {
		if (strcasecmp(d->hosts[i], m->host) != 0)
			continue;
		pool_reconnect(p, &m->s->out);
		m->n_pools++;
		return;
	}
}

static void name_moved(void *owner, const char *host)
{
	struct moved m = {(struct supervisor *)owner, host, 0};

	registry_each_pool(m.s->office->registry, NULL, pool_moved, &m);
	if (m.n_pools > 0)
		log_write(m.s->log, LEVEL_LOG,
		          "host name \"%s\" has another address now: servers at the old one close "
		          "as they come free",
		          host);
}

/* With the registry's lock held. */
static void pool_refresh_names(void *arg, struct pool *p)
{
	struct supervisor *s = (struct supervisor *)arg;
	const struct conf_database *d;

	if (p->opener == NULL || p->opener->n_permits == 0)
		return;
	d = p->settings->database;
	for (unsigned i = 0; i < d->n_hosts; i++)
		dns_refresh(s->dns, d->hosts[i]);
}

static void names_expired(void *owner)
{
	struct supervisor *s = (struct supervisor *)owner;

	registry_each_pool(s->office->registry, NULL, pool_refresh_names, s);
}

static void zone_changed(void *owner, const char *zone, uint32_t before, uint32_t now)
{
	struct supervisor *s = (struct supervisor *)owner;

	log_write(s->log, LEVEL_LOG,
	          "zone \"%s\" has changed, its names are looked up anew: serial %" PRIu32 ", before %" PRIu32, zone,
	          now, before);
}

void resolve_watch(struct supervisor *s)
{
	static const struct dns_watcher watcher = {name_moved, names_expired, zone_changed};

	dns_watch(s->dns, &watcher, s);
}

void resolve_stop(struct supervisor *s)
{
	struct list *node;

	while ((node = list_first(&s->resolving)) != NULL) {
		struct resolving *r = container_of(node, struct resolving, node);
		struct permit *permit = r->permit;

		resolving_free(r);
		/* no failure: this is no outage that anybody should read about */
		permit->n_targets = 0;
		failure_fini(&permit->failure);
		opener_resolved(s->opener, permit, supervisor_now_us(s), &s->out);
	}
}
