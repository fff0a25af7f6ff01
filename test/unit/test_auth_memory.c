/* Rules while memory runs out at each allocation in turn: refused, nothing lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing_mem.h"

#include "auth/hba.h"
#include "conf_files.h"

#ifdef HAVE_PCRE2
#define PATTERN "/^a"
#else
#define PATTERN "a"
#endif

static struct fake_file files[] = {{"h",
                                    "include_dir d\nhost @names " PATTERN ",\"b c\" 10.0.0.0/8 md5\n"
                                    "hostssl all all all cert map=m\ninclude_if_exists none\n",
                                    0},
                                   {"d/1.conf", "local all all peer map=m\n", 0},
                                   {"names", "one two three\nfour five six\n", 0},
                                   {"i", "m " PATTERN " app\nm root all\nn x y\n", 0},
                                   {NULL, NULL, 0}};

static void rules_survive_lack_of_memory_at_any_point(void **state)
{
	struct conf_source source = {fake_read, fake_list, files};
	struct conf_error why;
	struct hba *h = NULL;
	size_t n;

	(void)state;
	for (n = 1; h == NULL; n++) {
		size_t before = mem_blocks;

		memset(&why, 0, sizeof(why));
		mem_until_failure = n;
		h = hba_load(&source, "h", "i", NULL, &why);
		mem_until_failure = 0;
		if (h == NULL) {
			if (strstr(why.text, "out of memory") == NULL)
				fail_msg("%u: %s", (unsigned)n, why.text);
			assert_int_equal(mem_blocks, before);
		}
	}
	assert_true(n > 50);
	shared_unref(hba_shared(h));
	assert_int_equal(mem_blocks, 0);
}

#ifdef HAVE_PCRE2
static void without_memory_nobody_passes_a_regular_expression(void **state)
{
	struct conf_source source = {fake_read, fake_list, files};
	struct peer from = {.family = 4, .bytes = {10, 0, 0, 1}};
	struct hba_client c = {"one", "ann", &from, false, false, NULL};
	const struct hba_rule *rule;
	struct conf_error why;
	struct hba *h = hba_load(&source, "h", "i", NULL, &why);

	(void)state;
	assert_non_null(h);
	mem_until_failure = 1;
	assert_int_equal(hba_find(h, &c, &rule), HBA_FAILED);
	assert_int_equal(ident_check(hba_rule_at(h, 0)->map, "ann", "app"), IDENT_FAILED);
	mem_until_failure = 0;
	assert_int_equal(hba_find(h, &c, &rule), HBA_FOUND);
	shared_unref(hba_shared(h));
	assert_int_equal(mem_blocks, 0);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rules_survive_lack_of_memory_at_any_point),
#ifdef HAVE_PCRE2
	    cmocka_unit_test(without_memory_nobody_passes_a_regular_expression),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
