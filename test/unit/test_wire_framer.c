/* The framer: the same story whatever way the bytes arrive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "wire/framer.h"
#include "wire/message.h"

#define WHOLE_LIMIT 64u
#define MAX_MESSAGE 100000u

static void make_rules(struct frame_rules *rules)
{
	memset(rules, 0, sizeof(*rules));
	rules->whole_limit = WHOLE_LIMIT;
	rules->max_message = MAX_MESSAGE;
	rules->need['D'] = FRAME_FLOWS;
	rules->need['d'] = FRAME_FLOWS;
	rules->need['S'] = FRAME_WHOLE;
	rules->need['Z'] = FRAME_WHOLE;
}

/* What came out: "D(12):bytes" per message, then how it ended. */
static void tell_frame(struct str *story, const struct frame *frame)
{
	if (frame->starts) {
		assert_true(frame->len >= FRAME_HEADER_BYTES);
		assert_int_equal(frame->type, (uint8_t)frame->data[0]);
		str_printf(story, "%c(%u):", frame->type, frame->total);
	}
	for (size_t i = 0; i < frame->len; i++) {
		if (frame->data[i] >= ' ' && frame->data[i] <= '~')
			str_add_char(story, frame->data[i]);
		else
			str_printf(story, "\\%02x", (unsigned)(uint8_t)frame->data[i]);
	}
	if (frame->ends)
		str_add_str(story, "|");
}

static const char *ending(enum frame_result result)
{
	switch (result) {
	case FRAME_GOT:
		return "got";
	case FRAME_MORE:
		return "more";
	case FRAME_BAD_LENGTH:
		return "bad length";
	case FRAME_TOO_LARGE:
		return "too large";
	case FRAME_NOT_ALLOWED:
		return "not allowed";
	}
	return "?";
}

struct feed {
	struct framer framer;
	struct frame_rules rules;
	struct str held, story;
	enum frame_result last;
};

/* Gives the framer what was kept and `len` new bytes, and keeps what it leaves. */
static void feed_bytes(struct feed *f, const char *bytes, size_t len)
{
	struct frame frame;

	if (f->last != FRAME_MORE)
		return;
	str_add(&f->held, bytes, len);
	while (f->held.len > 0 &&
	       (f->last = framer_next(&f->framer, &f->rules, f->held.data, f->held.len, &frame)) == FRAME_GOT) {
		tell_frame(&f->story, &frame);
		if (frame.ends)
			assert_true(framer_at_boundary(&f->framer));
		str_cut_front(&f->held, frame.len);
	}
	if (f->last == FRAME_GOT)
		f->last = FRAME_MORE;
}

static void feed_init(struct feed *f)
{
	memset(f, 0, sizeof(*f));
	make_rules(&f->rules);
	str_init(&f->held, 1u << 20);
	str_init(&f->story, 1u << 20);
	f->last = FRAME_MORE;
}

/* The whole story when the bytes come in pieces: `first` bytes, then `step` at a time. Caller frees. */
static char *story_of(const char *bytes, size_t len, size_t first, size_t step)
{
	struct feed f;
	char *story;

	feed_init(&f);
	for (size_t at = 0, n = first; at < len; at += n, n = step) {
		if (n > len - at)
			n = len - at;
		feed_bytes(&f, bytes + at, n);
		if (n == 0)
			continue;
	}
	str_printf(&f.story, " %s%s", ending(f.last), framer_at_boundary(&f.framer) ? "" : " inside");
	assert_false(f.story.failed);
	story = str_take(&f.story);
	str_fini(&f.held);
	return story;
}

/* Every cut in two, and several equal steps, tell the same. */
static void check_all_splits(const char *bytes, size_t len, const char *expected)
{
	static const size_t steps[] = {1, 2, 3, 5, 7};
	char *whole = story_of(bytes, len, len, 1);

	if (expected != NULL)
		assert_string_equal(whole, expected);
	for (size_t cut = 1; cut <= len; cut++) {
		char *split = story_of(bytes, len, cut, len);

		assert_string_equal(split, whole);
		free(split);
	}
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		char *split = story_of(bytes, len, steps[i], steps[i]);

		assert_string_equal(split, whole);
		free(split);
	}
	free(whole);
}

static void add_message(struct str *out, char type, size_t body)
{
	size_t m = message_begin(out, type);

	for (size_t i = 0; i < body; i++)
		str_add_char(out, (char)('a' + i % 26));
	message_end(out, m);
}

static void long_mixed_story_is_the_same_at_every_split(void **state)
{
	static const size_t bodies[] = {0, 1, 59, 2, 300, 0, 58, 7, 0, 0, 123, 4, 59};
	static const char types[] = "SDZdDdSSZDdZS";
	struct str s;

	(void)state;
	str_init(&s, 1u << 20);
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		add_message(&s, types[i], bodies[i]);
	check_all_splits(s.data, s.len, NULL);
	/* and with a message that is not finished */
	check_all_splits(s.data, s.len - 3, NULL);
	check_all_splits(s.data, s.len - 62, NULL);
	str_fini(&s);
}

static void story_names_every_message_once(void **state)
{
	static const char bytes[] = "Z\0\0\0\5I"
	                            "D\0\0\0\6ab"
	                            "S\0\0\0\4"
	                            "D\0\0\0\6a";

	(void)state;
	check_all_splits(bytes, sizeof(bytes) - 1,
	                 "Z(6):Z\\00\\00\\00\\05I|D(7):D\\00\\00\\00\\06ab|S(5):S\\00\\00\\00\\04|"
	                 "D(7):D\\00\\00\\00\\06a more inside");
}

static enum frame_result first_result(const char *bytes, size_t len, struct framer *framer, struct frame *frame)
{
	struct frame_rules rules;
	char copy[16];

	assert_true(len <= sizeof(copy));
	memcpy(copy, bytes, len);
	memset(framer, 0, sizeof(*framer));
	make_rules(&rules);
	return framer_next(framer, &rules, copy, len, frame);
}

static void wrong_headers_are_told_apart(void **state)
{
	static const struct {
		const char *bytes;
		enum frame_result result;
	} cases[] = {
	    {"Z\0\0\0\0", FRAME_BAD_LENGTH},
	    {"Z\0\0\0\1", FRAME_BAD_LENGTH},
	    {"D\0\0\0\2", FRAME_BAD_LENGTH},
	    {"D\0\0\0\3", FRAME_BAD_LENGTH},
	    {"D\xff\xff\xff\xff", FRAME_BAD_LENGTH},
	    {"D\x80\0\0\0", FRAME_BAD_LENGTH},
	    {"D\x7f\xff\xff\xff", FRAME_TOO_LARGE},
	    {"D\0\1\x86\xa0", FRAME_TOO_LARGE},
	    {"D\0\1\x86\x9f", FRAME_GOT},
	    {"S\0\0\0\x40", FRAME_TOO_LARGE},
	    {"S\0\0\0\x3f", FRAME_MORE},
	    {"X\0\0\0\4", FRAME_NOT_ALLOWED},
	    {"\0\0\0\0\4", FRAME_NOT_ALLOWED},
	    {"S\0\0\0\4", FRAME_GOT},
	};
	struct framer framer;
	struct frame frame;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(first_result(cases[i].bytes, 5, &framer, &frame), cases[i].result);
		if (cases[i].result == FRAME_NOT_ALLOWED)
			assert_int_equal(frame.type, (uint8_t)cases[i].bytes[0]);
		check_all_splits(cases[i].bytes, 5, NULL);
	}
}

static void forbidden_type_is_refused_at_its_first_byte(void **state)
{
	struct framer framer;
	struct frame frame;

	(void)state;
	assert_int_equal(first_result("X", 1, &framer, &frame), FRAME_NOT_ALLOWED);
	assert_int_equal(first_result("D", 1, &framer, &frame), FRAME_MORE);
	assert_int_equal(first_result("", 0, &framer, &frame), FRAME_MORE);
}

static void trouble_behind_good_messages_is_seen_at_every_split(void **state)
{
	static const char *const tails[] = {"Z\0\0\0\3", "S\0\0\1\0", "X\0\0\0\4", "D\x7f\xff\xff\xff"};
	struct str s;

	(void)state;
	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		str_init(&s, 1u << 20);
		add_message(&s, 'D', 9);
		add_message(&s, 'S', 5);
		str_add(&s, tails[i], 5);
		check_all_splits(s.data, s.len, NULL);
		str_fini(&s);
	}
}

static void whole_message_at_the_limit_passes_and_one_more_does_not(void **state)
{
	struct framer framer = {0, 0};
	struct frame_rules rules;
	struct frame frame;
	struct str s;

	(void)state;
	make_rules(&rules);
	str_init(&s, 1000);
	add_message(&s, 'S', WHOLE_LIMIT - FRAME_HEADER_BYTES);
	assert_int_equal(framer_next(&framer, &rules, s.data, s.len - 1, &frame), FRAME_MORE);
	assert_int_equal(framer_next(&framer, &rules, s.data, s.len, &frame), FRAME_GOT);
	assert_true(frame.starts && frame.ends && frame.total == WHOLE_LIMIT && frame.len == WHOLE_LIMIT);
	str_clear(&s);
	add_message(&s, 'S', WHOLE_LIMIT - FRAME_HEADER_BYTES + 1);
	assert_int_equal(framer_next(&framer, &rules, s.data, s.len, &frame), FRAME_TOO_LARGE);
	str_fini(&s);
}

static void flowing_message_comes_in_pieces_without_copying(void **state)
{
	struct framer framer = {0, 0};
	struct frame_rules rules;
	struct frame frame;
	char first[] = "D\0\0\0\x0a"
	               "ab",
	     second[] = "cdefZ";

	(void)state;
	make_rules(&rules);
	assert_int_equal(framer_next(&framer, &rules, first, 7, &frame), FRAME_GOT);
	assert_true(frame.starts && !frame.ends && frame.data == first && frame.len == 7 && frame.total == 11);
	assert_false(framer_at_boundary(&framer));
	assert_int_equal(framer_next(&framer, &rules, second, 0, &frame), FRAME_MORE);
	assert_int_equal(framer_next(&framer, &rules, second, 5, &frame), FRAME_GOT);
	assert_true(!frame.starts && frame.ends && frame.data == second && frame.len == 4 && frame.type == 'D');
	assert_true(framer_at_boundary(&framer));
}

static void a_request_is_found_at_every_length(void **state)
{
#define EMPTY "\0\0\0\4"
	static const struct {
		const char *bytes;
		size_t len, request;
	} cases[] = {
	    {"Q\0\0\0\6a", 7, 7},                              /* one query */
	    {"Q\0\0\0\6a\0Q\0\0\0\6b", 14, 7},                 /* two */
	    {"F" EMPTY, 5, 5},                                 /* a function call */
	    {"P" EMPTY "B" EMPTY "E" EMPTY "S" EMPTY, 20, 20}, /* up to a Sync */
	    {"S" EMPTY "S" EMPTY, 10, 5},
	    {"P" EMPTY "Q" EMPTY, 10, 0}, /* a query in the middle of that */
	    {"P" EMPTY "d" EMPTY "S" EMPTY, 15, 0},
	    {"X" EMPTY, 5, 0},
	    {"Q\0\0\0\3", 5, 0},
	    {"Q\377\377\377\377", 5, 0},
	    {"P" EMPTY "D" EMPTY, 10, 0}, /* no end in sight */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t len = 0; len <= cases[i].len; len++)
			assert_int_equal(framer_request_bytes(cases[i].bytes, len),
			                 cases[i].request != 0 && len >= cases[i].request ? cases[i].request : 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(long_mixed_story_is_the_same_at_every_split),
	    cmocka_unit_test(story_names_every_message_once),
	    cmocka_unit_test(wrong_headers_are_told_apart),
	    cmocka_unit_test(forbidden_type_is_refused_at_its_first_byte),
	    cmocka_unit_test(trouble_behind_good_messages_is_seen_at_every_split),
	    cmocka_unit_test(whole_message_at_the_limit_passes_and_one_more_does_not),
	    cmocka_unit_test(a_request_is_found_at_every_length),
	    cmocka_unit_test(flowing_message_comes_in_pieces_without_copying),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
