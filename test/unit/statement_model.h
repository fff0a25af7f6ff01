/*
 * A model of PostgreSQL's prepared statements: what is said to it and what it answers, as bytes; and stories of
 * answers, to compare what a client reads through the pooler with what it would read directly.
 */
#ifndef TEST_STATEMENT_MODEL_H
#define TEST_STATEMENT_MODEL_H

#include "worker_bench.h"

#define NAMES_MAX 64
#define NAME_KEPT 63 /* bytes of a name that count */

struct model {
	struct {
		char name[64], sql[64];
	} st[NAMES_MAX];
	int n, most;
	char portal[64]; /* its statement's text; "": there is none */
	bool skips;
	char status; /* of ReadyForQuery */
	size_t read; /* of what was said to it */
	struct str out;
};

static inline void model_init(struct model *m)
{
	memset(m, 0, sizeof(*m));
	m->status = 'I';
	str_init(&m->out, 1u << 20);
}

static inline int model_find(const struct model *m, const char *name)
{
	for (int i = 0; i < m->n; i++)
		if (strncmp(m->st[i].name, name, NAME_KEPT) == 0)
			return i;
	return -1;
}

static inline void model_error(struct model *m, const char *code)
{
	struct words words = {"ERROR", code, "no", NULL, NULL};

	message_error(&m->out, &words);
	m->skips = true;
	if (m->status == 'T')
		m->status = 'E';
}

/* In a failed transaction. */
static inline bool model_refuses(struct model *m)
{
	if (m->status != 'E')
		return false;
	model_error(m, "25P02");
	return true;
}

static inline void model_remove(struct model *m, int i)
{
	if (i >= 0)
		m->st[i] = m->st[--m->n];
}

/* Types, or formats: a count and as many of that size. */
static inline bool model_list(struct reader *r, size_t each)
{
	(void)reader_bytes(r, each * (size_t)(uint16_t)reader_i16(r));
	return !r->failed;
}

static inline void model_parse(struct model *m, struct reader *r)
{
	const char *name = reader_cstring(r).data, *sql = reader_cstring(r).data;

	if (!model_list(r, 4) || !reader_is_done(r)) {
		model_error(m, "08P01");
	} else if (strstr(sql, "wrong") != NULL) {
		model_error(m, "42601"); /* in a failed transaction, too */
	} else if (model_refuses(m)) {
		return;
	} else if (*name != '\0' && model_find(m, name) >= 0) {
		model_error(m, "42P05");
	} else {
		model_remove(m, model_find(m, name));
		assert_true(m->n < NAMES_MAX);
		snprintf(m->st[m->n].name, sizeof(m->st[0].name), "%.*s", NAME_KEPT, name);
		snprintf(m->st[m->n++].sql, sizeof(m->st[0].sql), "%.63s", sql);
		message_bare(&m->out, '1');
	}
	m->most = m->n > m->most ? m->n : m->most;
}

/* Formats, values, formats of the result; and nothing else. */
static inline bool model_values(struct reader *r)
{
	uint16_t n;

	if (!model_list(r, 2))
		return false;
	n = (uint16_t)reader_i16(r);
	for (uint16_t i = 0; i < n && !r->failed; i++) {
		int32_t len = reader_i32(r);

		if (len > 0)
			(void)reader_bytes(r, (size_t)len);
	}
	return model_list(r, 2) && reader_is_done(r);
}

static inline void model_bind(struct model *m, struct reader *r)
{
	struct bytes name;
	int i;

	(void)reader_cstring(r);
	name = reader_cstring(r);
	i = r->failed ? -1 : model_find(m, name.data);
	if (r->failed) {
		model_error(m, "08P01");
		return;
	}
	if (i < 0) {
		model_error(m, "26000");
		return;
	}
	if (model_refuses(m))
		return;
	if (!model_values(r)) {
		model_error(m, "08P01");
		return;
	}
	snprintf(m->portal, sizeof(m->portal), "%s", m->st[i].sql);
	message_bare(&m->out, '2');
}

static inline void model_describe_statement(struct model *m, const char *name)
{
	size_t at;

	if (model_find(m, name) < 0) {
		model_error(m, "26000");
		return;
	}
	if (model_refuses(m))
		return;
	at = message_begin(&m->out, 't');
	message_i16(&m->out, 0);
	message_end(&m->out, at);
	message_bare(&m->out, 'n');
}

static inline void model_describe_portal(struct model *m)
{
	if (m->portal[0] == '\0')
		model_error(m, "34000");
	else if (!model_refuses(m))
		message_bare(&m->out, 'n');
}

/* Describe and Close: of which kind, and the name. */
static inline void model_of(struct model *m, char type, struct reader *r)
{
	char kind = (char)reader_u8(r);
	struct bytes name = reader_cstring(r);

	if (!reader_is_done(r) || (kind != 'S' && kind != 'P')) {
		model_error(m, "08P01");
	} else if (type == 'D') {
		if (kind == 'S')
			model_describe_statement(m, name.data);
		else
			model_describe_portal(m);
	} else {
		if (kind == 'S')
			model_remove(m, model_find(m, name.data));
		else
			m->portal[0] = '\0';
		message_bare(&m->out, '3');
	}
}

static inline void model_execute(struct model *m)
{
	const char *row[] = {m->portal};

	if (model_refuses(m))
		return;
	if (m->portal[0] == '\0' || strstr(m->portal, "fails") != NULL) {
		model_error(m, "22012");
		return;
	}
	message_data_row(&m->out, row, 1);
	message_command_complete(&m->out, "SELECT 1");
}

/* The unnamed statement does not outlive its transaction: another server would not have it. */
static inline void model_ready(struct model *m)
{
	m->portal[0] = '\0';
	if (m->status == 'I')
		model_remove(m, model_find(m, ""));
	message_ready(&m->out, m->status);
}

/* Commands whose tag is their first word. */
static inline bool model_is_one_word(const char *tag)
{
	return strcmp(tag, "SET") == 0 || strcmp(tag, "PREPARE") == 0 || strcmp(tag, "DEALLOCATE") == 0;
}

/* DEALLOCATE of a name, quoted or not, and PREPARE of a quoted one. */
static inline bool model_statement_command(struct model *m, const char *sql)
{
	char name[NAME_KEPT + 1] = "";
	int i;

	if (sscanf(sql, "PREPARE \"%63[^\"]\"", name) == 1) {
		assert_true(model_find(m, name) < 0 && m->n < NAMES_MAX);
		snprintf(m->st[m->n].name, sizeof(m->st[0].name), "%s", name);
		snprintf(m->st[m->n++].sql, sizeof(m->st[0].sql), "%s", sql);
		return true;
	}
	if (sscanf(sql, "DEALLOCATE \"%63[^\"]\"", name) != 1 && sscanf(sql, "DEALLOCATE %63s", name) != 1)
		return true;
	i = model_find(m, name);
	if (i < 0)
		model_error(m, "26000");
	model_remove(m, i);
	return i >= 0;
}

static inline void model_query(struct model *m, const char *sql)
{
	char tag[16] = "";
	bool done = true;

	if (strcmp(sql, "ROLLBACK") == 0)
		m->status = 'I';
	if (!model_refuses(m)) {
		(void)sscanf(sql, "%15s", tag);
		if (strcmp(sql, "BEGIN") == 0)
			m->status = 'T';
		if (strcmp(tag, "SET") == 0)
			message_parameter_status(&m->out, "application_name", "test");
		else if (strcmp(sql, "DEALLOCATE ALL") == 0)
			m->n = 0;
		else
			done = model_statement_command(m, sql);
		if (done)
			message_command_complete(
			    &m->out, model_is_one_word(tag) && strcmp(sql, "DEALLOCATE ALL") != 0 ? tag : sql);
	}
	m->skips = false; /* an error ends the query only */
	model_ready(m);
}

static inline void model_take(struct model *m, char type, const char *body, size_t len)
{
	struct reader r;

	reader_init(&r, body, len);
	if (type == 'S') {
		m->skips = false;
		model_ready(m);
	} else if (m->skips) {
		return;
	} else if (type == 'P') {
		model_parse(m, &r);
	} else if (type == 'B') {
		model_bind(m, &r);
	} else if (type == 'D' || type == 'C') {
		model_of(m, type, &r);
	} else if (type == 'E') {
		model_execute(m);
	} else if (type == 'Q') {
		model_query(m, body);
	}
}

/* All whole messages that it has not seen. */
static inline void model_read(struct model *m, const struct str *said)
{
	while (said->len - m->read >= 5) {
		const char *at = str_text(said) + m->read;
		struct reader r;
		size_t total;

		reader_init(&r, at + 1, 4);
		total = reader_u32(&r) + 1u;
		if (said->len - m->read < total)
			break;
		model_take(m, *at, at + 5, total - 5);
		m->read += total;
	}
}

/* ---- what clients say ---- */

static inline void say_parse(struct str *out, const char *name, const char *sql)
{
	size_t at = message_begin(out, 'P');

	message_cstring(out, name);
	message_cstring(out, sql);
	message_i16(out, 1);
	message_i32(out, 23);
	message_end(out, at);
}

static inline void say_bind(struct str *out, const char *name)
{
	size_t at = message_begin(out, 'B');

	message_cstring(out, "");
	message_cstring(out, name);
	message_bytes(out, "\0\0\0\1\0\0\0\1x\0\0", 11);
	message_end(out, at);
}

static inline void say_of(struct str *out, char type, const char *name)
{
	size_t at = message_begin(out, type);

	message_u8(out, 'S');
	message_cstring(out, name);
	message_end(out, at);
}

static inline void say_execute(struct str *out)
{
	size_t at = message_begin(out, 'E');

	message_cstring(out, "");
	message_i32(out, 0);
	message_end(out, at);
}

/* ---- stories: types, rows and codes ---- */

static inline void tell(struct str *story, const struct str *got)
{
	const char *at = str_text(got), *end = at + got->len;

	while (end - at >= 5) {
		struct report report;
		struct reader r;
		size_t total;

		reader_init(&r, at + 1, 4);
		total = reader_u32(&r) + 1u;
		if ((size_t)(end - at) < total)
			break;
		str_add_char(story, *at);
		if (*at == 'E' && report_parse(&report, at + 5, total - 5))
			str_printf(story, "(%s)", report.sqlstate.data);
		else if (*at == 'D')
			str_printf(story, "(%.*s)", (int)(total - 11), at + 11);
		at += total;
	}
	if (at < end)
		str_add_str(story, "…");
}

#endif
