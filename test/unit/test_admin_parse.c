/* Tests of src/admin/parse.c: every form of a command. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "admin/parse.h"

/* NULL: not the form of a command. "name", "name argument" or "name argument=value". */
static const struct {
	const char *text, *parsed;
} cases[] = {
    {"SHOW VERSION", "SHOW|VERSION"},
    {"show version;", "show|version"},
    {"Show\tVersion ; ", "Show|Version"},
    {" \r\n\f\vshow\nversion", "show|version"},
    {"SHOW \"version\"", "SHOW|version"},
    {"\"SHOW\" version", "SHOW|version"},
    {"pause \"a \"\"b\"\"; c\"", "pause|a \"b\"; c"},
    {"pause \"\"", "pause|"},
    {"reload", "reload"},
    {"reload;", "reload"},
    {"kill_client 17", "kill_client|17"},
    {"set verbose = 0", "set|verbose=0"},
    {"SET verbose=0;", "SET|verbose=0"},
    {"set verbose to 0", "set|verbose=0"},
    {"set verbose TO'0'", "set|verbose=0"},
    {"set verbose= '0' ;", "set|verbose=0"},
    {"set \"verbose\"=0", "set|verbose=0"},
    {"\"set\" verbose=0", "set|verbose=0"},
    {"set admin_users='a,b'", "set|admin_users=a,b"},
    {"set x='it''s'", "set|x=it's"},
    {"set x=''", "set|x="},
    {"set x=\"a\"\"b\"", "set|x=a\"b"},
    {"set to=to", "set|to=to"},
    {"set to to to", "set|to=to"},
    {"show version;;", NULL},
    {"show version ; ;", NULL},
    {"show version; show version", NULL},
    {"show version extra", NULL},
    {"show,version", NULL},
    {"\"show\"version", NULL},
    {"show \"version", NULL},
    {"\"show version", NULL},
    {"show 'version'", NULL},
    {"'show' version", NULL},
    {"-- x\nshow version", NULL},
    {"show /* */ version", NULL},
    {"sho\xc3\xa9", NULL},
    {"kill_client -1", NULL},
    {"set", NULL},
    {"set ", NULL},
    {"set x", NULL},
    {"set x=", NULL},
    {"set x = ", NULL},
    {"set =1", NULL},
    {"set x 1", NULL},
    {"set x to", NULL},
    {"set x to1", NULL},
    {"set x \"to\" 1", NULL},
    {"set xto 1", NULL},
    {"set x==1", NULL},
    {"set x=1 2", NULL},
    {"set x=1; 2", NULL},
    {"set x=1;;", NULL},
    {"set x='1", NULL},
    {"set x='1''", NULL},
    {"set x=1.5", NULL},
    {"set x=-1", NULL},
    {"set 'x'=1", NULL},
    {"set x y=1", NULL},
    {"set a, b", NULL},
};

static void nothing_is_no_command(void **state)
{
	static const char *const nothing[] = {"", " \t\n", ";", " ; ", "--", "-- ping", " -- a; b", ";\n", "; -- a"};
	static const char *const something[] = {";;", "-", "-- a\nshow version", "/* a */"};
	struct parsed p;

	(void)state;
	for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++)
		assert_int_equal(command_parse(nothing[i], &p), PARSE_NOTHING);
	for (size_t i = 0; i < sizeof(something) / sizeof(something[0]); i++)
		assert_int_equal(command_parse(something[i], &p), PARSE_NO_COMMAND);
}

static void commands_are_taken_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct parsed p;
		char text[400] = "";
		enum parse_result result = command_parse(cases[i].text, &p);

		if (cases[i].parsed == NULL) {
			assert_int_equal(result, PARSE_NO_COMMAND);
			continue;
		}
		assert_int_equal(result, PARSE_GOT);
		assert_int_equal(p.has_value, strchr(cases[i].parsed, '=') != NULL);
		snprintf(text, sizeof(text), "%s%s%s%s%s", p.name, p.has_argument ? "|" : "", p.argument,
		         p.has_value ? "=" : "", p.value);
		assert_string_equal(text, cases[i].parsed);
	}
}

/* What this gives with so many x where %s is. */
static enum parse_result parse_long(const char *format_before, size_t n, const char *behind)
{
	struct parsed p;
	char text[1000];
	size_t at = strlen(format_before);

	memcpy(text, format_before, at);
	memset(text + at, 'x', n);
	snprintf(text + at + n, sizeof(text) - at - n, "%s", behind);
	return command_parse(text, &p);
}

static void each_word_has_its_limit(void **state)
{
	(void)state;
	assert_int_equal(parse_long("", 15, ""), PARSE_GOT);
	assert_int_equal(parse_long("", 16, ""), PARSE_TOO_LONG);
	assert_int_equal(parse_long("show ", 63, ""), PARSE_GOT);
	assert_int_equal(parse_long("show ", 64, ""), PARSE_TOO_LONG);
	assert_int_equal(parse_long("pause \"", 63, "\""), PARSE_GOT);
	assert_int_equal(parse_long("pause \"", 64, "\""), PARSE_TOO_LONG);
	assert_int_equal(parse_long("set ", 63, "=1"), PARSE_GOT);
	assert_int_equal(parse_long("set ", 64, "=1"), PARSE_TOO_LONG);
	assert_int_equal(parse_long("set x=", 255, ""), PARSE_GOT);
	assert_int_equal(parse_long("set x=", 256, ""), PARSE_TOO_LONG);
	assert_int_equal(parse_long("set x='", 255, "'"), PARSE_GOT);
	assert_int_equal(parse_long("set x='", 256, "'"), PARSE_TOO_LONG);
	assert_int_equal(parse_long("show ", 500, " and more"), PARSE_NO_COMMAND);
}

/* Any text at all gives one of the results and stays within its words. */
static void no_text_is_too_strange(void **state)
{
	static const char letters[] = "a\"'=; to\n";
	struct parsed p;

	(void)state;
	for (unsigned n = 0; n < 9u * 9u * 9u * 9u * 9u; n++) {
		char text[16] = "set ";
		unsigned rest = n;

		for (size_t i = 4; i < 9; i++, rest /= 9)
			text[i] = letters[rest % 9];
		if (command_parse(text, &p) == PARSE_GOT)
			assert_true(strlen(p.argument) + strlen(p.value) <= 5);
		if (command_parse(text + 3, &p) == PARSE_GOT)
			assert_true(strlen(p.name) + strlen(p.argument) <= 5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_no_command),
	    cmocka_unit_test(commands_are_taken_apart),
	    cmocka_unit_test(each_word_has_its_limit),
	    cmocka_unit_test(no_text_is_too_strange),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
