/*
 * Host names to addresses: a cache in front of the name servers, asked on the loop, and of the C library, asked on
 * helper threads for what only it may know. Main thread, except lookup_work and lookup_discard (a helper's).
 *
 *   dns_lookup ──> known: answer at once
 *              ──> trouble last time, but addresses are known: those at once, while a lookup runs
 *              ──> not: name_ask ──> question … servers_answered ────────────────┬──> lookup_end: all who wait
 *                                    or, or then: jobs … lookup_work … dns_read ─┘    are answered
 *   dns_expire <── timer: those who waited long enough get the last known addresses, or "timed out"
 *   dns_sweep  <── timer: answers are old; those that are in use are asked for anew
 */
#include "net/dns.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/letter.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/table.h"
#include "net/jobs.h"
#include "net/loop.h"
#include "net/mailbox.h"
#include "net/question.h"
#include "net/zones.h"
#include "os/error.h"
#include "os/process.h"

/* Names that nobody asked for so long are forgotten when another one comes. */
#define FORGET_US (24ull * 3600 * US_PER_S)

/* A failure is asked about again after this, whatever dns_nxdomain_ttl: who asks has a client that waits. */
#define FAILURE_BELIEVED_US US_PER_S

/* With addresses known, an asker waits for newer ones only so long from the start of the lookup. */
#define PATIENCE_US (500 * US_PER_MS)

/* A lookup that is silent for so long gets a second one beside it: the resolver itself asks again after many seconds
   only, and a name server that is back shall be noticed sooner. */
#define SILENT_US (2 * US_PER_S)

/* Old answers are asked for anew at most so often, however short they live. */
#define SWEEP_US US_PER_S

/* Where the C library has it written which sources of names there are. */
#define SOURCES_FILE "/etc/nsswitch.conf"

/* One lookup: a question to the name servers, or a call of getaddrinfo. Owned by a helper thread between jobs_run and
   the letter. */
struct lookup {
	struct job job;
	struct dns *dns;           /* main's */
	struct dns_name *name;     /* main's */
	struct question *question; /* main's; NULL: the C library is asked */
	uint64_t began_us;         /* main's */
	char *host;
	int gai;     /* the result */
	int err;     /* with EAI_SYSTEM; else 0 */
	bool silent; /* instead: no name server has answered */
	int n;
	struct address *address;
	uint64_t ttl_us; /* of the addresses; UINT64_MAX: nobody has said */
};

/* What is known about a name, and who wants to know. */
struct dns_name {
	struct table_node node;
	struct list asked; /* in d->asked while somebody waits */
	char *host;
	uint64_t asked_us;   /* last time anybody did */
	uint64_t learned_us; /* when the answer or the failure came */
	uint64_t expires_us; /* of the answer or the failure */
	bool known;          /* there has been an answer or a failure */
	bool unused;         /* it was old, and nobody wanted it anew */
	struct failure failure;
	int n;                   /* usable ones of the last good answer; 0: none, or the name does not exist */
	int n_before;            /* all of the last good answer, whatever has come since */
	struct address *address; /* n_before */
	struct lookup *lookup;   /* under way */
	struct lookup *second;   /* begun because that one is silent */
	uint64_t second_us;      /* when that may be; UINT64_MAX: not any more */
	struct dns_query *first, **end;
	struct zone *zone; /* may be NULL */
};

/* Owned by the main thread. */
struct dns {
	struct loop *loop;
	struct jobs *jobs;
	struct mailbox *mailbox;
	uint8_t kind;
	struct dns_times times;
	struct question_servers servers;
	char *own_file; /* servers.file; NULL: the system's */
	struct table names;
	struct zones *zones;
	struct list asked; /* names for which somebody waits */
	struct timer *timer;
	struct timer *sweep_timer;
	uint64_t swept_us;
	struct dns_query *answering; /* taken off their name, not told yet */
	const struct dns_watcher *watcher;
	void *watcher_owner;
};

/* ---- on a helper thread ---- */

static void lookup_free(struct lookup *k)
{
	mem_free(k->host);
	mem_free(k->address);
	mem_free(k);
}

static void lookup_discard(struct job *job)
{
	lookup_free(container_of(job, struct lookup, job));
}

static void lookup_collect(struct lookup *k, const struct addrinfo *list)
{
	int n = 0;

	for (const struct addrinfo *ai = list; ai != NULL && n < QUESTION_ADDRESSES_MAX; ai = ai->ai_next)
		n++;
	if (n == 0)
		return;
	k->address = (struct address *)mem_alloc((size_t)n * sizeof(*k->address));
	if (k->address == NULL) {
		k->gai = EAI_MEMORY;
		return;
	}
	for (const struct addrinfo *ai = list; ai != NULL && n > 0; ai = ai->ai_next, n--) {
		struct address a;

		if (address_from_sockaddr(&a, ai->ai_addr, ai->ai_addrlen) && !address_is_among(&a, k->address, k->n))
			k->address[k->n++] = a;
	}
}

static void lookup_work(struct job *job)
{
	struct lookup *k = container_of(job, struct lookup, job);
	struct addrinfo want, *list = NULL;

	memset(&want, 0, sizeof(want));
	want.ai_family = AF_UNSPEC;
	want.ai_socktype = SOCK_STREAM;
	want.ai_flags = AI_ADDRCONFIG;
	k->gai = getaddrinfo(k->host, NULL, &want, &list);
#ifdef EAI_SYSTEM
	if (k->gai == EAI_SYSTEM)
		k->err = errno;
#endif
	if (k->gai == 0)
		lookup_collect(k, list);
	if (list != NULL)
		freeaddrinfo(list);
}

/* ---- names ---- */

static struct dns_name *name_of(const struct table_node *node)
{
	struct table_node *n;

	memcpy(&n, &node, sizeof(n));
	return container_of(n, struct dns_name, node);
}

static bool name_same(const struct table_node *node, const void *key)
{
	return strcasecmp(name_of(node)->host, (const char *)key) == 0;
}

/* Case does not count in host names. */
static uint32_t name_hash(const struct dns *d, const char *host)
{
	char lower[256];
	size_t n = 0;

	for (; host[n] != '\0' && n < sizeof(lower); n++)
		lower[n] = host[n] >= 'A' && host[n] <= 'Z' ? (char)(host[n] + ('a' - 'A')) : host[n];
	return table_hash(&d->names, lower, n);
}

static void name_free(struct dns_name *name)
{
	list_remove(&name->asked);
	zones_leave(name->zone);
	failure_fini(&name->failure);
	mem_free(name->address);
	mem_free(name->host);
	mem_free(name);
}

static void dns_forget_old(struct dns *d)
{
	uint64_t now_us = loop_now_us(d->loop);
	struct table_node *node = table_next(&d->names, NULL);

	while (node != NULL) {
		struct dns_name *name = name_of(node);

		node = table_next(&d->names, node);
		if (name->first != NULL || name->lookup != NULL || now_us - name->asked_us < FORGET_US)
			continue;
		table_remove(&d->names, &name->node);
		name_free(name);
	}
}

static struct dns_name *name_new(struct dns *d, const char *host, uint32_t hash)
{
	struct dns_name *name = mem_new(struct dns_name);

	if (name == NULL)
		return NULL;
	list_init(&name->asked);
	failure_init(&name->failure);
	name->end = &name->first;
	name->host = mem_copy_str(host);
	if (name->host == NULL) {
		name_free(name);
		return NULL;
	}
	dns_forget_old(d);
	name->zone = zones_join(d->zones, host);
	table_add(&d->names, &name->node, hash);
	return name;
}

/* NULL: it is not known. */
static struct dns_name *dns_find(struct dns *d, const char *host)
{
	struct table_node *node = table_find(&d->names, name_hash(d, host), name_same, host);

	return node != NULL ? name_of(node) : NULL;
}

/* NULL when out of memory. */
static struct dns_name *dns_find_or_add(struct dns *d, const char *host)
{
	struct dns_name *name = dns_find(d, host);

	return name != NULL ? name : name_new(d, host, name_hash(d, host));
}

static bool name_is_fresh(const struct dns *d, const struct dns_name *name)
{
	uint64_t now_us = loop_now_us(d->loop);

	if (failure_is_set(&name->failure) && now_us >= name->learned_us + FAILURE_BELIEVED_US)
		return false;
	return name->known && now_us < name->expires_us;
}

/* Until when somebody who asks now waits for the lookup under way: not at all if it is in the past. */
static uint64_t name_deadline_us(const struct dns *d, const struct dns_name *name)
{
	uint64_t now_us = loop_now_us(d->loop);

	if (name->n == 0)
		return now_us + d->times.timeout_us;
	if (failure_is_set(&name->failure))
		return now_us;
	return name->lookup->began_us + (d->times.timeout_us < PATIENCE_US ? d->times.timeout_us : PATIENCE_US);
}

static void lookup_end(struct dns *d, struct lookup *k);

static void lookup_ask_library(struct dns *d, struct lookup *k)
{
	k->job.letter.kind = d->kind;
	k->job.letter.to = TO_MAIN;
	k->job.reply_to = d->mailbox;
	k->job.work = lookup_work;
	k->job.discard = lookup_discard;
	jobs_run(d->jobs, &k->job);
}

/* "10.1", "2130706433" and what else the C library takes for an address. That is no lookup: it does not block. */
static bool host_is_number(const char *host)
{
	struct addrinfo want, *list = NULL;
	bool is;

	memset(&want, 0, sizeof(want));
	want.ai_flags = AI_NUMERICHOST;
	is = getaddrinfo(host, NULL, &want, &list) == 0;
	if (list != NULL)
		freeaddrinfo(list);
	return is;
}

/* With a file of our own nobody else is asked. */
static bool library_knows_more(const struct dns *d)
{
	return d->own_file == NULL && os_names_have_other_sources(SOURCES_FILE);
}

/* Name servers in trouble: the C library goes on to the next search domain, where c-ares gives up. */
static bool library_has_the_last_word(const struct dns *d, enum question_outcome outcome)
{
	if (outcome == QUESTION_ANSWERED || d->own_file != NULL)
		return false;
	return outcome == QUESTION_REFUSED || library_knows_more(d);
}

static int gai_of(enum question_outcome outcome)
{
	switch (outcome) {
	case QUESTION_ANSWERED:
		return 0;
	case QUESTION_NO_NAME:
		return EAI_NONAME;
	case QUESTION_NO_ADDRESS:
#ifdef EAI_NODATA
		return EAI_NODATA;
#else
		return EAI_NONAME;
#endif
	case QUESTION_SILENT:
	case QUESTION_REFUSED:
		return EAI_AGAIN;
	}
	return EAI_FAIL;
}

static void servers_answered(void *asker, struct question_result *result)
{
	struct lookup *k = (struct lookup *)asker;

	k->question = NULL;
	if (library_has_the_last_word(k->dns, result->outcome)) {
		lookup_ask_library(k->dns, k);
		return;
	}
	k->job.done = true;
	k->gai = gai_of(result->outcome);
	k->silent = result->outcome == QUESTION_SILENT;
	k->n = result->n;
	k->address = result->address;
	k->ttl_us = result->ttl_us;
	result->address = NULL;
	lookup_end(k->dns, k);
}

/* As the C library with AI_ADDRCONFIG: a machine with addresses of one family only does not ask for the other. */
static enum question_kind wanted_kind(void)
{
	bool v4, v6;

	address_families(&v4, &v6);
	if (v4 == v6)
		return QUESTION_ADDRESSES;
	return v4 ? QUESTION_V4 : QUESTION_V6;
}

/* False: that is for the C library. */
static bool lookup_ask_servers(struct dns *d, struct lookup *k)
{
	bool is_second = k->name->lookup != NULL;

	if (!question_is_possible() || host_is_number(k->host) || (is_second && library_knows_more(d)))
		return false;
	k->question = question_new(d->loop, &d->servers, wanted_kind(), k->host, servers_answered, k);
	return k->question != NULL;
}

/* NULL when out of memory. */
static struct lookup *lookup_start(struct dns *d, struct dns_name *name)
{
	struct lookup *k = mem_new(struct lookup);

	if (k == NULL)
		return NULL;
	k->host = mem_copy_str(name->host);
	if (k->host == NULL) {
		lookup_free(k);
		return NULL;
	}
	k->dns = d;
	k->name = name;
	k->began_us = loop_now_us(d->loop);
	k->ttl_us = UINT64_MAX;
	if (!lookup_ask_servers(d, k))
		lookup_ask_library(d, k);
	return k;
}

/* Starts a lookup unless one is under way, or a second one if that is silent; false when out of memory. */
static bool name_ask(struct dns *d, struct dns_name *name)
{
	if (name->lookup == NULL) {
		name->lookup = lookup_start(d, name);
		name->second_us = loop_now_us(d->loop) + SILENT_US;
	} else if (loop_now_us(d->loop) >= name->second_us) {
		name->second_us = UINT64_MAX;
		name->second = lookup_start(d, name);
	}
	return name->lookup != NULL;
}

/* ---- questions and answers ---- */

/* The last touch: the asker may do anything, even ask again. */
static void query_answer(struct dns_query *q, const struct dns_name *name, const struct failure *why)
{
	struct dns_answer answer = {name->n, name->address};

	q->waiting = false;
	q->name = NULL;
	if (name->n > 0)
		q->answered(q, &answer, NULL);
	else
		q->answered(q, NULL, why);
}

static void query_no_memory(struct dns_query *q)
{
	struct failure why;

	failure_init(&why);
	failure_set(&why, PHASE_RESOLVE, DOMAIN_POOLER, FAILURE_NO_MEMORY, NULL);
	q->waiting = false;
	q->name = NULL;
	q->answered(q, NULL, &why);
	failure_fini(&why);
}

/* Removes a question from one list; false if it is not on it. */
static bool query_unlink(struct dns_query **list, const struct dns_query *q)
{
	for (; *list != NULL; list = &(*list)->next) {
		if (*list == q) {
			*list = q->next;
			return true;
		}
	}
	return false;
}

/* After a removal: where the next question goes, and whether anybody waits at all. */
static void name_tidy(struct dns_name *name)
{
	name->end = &name->first;
	while (*name->end != NULL)
		name->end = &(*name->end)->next;
	if (name->first == NULL)
		list_remove(&name->asked);
}

static void name_add(struct dns *d, struct dns_name *name, struct dns_query *q, uint64_t deadline_us)
{
	q->waiting = true;
	q->name = name;
	q->deadline_us = deadline_us;
	q->next = NULL;
	*name->end = q;
	name->end = &q->next;
	list_remove(&name->asked);
	list_add_tail(&d->asked, &name->asked);
}

static uint64_t dns_first_deadline(const struct dns *d)
{
	uint64_t first = UINT64_MAX;
	struct list *node;

	list_each (node, &d->asked) {
		const struct dns_name *name = container_of(node, struct dns_name, asked);

		if (name->second_us < first)
			first = name->second_us;
		for (const struct dns_query *q = name->first; q != NULL; q = q->next) {
			if (q->deadline_us < first)
				first = q->deadline_us;
		}
	}
	return first;
}

static void dns_set_timer(struct dns *d)
{
	uint64_t at_us = dns_first_deadline(d);

	if (at_us == UINT64_MAX)
		timer_clear(d->timer);
	else
		timer_set(d->timer, at_us);
}

/* Takes questions off a name and puts them behind those to be answered now: all, or those whose time is over. */
static void name_take(struct dns *d, struct dns_name *name, uint64_t until_us)
{
	struct dns_query **from = &name->first, **to = &d->answering;

	while (*to != NULL)
		to = &(*to)->next;
	while (*from != NULL) {
		struct dns_query *q = *from;

		if (q->deadline_us > until_us) {
			from = &q->next;
			continue;
		}
		*from = q->next;
		q->next = NULL;
		*to = q;
		to = &q->next;
	}
	name_tidy(name);
}

/* `why`: for those without an address. What callbacks do to questions that are not told yet is seen at once. */
static void dns_answer_taken(struct dns *d, const struct failure *why)
{
	struct dns_query *q;

	while ((q = d->answering) != NULL) {
		d->answering = q->next;
		query_answer(q, q->name, why);
	}
}

static void dns_expire(void *owner)
{
	struct dns *d = (struct dns *)owner;
	struct list *node, *after;
	struct failure why;

	list_each_safe (node, after, &d->asked) {
		(void)name_ask(d, container_of(node, struct dns_name, asked));
		name_take(d, container_of(node, struct dns_name, asked), loop_now_us(d->loop));
	}
	/* before the callbacks: one of them may set it again */
	dns_set_timer(d);
	failure_init(&why);
	failure_set(&why, PHASE_RESOLVE, DOMAIN_POOLER, FAILURE_TIMED_OUT, NULL);
	dns_answer_taken(d, &why);
	failure_fini(&why);
}

void dns_lookup(struct dns *d, const char *host, struct dns_query *q)
{
	struct dns_name *name = dns_find_or_add(d, host);
	uint64_t now_us = loop_now_us(d->loop), deadline_us = now_us;

	if (name == NULL) {
		query_no_memory(q);
		return;
	}
	name->asked_us = now_us;
	if (name_is_fresh(d, name)) {
		query_answer(q, name, &name->failure);
		return;
	}
	if (name_ask(d, name))
		deadline_us = name_deadline_us(d, name);
	if (deadline_us > now_us) {
		name_add(d, name, q, deadline_us);
		dns_set_timer(d);
	} else if (name->n > 0) {
		query_answer(q, name, NULL);
	} else {
		query_no_memory(q);
	}
}

void dns_cancel(struct dns *d, struct dns_query *q)
{
	struct dns_name *name = q->name;

	if (!q->waiting)
		return;
	q->waiting = false;
	q->name = NULL;
	if (query_unlink(&d->answering, q) || !query_unlink(&name->first, q))
		return;
	name_tidy(name);
	dns_set_timer(d);
}

/* ---- results ---- */

static void name_set_failure(struct dns_name *name, const struct lookup *k)
{
	char reason[96];

	if (!k->job.done)
		failure_set(&name->failure, PHASE_RESOLVE, DOMAIN_ERRNO, EAGAIN, "could not start a helper thread");
	else if (k->silent)
		failure_set(&name->failure, PHASE_RESOLVE, DOMAIN_POOLER, FAILURE_TIMED_OUT, NULL);
	else if (k->gai == 0)
		failure_set(&name->failure, PHASE_RESOLVE, DOMAIN_POOLER, FAILURE_NO_ADDRESS, NULL);
	else if (k->gai == EAI_MEMORY)
		failure_set(&name->failure, PHASE_RESOLVE, DOMAIN_POOLER, FAILURE_NO_MEMORY, NULL);
	else if (k->err != 0)
		failure_setf(&name->failure, PHASE_RESOLVE, DOMAIN_GAI, k->gai, "%s: %s", os_lookup_error_text(k->gai),
		             os_error_text(k->err, reason, sizeof(reason)));
	else
		failure_set(&name->failure, PHASE_RESOLVE, DOMAIN_GAI, k->gai, os_lookup_error_text(k->gai));
}

/* The name server spoke, and its answer was "there is no such name". All else is trouble on the way. */
static bool lookup_says_no(const struct lookup *k)
{
	if (!k->job.done || k->silent)
		return false;
	return k->gai == 0 || k->gai == EAI_NONAME || k->gai == EAI_FAIL
#ifdef EAI_NODATA
	       || k->gai == EAI_NODATA
#endif
#ifdef EAI_ADDRFAMILY
	       || k->gai == EAI_ADDRFAMILY
#endif
	    ;
}

/* Not one address is as it was. */
static bool lookup_says_moved(const struct lookup *k, const struct dns_name *name)
{
	for (int i = 0; i < name->n_before; i++) {
		if (address_is_among(&name->address[i], k->address, k->n))
			return false;
	}
	return name->n_before > 0;
}

/* True if the name has moved. */
static bool name_learn_addresses(struct dns *d, struct dns_name *name, struct lookup *k)
{
	bool moved = lookup_says_moved(k, name);

	mem_free(name->address);
	name->address = k->address;
	name->n = name->n_before = k->n;
	k->address = NULL;
	name->expires_us = name->learned_us + (k->ttl_us < d->times.max_ttl_us ? k->ttl_us : d->times.max_ttl_us);
	return moved;
}

/* Trouble of an old lookup says nothing when a younger one has had a good answer meanwhile. */
static bool lookup_is_outdated(const struct lookup *k, const struct dns_name *name)
{
	return k->n == 0 && name->n > 0 && !failure_is_set(&name->failure) && k->began_us < name->learned_us;
}

/* Moves the result into the cache. In trouble, addresses that are known stay. True if the name has moved. */
static bool name_learn(struct dns *d, struct dns_name *name, struct lookup *k)
{
	if (lookup_is_outdated(k, name))
		return false;
	failure_fini(&name->failure);
	name->known = true;
	name->unused = false;
	name->learned_us = loop_now_us(d->loop);
	if (k->n > 0)
		return name_learn_addresses(d, name, k);
	name_set_failure(name, k);
	name->expires_us = name->learned_us + d->times.nx_ttl_us;
	if (lookup_says_no(k))
		name->n = 0;
	return false;
}

static void name_forget_lookup(struct dns_name *name, const struct lookup *k)
{
	if (name->lookup == k)
		name->lookup = name->second;
	name->second = NULL;
	name->second_us = name->lookup == NULL ? UINT64_MAX : name->lookup->began_us + SILENT_US;
}

/* When the first answer gets old that somebody may want anew. */
static void dns_plan_sweep(struct dns *d)
{
	uint64_t first = UINT64_MAX;

	for (struct table_node *node = table_next(&d->names, NULL); node != NULL; node = table_next(&d->names, node)) {
		const struct dns_name *name = name_of(node);

		if (name->known && !name->unused && name->lookup == NULL && name->expires_us < first)
			first = name->expires_us;
	}
	if (first == UINT64_MAX)
		timer_clear(d->sweep_timer);
	else
		timer_set(d->sweep_timer, first > d->swept_us + SWEEP_US ? first : d->swept_us + SWEEP_US);
}

static void dns_sweep(void *owner)
{
	struct dns *d = (struct dns *)owner;

	d->swept_us = loop_now_us(d->loop);
	for (struct table_node *node = table_next(&d->names, NULL); node != NULL; node = table_next(&d->names, node)) {
		struct dns_name *name = name_of(node);

		if (name->known && name->expires_us <= d->swept_us)
			name->unused = true;
	}
	if (d->watcher != NULL)
		d->watcher->expired(d->watcher_owner);
	dns_plan_sweep(d);
}

static void lookup_end(struct dns *d, struct lookup *k)
{
	struct dns_name *name = k->name;
	struct failure why;

	name_forget_lookup(name, k);
	/* before anybody asks for a connection to the new address */
	if (name_learn(d, name, k) && d->watcher != NULL)
		d->watcher->moved(d->watcher_owner, name->host);
	lookup_free(k);
	name_take(d, name, UINT64_MAX);
	dns_set_timer(d);
	dns_plan_sweep(d);
	/* a copy, because an asker may make us learn anew */
	failure_init(&why);
	failure_copy(&why, &name->failure);
	dns_answer_taken(d, &why);
	failure_fini(&why);
}

void dns_read(struct dns *d, struct letter *letter)
{
	struct lookup *k = container_of(container_of(letter, struct job, letter), struct lookup, job);

	if (d == NULL)
		lookup_free(k);
	else
		lookup_end(d, k);
}

/* ---- anew ---- */

void dns_refresh(struct dns *d, const char *host)
{
	struct dns_name *name = dns_find(d, host);

	if (name == NULL || !name->known || name->expires_us > loop_now_us(d->loop))
		return;
	name->asked_us = loop_now_us(d->loop);
	(void)name_ask(d, name);
}

/* What is known is old from now on. */
static void name_renew(struct dns *d, struct dns_name *name)
{
	if (name->expires_us > loop_now_us(d->loop))
		name->expires_us = loop_now_us(d->loop);
	(void)name_ask(d, name);
}

void dns_refresh_all(struct dns *d)
{
	for (struct table_node *node = table_next(&d->names, NULL); node != NULL; node = table_next(&d->names, node))
		name_renew(d, name_of(node));
}

static void dns_zone_changed(void *owner, const struct zone *zone, uint32_t before, uint32_t now)
{
	struct dns *d = (struct dns *)owner;

	if (d->watcher != NULL)
		d->watcher->zone_changed(d->watcher_owner, zone_name(zone), before, now);
	for (struct table_node *node = table_next(&d->names, NULL); node != NULL; node = table_next(&d->names, node)) {
		if (name_of(node)->zone == zone)
			name_renew(d, name_of(node));
	}
}

/* ---- life ---- */

static bool dns_make(struct dns *d, const char *own_file)
{
	uint32_t seed;

	loop_random(d->loop, &seed, sizeof(seed));
	table_init(&d->names, seed);
	list_init(&d->asked);
	if (own_file != NULL && own_file[0] != '\0') {
		d->own_file = mem_copy_str(own_file);
		d->servers.file = d->own_file;
		if (d->own_file == NULL)
			return false;
	}
	d->timer = timer_new(d->loop, dns_expire, d);
	d->sweep_timer = timer_new(d->loop, dns_sweep, d);
	d->zones = zones_new(d->loop, &d->servers, dns_zone_changed, d);
	return d->timer != NULL && d->sweep_timer != NULL && d->zones != NULL;
}

struct dns *dns_new(struct loop *l, struct jobs *j, struct mailbox *m, uint8_t kind, const struct dns_times *times,
                    const char *own_file)
{
	struct dns *d = mem_new(struct dns);

	if (d == NULL)
		return NULL;
	d->loop = l;
	d->jobs = j;
	d->mailbox = m;
	d->kind = kind;
	d->times = *times;
	if (!dns_make(d, own_file)) {
		dns_free(d);
		return NULL;
	}
	zones_set_period(d->zones, times->zone_period_us);
	return d;
}

/* One that is too late to be given up comes as a letter: dns_read(NULL, …). */
static void lookup_give_up(struct dns *d, struct lookup *k)
{
	if (k == NULL)
		return;
	if (k->question == NULL) {
		(void)!jobs_abandon(d->jobs, &k->job);
		return;
	}
	question_free(k->question);
	lookup_free(k);
}

void dns_free(struct dns *d)
{
	struct table_node *node;

	if (d == NULL)
		return;
	while ((node = table_next(&d->names, NULL)) != NULL) {
		struct dns_name *name = name_of(node);

		lookup_give_up(d, name->lookup);
		lookup_give_up(d, name->second);
		for (struct dns_query *q = name->first; q != NULL; q = q->next)
			q->waiting = false;
		table_remove(&d->names, node);
		name_free(name);
	}
	table_fini(&d->names);
	zones_free(d->zones);
	timer_free(d->timer);
	timer_free(d->sweep_timer);
	mem_free(d->own_file);
	mem_free(d);
}

void dns_watch(struct dns *d, const struct dns_watcher *watcher, void *owner)
{
	d->watcher = watcher;
	d->watcher_owner = owner;
}

void dns_set_times(struct dns *d, const struct dns_times *times)
{
	uint64_t now_us = loop_now_us(d->loop);

	d->times = *times;
	for (struct table_node *node = table_next(&d->names, NULL); node != NULL; node = table_next(&d->names, node)) {
		struct dns_name *name = name_of(node);
		uint64_t ttl_us = failure_is_set(&name->failure) ? times->nx_ttl_us : times->max_ttl_us;

		if (name->known && name->expires_us > now_us + ttl_us)
			name->expires_us = now_us + ttl_us;
	}
	dns_plan_sweep(d);
	zones_set_period(d->zones, times->zone_period_us);
}

/* ---- for the console ---- */

static const char *name_addresses(const struct dns_name *name, struct str *s)
{
	char text[64];

	str_clear(s);
	for (int i = 0; i < name->n; i++) {
		if (i > 0)
			str_add_char(s, ',');
		str_add_str(s, address_text(&name->address[i], text, sizeof(text)));
	}
	return str_text(s);
}

void dns_each(const struct dns *d, void (*row)(void *arg, const char *host, int64_t ttl_s, const char *addresses),
              void *arg)
{
	uint64_t now_us = loop_now_us(d->loop);
	struct str addresses;

	str_init(&addresses, QUESTION_ADDRESSES_MAX * 64);
	for (struct table_node *node = table_next(&d->names, NULL); node != NULL; node = table_next(&d->names, node)) {
		const struct dns_name *name = name_of(node);
		uint64_t left_us = name->known && name->expires_us > now_us ? name->expires_us - now_us : 0;

		row(arg, name->host, (int64_t)(left_us / US_PER_S), name_addresses(name, &addresses));
	}
	str_fini(&addresses);
}

int dns_count(const struct dns *d)
{
	return (int)d->names.count;
}

int dns_pending(const struct dns *d)
{
	int n = 0;

	for (struct table_node *node = table_next(&d->names, NULL); node != NULL; node = table_next(&d->names, node))
		n += name_of(node)->lookup != NULL;
	return n;
}

void dns_each_zone(const struct dns *d, void (*row)(void *arg, const char *name, uint32_t serial, int n_names),
                   void *arg)
{
	zones_each(d->zones, row, arg);
}

int dns_count_zones(const struct dns *d)
{
	return zones_count(d->zones);
}
