/* Tests of src/base/local_time.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/local_time.h"

#define END_OF_YEAR 1798675200 /* 2026-12-31 00:00 UTC */
#define SUMMER 1782864000      /* 2026-07-01 00:00 UTC */

static void set_zone(char *zone)
{
	assert_int_equal(putenv(zone), 0);
	tzset();
}

static void local_time_is_ahead_of_utc_or_behind(void **state)
{
	static char east[] = "TZ=IST-5:30", west[] = "TZ=BRT3", none[] = "TZ=UTC0";

	(void)state;
	set_zone(east);
	/* on both sides of both midnights that end a year */
	for (time_t at = END_OF_YEAR; at < END_OF_YEAR + 2 * 86400; at += 1800)
		assert_int_equal(local_time_offset_s(at), 19800);
	set_zone(west);
	for (time_t at = END_OF_YEAR; at < END_OF_YEAR + 2 * 86400; at += 1800)
		assert_int_equal(local_time_offset_s(at), -10800);
	set_zone(none);
	assert_int_equal(local_time_offset_s(END_OF_YEAR), 0);
}

static void summer_time_is_its_own(void **state)
{
	static char zone[] = "TZ=PST8PDT";

	(void)state;
	set_zone(zone);
	assert_int_equal(local_time_offset_s(END_OF_YEAR), -8 * 3600);
	assert_int_equal(local_time_offset_s(SUMMER), -7 * 3600);
}

static void zones_have_one_word(void **state)
{
	static char named[] = "TZ=PST8PDT", greenwich[] = "TZ=UTC0";
	time_t at = SUMMER;
	struct tm local;
	char zone[24];

	(void)state;
	set_zone(named);
	localtime_r(&at, &local);
	local_time_zone(&local, at, zone, sizeof(zone));
	/* not all systems have its name */
	assert_true(strcmp(zone, "PDT") == 0 || strcmp(zone, "-07") == 0);
	set_zone(greenwich);
	localtime_r(&at, &local);
	local_time_zone(&local, at, zone, sizeof(zone));
	assert_string_equal(zone, "UTC");
	assert_int_equal(local_time_ahead_of_utc(at).hours, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(local_time_is_ahead_of_utc_or_behind),
	    cmocka_unit_test(summer_time_is_its_own),
	    cmocka_unit_test(zones_have_one_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
