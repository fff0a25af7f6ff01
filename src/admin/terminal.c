/*
 * One connection to the console: bytes to commands, answers to bytes. One command
 * at a time: while one is under way, or an answer is not gone yet, what else
 * comes is kept, up to a limit beyond which nothing more is read. Main thread.
 *
 *	terminal_event → terminal_read → terminal_go_on → run_rest → run_message → command_run
 *	                 main or a worker answers ↗
 */
#include "admin/terminal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin/commands.h"
#include "admin/view.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/stream.h"
#include "wire/message.h"
#include "wire/sqlstate.h"
#include "worker/client.h"

#define REST_MAX (64u * 1024u) /* with more than this to look at, reading stops */

#define FLOWS FRAME_FLOWS
static const struct frame_rules rules = {
    .whole_limit = TERMINAL_COMMAND_MAX,
    .max_message = INT32_MAX,
    .need = {['Q'] = FRAME_WHOLE,
             ['X'] = FLOWS,
             ['P'] = FRAME_WHOLE,
             ['B'] = FRAME_WHOLE,
             ['E'] = FRAME_WHOLE,
             ['D'] = FRAME_WHOLE,
             ['C'] = FRAME_WHOLE,
             ['S'] = FLOWS,
             ['H'] = FLOWS,
             ['F'] = FLOWS,
             ['d'] = FLOWS,
             ['c'] = FLOWS,
             ['f'] = FLOWS},
};
#undef FLOWS

static void terminal_event(void *owner, enum stream_event event);

static const struct config *config_of(const struct terminal *t)
{
	return t->console->control->config(t->console->control->self);
}

static uint64_t now_us(const struct terminal *t)
{
	return loop_now_us(t->console->control->loop);
}

/* The worker that let it in may have looked at the clock later than this loop. */
static uint64_t age_us(const struct terminal *t)
{
	return now_us(t) > t->guest->connected_us ? now_us(t) - t->guest->connected_us : 0;
}

/* ---- making and freeing ---- */

struct terminal *terminal_new(struct console *c, struct console_guest *guest)
{
	struct terminal *t = mem_new(struct terminal);

	if (t == NULL) {
		console_guest_free(guest);
		return NULL;
	}
	t->console = c;
	t->guest = guest;
	t->stream = guest->stream;
	guest->stream = NULL;
	t->request_us = guest->connected_us;
	extended_init(&t->extended);
	str_init(&t->rest, REST_MAX + LOOP_BUFFER_BYTES);
	list_add_tail(&c->terminals, &t->on_console);
	c->n_terminals++;
	if (!stream_join(t->stream, c->control->loop, terminal_event, t)) {
		terminal_free(t);
		return NULL;
	}
	return t;
}

/* Nobody waits for what is under way any more. */
static void give_up(struct terminal *t, bool canceled)
{
	if (t->acting)
		t->console->control->forget(t->console->control->self, t, canceled);
	if (t->view != NULL)
		view_forget(t->view);
	mem_free(t->tag);
	t->acting = false;
	t->view = NULL;
	t->tag = NULL;
	t->command = NULL;
	t->extended.running = NULL;
}

void terminal_free(struct terminal *t)
{
	if (t == NULL)
		return;
	give_up(t, false);
	list_remove(&t->on_console);
	t->console->n_terminals--;
	stream_close(t->stream);
	console_guest_free(t->guest);
	extended_fini(&t->extended);
	str_fini(&t->rest);
	mem_free(t);
}

/* ---- words ---- */

/* `event` is constant. */
static void terminal_log(struct terminal *t, enum log_level level, const char *event, const char *fmt, ...)
    PRINTF(4, 5);

static void terminal_log(struct terminal *t, enum log_level level, const char *event, const char *fmt, ...)
{
	struct log *log = t->console->control->office->log;
	struct log_event e = {.level = level,
	                      .event = event,
	                      .database = CONSOLE_DATABASE,
	                      .user = t->guest->user,
	                      .client = t->guest->id};
	char address[PEER_LOG_BYTES], who[LOG_WHO_BYTES];
	struct str text;
	va_list args;

	if (!log_wants(log, level))
		return;
	client_log_address(&e, stream_peer(t->stream), config_of(t)->settings.listen_port, address);
	log_name_connection(&e, 'C', t, who);
	e.who = who;
	str_init(&text, TERMINAL_COMMAND_MAX * 2);
	va_start(args, fmt);
	str_vprintf(&text, fmt, args);
	va_end(args);
	e.text = str_text(&text);
	log_event(log, &e);
	str_fini(&text);
}

void terminal_close(struct terminal *t, const char *why)
{
	if (t->closing)
		return;
	t->closing = true;
	give_up(t, false);
	terminal_log(t, LEVEL_LOG, "client_closed", "closing because: %s (age=%" PRIu64 "s)", why,
	             (uint64_t)(age_us(t) / US_PER_S));
}

void terminal_send(struct terminal *t, struct str *out)
{
	struct iovec v = {out->data, out->len};
	struct failure why;
	bool no_memory = out->failed;

	failure_init(&why);
	if (!t->closing && !no_memory && out->len > 0 && stream_write(t->stream, &v, 1, &why) == WRITE_FAILED)
		terminal_close(t, "client unexpected eof");
	failure_fini(&why);
	str_fini(out);
	if (no_memory)
		terminal_fail(t, SQLSTATE_NO_MEMORY, "no mem");
}

static const char *sqlstate_of(const struct terminal *t, const char *precise)
{
	return config_of(t)->settings.error_sqlstate == ERROR_SQLSTATE_PRECISE ? precise : SQLSTATE_PROTOCOL;
}

/* Commands end here. */
static void send_error(struct terminal *t, const struct words *words)
{
	struct str out;

	t->command = NULL;
	t->extended.running = NULL;
	terminal_log(t, LEVEL_WARNING, "client_told", "pooler error: %s", words->message);
	str_init(&out, TERMINAL_COMMAND_MAX * 2);
	message_error(&out, words);
	if (t->extended.in_request)
		t->extended.skipping = true;
	else
		message_ready(&out, 'I');
	terminal_send(t, &out);
}

void terminal_error(struct terminal *t, const char *precise, const char *text)
{
	struct words words = {"ERROR", sqlstate_of(t, precise), text, NULL, NULL};

	send_error(t, &words);
}

void terminal_refuse(struct terminal *t, const struct control_reply *reply)
{
	struct words words = {"ERROR", reply->sqlstate == NULL ? SQLSTATE_PROTOCOL : reply->sqlstate, reply->error,
	                      reply->detail, reply->hint};

	send_error(t, &words);
}

void terminal_rows(struct terminal *t, const struct message_column *columns, unsigned n_columns, struct str *rows)
{
	struct str out;

	if (t->extended.running != NULL) {
		extended_take_rows(t, rows);
		return;
	}
	str_init(&out, 1 << 16);
	message_row_description(&out, columns, n_columns);
	terminal_send(t, &out);
	terminal_send(t, rows);
}

void terminal_done(struct terminal *t, const char *tag, const char *const *notices)
{
	struct words words = {"NOTICE", SQLSTATE_SUCCESSFUL, NULL, NULL, NULL};
	struct str out;

	t->command = NULL;
	str_init(&out, 1 << 30);
	for (; notices != NULL && *notices != NULL; notices++) {
		words.message = *notices;
		message_notice(&out, &words);
	}
	if (t->extended.running != NULL) {
		extended_done(t, tag, &out);
	} else {
		message_command_complete(&out, tag);
		message_ready(&out, 'I');
	}
	terminal_send(t, &out);
}

void terminal_fail(struct terminal *t, const char *precise, const char *text)
{
	struct words words = {"FATAL", sqlstate_of(t, precise), text, NULL, NULL};
	struct str out;

	if (t->closing)
		return;
	terminal_log(t, LEVEL_WARNING, "client_told", "pooler error: %s", text);
	str_init(&out, TERMINAL_COMMAND_MAX * 2);
	message_error(&out, &words);
	if (out.failed) /* without memory we close without a word */
		str_fini(&out);
	terminal_send(t, &out);
	terminal_close(t, text);
}

void terminal_cancel(struct terminal *t)
{
	if (t->command == NULL)
		return;
	give_up(t, true);
	terminal_error(t, SQLSTATE_CANCELED, "canceling command due to user request");
	terminal_go_on(t);
}

/* ---- login ---- */

void terminal_welcome(struct terminal *t)
{
	static const char *const parameters[][2] = {
	    {"pgbouncer.version", "1.26.1"},
	    {"server_version", "1.26.1/bouncer"},
	    {"client_encoding", "UTF8"},
	    {"server_encoding", "UTF8"},
	    {"DateStyle", "ISO"},
	    {"TimeZone", "GMT"},
	    {"standard_conforming_strings", "on"},
	    {"is_superuser", "on"},
	};
	const uint8_t *key = t->guest->key;
	struct str out;

	str_init(&out, LOOP_BUFFER_BYTES);
	message_auth_ok(&out);
	for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++)
		message_parameter_status(&out, parameters[i][0], parameters[i][1]);
	if (t->guest->application_name != NULL)
		message_parameter_status(&out, "application_name", t->guest->application_name);
	message_backend_key(&out, (uint32_t)key[0] << 24 | (uint32_t)key[1] << 16 | (uint32_t)key[2] << 8 | key[3],
	                    key + 4, 4);
	message_ready(&out, 'I');
	terminal_send(t, &out);
}

/* ---- messages ---- */

void terminal_count_query(struct terminal *t)
{
	t->request_us = now_us(t);
	if (t->has_asked)
		return;
	t->has_asked = true;
	t->console->counters.query_count++;
	t->console->counters.xact_count++;
}

static void answer_nothing(struct terminal *t)
{
	struct str out;

	str_init(&out, 64);
	message_bare(&out, 'I');
	message_ready(&out, 'I');
	terminal_send(t, &out);
}

static void run_query(struct terminal *t, const struct frame *frame)
{
	struct reader r;
	struct bytes text;
	struct request request;

	if (t->extended.skipping)
		return;
	reader_init(&r, frame->data + FRAME_HEADER_BYTES, frame->len - FRAME_HEADER_BYTES);
	text = reader_cstring(&r);
	if (!reader_is_done(&r)) {
		terminal_fail(t, SQLSTATE_PROTOCOL, "incomplete query");
		return;
	}
	extended_end(t);
	terminal_count_query(t);
	if (!command_read(t, text.data, &request))
		return;
	if (request.command == NULL)
		answer_nothing(t);
	else
		command_run(t, &request);
}

static void refuse_type(struct terminal *t, uint8_t type)
{
	char text[64];

	snprintf(text, sizeof(text), "unsupported packet type for admin console: %u", (unsigned)type);
	terminal_error(t, SQLSTATE_NOT_SUPPORTED, text);
	terminal_fail(t, SQLSTATE_PROTOCOL, "bad packet");
}

static void run_message(struct terminal *t, const struct frame *frame)
{
	switch (frame->type) {
	case 'Q':
		run_query(t, frame);
		break;
	case 'X':
		terminal_close(t, "client close request");
		break;
	case 'P':
	case 'B':
	case 'D':
	case 'E':
	case 'C':
	case 'S':
		extended_message(t, frame->type, frame->data + FRAME_HEADER_BYTES, frame->len - FRAME_HEADER_BYTES);
		break;
	case 'H': /* nothing is ever held back */
		break;
	case 'd':
	case 'c':
	case 'f': /* the end of a COPY that has failed: ignored, as PostgreSQL does */
		break;
	default:
		refuse_type(t, frame->type);
	}
}

/* ---- bytes ---- */

static bool may_run(const struct terminal *t)
{
	return !t->closing && t->command == NULL && stream_pending_bytes(t->stream) == 0;
}

/* False: nothing more can be done with what is there. */
static bool run_next(struct terminal *t, size_t *used)
{
	char problem[FRAME_PROBLEM_BYTES];
	char *data = t->rest.data + *used;
	struct frame frame;

	switch (framer_next(&t->framer, &rules, data, t->rest.len - *used, &frame)) {
	case FRAME_GOT:
		*used += frame.len;
		if (frame.starts)
			run_message(t, &frame);
		return true;
	case FRAME_MORE:
		return false;
	case FRAME_BAD_LENGTH:
		terminal_fail(t, SQLSTATE_PROTOCOL, frame_problem_text(data, t->rest.len - *used, problem));
		return false;
	case FRAME_TOO_LARGE:
		terminal_fail(t, SQLSTATE_PROTOCOL, "message is too long");
		return false;
	case FRAME_NOT_ALLOWED:
		terminal_fail(t, SQLSTATE_PROTOCOL, "unknown pkt");
		return false;
	}
	return false;
}

static void run_rest(struct terminal *t)
{
	size_t used = 0;

	while (may_run(t) && used < t->rest.len && run_next(t, &used))
		;
	str_cut_front(&t->rest, used);
	if (t->rest.len == 0)
		str_fini(&t->rest);
}

void terminal_go_on(struct terminal *t)
{
	if (t->running) /* the one that runs goes on itself */
		return;
	t->running = true;
	run_rest(t);
	t->running = false;
	if (t->closing)
		terminal_free(t);
	else if (stream_is_paused(t->stream) && t->rest.len < REST_MAX)
		stream_resume(t->stream);
}

/* Also while a command is under way: only reading tells that the client has left. */
static void terminal_read(struct terminal *t)
{
	struct failure why;
	struct span span;

	if (t->rest.len >= REST_MAX) {
		stream_pause(t->stream);
		return;
	}
	failure_init(&why);
	switch (stream_read(t->stream, LOOP_BUFFER_BYTES, &span, &why)) {
	case READ_GOT:
		str_add(&t->rest, span.data, span.len);
		if (t->rest.failed)
			terminal_fail(t, SQLSTATE_NO_MEMORY, "no mem");
		break;
	case READ_LATER:
		break;
	case READ_END:
	case READ_FAILED:
		terminal_close(t, "client unexpected eof");
		break;
	}
	failure_fini(&why);
}

static void terminal_event(void *owner, enum stream_event event)
{
	struct terminal *t = (struct terminal *)owner;

	switch (event) {
	case STREAM_READABLE:
		terminal_read(t);
		break;
	case STREAM_BROKEN:
		terminal_close(t, "client unexpected eof");
		break;
	case STREAM_DRAINED:
	case STREAM_CONNECTED:
	case STREAM_SECURED:
		break;
	}
	terminal_go_on(t);
}
