/*
 * The data path. Thread: the worker of both.
 *
 *   client readable ──> client_linked ──> relay_from_client: frames counted (answers_client_sends), one write
 *   server readable ──> relay_from_server: frames judged (answers_server_sent), one gathered write,
 *                       then what they brought about: errand done, fence, parting (link_consider)
 *
 * Bytes are never copied unless they cannot go now: then they are held (framing) or pending (the other side).
 */
#include "worker/relay.h"

#include <string.h>

#include "net/loop.h"
#include "pool/settings.h"
#include "wire/message.h"
#include "worker/guard.h"
#include "worker/link.h"
#include "worker/params.h"
#include "worker/prepared.h"

#define MOST_SPANS 32
#define WHOLE_LIMIT 32768u
#define SEVERITIES_MAX 64u
#define MESSAGE_LIMIT (1u << 30) /* PostgreSQL makes none beyond */

/* ---- which messages ---- */

static const struct frame_rules client_rules = {.whole_limit = WHOLE_LIMIT,
                                                .max_message = UINT32_MAX,
                                                .need = {['Q'] = FRAME_FLOWS,
                                                         ['F'] = FRAME_FLOWS,
                                                         ['S'] = FRAME_FLOWS,
                                                         ['H'] = FRAME_FLOWS,
                                                         ['P'] = FRAME_FLOWS,
                                                         ['E'] = FRAME_FLOWS,
                                                         ['C'] = FRAME_FLOWS,
                                                         ['B'] = FRAME_FLOWS,
                                                         ['D'] = FRAME_FLOWS,
                                                         ['d'] = FRAME_FLOWS,
                                                         ['c'] = FRAME_FLOWS,
                                                         ['f'] = FRAME_FLOWS,
                                                         ['X'] = FRAME_FLOWS}};

static const struct frame_rules server_rules = {
    .whole_limit = WHOLE_LIMIT,
    .max_message = MESSAGE_LIMIT,
    .need = {['1'] = FRAME_FLOWS, ['2'] = FRAME_FLOWS, ['3'] = FRAME_FLOWS, ['n'] = FRAME_FLOWS, ['t'] = FRAME_FLOWS,
             ['T'] = FRAME_FLOWS, ['D'] = FRAME_FLOWS, ['C'] = FRAME_WHOLE, ['I'] = FRAME_FLOWS, ['s'] = FRAME_FLOWS,
             ['V'] = FRAME_FLOWS, ['E'] = FRAME_FLOWS, ['N'] = FRAME_FLOWS, ['A'] = FRAME_FLOWS, ['G'] = FRAME_FLOWS,
             ['H'] = FRAME_FLOWS, ['W'] = FRAME_FLOWS, ['d'] = FRAME_FLOWS, ['c'] = FRAME_FLOWS, ['S'] = FRAME_WHOLE,
             ['Z'] = FRAME_WHOLE}};

const struct frame_rules *relay_client_rules(void)
{
	return &client_rules;
}

const struct frame_rules *relay_server_rules(void)
{
	return &server_rules;
}

/* ---- from the client ---- */

static enum step bad_client_frame(struct client *c, enum frame_result result, const struct frame *f, const char *at,
                                  size_t len)
{
	char text[FRAME_PROBLEM_BYTES];

	if (result == FRAME_NOT_ALLOWED) {
		client_log(c, LEVEL_WARNING, "message of type 0x%02x is not allowed here", f->type);
		client_fail_noted(c, "client_protocol", SQLSTATE_PROTOCOL, "unknown pkt");
		return STEP_CLOSED;
	}
	client_fail_noted(c, "client_protocol", SQLSTATE_PROTOCOL, frame_problem_text(at, len, text));
	return STEP_CLOSED;
}

/* What the frames at the front of a client's bytes come to. */
struct run {
	size_t send; /* bytes that may go to the server */
	bool leaves; /* Terminate is behind them */
	bool stop;   /* no room for more answers */
	bool again;  /* enough for one turn */
	enum frame_result bad;
	struct frame frame;  /* the bad one */
	bool guards;         /* texts of queries are looked at */
	bool follows;        /* names of prepared statements are the client's */
	bool rewrites;       /* from byte `as_it_is` on, `rewritten` goes instead */
	size_t as_it_is;     /* bytes */
	const char *problem; /* it cannot go on: text for the client */
	const char *sqlstate;
	/* if names are followed: */
	struct str *rewritten;
	struct framer began; /* how it was before all this */
	size_t collected;
};

/* Is this message the client's last, or one too many, or simply passed? */
static bool pass_client_frame(struct client *c, const struct frame *f, struct run *run)
{
	if (!f->starts)
		return true;
	if (f->type == 'X') {
		run->leaves = true;
		return false;
	}
	if (answers_client_sends(&c->server->answers, f->type))
		return true;
	run->stop = true;
	return false;
}

/* A message that the server would have ignored, or a piece of one: taken out. */
static bool skips_client_frame(struct client *c, const struct frame *f)
{
	struct answers *a = &c->server->answers;

	if (f->starts && (c->skipping || a->skip_here))
		c->skipping = f->type != 'X' && answers_client_skips(a, f->type);
	return c->skipping;
}

/* Quick: most messages are not about a named statement. */
static bool may_be_named(const struct client *c, const struct frame *f)
{
	const char *body = f->data + FRAME_HEADER_BYTES;

	if (c->collects)
		return true;
	if (!f->starts)
		return false;
	switch (f->type) {
	case 'P':
		return f->len < FRAME_HEADER_BYTES + 1 || body[0] != 0;
	case 'B':
		return f->len < FRAME_HEADER_BYTES + 2 || body[0] != 0 || body[1] != 0;
	case 'C':
	case 'D':
		return f->len < FRAME_HEADER_BYTES + 2 || (body[0] == 'S' && body[1] != 0);
	case 'Q': /* DEALLOCATE */
		return c->statements != NULL && (f->len == FRAME_HEADER_BYTES || memchr("dD \t\n", body[0], 5) != NULL);
	default:
		return false;
	}
}

static bool cannot_go_on(struct run *run, const char *sqlstate, const char *text)
{
	run->sqlstate = sqlstate;
	run->problem = text;
	return false;
}

/* From here on what goes to the server is not what came. */
static void begin_rewriting(struct run *run)
{
	if (run->rewrites)
		return;
	run->rewrites = true;
	run->as_it_is = run->send;
}

/* False: this frame is to be looked at again, or never. */
static bool take_client_frame(struct client *c, struct run *run)
{
	const struct frame *f = &run->frame;

	switch (run->follows && may_be_named(c, f) ? prepared_from_client(c, f, run->rewritten) : PREPARED_PASSES) {
	case PREPARED_PASSES:
		if (!pass_client_frame(c, f, run))
			return false;
		if (run->rewrites)
			str_add(run->rewritten, f->data, f->len);
		return true;
	case PREPARED_MORE:
		run->bad = FRAME_MORE;
		return false;
	case PREPARED_REWRITTEN:
		begin_rewriting(run);
		run->again = !f->starts || run->rewritten->len > PREPARED_OUT_MAX;
		return true;
	case PREPARED_COLLECTED:
		begin_rewriting(run);
		return true;
	case PREPARED_FULL:
		run->stop = true;
		return false;
	case PREPARED_TOO_LARGE:
		return cannot_go_on(run, SQLSTATE_PROGRAM_LIMIT,
		                    "prepared statement too large: at most 64 MiB each and 256 MiB per client");
	case PREPARED_NO_MEMORY:
		break;
	}
	return cannot_go_on(run, SQLSTATE_NO_MEMORY, "out of memory");
}

/* Not all is zeroed for every read. */
static void begin_run(struct run *run, struct client *c)
{
	run->send = 0;
	run->leaves = run->stop = run->again = run->rewrites = false;
	run->bad = FRAME_GOT;
	run->problem = NULL;
	run->guards = c->entry.seat->settings->guard != STATE_GUARD_OFF && guard_begins(c);
	run->follows = prepared_follows(c);
	if (!run->follows)
		return;
	run->rewritten = &c->worker->rewritten;
	str_clear(run->rewritten);
	run->began = c->framer;
	run->collected = c->statements == NULL ? 0 : prepared_collected_bytes(c);
}

static void walk_client_frames(struct client *c, struct span *all, const struct frame_rules *rules, struct run *run)
{
	struct span bytes = *all;

	begin_run(run, c);
	while (run->send < bytes.len && !run->again) {
		struct framer before = c->framer;
		enum frame_result result =
		    framer_next(&c->framer, rules, bytes.data + run->send, bytes.len - run->send, &run->frame);

		if (result != FRAME_GOT) {
			run->bad = result;
			break;
		}
		if (skips_client_frame(c, &run->frame)) {
			bytes.len -= run->frame.len;
			memmove(run->frame.data, run->frame.data + run->frame.len, bytes.len - run->send);
			continue;
		}
		if (run->guards)
			guard_look(c, &run->frame);
		if (!take_client_frame(c, run)) {
			c->framer = before; /* it will be looked at again */
			if (run->guards)
				guard_again(c);
			break;
		}
		if (run->guards)
			guard_passed(c, &run->frame);
		run->send += run->frame.len;
	}
	*all = bytes;
}

/* A query begins its time when its first byte is here. */
static void note_query(struct client *c)
{
	uint64_t now_us = worker_now_us(c->worker);

	c->request_us = now_us;
	if (c->query_since_us == 0)
		c->query_since_us = now_us;
	if (c->xact_since_us == 0)
		c->xact_since_us = now_us;
	server_watch_query(c->server);
}

static enum step send_to_server(struct client *c, char *data, const struct run *run)
{
	struct server *s = c->server;
	struct iovec v[2] = {{data, run->rewrites ? run->as_it_is : run->send}, {NULL, 0}};
	enum write_result result;

	if (run->rewrites)
		v[1] = (struct iovec){run->rewritten->data, run->rewritten->len};
	if (v[0].iov_len + v[1].iov_len == 0)
		return STEP_WAIT;
	if (v[0].iov_len == 0)
		result = stream_write(s->stream, v + 1, 1, &c->worker->why);
	else
		result = stream_write(s->stream, v, run->rewrites && v[1].iov_len > 0 ? 2 : 1, &c->worker->why);
	if (result == WRITE_FAILED) {
		/* what the system refuses to send has not gone out; anything else may have, in part */
		s->unused &= c->worker->why.domain == DOMAIN_ERRNO;
		server_lost(s);
		return STEP_CLOSED;
	}
	c->entry.seat->counters.bytes_received += run->send;
	s->request_us = c->request_us;
	s->unused = false;
	return STEP_WAIT;
}

/* Its server is gone: the client is as well, or it waits again and everything is still to be sent. */
static enum step sent_nothing(struct client *c, struct span all, const struct run *run)
{
	if (c->state != CLIENT_QUEUED)
		return STEP_CLOSED;
	c->framer = run->began;
	prepared_uncollect(c, run->collected);
	guard_undo(c);
	c->xact_since_us = 0;
	if (stream_hold(c->stream, all.data, all.len))
		return STEP_WAIT;
	client_fail_text(c, SQLSTATE_NO_MEMORY, "out of memory");
	return STEP_CLOSED;
}

/* Answers that are for us to give, where all before them are given. */
static enum step answer_locally(struct client *c)
{
	struct server *s = c->server;
	struct str *out = &c->worker->scratch;
	struct iovec v;
	char type;

	if (!framer_at_boundary(&s->framer) && !s->swallowing)
		return STEP_WAIT; /* behind the message that is passing */
	str_clear(out);
	while (answers_take_local(&s->answers, &type))
		message_bare(out, type);
	if (out->len == 0)
		return STEP_WAIT;
	prepared_settle(s, true);
	s->unused = false;
	v = (struct iovec){out->data, out->len};
	if (!out->failed && stream_write(c->stream, &v, 1, NULL) != WRITE_FAILED)
		return STEP_WAIT;
	client_close(c, "client unexpected eof");
	return STEP_CLOSED;
}

/* What was rewritten has gone; much of it is not kept for the next time. */
static enum step rewritten_sent(struct client *c, const struct run *run)
{
	prepared_collected_sent(c);
	if (run->rewritten->capacity > 2 * LOOP_BUFFER_BYTES)
		str_fini(run->rewritten);
	if (run->again)
		client_run_soon(c);
	return c->server->answers.n_local > 0 ? answer_locally(c) : STEP_WAIT;
}

enum step relay_from_client(struct client *c, struct span bytes)
{
	struct frame_rules limited;
	const struct frame_rules *rules = &client_rules;
	unsigned max = c->worker->config->settings.max_packet_size;
	struct run run;

	if (max < UINT32_MAX / 2) {
		limited = client_rules;
		limited.max_message = max;
		rules = &limited;
	}
	walk_client_frames(c, &bytes, rules, &run);
	if (run.send > 0 && !run.leaves)
		note_query(c);
	if (run.rewrites && run.rewritten->failed)
		(void)cannot_go_on(&run, SQLSTATE_NO_MEMORY, "out of memory");
	if (run.problem != NULL) {
		client_fail_text(c, run.sqlstate, run.problem);
		return STEP_CLOSED;
	}
	if (send_to_server(c, bytes.data, &run) == STEP_CLOSED)
		return sent_nothing(c, bytes, &run);
	if (run.leaves) {
		client_close(c, "client close request");
		return STEP_CLOSED;
	}
	if (run.bad != FRAME_GOT && run.bad != FRAME_MORE)
		return bad_client_frame(c, run.bad, &run.frame, bytes.data + run.send, bytes.len - run.send);
	if (run.send < bytes.len && !stream_hold(c->stream, bytes.data + run.send, bytes.len - run.send)) {
		client_fail_text(c, SQLSTATE_NO_MEMORY, "out of memory");
		return STEP_CLOSED;
	}
	/* answers will come, and wake it (conclude); as long as there is room it is read, so that its leaving is seen
	 */
	if (run.stop && c->server->answers.n > 0 && stream_held_bytes(c->stream) == LOOP_BUFFER_BYTES)
		stream_pause(c->stream);
	if (run.rewrites && rewritten_sent(c, &run) == STEP_CLOSED)
		return STEP_CLOSED;
	/* messages that nothing answers (late COPY data, Flush) must not keep the server */
	if (run.send > 0 && c->server->answers.n == 0)
		link_consider(c->server);
	return STEP_WAIT;
}

/* ---- from the server ---- */

/* What goes to the client in one write: runs of the server's bytes, and little messages of ours. */
struct gather {
	struct iovec v[MOST_SPANS];
	int n;
	size_t bytes;
};

#define READY_BYTES 6u

static const char ready_idle[READY_BYTES] = {'Z', 0, 0, 0, 5, 'I'};
static const char ready_block[READY_BYTES] = {'Z', 0, 0, 0, 5, 'T'};
static const char ready_failed[READY_BYTES] = {'Z', 0, 0, 0, 5, 'E'};

/* One turn's worth of a server's bytes. */
struct turn {
	struct server *s;
	struct gather out;
	const char *error;   /* the server cannot go on: text for the log and the client */
	bool nobody_listens; /* it is lent to nobody, or its client is not to know what it said before */
	bool errand_done;    /* a ReadyForQuery of ours has come */
	bool block_in_statement_mode;
	bool lost_client;  /* it cannot be written to */
	bool dies_at_rest; /* its last words come behind the end of a transaction: not the client's business any more */
	bool over;         /* one of the three: no further message counts */
	bool dies_unused;  /* its last words come before anything of a client's was sent to it */
};

static void fail(struct turn *t, const char *text)
{
	t->error = text;
	t->over = true;
}

/* A client that cannot be written to is closed at the end of the turn: closing it may settle the server. */
static void flush(struct turn *t)
{
	struct client *c = t->s->client;

	if (t->out.n > 0 && t->nobody_listens) {
		fail(t, "idle server got dirty");
	} else if (t->out.n > 0 && !t->lost_client) {
		t->lost_client = stream_write(c->stream, t->out.v, t->out.n, NULL) == WRITE_FAILED;
		c->entry.seat->counters.bytes_sent += t->out.bytes;
	}
	t->out.n = 0;
	t->out.bytes = 0;
}

static void add(struct turn *t, const char *data, size_t len)
{
	struct gather *out = &t->out;
	union {
		const char *in;
		char *out;
	} bytes = {.in = data}; /* iovec has no const */

	if (out->n > 0 && (char *)out->v[out->n - 1].iov_base + out->v[out->n - 1].iov_len == data) {
		out->v[out->n - 1].iov_len += len;
	} else {
		if (out->n == MOST_SPANS)
			flush(t);
		out->v[out->n++] = (struct iovec){bytes.out, len};
	}
	out->bytes += len;
}

static const char *ready_message(char status)
{
	return status == 'I' ? ready_idle : status == 'T' ? ready_block : ready_failed;
}

/* V is the severity that is never translated; it follows S. Before PostgreSQL 9.6 there is only S. */
static bool is_fatal(const struct frame *f)
{
	const char *body = f->data + FRAME_HEADER_BYTES;
	size_t len = f->len - FRAME_HEADER_BYTES;
	const char *end = len == 0 ? NULL : (const char *)memchr(body, 0, len);
	size_t first = end == NULL ? 0 : (size_t)(end - body) + 1;

	if (end != NULL && len - first >= 6 && body[first] == 'V')
		body += first;
	else if (len < 6)
		return false;
	return memcmp(body + 1, "FATAL", 5) == 0 || memcmp(body + 1, "PANIC", 5) == 0;
}

/* A warning after which PostgreSQL ends without another word: it is stopped at once, or another process crashed. */
static bool is_farewell(const struct frame *f)
{
	struct report r;

	return f->ends && report_parse(&r, f->data + FRAME_HEADER_BYTES, f->len - FRAME_HEADER_BYTES) &&
	       (bytes_are(r.sqlstate, SQLSTATE_ADMIN_SHUTDOWN) || bytes_are(r.sqlstate, SQLSTATE_CRASH_SHUTDOWN));
}

static bool is_last_word(const struct frame *f)
{
	return f->type == 'E' ? is_fatal(f) : f->type == 'N' && is_farewell(f);
}

/* Nobody has asked it anything. */
static bool speaks_unasked(const struct server *s)
{
	return s->errand == ERRAND_LISTEN || (s->client == NULL && s->errand == ERRAND_NONE);
}

/* Of what the server has without reporting it the client has only what it asked for itself. */
static bool note_clients_parameter(struct client *c, const char *name, const char *value)
{
	struct params *with = params_with(c->params, name, value);

	if (with != NULL)
		c->params = with;
	return with != NULL;
}

/* The server's parameters are the client's too, unless it is being made to fit a client. */
static bool note_parameter(struct server *s, const struct frame *f)
{
	struct bytes name, value;
	struct params *with;

	if (!message_parse_parameter_status(f->data + FRAME_HEADER_BYTES, f->len - FRAME_HEADER_BYTES, &name, &value))
		return false;
	if (params_is_fixed(name.data)) {
		server_note_fixed(s, name.data, value.data);
		return true;
	}
	with = params_with(s->params, name.data, value.data);
	if (with == NULL)
		return false;
	s->params = with;
	return s->client == NULL || s->errand != ERRAND_NONE ||
	       note_clients_parameter(s->client, name.data, value.data);
}

/* A ReadyForQuery that is the client's: its query is over, perhaps its transaction too. */
static void note_ready(struct turn *t, struct client *c, char status)
{
	struct counters *counters = &t->s->seat->counters;
	uint64_t now_us = worker_now_us(t->s->worker);

	if (t->s->last_words != NULL)
		server_forget_last_words(t->s); /* they were not: anybody may raise a warning with such a code */
	counters->query_count++;
	if (c->query_since_us != 0)
		counters->query_time += now_us - c->query_since_us;
	c->query_since_us = 0;
	c->in_transaction = status != 'I';
	c->request_us = now_us;
	if (status == 'I') {
		counters->xact_count++;
		if (c->xact_since_us != 0)
			counters->xact_time += now_us - c->xact_since_us;
		c->xact_since_us = 0;
	} else if (t->s->seat->settings->mode == POOL_MODE_STATEMENT) {
		t->block_in_statement_mode = true;
	} else {
		server_watch_query(t->s);
	}
}

/* A message of ours, which is in the worker's scratch. */
static void add_scratch(struct turn *t)
{
	struct str *out = &t->s->worker->scratch;

	if (out->failed) {
		fail(t, "out of memory");
		return;
	}
	add(t, out->data, out->len);
	flush(t); /* before these bytes are used again */
}

/* What state_guard has to say goes before the ReadyForQuery. */
static void add_warning(struct turn *t, struct client *c, char status)
{
	str_clear(&t->s->worker->scratch);
	if (guard_ready(c, status, &t->s->worker->scratch))
		add_scratch(t);
}

static void add_ready(struct turn *t, const char *message, char status)
{
	struct client *c = t->s->client;

	if (c != NULL && c->guard != NULL)
		add_warning(t, c, status);
	add(t, message, READY_BYTES);
	if (c != NULL)
		note_ready(t, c, status);
}

static void judged(struct turn *t, const struct frame *f, enum answer_verdict verdict, char status)
{
	struct server *s = t->s;
	char released;

	switch (verdict) {
	case ANSWER_FORWARD:
		if (f->type == 'Z')
			add_ready(t, f->data, status);
		else
			add(t, f->data, f->len);
		break;
	case ANSWER_SWALLOW:
		if (f->type == 'Z')
			t->errand_done = s->errand != ERRAND_NONE;
		break;
	case ANSWER_HOLD_READY:
		if (answers_released_ready(&s->answers, &released))
			add_ready(t, ready_message(released), released);
		break;
	case ANSWER_IMPOSSIBLE:
		server_log(s, LEVEL_WARNING, "message of type 0x%02x came when nothing of the kind was due", f->type);
		s->swallowing = true; /* nothing of it goes to the client, which can be told, therefore */
		fail(t, "unknown pkt");
		break;
	}
}

/* False: nobody but us is to know. */
static bool take_last_words(struct turn *t, const struct frame *f)
{
	struct server *s = t->s;

	if (link_is_over(s) && !s->unused) {
		t->dies_at_rest = t->over = true;
		return false;
	}
	server_note_last_words(s, f->data + FRAME_HEADER_BYTES, f->len - FRAME_HEADER_BYTES);
	if (s->client == NULL || s->unused) {
		t->dies_unused = t->over = true;
		return false;
	}
	s->said_fatal |= f->type == 'E';
	return true;
}

/* ALTER, CREATE, DISCARD, RESET, SET and the like. Most tags are SELECT, INSERT, UPDATE. */
static bool may_matter(const struct frame *f)
{
	switch (f->len > FRAME_HEADER_BYTES ? f->data[FRAME_HEADER_BYTES] : '\0') {
	case 'A':
	case 'C':
	case 'D':
	case 'R':
		return true;
	case 'S':
		return f->len == FRAME_HEADER_BYTES + sizeof("SET");
	default:
		return false;
	}
}

/* Some tell of prepared statements and session parameters; state_guard wants to know all. */
static void note_tag(struct turn *t, const struct frame *f)
{
	struct server *s = t->s;
	struct bytes tag;

	if (!may_matter(f) && (s->client == NULL || s->client->guard == NULL))
		return;
	if (!message_parse_command_complete(f->data + FRAME_HEADER_BYTES, f->len - FRAME_HEADER_BYTES, &tag))
		return;
	prepared_note_tag(s, tag.data);
	if (!guard_note_tag(s, tag))
		fail(t, "out of memory");
}

/* What the client reads instead of the server's error: about a name that is taken, or a message that we spoiled. */
static void add_other_error(struct turn *t, uint8_t refused)
{
	static const struct words words = {"ERROR", SQLSTATE_DUPLICATE_STATEMENT,
	                                   "prepared statement name is already in use", NULL, NULL};
	struct str *out = &t->s->worker->scratch;

	str_clear(out);
	if (refused != 0)
		guard_write_refusal(t->s->client, refused, out);
	else
		message_error(out, &words);
	add_scratch(t);
}

/* What has been answered, and answers of ours that come next. */
static void settle_statements(struct turn *t, const struct frame *f)
{
	static const char parse_complete[] = {'1', 0, 0, 0, 4}, close_complete[] = {'3', 0, 0, 0, 4};
	struct server *s = t->s;
	char type;

	if (s->answers.effects_ended > 0)
		prepared_settle(s, f->type != 'E');
	if (!f->ends)
		return;
	while (answers_take_local(&s->answers, &type)) {
		add(t, type == '1' ? parse_complete : close_complete, sizeof(parse_complete));
		prepared_settle(s, true);
	}
}

/* Not 0: it is about a message that state_guard has spoiled. */
static uint8_t note_error(struct server *s, const struct frame *f)
{
	if (s->client == NULL || s->client->guard == NULL || answers_run_ours(&s->answers))
		return 0;
	guard_note_error(s->client);
	return is_fatal(f) ? 0 : answers_head_refused(&s->answers);
}

/* The first piece of a message decides about all of it; the rest follows it. */
static void take_frame(struct turn *t, const struct frame *f)
{
	struct server *s = t->s;
	char status = 0;
	bool is_other = false; /* an error that the client is told in other words */
	uint8_t refused = 0;
	enum answer_verdict verdict;

	switch (f->type) {
	case 'Z':
		if (message_parse_ready(f->data + FRAME_HEADER_BYTES, f->len - FRAME_HEADER_BYTES, &status))
			break;
		fail(t, "bad pkt header");
		return;
	case 'S':
		if (note_parameter(s, f))
			break;
		fail(t, "broken ParameterStatus packet");
		return;
	case 'E':
	case 'N':
		if (is_last_word(f) && !take_last_words(t, f))
			return;
		if (f->type == 'E' && answers_run_ours(&s->answers))
			server_errand_failed(s, f->data + FRAME_HEADER_BYTES, f->len - FRAME_HEADER_BYTES);
		if (f->type == 'E') {
			server_note_error(s, f->data + FRAME_HEADER_BYTES, f->len - FRAME_HEADER_BYTES);
			is_other = (refused = note_error(s, f)) != 0;
		}
		if (f->type == 'E' && s->statements != NULL)
			is_other |= prepared_error(s, f->data + FRAME_HEADER_BYTES, f->len - FRAME_HEADER_BYTES);
		break;
	case 'C':
		note_tag(t, f);
		break;
	default: /* nothing to note */
		break;
	}
	verdict = answers_server_sent(&s->answers, f->type, status);
	if (t->nobody_listens && (f->type == 'S' || f->type == 'N' || f->type == 'A'))
		verdict = ANSWER_SWALLOW; /* said by an idle server: noted, and nobody else's business */
	if (is_other && verdict == ANSWER_FORWARD) {
		add_other_error(t, refused);
		verdict = ANSWER_SWALLOW;
	}
	s->swallowing = verdict == ANSWER_SWALLOW;
	judged(t, f, verdict, status);
	if (status == 'I' && s->ddl)
		prepared_note_end(s);
}

static void bad_server_frame(struct turn *t, enum frame_result result, const struct frame *f)
{
	t->s->swallowing = true;
	if (result == FRAME_NOT_ALLOWED) {
		server_log(t->s, LEVEL_WARNING, "message of type 0x%02x is not allowed here", f->type);
		fail(t, "unknown pkt");
	} else {
		fail(t, "bad pkt header");
	}
}

/* Two questions that most messages need not be asked. */
static enum frame_result look_closer(const struct server *s, const struct frame *f)
{
	if (!f->starts)
		return FRAME_GOT;
	/* its code decides about prepared statements */
	if (f->type == 'E' && !f->ends && s->statements != NULL && f->total <= WHOLE_LIMIT)
		return FRAME_MORE;
	/* whether it is the server's last word stands in its first fields: a translated severity, then the plain one */
	if (f->type == 'E' && !f->ends && f->len < FRAME_HEADER_BYTES + SEVERITIES_MAX)
		return FRAME_MORE;
	/* garbage looks like messages without end: waiting for it would be the client's loss */
	if (f->total > WHOLE_LIMIT && strchr("ADENTVdt", f->type) == NULL)
		return FRAME_TOO_LARGE;
	return FRAME_GOT;
}

/* Returns how many bytes were used. */
static size_t walk_server_frames(struct turn *t, struct span bytes)
{
	struct server *s = t->s;
	size_t used = 0;

	while (used < bytes.len && !t->over) {
		struct frame f;
		struct framer before = s->framer;
		enum frame_result result =
		    framer_next(&s->framer, &server_rules, bytes.data + used, bytes.len - used, &f);

		if (result == FRAME_GOT && (f.type == 'E' || f.total > WHOLE_LIMIT))
			result = look_closer(s, &f);
		if (result == FRAME_MORE) {
			s->framer = before;
			break;
		}
		if (result != FRAME_GOT) {
			bad_server_frame(t, result, &f);
			break;
		}
		if (f.starts)
			take_frame(t, &f);
		else if (!s->swallowing)
			add(t, f.data, f.len);
		if ((s->answers.effects_ended | s->answers.n_local) != 0)
			settle_statements(t, &f);
		used += f.len;
	}
	return used;
}

/* After a COPY that failed with Syncs in flight: ours come behind everything that the client has sent. */
static bool send_fence(struct server *s)
{
	char fence[] = {'S', 0, 0, 0, 4, 'Q', 0, 0, 0, 5, 0};
	struct iovec v = {fence, sizeof(fence)};
	enum write_result result;

	if (!answers_fence_sent(&s->answers))
		return false;
	result = stream_write(s->stream, &v, 1, NULL);
	return result != WRITE_FAILED;
}

/* Whatever an idle server had to say has been read. */
static bool has_listened(const struct server *s)
{
	return s->errand == ERRAND_LISTEN && framer_at_boundary(&s->framer) && stream_held_bytes(s->stream) == 0;
}

/* What the messages of this turn have brought about; at most one of these closes or hands over the server. */
static void conclude(struct turn *t)
{
	struct server *s = t->s;
	struct client *c = s->client;

	if (t->error != NULL) {
		if (link_is_over(s))
			link_let_go(s); /* its transaction had ended well */
		server_close(s, t->error);
	} else if (t->dies_at_rest) {
		link_let_go(s);
		server_close(s, "server conn crashed?");
	} else if (t->dies_unused) {
		server_lost(s);
	} else if (t->lost_client) {
		client_close(c, "client unexpected eof");
	} else if (t->block_in_statement_mode && c != NULL) {
		client_fail_text(c, SQLSTATE_NOT_SUPPORTED, "transaction blocks not allowed in statement pooling mode");
	} else if (answers_needs_fence(&s->answers)) {
		if (c == NULL || !framer_at_boundary(&c->framer) || !send_fence(s))
			server_close(s, "client disconnected with query in progress");
	} else if (t->errand_done || has_listened(s)) {
		server_errand_done(s);
	} else if (c != NULL) {
		/* what it sent and could not go on, for want of room or because of a fence, may go now */
		if ((stream_is_paused(c->stream) || stream_held_bytes(c->stream) > 0) &&
		    !answers_is_full(&s->answers) && !s->answers.fencing)
			client_wake(c);
		link_consider(s);
	} else {
		server_drop_unfit(s);
	}
}

/* All but the array of spans, which need not be zeroed for every read. */
static void begin_turn(struct turn *t, struct server *s)
{
	t->s = s;
	t->nobody_listens = s->client == NULL || s->errand == ERRAND_LISTEN;
	t->out.n = 0;
	t->out.bytes = 0;
	t->error = NULL;
	t->over = t->errand_done = t->block_in_statement_mode = t->lost_client = t->dies_at_rest = t->dies_unused =
	    false;
}

void relay_from_server(struct server *s)
{
	struct turn t;
	struct span bytes;
	size_t used;
	enum read_result result;

	if (s->client != NULL && stream_pending_bytes(s->client->stream) > 0 && s->errand != ERRAND_LISTEN) {
		stream_pause(s->stream);
		return;
	}
	result = stream_read(s->stream, LOOP_BUFFER_BYTES, &bytes, &s->worker->why);
	if (result == READ_LATER) {
		if (has_listened(s))
			server_errand_done(s);
		return;
	}
	if (result != READ_GOT) {
		server_lost(s);
		return;
	}
	begin_turn(&t, s);
	used = walk_server_frames(&t, bytes);
	if (speaks_unasked(s) && (t.out.n > 0 || t.error != NULL)) {
		server_close_dirty(s);
		return;
	}
	if (used < bytes.len && t.error == NULL && !stream_hold(s->stream, bytes.data + used, bytes.len - used))
		t.error = "out of memory";
	flush(&t);
	conclude(&t);
}
