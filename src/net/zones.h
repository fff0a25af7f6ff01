/*
 * The zones of the names that are known, and their serials, asked for every
 * period: who changes a zone changes its serial. The loop's thread.
 */
#ifndef NET_ZONES_H
#define NET_ZONES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct loop;
struct question_servers;
struct zone;
struct zones;

/* Called when the serial of a zone is another one than before. */
typedef void zone_changed(void *owner, const struct zone *zone, uint32_t before, uint32_t now);

/* Never asks before zones_set_period. The servers are kept by reference. NULL: out of memory. */
struct zones *zones_new(struct loop *l, const struct question_servers *servers, zone_changed *changed,
                        void *owner) MUST_USE;
/* Before it, all names must have left. */
void zones_free(struct zones *z);

/* How often to ask; 0: not at all. */
void zones_set_period(struct zones *z, uint64_t period_us);

/* A name comes to be known, in the zone that is behind its first dot. NULL: it has none, or out of memory. */
struct zone *zones_join(struct zones *z, const char *host);
/* And is forgotten. `zone` may be NULL. */
void zones_leave(struct zone *zone);

const char *zone_name(const struct zone *zone);
int zones_count(const struct zones *z);
/* `serial` 0: not known yet. `n_names`: how many names are known in it. */
void zones_each(const struct zones *z, void (*row)(void *arg, const char *name, uint32_t serial, int n_names),
                void *arg);

#endif
