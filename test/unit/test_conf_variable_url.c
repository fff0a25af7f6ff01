/* URLs in variables: what libpq makes of them, and what it does not. */
#include "environment_bench.h"

#include "conf/variable_url.h"

static void story_of(const char *url, struct str *out)
{
	struct variable_url u;
	struct conf_error why;

	memset(&why, 0, sizeof(why));
	if (!variable_url_parse(&u, url, &why)) {
		str_printf(out, "%s", why.text);
	} else {
		str_printf(out, "%s %s %s %d %s", u.user == NULL ? "-" : u.user, u.password == NULL ? "-" : u.password,
		           u.host == NULL ? "-" : u.host, u.port, u.dbname == NULL ? "-" : u.dbname);
		for (unsigned i = 0; i < u.n_keys; i++)
			str_printf(out, " %s=%s", u.keys[i].key, u.keys[i].value);
		for (unsigned i = 0; i < u.ignored.n; i++)
			str_printf(out, " (%s)", u.ignored.text[i]);
	}
	variable_url_fini(&u);
}

static void a_url_is_taken_apart(void **state)
{
	static const struct {
		const char *url, *story;
	} cases[] = {
	    {"postgres://app:secret@db:5433/shop", "app secret db 5433 shop"},
	    {"postgresql://app@db", "app - db 0 -"},
	    {"postgres://db/shop", "- - db 0 shop"},
	    {"postgres:///shop", "- - - 0 shop"},
	    {"postgres://app:a%40b%2Fc%25@db/sh%20op", "app a@b/c% db 0 sh op"},
	    /* as they stand in many compose files */
	    {"postgres://app:p@ss@db/shop", "app p@ss db 0 shop"},
	    {"postgres://app:50%off@db/shop", "app 50%off db 0 shop"},
	    {"postgres://app:100%@db/shop", "app 100% db 0 shop"},
	    {"postgres://app:a:b@db/shop", "app a:b db 0 shop"},
	    {"postgres://app:#;?x@db/shop?sslmode=allow", "app #;?x db 0 shop server_tls_sslmode=allow"},
	    {"postgres://app:a/b@db/shop", "invalid port in the URL: must be from 1 to 65535"},
	    {"postgres://db/a@b", "- - db 0 a@b"},
	    {"postgres://app:x@[::1]:5432/shop", "app x ::1 5432 shop"},
	    {"postgres://app:x@a:7,b:7/shop", "app x a,b 7 shop"},
	    {"postgres://app:x@a:7,b:8/shop", "hosts with different ports in a URL are not supported"},
	    {"postgres://app:x@db/shop?sslmode=require&sslrootcert=/ca", "app x db 0 shop server_tls_sslmode=require "
	                                                                 "server_tls_ca_file=/ca"},
	    {"postgres://app:x@db/shop?schema=public&connection_limit=5&sslmode=disable&pgbouncer=true",
	     "app x db 0 shop server_tls_sslmode=disable (schema) (connection_limit) (pgbouncer)"},
	    {"postgres://app:x@db/shop?", "app x db 0 shop"},
	    {"postgres://app:x@db/shop?&&a", "app x db 0 shop (a)"},
	    {"postgres:///shop?host=/run/pg&port=6&user=ann&password=q", "ann q /run/pg 6 shop"},
	    {"postgres://app:x@db/shop?hostaddr=10.0.0.1", "app x 10.0.0.1 0 shop"},
	    {"postgres://app:x@db/shop?application_name=web&target_session_attrs=primary&client_encoding=UTF8",
	     "app x db 0 shop client_encoding=UTF8 application_name=web target_session_attrs=primary"},
	    {"postgres://app:x@db/shop?gssencmode=disable&channel_binding=prefer", "app x db 0 shop"},
	    {"postgres://app:x@db/shop?channel_binding=require",
	     "channel_binding=require in the URL needs channel binding, which this version does not have"},
	    {"postgis://app:x@db/shop", "app x db 0 shop"},
	    {"postgresql+psycopg2://app:x@db/shop", "app x db 0 shop"},
	    {"PGSQL://app:x@db/shop", "app x db 0 shop"},
	    {"mysql://app:x@db/shop", "it is no URL of PostgreSQL"},
	    {"app:x@db/shop", "it is no URL of PostgreSQL"},
	    {"", "it is no URL of PostgreSQL"},
	    {"://x", "it is no URL of PostgreSQL"},
	    {"postgres://app:x@db:port/shop", "invalid port in the URL: must be from 1 to 65535"},
	    {"postgres://app:x@db:99999/shop", "invalid port in the URL: must be from 1 to 65535"},
	    {"postgres://app:x@db/a%0", "could not read the URL: invalid percent-encoded token"},
	    {"postgres://app:x@[::1/shop", "could not read the URL: end of string reached when looking for matching"},
	};
	struct str text;

	(void)state;
	str_init(&text, 65536);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		str_clear(&text);
		story_of(cases[i].url, &text);
		/* of libpq's own words only the beginning is ours to know */
		if (strncmp(cases[i].story, "could not read", 14) == 0)
			assert_int_equal(strncmp(str_text(&text), cases[i].story, 23), 0);
		else
			assert_string_equal(str_text(&text), cases[i].story);
		assert_null(strstr(str_text(&text), "geheim"));
	}
	str_fini(&text);
}

static void no_error_shows_the_password(void **state)
{
	static const char *const urls[] = {"postgres://app:geheim@db:port/x", "postgres://app:geheim@[::1/x",
	                                   "postgres://app:geheim/x@db/y", "mysql://app:geheim@db/x",
	                                   "postgres://app:geheim@db/x?password=geheim&sslmode=%zz"};
	struct str text;

	(void)state;
	str_init(&text, 65536);
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		str_clear(&text);
		story_of(urls[i], &text);
		assert_null(strstr(str_text(&text), "geheim"));
	}
	str_fini(&text);
}

static void assert_list(const char *list, const char *expected)
{
	const char *rest = list, *url;
	struct str text;
	size_t len;

	str_init(&text, 65536);
	while ((url = variable_url_next(&rest, &len)) != NULL)
		str_printf(&text, "<%.*s>", (int)len, url);
	assert_string_equal(str_text(&text), expected);
	str_fini(&text);
}

static void a_list_is_cut_between_urls_and_not_between_hosts(void **state)
{
	(void)state;
	assert_list("", "");
	assert_list(" ,\n", "");
	assert_list("postgres://a/b", "<postgres://a/b>");
	assert_list("postgres://a/b,postgres://c/d", "<postgres://a/b><postgres://c/d>");
	assert_list(" postgres://a/b ,\n  postgres://c/d , \n", "<postgres://a/b><postgres://c/d>");
	assert_list("postgres://a,b:5/c,postgresql://d/e", "<postgres://a,b:5/c><postgresql://d/e>");
	assert_list("postgres://u:p,w@a/b\npostgres://c/d", "<postgres://u:p,w@a/b><postgres://c/d>");
	assert_list("postgres://u:a b@h/c", "<postgres://u:a b@h/c>");
	assert_list("nonsense", "<nonsense>");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_url_is_taken_apart),
	    cmocka_unit_test(no_error_shows_the_password),
	    cmocka_unit_test(a_list_is_cut_between_urls_and_not_between_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
