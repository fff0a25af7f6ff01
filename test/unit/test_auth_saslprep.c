/* Passwords as SCRAM prepares them, with libidn and without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/saslprep.h"
#include "base/mem.h"

static void check(const char *password, size_t len, const char *expected)
{
	size_t prepared_len = 99;
	char *prepared = saslprep(password, len, &prepared_len);

	assert_non_null(prepared);
	assert_int_equal(prepared_len, strlen(expected));
	assert_string_equal(prepared, expected);
	mem_free(prepared);
}

static void check_text(const char *password, const char *expected)
{
	check(password, strlen(password), expected);
}

static void ascii_and_what_is_not_utf8_pass_unchanged(void **state)
{
	(void)state;
	check_text("pencil", "pencil");
	check_text(" a\tb ", " a\tb ");
	check_text("", "");
	check_text("caf\xe9", "caf\xe9");             /* Latin-1 */
	check_text("\xc3", "\xc3");                   /* cut off */
	check_text("a\xed\xa0\x80", "a\xed\xa0\x80"); /* a surrogate */
}

#ifdef HAVE_LIBIDN
static void other_letters_are_prepared_as_rfc_4013_says(void **state)
{
	(void)state;
	check_text("I\xc2\xadX", "IX");                       /* soft hyphen vanishes */
	check_text("\xc2\xaa", "a");                          /* feminine ordinal: NFKC */
	check_text("\xe2\x85\xa8", "IX");                     /* roman nine: NFKC */
	check_text("a\xc2\xa0z", "a z");                      /* no-break space becomes a space */
	check_text("e\xcc\x81", "\xc3\xa9");                  /* composed */
	check_text("\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9"); /* nothing to do */
}

static void prohibited_passwords_stay_as_they_are(void **state)
{
	(void)state;
	check_text("\xc3\xa9\x07", "\xc3\xa9\x07"); /* a control character */
	check_text("\xd8\xa7\x31", "\xd8\xa7\x31"); /* right-to-left letter, not at both ends */
	check_text("\xc2\xad", "\xc2\xad");         /* nothing would be left */
	check_text("\xcd\x80"
	           "a",
	           "\xcd\x80"
	           "a");                                    /* deprecated, though normalization would replace it */
	check_text("\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"); /* unassigned in Unicode 3.2 */
}
#else
static void other_letters_pass_unchanged_without_libidn(void **state)
{
	(void)state;
	check_text("I\xc2\xadX", "I\xc2\xadX");
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ascii_and_what_is_not_utf8_pass_unchanged),
#ifdef HAVE_LIBIDN
	    cmocka_unit_test(other_letters_are_prepared_as_rfc_4013_says),
	    cmocka_unit_test(prohibited_passwords_stay_as_they_are),
#else
	    cmocka_unit_test(other_letters_pass_unchanged_without_libidn),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
