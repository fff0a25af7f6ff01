/*
 * Every allocation of src/conf/ fails once: what is being built then is given up, nothing is lost, and the next try
 * works. This program brings its own base/mem.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "conf/config.h"
#include "conf/show.h"
#include "conf/url.h"
#include "conf_files.h"
#include "failing_mem.h"

/* Calls `step` with a failure at the first allocation, at the second and so on, until it gets through. */
static void sweep(bool (*step)(void))
{
	for (size_t at = 1; at < 100000; at++) {
		bool good, reached;

		mem_until_failure = at;
		mem_fails_once = true;
		good = step();
		reached = mem_until_failure == 0;
		mem_until_failure = 0;
		assert_int_equal(mem_blocks, 0);
		if (!reached) {
			assert_true(good);
			assert_true(at > 3);
			return;
		}
	}
	fail();
}

static struct config *load(struct conf_error *why)
{
	struct fake_file files[] = {{"etc/a.ini",
	                             "[databases]\n\"x\" = host=a,b user=u password=p pool_mode=session\nx = host=c\n"
	                             "*=dbname=q\n[users]\nu=pool_size=1\n[peers]\n1=host=a\n[pgbouncer]\n"
	                             "auth_file=u.txt\nsuspend_timeout=1\nadmin_users=a\nadmin_users=b\n%include "
	                             "b.ini\n%include /dev/nul?\n%include /dev/no_such*\n",
	                             0},
	                            {"etc/b.ini", "server_lifetime=1\npeer_id=0\n", 0},
	                            {"/dev/null", "query_timeout=1\n", 0}, /* its name is in a real directory */
	                            {"etc/u.txt", "\"a\" \"b\"\n\"a\" \"c\"\n", 0},
	                            {NULL, NULL, 0}};

	return config_load("etc/a.ini", NULL, fake_read, files, why);
}

static bool load_once(void)
{
	struct conf_error why = {"", 0, "", ""};
	struct config *c = load(&why);

	if (c == NULL)
		assert_true(why.text[0] != '\0');
	config_unref(c);
	return c != NULL;
}

static bool change_once(void)
{
	struct conf_error why;
	struct config *c, *changed = NULL;

	mem_spared = true;
	c = load(&why);
	mem_spared = false;
	changed = config_with_setting(c, "admin_users", "someone", &why);
	if (changed == NULL)
		assert_string_equal(why.text, "out of memory");
	config_unref(changed);
	config_unref(c);
	return changed != NULL;
}

static bool change_what_needs_a_restart_once(void)
{
	struct conf_error why;
	struct config *c, *changed = NULL;

	mem_spared = true;
	c = load(&why);
	mem_spared = false;
	changed = config_with_setting(c, "listen_addr", "someone", &why);
	config_unref(changed);
	config_unref(c);
	return changed != NULL;
}

static void ignore(void *context, enum conf_change what, const char *name, const char *before, const char *after)
{
	(void)context, (void)what, (void)name, (void)before, (void)after;
}

static bool row(void *context, const char *name, const char *value, const char *standard, bool changeable)
{
	(void)context, (void)name, (void)value, (void)standard, (void)changeable;
	return true;
}

/* Compares, keeps and shows two configurations that differ in a text. */
static bool compare_once(void)
{
	struct conf_error why;
	struct config *a, *b;
	bool good;

	mem_spared = true;
	a = load(&why);
	b = config_with_setting(a, "admin_users", "other", &why);
	mem_free(b->settings.listen_addr);
	b->settings.listen_addr = mem_copy_str("10.0.0.1");
	mem_spared = false;
	good = config_diff(a, b, ignore, NULL) && conf_show(b, row, NULL) && config_keep_restart_settings(b, a);
	config_unref(a);
	config_unref(b);
	return good;
}

static bool url_once(void)
{
	struct conf_error why = {"", 0, "", ""};
	struct config *c = config_from_url("postgres://u:p@a:7,b:7/d?application_name=x", &why);

	if (c == NULL)
		assert_true(why.text[0] != '\0');
	config_unref(c);
	return c != NULL;
}

static void loading_survives_every_failure(void **state)
{
	(void)state;
	sweep(load_once);
}

static void changing_survives_every_failure(void **state)
{
	(void)state;
	sweep(change_once);
	sweep(change_what_needs_a_restart_once);
}

static void comparing_survives_every_failure(void **state)
{
	(void)state;
	sweep(compare_once);
}

static void urls_survive_every_failure(void **state)
{
	(void)state;
	sweep(url_once);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(loading_survives_every_failure), cmocka_unit_test(changing_survives_every_failure),
	    cmocka_unit_test(comparing_survives_every_failure), cmocka_unit_test(urls_survive_every_failure)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
