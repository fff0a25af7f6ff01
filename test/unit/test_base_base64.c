/* Base64: RFC 4648 vectors, and nothing tolerated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"

static void vectors_of_the_standard_hold_in_both_directions(void **state)
{
	static const struct {
		const char *plain, *coded;
	} cases[] = {{"", ""},
	             {"f", "Zg=="},
	             {"fo", "Zm8="},
	             {"foo", "Zm9v"},
	             {"foob", "Zm9vYg=="},
	             {"fooba", "Zm9vYmE="},
	             {"foobar", "Zm9vYmFy"},
	             {"\xff\xfe\xfd", "//79"}};
	struct str out;

	(void)state;
	str_init(&out, 100);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t back[16];
		size_t len = 99;

		str_clear(&out);
		base64_write(&out, cases[i].plain, strlen(cases[i].plain));
		assert_string_equal(str_text(&out), cases[i].coded);
		assert_true(base64_read(cases[i].coded, strlen(cases[i].coded), back, sizeof(back), &len));
		assert_int_equal(len, strlen(cases[i].plain));
		assert_memory_equal(back, cases[i].plain, len);
	}
	str_fini(&out);
}

static void malformed_text_is_refused(void **state)
{
	static const char *const cases[] = {"Z",     "Zg",   "Zg=",      "Zg==Zg==", "Z===",    "====",
	                                    "Zg=a",  "Zh==", "Zm9=",     "Zm9v\n",   "Zm 9",    "Zm-_",
	                                    "Zm9vZ", "=AAA", "Zm9v====", "Zm9\x80",  "Zm9vYg=", "A=AA"};
	uint8_t out[64];
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_false(base64_read(cases[i], strlen(cases[i]), out, sizeof(out), &len));
}

static void room_is_never_exceeded(void **state)
{
	uint8_t *out = malloc(5);
	size_t len;

	(void)state;
	assert_non_null(out);
	assert_true(base64_read("Zm9vYmE=", 8, out, 5, &len));
	for (size_t room = 0; room < 5; room++)
		assert_false(base64_read("Zm9vYmE=", 8, out, room, &len));
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(vectors_of_the_standard_hold_in_both_directions),
	    cmocka_unit_test(malformed_text_is_refused),
	    cmocka_unit_test(room_is_never_exceeded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
