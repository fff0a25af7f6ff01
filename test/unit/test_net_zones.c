/* Zones and their serials; the name servers are played by this file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "failing_mem.h"
#include "net/question.h"
#include "net/zones.h"
#include "until.h"

/* ---- name servers ---- */

static struct question {
	char name[64];
	question_done *done;
	void *asker;
} under_way[4];
static int n_asked;

bool question_is_possible(void)
{
	return true;
}

const char *question_backend(char *buf, size_t size)
{
	snprintf(buf, size, "test");
	return buf;
}

struct question *question_new(struct loop *l, const struct question_servers *servers, enum question_kind kind,
                              const char *name, question_done *done, void *asker)
{
	(void)l;
	(void)servers;
	assert_int_equal(kind, QUESTION_SERIAL);
	n_asked++;
	for (size_t i = 0; i < sizeof(under_way) / sizeof(under_way[0]); i++) {
		struct question *q = &under_way[i];

		if (q->done != NULL)
			continue;
		snprintf(q->name, sizeof(q->name), "%s", name);
		q->done = done;
		q->asker = asker;
		return q;
	}
	return NULL;
}

void question_free(struct question *q)
{
	if (q != NULL)
		q->done = NULL;
}

static void answer(const char *name, enum question_outcome outcome, uint32_t serial)
{
	struct question_result result = {.outcome = outcome, .serial = serial};

	for (size_t i = 0; i < sizeof(under_way) / sizeof(under_way[0]); i++) {
		question_done *done = under_way[i].done;

		if (done == NULL || strcmp(under_way[i].name, name) != 0)
			continue;
		under_way[i].done = NULL;
		done(under_way[i].asker, &result);
		return;
	}
	fail_msg("nobody asks for %s", name);
}

/* ---- the owner ---- */

static struct loop *loop;
static struct zones *zones;
static struct question_servers servers;
static char changes[128];

static void changed(void *owner, const struct zone *zone, uint32_t before, uint32_t now)
{
	size_t used = strlen(changes);

	assert_ptr_equal(owner, &loop);
	snprintf(changes + used, sizeof(changes) - used, "%s %u %u;", zone_name(zone), before, now);
}

static int set_up(void **state)
{
	(void)state;
	memset(under_way, 0, sizeof(under_way));
	n_asked = 0;
	changes[0] = '\0';
	loop = loop_new();
	zones = zones_new(loop, &servers, changed, &loop);
	return zones == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	zones_free(zones);
	loop_free(loop);
	return 0;
}

static void row(void *arg, const char *name, uint32_t serial, int n_names)
{
	char *all = (char *)arg;
	size_t used = strlen(all);

	snprintf(all + used, 128 - used, "%s %u %d;", name, serial, n_names);
}

static void names_share_the_zone_behind_their_first_dot(void **state)
{
	char all[128] = "";
	struct zone *a = zones_join(zones, "a.lab"), *b = zones_join(zones, "b.LAB"), *c = zones_join(zones, "c.b.lab");

	(void)state;
	assert_non_null(a);
	assert_ptr_equal(a, b);
	assert_null(zones_join(zones, "single"));
	assert_null(zones_join(zones, "single."));
	assert_int_equal(zones_count(zones), 2);
	zones_each(zones, row, all);
	assert_string_equal(all, "lab 0 2;b.lab 0 1;");
	zones_leave(a);
	zones_leave(c);
	zones_leave(NULL);
	assert_int_equal(zones_count(zones), 1);
	zones_leave(b);
	assert_int_equal(zones_count(zones), 0);
	assert_int_equal(n_asked, 0);
}

static bool is_asked_again(void *arg)
{
	return n_asked > *(int *)arg;
}

/* A period later. */
static void wait_for_question(void)
{
	int before = n_asked;

	assert_true(run_until(loop, is_asked_again, &before));
}

static void only_another_serial_is_a_change(void **state)
{
	struct zone *a = zones_join(zones, "a.lab");

	(void)state;
	zones_set_period(zones, 1);
	assert_int_equal(n_asked, 1);
	answer("lab", QUESTION_ANSWERED, 5);
	wait_for_question();
	answer("lab", QUESTION_REFUSED, 0);
	wait_for_question();
	answer("lab", QUESTION_ANSWERED, 5);
	assert_string_equal(changes, "");
	wait_for_question();
	answer("lab", QUESTION_ANSWERED, 4);
	assert_string_equal(changes, "lab 5 4;");
	zones_leave(a);
}

static void one_question_per_zone_is_under_way_and_taken_back_with_it(void **state)
{
	struct zone *a, *b;

	(void)state;
	zones_set_period(zones, 1);
	a = zones_join(zones, "a.lab");
	b = zones_join(zones, "a.other");
	assert_int_equal(n_asked, 2);
	run_turns(loop, 20);
	assert_int_equal(n_asked, 2);
	zones_leave(a);
	answer("other", QUESTION_ANSWERED, 1);
	zones_set_period(zones, 0);
	run_turns(loop, 20);
	assert_int_equal(n_asked, 2);
	zones_leave(b);
	assert_string_equal(changes, "");
}

static void without_memory_a_name_has_no_zone(void **state)
{
	(void)state;
	for (size_t i = 1; i <= 2; i++) {
		mem_until_failure = i;
		assert_null(zones_join(zones, "a.lab"));
	}
	mem_until_failure = 0;
	assert_int_equal(zones_count(zones), 0);
	for (size_t i = 1; i <= 2; i++) {
		mem_until_failure = i;
		assert_null(zones_new(loop, &servers, changed, NULL));
	}
	mem_until_failure = 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(names_share_the_zone_behind_their_first_dot),
	    TEST(only_another_serial_is_a_change),
	    TEST(one_question_per_zone_is_under_way_and_taken_back_with_it),
	    TEST(without_memory_a_name_has_no_zone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
