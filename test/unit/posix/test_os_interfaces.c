/* Paths, abstract names, and names of interfaces in addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <net/if.h>
#include <stdio.h>

#include "os/interfaces.h"

static struct address address_of(const char *text, uint16_t port)
{
	struct address a;

	assert_true(address_from_text(&a, text, port));
	return a;
}

static void paths_are_terminated_and_abstract_names_are_not(void **state)
{
	const size_t before = offsetof(struct sockaddr_un, sun_path);
	struct address a = address_of("/ab", 5432);

	(void)state;
	assert_int_equal(a.u.local.sun_family, AF_UNIX);
	assert_int_equal(a.len, before + 4);
	assert_string_equal(a.u.local.sun_path, "/ab");
	a = address_of("@ab", 5432);
	assert_int_equal(a.u.local.sun_family, AF_UNIX);
	assert_int_equal(a.len, before + 3);
	assert_memory_equal(a.u.local.sun_path, "\0ab", 3);
}

static void scopes_are_numbers_and_names_of_interfaces(void **state)
{
	struct if_nameindex *interfaces = if_nameindex();
	struct address a = address_of("fe80::1%4000000001", 1);

	(void)state;
	assert_true(a.u.v6.sin6_scope_id == 4000000001u);
	assert_non_null(interfaces);
	for (const struct if_nameindex *i = interfaces; i->if_index != 0; i++) {
		char text[64];

		assert_in_range(snprintf(text, sizeof(text), "fe80::1%%%s", i->if_name), 9, sizeof(text) - 1);
		a = address_of(text, 1);
		assert_int_equal(a.u.v6.sin6_scope_id, i->if_index);
	}
	if_freenameindex(interfaces);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(paths_are_terminated_and_abstract_names_are_not),
	    cmocka_unit_test(scopes_are_numbers_and_names_of_interfaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
