/* Tests of src/auth/lookup.c: what is asked, and each answer, cut anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/lookup.h"
#include "failing_mem.h"
#include "wire/message.h"

/* ---- answers ---- */

static void put_columns(struct str *out, size_t n)
{
	struct message_column columns[8];

	for (size_t i = 0; i < n; i++)
		columns[i] = (struct message_column){"c", TYPE_OID_TEXT, -1};
	message_row_description(out, columns, n);
}

static void put_row(struct str *out, const char *name, const char *secret)
{
	const char *texts[] = {name, secret};

	message_data_row(out, texts, 2);
}

static void begin(struct str *out)
{
	str_init(out, 1 << 22);
	message_bare(out, '1');
	message_bare(out, '2');
}

static void put_error(struct str *out, const char *severity, const char *text)
{
	struct words words = {severity, "42501", text, NULL, NULL};

	message_error(out, &words);
}

/* "FOUND ann secret", "NOBODY", "FAILED: …"; what the answer comes to when it arrives in these two pieces. */
static void story_of(const struct str *answer, size_t cut, char *story, size_t size)
{
	enum lookup_result result = LOOKUP_MORE;
	struct lookup l;
	size_t at = 0;

	lookup_init(&l);
	for (size_t end = cut; result == LOOKUP_MORE; end = answer->len) {
		size_t used, len = end - at;
		char *piece = (char *)malloc(len + 1); /* exactly, for the sanitizer */

		memcpy(piece, answer->data + at, len);
		result = lookup_take(&l, piece, len, &used);
		free(piece);
		assert_true(used <= len);
		at += used;
		if (end == answer->len)
			break;
	}
	switch (result) {
	case LOOKUP_MORE:
		snprintf(story, size, "MORE");
		break;
	case LOOKUP_FOUND:
		assert_true(l.secret == NULL || strlen(l.secret) == l.secret_len);
		snprintf(story, size, "FOUND %s %s", l.name, l.secret == NULL ? "(null)" : l.secret);
		break;
	case LOOKUP_NOBODY:
		snprintf(story, size, "NOBODY");
		break;
	case LOOKUP_FAILED:
	case LOOKUP_LOST:
	case LOOKUP_BROKEN:
		assert_int_equal(l.why.phase, PHASE_LOOKUP);
		snprintf(story, size, "%s: %s",
		         result == LOOKUP_FAILED ? "FAILED"
		         : result == LOOKUP_LOST ? "LOST"
		                                 : "BROKEN",
		         l.why.domain == DOMAIN_SERVER ? "the server's words" : l.why.text);
		break;
	}
	lookup_fini(&l);
}

static void comes_to(struct str *answer, const char *expected)
{
	char story[300];

	assert_false(answer->failed);
	for (size_t cut = 0; cut <= answer->len; cut++) {
		story_of(answer, cut, story, sizeof(story));
		if (strcmp(story, expected) != 0)
			fail_msg("cut at %u of %u: \"%s\" instead of \"%s\"", (unsigned)cut, (unsigned)answer->len,
			         story, expected);
	}
	str_fini(answer);
	assert_int_equal(mem_blocks, 0);
}

/* ---- tests ---- */

static void the_name_is_a_parameter_whatever_is_in_it(void **state)
{
	static const char *const names[] = {"ann", "a'b", "a\"b\\", "'; DROP TABLE x; --", "\xc3\xa9", ""};
	struct str out;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *query = "SELECT a, b FROM c WHERE a = $1";
		size_t parse = 1 + 4 + 1 + strlen(query) + 1 + 2, len = strlen(names[i]);
		char expected[200];

		str_init(&out, 65536);
		lookup_ask(&out, query, names[i]);
		assert_false(out.failed);
		assert_memory_equal(out.data, "P\0\0\0", 4);
		assert_string_equal(out.data + 6, query);
		assert_memory_equal(out.data + parse, "B\0\0\0", 4);
		assert_memory_equal(out.data + parse + 5, "\0\0\0\0\0\1\0\0\0", 9);
		assert_int_equal(out.data[parse + 14], len);
		assert_memory_equal(out.data + parse + 15, names[i], len);
		memcpy(expected, "\0\0D\0\0\0\6P\0E\0\0\0\x9\0\0\0\0\xaS\0\0\0\4", 24);
		assert_memory_equal(out.data + parse + 15 + len, expected, 24);
		assert_int_equal(out.len, parse + 15 + len + 24);
		str_fini(&out);
	}
}

static void a_row_is_a_user(void **state)
{
	struct str a;

	(void)state;
	begin(&a);
	put_columns(&a, 2);
	put_row(&a, "ann", "md5abc");
	message_command_complete(&a, "SELECT 1");
	message_ready(&a, 'I');
	comes_to(&a, "FOUND ann md5abc");
	begin(&a);
	put_columns(&a, 2);
	put_row(&a, "ann", NULL);
	message_command_complete(&a, "SELECT 1");
	message_ready(&a, 'I');
	comes_to(&a, "FOUND ann (null)");
	begin(&a);
	put_columns(&a, 2);
	put_row(&a, "ann", "");
	message_command_complete(&a, "SELECT 1");
	message_ready(&a, 'I');
	comes_to(&a, "FOUND ann ");
}

static void the_last_of_several_rows_counts(void **state)
{
	struct str a;

	(void)state;
	begin(&a);
	put_columns(&a, 2);
	put_row(&a, "a longer name", "one");
	put_row(&a, "ben", "two");
	message_command_complete(&a, "SELECT 2");
	message_ready(&a, 'I');
	comes_to(&a, "FOUND ben two");
}

static void no_row_or_no_name_is_nobody(void **state)
{
	struct str a;

	(void)state;
	begin(&a);
	put_columns(&a, 2);
	message_command_complete(&a, "SELECT 0");
	message_ready(&a, 'I');
	comes_to(&a, "NOBODY");
	begin(&a);
	put_columns(&a, 2);
	put_row(&a, NULL, "x");
	message_command_complete(&a, "SELECT 1");
	message_ready(&a, 'I');
	comes_to(&a, "NOBODY");
	begin(&a);
	put_columns(&a, 2);
	put_row(&a, "", "x");
	message_command_complete(&a, "SELECT 1");
	message_ready(&a, 'I');
	comes_to(&a, "NOBODY");
}

static void what_a_server_may_say_at_any_time_is_passed_over(void **state)
{
	struct words words = {"NOTICE", "00000", "hello", NULL, NULL};
	struct str a;

	(void)state;
	str_init(&a, 65536);
	message_notice(&a, &words);
	message_parameter_status(&a, "TimeZone", "UTC");
	message_bare(&a, '1');
	message_notice(&a, &words);
	message_bare(&a, '2');
	put_columns(&a, 2);
	put_row(&a, "ann", "secret");
	message_notice(&a, &words);
	message_command_complete(&a, "SELECT 1");
	message_parameter_status(&a, "TimeZone", "CET");
	message_ready(&a, 'I');
	comes_to(&a, "FOUND ann secret");
}

static void another_shape_is_a_failure_and_the_server_goes_on(void **state)
{
	struct str a;

	(void)state;
	begin(&a);
	put_columns(&a, 3);
	message_command_complete(&a, "SELECT 0");
	message_ready(&a, 'I');
	comes_to(&a, "FAILED: it returns 3 columns instead of 2");
	begin(&a);
	put_columns(&a, 1);
	message_command_complete(&a, "SELECT 0");
	message_ready(&a, 'I');
	comes_to(&a, "FAILED: it returns 1 column instead of 2");
	begin(&a);
	message_bare(&a, 'n');
	message_command_complete(&a, "UPDATE 0");
	message_ready(&a, 'I');
	comes_to(&a, "FAILED: it is a command that returns no rows");
	begin(&a);
	message_bare(&a, 'n');
	message_bare(&a, 'I');
	message_ready(&a, 'I');
	comes_to(&a, "FAILED: it is a command that returns no rows");
	begin(&a);
	put_columns(&a, 2);
	put_row(&a, "ann", "x");
	message_bare(&a, 's');
	message_ready(&a, 'I');
	comes_to(&a, "FAILED: it returns more than 10 rows for one user");
	begin(&a);
	put_columns(&a, 2);
	message_command_complete(&a, "SELECT 0");
	message_ready(&a, 'T');
	comes_to(&a, "FAILED: it leaves a transaction open");
}

static void errors_are_kept(void **state)
{
	struct str a;

	(void)state;
	str_init(&a, 65536);
	put_error(&a, "ERROR", "permission denied for table secrets");
	message_ready(&a, 'I');
	comes_to(&a, "FAILED: the server's words");
	begin(&a); /* in the middle of its rows */
	put_columns(&a, 2);
	put_row(&a, "ann", "x");
	put_error(&a, "ERROR", "division by zero");
	message_ready(&a, 'I');
	comes_to(&a, "FAILED: the server's words");
	begin(&a);
	put_error(&a, "FATAL", "terminating connection due to administrator command");
	comes_to(&a, "LOST: the server's words");
}

static void put_raw(struct str *out, const char *bytes, size_t len)
{
	str_add(out, bytes, len);
}

static void nonsense_ends_it(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *expected;
	} cases[] = {
	    {"R\0\0\0\x8\0\0\0\0", 9, "BROKEN: Authentication in an answer to auth_query"},
	    {"G\0\0\0\4", 5, "BROKEN: CopyInResponse in an answer to auth_query"},
	    {"1\0\0\0\4", 5, "BROKEN: ParseComplete at a wrong time"},
	    {"Z\0\0\0\5I", 6, "BROKEN: ReadyForQuery at a wrong time"},
	    {"D\0\0\0\xe\0\2\0\0\0\1a\0\0\0\1", 15, "BROKEN: DataRow at a wrong time"},
	    {"T\0\0\0\3", 5, "BROKEN: a message with an impossible length"},
	    {"T\xff\xff\xff\xff", 5, "BROKEN: a message with an impossible length"},
	    {"N\x40\0\0\0", 5, "BROKEN: more than 1000 messages, or 1 MB, in one answer"},
	};
	struct str a;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin(&a);
		put_raw(&a, cases[i].bytes, cases[i].len);
		comes_to(&a, cases[i].expected);
	}
}

static void rows_that_are_none_end_it(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *expected;
	} cases[] = {
	    /* a length beyond the end, too few columns, something behind, nothing at all, 1 GB */
	    {"D\0\0\0\xf\0\2\0\0\0\1a\0\0\0\1", 16, "BROKEN: DataRow with a malformed body"},
	    {"D\0\0\0\xb\0\1\0\0\0\1a", 12, "BROKEN: DataRow with a malformed body"},
	    {"D\0\0\0\xf\0\2\0\0\0\0\0\0\0\0x", 16, "BROKEN: DataRow with a malformed body"},
	    {"D\0\0\0\4", 5, "BROKEN: DataRow with a malformed body"},
	    {"D\0\0\0\xe\0\2\0\0\0\0\x7f\xff\xff\xff", 15, "BROKEN: DataRow with a malformed body"},
	    {"D\x40\0\0\0\0\2", 7, "BROKEN: DataRow beyond the limit"},
	    {"D\0\0\0\x10\0\2\0\0\0\1\0\0\0\0\1b", 17, "FAILED: the name that it returned contains a zero byte"},
	    {"D\0\0\0\x10\0\2\0\0\0\1a\0\0\0\1\0", 17, "FAILED: the secret that it returned contains a zero byte"},
	};
	struct str a;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin(&a);
		put_columns(&a, 2);
		put_raw(&a, cases[i].bytes, cases[i].len);
		message_command_complete(&a, "SELECT 1");
		message_ready(&a, 'I');
		comes_to(&a, cases[i].expected);
	}
}

static char *text_of(char letter, size_t len)
{
	char *text = (char *)malloc(len + 1);

	memset(text, letter, len);
	text[len] = '\0';
	return text;
}

/* Ways to cut would be too many. */
static void the_longest_secret_is_taken_and_a_longer_one_is_not(void **state)
{
	char *name = text_of('n', LOOKUP_MAX_NAME_BYTES), *longer = text_of('n', LOOKUP_MAX_NAME_BYTES + 1);
	char *secret = text_of('s', LOOKUP_MAX_SECRET_BYTES), *too_long = text_of('s', LOOKUP_MAX_SECRET_BYTES + 1);
	const struct {
		const char *name, *secret, *expected;
	} cases[] = {{name, secret, "FOUND n"},
	             {longer, "x", "FAILED: the name that it returned is longer than 127 bytes"},
	             {"n", too_long, "FAILED: the secret that it returned is longer than 65534 bytes"},
	             {name, too_long, "BROKEN: DataRow beyond the limit"}};
	char story[100];
	struct str a;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		begin(&a);
		put_columns(&a, 2);
		put_row(&a, cases[i].name, cases[i].secret);
		message_command_complete(&a, "SELECT 1");
		message_ready(&a, 'I');
		for (size_t cut = 0; cut < a.len; cut += 997) {
			story_of(&a, cut, story, sizeof(story));
			assert_memory_equal(story, cases[i].expected, strlen(cases[i].expected));
		}
		str_fini(&a);
	}
	free(name);
	free(longer);
	free(secret);
	free(too_long);
	assert_int_equal(mem_blocks, 0);
}

static void endless_answers_have_an_end(void **state)
{
	char story[100];
	struct str a;

	(void)state;
	begin(&a);
	put_columns(&a, 2);
	for (int i = 0; i < 2000; i++)
		put_row(&a, "ann", "x");
	story_of(&a, a.len, story, sizeof(story));
	assert_string_equal(story, "BROKEN: more than 1000 messages, or 1 MB, in one answer");
	str_fini(&a);
}

static void out_of_memory_is_said(void **state)
{
	struct str a;

	(void)state;
	begin(&a);
	put_columns(&a, 2);
	put_row(&a, "ann", "secret");
	message_command_complete(&a, "SELECT 1");
	message_ready(&a, 'I');
	for (size_t at = 1; at <= 3; at++) {
		size_t blocks = mem_blocks, used;
		enum lookup_result result;
		struct lookup l;

		lookup_init(&l);
		mem_until_failure = at;
		result = lookup_take(&l, a.data, a.len, &used);
		mem_until_failure = 0;
		if (result == LOOKUP_BROKEN)
			assert_int_equal(l.why.code, FAILURE_NO_MEMORY);
		else
			assert_int_equal(result, LOOKUP_FOUND);
		assert_true(result == LOOKUP_BROKEN || at > 1);
		lookup_fini(&l);
		assert_int_equal(mem_blocks, blocks);
	}
	str_fini(&a);
}

static void it_has_begun_when_the_question_was_seen(void **state)
{
	char notice[] = {'N', 0, 0, 0, 5, 0}, parsed[] = {'1', 0, 0, 0, 4};
	struct lookup l;
	size_t used;

	(void)state;
	lookup_init(&l);
	assert_false(lookup_has_begun(&l));
	assert_int_equal(lookup_take(&l, notice, sizeof(notice), &used), LOOKUP_MORE);
	assert_false(lookup_has_begun(&l));
	assert_int_equal(lookup_take(&l, parsed, sizeof(parsed), &used), LOOKUP_MORE);
	assert_true(lookup_has_begun(&l));
	lookup_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_name_is_a_parameter_whatever_is_in_it),
	    cmocka_unit_test(a_row_is_a_user),
	    cmocka_unit_test(the_last_of_several_rows_counts),
	    cmocka_unit_test(no_row_or_no_name_is_nobody),
	    cmocka_unit_test(what_a_server_may_say_at_any_time_is_passed_over),
	    cmocka_unit_test(another_shape_is_a_failure_and_the_server_goes_on),
	    cmocka_unit_test(errors_are_kept),
	    cmocka_unit_test(nonsense_ends_it),
	    cmocka_unit_test(rows_that_are_none_end_it),
	    cmocka_unit_test(the_longest_secret_is_taken_and_a_longer_one_is_not),
	    cmocka_unit_test(endless_answers_have_an_end),
	    cmocka_unit_test(out_of_memory_is_said),
	    cmocka_unit_test(it_has_begun_when_the_question_was_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
