/* What the log says of many clients that are told the same. */
#include "worker_scene.h"

#include <unistd.h>

#include "log_file.h"
#include "pool/outage.h"
#include "worker/telling.h"

static struct outage *outage_since(uint64_t since_us)
{
	struct outage *o;
	struct verdict v;

	verdict_init(&v);
	v.class = "connection_refused";
	str_add_str(&v.message, "connection refused");
	o = outage_new(&v, since_us, 0, 1);
	assert_non_null(o);
	snprintf(o->incident, sizeof(o->incident), "0badcafe");
	return o;
}

/* A worker with one client, and its log in a file. */
struct scene {
	struct bench b;
	struct side *c, *s;
	struct seat *seat;
	struct letters out;
	char path[40], text[20000];
};

static struct scene *begin(void)
{
	struct scene *t = (struct scene *)calloc(1, sizeof(*t));
	int fd;

	assert_non_null(t);
	bench_init(&t->b, "auth_type=trust\nlog_pooler_errors=1");
	t->c = scene_login(&t->b, &t->s);
	t->seat = only_client(&t->b)->entry.seat;
	letters_init(&t->out);
	snprintf(t->path, sizeof(t->path), "/tmp/pgweir-telling.XXXXXX");
	fd = mkstemp(t->path);
	assert_true(fd >= 0);
	close(fd);
	log_set_format(t->b.log, LOG_FORMAT_JSON);
	assert_true(log_to_file(t->b.log, t->path));
	return t;
}

/* What the log has by now. */
static const char *logged(struct scene *t)
{
	FILE *f = fopen(t->path, "r");

	assert_non_null(f);
	t->text[fread(t->text, 1, sizeof(t->text) - 1, f)] = '\0';
	fclose(f);
	return t->text;
}

static void end(struct scene *t)
{
	bench_fini(&t->b);
	assert_int_equal(unlink(t->path), 0);
	free(t);
}

static void tell_some(struct scene *t, struct outage *o, int n, int n_lines)
{
	int lines = 0;

	for (int i = 0; i < n; i++)
		lines += telling_add(t->b.w, t->seat, o);
	assert_int_equal(lines, n_lines);
}

static void the_first_have_lines_and_the_end_of_the_outage_says_the_rest(void **state)
{
	struct scene *t = begin();
	struct outage *o = outage_since(1000);

	(void)state;
	shared_ref(&o->shared);
	pool_set_outage(t->seat->pool, o, false, &t->out);
	tell_some(t, o, 12, (int)TELLING_LINES);
	assert_int_equal(pool_take_told(t->seat->pool), 12);
	telling_tick(t->b.w);
	assert_string_equal(logged(t), "");
	assert_true(t->seat->kept); /* the pool must not go while there is something to say */
	pool_set_outage(t->seat->pool, NULL, false, &t->out);
	telling_tick(t->b.w);
	assert_false(t->seat->kept);
	assert_non_null(strstr(logged(t),
	                       "\"event\":\"clients_told\",\"class\":\"connection_refused\",\"database\":\"app\","
	                       "\"user\":\"ann\",\"incident\":\"0badcafe\",\"count\":7,"
	                       "\"text\":\"db=app user=ann: and 7 more clients were told the same: "
	                       "connection refused\"}\n"));
	shared_unref(&o->shared);
	end(t);
}

static void a_long_outage_is_said_once_a_minute(void **state)
{
	struct scene *t = begin();
	struct outage *o = outage_since(1000);
	const char *first;

	(void)state;
	shared_ref(&o->shared);
	pool_set_outage(t->seat->pool, o, false, &t->out);
	tell_some(t, o, 6, (int)TELLING_LINES);
	t->seat->telling.line_us = worker_now_us(t->b.w) - 61 * US_PER_S;
	telling_tick(t->b.w);
	first = strstr(logged(t), "and 1 more client was told the same");
	assert_non_null(first);
	tell_some(t, o, 2, 0);
	telling_tick(t->b.w);
	assert_null(strstr(logged(t), "and 2 more"));
	t->seat->telling.line_us = worker_now_us(t->b.w) - 61 * US_PER_S;
	telling_tick(t->b.w);
	assert_non_null(strstr(logged(t), "and 2 more"));
	shared_unref(&o->shared);
	end(t);
}

static void another_outage_says_the_rest_of_the_first_and_begins_anew(void **state)
{
	struct scene *t = begin();
	struct outage *o = outage_since(1000), *other = outage_since(2000);

	(void)state;
	tell_some(t, o, 9, (int)TELLING_LINES);
	tell_some(t, other, 3, 3);
	assert_non_null(strstr(logged(t), "and 4 more"));
	tell_some(t, other, 10, 2);
	telling_end(t->b.w);
	assert_non_null(strstr(logged(t), "and 8 more"));
	shared_unref(&o->shared);
	shared_unref(&other->shared);
	end(t);
}

static void many_attempts_in_vain_are_not_said_until_one_gets_in(void **state)
{
	struct scene *t = begin();
	unsigned said = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		said += telling_attempt(t->seat);
	assert_int_equal(said, TELLING_LINES);
	telling_welcome(t->seat);
	assert_true(telling_attempt(t->seat));
	end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_first_have_lines_and_the_end_of_the_outage_says_the_rest),
	    cmocka_unit_test(a_long_outage_is_said_once_a_minute),
	    cmocka_unit_test(another_outage_says_the_rest_of_the_first_and_begins_anew),
	    cmocka_unit_test(many_attempts_in_vain_are_not_said_until_one_gets_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
