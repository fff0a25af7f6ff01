/*
 * Asking a server for a user's secret, and reading its answer. Pure, any thread.
 *
 *   Parse Bind Describe Execute Sync ──>      1 2 T D… C Z: rows of two columns, the last one counts
 *                                        <──  1 2 T s Z: more rows than anybody needs
 *                                             E Z: an error; n: no query that returns rows
 */
#include "auth/lookup.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "wire/message.h"

#define MESSAGES_MAX 1000u
#define BYTES_MAX (1u << 20)
#define ERROR_FRONT 16384u /* of the body of an ErrorResponse: what is kept */
#define ROW_MAX (2u + 4u + LOOKUP_MAX_NAME_BYTES + 4u + LOOKUP_MAX_SECRET_BYTES)
#define BODY_MAX (ROW_MAX + REPORT_MEND_BYTES)

/* What comes next. */
enum { DUE_PARSED, DUE_BOUND, DUE_COLUMNS, DUE_ROWS, DUE_READY };

static const struct frame_rules rules = {.whole_limit = FRAME_HEADER_BYTES,
                                         .max_message = UINT32_MAX, /* count_message looks at it */
                                         .need = {['1'] = FRAME_FLOWS,
                                                  ['2'] = FRAME_FLOWS,
                                                  ['T'] = FRAME_FLOWS,
                                                  ['n'] = FRAME_FLOWS,
                                                  ['D'] = FRAME_FLOWS,
                                                  ['C'] = FRAME_FLOWS,
                                                  ['s'] = FRAME_FLOWS,
                                                  ['I'] = FRAME_FLOWS,
                                                  ['E'] = FRAME_FLOWS,
                                                  ['N'] = FRAME_FLOWS,
                                                  ['S'] = FRAME_FLOWS,
                                                  ['A'] = FRAME_FLOWS,
                                                  ['Z'] = FRAME_FLOWS}};

/* ---- asking ---- */

static void put_text(struct str *out, const char *text)
{
	message_bytes(out, text, strlen(text) + 1);
}

static void put_u16(struct str *out, unsigned value)
{
	message_u8(out, (uint8_t)(value >> 8));
	message_u8(out, (uint8_t)value);
}

void lookup_ask(struct str *out, const char *query, const char *user)
{
	size_t at = message_begin(out, 'P');

	put_text(out, "");
	put_text(out, query);
	put_u16(out, 0); /* the server knows the parameter's type */
	message_end(out, at);
	at = message_begin(out, 'B');
	put_text(out, "");
	put_text(out, "");
	put_u16(out, 0); /* all parameters are texts */
	put_u16(out, 1);
	message_u32(out, (uint32_t)strlen(user));
	message_bytes(out, user, strlen(user));
	put_u16(out, 0); /* and all results */
	message_end(out, at);
	at = message_begin(out, 'D');
	message_u8(out, 'P');
	put_text(out, "");
	message_end(out, at);
	at = message_begin(out, 'E');
	put_text(out, "");
	message_u32(out, LOOKUP_MAX_ROWS);
	message_end(out, at);
	at = message_begin(out, 'S');
	message_end(out, at);
}

/* ---- reading ---- */

void lookup_init(struct lookup *l)
{
	memset(l, 0, sizeof(*l));
	l->due = DUE_PARSED;
	str_init(&l->body, BODY_MAX);
	str_init(&l->row, BODY_MAX);
	failure_init(&l->why);
}

static void wipe(struct str *s)
{
	if (s->data != NULL)
		mem_wipe(s->data, s->len);
	str_fini(s);
}

void lookup_fini(struct lookup *l)
{
	wipe(&l->body);
	wipe(&l->row);
	failure_fini(&l->why);
	l->name = l->secret = NULL;
}

static enum lookup_result broken(struct lookup *l, enum failure_code code, const char *text)
{
	failure_set(&l->why, PHASE_LOOKUP, DOMAIN_POOLER, (int)code, text);
	return LOOKUP_BROKEN;
}

static enum lookup_result refuse_message(struct lookup *l, uint8_t type, enum failure_code code, const char *problem)
{
	const char *name = server_message_name(type);
	char text[80];

	if (name != NULL)
		snprintf(text, sizeof(text), "%s %s", name, problem);
	else
		snprintf(text, sizeof(text), "message of type 0x%02x %s", type, problem);
	return broken(l, code, text);
}

/* What it returned is not what it has to return. The first such finding counts. */
static void wrong_shape(struct lookup *l, const char *text)
{
	if (!failure_is_set(&l->why))
		failure_set(&l->why, PHASE_LOOKUP, DOMAIN_POOLER, FAILURE_LOOKUP_SHAPE, text);
}

static bool is_large(const struct frame *f)
{
	return f->type != 'E' && f->type != 'T' && f->type != 'N' && f->type != 'S' && f->type != 'A' &&
	       f->total > FRAME_HEADER_BYTES + ROW_MAX;
}

/* LOOKUP_MORE: it may go on. */
static enum lookup_result count_message(struct lookup *l, const struct frame *f)
{
	if (is_large(f))
		return refuse_message(l, f->type, FAILURE_TOO_LARGE, "beyond the limit");
	if (l->n_messages >= MESSAGES_MAX || f->total > BYTES_MAX - l->n_bytes)
		return broken(l, FAILURE_TOO_LARGE, "more than 1000 messages, or 1 MB, in one answer");
	l->n_messages++;
	l->n_bytes += f->total;
	return LOOKUP_MORE;
}

/* How much of a message's body is wanted. */
static size_t wanted_bytes(uint8_t type)
{
	switch (type) {
	case 'E':
		return ERROR_FRONT;
	case 'T':
		return 2;
	case 'N':
	case 'S':
	case 'A':
	case 'C':
		return 0;
	default: /* of the others it is known how long they may be */
		return ROW_MAX;
	}
}

/* A row gets its room at once: growing would leave pieces of secrets behind. */
static void begin_body(struct lookup *l, const struct frame *f)
{
	str_clear(&l->body);
	if (f->type != 'D')
		return;
	(void)!str_extend(&l->body, f->total - FRAME_HEADER_BYTES);
	l->body.len = 0;
}

static void keep(struct lookup *l, const struct frame *f)
{
	size_t skip = f->starts ? FRAME_HEADER_BYTES : 0, room, more = f->len - skip;

	if (f->starts)
		begin_body(l, f);
	room = wanted_bytes(f->type) - l->body.len;
	str_add(&l->body, f->data + skip, more < room ? more : room);
}

static bool is_due(const struct lookup *l, uint8_t type)
{
	switch (type) {
	case '1':
		return l->due == DUE_PARSED;
	case '2':
		return l->due == DUE_BOUND;
	case 'T':
	case 'n':
		return l->due == DUE_COLUMNS;
	case 'D':
	case 'C':
	case 's':
	case 'I':
		return l->due == DUE_ROWS;
	case 'E':
		return l->due != DUE_READY;
	case 'Z':
		return l->due == DUE_READY;
	default: /* said at any time, and nobody's business */
		return true;
	}
}

/* ---- the messages ---- */

static void take_columns(struct lookup *l)
{
	struct reader r;
	unsigned n;
	char text[80];

	reader_init(&r, l->body.data, l->body.len);
	n = (unsigned)reader_u8(&r) << 8;
	n |= reader_u8(&r);
	if (n == 2 && !r.failed)
		return;
	snprintf(text, sizeof(text), "it returns %u column%s instead of 2", n, n == 1 ? "" : "s");
	wrong_shape(l, text);
}

static void keep_row(struct lookup *l)
{
	struct str before = l->row;

	l->row = l->body;
	l->body = before;
	l->has_row = true;
}

static bool says_the_end(const struct str *body)
{
	struct report r;

	return report_parse(&r, str_text(body), body->len) &&
	       (bytes_are(r.severity, "FATAL") || bytes_are(r.severity, "PANIC"));
}

static enum lookup_result take_error(struct lookup *l)
{
	struct str mended;
	bool ends;

	str_init(&mended, BODY_MAX);
	report_mend(str_text(&l->body), l->body.len, &mended);
	failure_set_report(&l->why, PHASE_LOOKUP, str_text(&mended), mended.failed ? 0 : mended.len);
	ends = says_the_end(&mended);
	str_fini(&mended);
	return ends ? LOOKUP_LOST : LOOKUP_MORE;
}

/* One field of the row; false: it is not what it has to be. NULL is data NULL. */
static bool read_field(struct lookup *l, struct reader *r, const char *what, size_t most, struct bytes *field)
{
	uint32_t len = reader_u32(r);
	char text[80];

	*field = (struct bytes){NULL, 0};
	if (len == UINT32_MAX)
		return true;
	*field = reader_bytes(r, len);
	if (r->failed)
		return true;
	if (field->len > most)
		snprintf(text, sizeof(text), "the %s that it returned is longer than %zu bytes", what, most);
	else if (memchr(field->data, '\0', field->len) != NULL)
		snprintf(text, sizeof(text), "the %s that it returned contains a zero byte", what);
	else
		return true;
	wrong_shape(l, text);
	return false;
}

/* The fields become texts: the bytes behind them, which are lengths already read, or the end, become NUL. */
static enum lookup_result read_row(struct lookup *l)
{
	struct bytes name, secret;
	struct reader r;
	bool right;

	str_add_char(&l->row, '\0'); /* room for the NUL behind the secret */
	if (l->row.failed)
		return broken(l, FAILURE_NO_MEMORY, NULL);
	reader_init(&r, l->row.data, l->row.len - 1);
	right = reader_i16(&r) == 2;
	right = right && read_field(l, &r, "name", LOOKUP_MAX_NAME_BYTES, &name) &&
	        read_field(l, &r, "secret", LOOKUP_MAX_SECRET_BYTES, &secret);
	if (failure_is_set(&l->why))
		return LOOKUP_FAILED;
	if (!right || !reader_is_done(&r))
		return refuse_message(l, 'D', FAILURE_PROTOCOL, "with a malformed body");
	if (name.data == NULL || name.len == 0)
		return LOOKUP_NOBODY;
	l->row.data[name.data + name.len - l->row.data] = '\0';
	l->name = name.data;
	l->secret = secret.data;
	l->secret_len = secret.len;
	return LOOKUP_FOUND;
}

static enum lookup_result finish(struct lookup *l)
{
	if (!message_parse_ready(str_text(&l->body), l->body.len, &l->status))
		return refuse_message(l, 'Z', FAILURE_PROTOCOL, "with a malformed body");
	if (failure_is_set(&l->why))
		return LOOKUP_FAILED;
	if (l->status != 'I')
		wrong_shape(l, "it leaves a transaction open");
	if (failure_is_set(&l->why))
		return LOOKUP_FAILED;
	return l->has_row ? read_row(l) : LOOKUP_NOBODY;
}

/* The message is over, and was due. */
static enum lookup_result judge(struct lookup *l, uint8_t type)
{
	if (l->body.failed)
		return broken(l, FAILURE_NO_MEMORY, NULL);
	switch (type) {
	case '1':
		l->has_begun = true;
		l->due = DUE_BOUND;
		break;
	case '2':
		l->due = DUE_COLUMNS;
		break;
	case 'T':
		l->due = DUE_ROWS;
		take_columns(l);
		break;
	case 'n':
		l->due = DUE_ROWS;
		wrong_shape(l, "it is a command that returns no rows");
		break;
	case 'D':
		keep_row(l);
		break;
	case 's':
		l->due = DUE_READY;
		wrong_shape(l, "it returns more than 10 rows for one user");
		break;
	case 'C':
	case 'I':
		l->due = DUE_READY;
		break;
	case 'E':
		l->due = DUE_READY;
		return take_error(l);
	case 'Z':
		return finish(l);
	default: /* Notice, ParameterStatus, Notification */
		break;
	}
	return LOOKUP_MORE;
}

static enum lookup_result take_frame(struct lookup *l, const struct frame *f)
{
	enum lookup_result result = LOOKUP_MORE;

	if (f->starts)
		result = count_message(l, f);
	if (result != LOOKUP_MORE)
		return result;
	if (f->starts && !is_due(l, f->type))
		return refuse_message(l, f->type, FAILURE_PROTOCOL, "at a wrong time");
	keep(l, f);
	return f->ends ? judge(l, f->type) : LOOKUP_MORE;
}

bool lookup_has_begun(const struct lookup *l)
{
	return l->has_begun;
}

enum lookup_result lookup_take(struct lookup *l, char *data, size_t len, size_t *used)
{
	enum lookup_result result = LOOKUP_MORE;

	*used = 0;
	while (*used < len && result == LOOKUP_MORE) {
		struct frame f;

		switch (framer_next(&l->framer, &rules, data + *used, len - *used, &f)) {
		case FRAME_MORE:
			return LOOKUP_MORE;
		case FRAME_GOT:
			*used += f.len;
			result = take_frame(l, &f);
			break;
		case FRAME_NOT_ALLOWED:
			return refuse_message(l, f.type, FAILURE_PROTOCOL, "in an answer to auth_query");
		case FRAME_BAD_LENGTH:
		case FRAME_TOO_LARGE:
			return broken(l, FAILURE_PROTOCOL, "a message with an impossible length");
		}
	}
	return result;
}
