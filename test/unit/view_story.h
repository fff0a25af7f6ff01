/* What a topic that the console cannot show has in v->out. */
#ifndef TEST_VIEW_STORY_H
#define TEST_VIEW_STORY_H

#include "console_bench.h"

#include "admin/view.h"

struct view_story {
	struct str text; /* rows as bench_tell has them; for topics without columns what they have written */
	bool done, failed;
};

static inline void view_told(void *asker, struct view *v)
{
	struct view_story *story = (struct view_story *)asker;

	story->done = true;
	story->failed = v->out.failed;
	if (v->out.failed)
		return;
	if (v->topic->columns == NULL)
		str_add(&story->text, v->out.data, v->out.len);
	for (size_t at = 0; v->topic->columns != NULL && at + 5 <= v->out.len;
	     at += bench_length(v->out.data + at + 1) + 1)
		bench_tell(&story->text, v->out.data + at);
}

static inline bool view_is_told(void *arg)
{
	return ((struct view_story *)arg)->done;
}

/* Runs it; the text is the story's, which was initialised. */
static inline const char *view_tell(struct bench *b, const struct topic *topic, struct view_story *story)
{
	struct view *under_way;

	str_clear(&story->text);
	story->done = false;
	assert_true(view_start(b->console, topic, view_told, story, &under_way));
	if (!story->done)
		assert_true(run_until(b->loop, view_is_told, story));
	assert_false(story->failed || story->text.failed);
	return str_text(&story->text);
}

#endif
