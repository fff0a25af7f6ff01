/* Tests of src/pool/found_secret.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_mem.h"
#include "pool/found_secret.h"

static void a_secret_is_a_copy_with_its_end(void **state)
{
	char text[] = "secret and more";
	struct found_secret *s = found_secret_new(text, 6);

	(void)state;
	text[0] = 'x';
	assert_int_equal(s->len, 6);
	assert_string_equal(s->text, "secret");
	assert_ptr_equal(found_secret_of(&s->shared), s);
	assert_null(found_secret_of(NULL));
	shared_unref(&s->shared);
	assert_int_equal(mem_blocks, 0);
}

static void the_same_text_is_the_same_secret(void **state)
{
	struct found_secret *a = found_secret_new("one", 3), *b = found_secret_new("one", 3);
	struct found_secret *c = found_secret_new("onf", 3), *empty = found_secret_new("", 0);

	(void)state;
	assert_true(found_secret_same(a, b));
	assert_false(found_secret_same(a, c));
	assert_false(found_secret_same(a, empty));
	assert_false(found_secret_same(a, NULL));
	assert_false(found_secret_same(NULL, empty));
	assert_true(found_secret_same(NULL, NULL));
	b->by_client = true;
	assert_false(found_secret_same(a, b));
	shared_unref(&a->shared);
	shared_unref(&b->shared);
	shared_unref(&c->shared);
	shared_unref(&empty->shared);
}

static void without_memory_there_is_none(void **state)
{
	(void)state;
	mem_until_failure = 1;
	assert_null(found_secret_new("x", 1));
	mem_until_failure = 0;
	assert_int_equal(mem_blocks, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_secret_is_a_copy_with_its_end),
	    cmocka_unit_test(the_same_text_is_the_same_secret),
	    cmocka_unit_test(without_memory_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
