/*
 * What PostgreSQL's backend answers, as a small model: protocol chapter, "Message Flow"; tcop/postgres.c
 * (ignore_till_sync, doing_extended_query_message) and commands/copyfromparse.c (what COPY reads by itself).
 */
#ifndef TEST_BACKEND_MODEL_H
#define TEST_BACKEND_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * A message to the backend. `what` says how it turns out:
 *   Q   statements in order: s rows, c command, e error, i COPY IN, o COPY OUT, b begin, r commit; "" is an empty query
 *   E   one of these, p for a portal that is suspended, 0 for an empty query
 *   P B D C F S  "e": it fails. D also: n no data, t parameters first
 *   d   "e": the COPY fails on this data
 */
struct said {
	char type;
	char what[6];
	bool ours;
};

struct answered {
	char type, status;
	bool ours;
};

#define MODEL_MAX 65536

struct backend {
	bool ignoring;      /* until Sync, after an error in the extended protocol */
	bool extended;      /* the last message was of the extended protocol */
	bool copying;       /* COPY IN reads by itself */
	bool dirty;         /* something has been done since the last ReadyForQuery */
	bool dead;          /* the connection is over */
	bool old;           /* before PostgreSQL 14: an unexpected message in COPY is an ordinary error */
	bool ours;          /* whose request runs */
	const char *script; /* statements of the Query that are still to run */
	char script_text[6];
	char status;
	struct answered out[MODEL_MAX];
	size_t n;
};

static inline void backend_init(struct backend *b)
{
	memset(b, 0, sizeof(*b));
	b->status = 'I';
}

static inline void backend_says(struct backend *b, char type)
{
	if (b->n < MODEL_MAX)
		b->out[b->n++] = (struct answered){type, type == 'Z' ? b->status : 0, b->ours};
}

static inline void backend_ready(struct backend *b)
{
	b->dirty = false;
	backend_says(b, 'Z');
}

static inline void backend_fails(struct backend *b)
{
	backend_says(b, 'E');
	b->copying = false;
	b->script = NULL;
	if (b->status == 'T')
		b->status = 'E';
	if (b->extended)
		b->ignoring = true;
	else
		backend_ready(b);
}

/* One statement; false: it failed, or it is COPY IN and reads on by itself. */
static inline bool backend_runs(struct backend *b, char what)
{
	if (what == 'r')
		b->status = 'I';
	else if (what == 'e' || b->status == 'E') {
		if (what == 's')
			backend_says(b, 'D');
		backend_fails(b);
		return false;
	}
	if (what == 'b')
		b->status = 'T';
	switch (what) {
	case 's':
		if (!b->extended)
			backend_says(b, 'T');
		backend_says(b, 'D');
		backend_says(b, 'D');
		break;
	case 'o':
		backend_says(b, 'H');
		backend_says(b, 'd');
		backend_says(b, 'c');
		break;
	case 'i':
		backend_says(b, 'G');
		b->copying = true;
		return false;
	case 'p':
		backend_says(b, 'D');
		backend_says(b, 's');
		return true;
	case '0':
		backend_says(b, 'I');
		return true;
	default:
		break;
	}
	backend_says(b, 'C');
	return true;
}

static inline void backend_goes_on(struct backend *b)
{
	while (b->script != NULL && *b->script != '\0')
		if (!backend_runs(b, *b->script++))
			return;
	b->script = NULL;
	backend_ready(b);
}

static inline void backend_queries(struct backend *b, const struct said *m)
{
	memcpy(b->script_text, m->what, sizeof(m->what));
	b->script = b->script_text;
	if (m->what[0] == '\0')
		backend_says(b, 'I');
	backend_goes_on(b);
}

/* Ends of COPY IN; Sync and Flush are ignored "for the convenience of client libraries". */
static inline void backend_copies(struct backend *b, const struct said *m)
{
	switch (m->type) {
	case 'd':
		if (m->what[0] == 'e')
			backend_fails(b);
		break;
	case 'c':
		b->copying = false;
		backend_says(b, 'C');
		if (!b->extended)
			backend_goes_on(b);
		break;
	case 'f':
		backend_fails(b);
		break;
	case 'H':
	case 'S':
		break;
	default:
		backend_fails(b);
		if (b->old)
			break;
		b->n -= !b->extended; /* FATAL comes instead of ReadyForQuery */
		backend_says(b, 'E');
		b->dead = true;
		break;
	}
}

static inline void backend_runs_extended(struct backend *b, const struct said *m)
{
	b->extended = true;
	if (m->type != 'E' && (m->what[0] == 'e' || (b->status == 'E' && m->type != 'C'))) {
		backend_fails(b);
		return;
	}
	switch (m->type) {
	case 'P':
		backend_says(b, '1');
		break;
	case 'B':
		backend_says(b, '2');
		break;
	case 'C':
		backend_says(b, '3');
		break;
	case 'D':
		if (m->what[0] == 't')
			backend_says(b, 't');
		backend_says(b, m->what[0] == 'n' ? 'n' : 'T');
		break;
	default: /* E */
		(void)backend_runs(b, m->what[0]);
		break;
	}
}

/* The backend reads one message. */
static inline void backend_reads(struct backend *b, const struct said *m)
{
	if (b->dead)
		return;
	if (b->copying) {
		backend_copies(b, m);
		return;
	}
	if (m->type == 'S')
		b->ignoring = false;
	if (strchr("dcf", m->type) != NULL || b->ignoring)
		return;
	b->ours = m->ours;
	switch (m->type) {
	case 'H':
		b->extended = true;
		break;
	case 'S':
		b->extended = false;
		b->dirty = true;
		if (m->what[0] == 'e') /* the commit fails */
			backend_fails(b);
		else
			backend_ready(b);
		break;
	case 'Q':
		b->extended = false;
		b->dirty = true;
		backend_queries(b, m);
		break;
	case 'F':
		b->extended = false;
		b->dirty = true;
		if (m->what[0] == 'e' || b->status == 'E') {
			backend_fails(b);
			break;
		}
		backend_says(b, 'V');
		backend_ready(b);
		break;
	default:
		b->dirty = true;
		backend_runs_extended(b, m);
		break;
	}
}

#endif
