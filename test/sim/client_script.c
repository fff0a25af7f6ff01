/* Random clients and the check of every answer they get. One thread. */
#include "client_script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/message.h"

/* ---- what it says ---- */

static uint32_t next_n(struct script *s)
{
	return s->number * 1000000u + ++s->n_said % 1000000u;
}

static void body_message(struct str *out, char type, const char *body, size_t len)
{
	size_t at = message_begin(out, type);

	message_bytes(out, body, len);
	message_end(out, at);
}

static void PRINTF(2, 3) say_query(struct str *out, const char *fmt, ...)
{
	char text[300];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	message_query(out, text);
}

static void say_parse_as(struct str *out, const char *name, const char *text)
{
	size_t at = message_begin(out, 'P');

	message_cstring(out, name);
	message_cstring(out, text);
	message_i16(out, 0);
	message_end(out, at);
}

static void PRINTF(2, 3) say_parse(struct str *out, const char *fmt, ...)
{
	char text[200];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	say_parse_as(out, "", text);
}

static void say_bind(struct str *out, const char *name, uint32_t padding)
{
	size_t at = message_begin(out, 'B');

	message_cstring(out, "");
	message_cstring(out, name);
	message_i16(out, 0);
	message_i16(out, 1);
	message_i32(out, (int32_t)padding);
	for (uint32_t i = 0; i < padding; i++)
		message_u8(out, 'p');
	message_i16(out, 0);
	message_end(out, at);
}

static void say_describe(struct str *out)
{
	body_message(out, 'D', "P", 2);
}

static void say_execute(struct str *out)
{
	body_message(out, 'E', "\0\0\0\0", 5);
}

static void say_extended(struct script *s, struct str *out)
{
	struct dice *d = &s->world->dice;
	const char *param;
	uint32_t n, rows;

	switch (dice_below(d, 9)) {
	case 0:
		say_parse(out, "syntax error %u", next_n(s));
		break;
	case 1:
		say_parse(out, "fail %u", next_n(s));
		break;
	case 2:
		param = backend_param[dice_below(d, 3)];
		say_parse(out, "set %s = v%u", param, dice_below(d, 4));
		break;
	case 3:
		param = backend_param[dice_below(d, 3)];
		say_parse(out, "show %s %u", param, next_n(s));
		break;
	case 4:
		n = next_n(s);
		say_parse(out, "copyout %u %u", n, dice_below(d, 4));
		break;
	case 5:
		say_parse(out, "%s", "");
		break;
	default:
		n = next_n(s);
		rows = dice_below(d, 3);
		say_parse(out, "echo %u %u %u", n, rows, dice_below(d, 200));
		break;
	}
	say_bind(out, "", dice_chance(d, 100) ? dice_below(d, 3000) : dice_below(d, 10));
	if (dice_chance(d, 600))
		say_describe(out);
	if (dice_chance(d, 100))
		message_bare(out, 'H');
	if (dice_chance(d, 950))
		say_execute(out);
	if (dice_chance(d, 100))
		body_message(out, 'C', "Px", 3);
}

static void unit_extended(struct script *s, struct str *out)
{
	struct dice *d = &s->world->dice;
	uint32_t n = 1 + dice_below(d, 4);

	while (n-- > 0) {
		say_extended(s, out);
		if (dice_chance(d, 200))
			message_sync(out);
		if (dice_chance(d, 50))
			say_query(out, "echo %u", next_n(s)); /* in the middle of a pipeline */
	}
	message_sync(out);
}

/* Few names and few texts, so that they meet: in one client, over clients, and on servers that have room for fewer. */
static void say_of_name(struct script *s, struct str *out)
{
	static const char *const names[] = {"Sa", "Sb", "Sc", "Sd"};
	struct dice *d = &s->world->dice;
	const char *name = names[dice_below(d, 4)];
	char text[64];

	switch (dice_below(d, 10)) {
	case 0:
	case 1:
	case 2:
		snprintf(text, sizeof(text), dice_chance(d, 50) ? "syntax %u" : "echo %u", dice_below(d, 6));
		say_parse_as(out, name + 1, text);
		break;
	case 3:
		body_message(out, 'D', name, 3);
		break;
	case 4:
		body_message(out, 'C', name, 3);
		break;
	default:
		say_bind(out, name + 1, dice_chance(d, 30) ? dice_below(d, 3000) : dice_below(d, 10));
		say_execute(out);
		break;
	}
}

static void unit_named(struct script *s, struct str *out)
{
	struct dice *d = &s->world->dice;
	uint32_t n = 1 + dice_below(d, 6);

	while (n-- > 0) {
		if (dice_chance(d, 850))
			say_of_name(s, out);
		else
			say_extended(s, out);
		if (dice_chance(d, 150))
			message_sync(out);
	}
	message_sync(out);
	s->forgets = dice_chance(d, 30);
	if (s->forgets)
		say_query(out, "DEALLOCATE ALL");
}

static void copy_data(struct script *s, struct str *out)
{
	struct dice *d = &s->world->dice;
	char line[3000];
	uint32_t n = dice_below(d, 5);

	while (n-- > 0) {
		size_t len = dice_chance(d, 100) ? 2990 : 1 + dice_below(d, 60);

		memset(line, 'l', len);
		if (dice_chance(d, 100))
			memcpy(line, "bad", 3);
		body_message(out, 'd', line, len < 3 ? 3 : len);
	}
}

static void copy_end(struct script *s, struct str *out)
{
	if (dice_chance(&s->world->dice, 800))
		message_bare(out, 'c');
	else
		message_copy_fail(out, "no");
}

static void unit_copy_in(struct script *s, struct str *out)
{
	uint32_t n = next_n(s);

	if (dice_chance(&s->world->dice, 300))
		say_query(out, "copyin %u;echo %u", n, next_n(s));
	else
		say_query(out, "copyin %u", n);
	copy_data(s, out);
	copy_end(s, out);
}

/* With Syncs in the middle, as some drivers send them. */
static void unit_extended_copy_in(struct script *s, struct str *out)
{
	struct dice *d = &s->world->dice;
	bool early_sync = dice_chance(d, 400);

	say_parse(out, "copyin %u", next_n(s));
	say_bind(out, "", 0);
	say_execute(out);
	if (early_sync)
		message_sync(out);
	copy_data(s, out);
	if (dice_chance(d, 100))
		message_bare(out, 'H');
	copy_end(s, out);
	message_sync(out);
	s->may_be_failed |= early_sync;
}

static void unit_many(struct script *s, struct str *out)
{
	uint32_t n = dice_chance(&s->world->dice, 100) ? 6000 : dice_below(&s->world->dice, 60);

	while (n-- > 0)
		message_sync(out);
	say_query(out, "echo %u", next_n(s));
}

static void unit_block(struct script *s, struct str *out)
{
	if (s->shadow.status == 'I')
		say_query(out, "begin");
	else
		say_query(out, dice_chance(&s->world->dice, 600) ? "commit" : "rollback");
}

static void unit_simple(struct script *s, struct str *out)
{
	struct dice *d = &s->world->dice;
	const char *param = backend_param[dice_below(d, 3)];
	uint32_t n = next_n(s), m, bytes;

	switch (dice_below(d, 9)) {
	case 0:
		say_query(out, "echo %u;echo %u 2 30;echo 1", n, next_n(s));
		break;
	case 1:
		say_query(out, "echo %u;fail %u;echo 2", n, next_n(s));
		break;
	case 2:
	case 3:
		say_query(out, "set %s = v%u", param, dice_below(d, 4));
		break;
	case 4:
		say_query(out, "show %s %u", param, n);
		break;
	case 5:
		say_query(out, "%s", "");
		break;
	case 6:
		say_query(out, "notice %u", n);
		break;
	case 7:
		say_query(out, "copyout %u %u", n, dice_below(d, 30));
		break;
	default:
		m = dice_below(d, 20);
		bytes = dice_chance(d, 50) ? dice_below(d, 30000) : dice_below(d, 100);
		say_query(out, "echo %u %u %u", n, m, bytes);
		break;
	}
}

/* What state_guard refuses, alone, among others, and by name. */
static void unit_refused(struct script *s, struct str *out)
{
	struct dice *d = &s->world->dice;
	uint32_t n = next_n(s);

	switch (dice_below(d, 4)) {
	case 0:
		say_query(out, "LISTEN x%u", n);
		break;
	case 1:
		say_query(out, "echo %u;LISTEN x;echo %u", n, next_n(s));
		break;
	case 2:
		say_parse(out, "LISTEN x%u", n);
		break;
	default:
		say_parse_as(out, dice_chance(d, 500) ? "a" : "b", "LISTEN x");
		break;
	}
	if (dice_chance(d, 500))
		say_of_name(s, out);
	message_sync(out);
}

/* Leaves the session in one of its statement ends; in pipelines no open portals survive. */
static void any_unit(struct script *s, struct str *out)
{
	uint32_t what = dice_below(&s->world->dice, 100);

	s->forgets &= s->shadow.out.len > 0;
	if (s->shadow.refuses && !s->forgets && dice_chance(&s->world->dice, 150))
		unit_refused(s, out);
	else if (what < 35)
		unit_simple(s, out);
	else if (what < 50)
		unit_block(s, out);
	else if (what < 68 && !s->forgets)
		unit_named(s, out);
	else if (what < 80)
		unit_extended(s, out);
	else if (what < 86)
		unit_copy_in(s, out);
	else if (what < 90)
		unit_extended_copy_in(s, out);
	else if (what < 92)
		unit_many(s, out);
	else if (what < 94)
		copy_end(s, out); /* of no COPY: ignored */
	else if (what < 97 && s->unsent.len == 0 && s->shadow.out.len == 0)
		say_query(out, "DEALLOCATE %c", 'a' + (char)dice_below(&s->world->dice, 4));
	else if (s->unsent.len == 0 && s->shadow.out.len == 0)
		say_query(out, "sleep %u", next_n(s)); /* and nothing behind it until its end is known */
	else
		unit_simple(s, out);
}

static void new_unit(struct script *s)
{
	struct str unit;

	str_init(&unit, SIZE_MAX / 2);
	any_unit(s, &unit);
	s->n_units++;
	world_trace(s->world, "client %u says %zu bytes, first '%c' %.60s", s->number, unit.len, unit.data[0],
	            unit.len > 6 ? unit.data + 5 : "");
	MUST_HOLD(s->world, !unit.failed);
	str_add(&s->unsent, unit.data, unit.len);
	str_add(&s->shadow.in, unit.data, unit.len);
	backend_run(&s->shadow);
	str_fini(&unit);
}

/* ---- what comes ---- */

static uint32_t number_at(const char *bytes)
{
	const uint8_t *u = (const uint8_t *)bytes;

	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static _Noreturn void PRINTF(3, 4) wrong(struct script *s, const char *message, const char *fmt, ...)
{
	char text[300];
	va_list args;
	size_t len = number_at(message + 1) - 4;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fprintf(stderr, "message '%c' of %zu bytes: ", message[0], len);
	for (size_t i = 0; i < len && i < 150; i++)
		fputc(message[5 + i] >= ' ' && message[5 + i] <= '~' ? message[5 + i] : '.', stderr);
	fputc('\n', stderr);
	if (s->shadow.out.len > 5) {
		const char *expected = s->shadow.out.data;

		fprintf(stderr, "expected '%c': ", expected[0]);
		for (size_t i = 0; i + 5 < s->shadow.out.len && i < 150; i++)
			fputc(expected[5 + i] >= ' ' && expected[5 + i] <= '~' ? expected[5 + i] : '.', stderr);
		fputc('\n', stderr);
	}
	world_broken(s->world, "client %u: %s", s->number, text);
}

static bool is_fatal(const char *message, size_t len)
{
	return message[0] == 'E' && len > 12 && memcmp(message + 5, "SFATAL", 6) == 0;
}

/* A row says which server it comes from: one for each transaction. */
static void check_row(struct script *s, char *message, size_t len)
{
	uint32_t pid;
	char digits[11];

	if (message[0] != 'D' || len < 5 + 2 + 4 + 10)
		return;
	memcpy(digits, message + 11, 10);
	digits[10] = '\0';
	pid = (uint32_t)strtoul(digits, NULL, 10);
	if (s->transaction_pid != 0 && s->transaction_pid != pid)
		wrong(s, message, "a transaction on two servers, %u and %u", s->transaction_pid, pid);
	s->transaction_pid = pid;
	memcpy(message + 11, "0000000000", 10); /* the shadow's */
}

/* The request to cancel a query that was over has met its next one, which waited for a server. */
static bool is_cancelled_in_queue(const struct script *s, const char *message, size_t len)
{
	static const char cancelled[] = "SERROR\0C57014";

	return s->cancel_asked && s->shadow.out.len > 0 && message[0] == 'E' && len > 5 + sizeof(cancelled) &&
	       memcmp(message + 5, cancelled, sizeof(cancelled)) == 0 && memcmp(s->shadow.out.data, message, 5) != 0;
}

static bool is_refusal(const char *message, size_t len)
{
	struct report r;

	return message[0] == 'E' && report_parse(&r, message + 5, len - 5) && bytes_are(r.sqlstate, "0A000");
}

/* Where its shadow refuses, the client is refused, in other words. */
static bool take_refusal(struct script *s, const char *message, size_t len)
{
	size_t expected = s->shadow.out.len < 5 ? 0 : 1 + number_at(s->shadow.out.data + 1);

	if (expected == 0 || !is_refusal(message, len) || !is_refusal(s->shadow.out.data, expected))
		return false;
	str_cut_front(&s->shadow.out, expected);
	s->n_answers++;
	return true;
}

static void check_answer(struct script *s, char *message, size_t len)
{
	if (is_cancelled_in_queue(s, message, len)) {
		s->state = SCRIPT_ENDED; /* its shadow does not know what was not run */
		return;
	}
	if (s->shadow.out.len == 0 && s->shadow.sleeping) {
		backend_wake(&s->shadow, message[0] == 'E');
		s->cancel_sent = false;
		backend_run(&s->shadow);
	}
	if (take_refusal(s, message, len))
		return;
	check_row(s, message, len);
	if (s->shadow.out.len < len || memcmp(s->shadow.out.data, message, len) != 0)
		wrong(s, message, "not the answer that a direct connection gives");
	str_cut_front(&s->shadow.out, len);
	s->n_answers++;
	if (message[0] == 'Z' && message[5] == 'I' && !s->session)
		s->transaction_pid = 0;
}

static const char *expected_param(const struct script *s, const char *name)
{
	if (strcmp(name, "application_name") == 0)
		return s->application_name;
	if (strcmp(name, "TimeZone") == 0 && s->time_zone[0] != '\0')
		return s->time_zone;
	return NULL;
}

static void take_login(struct script *s, const char *message, size_t len)
{
	const char *name = message + 5, *expected;

	switch (message[0]) {
	case 'R':
	case 'N':
		break;
	case 'S':
		expected = expected_param(s, name);
		if (expected != NULL && strcmp(expected, name + strlen(name) + 1) != 0)
			wrong(s, message, "parameter %s is not \"%s\"", name, expected);
		break;
	case 'K':
		MUST_HOLD(s->world, len == 5 + 4 + 4);
		memcpy(s->key, message + 5, 8);
		break;
	case 'Z':
		s->state = SCRIPT_RUNS;
		break;
	default:
		wrong(s, message, "not allowed in a login");
	}
}

/* Whoever waits for an answer and is told that there will be none gets it behind FATAL, for libpq's PQexec(). */
static bool is_end_of_what_was_asked(struct script *s, const char *message)
{
	bool fits = s->had_error && !s->had_end && s->state == SCRIPT_RUNS && message[0] == 'Z' && message[5] == 'I';

	s->had_end |= fits;
	return fits;
}

static void take_message(struct script *s, char *message, size_t len)
{
	world_trace(s->world, "client %u <- %c %zu bytes", s->number, message[0], len - 5);
	if (is_fatal(message, len)) {
		world_trace(s->world, "client %u: FATAL %s", s->number, message + 5);
		s->had_error = true;
		for (size_t i = 12; i + 1 < len && i < 12 + sizeof(s->fatal); i++)
			s->fatal[i - 12] = message[i] == '\0' ? ' ' : message[i];
		if (!s->world->faults && !s->may_be_failed)
			wrong(s, message, "turned away without a reason");
		return;
	}
	if (s->state == SCRIPT_ENDED || is_end_of_what_was_asked(s, message))
		return;
	if (s->had_error)
		wrong(s, message, "something behind a FATAL that says: %s", s->fatal);
	if (s->state == SCRIPT_LOGIN)
		take_login(s, message, len);
	else
		check_answer(s, message, len);
}

static void take_bytes(struct script *s)
{
	size_t used = 0;

	str_add(&s->in, s->conn->to_peer.data, s->conn->to_peer.len);
	str_clear(&s->conn->to_peer);
	while (s->in.len - used >= 5) {
		size_t len = 1 + number_at(s->in.data + used + 1);

		if (len > 100000000)
			world_broken(s->world, "client %u: no message begins with %02x %02x %02x %02x %02x", s->number,
			             s->in.data[used] & 0xff, s->in.data[used + 1] & 0xff, s->in.data[used + 2] & 0xff,
			             s->in.data[used + 3] & 0xff, s->in.data[used + 4] & 0xff);
		if (s->in.len - used < len)
			break;
		take_message(s, s->in.data + used, len);
		used += len;
	}
	str_cut_front(&s->in, used);
}

/* ---- its life ---- */

void script_begin(struct script *s, struct world *w, uint32_t number, struct conn *c, const char *database,
                  const char *user)
{
	size_t at;

	memset(s, 0, sizeof(*s));
	s->world = w;
	s->number = number;
	s->conn = c;
	c->peer = s;
	str_init(&s->in, SIZE_MAX / 2);
	str_init(&s->unsent, SIZE_MAX / 2);
	backend_init(&s->shadow, 0, 0);
	s->shadow.phase = BACKEND_READY;
	at = message_startup_begin(&s->unsent, PROTOCOL_3_0);
	message_startup_param(&s->unsent, "user", user);
	message_startup_param(&s->unsent, "database", database);
	if (dice_chance(&w->dice, 500)) {
		snprintf(s->application_name, sizeof(s->application_name), "app%u", number);
		message_startup_param(&s->unsent, "application_name", s->application_name);
		memcpy(s->shadow.now.value[0], s->application_name, PARAM_BYTES);
	}
	if (dice_chance(&w->dice, 300)) {
		snprintf(s->time_zone, sizeof(s->time_zone), "zone%u", dice_below(&w->dice, 3));
		message_startup_param(&s->unsent, "timezone", s->time_zone);
		memcpy(s->shadow.now.value[2], s->time_zone, PARAM_BYTES);
	}
	message_startup_end(&s->unsent, at);
}

void script_fini(struct script *s)
{
	if (s->conn != NULL)
		conn_leave(s->conn);
	backend_fini(&s->shadow);
	str_fini(&s->in);
	str_fini(&s->unsent);
	memset(s, 0, sizeof(*s));
}

static void send_some(struct script *s)
{
	size_t room = s->conn->rough.room, n = s->unsent.len;

	if (n == 0 || s->conn->to_product.len >= room)
		return;
	room -= s->conn->to_product.len;
	if (n > room)
		n = room;
	n = 1 + dice_below(&s->world->dice, (uint32_t)n);
	conn_send(s->conn, s->unsent.data, n);
	str_cut_front(&s->unsent, n);
}

static void ends(struct script *s)
{
	if (!s->had_error && !s->world->faults && !s->may_be_failed)
		world_broken(s->world, "client %u: closed without a reason", s->number);
	world_trace(s->world, "client %u: is closed", s->number);
	s->state = SCRIPT_ENDED;
}

bool script_is_done(const struct script *s)
{
	return s->state == SCRIPT_ENDED || (s->state == SCRIPT_RUNS && s->unsent.len == 0 && s->shadow.out.len == 0 &&
	                                    s->in.len == 0 && !s->shadow.sleeping);
}

void script_step(struct script *s)
{
	struct conn *c = s->conn;

	if (s->state == SCRIPT_ENDED)
		return;
	take_bytes(s);
	if (c->product_closed || c->reset) {
		ends(s);
		return;
	}
	send_some(s);
	if (s->state != SCRIPT_RUNS || s->shadow.sleeping || s->unsent.len > 200000)
		return;
	if (s->quiet ? script_is_done(s) && s->shadow.status != 'I'
	             : dice_chance(&s->world->dice, script_is_done(s) ? 600 : 30)) {
		if (s->quiet) {
			message_query(&s->unsent, "rollback");
			message_query(&s->shadow.in, "rollback");
			backend_run(&s->shadow);
		} else {
			new_unit(s);
		}
	}
}
