/* What opener.c and outages.c share. Main thread. */
#ifndef POOL_OPENER_PRIVATE_H
#define POOL_OPENER_PRIVATE_H

#include "diag/explain.h"
#include "pool/opener.h"

/* One thing that went wrong, as it concerns one pool. */
struct trouble {
	const struct failure *failure;
	const struct pool_settings *settings;
	const char *host;              /* NULL: none in particular */
	const struct address *address; /* likewise */
	const struct address *source;  /* our end; NULL: not known */
	uint64_t phase_us, since_us, next_try_us;
	uint32_t attempts;
	const char *incident;
	const struct permit *permit;         /* whose attempt it was; NULL: several or none */
	const struct target_failure *failed; /* what all its targets answered */
	uint32_t n_failed;
};

/* What it is, in words. `v` is initialised (facts.c). */
void facts_judge(const struct opener *o, const struct opener_pool *op, const struct trouble *t, uint64_t now_us,
                 struct verdict *v);
/* Which of several failures people are told of: an index. */
uint32_t facts_choose(const struct permit *permit, const struct target_failure *failed, uint32_t n);

/* Considers the pool again at that time at the latest. */
void opener_wake_at(struct opener *o, struct opener_pool *op, uint64_t when_us);
/* The address that the pool's next attempt will begin with; NULL: not known. */
void opener_set_behind(struct opener_pool *op, struct backend *b);

/* All that one permit can count under. */
#define LIMITS_OF_PERMIT (3u + PERMIT_MAX_TARGETS)

/* One more connection is begun; it is over: the limits that it counted under are left in `quota`, and their number
   returned, for limits_serve. */
void limits_take(struct opener *o, const struct permit *permit);
unsigned limits_give_back(struct opener *o, struct permit *permit, struct quota *quota[LIMITS_OF_PERMIT]);
/* Its names are known: counts at every target that has room, because it may come to be there; the others are taken
   out. */
void limits_take_hosts(struct opener_pool *op, struct permit *permit);
/* It has logged in at one of them. */
void limits_reached(struct opener *o, struct permit *permit, uint64_t now_us, struct letters *out);

/* True if all shared limits have room for one more connection of this pool, whose clients wait since then, and nobody
   has waited longer for it. Otherwise the pool is in a limit's queue, and somebody is asked to make room. */
bool limits_have_room(struct opener *o, struct opener_pool *op, uint64_t since_us, uint64_t now_us,
                      struct letters *out);
/* The same for min_pool_size, which takes no room that somebody waits for, and for which nobody makes room. */
bool limits_have_room_for_minimum(struct opener *o, const struct opener_pool *op, uint64_t now_us);
/* Looks at the pools that wait for these limits, the longest waiter first, while there is room. */
void limits_serve(struct opener *o, struct quota *quota[], unsigned n, uint64_t now_us, struct letters *out);
/* After a limit has become smaller: what is idle closes, and what comes free. */
void limits_trim(struct opener *o, const struct opener_pool *op, struct letters *out);
/* Looks anew since when its clients wait. */
void limits_refresh(struct opener_pool *op);
/* It waits for no limit any more. */
void limits_leave(struct opener_pool *op);
void limits_forget_pool(struct opener_pool *op);

/* server_down_wait of this pool. */
uint64_t outages_wait_us(const struct opener_pool *op);
/* server_login_retry may be shorter now: no pause goes on for longer than it. */
void outages_settings_changed(struct opener_pool *op, uint64_t now_us);
/* An attempt has come back without a server. */
void outages_attempt_failed(struct opener *o, struct opener_pool *op, struct permit *permit, uint64_t now_us,
                            struct letters *out);
/* A server has logged in; earlier targets of the same attempt may have failed. */
void outages_attempt_succeeded(struct opener *o, struct opener_pool *op, struct permit *permit, uint64_t now_us,
                               struct letters *out);
/* Says how many lines about databases that strangers have named were left out, if their time is over. When it will be
   (UINT64_MAX: none were). */
void outages_say_left_out(struct opener *o, uint64_t now_us);
uint64_t outages_left_out_us(const struct opener *o);
/* An attempt of this pool is silent: after server_down_wait it counts as timed out for telling. */
void outages_tell_of_silence(struct opener *o, struct opener_pool *op, const struct pool_need *need, uint64_t now_us,
                             struct letters *out);
/* The pool may not try now because its address is down or silent: its clients are told of that. */
void outages_tell_of_backend(struct opener *o, struct opener_pool *op, const struct pool_need *need, uint64_t now_us,
                             struct letters *out);

#endif
