/* What people are told when a port cannot be had. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "main/bind_hint.h"

#define TAKEN_ON_WINDOWS                                                                                               \
	"Another program has the port, perhaps a pooler that still runs; this shows which: Get-NetTCPConnection "      \
	"-State Listen\nIf none has it, Windows has reserved it; this shows which ports: netsh int ipv4 show "         \
	"excludedportrange tcp"

static void each_system_has_its_words(void **state)
{
	static const struct {
		int error;
		bool on_windows, is_unix;
		const char *expected; /* NULL: none */
	} cases[] = {
	    {EADDRINUSE, false, false,
	     "Another program has the port, perhaps a pooler that still runs; this shows which: ss -ltnp"},
	    {EADDRINUSE, true, false, TAKEN_ON_WINDOWS},
	    {EADDRNOTAVAIL, false, false,
	     "This machine does not have that address (ip addr). Use * for all addresses that it has."},
	    {EADDRNOTAVAIL, true, false,
	     "This machine does not have that address (Get-NetIPAddress). Use * for all addresses that it has."},
	    {EACCES, false, false, "Ports below 1024 need special rights: choose another listen_port."},
	    {EACCES, true, false, TAKEN_ON_WINDOWS},
	    {EAFNOSUPPORT, true, false, "This system has no addresses of that kind: take it out of listen_addr."},
	    {EAFNOSUPPORT, true, true,
	     "This system has no Unix sockets (Windows has them since 10, version 1803): leave unix_socket_dir empty."},
	    {EADDRINUSE, false, true, NULL},
	    {EINVAL, false, false, NULL},
	    {0, true, false, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct str out;

		str_init(&out, 1000);
		assert_int_equal(bind_hint(cases[i].error, cases[i].is_unix, cases[i].on_windows, &out),
		                 cases[i].expected != NULL);
		assert_string_equal(str_text(&out), cases[i].expected == NULL ? "" : cases[i].expected);
		str_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_system_has_its_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
