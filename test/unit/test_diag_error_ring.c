/* The ring behind SHOW ERRORS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diag/error_ring.h"
#include <cmocka.h>

static const struct error_note down = {.at_us = 10,
                                       .incident = "0badcafe",
                                       .class = "connection_refused",
                                       .database = "app",
                                       .user = "ann",
                                       .address = "10.0.0.5",
                                       .count = 2,
                                       .text = "no",
                                       .hint = "start it"};

static int begin(void **state)
{
	*state = error_ring_new();
	assert_non_null(*state);
	return 0;
}

static int end(void **state)
{
	error_ring_free((struct error_ring *)*state);
	return 0;
}

static void a_row_has_what_was_noted(void **state)
{
	struct error_ring *r = (struct error_ring *)*state;
	const struct error_row *row;

	assert_int_equal(error_ring_count(r), 0);
	error_ring_add(r, &down);
	assert_int_equal(error_ring_count(r), 1);
	row = error_ring_row(r, 0);
	assert_int_equal(row->first_us, 10);
	assert_int_equal(row->last_us, 10);
	assert_int_equal(row->count, 2);
	assert_string_equal(row->incident, "0badcafe");
	assert_string_equal(row->class, "connection_refused");
	assert_string_equal(row->database, "app");
	assert_string_equal(row->user, "ann");
	assert_string_equal(row->address, "10.0.0.5");
	assert_string_equal(row->text, "no");
	assert_string_equal(row->hint, "start it");
}

static void the_same_again_counts_up_and_brings_its_words(void **state)
{
	struct error_ring *r = (struct error_ring *)*state;
	struct error_note again = down;

	error_ring_add(r, &down);
	again.at_us = 20;
	again.text = "still no";
	again.hint = NULL;
	error_ring_add(r, &again);
	assert_int_equal(error_ring_count(r), 1);
	assert_int_equal(error_ring_row(r, 0)->count, 4);
	assert_int_equal(error_ring_row(r, 0)->first_us, 10);
	assert_int_equal(error_ring_row(r, 0)->last_us, 20);
	assert_string_equal(error_ring_row(r, 0)->text, "still no");
	assert_string_equal(error_ring_row(r, 0)->hint, "");
	again.text = NULL; /* further clients, nothing new to say */
	again.hint = "x";
	error_ring_add(r, &again);
	assert_int_equal(error_ring_row(r, 0)->count, 6);
	assert_string_equal(error_ring_row(r, 0)->text, "still no");
	assert_string_equal(error_ring_row(r, 0)->hint, "");
}

static void anything_else_is_another_row(void **state)
{
	struct error_ring *r = (struct error_ring *)*state;
	struct error_note others[5] = {down, down, down, down, down};

	others[0].incident = "1badcafe";
	others[1].class = "timeout";
	others[2].database = "other";
	others[3].user = "bob";
	others[4].address = NULL;
	error_ring_add(r, &down);
	for (int i = 0; i < 5; i++)
		error_ring_add(r, &others[i]);
	assert_int_equal(error_ring_count(r), 6);
	assert_string_equal(error_ring_row(r, 0)->address, "");
	assert_string_equal(error_ring_row(r, 1)->user, "bob");
	assert_string_equal(error_ring_row(r, 5)->incident, "0badcafe");
}

static void the_oldest_rows_make_room(void **state)
{
	struct error_ring *r = (struct error_ring *)*state;
	struct error_note n = down;
	char user[16];

	n.user = user;
	for (unsigned i = 0; i < ERROR_RING_ROWS + 10; i++) {
		snprintf(user, sizeof(user), "user%u", i);
		error_ring_add(r, &n);
	}
	assert_int_equal(error_ring_count(r), ERROR_RING_ROWS);
	assert_string_equal(error_ring_row(r, 0)->user, "user265");
	assert_string_equal(error_ring_row(r, ERROR_RING_ROWS - 1)->user, "user10");
}

static void rows_are_printable_and_bounded(void **state)
{
	struct error_ring *r = (struct error_ring *)*state;
	struct error_note n = {.class = "x", .count = 1};
	static char big[10001];

	memset(big, 'x', 10000);
	big[1] = '\n';
	big[2] = '\x1b';
	n.database = n.user = n.address = n.text = n.hint = n.incident = big;
	error_ring_add(r, &n);
	assert_memory_equal(error_ring_row(r, 0)->text, "x ?xx", 5);
	assert_int_equal(strlen(error_ring_row(r, 0)->text), sizeof(error_ring_row(r, 0)->text) - 1);
	assert_string_equal(error_ring_row(r, 0)->incident, "x ?xxxxx...");
	error_ring_add(r, &n); /* what was cut is still the same */
	assert_int_equal(error_ring_count(r), 1);
}

static void hints_keep_their_lines(void **state)
{
	struct error_ring *r = (struct error_ring *)*state;
	struct error_note n = down;

	n.text = "one\ntwo";
	n.hint = "Add:\nhost\tall\nThen reload.";
	error_ring_add(r, &n);
	assert_string_equal(error_ring_row(r, 0)->text, "one two");
	assert_string_equal(error_ring_row(r, 0)->hint, "Add:\nhost all\nThen reload.");
	n.hint = "Add:\n\xff\xe2\x80\xa8\n"; /* what changes its length becomes one line */
	error_ring_add(r, &n);
	assert_string_equal(error_ring_row(r, 0)->hint, "Add: ?  ");
}

static void no_ring_has_no_rows(void **state)
{
	(void)state;
	assert_int_equal(error_ring_count(NULL), 0);
	error_ring_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static void note_of(struct error_ring *r, const char *class, uint64_t count, const char *text)
{
	struct error_note note = down;

	note.class = class;
	note.count = count;
	note.text = text;
	error_ring_add(r, &note);
}

static void classes_are_counted_from_the_beginning(void **state)
{
	struct error_ring *r = (struct error_ring *)*state;

	assert_int_equal(error_ring_count_classes(NULL), 0);
	assert_int_equal(error_ring_count_classes(r), 0);
	note_of(r, "first", 2, "no");
	note_of(r, "second", 0, "no");
	note_of(r, "first", 5, NULL); /* clients alone: what they were told is known */
	for (unsigned i = 0; i < 2 * ERROR_RING_ROWS; i++) {
		char class[16];

		snprintf(class, sizeof(class), "third%u", i % 3);
		note_of(r, class, 1, "no");
	}
	assert_int_equal(error_ring_count_classes(r), 5);
	assert_string_equal(error_ring_class(r, 0)->class, "first");
	assert_int_equal(error_ring_class(r, 0)->n_failures, 1);
	assert_int_equal(error_ring_class(r, 0)->n_clients, 7);
	assert_string_equal(error_ring_class(r, 1)->class, "second");
	assert_int_equal(error_ring_class(r, 1)->n_failures, 1);
	assert_int_equal(error_ring_class(r, 1)->n_clients, 0);
	assert_int_equal(error_ring_class(r, 2)->n_failures, 2 * ERROR_RING_ROWS / 3 + 1);
}

static void there_is_room_for_so_many_classes(void **state)
{
	struct error_ring *r = (struct error_ring *)*state;

	for (unsigned i = 0; i < 2 * ERROR_RING_CLASSES; i++) {
		char class[16];

		snprintf(class, sizeof(class), "c%u", i);
		note_of(r, class, 1, "no");
	}
	assert_int_equal(error_ring_count_classes(r), ERROR_RING_CLASSES);
	note_of(r, "c0", 1, "no");
	assert_int_equal(error_ring_class(r, 0)->n_failures, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_row_has_what_was_noted),          TEST(the_same_again_counts_up_and_brings_its_words),
	    TEST(anything_else_is_another_row),      TEST(the_oldest_rows_make_room),
	    TEST(rows_are_printable_and_bounded),    TEST(hints_keep_their_lines),
	    cmocka_unit_test(no_ring_has_no_rows),   TEST(classes_are_counted_from_the_beginning),
	    TEST(there_is_room_for_so_many_classes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
