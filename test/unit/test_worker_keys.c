/* Keys that pools keep: copied, counted, gone with the last reference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "failing_mem.h"
#include "worker/keys.h"

static void keys_are_copied_and_freed_with_the_last_reference(void **state)
{
	struct scram_keys keys = {
	    .salt = {.iterations = 7, .len = 1, .bytes = {9}}, .client_key = {1}, .server_key = {2}};
	struct login_keys *k = login_keys_new(&keys);

	(void)state;
	assert_non_null(k);
	assert_memory_equal(&k->keys, &keys, sizeof(keys));
	keys.client_key[0] = 5;
	assert_int_equal(k->keys.client_key[0], 1);
	shared_ref(&k->shared);
	shared_unref(&k->shared);
	assert_int_equal(mem_blocks, 1);
	shared_unref(&k->shared);
	assert_int_equal(mem_blocks, 0);
}

static void without_memory_there_are_none(void **state)
{
	struct scram_keys keys = {.client_key = {1}};

	(void)state;
	mem_until_failure = 1;
	assert_null(login_keys_new(&keys));
	mem_until_failure = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keys_are_copied_and_freed_with_the_last_reference),
	    cmocka_unit_test(without_memory_there_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
