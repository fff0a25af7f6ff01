/* Letters find their reader, identifiers are never given twice. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "net/loop.h"
#include "net/mailbox.h"
#include "until.h"
#include "worker/office.h"

/* A loop with a mailbox that writes down which kinds of letters came. */
struct reader_of_letters {
	struct loop *loop;
	struct mailbox *box;
	uint8_t kinds[8];
	int n;
};

static void note(void *owner, struct letter *letter)
{
	struct reader_of_letters *r = (struct reader_of_letters *)owner;

	assert_in_range(r->n, 0, 7);
	r->kinds[r->n++] = letter->kind;
}

static void reader_open(struct reader_of_letters *r)
{
	r->n = 0;
	r->loop = loop_new();
	assert_non_null(r->loop);
	r->box = mailbox_new(r->loop, note, r);
	assert_non_null(r->box);
}

static void reader_close(struct reader_of_letters *r)
{
	mailbox_free(r->box);
	loop_free(r->loop);
}

static void letters_go_to_the_worker_or_main_that_they_name(void **state)
{
	struct reader_of_letters main_reader, worker[2];
	struct office *o = mem_new(struct office);
	struct letter letter[4] = {{.to = 1, .kind = LETTER_ARRIVE},
	                           {.to = TO_MAIN, .kind = LETTER_CONSOLE},
	                           {.to = 0, .kind = LETTER_JOIN},
	                           {.to = 1, .kind = LETTER_CANCEL}};
	struct letters letters;

	(void)state;
	assert_non_null(o);
	reader_open(&main_reader);
	reader_open(&worker[0]);
	reader_open(&worker[1]);
	o->main_box = main_reader.box;
	o->worker_box[0] = worker[0].box;
	o->worker_box[1] = worker[1].box;
	o->n_workers = 2;
	letters_init(&letters);
	letters_add(&letters, &letter[0]);
	letters_add(&letters, &letter[1]);
	letters_add(&letters, &letter[3]);
	office_post_all(o, &letters);
	office_post(o, &letter[2]);
	assert_null(letters_take(&letters));
	run_turns(main_reader.loop, 1);
	run_turns(worker[0].loop, 1);
	run_turns(worker[1].loop, 1);
	assert_int_equal(main_reader.n, 1);
	assert_int_equal(main_reader.kinds[0], LETTER_CONSOLE);
	assert_int_equal(worker[0].n, 1);
	assert_int_equal(worker[0].kinds[0], LETTER_JOIN);
	assert_int_equal(worker[1].n, 2);
	assert_int_equal(worker[1].kinds[0], LETTER_ARRIVE);
	assert_int_equal(worker[1].kinds[1], LETTER_CANCEL);
	reader_close(&main_reader);
	reader_close(&worker[0]);
	reader_close(&worker[1]);
	mem_free(o);
}

#define IDS 20000

static void *take_ids(void *arg)
{
	struct office *o = (struct office *)arg;
	uint64_t last = 0;

	for (int i = 0; i < IDS; i++) {
		uint64_t id = office_next_id(o);

		if (id <= last)
			return o;
		last = id;
	}
	return NULL;
}

static void identifiers_are_never_given_twice(void **state)
{
	struct office *o = mem_new(struct office);
	pthread_t threads[2];
	void *wrong;

	(void)state;
	assert_non_null(o);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_ids, o), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		assert_null(wrong);
	}
	assert_int_equal(office_next_id(o), 2 * IDS + 1);
	mem_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(letters_go_to_the_worker_or_main_that_they_name),
	    cmocka_unit_test(identifiers_are_never_given_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
