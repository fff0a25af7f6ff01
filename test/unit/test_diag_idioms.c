/* Words that differ by system. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "diag/idioms.h"
#include "diag/texts.h"
#include "diag_bench.h"

static void each_system_has_its_own(void **state)
{
	(void)state;
	assert_string_equal(idiom_text(IDIOM_look_up, false), "getent hosts %h");
	assert_string_equal(idiom_text(IDIOM_look_up, true), "Resolve-DnsName %h");
	for (enum idiom i = (enum idiom)0; i < IDIOMS; i++)
		assert_string_not_equal(idiom_text(i, false), idiom_text(i, true));
}

static void letters_are_unique_and_none_is_another_placeholder(void **state)
{
	static const char letters[] = {
#define IDIOM(letter, name, elsewhere, on_windows) letter,
#include "diag/idioms.def"
#undef IDIOM
	};
	static const char others[] = {
#define PLACEHOLDER(letter, writer, example) letter,
#include "diag/placeholders.def"
#undef PLACEHOLDER
	};

	(void)state;
	for (size_t i = 0; i < sizeof(letters); i++) {
		assert_int_equal(idiom_of_letter(letters[i]), letters[i] == '-' ? IDIOMS : (enum idiom)i);
		assert_null(memchr(others, letters[i], sizeof(others)));
	}
	for (size_t i = 0; i < sizeof(others); i++) {
		assert_int_equal(idiom_of_letter(others[i]), IDIOMS);
		assert_null(memchr(others, others[i], i));
	}
}

/* What stands in a text of failures.def. */
static void check_text(bool on_windows, const char *host, const char *text, const char *expected)
{
	struct facts facts = {.on_windows = on_windows, .host = host, .port = 5432, .address = host};
	struct failure f;
	struct subject s;
	struct str out;

	failure_init(&f);
	failure_set(&f, PHASE_CONNECT, DOMAIN_POOLER, FAILURE_CLOSED, NULL);
	subject_init(&s, &f, &facts);
	str_init(&out, 1000);
	texts_expand(text, &s, &out);
	assert_string_equal(str_text(&out), expected);
	str_fini(&out);
}

static void texts_have_that_of_the_poolers_system(void **state)
{
	static const struct {
		const char *text, *elsewhere, *on_windows;
	} cases[] = {
	    {"%l", "getent hosts db", "Resolve-DnsName db"},
	    {"{: %i}", ": ip route get db", ": Find-NetRoute -RemoteIPAddress db"},
	    {"%K", "pg_isready -h db -p 5432", "Test-NetConnection db -Port 5432"},
	    {"(%J)", "(/etc/resolv.conf)", "(Get-DnsClientServerAddress)"},
	    {"see %o.", "see net.ipv4.ip_local_port_range.", "see netsh int ipv4 show dynamicport tcp."},
	    {"(%g)", "(firewall, SELinux)", "(Windows Defender Firewall, another security program)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		check_text(false, "db", cases[i].text, cases[i].elsewhere);
		check_text(true, "db", cases[i].text, cases[i].on_windows);
	}
	/* nothing is known to put in */
	check_text(false, NULL, "a{: %i}", "a");
	check_text(false, NULL, "%l", "getent hosts ?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_system_has_its_own),
	    cmocka_unit_test(letters_are_unique_and_none_is_another_placeholder),
	    cmocka_unit_test(texts_have_that_of_the_poolers_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
