/* What a key of CancelRequest says, in PgBouncer's layout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/cancel_key.h"

static void a_key_without_peers_stays_random_but_for_its_first_bit(void **state)
{
	uint8_t key[CANCEL_KEY_BYTES];

	(void)state;
	memset(key, 0xff, sizeof(key));
	cancel_key_mark(key, 0);
	assert_memory_equal(key, "\x7f\xff\xff\xff\xff\xff\xff\xff", sizeof(key));
	memset(key, 0, sizeof(key));
	cancel_key_mark(key, 0);
	assert_memory_equal(key, "\0\0\0\0\0\0\0\0", sizeof(key));
}

static void a_key_says_who_has_made_it_and_nothing_else_of_it_changes(void **state)
{
	static const int ids[] = {1, 255, 256, 258, 16383};
	uint8_t key[CANCEL_KEY_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		memset(key, 0xa4, sizeof(key));
		cancel_key_mark(key, ids[i]);
		assert_int_equal(cancel_key_peer(key), ids[i]);
		assert_int_equal(key[1], ids[i] & 0xff);
		assert_int_equal(key[2], ids[i] >> 8);
		assert_int_equal(key[0], 0x24);
		assert_memory_equal(key + 3, "\xa4\xa4\xa4\xa4\xa7", 5);
	}
}

static void a_key_is_passed_on_three_times_and_then_restored(void **state)
{
	uint8_t key[CANCEL_KEY_BYTES] = {1, 2, 3, 4, 5, 6, 7, 0x80}, made[CANCEL_KEY_BYTES];

	(void)state;
	cancel_key_mark(key, 9);
	memcpy(made, key, sizeof(key));
	assert_true(cancel_key_pass_on(key));
	assert_int_equal(key[7], 0x82);
	assert_true(cancel_key_pass_on(key));
	assert_true(cancel_key_pass_on(key));
	assert_int_equal(key[7], 0x80);
	assert_false(cancel_key_pass_on(key));
	assert_int_equal(key[7], 0x80);
	cancel_key_restore(key);
	assert_memory_equal(key, made, sizeof(key));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_key_without_peers_stays_random_but_for_its_first_bit),
	    cmocka_unit_test(a_key_says_who_has_made_it_and_nothing_else_of_it_changes),
	    cmocka_unit_test(a_key_is_passed_on_three_times_and_then_restored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
