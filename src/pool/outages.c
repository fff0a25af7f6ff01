/*
 * What is wrong with a pool, or with an address for all pools behind it: from
 * failed attempts to outages that clients are told of, and to the log. Main thread.
 *
 *   attempt failed ──> each target: judge (diag/explain) ──> before we said who we are: its backend is down
 *        │                                              └──> else the pool's own trouble, with its own pauses
 *        └──> publish: the pool's outage          backend down ──> publish for every pool that waits for it
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "diag/error_ring.h"
#include "diag/explain.h"
#include "pool/opener_private.h"
#include "pool/outage.h"

#define FIRST_RETRY_US (100 * US_PER_MS) /* nobody answered */
#define REFUSED_RETRY_US US_PER_S        /* somebody said no */
#define MOST_RETRY_US (2 * US_PER_S)
#define HELD_RETRY_US (500 * US_PER_MS) /* while clients are held: a short restart shall cost them no error */
#define SLOW_FAILURE_US US_PER_S        /* a target that takes this long to fail is tried rarely if there are others */
#define LOG_AGAIN_US (60 * US_PER_S)
#define NAMED_LINES 10u /* about databases that strangers have named, in */
#define NAMED_WINDOW_US (5 * US_PER_S)

/* What the targets of an attempt answered. */
struct answers_of {
	const struct target_failure *failed;
	uint32_t n;
	struct target_failure only;          /* without memory to keep each: the one reason that there is */
	bool all_shared;                     /* every one was known before we said who we are */
	const struct target_failure *chosen; /* the one that people are told of */
};

/* ---- when to try again ---- */

uint64_t outages_wait_us(const struct opener_pool *op)
{
	return op->pool->settings->server_down_wait_us;
}

static uint64_t login_retry_us(const struct opener_pool *op)
{
	uint64_t configured = op->pool->settings->global->server_login_retry_us;

	return configured < FIRST_RETRY_US ? FIRST_RETRY_US : configured;
}

static void shorten(struct backoff *retry, uint64_t next_us)
{
	if (retry->next_try_us > next_us)
		retry->next_try_us = next_us;
}

void outages_settings_changed(struct opener_pool *op, uint64_t now_us)
{
	uint64_t next_us = now_us + login_retry_us(op);

	shorten(&op->retry, next_us);
	if (op->behind != NULL)
		shorten(&op->behind->retry, next_us);
}

/* `since_us`: when the outage began; `rarely`: others serve, nobody waits for this one. An attempt that was silent
   for long (it took `took_us`) was pause enough. */
static void retry_later(struct opener *o, const struct opener_pool *op, struct backoff *retry, const struct verdict *v,
                        uint64_t since_us, bool rarely, uint64_t took_us, uint64_t now_us)
{
	uint64_t exact = login_retry_us(op), most = exact, wait = outages_wait_us(op);
	uint64_t first = v->kind == VERDICT_REFUSED ? REFUSED_RETRY_US : FIRST_RETRY_US;

	if (!rarely && !verdict_is_wrong_password(v) && most > MOST_RETRY_US)
		most = MOST_RETRY_US;
	if (v->kind != VERDICT_REFUSED && now_us < since_us + wait && most > HELD_RETRY_US)
		most = HELD_RETRY_US;
	if (wait == 0)
		first = most = exact; /* PgBouncer's pause of server_login_retry */
	backoff_grow(retry, first, most, exact, &o->random, now_us - (took_us < SLOW_FAILURE_US ? 0 : took_us));
	if (retry->next_try_us < now_us + FIRST_RETRY_US)
		retry->next_try_us = now_us + FIRST_RETRY_US;
}

/* ---- the log ---- */

static void make_incident(struct opener *o, struct condition *c)
{
	snprintf(c->incident, sizeof(c->incident), "%08x", (unsigned)(backoff_random(&o->random) >> 32));
}

static void condition_begins(struct opener *o, struct condition *c, uint64_t since_us)
{
	if (c->since_us != 0)
		return;
	memset(c, 0, sizeof(*c));
	c->since_us = since_us;
	make_incident(o, c);
}

/* Of whom the log speaks: the pool, and the server as far as known. */
static struct log_event event_of(const struct opener_pool *op, const struct condition *c, const char *event)
{
	return (struct log_event){.level = LEVEL_WARNING,
	                          .event = event,
	                          .class = c->class,
	                          .database = op->pool->database,
	                          .user = op->pool->user,
	                          .incident = c->incident,
	                          .count = c->n_told};
}

/* The clients that were told of it since it was last asked. */
static uint64_t take_told(struct opener_pool *op, const struct backend *b)
{
	uint64_t n = pool_take_told(op->pool);
	struct list *node;

	if (b == NULL)
		return n;
	list_each (node, &b->blocked)
		n += pool_take_told(container_of(node, struct opener_pool, blocked)->pool);
	return n;
}

/* One row for each incident and class; further clients count up. `v` NULL: the words stay. */
static void note(struct opener *o, const struct condition *c, const struct verdict *v, uint64_t n_told, uint64_t now_us)
{
	struct error_note row = {.at_us = now_us,
	                         .incident = c->incident,
	                         .class = c->class,
	                         .database = c->database,
	                         .user = c->user,
	                         .address = c->address,
	                         .count = n_told,
	                         .text = v == NULL ? NULL : str_text(&v->message),
	                         .hint = v == NULL ? NULL : str_text(&v->hint)};

	error_ring_add(o->errors, &row);
}

static void log_start(struct opener *o, struct opener_pool *op, const struct condition *c, const struct verdict *v,
                      const struct trouble *t)
{
	struct log_event e = event_of(op, c, "outage_begins");
	char address[96], text[LOG_TEXT_MAX + 1];

	if (!log_wants(o->log, e.level))
		return;
	snprintf(text, sizeof(text), "server login failed: db=%s user=%s: %s", op->pool->database, op->pool->user,
	         str_text(&v->message));
	e.host = t->host;
	e.address = t->address == NULL ? NULL : address_text(t->address, address, sizeof(address));
	e.port = t->address == NULL ? 0 : address_port(t->address);
	e.text = text;
	e.detail = str_text(&v->detail);
	e.hint = str_text(&v->hint);
	log_event(o->log, &e);
}

static void log_lasts(struct opener *o, struct opener_pool *op, const struct condition *c, const struct verdict *v,
                      const struct trouble *t)
{
	struct log_event e = event_of(op, c, "outage_lasts");
	char address[96], text[LOG_TEXT_MAX + 1];
	struct pool_need need;

	if (!log_wants(o->log, e.level))
		return;
	pool_needs(op->pool, &need);
	snprintf(text, sizeof(text), "still down: db=%s user=%s: %.*s (attempts: %u, waiting: %u, told: %llu)",
	         op->pool->database, op->pool->user, LOG_TEXT_MAX / 2, str_text(&v->message), t->attempts,
	         need.waiting + need.newcomers, (unsigned long long)c->n_told);
	e.host = t->host;
	e.address = t->address == NULL ? NULL : address_text(t->address, address, sizeof(address));
	e.port = t->address == NULL ? 0 : address_port(t->address);
	e.text = text;
	log_event(o->log, &e);
}

/* It begins, or turns into another one. */
static void name_condition(struct condition *c, const struct opener_pool *op, const struct verdict *v,
                           const struct trouble *t)
{
	char address[96];

	snprintf(c->class, sizeof(c->class), "%s", v->class);
	snprintf(c->database, sizeof(c->database), "%s", op->pool->database);
	snprintf(c->user, sizeof(c->user), "%s", op->pool->user);
	snprintf(c->address, sizeof(c->address), "%s",
	         t->address == NULL ? "" : address_text(t->address, address, sizeof(address)));
}

uint64_t outages_left_out_us(const struct opener *o)
{
	return o->n_named_left_out == 0 ? UINT64_MAX : o->named_since_us + NAMED_WINDOW_US;
}

void outages_say_left_out(struct opener *o, uint64_t now_us)
{
	if (o->n_named_left_out > 0)
		log_write(
		    o->log, LEVEL_LOG,
		    "left out %llu more failed server logins for databases that clients without a pool have named "
		    "in %llu s",
		    (unsigned long long)o->n_named_left_out,
		    (unsigned long long)((now_us - o->named_since_us + US_PER_S / 2) / US_PER_S));
	o->n_named_left_out = 0;
}

/* Where there is a template, auth_query is tried in each database that a stranger can think of. */
static bool is_worth_saying(struct opener *o, const struct opener_pool *op, uint64_t now_us)
{
	if (!op->pool->lookups || !registry_only_named(o->registry, op->pool->database))
		return true;
	if (o->named_since_us == 0 || now_us >= o->named_since_us + NAMED_WINDOW_US) {
		outages_say_left_out(o, now_us);
		o->named_since_us = now_us;
		o->n_named = 0;
	}
	if (o->n_named++ < NAMED_LINES)
		return true;
	o->n_named_left_out++;
	return false;
}

/* Each attempt that failed: the log speaks of it at the start, when it turns into another condition, and once a minute.
   `b`: the address whose condition it is; NULL: the pool's own. */
static void log_condition(struct opener *o, struct opener_pool *op, struct backend *b, const struct verdict *v,
                          const struct trouble *t, uint64_t now_us)
{
	struct condition *c = b == NULL ? &op->told : &b->told;
	bool same = c->logged_us != 0 && strcmp(c->class, v->class) == 0;
	uint64_t n_told = take_told(op, b);

	c->n_told += n_told;
	if (c->logged_us != 0)
		note(o, c, same ? v : NULL, n_told, now_us); /* they were told what it was until now */
	if (same && now_us < c->logged_us + LOG_AGAIN_US) {
		log_write(o->log, LEVEL_DEBUG, "server login failed again: db=%.400s user=%.400s: %.4000s",
		          op->pool->database, op->pool->user, str_text(&v->message));
		return;
	}
	if (!is_worth_saying(o, op, now_us))
		return;
	if (same) {
		log_lasts(o, op, c, v, t);
	} else {
		name_condition(c, op, v, t);
		log_start(o, op, c, v, t);
		note(o, c, v, 0, now_us);
	}
	c->logged_us = now_us;
}

/* The pool's silence turns out to be the address's failure: for the log that is one condition. */
static void condition_moves(struct condition *to, struct condition *from)
{
	*to = *from;
	memset(from, 0, sizeof(*from));
}

/* `b`: the address whose condition it was; NULL: the pool's own. */
static void condition_ends(struct opener *o, struct opener_pool *op, struct backend *b, uint64_t now_us)
{
	struct condition *c = b == NULL ? &op->told : &b->told;
	char text[LOG_NAME_MAX * 4];
	struct log_event e;
	uint64_t n_told;

	if (c->logged_us != 0) {
		n_told = take_told(op, b);
		c->n_told += n_told;
		note(o, c, NULL, n_told, now_us);
		e = event_of(op, c, "outage_ends");
		e.level = LEVEL_LOG;
		e.address = c->address;
		e.text = text;
		snprintf(text, sizeof(text), "server login works again: db=%s user=%s, after %llu s, told: %llu",
		         op->pool->database, op->pool->user, (unsigned long long)((now_us - c->since_us) / US_PER_S),
		         (unsigned long long)c->n_told);
		log_event(o->log, &e);
	}
	memset(c, 0, sizeof(*c));
}

/* ---- publishing ---- */

static uint64_t tell_at(const struct opener_pool *op, const struct verdict *v, uint64_t since_us)
{
	uint64_t wait = outages_wait_us(op);

	if (v->kind == VERDICT_REFUSED)
		return 0;
	return wait == 0 ? UINT64_MAX : since_us + wait;
}

static void publish(struct opener_pool *op, struct verdict *v, const struct trouble *t, bool trying,
                    struct letters *out)
{
	struct outage *outage = outage_new(v, t->since_us, tell_at(op, v, t->since_us), t->attempts);

	if (outage == NULL)
		return;
	outage->next_try_us = t->next_try_us;
	snprintf(outage->incident, sizeof(outage->incident), "%s", t->incident);
	op->since_us = t->since_us;
	pool_set_outage(op->pool, outage, trying, out);
}

static struct trouble trouble_of_backend(const struct opener_pool *op, const struct backend *b)
{
	return (struct trouble){.failure = &b->failure,
	                        .settings = op->pool->settings,
	                        .host = b->host,
	                        .address = &b->address,
	                        .source = &b->source,
	                        .phase_us = b->failure_age_us,
	                        .since_us = b->since_us,
	                        .next_try_us = b->retry.next_try_us,
	                        .attempts = b->n_tried,
	                        .incident = b->told.incident};
}

/* `permit` NULL: it was another pool's attempt. */
static void publish_backend(struct opener *o, struct opener_pool *op, struct backend *b, const struct permit *permit,
                            const struct answers_of *a, uint64_t now_us, struct letters *out)
{
	struct trouble t = trouble_of_backend(op, b);
	bool trying = b->n_attempts > 0;
	struct verdict v;

	if (permit != NULL) {
		t.permit = permit;
		t.failed = a->failed;
		t.n_failed = a->n;
	}

	op->of_address = true;
	op->told_tried = b->n_tried;
	verdict_init(&v);
	facts_judge(o, op, &t, now_us, &v);
	log_condition(o, op, b, &v, &t, now_us);
	publish(op, &v, &t, trying, out);
	verdict_fini(&v);
}

/* Where the oldest attempt is stuck: at this address, or NULL: on the way to an address. */
static enum failure_phase phase_of_silence(const struct backend *b)
{
	struct list *first = b == NULL ? NULL : list_first(&b->attempts);

	return first == NULL ? PHASE_RESOLVE : permit_phase(container_of(first, struct permit, on_backend));
}

static void publish_silence(struct opener *o, struct opener_pool *op, uint64_t since_us, uint64_t now_us,
                            struct letters *out)
{
	struct backend *b = op->behind;
	struct failure f;
	struct trouble t = {.failure = &f,
	                    .settings = op->pool->settings,
	                    .host = b == NULL ? NULL : b->host,
	                    .address = b == NULL ? NULL : &b->address,
	                    .phase_us = now_us - since_us,
	                    .since_us = since_us,
	                    .attempts = op->attempts};
	struct verdict v;

	failure_init(&f);
	failure_set(&f, phase_of_silence(b), DOMAIN_POOLER, FAILURE_TIMED_OUT, NULL);
	condition_begins(o, &op->told, since_us);
	t.incident = op->told.incident;
	verdict_init(&v);
	facts_judge(o, op, &t, now_us, &v);
	log_condition(o, op, NULL, &v, &t, now_us);
	publish(op, &v, &t, true, out);
	verdict_fini(&v);
	failure_fini(&f);
}

void outages_tell_of_silence(struct opener *o, struct opener_pool *op, const struct pool_need *need, uint64_t now_us,
                             struct letters *out)
{
	uint64_t wait = outages_wait_us(op);

	if (wait == 0 || now_us < op->starting_since_us + wait || op->provisional || op->since_us != 0 ||
	    need->waiting + need->newcomers == 0)
		return;
	op->provisional = true;
	op->attempts++;
	publish_silence(o, op, op->starting_since_us, now_us, out);
}

void outages_tell_of_backend(struct opener *o, struct opener_pool *op, const struct pool_need *need, uint64_t now_us,
                             struct letters *out)
{
	struct backend *b = op->behind;
	uint64_t wait = outages_wait_us(op), silent_since_us = backend_silent_since_us(b, now_us);

	if (need->waiting + need->newcomers == 0 && op->since_us == 0)
		return;
	if (b->down) {
		if (op->told_tried != b->n_tried)
			publish_backend(o, op, b, NULL, NULL, now_us, out);
		return;
	}
	if (silent_since_us == 0 || wait == 0 || op->since_us != 0)
		return;
	if (now_us < silent_since_us + wait) {
		opener_wake_at(o, op, silent_since_us + wait);
		return;
	}
	op->provisional = true;
	op->attempts++;
	publish_silence(o, op, silent_since_us, now_us, out);
}

/* ---- the ends of outages ---- */

static void clear(struct opener_pool *op)
{
	op->since_us = 0;
	op->retry = (struct backoff){0, 0};
	op->attempts = 0;
	op->told_tried = 0;
	op->provisional = op->of_address = false;
}

/* The address answers again: who was told of it only may hope again. */
static void backend_is_back(struct opener *o, struct opener_pool *op, struct backend *b, uint64_t now_us,
                            struct letters *out)
{
	struct list *node;

	condition_ends(o, op, b, now_us);
	list_each (node, &b->blocked) {
		struct opener_pool *other = container_of(node, struct opener_pool, blocked);

		if (other->since_us == 0)
			continue;
		clear(other);
		memset(&other->told, 0, sizeof(other->told));
		pool_set_outage(other->pool, NULL, false, out);
	}
}

static void came_through(struct opener *o, struct opener_pool *op, struct backend *b, uint64_t now_us,
                         struct letters *out)
{
	if (backend_came_through(b, now_us))
		backend_is_back(o, op, b, now_us, out);
}

void opener_forget_outage(struct opener *o, struct pool *p)
{
	struct opener_pool *op = p->opener;

	(void)o;
	if (op == NULL)
		return;
	clear(op);
	if (op->behind != NULL)
		backend_hurry(op->behind);
	pool_set_trying(p, true); /* due: whoever comes next waits for it */
}

/* ---- attempts that have ended ---- */

static void note_failure(struct backend *b, const struct verdict *v, uint64_t now_us)
{
	b->n_failures++;
	b->failure_us = now_us;
	snprintf(b->last_class, sizeof(b->last_class), "%s", v->class);
	snprintf(b->last_text, sizeof(b->last_text), "%s", str_text(&v->message));
	snprintf(b->last_hint, sizeof(b->last_hint), "%s", str_text(&v->hint));
}

static void report(struct opener *o, struct opener_pool *op, const struct permit *permit, const struct target *target,
                   const struct verdict *v, uint64_t phase_us)
{
	struct attempt a = {.pool = op->pool,
	                    .host = target == NULL ? NULL : target->host,
	                    .address = target == NULL ? NULL : &target->address,
	                    .phases = permit->phases,
	                    .verdict = v,
	                    .phase_us = phase_us};

	if (o->attempt_ended != NULL)
		o->attempt_ended(o->attempt_arg, &a);
}

/* What one target's failure means for its backend. True: it is known before saying who we are, so it concerns all. */
static bool target_failed(struct opener *o, struct opener_pool *op, struct permit *permit,
                          const struct target_failure *tf, uint64_t now_us, struct letters *out)
{
	const struct target *target = &permit->target[tf->target];
	struct backend *b = target->backend;
	struct trouble t = {.failure = &tf->failure,
	                    .settings = permit->settings,
	                    .host = target->host,
	                    .address = &target->address,
	                    .source = &permit->source,
	                    .phase_us = tf->phase_us,
	                    .since_us = op->since_us != 0 ? op->since_us : permit->began_us};
	bool of_role = failure_is_of_pooler(&tf->failure, FAILURE_WRONG_ROLE);
	bool shared, rarely = permit->n_targets > 1 && tf->phase_us >= SLOW_FAILURE_US;
	struct verdict v;

	if (of_role) { /* what the others are belongs to it */
		t.permit = permit;
		t.failed = permit->failed;
		t.n_failed = permit->n_failed;
	}
	verdict_init(&v);
	facts_judge(o, op, &t, now_us, &v);
	shared = v.scope == SCOPE_ADDRESS && b != NULL;
	if (shared) {
		backend_failed(b, &tf->failure, tf->phase_us, permit->began_us, now_us);
		b->source = permit->source;
		if (op->provisional && b->told.since_us == 0)
			condition_moves(&b->told, &op->told);
		condition_begins(o, &b->told, b->since_us);
		retry_later(o, op, &b->retry, &v, b->since_us, rarely, tf->phase_us, now_us);
	} else if (b != NULL && tf->failure.phase > PHASE_TLS) {
		came_through(o, op, b, now_us, out);
	}
	/* a host of another role is well; it is a failure only if there is no other host */
	if (b != NULL && !of_role)
		note_failure(b, &v, now_us);
	if (!of_role || !permit->opened)
		report(o, op, permit, target, &v, tf->phase_us);
	verdict_fini(&v);
	return shared;
}

/* All pools that wait for a backend that has just failed again hear of it. */
static void tell_blocked(struct opener *o, struct backend *b, uint64_t now_us, struct letters *out)
{
	struct list *node;

	list_each (node, &b->blocked) {
		struct opener_pool *op = container_of(node, struct opener_pool, blocked);
		struct pool_need need;

		pool_needs(op->pool, &need);
		opener_wake_at(o, op, b->retry.next_try_us);
		outages_tell_of_backend(o, op, &need, now_us, out);
	}
}

/* The pool's own trouble: at least one target answered, or there was none. */
static void pool_is_out(struct opener *o, struct opener_pool *op, struct permit *permit, const struct answers_of *a,
                        uint64_t now_us, struct letters *out)
{
	const struct target_failure *tf = &a->failed[facts_choose(permit, a->failed, a->n)];
	const struct target *target = tf->target < permit->n_targets ? &permit->target[tf->target] : NULL;
	struct trouble t = {.failure = &tf->failure,
	                    .settings = permit->settings,
	                    .host = target == NULL ? NULL : target->host,
	                    .address = target == NULL ? NULL : &target->address,
	                    .source = &permit->source,
	                    .phase_us = tf->phase_us,
	                    .permit = permit,
	                    .failed = a->failed,
	                    .n_failed = a->n};
	struct verdict v;

	if (op->since_us == 0)
		op->since_us = permit->began_us;
	if (!op->provisional)
		op->attempts++;
	op->provisional = op->of_address = false;
	condition_begins(o, &op->told, op->since_us);
	t.since_us = op->since_us;
	t.attempts = op->attempts;
	t.incident = op->told.incident;
	verdict_init(&v);
	/* twice: the kind decides when the next try is, and the text says when that will be */
	facts_judge(o, op, &t, now_us, &v);
	retry_later(o, op, &op->retry, &v, op->since_us, false, tf->phase_us, now_us);
	t.next_try_us = op->retry.next_try_us;
	facts_judge(o, op, &t, now_us, &v);
	log_condition(o, op, NULL, &v, &t, now_us);
	if (target == NULL)
		report(o, op, permit, NULL, &v, t.phase_us);
	publish(op, &v, &t, false, out);
	verdict_fini(&v);
}

/* The pool waits with all others for the address, the one of several that will be tried first. */
static void pool_is_behind(struct opener *o, struct opener_pool *op, struct permit *permit, const struct answers_of *a,
                           uint64_t now_us, struct letters *out)
{
	struct backend *first = NULL;

	for (uint32_t i = 0; i < a->n; i++) {
		struct backend *b = permit->target[a->failed[i].target].backend;

		if (first == NULL || b->retry.next_try_us < first->retry.next_try_us)
			first = b;
	}
	opener_set_behind(op, first);
	op->provisional = false;
	op->retry = (struct backoff){0, 0};
	publish_backend(o, op, first, permit, a, now_us, out);
}

static void collect(const struct permit *permit, struct answers_of *a, uint64_t now_us)
{
	memset(a, 0, sizeof(*a));
	a->failed = permit->failed;
	a->n = permit->n_failed;
	if (a->n > 0 || !failure_is_set(&permit->failure))
		return;
	a->only.phase_us = now_us - permit->began_us;
	a->only.failure = permit->failure;
	a->failed = &a->only;
	a->n = permit->n_targets > 0 ? 1 : 0;
	if (a->n == 0)
		a->only.target = UINT32_MAX;
}

static void judge_all(struct opener *o, struct opener_pool *op, struct permit *permit, struct answers_of *a,
                      uint64_t now_us, struct letters *out)
{
	collect(permit, a, now_us);
	a->all_shared = a->n > 0;
	for (uint32_t i = 0; i < a->n; i++)
		a->all_shared = target_failed(o, op, permit, &a->failed[i], now_us, out) && a->all_shared;
}

/* Now that every target has been judged. */
static void tell_others(struct opener *o, const struct permit *permit, const struct answers_of *a, uint64_t now_us,
                        struct letters *out)
{
	for (uint32_t i = 0; i < a->n; i++) {
		struct backend *b = permit->target[a->failed[i].target].backend;

		if (b != NULL && b->down)
			tell_blocked(o, b, now_us, out);
	}
}

void outages_attempt_failed(struct opener *o, struct opener_pool *op, struct permit *permit, uint64_t now_us,
                            struct letters *out)
{
	struct answers_of a;

	judge_all(o, op, permit, &a, now_us, out);
	for (uint32_t i = 0; i < permit->n_targets; i++)
		if (permit->target[i].backend != NULL && !permit->target[i].backend->down) {
			opener_set_behind(op, permit->target[i].backend); /* nothing keeps the next attempt from it */
			break;
		}
	if (a.all_shared)
		pool_is_behind(o, op, permit, &a, now_us, out);
	else if (permit->n_secrets == pool_count_secrets(permit->pool)) /* else the new secret is tried first */
		pool_is_out(o, op, permit, &a, now_us, out);
	tell_others(o, permit, &a, now_us, out);
}

void outages_attempt_succeeded(struct opener *o, struct opener_pool *op, struct permit *permit, uint64_t now_us,
                               struct letters *out)
{
	const struct target *target = permit->reached < permit->n_targets ? &permit->target[permit->reached] : NULL;
	struct answers_of a;

	judge_all(o, op, permit, &a, now_us, out);
	tell_others(o, permit, &a, now_us, out);
	histogram_add(&o->login_times, permit->phases.resolve_us + permit->phases.connect_us + permit->phases.tls_us +
	                                   permit->phases.auth_us + permit->phases.settle_us);
	if (target != NULL && target->backend != NULL) {
		target->backend->good = permit->phases;
		target->backend->login_us = now_us;
		target->backend->n_failures = 0;
		target->backend->n_connect_query_failed += permit->connect_query_failed;
		opener_set_behind(op, target->backend);
		came_through(o, op, target->backend, now_us, out);
	}
	condition_ends(o, op, NULL, now_us);
	clear(op);
	report(o, op, permit, target, NULL, 0);
}
