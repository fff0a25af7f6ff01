/* Who may see what HTTP protects: the decision as a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "admin/gate.h"
#include "base/base64.h"
#include "base/str.h"
#include "conf/settings.h"

static struct settings settings;

static void configure(const char *user, const char *password, const char *listen)
{
	struct conf_error why;

	assert_true(setting_parse(&settings, "http_auth_user", user, NULL, 0, &why));
	assert_true(setting_parse(&settings, "http_auth_password", password, NULL, 0, &why));
	assert_true(setting_parse(&settings, "http_listen", listen, NULL, 0, &why));
}

static int init(void **state)
{
	(void)state;
	return settings_init(&settings) ? 0 : -1;
}

static int fini(void **state)
{
	(void)state;
	settings_fini(&settings);
	return 0;
}

static enum gate_answer judge(bool on_loopback, const char *host, const char *authorization)
{
	const struct gate_request r = {on_loopback, host, authorization};

	return gate_judge(&settings, &r);
}

/* The header of a login. */
static const char *basic(const char *login, size_t len)
{
	static char header[8192];
	struct str text;

	str_init(&text, sizeof(header) - 8);
	base64_write(&text, login, len);
	snprintf(header, sizeof(header), "Basic %s", str_text(&text));
	str_fini(&text);
	return header;
}

static void hosts_without_a_login(void **state)
{
	static const char *const ours[] = {"localhost",       "LocalHost:1", "127.0.0.1",      "127.0.0.1:9127",
	                                   "[::1]",           "[::1]:80",    "10.11.12.13:65", "pooler.lan",
	                                   "POOLER.lan:9127", "localhost:"};
	static const char *const others[] = {"",
	                                     "localhost.",
	                                     "localhost.example",
	                                     "127.0.0.1.example",
	                                     "pooler.lan.",
	                                     "xpooler.lan",
	                                     "[::1",
	                                     "::1",
	                                     "[::1]x",
	                                     "127.0.0.1:80:80",
	                                     "127.0.0.1:x",
	                                     "127.0.0.1 ",
	                                     ":80",
	                                     "[]",
	                                     "*",
	                                     "@x",
	                                     "/tmp",
	                                     "2130706433",
	                                     "0x7f.1",
	                                     "[localhost]:1x"};
	char longest[600];

	(void)state;
	configure("", "", "127.0.0.1:9127, pooler.lan:9127");
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (judge(true, ours[i], NULL) != GATE_OPEN)
			fail_msg("\"%s\" is turned away", ours[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (judge(true, others[i], NULL) != GATE_OTHER_HOST)
			fail_msg("\"%s\" is let in", others[i]);
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(judge(true, longest, NULL), GATE_OTHER_HOST);
	assert_int_equal(judge(true, NULL, NULL), GATE_OTHER_HOST);
	/* a login that nobody asked for changes nothing */
	assert_int_equal(judge(true, "evil.example", "Basic eDp5"), GATE_OTHER_HOST);
	assert_int_equal(judge(true, "localhost", "Basic eDp5"), GATE_OPEN);
}

static void elsewhere_nothing_is_shown_without_a_login(void **state)
{
	(void)state;
	configure("", "", "0.0.0.0:9127");
	assert_int_equal(judge(false, "localhost", NULL), GATE_NO_LOGIN);
	assert_int_equal(judge(false, "localhost", "Basic Og=="), GATE_NO_LOGIN); /* ":" */
	assert_false(gate_has_login(&settings));
}

static void a_login_is_wanted_wherever_one_is_configured(void **state)
{
	(void)state;
	configure("me", "a: b", "0.0.0.0:9127");
	assert_true(gate_has_login(&settings));
	for (int on_loopback = 0; on_loopback < 2; on_loopback++) {
		assert_int_equal(judge(on_loopback, "any.example", NULL), GATE_ASK);
		assert_int_equal(judge(on_loopback, "any.example", basic("me:a: b", 7)), GATE_OPEN);
		assert_int_equal(judge(on_loopback, NULL, basic("me:a: b", 7)), GATE_OPEN);
		assert_int_equal(judge(on_loopback, "localhost", basic("me:a: c", 7)), GATE_WRONG);
	}
}

static void only_the_very_login_is_right(void **state)
{
	static const char *const wrong[] = {"",         "me",       "me:",     ":a: b",   "me:a: ",      "me:a: bb",
	                                    "m:a: b",   "mee:a: b", "Me:a: b", "me:A: b", "me:a: ba: b", "me::a: b",
	                                    "meme:a: b"};
	static const char *const forms[] = {
	    "",       "Basic",  "Basic ",          "Basic !", "Digest bWU6YTogYg==", "bWU6YTogYg==",
	    "Basic=", "Basicx", "Basic bWU6YTogY", "Basic =", "Basic bWU6YTogYg==x"};
	char login[4096];

	(void)state;
	configure("me", "a: b", "");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (judge(true, "x", basic(wrong[i], strlen(wrong[i]))) != GATE_WRONG)
			fail_msg("\"%s\" is let in", wrong[i]);
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (judge(true, "x", forms[i]) != GATE_WRONG)
			fail_msg("\"%s\" is let in", forms[i]);
	assert_int_equal(judge(true, "x", "Basic bWU6YTogYg=="), GATE_OPEN);
	assert_int_equal(judge(true, "x", "bAsIc   bWU6YTogYg=="), GATE_OPEN);
	/* a NUL ends nothing */
	assert_int_equal(judge(true, "x", basic("me:a: b\0", 8)), GATE_WRONG);
	assert_int_equal(judge(true, "x", basic("me\0:a: b", 8)), GATE_WRONG);
	memset(login, 'a', sizeof(login));
	memcpy(login, "me:", 3);
	assert_int_equal(judge(true, "x", basic(login, sizeof(login))), GATE_WRONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(hosts_without_a_login, init, fini),
	    cmocka_unit_test_setup_teardown(elsewhere_nothing_is_shown_without_a_login, init, fini),
	    cmocka_unit_test_setup_teardown(a_login_is_wanted_wherever_one_is_configured, init, fini),
	    cmocka_unit_test_setup_teardown(only_the_very_login_is_right, init, fini),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
