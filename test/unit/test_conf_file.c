/* Tests of src/conf/file.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "conf/file.h"
#include "conf_files.h"
#include "place.h"

/* Writes down what the parser says. */
static bool note_section(void *context, const char *name, const char *file, unsigned line, struct conf_error *why)
{
	(void)why;
	str_printf((struct str *)context, "%s:%u [%s]\n", file, line, name);
	return true;
}

static bool note_value(void *context, const char *key, const char *value, const char *file, unsigned line,
                       struct conf_error *why)
{
	if (strcmp(key, "stop") == 0)
		return conf_fail(why, file, line, "stopped");
	str_printf((struct str *)context, "%s:%u <%s>=<%s>\n", file, line, key, value);
	return true;
}

static const struct conf_file_events events = {note_section, note_value};

static void check_story(struct fake_file *files, const char *story)
{
	struct conf_error why = {"", 0, "", ""};
	struct str said;

	str_init(&said, 10000);
	if (!conf_file_parse(files[0].path, fake_read, files, &events, &said, &why))
		fail_msg("%s", why.text);
	assert_string_equal(str_text(&said), story);
	str_fini(&said);
}

/* The story of one file a.ini. */
static void check_text(const char *text, const char *story)
{
	struct fake_file files[] = {{"a.ini", text, 0}, {NULL, NULL, 0}};

	check_story(files, story);
}

static void check_broken(struct fake_file *files, const char *file, unsigned line, const char *text)
{
	struct conf_error why;
	struct str said;

	str_init(&said, 10000);
	assert_false(conf_file_parse(files[0].path, fake_read, files, &events, &said, &why));
	assert_string_equal(why.text, text);
	assert_string_equal(why.file, file);
	assert_int_equal(why.line, line);
	str_fini(&said);
}

static void lines_become_sections_and_values(void **state)
{
	(void)state;
	check_text("", "");
	check_text("\n \n\t\n", "");
	check_text("[a]\nb=c\n[d]\ne = f g  \n", "a.ini:1 [a]\na.ini:2 <b>=<c>\na.ini:3 [d]\na.ini:4 <e>=<f g>\n");
	check_text("[a]\n  \t b\t=\tc", "a.ini:1 [a]\na.ini:2 <b>=<c>\n");
	check_text("[a]\nb=\n", "a.ini:1 [a]\na.ini:2 <b>=<>\n");
	check_text("[a b]\n", "a.ini:1 [a b]\n");
	check_text("[]\n", "a.ini:1 []\n");
	check_text("[a]\nb===c=\n", "a.ini:1 [a]\na.ini:2 <b>=<==c=>\n");
}

static void comments_stand_alone_or_behind_a_section(void **state)
{
	(void)state;
	check_text("; x\n  # y = z\n[a] ; c\n", "a.ini:3 [a]\n");
	check_text("[a]\nb = c ; d # e\n", "a.ini:1 [a]\na.ini:2 <b>=<c ; d # e>\n");
}

static void lines_of_windows_files_are_the_same(void **state)
{
	(void)state;
	check_text("\xEF\xBB\xBF[a]\r\nb=c\r\n\r\n", "a.ini:1 [a]\na.ini:2 <b>=<c>\n");
}

static void keys_may_be_quoted(void **state)
{
	(void)state;
	check_text("[a]\n*=1\na.b-c_9=2\n", "a.ini:1 [a]\na.ini:2 <*>=<1>\na.ini:3 <a.b-c_9>=<2>\n");
	check_text("[a]\n'my \"db'=1\n", "a.ini:1 [a]\na.ini:2 <my \"db>=<1>\n");
	check_text("[a]\n\"my 'db\" = 1\n", "a.ini:1 [a]\na.ini:2 <my 'db>=<1>\n");
	check_text("[a]\n\"a\"\"b\"=1\n", "a.ini:1 [a]\na.ini:2 <a\"b>=<1>\n");
	check_text("[a]\n'['=1\n", "a.ini:1 [a]\na.ini:2 <[>=<1>\n");
	check_text("[a]\n''=1\n", "a.ini:1 [a]\na.ini:2 <>=<1>\n");
}

static void sections_go_on_into_included_files_and_out_of_them(void **state)
{
	struct fake_file files[] = {{"a.ini", "[s]\n%include b.ini\nz=1\n", 0},
	                            {"b.ini", "x=1\n[t]\n%include\tsub/c d.ini  \n", 0},
	                            {"sub/c d.ini", "y=1", 0},
	                            {NULL, NULL, 0}};

	(void)state;
	check_story(files, "a.ini:1 [s]\nb.ini:1 <x>=<1>\nb.ini:2 [t]\nsub/c d.ini:1 <y>=<1>\na.ini:3 <z>=<1>\n");
}

static void included_files_are_also_sought_beside_the_including_one(void **state)
{
	struct fake_file files[] = {{"etc/a.ini", "[s]\n  %include b.ini\n%include x.ini\n", 0},
	                            {"etc/b.ini", "where=beside\n", 0},
	                            {"x.ini", "where=here\n", 0},
	                            {"etc/x.ini", "where=beside\n", 0},
	                            {NULL, NULL, 0}};

	(void)state;
	check_story(files, "etc/a.ini:1 [s]\netc/b.ini:1 <where>=<beside>\nx.ini:1 <where>=<here>\n");
}

static void write_file(const char *place, const char *name, const char *content)
{
	char path[PLACE_BYTES + 40];

	snprintf(path, sizeof(path), "%s/%s", place, name);
	place_put(path, content);
}

/* What is read from real files, without the place in front of their names. */
static void check_place(const char *place, const char *content, const char *story)
{
	char path[PLACE_BYTES + 40], *at;
	struct conf_error why = {"", 0, "", ""};
	struct str said;

	write_file(place, "main", content);
	snprintf(path, sizeof(path), "%s/main", place);
	str_init(&said, 10000);
	if (!conf_file_parse(path, conf_read_file, NULL, &events, &said, &why)) {
		str_clear(&said);
		str_add_str(&said, why.text);
	}
	while ((at = strstr(str_text(&said), place)) != NULL)
		memmove(at, at + strlen(place) + 1, strlen(at + strlen(place) + 1) + 1);
	assert_string_equal(str_text(&said), story);
	str_fini(&said);
}

static void a_pattern_includes_all_files_that_fit(void **state)
{
	char place[PLACE_BYTES], absolute[PLACE_BYTES + 40];

	(void)state;
	place_make(place);
	write_file(place, "b.ini", "b=1\n[t]\n");
	write_file(place, "a.ini", "a=1\n");
	write_file(place, "[ab].cnf", "literal=1\n");
	write_file(place, "a.cnf", "fits=1\n");
	write_file(place, "broken.txt", "stop=1\n");
	check_place(place, "[s]\n%include *.ini\nz=1\n",
	            "main:1 [s]\na.ini:1 <a>=<1>\nb.ini:1 <b>=<1>\nb.ini:2 [t]\nmain:3 <z>=<1>\n");
	check_place(place, "[s]\n%include [ab].cnf\n", "main:1 [s]\n[ab].cnf:1 <literal>=<1>\n");
	check_place(place, "[s]\n%include ?.cnf\n", "main:1 [s]\na.cnf:1 <fits>=<1>\n");
	check_place(place, "[s]\n%include none*\nz=1\n", "main:1 [s]\nmain:3 <z>=<1>\n");
	check_place(place, "[s]\n%include brok*\nz=1\n", "stopped");
	check_place(place, "[s]\n%include ma?n\n", "include nesting level too deep in configuration (main:2)");
	check_place(place, "[s]\n%include none/*.ini\n",
	            "could not load file \"none/*.ini\" in configuration (main:2): No such file or directory");
	snprintf(absolute, sizeof(absolute), "[s]\n%%include %s/a.i*\n", place);
	check_place(place, absolute, "main:1 [s]\na.ini:1 <a>=<1>\n");
	place_remove(place);
}

static void includes_may_nest_ten_deep(void **state)
{
	char path[13][16], content[13][40];
	struct fake_file files[14];

	(void)state;
	memset(files, 0, sizeof(files));
	for (int i = 0; i < 13; i++) {
		snprintf(path[i], sizeof(path[i]), "%d.ini", i);
		snprintf(content[i], sizeof(content[i]), i == 10 ? "[ten]\n" : "%%include %d.ini\n", i + 1);
		files[i].path = path[i];
		files[i].content = content[i];
	}
	check_story(files, "10.ini:1 [ten]\n");
	snprintf(content[10], sizeof(content[10]), "\n%%include 11.ini\n");
	check_broken(files, "10.ini", 2, "include nesting level too deep in configuration (10.ini:2)");
}

static void broken_lines_are_named(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *what;
	} cases[] = {
	    {"[a", 1, "syntax error in configuration (a.ini:1): \"]\" is missing after the name of a section"},
	    {"\n[a] b\n", 2, "syntax error in configuration (a.ini:2): there is text after \"]\""},
	    {"[a]\nb\n", 2, "syntax error in configuration (a.ini:2): \"=\" is missing after the key"},
	    {"[a]\nb c=d\n", 2, "syntax error in configuration (a.ini:2): \"=\" is missing after the key"},
	    {"[a]\n\n'b=c\nd=e'\n", 3, "syntax error in configuration (a.ini:3): a quote is not closed"},
	    {"[a]\n\"b=c\n", 2, "syntax error in configuration (a.ini:2): a quote is not closed"},
	    {"[a]\n'b' c\n", 2, "syntax error in configuration (a.ini:2): \"=\" is missing after the key"},
	    {"[a]\n=b\n", 2,
	     "syntax error in configuration (a.ini:2): a line must be \"key = value\", \"[section]\", \"%include "
	     "file\" or a "
	     "comment"},
	    {"[a]\n!b=c\n", 2,
	     "syntax error in configuration (a.ini:2): a line must be \"key = value\", \"[section]\", \"%include "
	     "file\" or a "
	     "comment"},
	    {"[a]\n%includeb\n", 2,
	     "syntax error in configuration (a.ini:2): \"%include\", a blank and the name of a file are expected"},
	    {"%include", 1,
	     "syntax error in configuration (a.ini:1): \"%include\", a blank and the name of a file are expected"},
	    {"%foo x", 1,
	     "syntax error in configuration (a.ini:1): \"%include\", a blank and the name of a file are expected"},
	    {"b=c", 1, "load_init_file: value without section: b in configuration (a.ini:1)"},
	    {"[a]\nx=1\nstop=2\ny=3\n", 3, "stopped"},
	    {"\n%include none.ini\n", 2,
	     "could not load file \"none.ini\" in configuration (a.ini:2): No such file or directory"},
	    {"\xFE\xFF[", 0, "could not load file \"a.ini\": its text is in UTF-16, not in UTF-8"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake_file files[] = {{"a.ini", cases[i].text, 0}, {NULL, NULL, 0}};

		check_broken(files, "a.ini", cases[i].line, cases[i].what);
	}
}

/* A reader of one file with a zero byte in it. */
static int read_zero(void *context, const char *path, struct str *out)
{
	(void)context;
	(void)path;
	str_add(out, "[a]\nb=c\0d\n", 11);
	return 0;
}

static void zero_bytes_are_refused(void **state)
{
	struct conf_error why;
	struct str said;

	(void)state;
	str_init(&said, 1000);
	assert_false(conf_file_parse("a.ini", read_zero, NULL, &events, &said, &why));
	assert_string_equal(why.text, "syntax error in configuration (a.ini:2): there is a zero byte");
	str_fini(&said);
}

static void files_that_cannot_be_read_are_named(void **state)
{
	struct fake_file files[] = {{"a.ini", NULL, EACCES}, {NULL, NULL, 0}};

	(void)state;
	check_broken(files, "a.ini", 0, "could not load file \"a.ini\": Permission denied");
}

/* Nothing that a file may hold makes the parser read beyond it: the sanitizer watches. */
static void every_prefix_of_a_file_is_read_or_refused(void **state)
{
	static const char text[] = "\xEF\xBB\xBF; c\n[a] ; d\r\n'k v' = w\n\"q\"\"q\" = 1\n%include b.ini\n*=%\n";

	(void)state;
	for (size_t cut = 0; cut < sizeof(text); cut++) {
		char piece[sizeof(text)];
		struct fake_file files[] = {{"a.ini", piece, 0}, {"b.ini", "", 0}, {NULL, NULL, 0}};
		struct conf_error why;
		struct str said;
		bool good;

		memcpy(piece, text, cut);
		piece[cut] = '\0';
		str_init(&said, 1000);
		memset(&why, 0, sizeof(why));
		good = conf_file_parse("a.ini", fake_read, files, &events, &said, &why);
		assert_true(good != (why.text[0] != '\0'));
		str_fini(&said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(lines_become_sections_and_values),
	                                   cmocka_unit_test(comments_stand_alone_or_behind_a_section),
	                                   cmocka_unit_test(lines_of_windows_files_are_the_same),
	                                   cmocka_unit_test(keys_may_be_quoted),
	                                   cmocka_unit_test(sections_go_on_into_included_files_and_out_of_them),
	                                   cmocka_unit_test(included_files_are_also_sought_beside_the_including_one),
	                                   cmocka_unit_test(a_pattern_includes_all_files_that_fit),
	                                   cmocka_unit_test(includes_may_nest_ten_deep),
	                                   cmocka_unit_test(broken_lines_are_named),
	                                   cmocka_unit_test(zero_bytes_are_refused),
	                                   cmocka_unit_test(files_that_cannot_be_read_are_named),
	                                   cmocka_unit_test(every_prefix_of_a_file_is_read_or_refused)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
