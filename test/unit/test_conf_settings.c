/* Tests of src/conf/settings.c and of every row of settings.def. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "conf/settings.h"
#include "os/file.h"

/* Names, defaults and changeability as PgBouncer 1.26.1 on Linux prints them. */
static const struct {
	const char *name;
	const char *standard;
	bool changeable;
} pgbouncer[] = {
    {"admin_users", "", true},
    {"application_name_add_host", "0", true},
    {"auth_dbname", NULL, true},
    {"auth_file", NULL, true},
    {"auth_hba_file", "", true},
    {"auth_ident_file", NULL, true},
    {"auth_ldap_options", NULL, true},
    {"auth_query",
     "SELECT rolname, CASE WHEN rolvaliduntil < now() THEN NULL ELSE rolpassword END FROM pg_authid WHERE rolname=$1 "
     "AND rolcanlogin",
     true},
    {"auth_type", "md5", true},
    {"auth_user", NULL, true},
    {"autodb_idle_timeout", "3600", true},
    {"cancel_wait_timeout", "10", true},
    {"client_idle_timeout", "0", true},
    {"client_login_timeout", "60", true},
    {"client_tls13_ciphers", NULL, true},
    {"client_tls_ca_file", "", true},
    {"client_tls_cert_file", "", true},
    {"client_tls_ciphers", "default", true},
    {"client_tls_dheparams", "auto", true},
    {"client_tls_ecdhcurve", "auto", true},
    {"client_tls_key_file", "", true},
    {"client_tls_protocols", "secure", true},
    {"client_tls_sslmode", "disable", true},
    {"conffile", NULL, true},
    {"default_pool_size", "20", true},
    {"disable_pqexec", "0", false},
    {"dns_max_ttl", "15", true},
    {"dns_nxdomain_ttl", "15", true},
    {"dns_zone_check_period", "0", true},
    {"idle_transaction_timeout", "0", true},
    {"ignore_startup_parameters", "", true},
    {"job_name", "pgbouncer", false},
    {"listen_addr", "", false},
    {"listen_backlog", "128", false},
    {"listen_port", "6432", false},
    {"log_connections", "1", true},
    {"log_disconnections", "1", true},
    {"log_pooler_errors", "1", true},
    {"log_stats", "1", true},
    {"logfile", "", true},
    {"login_notify_message", "", true},
    {"max_client_conn", "100", true},
    {"max_db_client_connections", "0", true},
    {"max_db_connections", "0", true},
    {"max_packet_size", "2147483647", true},
    {"max_prepared_statements", "200", true},
    {"max_user_client_connections", "0", true},
    {"max_user_connections", "0", true},
    {"min_pool_size", "0", true},
    {"peer_id", "0", true},
    {"pidfile", "", false},
    {"pkt_buf", "4096", false},
    {"pool_idle_timeout", "0", true},
    {"pool_mode", "session", true},
    {"query_timeout", "0", true},
    {"query_wait_notify", "5", true},
    {"query_wait_timeout", "120", true},
    {"reserve_pool_size", "0", true},
    {"reserve_pool_timeout", "5", true},
    {"resolv_conf", "", false},
    {"sbuf_loopcnt", "5", true},
    {"scram_iterations", "4096", true},
    {"server_check_delay", "30", true},
    {"server_check_query", "<empty>", true},
    {"server_connect_timeout", "15", true},
    {"server_fast_close", "0", true},
    {"server_idle_timeout", "600", true},
    {"server_lifetime", "3600", true},
    {"server_login_retry", "15", true},
    {"server_reset_query", "DISCARD ALL", true},
    {"server_reset_query_always", "0", true},
    {"server_round_robin", "0", true},
    {"server_tls13_ciphers", NULL, true},
    {"server_tls_ca_file", "", true},
    {"server_tls_cert_file", "", true},
    {"server_tls_ciphers", "default", true},
    {"server_tls_key_file", "", true},
    {"server_tls_protocols", "secure", true},
    {"server_tls_sslmode", "prefer", true},
    {"so_reuseport", "0", false},
    {"stats_period", "60", true},
    {"stats_users", "", true},
    {"syslog", "0", true},
    {"syslog_facility", "daemon", true},
    {"syslog_ident", "pgbouncer", true},
#ifdef __linux__
    {"tcp_defer_accept", "1", true},
#else
    {"tcp_defer_accept", "0", true},
#endif
    {"tcp_keepalive", "1", true},
    {"tcp_keepcnt", "0", true},
    {"tcp_keepidle", "0", true},
    {"tcp_keepintvl", "0", true},
    {"tcp_socket_buffer", "0", true},
    {"tcp_user_timeout", "0", true},
    {"track_extra_parameters", "", false},
    {"transaction_timeout", "0", true},
    {"unix_socket_dir", SOCKET_DIRECTORY, false},
    {"unix_socket_group", "", false},
    {"unix_socket_mode", "0777", false},
    {"user", NULL, false},
    {"verbose", NULL, true},
};
#define N_PGBOUNCER (sizeof(pgbouncer) / sizeof(pgbouncer[0]))

static int init(void **state)
{
	static struct settings settings;

	*state = &settings;
	return settings_init(&settings) ? 0 : -1;
}

static int fini(void **state)
{
	settings_fini((struct settings *)*state);
	return 0;
}

static void rows_are_those_of_pgbouncer_and_ours_behind(void **state)
{
	(void)state;
	assert_int_equal(N_PGBOUNCER, 99);
	for (size_t i = 0; i < N_PGBOUNCER; i++) {
		enum setting_id id = (enum setting_id)i;

		assert_string_equal(setting_name(id), pgbouncer[i].name);
		if (pgbouncer[i].standard == NULL)
			assert_null(setting_default(id));
		else
			assert_string_equal(setting_default(id), pgbouncer[i].standard);
		assert_int_equal(setting_is_changeable(id), pgbouncer[i].changeable);
	}
	assert_string_equal(setting_name((enum setting_id)N_PGBOUNCER), "threads");
}

static void every_row_has_a_sentence_that_ends(void **state)
{
	static const struct {
		const char *doc, *note;
	} sentences[] = {
#define SETTING(name, kind, standard, min, max, when, needs, harmless, doc, note) {doc, note},
#include "conf/settings.def"
	};

	(void)state;
	for (int i = 0; i < N_SETTINGS; i++) {
		const char *doc = sentences[i].doc, *note = sentences[i].note;

		assert_int_equal(doc[strlen(doc) - 1], '.');
		assert_true(note[0] == '\0' || note[strlen(note) - 1] == '.');
	}
}

/* Rows whose value is printed in another form than the default. */
static bool is_printed_differently(enum setting_id id)
{
	return id == SETTING_unix_socket_mode || id == SETTING_verbose;
}

static void every_default_is_what_is_shown(void **state)
{
	const struct settings *s = (const struct settings *)*state;

	for (int i = 0; i < N_SETTINGS; i++) {
		enum setting_id id = (enum setting_id)i;
		struct str text;
		bool has_text;

		if (is_printed_differently(id))
			continue;
		str_init(&text, 1000);
		has_text = setting_text(s, id, &text);
		assert_int_equal(has_text, setting_default(id) != NULL);
		if (has_text)
			assert_string_equal(str_text(&text), setting_default(id));
		str_fini(&text);
	}
}

static void every_default_is_read_back_unchanged(void **state)
{
	struct settings *s = (struct settings *)*state;
	struct settings fresh;
	struct conf_error why;

	assert_true(settings_init(&fresh));
	for (int i = 0; i < N_SETTINGS; i++) {
		enum setting_id id = (enum setting_id)i;

		if (setting_default(id) != NULL)
			assert_true(setting_parse(s, setting_name(id), setting_default(id), "a.ini", 1, &why));
		assert_true(setting_is_same(s, &fresh, id));
	}
	settings_fini(&fresh);
}

/* True if a text is read for this setting and then printed as it was. */
static bool makes_the_round(struct settings *s, enum setting_id id, const char *value)
{
	struct conf_error why;
	struct str text;
	bool same;

	if (!setting_parse(s, setting_name(id), value, NULL, 0, &why))
		return false;
	str_init(&text, 1000);
	same = setting_text(s, id, &text) && strcmp(str_text(&text), value) == 0;
	str_fini(&text);
	return same;
}

#define LDAP_OPTIONS "ldapserver=\"a b\" ldapprefix=uid="

static void every_row_takes_another_value_and_prints_it(void **state)
{
	struct settings *s = (struct settings *)*state;

	for (int i = 0; i < N_SETTINGS; i++) {
		enum setting_id id = (enum setting_id)i;
		static const char *const tries[] = {
		    "1234",    "10MB",   "1d",   "1",   "0",    "trust",   "transaction", "allow",     "disable",
		    "precise", "direct", "json", "3.2", "warn", "primary", LDAP_OPTIONS,  "[::1]:9127"};
		bool done = false;

		for (size_t t = 0; t < sizeof(tries) / sizeof(tries[0]) && !done; t++)
			done = makes_the_round(s, id, tries[t]);
		if (!done && id != SETTING_resolv_conf && id != SETTING_http_auth_password)
			fail_msg("%s takes nothing", setting_name(id));
	}
}

/* Which rows are texts is seen by what they take. */
static bool is_text(enum setting_id id)
{
	struct settings s;
	struct conf_error why;
	bool text;

	assert_true(settings_init(&s));
	text = setting_parse(&s, setting_name(id), "", NULL, 0, &why);
	settings_fini(&s);
	return text;
}

static void every_row_but_texts_refuses_what_is_out_of_range(void **state)
{
	static const char *const bad[] = {"",    "-1", "99999999999999999999", "12x", "nonsense",
	                                  "yes", "on", "1 ; comment"};
	struct settings *s = (struct settings *)*state;

	for (int i = 0; i < N_SETTINGS; i++) {
		enum setting_id id = (enum setting_id)i;

		if (is_text(id))
			continue;
		for (size_t t = 0; t < sizeof(bad) / sizeof(bad[0]); t++) {
			struct conf_error why;
			char begins[200];

			if (setting_parse(s, setting_name(id), bad[t], "a.ini", 3, &why))
				fail_msg("%s takes \"%s\"", setting_name(id), bad[t]);
			snprintf(begins, sizeof(begins),
			         "invalid value \"%s\" for parameter %s in configuration (a.ini:3): must be ", bad[t],
			         setting_name(id));
			assert_memory_equal(why.text, begins, strlen(begins));
			assert_string_equal(why.file, "a.ini");
			assert_int_equal(why.line, 3);
		}
		assert_true(makes_the_round(s, id, "0") || makes_the_round(s, id, "1") ||
		            makes_the_round(s, id, "100") || makes_the_round(s, id, "md5") ||
		            makes_the_round(s, id, "session") || makes_the_round(s, id, "disable") ||
		            makes_the_round(s, id, "compatible") || makes_the_round(s, id, "text") ||
		            makes_the_round(s, id, "postgres") || makes_the_round(s, id, "3.0") ||
		            makes_the_round(s, id, "off") || makes_the_round(s, id, "any"));
	}
}

static void refusals_teach(void **state)
{
	static const struct {
		const char *name, *value, *text, *hint;
	} cases[] = {
	    {"log_stats", "yes",
	     "invalid value \"yes\" for parameter log_stats in configuration (a.ini:1): must be 0 or 1", ""},
	    {"log_stats", "0 ; no",
	     "invalid value \"0 ; no\" for parameter log_stats in configuration (a.ini:1): must be 0 or 1",
	     "A comment needs a line of its own."},
	    {"auth_type", "'md5'",
	     "invalid value \"'md5'\" for parameter auth_type in configuration (a.ini:1): must be one of any, trust, "
	     "plain, "
	     "md5, cert, hba, ldap, pam, scram-sha-256",
	     "Values in this section are written without quotes."},
	    {"server_idle_timeout", "5s",
	     "invalid value \"5s\" for parameter server_idle_timeout in configuration (a.ini:1): must be a number of "
	     "seconds "
	     "without a unit, such as 15 or 0.5",
	     ""},
	    {"listen_port", "70000",
	     "invalid value \"70000\" for parameter listen_port in configuration (a.ini:1): must be a whole number "
	     "from 1 to "
	     "65535",
	     ""},
	    {"unix_socket_mode", "0999",
	     "invalid value \"0999\" for parameter unix_socket_mode in configuration (a.ini:1): must be an octal "
	     "number from 0 "
	     "to 07777",
	     ""},
	    {"log_rotation_size", "10M",
	     "invalid value \"10M\" for parameter log_rotation_size in configuration (a.ini:1): must be a whole number "
	     "of "
	     "kilobytes, or one with a unit: 10MB, 1GB",
	     ""},
	    {"log_rotation_age", "86400s",
	     "invalid value \"86400s\" for parameter log_rotation_age in configuration (a.ini:1): must be a whole "
	     "number "
	     "of minutes, or one with a unit: 90min, 12h, 7d",
	     ""},
	    {"pol_mode", "session", "unknown parameter: pgbouncer/pol_mode in configuration (a.ini:1)",
	     "Perhaps \"pool_mode\" is meant."},
	    {"xyzzy", "1", "unknown parameter: pgbouncer/xyzzy in configuration (a.ini:1)", ""},
	    {"Pool_Mode", "session", "unknown parameter: pgbouncer/Pool_Mode in configuration (a.ini:1)",
	     "Perhaps \"pool_mode\" is meant."},
	    {"auth_dbname", "pgbouncer",
	     "cannot use the reserved \"pgbouncer\" database as an auth_dbname in configuration (a.ini:1)", ""},
	};
	struct settings *s = (struct settings *)*state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf_error why;

		assert_false(setting_parse(s, cases[i].name, cases[i].value, "a.ini", 1, &why));
		assert_string_equal(why.text, cases[i].text);
		assert_string_equal(why.hint, cases[i].hint);
	}
}

static void values_that_need_a_missing_part_say_so(void **state)
{
	static const struct {
		const char *name, *value, *part;
	} cases[] = {
#ifndef HAVE_CARES
	    {"dns_zone_check_period", "0.1", "lookups through c-ares"},
	    {"resolv_conf", "/etc/x", "lookups through c-ares"},
#endif
	    {NULL, NULL, NULL}};
	struct settings *s = (struct settings *)*state;

	for (size_t i = 0; cases[i].name != NULL; i++) {
		struct conf_error why;
		char ends[200];

		assert_false(setting_parse(s, cases[i].name, cases[i].value, NULL, 0, &why));
		snprintf(ends, sizeof(ends), " for parameter %s needs %s, which this version does not have",
		         cases[i].name, cases[i].part);
		assert_string_equal(strstr(why.text, " for parameter"), ends);
	}
}

static void libraries_that_are_not_there_are_named(void **state)
{
	struct settings *s = (struct settings *)*state;
	struct conf_error why;
	bool taken;

	taken = setting_parse(s, "auth_type", "pam", "a.ini", 3, &why);
#ifdef HAVE_PAM
	assert_true(taken);
#else
	assert_false(taken);
	assert_string_equal(why.text, CONF_NO_PAM " in configuration (a.ini:3)");
#endif
	taken = setting_parse(s, "auth_type", "ldap", "a.ini", 3, &why);
#ifdef HAVE_LDAP
	assert_true(taken);
#else
	assert_false(taken);
	assert_string_equal(why.text, CONF_NO_LDAP " in configuration (a.ini:3)");
#endif
}

static void ldap_options_are_checked_and_shown_without_their_password(void **state)
{
	struct settings *s = (struct settings *)*state;
	struct conf_error why;
	struct str text;

	assert_false(setting_parse(s, "auth_ldap_options", "ldapservr=a", "a.ini", 7, &why));
	assert_string_equal(why.text, "there is no LDAP option \"ldapservr\" in configuration (a.ini:7)");
	assert_string_equal(why.hint, "Perhaps \"ldapserver\" is meant.");
	assert_null(s->auth_ldap_options);
	assert_true(setting_parse(s, "auth_ldap_options",
	                          "ldapserver=a ldapbasedn=b ldapbinddn=c ldapbindpasswd=\"s, t\"", "a.ini", 7, &why));
	str_init(&text, 1000);
	assert_true(setting_text(s, SETTING_auth_ldap_options, &text));
	assert_string_equal(str_text(&text), "ldapserver=a ldapbasedn=b ldapbinddn=c ldapbindpasswd=****");
	str_fini(&text);
}

static void secrets_are_kept_and_never_shown(void **state)
{
	struct settings *s = (struct settings *)*state;
	struct settings copy;
	struct conf_error why;
	struct str text;

	str_init(&text, 1000);
	assert_true(setting_text(s, SETTING_http_auth_password, &text));
	assert_string_equal(str_text(&text), ""); /* that there is none is no secret */
	assert_true(setting_parse(s, "http_auth_password", "four words and spaces", "a.ini", 7, &why));
	assert_string_equal(s->http_auth_password, "four words and spaces");
	assert_true(setting_text(s, SETTING_http_auth_password, &text));
	assert_string_equal(str_text(&text), SETTING_HIDDEN);
	str_fini(&text);
	assert_true(settings_copy(&copy, s));
	assert_string_equal(copy.http_auth_password, "four words and spaces");
	assert_true(setting_is_same(s, &copy, SETTING_http_auth_password));
	assert_true(setting_parse(&copy, "http_auth_password", "other", "a.ini", 7, &why));
	assert_false(setting_is_same(s, &copy, SETTING_http_auth_password));
	settings_fini(&copy);
	assert_true(setting_is_secret(SETTING_http_auth_password));
	assert_true(setting_is_secret(SETTING_auth_ldap_options));
	assert_false(setting_is_secret(SETTING_http_auth_user));
}

static void http_listen_is_checked(void **state)
{
	struct settings *s = (struct settings *)*state;
	struct conf_error why;

	assert_false(setting_parse(s, "http_listen", "127.0.0.1", "a.ini", 7, &why));
	assert_string_equal(why.text,
	                    "invalid value \"127.0.0.1\" for parameter http_listen in configuration (a.ini:7): must be "
	                    "addresses with ports, separated by commas, such as 127.0.0.1:9127, [::1]:9127 or *:9127");
	assert_string_equal(s->http_listen, "");
	assert_true(setting_parse(s, "http_listen", "127.0.0.1:9127, localhost:1", "a.ini", 7, &why));
	assert_true(setting_parse(s, "http_listen", "", "a.ini", 7, &why));
}

static void values_that_need_nothing_are_taken_beside_missing_parts(void **state)
{
	static const struct {
		const char *name, *value;
	} cases[] = {{"client_tls_sslmode", "Disable"},
	             {"server_tls_sslmode", "VERIFY-FULL"},
	             {"server_tls_negotiation", "direct"},
	             {"server_max_protocol_version", "3.2"},
	             {"auth_type", "any"},
	             {"auth_type", "SCRAM-SHA-256"},
	             {"auth_user", ""},
	             {"dns_zone_check_period", "0.0"},
	             {"resolv_conf", ""},
	             {"peer_id", "0x0"}};
	struct settings *s = (struct settings *)*state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf_error why;

		assert_true(setting_parse(s, cases[i].name, cases[i].value, NULL, 0, &why));
	}
	assert_int_equal(s->auth_type, AUTH_TYPE_SCRAM);
}

static void members_get_the_values(void **state)
{
	struct settings *s = (struct settings *)*state;
	struct conf_error why;

	assert_int_equal(s->server_idle_timeout_us, 600000000);
	assert_int_equal(s->unix_socket_mode, 0777);
	assert_int_equal(s->max_packet_size, 2147483647u);
	assert_null(s->user);
	assert_string_equal(s->unix_socket_dir, SOCKET_DIRECTORY);
	assert_true(s->log_connections);
	assert_int_equal(s->server_connect_parallel, 4);
	assert_int_equal(s->server_down_wait_us, 5000000);
	assert_int_equal(s->error_sqlstate, ERROR_SQLSTATE_COMPATIBLE);
	assert_int_equal(s->log_format, LOG_FORMAT_TEXT);
	assert_int_equal(s->state_guard, STATE_GUARD_OFF);
	assert_int_equal(s->log_rotation_size_bytes, 0);
	assert_int_equal(s->log_rotation_age_us, 0);
	assert_int_equal(s->log_rotation_keep, 10);
	assert_true(setting_parse(s, "log_rotation_size", "10MB", NULL, 0, &why));
	assert_true(setting_parse(s, "log_rotation_age", "90", NULL, 0, &why));
	assert_int_equal(s->log_rotation_size_bytes, 10485760);
	assert_int_equal(s->log_rotation_age_us, 5400000000);
	assert_true(setting_parse(s, "pool_mode", "TransAction", NULL, 0, &why));
	assert_true(setting_parse(s, "max_packet_size", "4294967295", NULL, 0, &why));
	assert_true(setting_parse(s, "server_lifetime", "0.5", NULL, 0, &why));
	assert_true(setting_parse(s, "unix_socket_mode", "0750", NULL, 0, &why));
	assert_true(setting_parse(s, "log_connections", "0", NULL, 0, &why));
	assert_true(setting_parse(s, "admin_users", "a, b", NULL, 0, &why));
	assert_true(setting_parse(s, "admin_users", "c", NULL, 0, &why));
	assert_int_equal(s->pool_mode, POOL_MODE_TRANSACTION);
	assert_int_equal(s->max_packet_size, 4294967295u);
	assert_int_equal(s->server_lifetime_us, 500000);
	assert_int_equal(s->unix_socket_mode, 0750);
	assert_false(s->log_connections);
	assert_string_equal(s->admin_users, "c");
}

static void aliases_and_dropped_settings_are_accepted(void **state)
{
	struct settings *s = (struct settings *)*state;
	struct conf_error why;

	assert_int_equal(setting_find("service_name"), SETTING_job_name);
	assert_int_equal(setting_find("suspend_timeout"), N_SETTINGS);
	assert_true(setting_parse(s, "service_name", "weir", NULL, 0, &why));
	assert_string_equal(s->job_name, "weir");
	assert_true(setting_is_dropped("suspend_timeout"));
	assert_false(setting_is_dropped("pool_mode"));
	assert_true(setting_parse(s, "suspend_timeout", "10", NULL, 0, &why));
}

static void copies_are_independent(void **state)
{
	struct settings *s = (struct settings *)*state;
	struct settings copy;
	struct conf_error why;

	assert_true(settings_copy(&copy, s));
	for (int i = 0; i < N_SETTINGS; i++)
		assert_true(setting_is_same(s, &copy, (enum setting_id)i));
	assert_true(setting_parse(&copy, "logfile", "x", NULL, 0, &why));
	assert_true(setting_parse(&copy, "user", "x", NULL, 0, &why));
	assert_string_equal(s->logfile, "");
	assert_false(setting_is_same(s, &copy, SETTING_logfile));
	assert_false(setting_is_same(s, &copy, SETTING_user));
	assert_true(setting_copy(&copy, s, SETTING_user));
	assert_null(copy.user);
	settings_fini(&copy);
}

static void words_have_names_and_back(void **state)
{
	enum pool_mode mode = POOL_MODE_SESSION;
	enum load_balance balance = LOAD_BALANCE_ROUND_ROBIN;
	enum state_guard guard = STATE_GUARD_OFF;
	enum session_attrs attrs = SESSION_ATTRS_ANY;

	(void)state;
	assert_true(pool_mode_parse("statement", &mode));
	assert_string_equal(pool_mode_name(mode), "statement");
	assert_false(pool_mode_parse("x", &mode));
	assert_true(state_guard_parse("PIN", &guard));
	assert_int_equal(guard, STATE_GUARD_PIN);
	assert_string_equal(state_guard_name(STATE_GUARD_REJECT), "reject");
	assert_false(state_guard_parse("on", &guard));
	assert_true(load_balance_parse("disable", &balance));
	assert_string_equal(load_balance_name(balance), "disable");
	assert_false(load_balance_parse("", &balance));
	assert_true(session_attrs_parse("Prefer-Standby", &attrs));
	assert_int_equal(attrs, SESSION_ATTRS_PREFER_STANDBY);
	assert_string_equal(session_attrs_name(attrs), "prefer-standby");
	assert_false(session_attrs_parse("read_write", &attrs));
	assert_string_equal(auth_type_name(AUTH_TYPE_SCRAM), "scram-sha-256");
	assert_string_equal(auth_type_name(AUTH_TYPE_ANY), "any");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rows_are_those_of_pgbouncer_and_ours_behind),
	    cmocka_unit_test(every_row_has_a_sentence_that_ends),
	    cmocka_unit_test_setup_teardown(every_default_is_what_is_shown, init, fini),
	    cmocka_unit_test_setup_teardown(every_default_is_read_back_unchanged, init, fini),
	    cmocka_unit_test_setup_teardown(every_row_takes_another_value_and_prints_it, init, fini),
	    cmocka_unit_test_setup_teardown(every_row_but_texts_refuses_what_is_out_of_range, init, fini),
	    cmocka_unit_test_setup_teardown(refusals_teach, init, fini),
	    cmocka_unit_test_setup_teardown(values_that_need_a_missing_part_say_so, init, fini),
	    cmocka_unit_test_setup_teardown(libraries_that_are_not_there_are_named, init, fini),
	    cmocka_unit_test_setup_teardown(ldap_options_are_checked_and_shown_without_their_password, init, fini),
	    cmocka_unit_test_setup_teardown(secrets_are_kept_and_never_shown, init, fini),
	    cmocka_unit_test_setup_teardown(http_listen_is_checked, init, fini),
	    cmocka_unit_test_setup_teardown(values_that_need_nothing_are_taken_beside_missing_parts, init, fini),
	    cmocka_unit_test_setup_teardown(members_get_the_values, init, fini),
	    cmocka_unit_test_setup_teardown(aliases_and_dropped_settings_are_accepted, init, fini),
	    cmocka_unit_test_setup_teardown(copies_are_independent, init, fini),
	    cmocka_unit_test(words_have_names_and_back)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
