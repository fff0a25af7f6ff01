/*
 * What clients leave behind in shared sessions. Thread: the worker of client and server.
 *
 * A tag says that a command was done, not everything about it: SET LOCAL is SET, a temporary table is a table, a lock
 * is a SELECT. So the texts are looked at when they pass (worker/sql_scan.c); what they would leave is a suspect until
 * a fitting tag has come, and is left when its transaction has ended well:
 *
 *   guard_look ──> suspects ── tag ──> done ── ReadyForQuery 'I', COMMIT ──> counted, told, pinned
 *                                       └── error, ROLLBACK ──> undone ── COMMIT (it was only a savepoint) ──> done
 */
#include "worker/guard.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "pool/settings.h"
#include "wire/message.h"
#include "worker/client.h"
#include "worker/params.h"
#include "worker/server.h"
#include "worker/sql_scan.h"

#define NAMES_BYTES 256u /* of parameters of track_extra_parameters that are being set */
#define ALL_UNLOCKS 255u

/* Where in a message its text is. */
enum place_in { IN_NOTHING, IN_NAME, IN_TEXT };

struct reading {
	enum place_in in;
	bool reads;  /* the message has a text that is looked at */
	bool fresh;  /* nothing of the text was there yet */
	bool counts; /* what is found in it is a suspect as soon as the message is sent */
	struct sql_scan scan;
};

/* Owned by its client. */
struct guard {
	struct reading now, before, began; /* before the last frame; when guard_begins was called */
	uint8_t suspects[N_STATES], done[N_STATES], undone[N_STATES];
	uint8_t n_unlocks;
	bool told;               /* the client was warned, or the log */
	bool set;                /* something that can be a SET was done since the last ReadyForQuery */
	char names[NAMES_BYTES]; /* one after the other, an empty one at the end */
};

static const struct pool_settings *settings_of(const struct client *c)
{
	return c->entry.seat->settings;
}

static enum state_guard mode_of(const struct client *c)
{
	return settings_of(c)->guard;
}

static struct guard_counts *counts_of(const struct client *c)
{
	return &c->entry.seat->guard;
}

bool guard_begins(struct client *c)
{
	if (mode_of(c) == STATE_GUARD_OFF)
		return false;
	if (c->guard == NULL)
		c->guard = mem_new(struct guard);
	if (c->guard == NULL)
		return false;
	if (!framer_at_boundary(&c->framer))
		c->guard->began = c->guard->now;
	return true;
}

void guard_free(struct client *c)
{
	if (c->pinned)
		counts_of(c)->pinned--;
	c->pinned = false;
	mem_free(c->guard);
	c->guard = NULL;
}

/* ---- parameters that follow ---- */

/* Remembered until the SET is known to have been done. */
static bool remember_name(struct guard *g, const char *name)
{
	size_t at = 0, len = strlen(name);

	while (g->names[at] != '\0') {
		if (strcmp(g->names + at, name) == 0)
			return true;
		at += strlen(g->names + at) + 1;
	}
	if (at + len + 2 > sizeof(g->names))
		return false;
	memcpy(g->names + at, name, len + 1);
	return true;
}

static bool follows(void *arg, const char *name)
{
	struct client *c = (struct client *)arg;

	if (params_is_reported(c->server->params, name))
		return true;
	return conf_list_has_parameter(c->worker->config->settings.track_extra_parameters, name) &&
	       remember_name(c->guard, name);
}

/* What was set of its own accord is set back before another client gets the server. */
static void settle_names(struct client *c)
{
	struct guard *g = c->guard;

	for (const char *name = g->names; g->set && *name != '\0'; name += strlen(name) + 1) {
		struct params *unsure = params_with_unsure(c->server->params, name);

		if (unsure == NULL)
			break; /* no room among its parameters */
		c->server->params = unsure;
	}
	memset(g->names, 0, sizeof(g->names));
	g->set = false;
}

/* ---- from the client ---- */

static void begin_text(struct client *c, struct sql_scan *scan)
{
	const char *strings = params_value(c->server->params, "standard_conforming_strings");

	sql_scan_begin(scan, strings == NULL || strcmp(strings, "on") == 0);
}

static void begin_message(struct client *c, const struct frame *f)
{
	struct reading *r = &c->guard->now;
	bool named = f->type == 'P' && f->len > FRAME_HEADER_BYTES && f->data[FRAME_HEADER_BYTES] != '\0';

	/* a named one counts each time that it is bound (guard_bound), unless names are not followed */
	r->counts = !named || settings_of(c)->global->max_prepared_statements <= 0;
	r->reads = f->type == 'Q' || (f->type == 'P' && (r->counts || mode_of(c) == STATE_GUARD_REJECT));
	r->fresh = true;
	r->in = !r->reads ? IN_NOTHING : f->type == 'Q' ? IN_TEXT : IN_NAME;
	if (r->reads)
		begin_text(c, &r->scan);
}

/* Up to the first statement that leaves something, or all. */
static size_t read_statements(struct client *c, const char *at, size_t len)
{
	struct sql_scan *s = &c->guard->now.scan;
	size_t used = 0;

	while (used < len && !sql_scan_found_any(s)) {
		const char *semicolon = (const char *)memchr(at + used, ';', len - used);
		size_t n = semicolon == NULL ? len - used : (size_t)(semicolon - at) + 1 - used;

		sql_scan_feed(s, at + used, n, follows, c);
		used += n;
	}
	return used;
}

/* The text goes on up to a NUL. A byte outside of strings is spoiled: the text's first one; if that has gone already,
   the end of the statement that was found. A message without its NUL makes no sense, either. */
static void read_or_refuse(struct client *c, char *at, char *end)
{
	struct reading *r = &c->guard->now;
	char *nul = (char *)memchr(at, 0, (size_t)(end - at)), *stop = nul == NULL ? end : nul;
	size_t used = read_statements(c, at, (size_t)(stop - at));
	char *spoiled = at + used - 1;

	if (at + used == stop && nul != NULL && !sql_scan_found_any(&r->scan)) {
		sql_scan_end(&r->scan, follows, c);
		spoiled = nul;
	}
	if (r->scan.mark == 0 && sql_scan_found_any(&r->scan)) {
		r->scan.mark = (uint8_t)(SQL_MARK_FIRST + sql_scan_first(&r->scan));
		*(r->fresh ? at : spoiled) = (char)r->scan.mark;
	}
	if (nul != NULL)
		r->in = IN_NOTHING;
}

static void read_text(struct client *c, const char *at, const char *end)
{
	struct reading *r = &c->guard->now;
	const char *nul = (const char *)memchr(at, 0, (size_t)(end - at));

	sql_scan_feed(&r->scan, at, (size_t)((nul == NULL ? end : nul) - at), follows, c);
	if (nul == NULL)
		return;
	sql_scan_end(&r->scan, follows, c);
	r->in = IN_NOTHING;
}

void guard_look(struct client *c, struct frame *f)
{
	struct reading *r = &c->guard->now;
	char *at = f->data, *end = f->data + f->len;

	if (f->starts) {
		begin_message(c, f);
		at += FRAME_HEADER_BYTES;
	}
	c->guard->before = *r;
	if (r->in == IN_NAME) {
		char *nul = (char *)memchr(at, 0, (size_t)(end - at));

		if (nul == NULL)
			return;
		at = nul + 1;
		r->in = IN_TEXT;
	}
	if (r->in != IN_TEXT || at == end)
		return;
	if (mode_of(c) == STATE_GUARD_REJECT)
		read_or_refuse(c, at, end);
	else
		read_text(c, at, end);
	r->fresh = false;
}

static void add_to(uint8_t *sum, unsigned n)
{
	*sum = (uint8_t)(*sum + n > UINT8_MAX ? UINT8_MAX : *sum + n);
}

static void suspect(struct guard *g, const struct sql_scan *scan)
{
	for (unsigned i = 0; i < N_STATES; i++)
		add_to(&g->suspects[i], scan->found[i]);
	add_to(&g->n_unlocks, scan->n_unlocks);
}

void guard_passed(struct client *c, const struct frame *f)
{
	struct guard *g = c->guard;
	struct reading *r = &g->now;

	if (!f->ends || !r->reads)
		return;
	r->reads = false;
	r->in = IN_NOTHING;
	if (r->scan.mark != 0 && mode_of(c) == STATE_GUARD_REJECT)
		answers_refuse_last(&c->server->answers, r->scan.mark);
	else if (r->counts)
		suspect(g, &r->scan);
}

void guard_again(struct client *c)
{
	c->guard->now = c->guard->before;
}

static void forget_requests(struct guard *g)
{
	memset(g->suspects, 0, sizeof(g->suspects));
	memset(g->names, 0, sizeof(g->names));
	g->n_unlocks = 0;
	g->set = false;
}

void guard_undo(struct client *c)
{
	if (c->guard == NULL)
		return;
	c->guard->now = c->guard->began;
	forget_requests(c->guard);
}

/* Asked about any parameter, it depends on the server what a statement leaves. */
struct asked {
	struct client *client;
	bool asked;
};

static bool follows_and_note(void *arg, const char *name)
{
	struct asked *a = (struct asked *)arg;

	a->asked = true;
	return follows(a->client, name);
}

bool guard_bound(struct client *c, const char *text)
{
	struct asked a = {c, false};
	struct sql_scan scan;

	begin_text(c, &scan);
	sql_scan_feed(&scan, text, strlen(text), follows_and_note, &a);
	sql_scan_end(&scan, follows_and_note, &a);
	suspect(c->guard, &scan);
	return a.asked || scan.n_unlocks > 0 || sql_scan_found_any(&scan);
}

/* ---- from the server ---- */

static bool is_tag(struct bytes tag, const char *word)
{
	return strncmp(tag.data, word, strlen(word)) == 0;
}

static bool runs_functions(struct bytes tag)
{
	static const char *const tags[] = {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "COPY"};

	for (unsigned i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
		if (is_tag(tag, tags[i]))
			return true;
	return false;
}

/* Whether a command with this tag can have left that. */
static bool may_leave(enum session_state state, struct bytes tag)
{
	switch (state) {
	case STATE_SET:
		return bytes_are(tag, "SET") || runs_functions(tag);
	case STATE_LISTEN:
		return bytes_are(tag, "LISTEN");
	case STATE_PREPARE:
		return bytes_are(tag, "PREPARE");
	case STATE_TEMP:
		return is_tag(tag, "CREATE ") || is_tag(tag, "SELECT");
	case STATE_CURSOR:
		return bytes_are(tag, "DECLARE CURSOR");
	case STATE_LOCK:
		return runs_functions(tag);
	case STATE_LOAD:
		return bytes_are(tag, "LOAD");
	case N_STATES:
		break;
	}
	return false;
}

static void drop_done(struct guard *g, enum session_state state, uint8_t n)
{
	g->done[state] = g->done[state] > n ? (uint8_t)(g->done[state] - n) : 0;
}

/* What ends something that was begun on the same server connection. */
static void note_end(struct guard *g, struct bytes tag)
{
	if (bytes_are(tag, "DISCARD ALL"))
		memset(g->done, 0, sizeof(g->done));
	else if (bytes_are(tag, "DEALLOCATE ALL"))
		g->done[STATE_PREPARE] = 0;
	else if (bytes_are(tag, "DEALLOCATE"))
		drop_done(g, STATE_PREPARE, 1);
	else if (bytes_are(tag, "UNLISTEN"))
		drop_done(g, STATE_LISTEN, 1);
	else if (bytes_are(tag, "CLOSE CURSOR ALL"))
		g->done[STATE_CURSOR] = 0;
	else if (bytes_are(tag, "CLOSE CURSOR"))
		drop_done(g, STATE_CURSOR, 1);
}

/* From one list to the other; of what transactions undo alone. */
static void move(uint8_t *from, uint8_t *to)
{
	for (unsigned i = 0; i < N_STATES; i++) {
		if (!session_state_is_by_transaction((enum session_state)i))
			continue;
		add_to(&to[i], from[i]);
		from[i] = 0;
	}
}

static void note_for_guard(struct guard *g, struct bytes tag)
{
	for (unsigned i = 0; i < N_STATES; i++) {
		if (g->suspects[i] == 0 || !may_leave((enum session_state)i, tag))
			continue;
		g->suspects[i]--;
		add_to(&g->done[i], 1);
	}
	g->set |= bytes_are(tag, "SET") || runs_functions(tag);
	if (bytes_are(tag, "ROLLBACK"))
		move(g->done, g->undone);
	else if (bytes_are(tag, "COMMIT"))
		move(g->undone, g->done);
	else
		note_end(g, tag);
}

/* Our own PREPARE, and a DEALLOCATE of a name that the protocol made (worker/prepared.c). */
static bool is_of_protocol(const struct answers *a)
{
	return answers_run_ours(a) || answers_head_is_marked(a);
}

bool guard_note_tag(struct server *s, struct bytes tag)
{
	struct params *unsure;

	if (s->client == NULL || s->errand != ERRAND_NONE || is_of_protocol(&s->answers))
		return true;
	if (s->client->guard != NULL)
		note_for_guard(s->client->guard, tag);
	if (!bytes_are(tag, "SET") && !bytes_are(tag, "RESET") && !bytes_are(tag, "DISCARD ALL"))
		return true;
	unsure = params_unsure(s->params);
	if (unsure != NULL)
		s->params = unsure;
	return unsure != NULL;
}

void guard_note_error(struct client *c)
{
	move(c->guard->done, c->guard->undone);
	/* whether such parameters exist at all is not known */
	memset(c->guard->names, 0, sizeof(c->guard->names));
}

/* ---- telling ---- */

static const char *mode_name(const struct client *c)
{
	return settings_of(c)->mode == POOL_MODE_STATEMENT ? "statement" : "transaction";
}

static unsigned first_of(const uint8_t *n)
{
	unsigned i = 0;

	while (i < N_STATES - 1 && n[i] == 0)
		i++;
	return i;
}

static void tell_log(struct client *c, const char *what, const char *text, const char *hint)
{
	struct log_event e = {.level = LEVEL_WARNING, .event = "state_guard", .hint = hint};

	client_log_event(c, &e, "state_guard = %s: %s %s", state_guard_name(mode_of(c)), what, text);
}

static bool warn(struct client *c, enum session_state state, struct str *out)
{
	char text[160], detail[320];
	struct words words = {"WARNING", SQLSTATE_WARNING, text, detail, session_state_remedy(state)};

	snprintf(text, sizeof(text), "%s leaves state behind in a server connection that is shared",
	         session_state_what(state));
	snprintf(detail, sizeof(detail),
	         "With pool_mode = %s the server connection goes to other clients now: they find what was left there, "
	         "and this client need not get it again. It is not warned of this again (state_guard = warn).",
	         mode_name(c));
	tell_log(c, session_state_what(state), "leaves state behind in a server connection that is shared", words.hint);
	message_notice(out, &words);
	return !out->failed;
}

/* It was told once, if it is to be told at all. */
static bool tell(struct client *c, struct str *out)
{
	struct guard *g = c->guard;
	enum session_state state = (enum session_state)first_of(g->done);

	switch (mode_of(c)) {
	case STATE_GUARD_WARN:
		if (g->told)
			return false;
		g->told = true;
		counts_of(c)->warned++;
		return warn(c, state, out);
	case STATE_GUARD_PIN:
		if (c->pinned)
			return false;
		c->pinned = true;
		counts_of(c)->pinned++;
		tell_log(c, session_state_what(state), "keeps its server connection until the client leaves",
		         session_state_remedy(state));
		return false;
	case STATE_GUARD_OFF:
	case STATE_GUARD_REJECT:
		break;
	}
	return false;
}

static bool count_done(struct client *c)
{
	struct guard *g = c->guard;
	bool any = false;

	drop_done(g, STATE_LOCK, g->n_unlocks == ALL_UNLOCKS ? g->done[STATE_LOCK] : g->n_unlocks);
	g->n_unlocks = 0;
	for (unsigned i = 0; i < N_STATES; i++) {
		counts_of(c)->left[i] += g->done[i];
		any |= g->done[i] > 0;
	}
	return any;
}

bool guard_ready(struct client *c, char status, struct str *out)
{
	struct guard *g = c->guard;
	bool says = false;

	settle_names(c);
	if (status == 'I') {
		if (mode_of(c) != STATE_GUARD_OFF && count_done(c))
			says = tell(c, out);
		memset(g->done, 0, sizeof(g->done));
		memset(g->undone, 0, sizeof(g->undone));
	}
	if (answers_at_rest(&c->server->answers))
		forget_requests(g);
	return says;
}

void guard_write_refusal(struct client *c, unsigned mark, struct str *out)
{
	enum session_state state = (enum session_state)(mark - SQL_MARK_FIRST);
	char text[160], detail[320];
	struct words words = {"ERROR", SQLSTATE_NOT_SUPPORTED, text, detail, session_state_remedy(state)};

	snprintf(text, sizeof(text),
	         "%s is refused because it would leave state behind in a server connection that is shared",
	         session_state_what(state));
	snprintf(detail, sizeof(detail),
	         "With pool_mode = %s the server connection goes to other clients after each transaction. Nothing of "
	         "the query was run (state_guard = reject).",
	         mode_name(c));
	counts_of(c)->refused++;
	client_note(c, "state_guard", NULL, text, words.hint);
	if (c->guard != NULL && !c->guard->told) {
		c->guard->told = true;
		tell_log(c, session_state_what(state), "is refused", words.hint);
	}
	message_error(out, &words);
}
