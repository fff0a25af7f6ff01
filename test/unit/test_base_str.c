/* base/str: building, the limit, running out of memory, cutting, taking. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/str.h"
#include "failing_mem.h"

static int nothing_fails(void **state)
{
	(void)state;
	mem_until_failure = 0;
	return 0;
}

static int nothing_leaks(void **state)
{
	(void)state;
	mem_until_failure = 0;
	return mem_blocks == 0 ? 0 : -1;
}

static void a_new_string_is_empty_and_has_a_text(void **state)
{
	struct str s;

	(void)state;
	str_init(&s, 100);
	assert_int_equal(s.len, 0);
	assert_string_equal(str_text(&s), "");
	assert_int_equal(mem_blocks, 0);
	str_fini(&s);
}

static void additions_follow_each_other(void **state)
{
	struct str s;

	(void)state;
	str_init(&s, 100);
	str_add(&s, "ab\0c", 4);
	str_add_str(&s, "de");
	str_add_char(&s, 'f');
	str_printf(&s, "%d-%s", 42, "x");
	assert_false(s.failed);
	assert_int_equal(s.len, 11);
	assert_memory_equal(str_text(&s), "ab\0cdef42-x", 12);
	str_fini(&s);
}

static void adding_nothing_changes_nothing(void **state)
{
	struct str s;

	(void)state;
	str_init(&s, 0);
	str_add(&s, NULL, 0);
	str_add_str(&s, "");
	str_printf(&s, "%s", "");
	assert_false(s.failed);
	assert_string_equal(str_text(&s), "");
	str_fini(&s);
}

static void it_grows_to_its_limit_and_not_beyond(void **state)
{
	(void)state;
	for (size_t limit = 0; limit < 300; limit++) {
		struct str s;

		str_init(&s, limit);
		for (size_t i = 0; i < limit; i++)
			str_add_char(&s, (char)('a' + i % 26));
		assert_false(s.failed);
		assert_int_equal(s.len, limit);
		str_add_char(&s, '!');
		assert_true(s.failed);
		assert_int_equal(s.len, limit);
		for (size_t i = 0; i < limit; i++)
			assert_int_equal(s.data[i], 'a' + i % 26);
		assert_int_equal(strlen(str_text(&s)), limit);
		str_fini(&s);
	}
}

static void what_does_not_fit_is_left_out_whole(void **state)
{
	struct str s;

	(void)state;
	str_init(&s, 5);
	str_add_str(&s, "abc");
	str_add_str(&s, "def");
	assert_true(s.failed);
	assert_string_equal(str_text(&s), "abc");
	str_fini(&s);
	str_add_str(&s, "abc");
	str_printf(&s, "%d", 100);
	assert_true(s.failed);
	assert_string_equal(str_text(&s), "abc");
	str_fini(&s);
}

static void enormous_lengths_do_not_wrap(void **state)
{
	struct str s;

	(void)state;
	str_init(&s, 100);
	str_add_str(&s, "abc");
	str_add(&s, "x", SIZE_MAX);
	assert_true(s.failed);
	assert_string_equal(str_text(&s), "abc");
	str_fini(&s);
}

static void after_a_failure_nothing_is_added(void **state)
{
	struct str s;

	(void)state;
	str_init(&s, 4);
	str_add_str(&s, "abcde");
	str_add_str(&s, "a");
	assert_true(s.failed);
	assert_int_equal(s.len, 0);
	assert_null(str_take(&s));
	str_fini(&s);
}

static void clearing_forgets_the_failure_and_keeps_the_memory(void **state)
{
	struct str s;
	char *before;

	(void)state;
	str_init(&s, 4);
	str_add_str(&s, "ab");
	before = s.data;
	str_add_str(&s, "cdef");
	str_clear(&s);
	assert_false(s.failed);
	assert_string_equal(str_text(&s), "");
	str_add_str(&s, "wxyz");
	assert_false(s.failed);
	assert_string_equal(str_text(&s), "wxyz");
	assert_ptr_equal(s.data, before);
	str_fini(&s);
}

static void every_failing_allocation_is_remembered(void **state)
{
	(void)state;
	for (size_t n = 1; n < 100; n++) {
		struct str s;
		bool failed;

		str_init(&s, 10000);
		mem_until_failure = n;
		for (int i = 0; i < 1000; i++)
			str_printf(&s, "%03d", i);
		mem_until_failure = 0;
		failed = s.failed;
		assert_int_equal(strlen(str_text(&s)), s.len);
		if (!failed)
			assert_int_equal(s.len, 3000);
		else
			assert_true(s.len < 3000 && s.len % 3 == 0);
		str_fini(&s);
		if (!failed) {
			assert_true(n > 1);
			return;
		}
	}
	fail_msg("it never succeeded");
}

static void cutting_the_front_moves_the_rest(void **state)
{
	(void)state;
	for (size_t cut = 0; cut <= 8; cut++) {
		struct str s;

		str_init(&s, 100);
		str_add_str(&s, "abcdef");
		str_cut_front(&s, cut);
		assert_string_equal(str_text(&s), &"abcdef"[cut < 6 ? cut : 6]);
		assert_int_equal(s.len, cut < 6 ? 6 - cut : 0);
		str_add_char(&s, '!');
		assert_int_equal(str_text(&s)[s.len - 1], '!');
		str_fini(&s);
	}
}

static void cutting_an_empty_string_is_fine(void **state)
{
	struct str s;

	(void)state;
	str_init(&s, 100);
	str_cut_front(&s, 0);
	str_cut_front(&s, 3);
	assert_int_equal(s.len, 0);
	str_fini(&s);
}

static void taking_hands_the_bytes_over(void **state)
{
	struct str s;
	char *taken;

	(void)state;
	str_init(&s, 10);
	assert_null(str_take(&s));
	str_add_str(&s, "abc");
	taken = str_take(&s);
	assert_string_equal(taken, "abc");
	assert_int_equal(s.len, 0);
	assert_int_equal(s.limit, 10);
	str_add_str(&s, "new");
	assert_string_equal(taken, "abc");
	assert_string_equal(str_text(&s), "new");
	mem_free(taken);
	str_fini(&s);
}

static void long_formatted_text_arrives_whole(void **state)
{
	struct str s;

	(void)state;
	str_init(&s, 100000);
	str_printf(&s, "<%*s>", 50000, "x");
	assert_int_equal(s.len, 50002);
	assert_int_equal(s.data[0], '<');
	assert_int_equal(s.data[50000], 'x');
	assert_int_equal(s.data[50001], '>');
	str_fini(&s);
}

static void extends_for_the_caller_to_write(void **state)
{
	struct str s;
	char *at;

	(void)state;
	str_init(&s, 8);
	str_add(&s, "abc", 3);
	at = str_extend(&s, 5);
	assert_non_null(at);
	memcpy(at, "defgh", 5);
	assert_string_equal(str_text(&s), "abcdefgh");
	assert_null(str_extend(&s, 1));
	assert_true(s.failed);
	assert_int_equal(s.len, 8);
	str_fini(&s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, nothing_fails, nothing_leaks)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(extends_for_the_caller_to_write),
	    TEST(a_new_string_is_empty_and_has_a_text),
	    TEST(additions_follow_each_other),
	    TEST(adding_nothing_changes_nothing),
	    TEST(it_grows_to_its_limit_and_not_beyond),
	    TEST(what_does_not_fit_is_left_out_whole),
	    TEST(enormous_lengths_do_not_wrap),
	    TEST(after_a_failure_nothing_is_added),
	    TEST(clearing_forgets_the_failure_and_keeps_the_memory),
	    TEST(every_failing_allocation_is_remembered),
	    TEST(cutting_the_front_moves_the_rest),
	    TEST(cutting_an_empty_string_is_fine),
	    TEST(taking_hands_the_bytes_over),
	    TEST(long_formatted_text_arrives_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
