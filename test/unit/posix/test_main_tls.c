/* Tests of src/main/tls.c: which contexts a configuration gets, and which of them a reload keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../configured.h"
#include "../tls_bench.h"
#include "main/tls.h"

static int set_up(void **state)
{
	(void)state;
	return tls_make_folder() ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	tls_remove_folder();
	return 0;
}

static struct config *load(const char *more)
{
	char text[1000];

	snprintf(text, sizeof(text), "[pgbouncer]\nclient_tls_key_file=%s\nclient_tls_cert_file=%s\n%s", tls_key,
	         tls_cert, more);
	return configured(text, NULL);
}

static struct config *prepared(const char *more, const struct config *running)
{
	struct config *c = load(more);
	struct conf_error why;

	memset(&why, 0, sizeof(why));
	if (!tls_prepare(c, running, &why))
		fail_msg("%s", why.text);
	return c;
}

static const struct conf_database *database(const struct config *c, const char *name)
{
	return config_find_database(c, name, NULL);
}

#define THREE                                                                                                          \
	"client_tls_sslmode=prefer\n[databases]\na=host=h\nb=host=h server_tls_sslmode=require\n"                      \
	"c=host=h server_tls_sslmode=disable\n*=host=h server_tls_sslmode=require server_tls_protocols=all\n"

static void each_database_has_its_own_context_or_the_common_one(void **state)
{
	struct config *c = prepared(THREE, NULL);

	(void)state;
	assert_non_null(c->tls.client);
	assert_int_equal(tls_context_mode(c->tls.server), TLS_MODE_PREFER);
	assert_ptr_equal(conf_server_context(c, database(c, "a")), c->tls.server);
	assert_int_equal(tls_context_mode(conf_server_context(c, database(c, "b"))), TLS_MODE_REQUIRE);
	assert_null(conf_server_context(c, database(c, "c")));
	config_unref(c);
}

static void a_reload_keeps_what_has_not_changed(void **state)
{
	struct config *c = prepared(THREE, NULL);
	struct config *same = prepared(THREE, c);
	struct config *other =
	    prepared("client_tls_sslmode=require\nserver_tls_sslmode=require\n[databases]\na=host=h\n"
	             "b=host=h server_tls_sslmode=require\n",
	             same);

	(void)state;
	assert_ptr_equal(same->tls.client, c->tls.client);
	assert_ptr_equal(same->tls.server, c->tls.server);
	assert_ptr_equal(conf_server_context(same, database(same, "b")), conf_server_context(c, database(c, "b")));
	assert_non_null(conf_server_context(c, database(c, "any")));
	assert_ptr_equal(conf_server_context(same, database(same, "any")), conf_server_context(c, database(c, "any")));
	config_unref(c);
	assert_ptr_not_equal(other->tls.client, same->tls.client);
	assert_ptr_not_equal(other->tls.server, same->tls.server);
	assert_ptr_equal(conf_server_context(other, database(other, "b")),
	                 conf_server_context(same, database(same, "b")));
	config_unref(same);
	config_unref(other);
}

static void what_is_broken_anywhere_refuses_the_whole(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
	    {"client_tls_sslmode=prefer\nclient_tls_ca_file=/nonexistent\n",
	     "invalid client_tls_ca_file: /nonexistent"},
	    {"server_tls_ca_file=/nonexistent\n", "invalid server_tls_ca_file: /nonexistent"},
	    {"[databases]\nx=host=h server_tls_protocols=no\n", "invalid server_tls_protocols: no (database \"x\")"}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config *c = load(cases[i].text);
		struct conf_error why;

		memset(&why, 0, sizeof(why));
		assert_false(tls_prepare(c, NULL, &why));
		if (strstr(why.text, cases[i].words) == NULL)
			fail_msg("%s", why.text);
		assert_null(c->tls.client);
		assert_null(c->tls.server);
		config_unref(c);
	}
}

static void certificates_as_identity_need_to_be_demanded(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {{"", "auth_type=cert requires client_tls_sslmode=SSLMODE_VERIFY_FULL"},
	             {"client_tls_sslmode=verify-ca\nclient_tls_ca_file=x\n",
	              "auth_type=cert requires client_tls_sslmode=SSLMODE_VERIFY_FULL"},
	             {"client_tls_sslmode=verify-full\n", "auth_type=cert requires client_tls_ca_file"}};
	char good[300], text[300];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf_error why;
		struct config *c;

		snprintf(text, sizeof(text), "auth_type=cert\n%s", cases[i].text);
		c = load(text);
		assert_false(tls_prepare(c, NULL, &why));
		assert_string_equal(why.text, cases[i].words);
		config_unref(c);
	}
	snprintf(good, sizeof(good), "auth_type=cert\nclient_tls_sslmode=verify-full\nclient_tls_ca_file=%s\n",
	         tls_cert);
	config_unref(prepared(good, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_database_has_its_own_context_or_the_common_one),
	    cmocka_unit_test(a_reload_keeps_what_has_not_changed),
	    cmocka_unit_test(what_is_broken_anywhere_refuses_the_whole),
	    cmocka_unit_test(certificates_as_identity_need_to_be_demanded),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
