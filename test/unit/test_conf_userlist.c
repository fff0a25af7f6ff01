/* Tests of src/conf/userlist.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "conf/config.h"
#include "conf/userlist.h"

static bool note_user(void *context, const char *name, const char *secret, unsigned line, struct conf_error *why)
{
	(void)why;
	str_printf((struct str *)context, "%u <%s> <%s>\n", line, name, secret);
	return true;
}

/* Parses a copy of exact size, so that the sanitizer sees reads behind it. */
static bool parse(const char *text, size_t len, struct str *said, struct conf_error *why)
{
	char *copy = mem_copy(text, len);
	bool good = userlist_parse(copy, len, "u.txt", note_user, said, why);

	mem_free(copy);
	return good;
}

static void lines_become_users(void **state)
{
	static const struct {
		const char *text, *story;
	} cases[] = {
	    {"", ""},
	    {"\"a\" \"b\"\n", "1 <a> <b>\n"},
	    {"\"a\" \"b\"", "1 <a> <b>\n"},
	    {"\n  \"a\"\t\"b\" anything \"else\"\n\n\"c\" \"\"\n", "2 <a> <b>\n4 <c> <>\n"},
	    {"; x\n  ;y\n\"a\" \"b\"\r\n", "3 <a> <b>\n"},
	    {"\"a\"\"b\" \"c\"\"\"\n", "1 <a\"b> <c\">\n"},
	    {"\xEF\xBB\xBF\"a\" \"b\"\n", "1 <a> <b>\n"},
	    {"\"a\"\"b\" \"x\"\n\"a\" \"y\"\n\"a\" \"z\"\n", "1 <a\"b> <x>\n2 <a> <y>\n3 <a> <z>\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf_error why;
		struct str said;

		str_init(&said, 1000);
		assert_true(parse(cases[i].text, strlen(cases[i].text), &said, &why));
		assert_string_equal(str_text(&said), cases[i].story);
		str_fini(&said);
	}
}

static void broken_lines_are_named_and_secrets_are_not(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		unsigned line;
		const char *what;
	} cases[] = {
	    {"\n# comment\n", 11, 2, "broken auth file (u.txt:2): there is no name in double quotes"},
	    {"a \"hidden\"\n", 11, 1, "broken auth file (u.txt:1): there is no name in double quotes"},
	    {"\"a \n", 4, 1, "broken auth file (u.txt:1): there is no name in double quotes"},
	    {"\"a\"\n\"hidden\" \"x\"\n", 17, 1,
	     "broken auth file (u.txt:1): after the name there is no secret in double quotes"},
	    {"\"a\" \"hidden\n", 12, 1,
	     "broken auth file (u.txt:1): after the name there is no secret in double quotes"},
	    {"\"a\" hidden\n", 11, 1, "broken auth file (u.txt:1): after the name there is no secret in double quotes"},
	    {"\"a\" \"hid\0den\"\n", 14, 1, "broken auth file (u.txt:1): there is a zero byte"},
	    {"\xFF\xFE\"\0a\0\"\0", 8, 0, "could not load file \"u.txt\": its text is in UTF-16, not in UTF-8"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf_error why;
		struct str said;

		str_init(&said, 1000);
		assert_false(parse(cases[i].text, cases[i].len, &said, &why));
		assert_string_equal(why.text, cases[i].what);
		assert_string_equal(why.file, "u.txt");
		assert_int_equal(why.line, cases[i].line);
		assert_null(strstr(why.text, "hidden"));
		assert_true(why.hint[0] != '\0');
		str_fini(&said);
	}
}

/* Parses one line with a name and a secret of these lengths. */
static void parse_lengths(size_t name_len, size_t secret_len, struct conf_error *why, bool *good)
{
	struct str line, said;

	str_init(&line, 100000);
	str_init(&said, 100000);
	str_add_char(&line, '"');
	for (size_t i = 0; i < name_len; i++)
		str_add_char(&line, 'n');
	str_add_str(&line, "\" \"");
	for (size_t i = 0; i < secret_len; i++)
		str_add_char(&line, 's');
	str_add_str(&line, "\"\n");
	assert_false(line.failed);
	*good = parse(str_text(&line), line.len, &said, why);
	str_fini(&line);
	str_fini(&said);
}

static void fields_have_a_longest_length(void **state)
{
	struct conf_error why;
	bool good;

	(void)state;
	parse_lengths(127, 65534, &why, &good);
	assert_true(good);
	parse_lengths(128, 1, &why, &good);
	assert_false(good);
	assert_string_equal(why.text, "username too long in auth file (u.txt:1): more than 127 bytes");
	parse_lengths(1, 65535, &why, &good);
	assert_false(good);
	assert_string_equal(why.text, "password too long in auth file (u.txt:1): more than 65534 bytes");
}

static void every_prefix_is_read_or_refused(void **state)
{
	static const char text[] = "\xEF\xBB\xBF; c\n \"a\"\"\" \t\"b\"\"c\" x\r\n\n\"d\" \"\"";

	(void)state;
	for (size_t cut = 0; cut < sizeof(text); cut++) {
		struct conf_error why;
		struct str said;
		bool good;

		memset(&why, 0, sizeof(why));
		str_init(&said, 1000);
		good = parse(text, cut, &said, &why);
		assert_true(good != (why.text[0] != '\0'));
		str_fini(&said);
	}
}

#define KEY "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static void secrets_are_known_by_their_form(void **state)
{
	static const struct {
		const char *secret;
		enum secret_kind kind;
	} cases[] = {
	    {"", SECRET_NONE},
	    {"secret", SECRET_PLAIN},
	    {"md5", SECRET_PLAIN},
	    {"md50123456789abcdef0123456789abcdef", SECRET_MD5},
	    {"md50123456789abcdef0123456789abcde", SECRET_PLAIN},
	    {"md50123456789abcdef0123456789abcdef0", SECRET_PLAIN},
	    {"md50123456789ABCDEF0123456789abcdef", SECRET_PLAIN},
	    {"MD50123456789abcdef0123456789abcdef", SECRET_PLAIN},
	    {"SCRAM-SHA-256$4096:c2FsdA==$" KEY ":" KEY, SECRET_SCRAM},
	    {"SCRAM-SHA-256$1:c2Fs$" KEY ":" KEY, SECRET_SCRAM},
	    {"scram-sha-256$4096:c2FsdA==$" KEY ":" KEY, SECRET_PLAIN},
	    {"SCRAM-SHA-256$0:c2FsdA==$" KEY ":" KEY, SECRET_PLAIN},
	    {"SCRAM-SHA-256$:c2FsdA==$" KEY ":" KEY, SECRET_PLAIN},
	    {"SCRAM-SHA-256$-1:c2FsdA==$" KEY ":" KEY, SECRET_PLAIN},
	    {"SCRAM-SHA-256$9999999999:c2FsdA==$" KEY ":" KEY, SECRET_PLAIN},
	    {"SCRAM-SHA-256$4096:$" KEY ":" KEY, SECRET_PLAIN},
	    {"SCRAM-SHA-256$4096:c2Fsd$" KEY ":" KEY, SECRET_PLAIN},
	    {"SCRAM-SHA-256$4096:c2!sdA==$" KEY ":" KEY, SECRET_PLAIN},
	    {"SCRAM-SHA-256$4096:c=FsdA==$" KEY ":" KEY, SECRET_PLAIN},
	    {"SCRAM-SHA-256$4096:c2FsdA==$AAAA:" KEY, SECRET_PLAIN},
	    {"SCRAM-SHA-256$4096:c2FsdA==$" KEY ":AAAA", SECRET_PLAIN},
	    {"SCRAM-SHA-256$4096:c2FsdA==$" KEY ":" KEY "x", SECRET_PLAIN},
	    {"SCRAM-SHA-256$4096:c2FsdA==$" KEY, SECRET_PLAIN},
	    {"SCRAM-SHA-256$4096:c2FsdA==", SECRET_PLAIN},
	    {"SCRAM-SHA-256$4096", SECRET_PLAIN},
	    {"SCRAM-SHA-256$", SECRET_PLAIN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *copy = mem_copy_str(cases[i].secret); /* exact size, for the sanitizer */

		assert_int_equal(secret_classify(copy), cases[i].kind);
		mem_free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_become_users), cmocka_unit_test(broken_lines_are_named_and_secrets_are_not),
	    cmocka_unit_test(fields_have_a_longest_length), cmocka_unit_test(every_prefix_is_read_or_refused),
	    cmocka_unit_test(secrets_are_known_by_their_form)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
