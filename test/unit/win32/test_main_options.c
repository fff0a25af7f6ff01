/* Tests of src/main/options.c: what Windows has not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <string.h>

#include "main/options.h"

struct outcome {
	struct options o;
	enum options_result result;
	char why[400];
};

static struct outcome parse(const char *program, const char *first, const char *second)
{
	char *const words[] = {(char *)(uintptr_t)program, (char *)(uintptr_t)first, (char *)(uintptr_t)second, NULL};
	struct outcome out;
	struct str why;

	str_init(&why, sizeof(out.why) - 1);
	out.result = options_parse(&out.o, second == NULL ? 2 : 3, words, &why);
	memcpy(out.why, str_text(&why), why.len + 1);
	str_fini(&why);
	return out;
}

static void what_pgbouncer_refuses_is_refused_in_its_words(void **state)
{
	static const char *const cases[][2] = {{"-d", "option --daemon (-d) is not supported on this platform\n"},
	                                       {"--daemon", "option --daemon (-d) is not supported on this platform\n"},
	                                       {"-unobody", "option --user (-u) is not supported on this platform\n"}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct outcome out = parse("pgweir", cases[i][0], "x.ini");

		assert_int_equal(out.result, OPTIONS_WRONG);
		assert_non_null(strstr(out.why, cases[i][1]));
	}
	/* there it is whom to ask as */
	assert_int_equal(parse("pgweir", "ready", "-Uann").result, OPTIONS_RUN);
}

static void the_program_is_known_by_its_name_whatever_the_path(void **state)
{
	static const char *const names[] = {"C:\\Program Files\\x\\PG_ISREADY.EXE", "C:/x/pg_isready",
	                                    "pg_isready.exe"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_true(parse(names[i], "-q", NULL).o.is_pg_isready);
	assert_false(parse("C:\\pg_isready.exe\\pgweir.exe", "x.ini", NULL).o.is_pg_isready);
}

static void help_names_only_what_there_is(void **state)
{
	struct outcome out = parse("pgweir", "--help", NULL);
	struct str text;

	(void)state;
	assert_int_equal(out.result, OPTIONS_HELP);
	str_init(&text, 10000);
	options_help(&out.o, &text);
	assert_null(strstr(str_text(&text), "--daemon"));
	assert_null(strstr(str_text(&text), "--user"));
	assert_non_null(strstr(str_text(&text), "--verbose"));
	assert_non_null(strstr(str_text(&text), "-regservice"));
	str_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_pgbouncer_refuses_is_refused_in_its_words),
	    cmocka_unit_test(the_program_is_known_by_its_name_whatever_the_path),
	    cmocka_unit_test(help_names_only_what_there_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
