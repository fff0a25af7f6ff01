/* Regular expressions of rule files. Any thread. */
#include "auth/pattern.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#ifdef HAVE_PCRE2
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/mem.h"

/* Far more than a sensible expression needs for a name of 127 bytes; some milliseconds. */
#define MOST_STEPS 100000u
#define MOST_HEAP_KB 1024u

struct pattern {
	pcre2_general_context *memory;
	pcre2_code *code;
	pcre2_match_context *limits;
	uint32_t groups;
};

static void *take_memory(size_t size, void *data)
{
	(void)data;
	return mem_alloc(size);
}

static void give_memory(void *block, void *data)
{
	(void)data;
	mem_free(block);
}

void pattern_free(struct pattern *p)
{
	if (p == NULL)
		return;
	pcre2_match_context_free(p->limits);
	pcre2_code_free(p->code);
	pcre2_general_context_free(p->memory);
	mem_free(p);
}

static bool compile(struct pattern *p, const char *text, char why[PATTERN_WHY_BYTES])
{
	PCRE2_SIZE at = 0;
	PCRE2_UCHAR reason[120];
	int error = 0;
	pcre2_compile_context *context = pcre2_compile_context_create(p->memory);

	if (context != NULL)
		p->code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, PCRE2_NEVER_BACKSLASH_C, &error, &at,
		                        context);
	pcre2_compile_context_free(context);
	if (p->code != NULL)
		return true;
	if (error == 0 || error == PCRE2_ERROR_HEAP_FAILED ||
	    pcre2_get_error_message(error, reason, sizeof(reason)) < 0)
		snprintf(why, PATTERN_WHY_BYTES, "out of memory");
	else
		snprintf(why, PATTERN_WHY_BYTES, "%s at byte %zu", (const char *)reason, at + 1);
	return false;
}

struct pattern *pattern_new(const char *text, char why[PATTERN_WHY_BYTES])
{
	struct pattern *p = mem_new(struct pattern);

	snprintf(why, PATTERN_WHY_BYTES, "out of memory");
	if (p == NULL)
		return NULL;
	p->memory = pcre2_general_context_create(take_memory, give_memory, NULL);
	p->limits = p->memory == NULL ? NULL : pcre2_match_context_create(p->memory);
	if (p->limits == NULL || !compile(p, text, why)) {
		pattern_free(p);
		return NULL;
	}
	(void)pcre2_set_match_limit(p->limits, MOST_STEPS);
	(void)pcre2_set_heap_limit(p->limits, MOST_HEAP_KB);
	(void)pcre2_pattern_info(p->code, PCRE2_INFO_CAPTURECOUNT, &p->groups);
	return p;
}

unsigned pattern_groups(const struct pattern *p)
{
	return p->groups;
}

static void take_first(pcre2_match_data *match, const struct pattern *p, struct pattern_group *first)
{
	const PCRE2_SIZE *found = pcre2_get_ovector_pointer(match);

	*first = (struct pattern_group){0, 0};
	if (p->groups > 0 && found[2] != PCRE2_UNSET)
		*first = (struct pattern_group){found[2], found[3]};
}

enum pattern_result pattern_match(const struct pattern *p, const char *text, struct pattern_group *first)
{
	pcre2_match_data *match = pcre2_match_data_create_from_pattern(p->code, p->memory);
	int n;

	if (match == NULL)
		return PATTERN_FAILED;
	n = pcre2_match(p->code, (PCRE2_SPTR)text, strlen(text), 0, 0, match, p->limits);
	if (n > 0 && first != NULL)
		take_first(match, p, first);
	pcre2_match_data_free(match);
	if (n > 0)
		return PATTERN_MATCHES;
	return n == PCRE2_ERROR_NOMATCH ? PATTERN_DIFFERS : PATTERN_FAILED;
}

#else

struct pattern *pattern_new(const char *text, char why[PATTERN_WHY_BYTES])
{
	(void)text;
	snprintf(why, PATTERN_WHY_BYTES, "this build has no PCRE2, which regular expressions need");
	return NULL;
}

void pattern_free(struct pattern *p)
{
	(void)p;
}

unsigned pattern_groups(const struct pattern *p)
{
	(void)p;
	return 0;
}

enum pattern_result pattern_match(const struct pattern *p, const char *text, struct pattern_group *first)
{
	(void)p;
	(void)text;
	(void)first;
	return PATTERN_FAILED;
}

#endif
