/* MD5 passwords against values of PostgreSQL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/md5.h"

#define PENCIL_USER "20c46e3762c864548e296b33c3406aa9"

/* md5('pencil' || 'user') as psql says it, and what libpq then sends for the salt 01 02 03 04. */
static void secret_and_answer_are_as_the_protocol_says(void **state)
{
	static const uint8_t key[MOCK_KEY_BYTES] = {0}, salt[4] = {1, 2, 3, 4};
	struct auth_context *ctx = auth_context_new(key);
	char secret[MD5_SECRET_BYTES + 1], answer[MD5_SECRET_BYTES + 1], expected[MD5_HEX_BYTES + 1];

	(void)state;
	assert_non_null(ctx);
	assert_true(md5_secret(ctx, "user", "pencil", 6, secret));
	assert_string_equal(secret, "md5" PENCIL_USER);
	assert_true(md5_answer(ctx, secret, salt, answer));
	assert_true(auth_md5_hex(ctx, PENCIL_USER, MD5_HEX_BYTES, salt, 4, expected));
	assert_memory_equal(answer, "md5", 3);
	assert_string_equal(answer + 3, expected);
	auth_context_free(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(secret_and_answer_are_as_the_protocol_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
