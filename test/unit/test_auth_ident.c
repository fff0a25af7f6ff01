/* Tests of src/auth/ident.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/ident.h"
#include "conf_files.h"

static struct ident *load(const char *text, struct conf_error *why)
{
	struct fake_file files[] = {{"i", text, 0}, {"more", "m included app\n", 0}, {NULL, NULL, 0}};
	struct conf_source source = {fake_read, fake_list, files};

	memset(why, 0, sizeof(*why));
	return ident_load(&source, "i", NULL, why);
}

static const char maps[] = "# comment\n"
                           "m root app\n"
                           "m root \"all\"\n"
                           "other root third\n"
                           "m \"an account\" \"a user\"\n"
                           "everybody admin all\n"
                           "include more\n";

static void maps_say_who_may_be_whom(void **state)
{
	static const struct {
		const char *map, *system_user, *user;
		enum ident_result result;
	} cases[] = {
	    {NULL, "app", "app", IDENT_FITS},
	    {NULL, "app", "App", IDENT_DIFFERS},
	    {NULL, "app", "", IDENT_DIFFERS},
	    {"m", "root", "app", IDENT_FITS},
	    {"m", "root", "third", IDENT_DIFFERS},
	    {"m", "root", "root", IDENT_DIFFERS},
	    {"m", "root", "all", IDENT_FITS}, /* quoted: a name */
	    {"m", "app", "app", IDENT_DIFFERS},
	    {"m", "an account", "a user", IDENT_FITS},
	    {"m", "included", "app", IDENT_FITS},
	    {"other", "root", "third", IDENT_FITS},
	    {"other", "root", "app", IDENT_DIFFERS},
	    {"everybody", "admin", "whoever", IDENT_FITS},
	    {"everybody", "root", "whoever", IDENT_DIFFERS},
	};
	struct conf_error why;
	struct ident *i = load(maps, &why);

	(void)state;
	assert_non_null(i);
	for (size_t n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {
		const struct ident_map *map = cases[n].map == NULL ? NULL : ident_find(i, cases[n].map);

		assert_true(cases[n].map == NULL || map != NULL);
		if (ident_check(map, cases[n].system_user, cases[n].user) != cases[n].result)
			fail_msg("case %u", (unsigned)n);
	}
	assert_null(ident_find(i, "none"));
	assert_null(ident_find(NULL, "m"));
	ident_free(i);
	ident_free(NULL);
}

static void lines_that_are_not_right_are_refused(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
	    {"m\n", "broken ident file (i:1): the system user is missing, in \"m\""},
	    {"m a\n", "broken ident file (i:1): the database user is missing, in \"m a\""},
	    {"m a b c\n", "broken ident file (i:1): there is text after the database user, in \"m a b c\""},
	    {"m a,b c\n", "broken ident file (i:1): there may be only one system user, in \"m a,b\""},
	    {"m a b\nm a \"b\n", "broken ident file (i:2): a quote is not closed, in \"m a\""},
	    {"m a +b\n", "broken ident file (i:1): groups are not supported: \"+b\", in \"m a +b\""},
	    {"m /( b\n", "broken ident file (i:1): invalid regular expression \"(\": "},
	    {"m a /(\n", "broken ident file (i:1): invalid regular expression \"(\": "},
#ifdef HAVE_PCRE2
	    {"m /a x\\1\n", "broken ident file (i:1): \\1 needs parentheses in the regular expression \"a\""},
#endif
	};

	(void)state;
	for (size_t n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {
		struct conf_error why;

		assert_null(load(cases[n].text, &why));
		if (strstr(why.text, cases[n].words) == NULL)
			fail_msg("case %u: %s", (unsigned)n, why.text);
	}
}

#ifdef HAVE_PCRE2
static void regular_expressions_take_parts_of_names_over(void **state)
{
	static const struct {
		const char *text, *system_user, *user;
		enum ident_result result;
	} cases[] = {
	    {"m /^(.*)@example\\.net$ \\1\n", "ann@example.net", "ann", IDENT_FITS},
	    {"m /^(.*)@example\\.net$ \\1\n", "ann@example.net", "bob", IDENT_DIFFERS},
	    {"m /^(.*)@example\\.net$ \\1\n", "ann@example.org", "ann", IDENT_DIFFERS},
	    {"m /^(.*)@example\\.net$ \"db_\\1_x\"\n", "ann@example.net", "db_ann_x", IDENT_FITS},
	    {"m /^(.*)@example\\.net$ \\1\n", "all@example.net", "root", IDENT_DIFFERS},
	    {"m /^(.*)@example\\.net$ \\1\n", "/.*@example.net", "root", IDENT_DIFFERS},
	    {"m /^(.*)@example\\.net$ \\1\n", "\\1@example.net", "\\1", IDENT_FITS},
	    {"m /^ann all\n", "anna", "root", IDENT_FITS},
	    {"m ann /^db_\n", "ann", "db_1", IDENT_FITS},
	    {"m ann /^db_\n", "ann", "x", IDENT_DIFFERS},
	    {"m /n$ /^(.)\\1$\n", "ann", "xx", IDENT_FITS},
	    {"m ann \\1\n", "ann", "\\1", IDENT_FITS},
	    {"m /^(a+)+$ x\n", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "x", IDENT_FAILED},
	    {"m /^(a+)+$ x\nm /b x\n", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "x", IDENT_FITS},
	};

	(void)state;
	for (size_t n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {
		struct conf_error why;
		struct ident *i = load(cases[n].text, &why);

		if (i == NULL)
			fail_msg("case %u: %s", (unsigned)n, why.text);
		if (ident_check(ident_find(i, "m"), cases[n].system_user, cases[n].user) != cases[n].result)
			fail_msg("case %u", (unsigned)n);
		ident_free(i);
	}
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(maps_say_who_may_be_whom),
	    cmocka_unit_test(lines_that_are_not_right_are_refused),
#ifdef HAVE_PCRE2
	    cmocka_unit_test(regular_expressions_take_parts_of_names_over),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
