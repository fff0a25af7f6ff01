/*
 * Permits, limits and attempts. Main thread.
 *
 *   WANT ──> opener_consider ──> start_attempt ──(main resolves)──> opener_resolved ──> OPEN to a worker
 *                 │  full: in the limit's queue                                            │
 *                 │  outage: asleep until the next try; behind an address that is down     v
 *                 └────────────────────<── opener_news <── PERMIT_OPENED | PERMIT_RETURNED
 */
#include "pool/opener.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "diag/error_ring.h"
#include "pool/opener_private.h"
#include "pool/outage.h"

#define EVICT_AGAIN_US (20 * US_PER_MS) /* nothing tells main that a server has become idle */
#define NO_MEMORY_AGAIN_US (100 * US_PER_MS)
#define MINIMUM_AGAIN_US US_PER_S

struct opener *opener_new(struct registry *r, struct log *l, const struct config *c, uint64_t random)
{
	struct opener *o = mem_new(struct opener);

	if (o == NULL)
		return NULL;
	o->errors = error_ring_new();
	if (o->errors == NULL) {
		mem_free(o);
		return NULL;
	}
	o->registry = r;
	o->log = l;
	o->config = config_ref(c);
	o->random = random | 1;
	list_init(&o->sleeping);
	quota_init(&o->process, LIMIT_PROCESS, NULL);
	backends_init(&o->backends, (uint32_t)random);
	letters_init(&o->to_resolve);
	return o;
}

void opener_free(struct opener *o)
{
	if (o == NULL)
		return;
	config_unref(o->config);
	backends_fini(&o->backends);
	error_ring_free(o->errors);
	mem_free(o);
}

void opener_set_config(struct opener *o, const struct config *c)
{
	config_unref(o->config);
	o->config = config_ref(c);
}

/* Main's part of the pool, made when first needed. */
static struct opener_pool *part_of(struct opener *o, struct pool *p)
{
	struct opener_pool *op = p->opener;

	if (op != NULL)
		return op;
	op = mem_new(struct opener_pool);
	if (op == NULL)
		return NULL;
	op->pool = p;
	op->home = p->home == NULL ? NULL : part_of(o, p->home);
	op->database = registry_find_database(o->registry, p->database);
	op->account = registry_account(o->registry, p->user);
	if (op->database == NULL || op->account == NULL || (op->home == NULL) != (p->home == NULL)) {
		mem_free(op);
		return NULL;
	}
	list_init(&op->guests);
	list_init(&op->guest);
	list_init(&op->short_of);
	list_init(&op->sleeping);
	list_init(&op->blocked);
	p->opener = op;
	return op;
}

static struct opener_pool *part_of_sleeper(struct list *node)
{
	return container_of(node, struct opener_pool, sleeping);
}

void opener_forget(struct opener *o, struct pool *p)
{
	struct opener_pool *op = p->opener;

	(void)o;
	if (op == NULL)
		return;
	while (list_take_first(&op->guests) != NULL)
		;
	list_remove(&op->guest);
	limits_forget_pool(op);
	list_remove(&op->sleeping);
	list_remove(&op->blocked);
	backend_unref(op->behind);
	mem_free(op);
	p->opener = NULL;
}

void opener_wake_at(struct opener *o, struct opener_pool *op, uint64_t when_us)
{
	if (!list_is_empty(&op->sleeping) && op->wake_us <= when_us)
		return;
	op->wake_us = when_us;
	if (list_is_empty(&op->sleeping))
		list_add_tail(&o->sleeping, &op->sleeping);
}

void opener_consider_soon(struct opener *o, struct pool *p, uint64_t now_us)
{
	/* a pool that main has no part of yet has never asked for anything */
	if (p->opener == NULL)
		return;
	outages_settings_changed(p->opener, now_us);
	opener_wake_at(o, p->opener, now_us);
}

void opener_set_behind(struct opener_pool *op, struct backend *b)
{
	if (op->behind == b)
		return;
	list_remove(&op->blocked);
	backend_unref(op->behind);
	op->behind = b == NULL ? NULL : backend_ref(b);
}

/* Something will make main look at this pool again: nobody needs to ask. */
static bool is_remembered(const struct opener_pool *op)
{
	return op->n_starting > 0 || op->full || !list_is_empty(&op->short_of) || !list_is_empty(&op->blocked) ||
	       (!list_is_empty(&op->sleeping) && !op->only_minimum);
}

/* ---- attempts ---- */

/* It is under way to this backend's address, as far as is known. */
static void attempt_begins(struct permit *permit, struct backend *b)
{
	if (b == NULL)
		return;
	permit->backend = backend_ref(b);
	list_add_tail(&b->attempts, &permit->on_backend);
	b->n_attempts++;
}

static void attempt_ends(struct permit *permit)
{
	if (permit->backend == NULL)
		return;
	list_remove(&permit->on_backend);
	permit->backend->n_attempts--;
	backend_unref(permit->backend);
	permit->backend = NULL;
}

static void permit_free(struct permit *permit)
{
	for (uint32_t i = 0; i < permit->n_targets + permit->n_left_out; i++)
		backend_unref(permit->target[i].backend);
	for (uint32_t i = 0; i < permit->n_failed; i++)
		failure_fini(&permit->failed[i].failure);
	mem_free(permit->failed);
	shared_unref(&permit->settings->shared);
	failure_fini(&permit->failure);
	mem_free(permit);
}

static struct permit *permit_new(struct opener_pool *op, struct seat *seat, uint64_t now_us)
{
	struct permit *permit = mem_new(struct permit);

	if (permit == NULL)
		return NULL;
	failure_init(&permit->failure);
	permit->pool = op->pool;
	permit->seat = seat;
	permit->settings = op->pool->settings; /* only main replaces it */
	shared_ref(&permit->settings->shared);
	permit->database = op->database;
	permit->account = op->account;
	permit->began_us = now_us;
	permit->n_secrets = pool_count_secrets(op->pool);
	list_init(&permit->on_backend);
	return permit;
}

/* In whose size a pool's connections count. */
static struct opener_pool *family_of(struct opener_pool *op)
{
	return op->home == NULL ? op : op->home;
}

/* What counts in the pool's size. */
static uint32_t n_in_size(struct opener_pool *op)
{
	return family_of(op)->n_permits + family_of(op)->n_guests;
}

static void count_permit(struct opener_pool *op)
{
	op->n_permits++;
	if (op->home != NULL)
		op->home->n_guests++;
}

/* One more connection: counted before anything is done, so that a burst cannot exceed a limit. */
static bool start_attempt(struct opener *o, struct opener_pool *op, struct seat *seat, uint64_t now_us)
{
	struct permit *permit = permit_new(op, seat, now_us);

	if (permit == NULL)
		return false;
	count_permit(op);
	op->n_starting++;
	limits_take(o, permit);
	/* beside a silent one: it shall see when somebody answers again, so it does not become a second silent one */
	permit->brief = (op->starting_since_us != 0 && now_us >= op->starting_since_us + BACKEND_SILENT_US) ||
	                (op->behind != NULL && backend_silent_since_us(op->behind, now_us) != 0);
	if (op->starting_since_us == 0)
		op->starting_since_us = now_us;
	attempt_begins(permit, op->behind);
	pool_count_opening(seat);
	pool_set_trying(op->pool, true);
	letters_add(&o->to_resolve, &permit->letter);
	return true;
}

struct permit *opener_take_unresolved(struct opener *o)
{
	struct letter *letter = letters_take(&o->to_resolve);

	return letter == NULL ? NULL : container_of(letter, struct permit, letter);
}

/* The permit is back: its connection does not exist. */
static void take_back(struct opener *o, struct permit *permit, uint64_t now_us, struct letters *out);

/* Each target's record. One without (no memory) is simply tried. */
static void find_backends(struct opener *o, struct permit *permit, uint64_t now_us)
{
	for (uint32_t i = 0; i < permit->n_targets; i++) {
		struct target *t = &permit->target[i];

		t->backend = backend_get(&o->backends, t->host, &t->address, now_us);
	}
}

static bool target_admitted(const struct target *t, uint64_t now_us)
{
	return t->backend == NULL || backend_admits(t->backend, now_us);
}

/* Only targets that may be tried now stay, the others go behind them; returns the one of those that may be tried
   soonest. */
static struct backend *leave_out_shut_targets(struct permit *permit, uint64_t now_us)
{
	struct target shut[PERMIT_MAX_TARGETS];
	struct backend *soonest = NULL;
	uint32_t n = 0;

	for (uint32_t i = 0; i < permit->n_targets; i++) {
		const struct target t = permit->target[i];

		if (target_admitted(&t, now_us)) {
			permit->target[n++] = t;
			continue;
		}
		if (soonest == NULL || t.backend->retry.next_try_us < soonest->retry.next_try_us)
			soonest = t.backend;
		shut[permit->n_left_out++] = t;
	}
	memcpy(&permit->target[n], shut, permit->n_left_out * sizeof(shut[0]));
	permit->n_targets = n;
	return soonest;
}

static unsigned target_rank(const struct permit *permit, const struct target *t, uint64_t now_us)
{
	return t->backend == NULL ? 0 : backend_rank(t->backend, permit->settings->session_attrs, now_us);
}

/* Those of the right role, as far as is known, and those that answer quickly come first; else the order stays. */
static void put_in_order(struct permit *permit, uint64_t now_us)
{
	for (uint32_t i = 1; i < permit->n_targets; i++) {
		struct target t = permit->target[i];
		uint32_t at = i;

		for (; at > 0 && target_rank(permit, &permit->target[at - 1], now_us) > target_rank(permit, &t, now_us);
		     at--)
			permit->target[at] = permit->target[at - 1];
		permit->target[at] = t;
	}
}

static void log_attempt(struct opener *o, const struct opener_pool *op, const struct permit *permit)
{
	const struct target *t = &permit->target[0];
	char address[96];

	if (log_wants(o->log, LEVEL_DEBUG))
		log_write(o->log, LEVEL_DEBUG,
		          "opening a server: db=%.400s user=%.400s at \"%.400s\" (%s), port %u (1 of %u)",
		          op->pool->database, op->pool->user, t->host,
		          address_text(&t->address, address, sizeof(address)), address_port(&t->address),
		          permit->n_targets);
}

void opener_resolved(struct opener *o, struct permit *permit, uint64_t now_us, struct letters *out)
{
	struct opener_pool *op = permit->pool->opener;
	struct backend *shut = NULL;

	attempt_ends(permit); /* what was believed before the names were known */
	permit->phases.resolve_us = now_us - permit->began_us;
	if (permit->n_targets > 0) {
		find_backends(o, permit, now_us);
		shut = leave_out_shut_targets(permit, now_us);
		put_in_order(permit, now_us);
		opener_set_behind(op, permit->n_targets > 0 ? permit->target[0].backend : shut);
		limits_take_hosts(op, permit);
	}
	if (permit->n_targets == 0) {
		pool_open_failed(permit->seat, now_us, out);
		take_back(o, permit, now_us, out);
		return;
	}
	opener_set_behind(op, permit->target[0].backend); /* others may be full */
	attempt_begins(permit, permit->target[0].backend);
	for (uint32_t i = 0; i < permit->n_targets; i++)
		if (permit->target[i].backend != NULL)
			permit->target[i].backend->total_attempts++;
	log_attempt(o, op, permit);
	permit->letter.kind = LETTER_OPEN;
	permit->letter.to = permit->seat->worker;
	letters_add(out, &permit->letter);
}

/* ---- considering ---- */

/* The reserve is for those who have waited reserve_pool_timeout. Says when it will be. */
static uint32_t size_now(const struct pool_settings *set, const struct pool_need *need, uint64_t now_us,
                         uint64_t *again_us)
{
	uint64_t patience = set->global->reserve_pool_timeout_us;

	*again_us = 0;
	if (set->reserve_size == 0 || patience == 0 || set->size == UINT32_MAX || need->oldest_wait_us == 0)
		return set->size;
	if (now_us >= need->oldest_wait_us + patience)
		return set->size + set->reserve_size;
	*again_us = need->oldest_wait_us + patience;
	return set->size;
}

static uint32_t wanted_of(struct opener_pool *op, const struct pool_need *need, uint64_t now_us)
{
	const struct pool_settings *set = op->pool->settings;
	uint32_t want = need->lacking;

	if ((need->clients > 0 || set->forced_user) && op->n_permits < set->min_size && n_in_size(op) < set->size &&
	    want < set->min_size - op->n_permits) {
		op->only_minimum = want == 0;
		want = set->min_size - op->n_permits;
	}
	if (want > 0)
		return want;
	/* nobody waits because all were told: somebody has to probe for them */
	if (op->n_starting == 0)
		return need->asked && op->since_us != 0 ? 1 : 0;
	/* the only attempt is silent: another one beside it */
	return op->n_starting == 1 && need->usable == 0 &&
	               (need->waiting + need->newcomers > 0 || (need->asked && op->since_us != 0)) &&
	               now_us >= op->starting_since_us + BACKEND_SILENT_US
	           ? 1
	           : 0;
}

/* How many may be logging in at once: one until the first has succeeded. */
static uint32_t parallel_of(const struct opener_pool *op, const struct pool_need *need, uint64_t now_us)
{
	int configured = op->pool->settings->global->server_connect_parallel;

	if (configured < 1)
		return 1;
	if (need->usable > 0 && op->since_us == 0)
		return (uint32_t)configured;
	/* one that is silent gets a second one beside it */
	return configured > 1 && op->n_starting == 1 && now_us >= op->starting_since_us + BACKEND_SILENT_US ? 2 : 1;
}

/* The address that it would begin with takes no attempt now. */
static bool is_shut(const struct opener_pool *op, uint64_t now_us)
{
	return op->behind != NULL && !backend_admits(op->behind, now_us);
}

static void log_reserve(struct opener *o, const struct opener_pool *op)
{
	char text[2 * LOG_NAME_MAX];
	struct log_event e = {.level = LEVEL_WARNING,
	                      .event = "reserve_pool_used",
	                      .database = op->pool->database,
	                      .user = op->pool->user,
	                      .text = text};

	snprintf(text, sizeof(text), "taking connection from reserve_pool: db=%s user=%s", op->pool->database,
	         op->pool->user);
	log_event(o->log, &e);
}

/* Whom it would open for waits since then. */
static uint64_t waits_since_us(const struct pool_need *need, uint64_t now_us)
{
	return need->lacking > 0 ? need->lacks_since_us : now_us;
}

static bool has_room(struct opener *o, struct opener_pool *op, const struct pool_need *need, uint64_t now_us,
                     struct letters *out)
{
	if (!op->only_minimum)
		return limits_have_room(o, op, waits_since_us(need, now_us), now_us, out);
	if (limits_have_room_for_minimum(o, op, now_us))
		return true;
	opener_wake_at(o, op, now_us + MINIMUM_AGAIN_US);
	return false;
}

/* Remembered by the pool's own permits: each that comes back has it considered again. A replication connection has none
   yet; an idle server of its home makes room for it. */
static void meet_size(struct opener *o, struct opener_pool *op, uint64_t now_us, struct letters *out)
{
	struct opener_pool *home = op->home;

	op->limit = LIMIT_POOL_SIZE;
	if (home == NULL) {
		op->full = true;
		return;
	}
	if (list_is_empty(&op->guest))
		list_add_tail(&home->guests, &op->guest);
	if (home->n_evicting == 0 && pool_evict_coldest(home->pool, NULL, LIMIT_POOL_SIZE, out))
		home->n_evicting++;
	opener_wake_at(o, op, now_us + EVICT_AGAIN_US);
}

static void open_wanted(struct opener *o, struct opener_pool *op, struct pool_need *need, uint32_t want,
                        uint64_t now_us, struct letters *out)
{
	uint64_t again_us;
	uint32_t size = size_now(op->pool->settings, need, now_us, &again_us);

	for (; want > 0 && op->n_starting < parallel_of(op, need, now_us) && !is_shut(op, now_us); want--) {
		struct seat *seat = need->neediest != NULL ? need->neediest : need->emptiest;

		if (n_in_size(op) >= size) {
			if (again_us != 0)
				opener_wake_at(o, op, again_us);
			meet_size(o, op, now_us, out);
			return;
		}
		if (!has_room(o, op, need, now_us, out))
			return;
		if (n_in_size(op) >= op->pool->settings->size)
			log_reserve(o, op);
		if (!start_attempt(o, op, seat, now_us)) {
			opener_wake_at(o, op, now_us + NO_MEMORY_AGAIN_US);
			return;
		}
		pool_needs(op->pool, need);
		op->only_minimum = need->lacking == 0;
	}
	if (want > 0)
		op->limit = LIMIT_PARALLEL;
}

/* An attempt is looked at again when it has been silent for BACKEND_SILENT_US, and for server_down_wait. */
static void watch_silence(struct opener *o, struct opener_pool *op, uint64_t now_us)
{
	uint64_t wait_us = outages_wait_us(op);

	if (op->starting_since_us == 0)
		return;
	if (now_us < op->starting_since_us + BACKEND_SILENT_US)
		opener_wake_at(o, op, op->starting_since_us + BACKEND_SILENT_US);
	else if (now_us < op->starting_since_us + wait_us)
		opener_wake_at(o, op, op->starting_since_us + wait_us);
	else if (op->n_starting == 1)
		opener_wake_at(o, op, now_us + BACKEND_SILENT_US); /* somebody may have asked */
}

/* It waits for its address, and hears why. */
static void block(struct opener *o, struct opener_pool *op, const struct pool_need *need, uint64_t now_us,
                  struct letters *out)
{
	uint64_t wake_us = backend_wake_us(op->behind, now_us);

	list_add_tail(&op->behind->blocked, &op->blocked);
	if (wake_us != UINT64_MAX)
		opener_wake_at(o, op, wake_us);
	outages_tell_of_backend(o, op, need, now_us, out);
}

/* An attempt is due, but nobody wants one: whoever comes next waits for it. */
static void invite(struct opener_pool *op, const struct pool_need *need, uint64_t now_us)
{
	if (op->since_us != 0 && op->n_starting == 0 && now_us >= op->retry.next_try_us && !is_shut(op, now_us) &&
	    !need->asked)
		pool_set_trying(op->pool, true);
}

void opener_consider(struct opener *o, struct pool *p, uint64_t now_us, struct letters *out)
{
	struct opener_pool *op = part_of(o, p);
	struct pool_need need;
	uint32_t want;

	if (op == NULL) {
		pool_may_ask(p, true, out);
		return;
	}
	if (pool_take_new_secret(p))
		opener_forget_outage(o, p);
	list_remove(&op->sleeping);
	list_remove(&op->blocked);
	op->full = op->is_short = op->only_minimum = false;
	op->limit = LIMIT_NONE;
	pool_needs(p, &need);
	if (op->starting_since_us != 0)
		outages_tell_of_silence(o, op, &need, now_us, out);
	want = need.state == POOL_OPEN && !o->draining ? wanted_of(op, &need, now_us) : 0;
	invite(op, &need, now_us);
	if (want > 0 && now_us >= op->retry.next_try_us)
		open_wanted(o, op, &need, want, now_us, out);
	if (want > 0 && op->n_starting == 0 && is_shut(op, now_us))
		block(o, op, &need, now_us, out);
	if (now_us < op->retry.next_try_us)
		opener_wake_at(o, op, op->retry.next_try_us);
	if (!op->is_short)
		limits_leave(op);
	if (op->limit != LIMIT_POOL_SIZE)
		list_remove(&op->guest);
	limits_trim(o, op, out);
	watch_silence(o, op, now_us);
	pool_set_limit(p, op->limit, op->limit == LIMIT_HOST ? op->queue->call.host : NULL);
	pool_may_ask(p, !is_remembered(op), out);
}

/* Looks at the pools that wait for this address, as far as it admits them. */
static void admit_blocked(struct opener *o, struct backend *b, uint64_t now_us, struct letters *out)
{
	struct list waiting, *node;

	list_init(&waiting);
	list_move_all(&waiting, &b->blocked);
	while (backend_admits(b, now_us) && (node = list_take_first(&waiting)) != NULL)
		opener_consider(o, container_of(node, struct opener_pool, blocked)->pool, now_us, out);
	/* the others keep their places, before those who have come meanwhile */
	list_move_all(&waiting, &b->blocked);
	list_move_all(&b->blocked, &waiting);
}

/* ---- news ---- */

static void login_ended(struct opener_pool *op)
{
	op->n_starting--;
	if (op->n_starting == 0)
		op->starting_since_us = 0;
}

/* What its worker has learned of its targets' servers. */
static void note_targets(struct permit *permit, uint64_t now_us)
{
	for (uint32_t i = 0; i < permit->n_targets; i++) {
		const struct target *t = &permit->target[i];

		if (t->backend == NULL)
			continue;
		if (t->role != ROLE_UNKNOWN)
			t->backend->role = t->role;
		if (t->overtaken)
			t->backend->overtaken_us = now_us;
	}
}

/* What has become of the server that it has held. */
static void note_new_role(struct permit *permit)
{
	if (permit->role_is_new && permit->reached < permit->n_targets &&
	    permit->target[permit->reached].backend != NULL)
		permit->target[permit->reached].backend->role = permit->new_role;
}

/* With load_balance_hosts = disable the next attempts begin where this one has succeeded. */
static void stay_there(struct opener_pool *op, const struct permit *permit)
{
	const struct conf_database *d = permit->settings->database;

	if (d->load_balance_hosts != LOAD_BALANCE_DISABLE || permit->reached >= permit->n_targets)
		return;
	for (unsigned i = 0; i < d->n_hosts; i++)
		if (d->hosts[i] == permit->target[permit->reached].host)
			op->next_target = i;
}

static void opened(struct opener *o, struct permit *permit, uint64_t now_us, struct letters *out)
{
	struct opener_pool *op = permit->pool->opener;
	struct backend *b = permit->backend;

	permit->opened = true;
	login_ended(op);
	attempt_ends(permit);
	note_targets(permit, now_us);
	stay_there(op, permit);
	limits_reached(o, permit, now_us, out);
	outages_attempt_succeeded(o, op, permit, now_us, out);
	if (b != NULL)
		admit_blocked(o, b, now_us, out);
}

static void not_opened(struct opener *o, struct permit *permit, uint64_t now_us, struct letters *out)
{
	struct opener_pool *op = permit->pool->opener;
	struct backend *b = permit->backend;

	login_ended(op);
	attempt_ends(permit);
	note_targets(permit, now_us);
	if (permit->n_failed > 0 || failure_is_set(&permit->failure))
		outages_attempt_failed(o, op, permit, now_us, out);
	pool_set_trying(op->pool, op->n_starting > 0);
	if (b != NULL)
		admit_blocked(o, b, now_us, out);
}

/* Those who wait for a pool's size get another look, in order. */
static void consider_guests(struct opener *o, struct opener_pool *home, uint64_t now_us, struct letters *out)
{
	struct list waiting, *node;

	list_init(&waiting);
	list_move_all(&waiting, &home->guests);
	while ((node = list_take_first(&waiting)) != NULL)
		opener_consider(o, container_of(node, struct opener_pool, guest)->pool, now_us, out);
}

/* There is room again in the size of a pool that replication connections share: for them first, then for itself. */
static void consider_family(struct opener *o, struct opener_pool *op, uint64_t now_us, struct letters *out)
{
	struct opener_pool *home = family_of(op);

	consider_guests(o, home, now_us, out);
	if (home != op)
		opener_consider(o, home->pool, now_us, out);
}

static void uncount_permit(struct opener_pool *op)
{
	struct opener_pool *home = family_of(op);

	op->n_permits--;
	if (home != op)
		home->n_guests--;
	else if (home->n_evicting > 0)
		home->n_evicting--;
}

static void take_back(struct opener *o, struct permit *permit, uint64_t now_us, struct letters *out)
{
	struct opener_pool *op = permit->pool->opener;
	struct quota *quota[LIMITS_OF_PERMIT];
	unsigned n = limits_give_back(o, permit, quota);

	uncount_permit(op);
	if (!permit->opened)
		not_opened(o, permit, now_us, out);
	note_new_role(permit);
	permit_free(permit);
	/* those who wait for a limit come first: for them it may have been evicted */
	limits_serve(o, quota, n, now_us, out);
	consider_family(o, op, now_us, out);
	opener_consider(o, op->pool, now_us, out);
}

void opener_news(struct opener *o, struct permit *permit, uint64_t now_us, struct letters *out)
{
	struct pool *p = permit->pool;
	uint8_t news = permit_read(permit);

	if ((news & PERMIT_OPENED) != 0)
		opened(o, permit, now_us, out);
	if ((news & PERMIT_RETURNED) != 0)
		take_back(o, permit, now_us, out);
	else
		opener_consider(o, p, now_us, out);
}

/* ---- time ---- */

uint64_t opener_next_us(const struct opener *o)
{
	struct list *node;
	uint64_t next = outages_left_out_us(o);

	list_each (node, &o->sleeping)
		if (part_of_sleeper(node)->wake_us < next)
			next = part_of_sleeper(node)->wake_us;
	return next;
}

/* Several may want the same room: after a reload all of them are due. */
static void due_in_order(struct list *due, struct opener_pool *op)
{
	struct list *before = due->prev;

	limits_refresh(op);
	while (before != due && part_of_sleeper(before)->waits_since_us > op->waits_since_us)
		before = before->prev;
	list_remove(&op->sleeping);
	list_add_head(before, &op->sleeping); /* behind it */
}

void opener_tick(struct opener *o, uint64_t now_us, struct letters *out)
{
	struct list *node, *after, due;

	if (outages_left_out_us(o) <= now_us)
		outages_say_left_out(o, now_us);
	list_init(&due);
	list_each_safe (node, after, &o->sleeping)
		if (part_of_sleeper(node)->wake_us <= now_us)
			due_in_order(&due, part_of_sleeper(node));
	while ((node = list_take_first(&due)) != NULL)
		opener_consider(o, part_of_sleeper(node)->pool, now_us, out);
}
