/* Actions: who is answered when, who is forgotten, what happens without memory. Workers are played by this file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "failing_mem.h"
#include "main/action.h"
#include "main/supervisor.h"

/* ---- the others ---- */

static struct visit *visiting;

void supervisor_flush(struct supervisor *s)
{
	(void)s;
}

void visit_start(struct office *o, struct visit *v)
{
	(void)o;
	assert_null(visiting);
	visiting = v;
}

static void visit_returns(void)
{
	struct visit *v = visiting;

	visiting = NULL;
	v->run(v, NULL);
	v->done(v);
}

/* ---- an asker and a kind of action ---- */

struct asker {
	struct supervisor *s;
	int n_answers;
	bool ok;
	char error[64], detail[64], sqlstate[8];
	struct asker *forgets; /* in its answer */
	bool asks_again;
};

static void answered(void *arg, const struct control_reply *reply);

static bool may_finish;
static int n_looks, n_visits, n_forgotten, n_canceled, n_finis;

static void look(struct action *a)
{
	n_looks++;
	if (may_finish)
		action_succeed(a);
}

static void visit(struct action *a, struct worker *w)
{
	(void)a;
	(void)w;
	n_visits++;
}

static void visited(struct action *a)
{
	action_fail(a, "%s failed", a->database);
	str_add_str(&a->detail, "after a visit");
	a->sqlstate = "F0000";
}

static void forgotten(struct action *a, bool canceled)
{
	n_forgotten++;
	n_canceled += canceled;
	action_succeed(a);
}

static void fini(struct action *a)
{
	(void)a;
	n_finis++;
}

static const struct action_kind kind = {look, visit, visited, forgotten, fini};

static void ask(struct asker *k)
{
	struct action *a = (struct action *)action_new(k->s, sizeof(*a), &kind, "db", answered, k);

	(void)a;
}

static void answered(void *arg, const struct control_reply *reply)
{
	struct asker *k = (struct asker *)arg;

	k->n_answers++;
	k->ok = reply->ok;
	snprintf(k->error, sizeof(k->error), "%s", reply->error == NULL ? "" : reply->error);
	snprintf(k->detail, sizeof(k->detail), "%s", reply->detail == NULL ? "" : reply->detail);
	snprintf(k->sqlstate, sizeof(k->sqlstate), "%s", reply->sqlstate == NULL ? "" : reply->sqlstate);
	if (k->forgets != NULL)
		actions_forget(k->s, k->forgets, false);
	if (k->asks_again) {
		k->asks_again = false;
		ask(k);
	}
}

static int set_up(void **state)
{
	static struct supervisor s;

	memset(&s, 0, sizeof(s));
	list_init(&s.actions);
	visiting = NULL;
	may_finish = false;
	n_looks = n_visits = n_forgotten = n_canceled = n_finis = 0;
	mem_until_failure = 0;
	*state = &s;
	return 0;
}

static int tear_down(void **state)
{
	actions_free((struct supervisor *)*state);
	return mem_blocks == 0 ? 0 : -1;
}

/* ---- tests ---- */

static void nobody_is_answered_inside_the_question(void **state)
{
	struct supervisor *s = (struct supervisor *)*state;
	struct asker k = {.s = s};

	may_finish = true;
	ask(&k);
	assert_int_equal(k.n_answers, 0);
	assert_true(actions_step(s));
	assert_int_equal(k.n_answers, 1);
	assert_true(k.ok);
	assert_int_equal(n_finis, 1);
	assert_false(actions_step(s));
	assert_int_equal(k.n_answers, 1);
}

static void an_action_is_looked_at_until_it_is_finished(void **state)
{
	struct supervisor *s = (struct supervisor *)*state;
	struct asker k = {.s = s};

	ask(&k);
	assert_false(actions_step(s));
	assert_false(actions_step(s));
	assert_int_equal(n_looks, 2);
	assert_int_equal(k.n_answers, 0);
	may_finish = true;
	assert_true(actions_step(s));
	assert_int_equal(k.n_answers, 1);
}

static void an_action_is_left_alone_while_its_visit_is_under_way(void **state)
{
	struct supervisor *s = (struct supervisor *)*state;
	struct asker k = {.s = s};

	ask(&k);
	action_visit(container_of(list_first(&s->actions), struct action, node));
	assert_false(actions_step(s));
	assert_int_equal(n_looks, 0);
	visit_returns();
	assert_int_equal(n_visits, 1);
	assert_int_equal(k.n_answers, 0);
	assert_true(actions_step(s));
	assert_int_equal(k.n_answers, 1);
	assert_false(k.ok);
	assert_string_equal(k.error, "db failed");
	assert_string_equal(k.detail, "after a visit");
	assert_string_equal(k.sqlstate, "F0000");
}

static void who_is_forgotten_is_not_answered(void **state)
{
	struct supervisor *s = (struct supervisor *)*state;
	struct asker one = {.s = s}, two = {.s = s};

	ask(&one);
	ask(&two);
	actions_forget(s, &one, true);
	assert_int_equal(n_forgotten, 1);
	assert_int_equal(n_canceled, 1);
	may_finish = true;
	assert_true(actions_step(s));
	assert_int_equal(one.n_answers, 0);
	assert_int_equal(two.n_answers, 1);
	assert_int_equal(n_finis, 2);
}

static void an_answer_may_forget_another_asker(void **state)
{
	struct supervisor *s = (struct supervisor *)*state;
	struct asker two = {.s = s}, one = {.s = s, .forgets = &two};

	ask(&one);
	ask(&two);
	may_finish = true;
	assert_true(actions_step(s));
	assert_int_equal(one.n_answers, 1);
	assert_int_equal(two.n_answers, 0);
	assert_int_equal(n_finis, 2);
}

static void what_an_answer_asks_for_waits_for_the_next_step(void **state)
{
	struct supervisor *s = (struct supervisor *)*state;
	struct asker k = {.s = s, .asks_again = true};

	ask(&k);
	may_finish = true;
	assert_true(actions_step(s));
	assert_int_equal(k.n_answers, 1);
	assert_true(actions_step(s));
	assert_int_equal(k.n_answers, 2);
}

static void without_memory_the_asker_is_told(void **state)
{
	struct supervisor *s = (struct supervisor *)*state;
	struct asker one = {.s = s}, two = {.s = s};

	for (size_t n = 1; n <= 2; n++) {
		one.n_answers = two.n_answers = 0;
		mem_until_failure = n;
		ask(&one);
		mem_until_failure = n;
		ask(&two);
		mem_until_failure = 0;
		assert_true(list_is_empty(&s->actions));
		assert_int_equal(one.n_answers, 0);
		actions_forget(s, &two, false);
		assert_true(actions_step(s));
		assert_int_equal(one.n_answers, 1);
		assert_false(one.ok);
		assert_string_equal(one.error, "no mem");
		assert_int_equal(two.n_answers, 0);
	}
}

static void at_the_end_nothing_is_carried_on(void **state)
{
	struct supervisor *s = (struct supervisor *)*state;
	struct asker one = {.s = s}, two = {.s = s};

	ask(&one);
	ask(&two);
	action_visit(container_of(list_first(&s->actions), struct action, node));
	may_finish = true;
	s->shutdown.stage = STAGE_ENDING;
	visit_returns();
	assert_false(actions_step(s));
	actions_free(s);
	assert_int_equal(one.n_answers + two.n_answers, 0);
	assert_int_equal(n_finis, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(nobody_is_answered_inside_the_question, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_action_is_looked_at_until_it_is_finished, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_action_is_left_alone_while_its_visit_is_under_way, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(who_is_forgotten_is_not_answered, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_answer_may_forget_another_asker, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_an_answer_asks_for_waits_for_the_next_step, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(without_memory_the_asker_is_told, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(at_the_end_nothing_is_carried_on, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
