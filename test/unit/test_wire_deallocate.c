/* DEALLOCATE as drivers send it. */
#include "wire/deallocate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *sql, *name; /* NULL: not for us */
} cases[] = {
    {"DEALLOCATE pdo_stmt_00000001", "pdo_stmt_00000001"},
    {"DEALLOCATE _pg3_0;", "_pg3_0"},
    {" \n\tdeallocate\r\n PREPARE  dbdpg_p1_2 ; ", "dbdpg_p1_2"},
    {"Deallocate Mixed$1", "mixed$1"},
    {"DEALLOCATE \"As It Is\"", "As It Is"},
    {"DEALLOCATE \"two\"\"quotes\"", "two\"quotes"},
    {"DEALLOCATE \"all\"", "all"},
    {"DEALLOCATE \"prepare\"", "prepare"},
    {"DEALLOCATE a23456789012345678901234567890123456789012345678901234567890123456789",
     "a23456789012345678901234567890123456789012345678901234567890123"},
    {"DEALLOCATE all", NULL},
    {"DEALLOCATE PREPARE ALL", NULL},
    {"DEALLOCATE prepare", NULL},
    {"DEALLOCATE prepare;", NULL},
    {"DEALLOCATE", NULL},
    {"DEALLOCATE ", NULL},
    {"DEALLOCATE 1", NULL},
    {"DEALLOCATE \"\"", NULL},
    {"DEALLOCATE \"open", NULL},
    {"DEALLOCATE \"open\"\"", NULL},
    {"DEALLOCATE \xc3\x84", NULL},
    {"DEALLOCATE a b", NULL},
    {"DEALLOCATE a; SELECT 1", NULL},
    {"DEALLOCATE a;;", NULL},
    {"DEALLOCATEa", NULL},
    {"DEALLOCATED a", NULL},
    {"SELECT 1", NULL},
    {"", NULL},
    {";", NULL},
};

static void names_are_read_as_postgresql_does(void **state)
{
	char name[DEALLOCATE_NAME_MOST + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool found = deallocate_name(cases[i].sql, strlen(cases[i].sql), name);

		if (found != (cases[i].name != NULL))
			fail_msg("%s: %s", cases[i].sql, found ? name : "nothing");
		if (found)
			assert_string_equal(name, cases[i].name);
	}
}

/* Every beginning of every case stays within its bytes: the sanitizers look. */
static void nothing_is_read_behind_the_end(void **state)
{
	char name[DEALLOCATE_NAME_MOST + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t len = 0; len <= strlen(cases[i].sql); len++) {
			char *sql = (char *)test_malloc(len + 1);

			memcpy(sql, cases[i].sql, len);
			if (deallocate_name(sql, len, name))
				assert_true(strlen(name) <= DEALLOCATE_NAME_MOST);
			test_free(sql);
		}
	}
}

static void a_nul_ends_no_name(void **state)
{
	char name[DEALLOCATE_NAME_MOST + 1];

	(void)state;
	assert_false(deallocate_name("DEALLOCATE \"a\0b\"", 16, name));
	assert_false(deallocate_name("DEALLOCATE a\0", 13, name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_are_read_as_postgresql_does),
	    cmocka_unit_test(nothing_is_read_behind_the_end),
	    cmocka_unit_test(a_nul_ends_no_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
