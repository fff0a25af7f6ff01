/* For tests of `pgweir check`: configurations that exist only in memory, and looking through findings. */
#ifndef TEST_CHECK_BENCH_H
#define TEST_CHECK_BENCH_H

#include "configured.h"
#include "main/check_finding.h"

/* All findings, a line each: "severity step: what". */
static inline void story_of(const struct findings *f, struct str *out)
{
	const struct list *node;

	list_each (node, &f->list) {
		const struct finding *n = container_of_const(node, struct finding, node);

		str_printf(out, "%s %s: %s\n", severity_name(n->severity), n->step, str_text(&n->what));
	}
}

static inline void assert_story(const struct findings *f, const char *story)
{
	struct str text;

	str_init(&text, 65536);
	story_of(f, &text);
	assert_string_equal(str_text(&text), story);
	str_fini(&text);
}

#endif
