/*
 * The accounting of answers. Thread: its server's worker.
 *
 *   client sends Q, P, B, D, E, C, F, S  -> pushed         COPY data and Flush: nothing is owed
 *   server sends 1 2 3 n T C I s Z …     -> the head pops when the message is its last
 *   ErrorResponse                        -> an extended head drops all up to the next Sync;
 *                                           without one the server skips until the client sends it
 *   COPY IN                              -> Sync and Flush are swallowed by the server until CopyDone/CopyFail
 *   COPY IN fails, Syncs were in flight  -> fence: Sync and an empty query of ours; what the client is owed
 *                                           is every ReadyForQuery but the last one before the empty answer
 *   requests were under way, too         -> lost: the error is forwarded, then the server is closed
 */
#include "worker/answers.h"

#include <string.h>

#include "base/mem.h"

void answers_init(struct answers *a)
{
	memset(a, 0, sizeof(*a));
	a->capacity = ANSWERS_INLINE;
}

void answers_fini(struct answers *a)
{
	mem_free(a->ring);
	answers_init(a);
}

/* ---- the ring ---- */

static struct answer *slot(struct answers *a, uint32_t i)
{
	struct answer *ring = a->ring == NULL ? a->first : a->ring;

	return &ring[(a->head + i) & (a->capacity - 1)];
}

static bool grow(struct answers *a)
{
	uint32_t capacity = a->capacity * 2;
	struct answer *ring;

	if (a->capacity >= ANSWERS_MAX)
		return false;
	ring = (struct answer *)mem_alloc(capacity * sizeof(struct answer));
	if (ring == NULL)
		return false;
	for (uint32_t i = 0; i < a->n; i++)
		ring[i] = *slot(a, i);
	mem_free(a->ring);
	a->ring = ring;
	a->capacity = capacity;
	a->head = 0;
	return true;
}

static void put(struct answers *a, enum answer_kind kind, enum answer_origin origin, bool marked)
{
	*slot(a, a->n++) = (struct answer){(uint8_t)kind, (uint8_t)origin, marked, 0};
	a->sent_since_ready = true;
}

static bool push(struct answers *a, enum answer_kind kind, enum answer_origin origin)
{
	if (a->n == a->capacity && !grow(a))
		return false;
	put(a, kind, origin, false);
	return true;
}

static void remove_at(struct answers *a, uint32_t i)
{
	for (; i + 1 < a->n; i++)
		*slot(a, i) = *slot(a, i + 1);
	a->n--;
}

static void step(struct answers *a)
{
	a->head = (a->head + 1) & (a->capacity - 1);
	a->n--;
}

static void pop(struct answers *a)
{
	struct answer head = *slot(a, 0);

	a->effects_ended += head.marked;
	a->n_local -= head.origin == ORIGIN_LOCAL;
	step(a);
	/* the end of a COPY that never began is ignored by the server */
	while (a->n > 0 && slot(a, 0)->kind == ANSWER_COPY_END)
		step(a);
}

static bool head_is(struct answers *a, enum answer_kind kind)
{
	return a->n > 0 && slot(a, 0)->kind == (uint8_t)kind;
}

static enum answer_verdict by_origin(struct answers *a)
{
	return a->n > 0 && slot(a, 0)->origin == ORIGIN_OURS ? ANSWER_SWALLOW : ANSWER_FORWARD;
}

bool answers_is_full(const struct answers *a)
{
	return a->n >= ANSWERS_MAX;
}

/* ---- sending ---- */

static bool send_sync(struct answers *a)
{
	if (a->copy == COPY_IN) {
		a->syncs_in_copy++;
		return true;
	}
	if (!push(a, ANSWER_SYNC, ORIGIN_CLIENT))
		return false;
	a->segment++;
	a->skip = false;
	return true;
}

static bool send_copy_end(struct answers *a)
{
	if (a->copy == COPY_IN) {
		a->copy = COPY_IN_ENDED;
		return true;
	}
	if (a->copy == COPY_BOTH)
		return true;
	/* without anything outstanding no COPY can begin: the server ignores it */
	return a->n == 0 || a->skip ? true : push(a, ANSWER_COPY_END, ORIGIN_CLIENT);
}

static bool send_owed(struct answers *a, enum answer_kind kind)
{
	if (a->skip)
		return true;
	/* the COPY will fail; whether this message is lost with it depends on the server's version and on luck */
	if (a->copy == COPY_IN)
		a->lost = true;
	return push(a, kind, ORIGIN_CLIENT);
}

bool answers_client_skips(struct answers *a, uint8_t type)
{
	if (type == 'S')
		a->skip_here = false;
	return a->skip_here;
}

bool answers_client_sends(struct answers *a, uint8_t type)
{
	switch (type) {
	case 'Q':
		return send_owed(a, ANSWER_QUERY);
	case 'P':
		return send_owed(a, ANSWER_PARSE);
	case 'B':
		return send_owed(a, ANSWER_BIND);
	case 'D':
		return send_owed(a, ANSWER_DESCRIBE);
	case 'E':
		return send_owed(a, ANSWER_EXECUTE);
	case 'C':
		return send_owed(a, ANSWER_CLOSE);
	case 'F':
		return send_owed(a, ANSWER_CALL);
	case 'S':
		return send_sync(a);
	case 'c':
	case 'f':
		return send_copy_end(a);
	default: /* 'd', 'H': nothing is owed for them */
		return true;
	}
}

bool answers_reserve(struct answers *a, uint32_t n)
{
	while (a->n + n > a->capacity)
		if (!grow(a))
			return false;
	return true;
}

void answers_expect(struct answers *a, enum answer_kind kind, enum answer_origin origin, bool marked)
{
	put(a, kind, origin, marked);
	a->n_local += origin == ORIGIN_LOCAL;
}

bool answers_take_local(struct answers *a, char *type)
{
	if (a->n_local == 0 || slot(a, 0)->origin != ORIGIN_LOCAL)
		return false;
	*type = head_is(a, ANSWER_PARSE) ? '1' : '3';
	pop(a);
	return true;
}

bool answers_we_send(struct answers *a, uint8_t type)
{
	return push(a, type == 'Q' ? ANSWER_QUERY : ANSWER_SYNC, ORIGIN_OURS);
}

/* ---- errors and COPY ---- */

static bool is_extended(const struct answer *head)
{
	switch ((enum answer_kind)head->kind) {
	case ANSWER_PARSE:
	case ANSWER_BIND:
	case ANSWER_DESCRIBE:
	case ANSWER_EXECUTE:
	case ANSWER_CLOSE:
		return true;
	case ANSWER_SYNC:
	case ANSWER_QUERY:
	case ANSWER_CALL:
	case ANSWER_COPY_END:
	case ANSWER_FENCE:
		return false;
	}
	return false;
}

/* Errors, notices and parameters while a query of ours runs are ours; about a Parse of ours the client is told: it is
   for its Bind. */
static enum answer_verdict unasked(struct answers *a)
{
	return a->n > 0 && is_extended(slot(a, 0)) ? ANSWER_FORWARD : by_origin(a);
}

/* The server discards everything up to the next Sync. */
static void drop_to_sync(struct answers *a)
{
	while (a->n > 0 && slot(a, 0)->kind != ANSWER_SYNC)
		pop(a);
	if (a->n == 0)
		a->skip = true;
}

static void drop_copy_ends_behind_head(struct answers *a)
{
	while (a->n > 1 && slot(a, 1)->kind == ANSWER_COPY_END)
		remove_at(a, 1);
}

static void copy_failed(struct answers *a)
{
	if (a->copy == COPY_IN || a->copy == COPY_IN_ENDED)
		a->wants_fence = a->syncs_in_copy > 0 && !a->lost;
	a->copy = COPY_NONE;
	a->syncs_in_copy = 0;
}

/* Requests are out that no fence can be put before, and how many ReadyForQuery come before theirs nobody knows. */
static void do_without_fence(struct answers *a)
{
	for (uint32_t i = 1; a->wants_fence && i < a->n; i++) {
		enum answer_kind kind = (enum answer_kind)slot(a, i)->kind;

		if (kind == ANSWER_SYNC || kind == ANSWER_COPY_END)
			continue;
		a->wants_fence = false;
		a->lost = true;
	}
}

static enum answer_verdict error_came(struct answers *a)
{
	enum answer_verdict verdict = unasked(a);

	copy_failed(a);
	if (a->n == 0 || head_is(a, ANSWER_FENCE))
		return ANSWER_FORWARD; /* a FATAL that nobody asked for; the end of the connection follows */
	do_without_fence(a);
	if (is_extended(slot(a, 0)))
		drop_to_sync(a);
	else
		drop_copy_ends_behind_head(a);
	return verdict;
}

/* Syncs sent before the COPY began, and before the client's CopyDone, will never be answered. */
static enum answer_verdict copy_in_began(struct answers *a)
{
	uint32_t syncs = 0;

	if (!head_is(a, ANSWER_EXECUTE) && !head_is(a, ANSWER_QUERY))
		return ANSWER_IMPOSSIBLE;
	a->copy = COPY_IN;
	while (a->n > 1 && slot(a, 1)->kind == ANSWER_SYNC) {
		remove_at(a, 1);
		syncs++;
	}
	a->syncs_in_copy = syncs;
	if (a->n > 1 && slot(a, 1)->kind == ANSWER_COPY_END) {
		remove_at(a, 1);
		a->copy = COPY_IN_ENDED;
	} else if (a->n > 1) {
		/* other requests in the middle of a COPY: what the server makes of them nobody can count */
		return ANSWER_IMPOSSIBLE;
	}
	return by_origin(a);
}

/* START_REPLICATION: either side may end its half with CopyDone, and results may follow before the end of the query. */
static enum answer_verdict copy_both_began(struct answers *a)
{
	if (!head_is(a, ANSWER_QUERY))
		return ANSWER_IMPOSSIBLE;
	a->copy = COPY_BOTH;
	drop_copy_ends_behind_head(a);
	return by_origin(a);
}

/* ---- ReadyForQuery ---- */

static enum answer_verdict fence_ready(struct answers *a, char status)
{
	if (a->fence_seen) {
		a->fencing = a->fence_seen = false;
		a->status = status;
		pop(a);
		a->sent_since_ready = a->n > 0;
		return ANSWER_SWALLOW;
	}
	if (a->held_ready) {
		a->released_ready = true;
		a->released_status = a->held_status;
		a->skip_here = false; /* the client's own Sync has ended it */
	}
	a->held_ready = true;
	a->held_status = status;
	return ANSWER_HOLD_READY;
}

static enum answer_verdict ready_came(struct answers *a, char status)
{
	enum answer_verdict verdict = by_origin(a);

	if (a->n == 0)
		return ANSWER_IMPOSSIBLE;
	switch ((enum answer_kind)slot(a, 0)->kind) {
	case ANSWER_FENCE:
		return fence_ready(a, status);
	case ANSWER_SYNC:
	case ANSWER_QUERY:
	case ANSWER_CALL:
		pop(a);
		a->status = status;
		a->copy = COPY_NONE;
		a->sent_since_ready = a->n > 0 || a->skip;
		return verdict;
	case ANSWER_PARSE:
	case ANSWER_BIND:
	case ANSWER_DESCRIBE:
	case ANSWER_EXECUTE:
	case ANSWER_CLOSE:
	case ANSWER_COPY_END:
		return ANSWER_IMPOSSIBLE;
	}
	return ANSWER_IMPOSSIBLE;
}

/* ---- everything else ---- */

static enum answer_verdict ends(struct answers *a, enum answer_kind kind)
{
	enum answer_verdict verdict = by_origin(a);

	if (!head_is(a, kind))
		return ANSWER_IMPOSSIBLE;
	pop(a);
	return verdict;
}

/* Ends an Execute; inside a Query it is one of many. */
static enum answer_verdict ends_execute(struct answers *a)
{
	enum answer_verdict verdict = by_origin(a);

	a->copy = COPY_NONE;
	a->syncs_in_copy = 0;
	if (head_is(a, ANSWER_EXECUTE)) {
		pop(a);
		return verdict;
	}
	return head_is(a, ANSWER_QUERY) ? verdict : ANSWER_IMPOSSIBLE;
}

static enum answer_verdict empty_came(struct answers *a)
{
	if (!head_is(a, ANSWER_FENCE))
		return ends_execute(a);
	/* the ReadyForQuery before this was that of our own Sync */
	a->held_ready = false;
	a->fence_seen = true;
	return ANSWER_SWALLOW;
}

static enum answer_verdict within(struct answers *a, enum answer_kind one, enum answer_kind other)
{
	return head_is(a, one) || head_is(a, other) ? by_origin(a) : ANSWER_IMPOSSIBLE;
}

enum answer_verdict answers_server_sent(struct answers *a, uint8_t type, char status)
{
	if (a->lost && type != 'E' && type != 'N' && type != 'S' && type != 'A')
		return ANSWER_IMPOSSIBLE;
	switch (type) {
	case 'Z':
		return ready_came(a, status);
	case 'C':
	case 's':
		return ends_execute(a);
	case 'I':
		return empty_came(a);
	case 'D':
		return within(a, ANSWER_EXECUTE, ANSWER_QUERY);
	case 'T':
		return head_is(a, ANSWER_DESCRIBE) ? ends(a, ANSWER_DESCRIBE) : within(a, ANSWER_EXECUTE, ANSWER_QUERY);
	case 'n':
		return ends(a, ANSWER_DESCRIBE);
	case 't':
		return within(a, ANSWER_DESCRIBE, ANSWER_DESCRIBE);
	case '1':
		return ends(a, ANSWER_PARSE);
	case '2':
		return ends(a, ANSWER_BIND);
	case '3':
		return ends(a, ANSWER_CLOSE);
	case 'V':
		return within(a, ANSWER_CALL, ANSWER_CALL);
	case 'E':
		return error_came(a);
	case 'G':
		return copy_in_began(a);
	case 'H':
		a->copy = COPY_OUT;
		return within(a, ANSWER_EXECUTE, ANSWER_QUERY);
	case 'W':
		return copy_both_began(a);
	case 'd':
	case 'c':
		return a->copy == COPY_OUT || a->copy == COPY_BOTH ? by_origin(a) : ANSWER_IMPOSSIBLE;
	case 'N':
	case 'S':
		return unasked(a);
	case 'A':
		return ANSWER_FORWARD;
	default:
		return ANSWER_IMPOSSIBLE;
	}
}

/* ---- the fence ---- */

bool answers_needs_fence(const struct answers *a)
{
	return a->wants_fence;
}

bool answers_fence_sent(struct answers *a)
{
	if (!push(a, ANSWER_FENCE, ORIGIN_OURS))
		return false;
	a->wants_fence = false;
	a->fencing = true;
	a->skip_here = a->skip;
	a->skip = false; /* our Sync has ended it */
	return true;
}

bool answers_released_ready(struct answers *a, char *status)
{
	if (!a->released_ready)
		return false;
	a->released_ready = false;
	*status = a->released_status;
	return true;
}

/* ---- questions ---- */

bool answers_at_rest(const struct answers *a)
{
	return a->n == 0 && !a->sent_since_ready && !a->skip && !a->skip_here && !a->lost && a->copy == COPY_NONE &&
	       !a->wants_fence && !a->fencing;
}

static const struct answer *head_of(const struct answers *a)
{
	const struct answer *ring = a->ring == NULL ? a->first : a->ring;

	return a->n == 0 ? NULL : &ring[a->head];
}

bool answers_head_is_marked(const struct answers *a)
{
	const struct answer *head = head_of(a);

	return head != NULL && head->marked != 0;
}

char answers_known_status(const struct answers *a)
{
	const struct answer *ring = a->ring == NULL ? a->first : a->ring;

	for (uint32_t i = 0; i < a->n; i++)
		if (!is_extended(&ring[(a->head + i) & (a->capacity - 1)]))
			return '?';
	return a->status;
}

void answers_refuse_last(struct answers *a, uint8_t mark)
{
	struct answer *last = a->n == 0 ? NULL : slot(a, a->n - 1);

	if (last != NULL && last->origin == ORIGIN_CLIENT && (last->kind == ANSWER_QUERY || last->kind == ANSWER_PARSE))
		last->refused = mark;
}

uint8_t answers_head_refused(const struct answers *a)
{
	const struct answer *head = head_of(a);

	return head == NULL ? 0 : head->refused;
}

bool answers_run_client(const struct answers *a)
{
	const struct answer *head = head_of(a);

	return head != NULL && (head->origin != ORIGIN_OURS || is_extended(head));
}

bool answers_run_ours(const struct answers *a)
{
	const struct answer *head = head_of(a);

	return head != NULL && head->origin == ORIGIN_OURS && !is_extended(head);
}
