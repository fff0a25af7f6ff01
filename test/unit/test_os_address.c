/* Tests of src/os/address.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <string.h>

#include "os/socket.h"

static struct address address_of(const char *text, uint16_t port)
{
	struct address a;

	assert_true(address_from_text(&a, text, port));
	return a;
}

static void bytes_and_port_are_where_the_system_wants_them(void **state)
{
	static const unsigned char v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 7};
	struct address a = address_of("10.1.2.3", 5432);

	(void)state;
	assert_int_equal(a.len, sizeof(struct sockaddr_in));
	assert_int_equal(a.u.v4.sin_family, AF_INET);
	assert_int_equal(a.u.v4.sin_port, htons(5432));
	assert_int_equal(a.u.v4.sin_addr.s_addr, htonl(0x0a010203));
	a = address_of("2001:db8::7", 6432);
	assert_int_equal(a.len, sizeof(struct sockaddr_in6));
	assert_int_equal(a.u.v6.sin6_family, AF_INET6);
	assert_int_equal(a.u.v6.sin6_port, htons(6432));
	assert_memory_equal(&a.u.v6.sin6_addr, v6, sizeof(v6));
	assert_int_equal(a.u.v6.sin6_scope_id, 0);
}

static void scopes_that_are_neither_are_refused(void **state)
{
	static const char *const bad[] = {"fe80::1%",   "fe80::1%0",          "fe80::1%-1", "fe80::1%4000000001x",
	                                  "10.0.0.5%1", "fe80::1%4294967296", "%1",         "fe80::1%4000000001%1"};
	struct address a = {.len = 77};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(address_from_text(&a, bad[i], 1));
	assert_int_equal(a.len, 77);
}

static void the_same_address_in_another_scope_is_another(void **state)
{
	struct address a = address_of("fe80::1%4000000001", 1), b = address_of("fe80::1%4000000002", 1);

	(void)state;
	assert_false(address_same(&a, &b));
	b = address_of("fe80:0::1%4000000001", 1);
	assert_true(address_same(&a, &b));
}

static void only_internet_addresses_of_the_system_are_taken(void **state)
{
	struct address four = address_of("10.1.2.3", 1), six = address_of("2001:db8::7", 2), a;
	struct sockaddr_un local = {.sun_family = AF_UNIX};

	(void)state;
	assert_true(address_from_sockaddr(&a, &four.u.any, (size_t)four.len));
	assert_true(address_same(&a, &four));
	assert_true(address_from_sockaddr(&a, &six.u.any, (size_t)six.len));
	assert_true(address_same(&a, &six));
	assert_false(address_from_sockaddr(&a, &four.u.any, sizeof(a.u) + 1));
	assert_false(address_from_sockaddr(&a, (const struct sockaddr *)&local, sizeof(local)));
}

static void an_address_is_among_those_that_are_the_same(void **state)
{
	struct address list[] = {address_of("10.0.0.1", 1), address_of("::1", 1)};
	struct address same = address_of("::1", 1), other = address_of("::1", 2);

	(void)state;
	assert_true(address_is_among(&same, list, 2));
	assert_false(address_is_among(&same, list, 1));
	assert_false(address_is_among(&other, list, 2));
}

static void texts_too_long_for_an_address_are_refused(void **state)
{
	char text[300];
	struct address a;

	(void)state;
	memset(text, '1', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_false(address_from_text(&a, text, 1));
	text[1] = ':';
	text[2] = ':';
	assert_false(address_from_text(&a, text, 1));
}

static void the_longest_address_fits_the_promised_room(void **state)
{
	const char *longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
	struct address a = address_of(longest, 65535);
	struct peer p = peer_of_address(&a);
	char text[64];

	(void)state;
	assert_string_equal(address_text(&a, text, sizeof(text)), longest);
	text[0] = '\0';
	assert_string_equal(peer_text(&p, text, sizeof(text)), longest);
	assert_int_equal(p.port, 65535);
}

static void no_address_has_no_port_and_is_nobody(void **state)
{
	struct address none = {0};
	struct peer p = peer_of_address(&none);

	(void)state;
	/* what lies behind a length of 0 is nothing */
	none.u.any.sa_family = AF_UNIX;
	assert_int_equal(address_port(&none), 0);
	assert_false(address_is_unix(&none));
	assert_int_equal(p.family, 0);
	assert_int_equal(p.port, 0);
	assert_int_equal(peer_pid(&p), 0);
	assert_int_equal(peer_uid(&p), -1);
}

static void a_peers_process_and_user_are_known_on_unix_sockets_only(void **state)
{
	static const int32_t pid = 4711;
	static const uint32_t uid = 3000000000u;
	struct address a = address_of("/tmp/.s.PGSQL.5432", 0);
	struct peer p = peer_of_address(&a);

	(void)state;
	assert_int_equal(p.family, 1);
	assert_int_equal(peer_pid(&p), 0);
	assert_int_equal(peer_uid(&p), -1);
	memcpy(p.bytes, &pid, 4);
	memcpy(p.bytes + 4, &uid, 4);
	assert_int_equal(peer_pid(&p), 4711);
	assert_true(peer_uid(&p) == 3000000000);
	p.family = 6;
	assert_int_equal(peer_pid(&p), 0);
	assert_int_equal(peer_uid(&p), -1);
}

static struct peer peer_at(const char *text)
{
	struct address a;

	assert_true(address_from_text(&a, text, 1));
	return peer_of_address(&a);
}

static void this_machine_is_near_and_documentation_is_not(void **state)
{
	static const struct {
		const char *address;
		bool same_host, same_network;
	} cases[] = {{"127.0.0.1", true, true},
	             {"127.9.9.9", false, true},
	             {"233.252.0.1", false, false}, /* for groups, nobody's own */
	             {"2001:db8::1", false, false},
	             {"/tmp/socket", false, false}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct peer p = peer_at(cases[i].address);

		assert_int_equal(address_is_near(&p, false), cases[i].same_host);
		assert_int_equal(address_is_near(&p, true), cases[i].same_network);
	}
}

static void peers_of_this_machine_are_known(void **state)
{
	static const struct {
		struct peer peer;
		bool local;
	} cases[] = {
	    {{.family = 1}, true},
	    {{.family = 4, .bytes = {127, 0, 0, 1}}, true},
	    {{.family = 4, .bytes = {127, 9, 9, 9}}, true},
	    {{.family = 4, .bytes = {10, 0, 0, 127}}, false},
	    {{.family = 6, .bytes = {[15] = 1}}, true},
	    {{.family = 6, .bytes = {[0] = 0xfe, [1] = 0x80, [15] = 1}}, false},
	    {{.family = 6, .bytes = {[10] = 0xff, 0xff, 127, 0, 0, 1}}, true},
	    {{.family = 6, .bytes = {[10] = 0xff, 0xff, 10, 0, 0, 1}}, false},
	    {{.family = 0}, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(peer_is_local(&cases[i].peer), cases[i].local);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(peers_of_this_machine_are_known),
	    cmocka_unit_test(bytes_and_port_are_where_the_system_wants_them),
	    cmocka_unit_test(scopes_that_are_neither_are_refused),
	    cmocka_unit_test(the_same_address_in_another_scope_is_another),
	    cmocka_unit_test(only_internet_addresses_of_the_system_are_taken),
	    cmocka_unit_test(an_address_is_among_those_that_are_the_same),
	    cmocka_unit_test(texts_too_long_for_an_address_are_refused),
	    cmocka_unit_test(the_longest_address_fits_the_promised_room),
	    cmocka_unit_test(no_address_has_no_port_and_is_nobody),
	    cmocka_unit_test(a_peers_process_and_user_are_known_on_unix_sockets_only),
	    cmocka_unit_test(this_machine_is_near_and_documentation_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
