/* The Event Log in the place of syslog. What it shows nobody can read back here: only that it is asked and answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <string.h>

#include "os/process.h"

static const struct log_event *asked_for;
static char long_text[60000];

static unsigned note(const struct log_event *e)
{
	asked_for = e;
	return e->level == LEVEL_LOG ? 0 : 1001;
}

static void a_record_is_written_while_the_log_is_open(void **state)
{
	struct log_event e = {.level = LEVEL_WARNING, .class = "wrong_password"};

	(void)state;
	asked_for = NULL;
	os_syslog_sink(&e, "not yet");
	assert_null(asked_for);
	os_syslog_open("pgweir \xc3\xa4 test", "daemon", note);
	os_syslog_sink(&e, "gr\xc3\xb6\xc3\x9f"
	                   "er\n\tHINT: 100 %1");
	assert_ptr_equal(asked_for, &e);
	os_syslog_close();
	asked_for = NULL;
	os_syslog_sink(&e, "not any more");
	assert_null(asked_for);
}

static void texts_may_be_of_any_length_or_in_no_encoding(void **state)
{
	struct log_event e = {.level = LEVEL_ERROR};

	(void)state;
	memset(long_text, 'x', sizeof(long_text) - 1);
	os_syslog_open("pgweir test", "", note);
	os_syslog_sink(&e, long_text);
	os_syslog_sink(&e, "\xff\xfe");
	os_syslog_sink(&e, "");
	assert_ptr_equal(asked_for, &e);
	os_syslog_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_record_is_written_while_the_log_is_open),
	    cmocka_unit_test(texts_may_be_of_any_length_or_in_no_encoding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
