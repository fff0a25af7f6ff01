/* Tests of src/net/tls_context.c: what settings become, and what is said of those that become nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../tls_bench.h"

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

static void refused(const struct tls_settings *s, const char *words)
{
	struct shared *context = NULL;
	struct conf_error why;

	memset(&why, 0, sizeof(why));
	if (tls_context_make(s, NULL, &context, &why))
		fail_msg("taken: %s", words);
	assert_null(context);
	if (strstr(why.text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why.text, words);
}

static void disabled_is_no_context(void **state)
{
	struct tls_settings s = tls_for_clients();
	struct shared *context = NULL;

	(void)state;
	s.mode = TLS_MODE_DISABLE;
	s.key_file = "/nonexistent";
	assert_true(tls_context_make(&s, NULL, &context, NULL));
	assert_null(context);
	assert_int_equal(tls_context_mode(NULL), TLS_MODE_DISABLE);
}

static void what_is_wrong_is_named_with_its_file(void **state)
{
	struct tls_settings s;

	(void)state;
#define CLIENTS(member, value, words) (s = tls_for_clients(), s.member = (value), refused(&s, words))
#define SERVERS(member, value, words) (s = tls_for_servers(TLS_MODE_PREFER), s.member = (value), refused(&s, words))
	CLIENTS(key_file, "", "client_tls_key_file and client_tls_cert_file must be set.");
	CLIENTS(cert_file, "", "client_tls_key_file and client_tls_cert_file must be set.");
	CLIENTS(mode, TLS_MODE_VERIFY_FULL, "client_tls_sslmode = verify-full requires client_tls_ca_file");
	CLIENTS(mode, TLS_MODE_VERIFY_CA, "client_tls_sslmode = verify-ca requires client_tls_ca_file");
	CLIENTS(cert_file, "/nonexistent/c", "invalid client_tls_cert_file: /nonexistent/c: No such file or directory");
	CLIENTS(cert_file, tls_key, "there is nothing of the expected kind in it");
	CLIENTS(key_file, tls_cert, "invalid client_tls_key_file: ");
	CLIENTS(ca_file, tls_key, "invalid client_tls_ca_file: ");
	CLIENTS(protocols, "nonsense", "invalid client_tls_protocols: nonsense");
	CLIENTS(protocols, "secure,!secure", "invalid client_tls_protocols: secure,!secure");
	CLIENTS(ciphers, "nonsense", "invalid client_tls_ciphers: nonsense: no cipher match");
	CLIENTS(ciphers13, "nonsense", "invalid client_tls13_ciphers: nonsense");
	CLIENTS(groups, "nonsense", "invalid client_tls_ecdhecurve: nonsense");
	CLIENTS(dheparams, "nonsense", "invalid client_tls_dheparams: nonsense: must be none, auto or legacy");
	SERVERS(cert_file, tls_cert, "server_tls_key_file and server_tls_cert_file must be set together");
	SERVERS(direct, true, "server_tls_negotiation = direct needs server_tls_sslmode require");
	s = tls_for_servers(TLS_MODE_PREFER);
	s.database = "shop";
	s.ca_file = "/nonexistent/ca";
	refused(&s, "invalid server_tls_ca_file: /nonexistent/ca: No such file or directory (database \"shop\")");
}

/* The context that comes after `was`; takes the reference to it. */
static bool is_kept(struct shared **was, const struct tls_settings *s)
{
	struct shared *next = NULL;
	struct conf_error why;
	bool same;

	memset(&why, 0, sizeof(why));
	if (!tls_context_make(s, *was, &next, &why))
		fail_msg("%s", why.text);
	same = next == *was;
	shared_unref(*was);
	*was = next;
	return same;
}

static void hint_is(const struct tls_settings *s, const char *words)
{
	struct shared *context = NULL;
	struct conf_error why;

	memset(&why, 0, sizeof(why));
	assert_false(tls_context_make(s, NULL, &context, &why));
	assert_non_null(strstr(why.hint, words));
	assert_int_equal(why.hint[strlen(why.hint) - 1], '.'); /* it has not been cut off */
}

static void the_systems_authorities_need_the_name_compared_and_vouch_for_no_clients(void **state)
{
	static const enum tls_mode weaker[] = {TLS_MODE_ALLOW, TLS_MODE_PREFER, TLS_MODE_REQUIRE, TLS_MODE_VERIFY_CA};
	struct tls_settings s;

	(void)state;
	s = tls_for_servers(TLS_MODE_VERIFY_FULL);
	s.ca_file = "system";
	for (size_t i = 0; i < sizeof(weaker) / sizeof(weaker[0]); i++) {
		s.mode = weaker[i];
		refused(&s, "invalid server_tls_ca_file: system: it needs server_tls_sslmode = verify-full");
		hint_is(&s, "only with verify-full is the name compared");
	}
	s = tls_for_clients();
	s.ca_file = "system";
	refused(&s, "invalid client_tls_ca_file: system: No such file or directory");
	hint_is(&s, "vouch for hosts, not for clients");
}

static void nobody_to_trust_is_told_to_whoever_has_asked(void **state)
{
	struct tls_settings s = tls_for_servers(TLS_MODE_VERIFY_FULL);
	struct shared *context;

	(void)state;
	assert_int_equal(setenv("SSL_CERT_FILE", "/nonexistent", 1), 0);
	assert_int_equal(setenv("SSL_CERT_DIR", "/nonexistent", 1), 0);
	s.ca_file = "system";
	s.database = "shop";
	refused(
	    &s,
	    "invalid server_tls_ca_file: system: this system has no certificates of authorities (database \"shop\")");
	hint_is(&s, "ca-certificates");
	s.ca_file = "";
	context = tls_context(&s);
	s.ca_file = "system";
	/* what is in the system's file counts for whether it is the same */
	assert_int_equal(setenv("SSL_CERT_FILE", tls_cert, 1), 0);
	assert_false(is_kept(&context, &s));
	assert_true(is_kept(&context, &s));
	assert_true(tls_make_files(tls_cert, tls_key));
	assert_false(is_kept(&context, &s));
	assert_int_equal(setenv("SSL_CERT_FILE", tls_folder, 1), 0);
	refused(&s, "invalid server_tls_ca_file: system: Is a directory");
	hint_is(&s, "cannot be read");
	assert_int_equal(unsetenv("SSL_CERT_FILE"), 0);
	assert_int_equal(unsetenv("SSL_CERT_DIR"), 0);
	shared_unref(context);
}

static void whatever_pgbouncer_takes_is_taken(void **state)
{
	static const char *const protocols[] = {"",      "secure",  "default",          "all",          "legacy",
	                                        "tlsv1", "TLSv1.3", "tlsv1.2, tlsv1.3", "all:!tlsv1.0", "!tlsv1.3"};
	static const char *const ciphers[] = {"", "default", "secure", "fast", "normal", "all", "HIGH:!aNULL"};
	static const char *const groups[] = {"", "auto", "none", "prime256v1", "X25519:P-256"};
	static const char *const dheparams[] = {"", "auto", "none", "legacy"};
	struct tls_settings s = tls_for_clients();

	(void)state;
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
		s.protocols = protocols[i];
		s.ciphers = ciphers[i % (sizeof(ciphers) / sizeof(ciphers[0]))];
		s.groups = groups[i % (sizeof(groups) / sizeof(groups[0]))];
		s.dheparams = dheparams[i % (sizeof(dheparams) / sizeof(dheparams[0]))];
		s.ciphers13 = i % 2 == 0 ? "" : "TLS_AES_128_GCM_SHA256";
		shared_unref(tls_context(&s));
	}
}

static void a_context_stays_until_something_differs(void **state)
{
	struct tls_settings s = tls_for_clients();
	struct shared *context = tls_context(&s);

	(void)state;
	assert_true(is_kept(&context, &s));
	s.protocols = "tlsv1.3";
	assert_false(is_kept(&context, &s));
	s.mode = TLS_MODE_REQUIRE;
	assert_false(is_kept(&context, &s));
	assert_int_equal(tls_context_mode(context), TLS_MODE_REQUIRE);
	assert_true(is_kept(&context, &s));
	assert_true(tls_make_files(tls_cert, tls_key));
	assert_false(is_kept(&context, &s));
	s.ca_file = tls_cert;
	assert_false(is_kept(&context, &s));
	shared_unref(context);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(disabled_is_no_context),
	    cmocka_unit_test(what_is_wrong_is_named_with_its_file),
	    cmocka_unit_test(the_systems_authorities_need_the_name_compared_and_vouch_for_no_clients),
	    cmocka_unit_test(nobody_to_trust_is_told_to_whoever_has_asked),
	    cmocka_unit_test(whatever_pgbouncer_takes_is_taken),
	    cmocka_unit_test(a_context_stays_until_something_differs),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
