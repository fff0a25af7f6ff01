/* The value of http_listen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "conf/http_listen.h"

/* "host|port" for each part, or "?" where it goes wrong. */
static const char *story_of(const char *list)
{
	static char story[4096];
	struct http_place place;
	size_t len = 0;
	bool found;

	story[0] = '\0';
	for (;;) {
		if (!http_listen_next(&list, &place, &found)) {
			snprintf(story + len, sizeof(story) - len, "?");
			return story;
		}
		if (!found)
			return story;
		len += (size_t)snprintf(story + len, sizeof(story) - len, "%s|%u ", place.host, place.port);
	}
}

static void parts_are_cut_off_the_list(void **state)
{
	static const struct {
		const char *list, *story;
	} cases[] = {
	    {"", ""},
	    {" , ,\t,", ""},
	    {"127.0.0.1:9127", "127.0.0.1|9127 "},
	    {"127.0.0.1:9127,", "127.0.0.1|9127 "},
	    {" a:1 ,b:2,\tc.example:65535 ", "a|1 b|2 c.example|65535 "},
	    {"[::1]:9127, [fe80::1%eth0]:80", "::1|9127 fe80::1%eth0|80 "},
	    {"*:1,:2,0.0.0.0:3", "*|1 *|2 0.0.0.0|3 "},
	    {"a:00080", "a|80 "},
	    {"a:1,b,c:1", "a|1 ?"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(story_of(cases[i].list), cases[i].story);
}

static void what_is_no_part_is_refused(void **state)
{
	static const char *const bad[] = {"a",     "9127",  "a:",      "a:0",      "a:65536",    "a:123456",
	                                  "a:-1",  "a:+1",  "a:1x",    "a: 1",     "::1:80",     "[::1]",
	                                  "[::1",  "[]:80", "[::1]80", "]::1[:80", "a b:1",      "http://a:80/",
	                                  "a/b:1", "a@b:1", "\"a\":1", "a:1;b:2",  "\xc3\xa9:1", "a\n:1"};
	char longest[300];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (http_listen_is_valid(bad[i]))
			fail_msg("\"%s\" is taken", bad[i]);
	memset(longest, 'a', sizeof(longest));
	memcpy(longest + 255, ":1", 3);
	assert_true(http_listen_is_valid(longest));
	memcpy(longest + 255, "a:1", 4);
	assert_false(http_listen_is_valid(longest));
}

static void the_number_of_parts_is_bounded(void **state)
{
	char list[4 * HTTP_LISTEN_MAX_PARTS + 8] = "";
	size_t len = 0;

	(void)state;
	for (unsigned i = 0; i < HTTP_LISTEN_MAX_PARTS; i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "a:1,");
	assert_true(http_listen_is_valid(list));
	snprintf(list + len, sizeof(list) - len, "a:1");
	assert_false(http_listen_is_valid(list));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(parts_are_cut_off_the_list),
	                                   cmocka_unit_test(what_is_no_part_is_refused),
	                                   cmocka_unit_test(the_number_of_parts_is_bounded)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
