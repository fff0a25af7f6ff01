/* Who was told lately. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "worker/told.h"
#include <cmocka.h>

#define NOW (1000 * US_PER_S)

static struct peer at(const char *text, uint16_t port)
{
	struct address a;

	memset(&a, 0, sizeof(a));
	assert_true(address_from_text(&a, text, port));
	return peer_of_address(&a);
}

static void an_address_is_known_for_a_second_whatever_its_port(void **state)
{
	struct peer a = at("10.0.0.1", 40000), again = at("10.0.0.1", 40001), other = at("10.0.0.2", 40000);
	struct told t;

	(void)state;
	memset(&t, 0, sizeof(t));
	assert_false(told_lately(&t, &a, NOW));
	told_note(&t, &a, NOW);
	assert_true(told_lately(&t, &again, NOW));
	assert_true(told_lately(&t, &again, NOW + US_PER_S - 1));
	assert_false(told_lately(&t, &again, NOW + US_PER_S));
	assert_false(told_lately(&t, &other, NOW));
}

static void ipv6_and_unix_accounts_too(void **state)
{
	struct peer six = at("fd00::1", 1), local = {.family = 1, .bytes = {1, 2, 3, 4, 9, 0, 0, 0}};
	struct peer other_process = {.family = 1, .bytes = {5, 6, 7, 8, 9, 0, 0, 0}};
	struct peer other_account = {.family = 1, .bytes = {1, 2, 3, 4, 8, 0, 0, 0}};
	struct told t;

	(void)state;
	memset(&t, 0, sizeof(t));
	told_note(&t, &six, NOW);
	told_note(&t, &local, NOW);
	assert_true(told_lately(&t, &six, NOW + 1));
	assert_true(told_lately(&t, &other_process, NOW + 1));
	assert_false(told_lately(&t, &other_account, NOW + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_address_is_known_for_a_second_whatever_its_port),
	    cmocka_unit_test(ipv6_and_unix_accounts_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
