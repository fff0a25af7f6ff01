/* What a PostgreSQL session answers. Pure: bytes in, bytes out. */
#include "backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "wire/message.h"

const char *const backend_param[N_PARAMS] = {"application_name", "DateStyle", "TimeZone", "client_encoding"};

static const char *const standard[N_PARAMS] = {"", "ISO, MDY", "Etc/UTC", "UTF8"};

void backend_init(struct sim_backend *b, uint32_t pid, uint32_t key)
{
	memset(b, 0, sizeof(*b));
	str_init(&b->in, SIZE_MAX / 2);
	str_init(&b->out, SIZE_MAX / 2);
	b->pid = pid;
	b->key = key;
	b->status = 'I';
	for (int i = 0; i < N_PARAMS; i++)
		snprintf(b->now.value[i], PARAM_BYTES, "%s", standard[i]);
	b->at_start = b->now;
}

void backend_fini(struct sim_backend *b)
{
	str_fini(&b->in);
	str_fini(&b->out);
}

/* ---- answers ---- */

static void error(struct sim_backend *b, const char *severity, const char *sqlstate, const char *message)
{
	struct words words = {severity, sqlstate, message, NULL, NULL};

	message_error(&b->out, &words);
}

void backend_die(struct sim_backend *b, const char *sqlstate, const char *message)
{
	error(b, "FATAL", sqlstate, message);
	b->phase = BACKEND_GONE;
	b->sleeping = false;
}

static void report(struct sim_backend *b, int i)
{
	message_parameter_status(&b->out, backend_param[i], b->now.value[i]);
}

static void set_all(struct sim_backend *b, const struct param_values *to)
{
	struct param_values before = b->now;

	b->now = *to;
	for (int i = 0; i < N_PARAMS; i++)
		if (strcmp(before.value[i], b->now.value[i]) != 0)
			report(b, i);
}

static void describe_row(struct sim_backend *b)
{
	const struct message_column column = {"x", TYPE_OID_TEXT, -1};

	message_row_description(&b->out, &column, 1);
}

static void describe_lookup(struct sim_backend *b)
{
	static const struct message_column columns[] = {{"name", TYPE_OID_TEXT, -1}, {"secret", TYPE_OID_TEXT, -1}};

	message_row_description(&b->out, columns, 2);
}

static void row(struct sim_backend *b, const char *text, size_t bytes)
{
	size_t at = message_begin(&b->out, 'D');
	char front[PARAM_BYTES + 40];
	size_t n, padding;

	/* the process id stands in the same place in every row, so that a shadow's rows can be compared */
	n = (size_t)snprintf(front, sizeof(front), "%010u:%c:%s", b->pid, b->status, text);
	padding = bytes > n ? bytes - n : 0;
	message_i16(&b->out, 1);
	message_i32(&b->out, (int32_t)(n + padding));
	message_bytes(&b->out, front, n);
	while (padding > 0) {
		static const char filling[64] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk";
		size_t piece = padding < sizeof(filling) ? padding : sizeof(filling);

		message_bytes(&b->out, filling, piece);
		padding -= piece;
	}
	message_end(&b->out, at);
}

/* ---- statements ---- */

enum outcome { DONE, FAILED, BLOCKED };

static enum outcome fail(struct sim_backend *b, const char *sqlstate, const char *message)
{
	error(b, "ERROR", sqlstate, message);
	if (b->status == 'T')
		b->status = 'E';
	return FAILED;
}

static enum outcome complete(struct sim_backend *b, const char *tag)
{
	message_command_complete(&b->out, tag);
	return DONE;
}

static int param_number(const char *name)
{
	for (int i = 0; i < N_PARAMS; i++)
		if (strcasecmp(name, backend_param[i]) == 0)
			return i;
	return -1;
}

/* The word `SET` and a blank are behind us: NAME = VALUE, the value perhaps in quotes. */
static enum outcome set(struct sim_backend *b, const char *text)
{
	char name[64], value[PARAM_BYTES];
	size_t n = strcspn(text, " =");
	const char *from = text + n + strspn(text + n, " =");
	size_t len = strlen(from);
	struct param_values to = b->now;
	int i;

	if (len >= 2 && from[0] == '\'') {
		from++;
		len -= 2;
	}
	if (n >= sizeof(name) || len >= sizeof(value))
		return fail(b, "22023", "too long");
	memcpy(name, text, n);
	name[n] = '\0';
	memcpy(value, from, len);
	value[len] = '\0';
	i = param_number(name);
	if (i < 0)
		return fail(b, "42704", "unrecognized configuration parameter");
	memcpy(to.value[i], value, len + 1);
	set_all(b, &to);
	return complete(b, "SET");
}

static enum outcome show(struct sim_backend *b, const char *text, bool simple)
{
	char name[64], line[PARAM_BYTES + 32];
	unsigned n = 0;
	int i;

	if (sscanf(text, "%63s %u", name, &n) != 2 || (i = param_number(name)) < 0)
		return fail(b, "42704", "unrecognized configuration parameter");
	if (simple)
		describe_row(b);
	snprintf(line, sizeof(line), "%u=%s", n, b->now.value[i]);
	row(b, line, 0);
	return complete(b, "SHOW");
}

static enum outcome echo(struct sim_backend *b, const char *text, bool simple)
{
	unsigned n = 0, rows = 1, bytes = 0;
	char line[32], tag[32];

	(void)sscanf(text, "%u %u %u", &n, &rows, &bytes);
	if (simple)
		describe_row(b);
	snprintf(line, sizeof(line), "%u", n);
	for (unsigned i = 0; i < rows; i++)
		row(b, line, bytes);
	snprintf(tag, sizeof(tag), "SELECT %u", rows);
	return complete(b, tag);
}

static enum outcome lookup(struct sim_backend *b)
{
	const char *texts[] = {b->bound, NULL};

	message_data_row(&b->out, texts, 2);
	return complete(b, "SELECT 1");
}

static void copy_header(struct sim_backend *b, char type)
{
	size_t at = message_begin(&b->out, type);

	message_u8(&b->out, 0);
	message_i16(&b->out, 1);
	message_i16(&b->out, 0);
	message_end(&b->out, at);
}

static enum outcome copy_in(struct sim_backend *b)
{
	copy_header(b, 'G');
	b->copying = true;
	b->copied = 0;
	return BLOCKED;
}

static enum outcome copy_out(struct sim_backend *b, const char *text)
{
	unsigned n = 0, rows = 0;
	char line[48];

	(void)sscanf(text, "%u %u", &n, &rows);
	copy_header(b, 'H');
	for (unsigned i = 0; i < rows; i++) {
		size_t at = message_begin(&b->out, 'd');

		snprintf(line, sizeof(line), "%u line %u\n", n, i);
		message_bytes(&b->out, line, strlen(line));
		message_end(&b->out, at);
	}
	message_bare(&b->out, 'c');
	snprintf(line, sizeof(line), "COPY %u", rows);
	return complete(b, line);
}

static enum outcome begin(struct sim_backend *b)
{
	if (b->status == 'I') {
		b->status = 'T';
		b->at_begin = b->now;
	}
	return complete(b, "BEGIN");
}

static enum outcome end_block(struct sim_backend *b, bool commit)
{
	bool undone = b->status == 'E' || (b->status == 'T' && !commit);

	if (undone)
		set_all(b, &b->at_begin);
	b->status = 'I';
	return complete(b, commit && !undone ? "COMMIT" : "ROLLBACK");
}

static bool starts(const char *text, const char *word)
{
	return strncasecmp(text, word, strlen(word)) == 0;
}

/* ---- named statements ---- */

static const char *text_of(struct sim_backend *b, const char *name)
{
	if (*name == '\0')
		return b->has_statement ? b->statement : NULL;
	for (uint32_t i = 0; i < b->n_named; i++)
		if (strcmp(b->named[i].name, name) == 0)
			return b->named[i].text;
	return NULL;
}

static void forget_statement(struct sim_backend *b, const char *name)
{
	for (uint32_t i = 0; i < b->n_named; i++)
		if (strcmp(b->named[i].name, name) == 0)
			b->named[i--] = b->named[--b->n_named];
}

/* False: too many. */
static bool keep_statement(struct sim_backend *b, const char *name, const char *text)
{
	struct named_statement *to = &b->named[b->n_named];

	if (*name == '\0') {
		snprintf(b->statement, sizeof(b->statement), "%s", text);
		b->has_statement = true;
		return true;
	}
	if (b->n_named == NAMED_MAX) {
		backend_die(b, "53000", "more statements than anybody may keep");
		return false;
	}
	snprintf(to->name, sizeof(to->name), "%s", name);
	snprintf(to->text, sizeof(to->text), "%s", text);
	b->n_named++;
	return true;
}

/* Between the quotes that `text` begins with, or all of it. */
static void read_name(const char *text, char name[64])
{
	size_t quoted = text[0] == '"';

	snprintf(name, 64, "%.*s", (int)strcspn(text + quoted, "\" "), text + quoted);
}

static enum outcome prepare(struct sim_backend *b, const char *text)
{
	char name[64];

	read_name(text, name);
	if (text_of(b, name) != NULL)
		return fail(b, "42P05", "prepared statement name is already in use");
	return keep_statement(b, name, "") ? complete(b, "PREPARE") : BLOCKED;
}

static enum outcome deallocate(struct sim_backend *b, const char *text)
{
	char name[64], line[100];

	read_name(text, name);
	if (text_of(b, name) == NULL) {
		snprintf(line, sizeof(line), "prepared statement \"%s\" does not exist", name);
		return fail(b, "26000", line);
	}
	forget_statement(b, name);
	return complete(b, "DEALLOCATE");
}

/* ---- which statement ---- */

static enum outcome run_statement(struct sim_backend *b, const char *text, bool simple)
{
	char line[64];

	if (starts(text, "commit") || starts(text, "rollback"))
		return end_block(b, starts(text, "commit"));
	if (b->status == 'E')
		return fail(b, "25P02", "current transaction is aborted");
	if (starts(text, "begin"))
		return begin(b);
	if (starts(text, "echo "))
		return echo(b, text + 5, simple);
	if (starts(text, "set "))
		return set(b, text + 4);
	if (starts(text, "show "))
		return show(b, text + 5, simple);
	if (starts(text, "lookup"))
		return lookup(b);
	if (starts(text, "copyin "))
		return copy_in(b);
	if (starts(text, "copyout "))
		return copy_out(b, text + 8);
	if (starts(text, "sleep ")) {
		b->sleeping = true;
		b->sleeper = (uint32_t)strtoul(text + 6, NULL, 10);
		return BLOCKED;
	}
	if (starts(text, "notice ")) {
		struct words words = {"NOTICE", "00000", text, NULL, NULL};

		message_notice(&b->out, &words);
		return complete(b, "DO");
	}
	if (starts(text, "LISTEN"))
		return complete(b, "LISTEN");
	if (starts(text, "DISCARD ALL")) {
		set_all(b, &b->at_start);
		b->n_named = 0;
		return complete(b, "DISCARD ALL");
	}
	if (starts(text, "DEALLOCATE ALL")) {
		b->n_named = 0;
		return complete(b, "DEALLOCATE ALL");
	}
	if (starts(text, "DEALLOCATE "))
		return deallocate(b, text + 11);
	if (starts(text, "PREPARE "))
		return prepare(b, text + 8);
	snprintf(line, sizeof(line), "%s", text);
	return fail(b, "42601", line);
}

/* ---- messages that are refused as a whole ---- */

/* Its code; NULL: it is not. A byte that no text has makes it a syntax error. */
static const char *refusal(const struct sim_backend *b, const char *text)
{
	for (const char *at = text; *at != '\0'; at++)
		if ((unsigned char)*at < ' ')
			return "42601";
	return b->refuses && strstr(text, "LISTEN") != NULL ? "0A000" : NULL;
}

/* ---- the simple protocol ---- */

static void ready(struct sim_backend *b)
{
	b->in_query = false;
	message_ready(&b->out, b->status);
}

static void run_rest(struct sim_backend *b)
{
	while (b->rest[0] != '\0') {
		char statement[400];
		size_t n = strcspn(b->rest, ";");
		enum outcome outcome;

		memcpy(statement, b->rest, n);
		statement[n] = '\0';
		n += b->rest[n] == ';';
		memmove(b->rest, b->rest + n, strlen(b->rest + n) + 1);
		outcome = run_statement(b, statement, true);
		if (outcome == BLOCKED)
			return;
		if (outcome == FAILED)
			break;
	}
	ready(b);
}

static void query(struct sim_backend *b, const char *text)
{
	const char *refused = refusal(b, text);

	b->in_query = true;
	b->has_statement = b->has_portal = false;
	if (refused != NULL) {
		(void)fail(b, refused, "refused");
		ready(b);
		return;
	}
	snprintf(b->rest, sizeof(b->rest), "%s", text);
	if (b->rest[0] == '\0') {
		message_bare(&b->out, 'I');
		ready(b);
		return;
	}
	run_rest(b);
}

/* A statement that was blocked has ended. */
static void goes_on(struct sim_backend *b, enum outcome outcome)
{
	if (!b->in_query) {
		b->skip = outcome == FAILED;
		return;
	}
	if (outcome == DONE)
		run_rest(b);
	else
		ready(b);
}

void backend_wake(struct sim_backend *b, bool cancelled)
{
	char tag[] = "SELECT 0";

	b->sleeping = false;
	goes_on(b, cancelled ? fail(b, "57014", "canceling statement due to user request") : complete(b, tag));
}

/* ---- the extended protocol ---- */

static void extended_fails(struct sim_backend *b, const char *sqlstate, const char *message)
{
	(void)fail(b, sqlstate, message);
	b->skip = true;
}

static bool ends_block(const char *text)
{
	return starts(text, "rollback") || starts(text, "commit");
}

static void parse(struct sim_backend *b, const char *name)
{
	const char *text = name + strlen(name) + 1, *refused = refusal(b, text);

	if (refused != NULL)
		extended_fails(b, refused, "refused");
	else if (starts(text, "syntax"))
		extended_fails(b, "42601", text);
	else if (b->status == 'E' && !ends_block(text))
		extended_fails(b, "25P02", "current transaction is aborted");
	else if (*name != '\0' && text_of(b, name) != NULL)
		extended_fails(b, "42P05", "prepared statement name is already in use");
	else if (keep_statement(b, name, text))
		message_bare(&b->out, '1');
}

static const char *existing(struct sim_backend *b, const char *name)
{
	const char *text = text_of(b, name);
	char line[100];

	snprintf(line, sizeof(line), "prepared statement \"%s\" does not exist", name);
	if (text == NULL)
		extended_fails(b, "26000", line);
	return text;
}

/* Behind the statement's name: no formats, perhaps one parameter. */
static void keep_parameter(struct sim_backend *b, const char *name)
{
	const uint8_t *at = (const uint8_t *)name + strlen(name) + 1;

	b->bound[0] = '\0';
	if (at[0] == 0 && at[1] == 0 && at[2] == 0 && at[3] == 1 && at[7] < sizeof(b->bound)) {
		memcpy(b->bound, at + 8, at[7]);
		b->bound[at[7]] = '\0';
	}
}

static void bind(struct sim_backend *b, const char *portal)
{
	const char *text = existing(b, portal + strlen(portal) + 1);

	if (text == NULL)
		return;
	if (b->status == 'E' && !ends_block(text)) {
		extended_fails(b, "25P02", "current transaction is aborted");
		return;
	}
	snprintf(b->portal, sizeof(b->portal), "%s", text);
	keep_parameter(b, portal + strlen(portal) + 1);
	b->has_portal = true;
	message_bare(&b->out, '2');
}

static void describe_result(struct sim_backend *b, const char *text)
{
	if (starts(text, "echo") || starts(text, "show"))
		describe_row(b);
	else if (starts(text, "lookup"))
		describe_lookup(b);
	else
		message_bare(&b->out, 'n');
}

static void describe_statement(struct sim_backend *b, const char *name)
{
	const char *text = existing(b, name);
	size_t at;

	if (text == NULL)
		return;
	if (b->status == 'E' && !ends_block(text)) {
		extended_fails(b, "25P02", "current transaction is aborted");
		return;
	}
	at = message_begin(&b->out, 't');
	message_i16(&b->out, 0);
	message_end(&b->out, at);
	describe_result(b, text);
}

static void describe(struct sim_backend *b, const char *body)
{
	if (body[0] == 'S')
		describe_statement(b, body + 1);
	else if (!b->has_portal)
		extended_fails(b, "34000", "portal does not exist");
	else
		describe_result(b, b->portal);
}

static void close_named(struct sim_backend *b, const char *body)
{
	if (body[0] == 'S')
		forget_statement(b, body + 1);
	message_bare(&b->out, '3');
}

static void execute(struct sim_backend *b)
{
	enum outcome outcome;

	if (!b->has_portal) {
		extended_fails(b, "34000", "portal does not exist");
		return;
	}
	if (b->portal[0] == '\0') {
		message_bare(&b->out, 'I');
		return;
	}
	outcome = run_statement(b, b->portal, false);
	if (outcome == FAILED)
		b->skip = true;
}

/* ---- COPY IN ---- */

static void copy_message(struct sim_backend *b, char type, const char *body, size_t len)
{
	char tag[32];

	switch (type) {
	case 'd':
		if (len >= 3 && memcmp(body, "bad", 3) == 0) {
			b->copying = false;
			goes_on(b, fail(b, "22P04", "bad data"));
		} else {
			b->copied++;
		}
		return;
	case 'c':
		b->copying = false;
		snprintf(tag, sizeof(tag), "COPY %u", b->copied);
		goes_on(b, complete(b, tag));
		return;
	case 'f':
		b->copying = false;
		goes_on(b, fail(b, "57014", "COPY from stdin failed"));
		return;
	case 'H':
	case 'S':
		return;
	default:
		b->copying = false;
		goes_on(b, fail(b, "08P01", "unexpected message type during COPY from stdin"));
	}
}

/* ---- messages ---- */

static void message(struct sim_backend *b, char type, const char *body, size_t len)
{
	if (type == 'X') {
		b->phase = BACKEND_GONE;
		return;
	}
	if (b->copying) {
		copy_message(b, type, body, len);
		return;
	}
	if (type == 'S') {
		b->skip = false;
		b->has_portal = b->has_portal && b->status != 'I';
		ready(b);
		return;
	}
	if (b->skip)
		return;
	switch (type) {
	case 'Q':
		query(b, body);
		break;
	case 'P':
		parse(b, body);
		break;
	case 'B':
		bind(b, body);
		break;
	case 'D':
		describe(b, body);
		break;
	case 'E':
		execute(b);
		break;
	case 'C':
		close_named(b, body);
		break;
	case 'H':
	case 'd':
	case 'c':
	case 'f': /* of a COPY that has failed */
		break;
	default:
		backend_die(b, "08P01", "invalid frontend message type");
	}
}

static uint32_t number_at(const char *bytes)
{
	const uint8_t *u = (const uint8_t *)bytes;

	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static void take_startup(struct sim_backend *b, const char *body, size_t len)
{
	const char *at = body, *end = body + len - 1;
	uint8_t key[4] = {(uint8_t)(b->key >> 24), (uint8_t)(b->key >> 16), (uint8_t)(b->key >> 8), (uint8_t)b->key};

	while (at < end && *at != '\0') {
		const char *name = at, *value = at + strlen(at) + 1;
		int i = param_number(name);

		at = value + strlen(value) + 1;
		if (strcmp(name, "database") == 0)
			snprintf(b->database, sizeof(b->database), "%s", value);
		else if (strcmp(name, "user") == 0)
			snprintf(b->user, sizeof(b->user), "%s", value);
		else if (i >= 0)
			snprintf(b->now.value[i], PARAM_BYTES, "%s", value);
	}
	b->at_start = b->now;
	message_auth_ok(&b->out);
	for (int i = 0; i < N_PARAMS; i++)
		report(b, i);
	message_parameter_status(&b->out, "server_version", "15.4");
	message_parameter_status(&b->out, "integer_datetimes", "on");
	message_backend_key(&b->out, b->pid, key, sizeof(key));
	message_ready(&b->out, 'I');
	b->phase = BACKEND_READY;
}

/* One message or packet behind the first `used` bytes of b->in; false: it is not complete. */
static bool run_one(struct sim_backend *b, size_t *used)
{
	const char *at = b->in.data + *used;
	size_t left = b->in.len - *used, head = b->phase == BACKEND_STARTUP ? 0 : 1, len;

	if (left < head + 4)
		return false;
	len = number_at(at + head);
	if (left < head + len)
		return false;
	*used += head + len;
	if (b->phase == BACKEND_READY) {
		message(b, at[0], at + 5, len - 4);
	} else if (number_at(at + 4) == 80877102u) {
		b->is_cancel = true;
		b->cancel_pid = number_at(at + 8);
		b->cancel_key = number_at(at + 12);
		b->phase = BACKEND_GONE;
	} else {
		take_startup(b, at + 8, len - 8);
	}
	return true;
}

void backend_run(struct sim_backend *b)
{
	size_t used = 0;

	while (b->phase != BACKEND_GONE && !b->sleeping && run_one(b, &used))
		;
	str_cut_front(&b->in, used);
}
