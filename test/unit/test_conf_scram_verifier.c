/* Stored verifiers: exactly one form, and its parts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/scram_verifier.h"

#define KEY "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
#define GOOD "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$" KEY ":" KEY

static void whole_verifier_is_read(void **state)
{
	struct scram_verifier v;

	(void)state;
	assert_true(scram_verifier_parse(&v, GOOD, strlen(GOOD)));
	assert_int_equal(v.salt.iterations, 4096);
	assert_int_equal(v.salt.len, 16);
	assert_int_equal(v.salt.bytes[0], 0x5b);
	assert_int_equal(v.stored_key[0], 0x58);
	assert_memory_equal(v.stored_key, v.server_key, SHA256_BYTES);
}

static void every_part_of_one_is_refused(void **state)
{
	struct scram_verifier v;

	(void)state;
	for (size_t len = 0; len < strlen(GOOD); len++)
		assert_false(scram_verifier_parse(&v, GOOD, len));
	assert_false(scram_verifier_parse(&v, GOOD "=", strlen(GOOD) + 1));
}

static void numbers_have_one_form_and_a_limit(void **state)
{
	uint32_t n = 0;

	(void)state;
	assert_true(scram_read_number("4294967295", 10, UINT32_MAX, &n));
	assert_int_equal(n, UINT32_MAX);
	assert_true(scram_read_number("1", 1, 1, &n));
	assert_false(scram_read_number("2", 1, 1, &n));
	assert_false(scram_read_number("", 0, 9, &n));
	assert_false(scram_read_number("0", 1, 9, &n));
	assert_false(scram_read_number("01", 2, 9, &n));
	assert_false(scram_read_number("+1", 2, 9, &n));
	assert_false(scram_read_number("42949672950", 11, UINT32_MAX, &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whole_verifier_is_read),
	    cmocka_unit_test(every_part_of_one_is_refused),
	    cmocka_unit_test(numbers_have_one_form_and_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
