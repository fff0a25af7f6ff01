/* What this machine says of its addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>

#include "os/interfaces.h"

struct seen {
	unsigned n;
	bool loopback;
};

static void note(void *arg, const struct peer *at, const struct peer *mask)
{
	struct seen *s = (struct seen *)arg;

	s->n++;
	assert_int_equal(at->family, mask->family);
	if (at->family != 4 || !peer_is_local(at))
		return;
	s->loopback = true;
	assert_int_equal(mask->bytes[0], 0xff);
	assert_int_equal(mask->bytes[4], 0);
}

static void this_machine_has_its_loopback_address(void **state)
{
	struct seen s = {0, false};

	(void)state;
	assert_true(interfaces_look(note, &s));
	assert_true(s.loopback);
	assert_in_range(s.n, 1, 10000);
}

static void names_of_nobody_have_no_number(void **state)
{
	(void)state;
	assert_int_equal(interface_number("no such interface"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(this_machine_has_its_loopback_address),
	    cmocka_unit_test(names_of_nobody_have_no_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
