/* Tests of src/auth/rule_lines.c: how lines become fields and words, and what is included where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "auth/rule_lines.h"
#include "base/mem.h"
#include "conf_files.h"

/* "file:line field field | rest": words of a field with commas between, quoted ones in <>; "@" files are expanded. */
static bool tell_line(void *context, struct rule_line *l)
{
	struct str *story = (struct str *)context;
	enum rule_result result;

	str_printf(story, "%s:%u", l->file, l->number);
	do {
		struct rule_field field = {0};

		result = rule_line_field(l, &field);
		if (result == RULE_GOT && !rule_field_expand(l, &field))
			result = RULE_FAILED;
		for (unsigned i = 0; i < field.n && result == RULE_GOT; i++)
			str_printf(story, field.words[i].quoted ? "%s<%s>" : "%s%s", i == 0 ? " " : ",",
			           field.words[i].text);
		rule_field_fini(&field);
	} while (result == RULE_GOT);
	str_add_char(story, '\n');
	return result == RULE_END;
}

static bool read_all(struct fake_file *files, struct str *story, struct conf_error *why)
{
	struct conf_source source = {fake_read, fake_list, files};

	str_init(story, 1 << 20);
	memset(why, 0, sizeof(*why));
	return rule_lines_read(&source, "hba", "h", NULL, tell_line, story, why);
}

static void lines_become_fields(void **state)
{
	static const struct {
		const char *text, *story;
	} cases[] = {
	    {"", ""},
	    {"\n  \n\t# only this\n", ""},
	    {"a b\tc\n", "h:1 a b c\n"},
	    {"a b", "h:1 a b\n"},
	    {"\xEF\xBB\xBF"
	     "a\r\nb\r\n",
	     "h:1 a\nh:2 b\n"},
	    {"a#b\n", "h:1 a\n"},
	    {"\"a#b\" c # d\n", "h:1 <a#b> c\n"},
	    {"a,b c\n", "h:1 a,b c\n"},
	    {"a, b ,c\t,\td e\n", "h:1 a,b,c,d e\n"},
	    {"\"a b\",\"c,d\"\n", "h:1 <a b>,<c,d>\n"},
	    {"\"a\"\"b\" \"\"\n", "h:1 <a\"b> <>\n"},
	    {"a\"b c\"d\n", "h:1 ab cd\n"},
	    {"a \\\nb\nc\n", "h:1 a b\nh:3 c\n"},
	    {"a \\\r\nb \\\n\nc\n", "h:1 a b\nh:4 c\n"},
	    {"# a \\\nb\nc\n", "h:3 c\n"},
	    {"a\\b \\", "h:1 a\\b\n"},
	    {"included includes\n", "h:1 included includes\n"},
	    {"\"include\" x\n", "h:1 <include> x\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake_file files[] = {{"h", cases[i].text, 0}, {NULL, NULL, 0}};
		struct conf_error why;
		struct str story;

		if (!read_all(files, &story, &why))
			fail_msg("case %u: %s", (unsigned)i, why.text);
		assert_string_equal(str_text(&story), cases[i].story);
		str_fini(&story);
	}
}

static void files_are_included_where_they_are_named(void **state)
{
	struct fake_file files[] = {
	    {"h", "include d/a\nx\ninclude_if_exists d/none\ninclude_dir d/e\ny @d/names,z\n", 0},
	    {"d/a", "1\ninclude b\n", 0},
	    {"d/b", "2\n", 0},
	    {"d/e/10.conf", "3\ninclude ../../h2\n", 0},
	    {"d/e/2.conf", "4\n", 0},
	    {"d/e/.hidden.conf", "wrong\n", 0},
	    {"d/e/c.conf.old", "wrong\n", 0},
	    {"d/e/.conf", "wrong\n", 0},
	    {"d/e/../../h2", "5\n", 0},
	    {"d/names", "n1 n2,\"n 3\" # comment\n\n@more \"@quoted\" @\n", 0},
	    {"d/more", "n4\n", 0},
	    {NULL, NULL, 0}};
	struct conf_error why;
	struct str story;

	(void)state;
	if (!read_all(files, &story, &why))
		fail_msg("%s", why.text);
	assert_string_equal(str_text(&story), "d/a:1 1\nd/b:1 2\nh:2 x\nd/e/10.conf:1 3\nd/e/../../h2:1 5\n"
	                                      "d/e/2.conf:1 4\nh:5 y n1,n2,<n 3>,n4,<@quoted>,@,z\n");
	str_fini(&story);
}

static void what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *text, *words;
		unsigned line;
	} cases[] = {
	    {"a\nb \"c\n", "broken hba file (h:2): a quote is not closed, in \"b\"", 2},
	    {"\"a", "broken hba file (h:1): a quote is not closed", 1},
	    {"\xFF\xFE#", "could not load file \"h\": its text is in UTF-16, not in UTF-8", 0},
	    {"a b,,c\n", "broken hba file (h:1): a name is missing beside a comma, in \"a b,\"", 1},
	    {"a ,\n", "broken hba file (h:1): a name is missing beside a comma, in \"a ,\"", 1},
	    {"  , a\n", "broken hba file (h:1): a name is missing beside a comma", 1},
	    {"include\n", "broken hba file (h:1): the name of a file is missing, in \"include\"", 1},
	    {"include a b\n", "broken hba file (h:1): there is text after the name of a file, in \"include a b\"", 1},
	    {"include a,b\n", "broken hba file (h:1): there may be only one name of a file, in \"include a,b\"", 1},
	    {"\n\ninclude none\n",
	     "(h:3): could not open file \"none\": No such file or directory, in \"include none\"", 3},
	    {"include denied\n", "(h:1): could not open file \"denied\": Permission denied", 1},
	    {"include_if_exists denied\n", "(h:1): could not open file \"denied\": Permission denied", 1},
	    {"include_dir none\n", "(h:1): could not open directory \"none\": No such file or directory", 1},
	    {"include broken\n", "broken hba file (broken:2): a quote is not closed, in \"x\"", 2},
	    {"a @broken\n", "broken hba file (broken:2): a quote is not closed, in \"x\"", 2},
	    {"a @none\n", "(h:1): could not open file \"none\": No such file or directory, in \"a @none\"", 1},
	    {"include h\n", "(h:1): files include each other more than 10 levels deep, in \"include h\"", 1},
	    {"a @itself\n", "(itself:1): files include each other more than 10 levels deep", 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake_file files[] = {{"h", cases[i].text, 0},
		                            {"denied", "", EACCES},
		                            {"broken", "# fine\nx \"y\n", 0},
		                            {"itself", "@itself", 0},
		                            {NULL, NULL, 0}};
		struct conf_error why;
		struct str story;

		assert_false(read_all(files, &story, &why));
		if (strstr(why.text, cases[i].words) == NULL)
			fail_msg("case %u: %s", (unsigned)i, why.text);
		assert_int_equal(why.line, cases[i].line);
		str_fini(&story);
	}
}

static int read_zero(void *context, const char *path, struct str *out)
{
	(void)context;
	(void)path;
	str_add(out, "a\nb\0c\n", 6);
	return 0;
}

static void a_zero_byte_is_refused(void **state)
{
	struct conf_source source = {read_zero, fake_list, NULL};
	struct conf_error why;
	struct str story;

	(void)state;
	str_init(&story, 1000);
	assert_false(rule_lines_read(&source, "ident", "h", NULL, tell_line, &story, &why));
	assert_string_equal(why.text, "broken ident file (h:2): there is a zero byte");
	str_fini(&story);
}

static void a_missing_file_is_named(void **state)
{
	struct fake_file files[] = {{"dir/h", "a\n", 0}, {NULL, NULL, 0}};
	struct conf_source source = {fake_read, fake_list, files};
	struct conf_error why;
	struct str story;

	(void)state;
	assert_false(read_all(files, &story, &why));
	assert_string_equal(why.text, "could not open hba config file h: No such file or directory");
	str_fini(&story);
	str_init(&story, 1000);
	assert_true(rule_lines_read(&source, "hba", "h", "dir/pgweir.ini", tell_line, &story, &why));
	assert_string_equal(str_text(&story), "dir/h:1 a\n");
	str_fini(&story);
}

/* "aaa…" of this many bytes between two texts. The caller frees it. */
static char *long_text(const char *before, size_t n, const char *after)
{
	struct str text;

	str_init(&text, 1 << 24);
	str_add_str(&text, before);
	for (size_t i = 0; i < n; i++)
		str_add_char(&text, 'a');
	str_add_str(&text, after);
	return str_take(&text);
}

static void lengths_are_bounded(void **state)
{
	static const struct {
		const char *before;
		size_t n;
		const char *after, *words;
	} cases[] = {
	    {"x ", RULE_MAX_WORD_BYTES, " y\n", NULL},
	    {"x ", RULE_MAX_WORD_BYTES + 1, " y\n", "(h:1): a name has more than 1023 bytes, in \"x\""},
	    {"x # ", RULE_MAX_LINE_BYTES - 4, "\n", NULL},
	    {"x # ", RULE_MAX_LINE_BYTES - 3, "\n", "(h:1): the line has more than 65536 bytes"},
	    {"x # \\\n\\\n", RULE_MAX_LINE_BYTES - 3, "\n", "(h:1): the line has more than 65536 bytes"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = long_text(cases[i].before, cases[i].n, cases[i].after);
		struct fake_file files[] = {{"h", text, 0}, {NULL, NULL, 0}};
		struct conf_error why;
		struct str story;
		bool good = read_all(files, &story, &why);

		assert_int_equal(good, cases[i].words == NULL);
		if (!good && strstr(why.text, cases[i].words) == NULL)
			fail_msg("case %u: %s", (unsigned)i, why.text);
		str_fini(&story);
		mem_free(text);
	}
}

/* Each level includes the next one many times: deep enough for no depth to stop it in our lifetime. */
static void files_that_include_each_other_again_and_again_are_bounded(void **state)
{
	char text[10][400], name[11][8];
	struct fake_file files[12] = {{NULL, NULL, 0}};
	struct conf_error why;
	struct str story;

	(void)state;
	for (int i = 0; i <= 10; i++) {
		if (i == 0)
			snprintf(name[i], sizeof(name[i]), "h");
		else
			snprintf(name[i], sizeof(name[i]), "f%d", i);
	}
	for (int i = 0; i < 10; i++) {
		text[i][0] = '\0';
		for (int n = 0; n < 20; n++)
			snprintf(text[i] + strlen(text[i]), sizeof(text[i]) - strlen(text[i]), "include f%d\n", i + 1);
		files[i] = (struct fake_file){name[i], text[i], 0};
	}
	files[10] = (struct fake_file){name[10], "x\n", 0};
	assert_false(read_all(files, &story, &why));
	assert_non_null(strstr(why.text, "more than 1000 files are included"));
	str_fini(&story);
}

static bool take_rest(void *context, struct rule_line *l)
{
	struct rule_field field = {0};
	char *rest;

	assert_true(rule_line_word(l, "word", &field));
	rest = rule_line_rest(l);
	assert_string_equal(field.words[0].text, "ldap");
	assert_string_equal(rest, (const char *)context);
	mem_free(rest);
	rule_field_fini(&field);
	return true;
}

static void the_rest_of_a_line_is_as_it_was_written(void **state)
{
	static char rest[] = "ldapserver=\"a b\",x=,, \"#\" y";
	struct fake_file files[] = {{"h", "ldap  ldapserver=\"a b\",x=,, \"#\" \\\ny # comment\n", 0}, {NULL, NULL, 0}};
	struct conf_source source = {fake_read, fake_list, files};
	struct conf_error why;

	(void)state;
	assert_true(rule_lines_read(&source, "hba", "h", NULL, take_rest, rest, &why));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_become_fields),
	    cmocka_unit_test(files_are_included_where_they_are_named),
	    cmocka_unit_test(what_is_wrong_is_named),
	    cmocka_unit_test(a_zero_byte_is_refused),
	    cmocka_unit_test(a_missing_file_is_named),
	    cmocka_unit_test(lengths_are_bounded),
	    cmocka_unit_test(files_that_include_each_other_again_and_again_are_bounded),
	    cmocka_unit_test(the_rest_of_a_line_is_as_it_was_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
