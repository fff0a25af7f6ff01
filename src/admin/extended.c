/*
 * Statements and portals of a console connection. A statement is a command taken apart; a portal is a copy of it, its
 * rows once they are there, and how far they have been sent. Main thread.
 *
 *	terminal → extended_message → execute → command_run → … → extended_take_rows, extended_done
 */
#include "admin/extended.h"

#include <stdio.h>
#include <string.h>

#include "admin/binary.h"
#include "admin/commands.h"
#include "admin/terminal.h"
#include "base/mem.h"
#include "wire/message.h"
#include "wire/sqlstate.h"

#define ROWS_MAX_BYTES ((size_t)1 << 30)

/* In a list; the unnamed one has the name "". */
struct statement {
	struct list on_list;
	char *name;
	struct request request;
};

struct portal {
	struct list on_list;
	char *name;
	struct request request;
	binary_columns binary;
	bool has_run;    /* `rows` and `tag` are there */
	struct str rows; /* all that the command has answered */
	size_t sent;     /* bytes of `rows` */
	char tag[PARSE_ARGUMENT_MAX + PARSE_VALUE_MAX + 16];
};

static struct statement *statement_of(struct list *node)
{
	return container_of(node, struct statement, on_list);
}

static struct portal *portal_of(struct list *node)
{
	return container_of(node, struct portal, on_list);
}

/* ---- the two lists ---- */

void extended_init(struct extended *x)
{
	list_init(&x->statements);
	list_init(&x->portals);
}

static void statement_free(struct extended *x, struct statement *s)
{
	if (s == NULL)
		return;
	list_remove(&s->on_list);
	x->n_statements--;
	mem_free(s->name);
	mem_free(s);
}

static void portal_free(struct extended *x, struct portal *p)
{
	if (p == NULL)
		return;
	list_remove(&p->on_list);
	x->n_portals--;
	str_fini(&p->rows);
	mem_free(p->name);
	mem_free(p);
}

static void forget_statements(struct extended *x)
{
	struct list *node;

	while ((node = list_first(&x->statements)) != NULL)
		statement_free(x, statement_of(node));
}

static void forget_portals(struct extended *x)
{
	struct list *node;

	x->running = NULL;
	while ((node = list_first(&x->portals)) != NULL)
		portal_free(x, portal_of(node));
}

void extended_fini(struct extended *x)
{
	forget_portals(x);
	forget_statements(x);
}

/* NULL when there is none. */
static struct statement *find_statement(struct extended *x, const char *name)
{
	struct list *node;

	list_each (node, &x->statements) {
		if (strcmp(statement_of(node)->name, name) == 0)
			return statement_of(node);
	}
	return NULL;
}

static struct portal *find_portal(struct extended *x, const char *name)
{
	struct list *node;

	list_each (node, &x->portals) {
		if (strcmp(portal_of(node)->name, name) == 0)
			return portal_of(node);
	}
	return NULL;
}

bool extended_deallocate(struct extended *x, const char *name)
{
	struct statement *s = name == NULL ? NULL : find_statement(x, name);

	if (name == NULL)
		forget_statements(x);
	statement_free(x, s);
	return name == NULL || s != NULL;
}

/* ---- answers ---- */

/* An error of this protocol, which PgBouncer's console does not have: with its own SQLSTATE. `name` may be NULL. */
static void refuse(struct terminal *t, const char *sqlstate, const char *form, const char *name)
{
	struct control_reply reply = {.sqlstate = sqlstate};
	const char *at = strstr(form, "%s");
	struct str text;

	str_init(&text, EXTENDED_NAME_MAX + 256);
	str_add(&text, form, at == NULL ? strlen(form) : (size_t)(at - form));
	if (at != NULL) {
		str_add_str(&text, name);
		str_add_str(&text, at + 2);
	}
	reply.error = str_text(&text);
	terminal_refuse(t, &reply);
	str_fini(&text);
}

static void answer_bare(struct terminal *t, char type)
{
	struct str out;

	str_init(&out, 64);
	message_bare(&out, type);
	terminal_send(t, &out);
}

static void answer_malformed(struct terminal *t)
{
	terminal_fail(t, SQLSTATE_PROTOCOL, "bad packet");
}

/* RowDescription, or NoData. */
static void add_shape(struct str *out, const struct request *request, binary_columns binary)
{
	struct request_columns columns;

	request_describe(request, &columns);
	if (columns.n == 0)
		message_bare(out, 'n');
	else
		message_row_description_in(out, columns.columns, columns.n, binary);
}

/* ---- Parse ---- */

static void add_statement(struct terminal *t, const char *name, const struct request *request)
{
	struct extended *x = &t->extended;
	struct statement *s = mem_new(struct statement);
	char *copy = mem_copy_str(name);

	if (s == NULL || copy == NULL) {
		mem_free(s);
		mem_free(copy);
		terminal_error(t, SQLSTATE_NO_MEMORY, "no mem");
		return;
	}
	s->name = copy;
	s->request = *request;
	list_init(&s->on_list);
	list_add_head(&x->statements, &s->on_list);
	x->n_statements++;
	answer_bare(t, '1');
}

static void run_parse(struct terminal *t, struct reader *r)
{
	struct extended *x = &t->extended;
	struct bytes name = reader_cstring(r), text = reader_cstring(r);
	int16_t n_types = reader_i16(r);
	struct request request;

	(void)reader_bytes(r, n_types < 0 ? 0 : (size_t)n_types * 4);
	if (!reader_is_done(r) || n_types < 0) {
		answer_malformed(t);
		return;
	}
	if (name.len == 0) /* also if this one fails */
		statement_free(x, find_statement(x, ""));
	if (name.len > EXTENDED_NAME_MAX)
		refuse(t, SQLSTATE_PROGRAM_LIMIT, "the name of a prepared statement is too long", NULL);
	else if (find_statement(x, name.data) != NULL)
		refuse(t, SQLSTATE_DUPLICATE_STATEMENT, "prepared statement \"%s\" already exists", name.data);
	else if (x->n_statements >= EXTENDED_STATEMENTS_MAX)
		refuse(t, SQLSTATE_PROGRAM_LIMIT, "too many prepared statements", NULL);
	else if (n_types > 0)
		refuse(t, SQLSTATE_NOT_SUPPORTED, "commands of the console have no parameters", NULL);
	else if (command_read(t, text.data, &request))
		add_statement(t, name.data, &request);
}

/* ---- Bind ---- */

/* The formats of results, as Bind has them: none is text, one is for all, else one for each. */
static bool read_formats(struct reader *r, binary_columns *binary, int16_t *n)
{
	*n = reader_i16(r);
	*binary = 0;
	for (int16_t i = 0; i < *n; i++) {
		int16_t format = reader_i16(r);

		if (format != 0 && format != 1)
			return false;
		if (format == 1 && (unsigned)i < BINARY_COLUMNS_MAX)
			*binary |= (binary_columns)1 << i;
	}
	if (*n == 1 && *binary == 1)
		*binary = ~(binary_columns)0;
	return *n >= 0 && reader_is_done(r);
}

static void add_portal(struct terminal *t, const char *name, const struct statement *s, binary_columns binary)
{
	struct extended *x = &t->extended;
	struct portal *p = mem_new(struct portal);
	char *copy = mem_copy_str(name);

	if (p == NULL || copy == NULL) {
		mem_free(p);
		mem_free(copy);
		terminal_error(t, SQLSTATE_NO_MEMORY, "no mem");
		return;
	}
	p->name = copy;
	p->request = s->request;
	p->binary = binary;
	str_init(&p->rows, ROWS_MAX_BYTES);
	list_init(&p->on_list);
	list_add_head(&x->portals, &p->on_list);
	x->n_portals++;
	answer_bare(t, '2');
}

static void bind_portal(struct terminal *t, const char *name, const struct statement *s, binary_columns binary,
                        int16_t n_formats)
{
	struct extended *x = &t->extended;
	struct request_columns columns;

	request_describe(&s->request, &columns);
	if (n_formats > 1 && (unsigned)n_formats != columns.n)
		refuse(t, SQLSTATE_PROTOCOL, "bind message has another number of result formats than there are columns",
		       NULL);
	else if (find_portal(x, name) != NULL)
		refuse(t, SQLSTATE_DUPLICATE_PORTAL, "portal \"%s\" already exists", name);
	else if (x->n_portals >= EXTENDED_PORTALS_MAX)
		refuse(t, SQLSTATE_PROGRAM_LIMIT, "too many portals", NULL);
	else
		add_portal(t, name, s, binary);
}

static void run_bind(struct terminal *t, struct reader *r)
{
	struct extended *x = &t->extended;
	struct bytes portal = reader_cstring(r), name = reader_cstring(r);
	int16_t n_parameter_formats = reader_i16(r), n_formats, n_parameters;
	const struct statement *s;
	binary_columns binary;

	(void)reader_bytes(r, n_parameter_formats < 0 ? 0 : (size_t)n_parameter_formats * 2);
	n_parameters = reader_i16(r);
	if (!r->failed && n_parameters > 0) {
		refuse(t, SQLSTATE_PROTOCOL, "commands of the console have no parameters", NULL);
		return;
	}
	if (!read_formats(r, &binary, &n_formats) || n_parameter_formats < 0 || n_parameters < 0) {
		answer_malformed(t);
		return;
	}
	s = find_statement(x, name.data);
	if (portal.len == 0)
		portal_free(x, find_portal(x, ""));
	if (portal.len > EXTENDED_NAME_MAX)
		refuse(t, SQLSTATE_PROGRAM_LIMIT, "the name of a portal is too long", NULL);
	else if (s == NULL)
		refuse(t, SQLSTATE_NO_STATEMENT,
		       name.len == 0 ? "unnamed prepared statement does not exist"
		                     : "prepared statement \"%s\" does not exist",
		       name.len > EXTENDED_NAME_MAX ? "…" : name.data);
	else
		bind_portal(t, portal.data, s, binary, n_formats);
}

/* ---- Describe, Close ---- */

/* 'S' or 'P' and a name. */
static bool read_target(struct reader *r, char *kind, const char **name)
{
	struct bytes text;

	*kind = (char)reader_u8(r);
	text = reader_cstring(r);
	*name = text.len > EXTENDED_NAME_MAX ? "…" : text.data; /* there can be none of that name */
	return reader_is_done(r) && (*kind == 'S' || *kind == 'P');
}

static void run_describe(struct terminal *t, struct reader *r)
{
	const struct statement *s = NULL;
	const struct portal *p = NULL;
	const char *name;
	struct str out;
	char kind;

	if (!read_target(r, &kind, &name)) {
		answer_malformed(t);
		return;
	}
	if (kind == 'S')
		s = find_statement(&t->extended, name);
	else
		p = find_portal(&t->extended, name);
	if (s == NULL && p == NULL) {
		refuse(t, kind == 'S' ? SQLSTATE_NO_STATEMENT : SQLSTATE_NO_PORTAL,
		       kind == 'S' ? "prepared statement \"%s\" does not exist" : "portal \"%s\" does not exist", name);
		return;
	}
	str_init(&out, 1 << 16);
	if (s != NULL)
		message_no_parameters(&out);
	add_shape(&out, s != NULL ? &s->request : &p->request, s != NULL ? 0 : p->binary);
	terminal_send(t, &out);
}

/* Closing what is not there succeeds, as in PostgreSQL. */
static void run_close(struct terminal *t, struct reader *r)
{
	struct extended *x = &t->extended;
	const char *name;
	char kind;

	if (!read_target(r, &kind, &name)) {
		answer_malformed(t);
		return;
	}
	if (kind == 'S')
		statement_free(x, find_statement(x, name));
	else
		portal_free(x, find_portal(x, name));
	answer_bare(t, '3');
}

/* ---- Execute ---- */

/* Appends rows until the limit. False: one cannot be had in binary. */
static bool add_rows(struct portal *p, int32_t limit, struct str *out)
{
	struct request_columns columns;

	request_describe(&p->request, &columns);
	for (int32_t n = 0; p->sent < p->rows.len && (limit <= 0 || n < limit); n++) {
		size_t used =
		    binary_row(out, columns.columns, p->binary, p->rows.data + p->sent, p->rows.len - p->sent);

		if (used == 0)
			return false;
		p->sent += used;
	}
	return true;
}

static void add_portion(struct terminal *t, struct portal *p, struct str *out)
{
	if (!add_rows(p, t->extended.limit, out))
		out->failed = true;
	else if (p->sent < p->rows.len)
		message_bare(out, 's');
	else
		message_command_complete(out, p->tag);
}

void extended_take_rows(struct terminal *t, struct str *rows)
{
	struct portal *p = t->extended.running;

	str_fini(&p->rows);
	p->rows = *rows;
	str_init(rows, rows->limit);
}

void extended_done(struct terminal *t, const char *tag, struct str *out)
{
	struct portal *p = t->extended.running;

	t->extended.running = NULL;
	p->has_run = true;
	snprintf(p->tag, sizeof(p->tag), "%s", tag);
	if (p->rows.failed)
		out->failed = true;
	else
		add_portion(t, p, out);
}

static void execute_more(struct terminal *t, struct portal *p)
{
	struct str out;

	str_init(&out, ROWS_MAX_BYTES);
	add_portion(t, p, &out);
	terminal_send(t, &out);
}

static void run_execute(struct terminal *t, struct reader *r)
{
	struct extended *x = &t->extended;
	struct bytes name = reader_cstring(r);
	int32_t limit = reader_i32(r);
	struct portal *p;

	if (!reader_is_done(r)) {
		answer_malformed(t);
		return;
	}
	p = find_portal(x, name.data);
	if (p == NULL) {
		refuse(t, SQLSTATE_NO_PORTAL, "portal \"%s\" does not exist",
		       name.len > EXTENDED_NAME_MAX ? "…" : name.data);
		return;
	}
	x->limit = limit;
	if (p->has_run) {
		execute_more(t, p);
	} else if (p->request.command == NULL) {
		answer_bare(t, 'I');
	} else {
		x->running = p;
		terminal_count_query(t);
		command_run(t, &p->request);
	}
}

/* ---- messages ---- */

static void run_sync(struct terminal *t)
{
	struct str out;

	t->extended.in_request = t->extended.skipping = false;
	forget_portals(&t->extended);
	str_init(&out, 64);
	message_ready(&out, 'I');
	terminal_send(t, &out);
}

void extended_end(struct terminal *t)
{
	struct extended *x = &t->extended;

	x->in_request = false;
	forget_portals(x);
	statement_free(x, find_statement(x, ""));
}

void extended_message(struct terminal *t, uint8_t type, const char *body, size_t len)
{
	struct extended *x = &t->extended;
	struct reader r;

	if (type == 'S') {
		run_sync(t);
		return;
	}
	if (x->skipping)
		return;
	x->in_request = true;
	reader_init(&r, body, len);
	if (type == 'P')
		run_parse(t, &r);
	else if (type == 'B')
		run_bind(t, &r);
	else if (type == 'D')
		run_describe(t, &r);
	else if (type == 'E')
		run_execute(t, &r);
	else
		run_close(t, &r);
}
