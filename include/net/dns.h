/*
 * Host names to addresses, without blocking, with a cache. Main thread only.
 * One lookup per name is under way at a time, whoever asks; when it has been silent for two seconds, one more.
 */
#ifndef NET_DNS_H
#define NET_DNS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/failure.h"
#include "base/str.h"
#include "os/socket.h"

struct dns;
struct dns_name;
struct jobs;
struct letter;
struct loop;
struct mailbox;

/* An answer: addresses (port 0) in resolver order. Immutable; valid during the callback only, copy what is needed. */
struct dns_answer {
	int n;
	const struct address *address;
};

struct dns_times {
	uint64_t max_ttl_us;     /* life of good answers, if the name server does not make it shorter */
	uint64_t nx_ttl_us;      /* of failures, but who asks is not told one that is older than a second */
	uint64_t timeout_us;     /* an asker waits no longer than this */
	uint64_t zone_period_us; /* how often zones' serials are asked for; 0: never */
};

/* `m` is the loop's mailbox, to which finished lookups are posted as letters of this `kind`. `own_file`: asks the name
   servers in that file and nobody else; NULL or "": as the system does. NULL: out of memory. */
struct dns *dns_new(struct loop *l, struct jobs *j, struct mailbox *m, uint8_t kind, const struct dns_times *times,
                    const char *own_file) MUST_USE;

/* Questions that still wait are forgotten. Before jobs_free. */
void dns_free(struct dns *d);

/* For each letter of that kind that the mailbox brings. `d` NULL: there is no dns any more, the letter is freed. */
void dns_read(struct dns *d, struct letter *letter);

/* Who wants to know what becomes of names. All of them are set; but in `expired` they must not ask. */
struct dns_watcher {
	/* A name has an answer in which none of the addresses of the answer before is left. */
	void (*moved)(void *owner, const char *host);
	/* Some answers are old, at most once a second: dns_refresh what is in use. */
	void (*expired)(void *owner);
	/* The names of this zone are being looked up anew. */
	void (*zone_changed)(void *owner, const char *zone, uint32_t before, uint32_t now);
};
void dns_watch(struct dns *d, const struct dns_watcher *watcher, void *owner);

/* Looks a known name up anew if its answer is old. */
void dns_refresh(struct dns *d, const char *host);
/* Looks all names up anew; what is known counts as old. */
void dns_refresh_all(struct dns *d);

/* Answers that are known already live no longer than the new times either. */
void dns_set_times(struct dns *d, const struct dns_times *times);

/* One question; embed it in the asker. */
struct dns_query {
	struct dns_query *next;
	/* `answer` NULL: `why` says so (phase PHASE_RESOLVE). A name server that is silent while a known address exists
	 * gives that, after half a second, and at once while the silence lasts. */
	void (*answered)(struct dns_query *q, const struct dns_answer *answer, const struct failure *why);
	bool waiting;

	/* dns's own while waiting */
	struct dns_name *name;
	uint64_t deadline_us;
};

/* Answers by callback, possibly before this returns (cached). Literal addresses are not for here. */
void dns_lookup(struct dns *d, const char *host, struct dns_query *q);
void dns_cancel(struct dns *d, struct dns_query *q);

/* For the console: calls back for each cached name with seconds left and a text of comma-separated addresses. */
void dns_each(const struct dns *d, void (*row)(void *arg, const char *host, int64_t ttl_s, const char *addresses),
              void *arg);
int dns_count(const struct dns *d);
int dns_pending(const struct dns *d);
/* Likewise for each zone; `serial` 0: not known. */
void dns_each_zone(const struct dns *d, void (*row)(void *arg, const char *name, uint32_t serial, int n_names),
                   void *arg);
int dns_count_zones(const struct dns *d);

#endif
