/* What tests of servers that die have in common. */
#ifndef TEST_LOSS_SCENE_H
#define TEST_LOSS_SCENE_H

#include "worker_scene.h"

/* Sends without letting anything happen: what several sides do so happens in one moment. */
static inline void raw(struct side *s, const char *data, size_t len)
{
	assert_int_equal(pair_send(s->fd, data, len), len);
}

static inline void raw_query(struct side *c, const char *sql)
{
	struct str out;

	str_init(&out, 4096);
	message_query(&out, sql);
	raw(c, str_text(&out), out.len);
	str_fini(&out);
}

static inline void raw_close(struct side *s)
{
	socket_close(s->fd);
	s->fd = -1;
	s->ended = true;
}

static inline void assert_asked(const struct side *s, const char *sql)
{
	size_t len;
	const char *got = side_last(s, 'Q', &len);

	assert_non_null(got);
	assert_string_equal(got, sql);
}

/* Another server is opened and serves the client, which has noticed nothing. */
static inline void another_serves(struct bench *b, struct side *c, const char *sql)
{
	struct side *s = bench_server(b);
	size_t len;

	assert_non_null(s);
	say_welcome(b, s);
	scene_set_done(b, s);
	assert_asked(s, sql);
	scene_done(b, s, "SELECT 9", 'I');
	assert_null(side_last(c, 'E', &len));
	assert_null(side_last(c, 'N', &len));
	assert_string_equal(side_last(c, 'C', &len), "SELECT 9");
	assert_false(c->ended);
}

#endif
