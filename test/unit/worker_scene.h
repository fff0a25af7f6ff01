/* Scenes that tests of the worker's files begin with, on the bench: somebody is logged in, a query has been answered.
 */
#ifndef TEST_WORKER_SCENE_H
#define TEST_WORKER_SCENE_H

#include "net/stream.h"
#include "worker_bench.h"

static inline struct client *only_client(struct bench *b)
{
	assert_int_equal(b->w->n_clients, 1);
	return container_of(list_first(&b->w->clients), struct client, on_worker);
}

static inline struct client *last_client(struct bench *b)
{
	assert_true(b->w->n_clients > 0);
	return container_of(b->w->clients.prev, struct client, on_worker);
}

static inline struct server *only_server(struct bench *b)
{
	assert_int_equal(b->w->n_servers, 1);
	return container_of(list_first(&b->w->servers), struct server, on_worker);
}

/* The client has been told this, and nothing later is an error. */
static inline void assert_told(const struct side *c, const char *message)
{
	struct report report;
	size_t len;
	const char *body = side_last(c, 'E', &len);

	assert_non_null(body);
	assert_true(report_parse(&report, body, len));
	assert_string_equal(report.message.data, message);
}

/* The text of a field of the last error that the client was told of; "" if it has none. */
static inline const char *told_hint(const struct side *c, struct report *report)
{
	size_t len;
	const char *body = side_last(c, 'E', &len);

	assert_non_null(body);
	assert_true(report_parse(report, body, len));
	return report->hint.data == NULL ? "" : report->hint.data;
}

/* The client has been told that its server was lost, whole: what, the facts, what to do. */
static inline void assert_told_of_loss(const struct side *c, const char *message, const char *detail)
{
	struct report r;
	const char *hint = told_hint(c, &r);

	if (strncmp(r.message.data, message, strlen(message)) != 0)
		fail_msg("told: %s", r.message.data);
	if (r.detail.data == NULL || strstr(r.detail.data, detail) == NULL)
		fail_msg("detail: %s", r.detail.data);
	assert_non_null(strstr(hint, "Connect again"));
}

/* auth_type=trust: a client that is idle, and a server that is. */
static inline struct side *scene_login(struct bench *b, struct side **s)
{
	struct side *c = bench_client(b);

	say_startup(b, c, "ann", "app");
	*s = bench_server(b);
	assert_non_null(*s);
	say_welcome(b, *s);
	assert_int_equal(only_client(b)->state, CLIENT_IDLE);
	return c;
}

static inline void scene_query(struct bench *b, struct side *c, const char *sql)
{
	struct str out;

	str_init(&out, 65536);
	message_query(&out, sql);
	side_say(b, c, &out);
	str_fini(&out);
}

static inline void scene_done(struct bench *b, struct side *s, const char *tag, char status)
{
	struct str out;

	str_init(&out, 65536);
	message_command_complete(&out, tag);
	message_ready(&out, status);
	side_say(b, s, &out);
	str_fini(&out);
}

/* The server's answer to our SET of the client's application_name. */
static inline void scene_set_done(struct bench *b, struct side *s)
{
	struct str out;

	str_init(&out, 4096);
	message_command_complete(&out, "SET");
	message_parameter_status(&out, "application_name", "test");
	message_ready(&out, 'I');
	side_say(b, s, &out);
	str_fini(&out);
}

/* The same, and the client's query is running on the server. */
static inline struct side *scene_running(struct bench *b, struct side **s, const char *sql)
{
	struct side *c = scene_login(b, s);
	size_t len;

	scene_query(b, c, sql);
	scene_set_done(b, *s);
	assert_string_equal(side_last(*s, 'Q', &len), sql);
	return c;
}

#endif
