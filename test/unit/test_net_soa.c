/* The serial in DNS messages, whole, cut anywhere, and false. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "net/soa.h"

#define QUESTION "\1a\3lab\0\0\6\0\1"
#define AT_ANSWER "\300\14" /* the question's name */
#define AT_LAB "\300\16"
#define A_RECORD AT_ANSWER "\0\1\0\1\0\0\0\7\0\4\12\0\0\1"
#define SOA_HEAD AT_LAB "\0\6\0\1\0\0\0\7"
#define NAMES "\2ns" AT_LAB "\4host\0"
#define SERIAL "\1\2\3\4"
#define REST "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4"

/* The header: questions, answers, authorities. */
#define HEADER(q, an, au) "\0\7\200\0\0" q "\0" an "\0" au "\0\0"

/* In memory of exactly that size, so that a sanitizer sees a step beyond. */
static bool serial_in(const void *bytes, size_t len, uint32_t *serial)
{
	uint8_t *copy = (uint8_t *)malloc(len == 0 ? 1 : len);
	bool found;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	found = soa_serial(copy, len, serial);
	free(copy);
	return found;
}

#define SERIAL_IN(text, serial) serial_in(text, sizeof(text) - 1, serial)

static void serial_is_found_among_answers_and_authorities(void **state)
{
	uint32_t serial = 0;

	(void)state;
	assert_true(SERIAL_IN(HEADER("\1", "\1", "\0") QUESTION SOA_HEAD "\0\37" NAMES SERIAL REST, &serial));
	assert_int_equal(serial, 0x01020304);
	serial = 0;
	assert_true(SERIAL_IN(HEADER("\1", "\1", "\1") QUESTION A_RECORD SOA_HEAD "\0\37" NAMES SERIAL REST, &serial));
	assert_int_equal(serial, 0x01020304);
}

static void without_an_soa_there_is_none(void **state)
{
	uint32_t serial = 5;

	(void)state;
	assert_false(SERIAL_IN("", &serial));
	assert_false(SERIAL_IN(HEADER("\0", "\0", "\0"), &serial));
	assert_false(SERIAL_IN(HEADER("\1", "\1", "\0") QUESTION A_RECORD, &serial));
	/* further ones are additional: anybody may add those */
	assert_false(SERIAL_IN(HEADER("\1", "\1", "\0") QUESTION A_RECORD SOA_HEAD "\0\37" NAMES SERIAL REST, &serial));
	assert_int_equal(serial, 5);
}

static void lies_are_no_serial(void **state)
{
	uint32_t serial = 5;

	(void)state;
	/* the data ends within, or before the serial */
	assert_false(SERIAL_IN(HEADER("\1", "\1", "\0") QUESTION SOA_HEAD "\0\14" NAMES SERIAL REST, &serial));
	assert_false(SERIAL_IN(HEADER("\1", "\1", "\0") QUESTION SOA_HEAD "\0\4" NAMES SERIAL REST, &serial));
	/* longer than the message */
	assert_false(SERIAL_IN(HEADER("\1", "\1", "\0") QUESTION SOA_HEAD "\377\377" NAMES SERIAL REST, &serial));
	/* more records than there are, a label of no known kind */
	assert_false(SERIAL_IN(HEADER("\1", "\377", "\377") QUESTION A_RECORD, &serial));
	assert_false(SERIAL_IN(HEADER("\1", "\1", "\0") "\100a\0\0\6\0\1" A_RECORD, &serial));
	assert_int_equal(serial, 5);
}

static void a_message_cut_anywhere_has_none_or_the_right_one(void **state)
{
	static const char whole[] = HEADER("\1", "\1", "\1") QUESTION A_RECORD SOA_HEAD "\0\37" NAMES SERIAL REST;

	(void)state;
	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		uint32_t serial = 0;

		if (serial_in(whole, len, &serial))
			assert_int_equal(serial, 0x01020304);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(serial_is_found_among_answers_and_authorities),
	    cmocka_unit_test(without_an_soa_there_is_none),
	    cmocka_unit_test(lies_are_no_serial),
	    cmocka_unit_test(a_message_cut_anywhere_has_none_or_the_right_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
