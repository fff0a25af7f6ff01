/* base/mem: zeroed blocks, copies that end in NUL, secrets that are gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/mem.h"

/* AddressSanitizer asks for this: too much memory is a NULL to be tested here, not an error of the test. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void new_memory_is_zero_even_after_a_used_block(void **state)
{
	(void)state;
	for (int round = 0; round < 20; round++) {
		unsigned char *block = (unsigned char *)mem_alloc(300);

		assert_non_null(block);
		for (size_t i = 0; i < 300; i++)
			assert_int_equal(block[i], 0);
		memset(block, 0xAA, 300);
		mem_free(block);
	}
}

static void growing_keeps_the_old_bytes(void **state)
{
	char *block = (char *)mem_alloc(4);
	char *grown;

	(void)state;
	assert_non_null(block);
	memcpy(block, "abcd", 4);
	grown = (char *)mem_resize(block, 100000);
	assert_non_null(grown);
	assert_memory_equal(grown, "abcd", 4);
	mem_free(grown);
}

static void resizing_nothing_allocates(void **state)
{
	char *block = (char *)mem_resize(NULL, 10);

	(void)state;
	assert_non_null(block);
	memset(block, 1, 10);
	mem_free(block);
}

static void freeing_nothing_is_fine(void **state)
{
	(void)state;
	mem_free(NULL);
}

static void more_than_there_is_gives_null(void **state)
{
	volatile size_t all = SIZE_MAX / 2;

	(void)state;
	assert_null(mem_alloc(all));
	assert_null(mem_resize(NULL, all));
}

static void copies_of_bytes_end_in_nul(void **state)
{
	const char bytes[] = {'a', '\0', 'b'};
	char *copy = mem_copy(bytes, sizeof(bytes));

	(void)state;
	assert_non_null(copy);
	assert_memory_equal(copy, "a\0b", 4);
	assert_ptr_not_equal(copy, bytes);
	mem_free(copy);
}

static void a_copy_of_no_bytes_is_the_empty_string(void **state)
{
	char *copy = mem_copy(NULL, 0);

	(void)state;
	assert_non_null(copy);
	assert_string_equal(copy, "");
	mem_free(copy);
}

static void copies_of_strings_are_equal_but_apart(void **state)
{
	char text[] = "weir";
	char *copy = mem_copy_str(text);

	(void)state;
	assert_non_null(copy);
	text[0] = 'x';
	assert_string_equal(copy, "weir");
	mem_free(copy);
}

static void wiping_clears_exactly_what_was_asked(void **state)
{
	char secret[] = "0123456789";

	(void)state;
	mem_wipe(secret + 2, 3);
	assert_memory_equal(secret,
	                    "01\0\0\0"
	                    "56789",
	                    11);
	mem_wipe(secret, 0);
	assert_int_equal(secret[0], '0');
}

static void mem_new_gives_one_zeroed_structure(void **state)
{
	struct pair {
		int a;
		void *b;
	} *pair = mem_new(struct pair);

	(void)state;
	assert_non_null(pair);
	assert_int_equal(pair->a, 0);
	assert_null(pair->b);
	mem_free(pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(new_memory_is_zero_even_after_a_used_block),
	    cmocka_unit_test(growing_keeps_the_old_bytes),
	    cmocka_unit_test(resizing_nothing_allocates),
	    cmocka_unit_test(freeing_nothing_is_fine),
	    cmocka_unit_test(more_than_there_is_gives_null),
	    cmocka_unit_test(copies_of_bytes_end_in_nul),
	    cmocka_unit_test(a_copy_of_no_bytes_is_the_empty_string),
	    cmocka_unit_test(copies_of_strings_are_equal_but_apart),
	    cmocka_unit_test(wiping_clears_exactly_what_was_asked),
	    cmocka_unit_test(mem_new_gives_one_zeroed_structure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
