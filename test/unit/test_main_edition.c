/* RELOAD and SET: entirely or not at all. Workers, pools and the opener are played by this file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/environment.h"
#include "main/action.h"
#include "main/supervisor.h"
#include "os/file.h"
#include "place.h"
#include "pool/opener.h"
#include "worker/client.h"
#include "worker/server.h"

/* ---- the others ---- */

static struct visit *visiting;
static struct worker worker; /* the only one */
static const struct config *pools_have, *opener_has;
static bool pools_refuse;
static int n_applied, n_visits;

void supervisor_flush(struct supervisor *s)
{
	(void)s;
}

void supervisor_settings_changed(struct supervisor *s)
{
	(void)s;
}

void supervisor_sweep_soon(struct supervisor *s)
{
	(void)s;
}

uint64_t supervisor_now_us(const struct supervisor *s)
{
	(void)s;
	return 1;
}

void visit_start(struct office *o, struct visit *v)
{
	(void)o;
	assert_null(visiting);
	visiting = v;
}

void worker_set_config(struct worker *w, const struct config *config)
{
	config_unref(w->config);
	w->config = config_ref(config);
}

bool registry_apply(struct registry *r, const struct config *c, struct letters *out)
{
	(void)r;
	(void)out;
	/* every worker has it before any pool does */
	assert_ptr_equal(worker.config, c);
	n_applied++;
	if (!pools_refuse)
		pools_have = c;
	return !pools_refuse;
}

void registry_make_standing(struct registry *r, const struct config *c, struct letters *out)
{
	(void)r;
	(void)c;
	(void)out;
}

void registry_each_pool(struct registry *r, const char *database, pool_each *each, void *arg)
{
	(void)r;
	(void)database;
	(void)each;
	(void)arg;
}

void opener_set_config(struct opener *o, const struct config *c)
{
	(void)o;
	opener_has = c;
}

void opener_consider_soon(struct opener *o, struct pool *p, uint64_t now_us)
{
	(void)o;
	(void)p;
	(void)now_us;
}

void client_fail_text(struct client *c, const char *precise, const char *text)
{
	(void)c;
	(void)precise;
	(void)text;
	fail();
}

void server_close(struct server *s, const char *reason)
{
	(void)s;
	(void)reason;
	fail();
}

/* ---- a process with one worker ---- */

struct world {
	struct supervisor s;
	struct office office;
	struct logging logging;
	char place[PLACE_BYTES], path[PLACE_BYTES + 8];
	int n_answers;
	bool ok;
	char error[128], detail[512], sqlstate[8], notice[128];
};

static void answered(void *arg, const struct control_reply *reply)
{
	struct world *w = (struct world *)arg;
	bool has_notice = reply->notices != NULL && reply->notices[0] != NULL;

	w->n_answers++;
	w->ok = reply->ok;
	snprintf(w->error, sizeof(w->error), "%s", reply->error == NULL ? "" : reply->error);
	snprintf(w->detail, sizeof(w->detail), "%s", reply->detail == NULL ? "" : reply->detail);
	snprintf(w->sqlstate, sizeof(w->sqlstate), "%s", reply->sqlstate == NULL ? "" : reply->sqlstate);
	snprintf(w->notice, sizeof(w->notice), "%s", has_notice ? reply->notices[0] : "");
}

static void write_file(const struct world *w, const char *settings)
{
	char text[1000];

	snprintf(text, sizeof(text), "[databases]\napp = host=127.0.0.1\n[pgbouncer]\n%s\n", settings);
	place_put(w->path, text);
}

static int set_up(void **state)
{
	struct world *w = (struct world *)calloc(1, sizeof(*w));
	struct conf_error why;

	assert_non_null(w);
	place_make(w->place);
	snprintf(w->path, sizeof(w->path), "%s/file", w->place);
	write_file(w, "default_pool_size = 5");
	w->s.log = log_new();
	assert_non_null(w->s.log);
	logging_init(&w->logging, w->s.log, 0, true);
	w->s.logging = &w->logging;
	w->s.office = &w->office;
	list_init(&w->s.actions);
	letters_init(&w->s.out);
	w->s.config = config_load(w->path, NULL, conf_read_file, NULL, &why);
	assert_non_null(w->s.config);
	memset(&worker, 0, sizeof(worker));
	list_init(&worker.clients);
	list_init(&worker.servers);
	worker.config = config_ref(w->s.config);
	pools_have = opener_has = w->s.config;
	pools_refuse = false;
	visiting = NULL;
	n_applied = n_visits = 0;
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = (struct world *)*state;

	actions_free(&w->s);
	config_unref(w->s.config);
	config_unref(w->s.noticed);
	config_unref(worker.config);
	logging_fini(&w->logging);
	log_free(w->s.log);
	place_remove(w->place);
	free(w);
	return 0;
}

/* Turns until nothing is left to do. */
static void turn(struct world *w)
{
	while (actions_step(&w->s) || visiting != NULL)
		if (visiting != NULL) {
			struct visit *v = visiting;

			visiting = NULL;
			n_visits++;
			v->run(v, &worker);
			v->done(v);
		}
}

static void expect_everywhere(const struct world *w, int pool_size)
{
	assert_int_equal(w->s.config->settings.default_pool_size, pool_size);
	assert_ptr_equal(worker.config, w->s.config);
	assert_ptr_equal(pools_have, w->s.config);
	assert_ptr_equal(opener_has, w->s.config);
	assert_null(w->s.editing);
}

/* ---- tests ---- */

static void a_reload_reaches_workers_pools_and_main(void **state)
{
	struct world *w = (struct world *)*state;

	write_file(w, "default_pool_size = 7");
	edition_reload(&w->s, answered, w);
	assert_int_equal(w->n_answers, 0);
	turn(w);
	assert_int_equal(w->n_answers, 1);
	assert_true(w->ok);
	expect_everywhere(w, 7);
}

static bool can_write(const char *directory)
{
	(void)directory;
	return true;
}

static void a_reload_reads_the_environment_where_that_is_the_source(void **state)
{
	struct world *w = (struct world *)*state;
	const char *variables[] = {"DB_HOST=127.0.0.1", "DEFAULT_POOL_SIZE_FILE=", NULL};
	char file[PLACE_BYTES + 40], password[sizeof(file) + 32];
	struct environment e = {(char *const *)(uintptr_t)variables, conf_read_file, NULL, can_write, false};
	struct conf_error why;

	snprintf(file, sizeof(file), "%s.size", w->path);
	snprintf(password, sizeof(password), "DEFAULT_POOL_SIZE_FILE=%s", file);
	variables[1] = password;
	place_put(file, "5\n");
	config_unref(w->s.config);
	config_unref(worker.config);
	w->s.config = config_from_environment(&e, NULL, &why);
	assert_non_null(w->s.config);
	worker.config = config_ref(w->s.config);
	w->s.environment = &e;
	place_put(file, "7\n");
	edition_reload(&w->s, answered, w);
	turn(w);
	assert_true(w->ok);
	expect_everywhere(w, 7);
	/* what cannot be read reaches nobody */
	file_remove(file);
	edition_reload(&w->s, answered, w);
	turn(w);
	assert_false(w->ok);
	assert_non_null(strstr(w->detail, "environment variable DEFAULT_POOL_SIZE_FILE: could not read file"));
	expect_everywhere(w, 7);
	/* SET conffile names a file, as ever */
	edition_set(&w->s, "conffile", w->path, answered, w);
	turn(w);
	assert_true(w->ok);
	write_file(w, "default_pool_size = 9");
	edition_reload(&w->s, answered, w);
	turn(w);
	assert_true(w->ok);
	expect_everywhere(w, 9);
}

static void a_file_that_is_refused_reaches_nobody(void **state)
{
	struct world *w = (struct world *)*state;
	const struct config *before = w->s.config;

	write_file(w, "default_pool_size = 7\nnonsense = 1");
	edition_reload(&w->s, answered, w);
	turn(w);
	assert_int_equal(w->n_answers, 1);
	assert_false(w->ok);
	assert_string_equal(w->error, "RELOAD failed, see logs for additional details");
	assert_string_equal(w->sqlstate, "F0000");
	assert_non_null(strstr(w->detail, "nonsense"));
	assert_non_null(strstr(w->detail, ":5"));
	assert_int_equal(n_visits, 0);
	assert_ptr_equal(w->s.config, before);
	expect_everywhere(w, 5);
}

static void a_log_file_that_cannot_be_opened_refuses_the_whole(void **state)
{
	struct world *w = (struct world *)*state;

	write_file(w, "default_pool_size = 7\nlogfile = /nonexistent/x.log");
	edition_reload(&w->s, answered, w);
	turn(w);
	assert_false(w->ok);
	assert_non_null(strstr(w->detail, "/nonexistent/x.log"));
	assert_int_equal(n_visits, 0);
	expect_everywhere(w, 5);
}

static void without_memory_for_the_pools_the_workers_take_the_old_one_back(void **state)
{
	struct world *w = (struct world *)*state;

	write_file(w, "default_pool_size = 7");
	pools_refuse = true;
	edition_reload(&w->s, answered, w);
	turn(w);
	assert_int_equal(n_applied, 1);
	assert_int_equal(w->n_answers, 1);
	assert_false(w->ok);
	assert_string_equal(w->detail, "out of memory");
	expect_everywhere(w, 5);
	/* and the next one is not hindered */
	pools_refuse = false;
	edition_reload(&w->s, answered, w);
	turn(w);
	assert_true(w->ok);
	expect_everywhere(w, 7);
}

static void changes_come_one_after_the_other_and_none_is_lost(void **state)
{
	struct world *w = (struct world *)*state;

	edition_set(&w->s, "default_pool_size", "9", answered, w);
	edition_set(&w->s, "min_pool_size", "2", answered, w);
	turn(w);
	assert_int_equal(w->n_answers, 2);
	assert_true(w->ok);
	assert_int_equal(w->s.config->settings.min_pool_size, 2);
	expect_everywhere(w, 9);
}

static void a_setting_that_is_wrong_changes_nothing(void **state)
{
	struct world *w = (struct world *)*state;

	edition_set(&w->s, "default_pool_size", "many", answered, w);
	turn(w);
	assert_false(w->ok);
	assert_string_equal(w->error, "SET failed");
	assert_string_equal(w->sqlstate, "");
	assert_non_null(strstr(w->detail, "many"));
	expect_everywhere(w, 5);
}

static void what_needs_a_restart_is_said(void **state)
{
	struct world *w = (struct world *)*state;

	edition_set(&w->s, "listen_port", "7", answered, w);
	turn(w);
	assert_true(w->ok);
	assert_non_null(strstr(w->notice, "listen_port"));
	assert_int_equal(w->s.config->settings.listen_port, 6432);
	write_file(w, "default_pool_size = 5\nlisten_backlog = 3");
	edition_reload(&w->s, answered, w);
	turn(w);
	assert_true(w->ok);
	assert_non_null(strstr(w->notice, "listen_backlog"));
	assert_int_equal(w->s.config->settings.listen_backlog, 128);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_reload_reaches_workers_pools_and_main, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_reload_reads_the_environment_where_that_is_the_source, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_file_that_is_refused_reaches_nobody, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_log_file_that_cannot_be_opened_refuses_the_whole, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(without_memory_for_the_pools_the_workers_take_the_old_one_back, set_up,
	                                    tear_down),
	    cmocka_unit_test_setup_teardown(changes_come_one_after_the_other_and_none_is_lost, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_setting_that_is_wrong_changes_nothing, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_needs_a_restart_is_said, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
