/* The login reply: made once for the same wishes, made anew for others, and by no other edition. */
#include "find.h"
#include "worker_scene.h"

#include "worker/greeting.h"

static const char reported[] = "server_version\0"
                               "15.5\0"
                               "TimeZone\0UTC\0";

static struct welcome *new_welcome(struct bench *b)
{
	struct params *p = params_with(params_empty(b->office->params), "TimeZone", "UTC");
	struct welcome *welcome = welcome_new(p, reported, sizeof(reported) - 1);

	assert_non_null(welcome);
	params_unref(p);
	return welcome;
}

static struct params *wishes(struct bench *b, const char *name, const char *value)
{
	struct params *p = params_with(params_empty(b->office->params), name, value);

	assert_non_null(p);
	return p;
}

static bool greets_with(const struct bench *b, const char *name, const char *value)
{
	const struct str *g = &b->w->greeting;
	struct str wanted;
	bool found;

	str_init(&wanted, 4096);
	message_parameter_status(&wanted, name, value);
	found = find_bytes(g->data, g->len, wanted.data, wanted.len) != NULL;
	str_fini(&wanted);
	return found;
}

static void the_same_wishes_give_the_same_bytes_without_making_them_again(void **state)
{
	struct bench b;
	struct welcome *welcome;
	struct params *own;

	(void)state;
	bench_init(&b, "");
	welcome = new_welcome(&b);
	own = wishes(&b, "TimeZone", "CET");
	assert_true(greeting_prepare(b.w, welcome, own, POOL_MODE_SESSION));
	assert_true(greets_with(&b, "TimeZone", "CET"));
	assert_true(greets_with(&b, "server_version", "15.5"));
	/* whoever makes it again undoes this */
	b.w->greeting.data[0] = '!';
	assert_true(greeting_prepare(b.w, welcome, own, POOL_MODE_SESSION));
	assert_int_equal(b.w->greeting.data[0], '!');
	params_unref(own);
	shared_unref(&welcome->shared);
	bench_fini(&b);
}

static void other_wishes_modes_and_welcomes_give_others(void **state)
{
	struct bench b;
	struct welcome *welcome, *next;
	struct params *own, *other;

	(void)state;
	bench_init(&b, "");
	welcome = new_welcome(&b);
	next = new_welcome(&b);
	own = wishes(&b, "TimeZone", "CET");
	other = wishes(&b, "TimeZone", "EET");
	assert_true(greeting_prepare(b.w, welcome, own, POOL_MODE_SESSION));
	assert_true(greeting_prepare(b.w, welcome, other, POOL_MODE_SESSION));
	assert_true(greets_with(&b, "TimeZone", "EET"));
	assert_false(greets_with(&b, "TimeZone", "CET"));
	assert_string_equal(params_value(b.w->greeting_params, "TimeZone"), "EET");
	assert_true(greets_with(&b, "pgbouncer.pool_mode", "session"));
	assert_true(greeting_prepare(b.w, welcome, other, POOL_MODE_TRANSACTION));
	assert_true(greets_with(&b, "pgbouncer.pool_mode", "transaction"));
	b.w->greeting.data[0] = '!';
	assert_true(greeting_prepare(b.w, next, other, POOL_MODE_TRANSACTION));
	assert_int_equal(b.w->greeting.data[0], 'R');
	params_unref(own);
	params_unref(other);
	shared_unref(&welcome->shared);
	shared_unref(&next->shared);
	bench_fini(&b);
}

static void wishes_that_the_server_does_not_know_are_not_reported(void **state)
{
	struct bench b;
	struct welcome *welcome;
	struct params *own;

	(void)state;
	bench_init(&b, "");
	welcome = new_welcome(&b);
	own = wishes(&b, "DateStyle", "German");
	assert_true(greeting_prepare(b.w, welcome, own, POOL_MODE_SESSION));
	assert_false(greets_with(&b, "DateStyle", "German"));
	assert_true(greets_with(&b, "TimeZone", "UTC"));
	/* but will be set on each server */
	assert_string_equal(params_value(b.w->greeting_params, "DateStyle"), "German");
	params_unref(own);
	shared_unref(&welcome->shared);
	bench_fini(&b);
}

static void a_new_edition_forgets_it(void **state)
{
	struct bench b;
	struct welcome *welcome;
	struct params *own;

	(void)state;
	bench_init(&b, "");
	welcome = new_welcome(&b);
	own = params_empty(b.office->params);
	assert_true(greeting_prepare(b.w, welcome, own, POOL_MODE_SESSION));
	assert_true(b.w->greeting.len > 0);
	worker_set_config(b.w, b.conf);
	assert_int_equal(b.w->greeting.len, 0);
	assert_null(b.w->greeting_welcome);
	assert_null(b.w->greeting_params);
	params_unref(own);
	shared_unref(&welcome->shared);
	bench_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_same_wishes_give_the_same_bytes_without_making_them_again),
	    cmocka_unit_test(other_wishes_modes_and_welcomes_give_others),
	    cmocka_unit_test(wishes_that_the_server_does_not_know_are_not_reported),
	    cmocka_unit_test(a_new_edition_forgets_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
