/* Digests against published vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/context.h"

static const uint8_t mock_key[MOCK_KEY_BYTES] = {1, 2, 3};

static struct auth_context *ctx;

static int make_context(void **state)
{
	(void)state;
	ctx = auth_context_new(mock_key);
	return ctx == NULL ? -1 : 0;
}

static int free_context(void **state)
{
	(void)state;
	auth_context_free(ctx);
	return 0;
}

static void sha256_of_abc(void **state)
{
	static const uint8_t expected[SHA256_BYTES] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
	                                               0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
	                                               0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
	uint8_t out[SHA256_BYTES];

	(void)state;
	assert_true(auth_sha256(ctx, "abc", 3, out));
	assert_memory_equal(out, expected, sizeof(out));
}

/* RFC 4231 test case 1, its 20-byte key filled up with zeros, which HMAC does anyway. */
static void hmac_of_rfc_4231(void **state)
{
	static const uint8_t key[SHA256_BYTES] = {11, 11, 11, 11, 11, 11, 11, 11, 11, 11,
	                                          11, 11, 11, 11, 11, 11, 11, 11, 11, 11};
	static const uint8_t expected[SHA256_BYTES] = {0xb0, 0x34, 0x4c, 0x61, 0xd8, 0xdb, 0x38, 0x53, 0x5c, 0xa8, 0xaf,
	                                               0xce, 0xaf, 0x0b, 0xf1, 0x2b, 0x88, 0x1d, 0xc2, 0x00, 0xc9, 0x83,
	                                               0x3d, 0xa7, 0x26, 0xe9, 0x37, 0x6c, 0x2e, 0x32, 0xcf, 0xf7};
	uint8_t out[SHA256_BYTES];

	(void)state;
	assert_true(auth_hmac(ctx, key, "Hi There", 8, out));
	assert_memory_equal(out, expected, sizeof(out));
}

/* RFC 7914 section 11, first half of the block. */
static void pbkdf2_of_rfc_7914(void **state)
{
	static const uint8_t expected[SHA256_BYTES] = {0x55, 0xac, 0x04, 0x6e, 0x56, 0xe3, 0x08, 0x9f, 0xec, 0x16, 0x91,
	                                               0xc2, 0x25, 0x44, 0xb6, 0x05, 0xf9, 0x41, 0x85, 0x21, 0x6d, 0xde,
	                                               0x04, 0x65, 0xe6, 0x8b, 0x9d, 0x57, 0xc2, 0x0d, 0xac, 0xbc};
	uint8_t out[SHA256_BYTES];

	(void)state;
	assert_true(auth_pbkdf2(ctx, "passwd", 6, "salt", 4, 1, out));
	assert_memory_equal(out, expected, sizeof(out));
}

static void md5_of_two_pieces(void **state)
{
	char out[MD5_HEX_BYTES + 1];

	(void)state;
	assert_true(auth_md5_hex(ctx, "a", 1, "bc", 2, out));
	assert_string_equal(out, "900150983cd24fb0d6963f7d28e17f72");
}

static void mock_bytes_depend_on_label_user_and_process_only(void **state)
{
	static const uint8_t other_key[MOCK_KEY_BYTES] = {9};
	struct auth_context *other = auth_context_new(other_key);
	uint8_t a[SHA256_BYTES], b[SHA256_BYTES];

	(void)state;
	assert_non_null(other);
	assert_true(auth_mock_bytes(ctx, "salt", "app", a));
	assert_true(auth_mock_bytes(ctx, "salt", "app", b));
	assert_memory_equal(a, b, sizeof(a));
	assert_true(auth_mock_bytes(ctx, "salt", "ap", b));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_true(auth_mock_bytes(ctx, "key", "app", b));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_true(auth_mock_bytes(other, "salt", "app", b));
	assert_memory_not_equal(a, b, sizeof(a));
	auth_context_free(other);
}

static void comparison_sees_every_bit(void **state)
{
	uint8_t a[4] = {1, 2, 3, 4}, b[4] = {1, 2, 3, 4};

	(void)state;
	assert_true(auth_same(a, b, 4));
	for (int i = 0; i < 32; i++) {
		b[i / 8] ^= (uint8_t)(1u << i % 8);
		assert_false(auth_same(a, b, 4));
		b[i / 8] ^= (uint8_t)(1u << i % 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sha256_of_abc),
	    cmocka_unit_test(hmac_of_rfc_4231),
	    cmocka_unit_test(pbkdf2_of_rfc_7914),
	    cmocka_unit_test(md5_of_two_pieces),
	    cmocka_unit_test(mock_bytes_depend_on_label_user_and_process_only),
	    cmocka_unit_test(comparison_sees_every_bit),
	};

	return cmocka_run_group_tests(tests, make_context, free_context);
}
