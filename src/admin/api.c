/*
 * /api/…: what SHOW shows as JSON, made of the same rows, and a few things that only watchers ask for. Main thread.
 *
 *   /api/         what there is
 *   /api/NAME     {"topic": NAME, "at": milliseconds since 1970, "rows": [{column: value}, …]}
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "admin/history.h"
#include "admin/overview.h"
#include "admin/routes.h"
#include "admin/rows_json.h"
#include "admin/terminal.h"
#include "admin/view.h"
#include "base/clock.h"
#include "base/json.h"
#include "conf/error.h"
#include "net/loop.h"

#define BASE "/api/"
#define ANSWER_MAX_BYTES ((size_t)256 << 20)
#define NAME_BYTES 40u
#define HISTORY "history"
#define HISTORY_DOC "Rates, mean times and counts of the last 15 minutes, every 5 seconds."

static const struct topic outages_topic = {
    "outages", 0, outages_columns, NULL, show_outages, "What is wrong now: what clients are told, and what to do."};
static const struct topic usage_topic = {
    "usage", 0,          usage_columns,
    NULL,    show_usage, "Pools with their sizes, their servers at work and idle, and who waits."};

/* Beside those that SHOW shows, history apart. */
static const struct topic *const further[] = {&overview_topic, &outages_topic, &usage_topic};
#define N_FURTHER (sizeof(further) / sizeof(further[0]))

/* HELP is no table. */
static bool has_rows(const struct topic *t)
{
	return t->columns != NULL && t->columns[0].name != NULL;
}

static const struct topic *find_topic(const char *name)
{
	const struct topic *t = topic_find(name);

	for (size_t i = 0; i < N_FURTHER; i++) {
		if (strcmp(further[i]->name, name) == 0)
			return further[i];
	}
	return t != NULL && has_rows(t) ? t : NULL;
}

/* ---- answers ---- */

/* `out` is freed. */
static void answer_json(struct http_request *r, int status, struct str *out)
{
	str_add_char(out, '\n');
	if (out->failed)
		http_answer_text(r, 503, "out of memory\n");
	else
		http_answer(r, status, "application/json", out->data, out->len);
	str_fini(out);
}

static void add_lower(struct str *out, const char *name)
{
	for (; *name != '\0'; name++)
		str_add_char(out, (char)(*name >= 'A' && *name <= 'Z' ? *name - 'A' + 'a' : *name));
}

static void begin_answer(struct str *out, const char *topic, uint64_t wall_us)
{
	str_init(out, ANSWER_MAX_BYTES);
	str_add_str(out, "{\"topic\":\"");
	add_lower(out, topic);
	str_printf(out, "\",\"at\":%llu", wall_us / US_PER_MS);
}

static void write_rows(struct web *w, struct http_request *r, struct view *v)
{
	struct str out;

	(void)w;
	begin_answer(&out, v->topic->name, v->wall_offset_us + loop_now_us(v->console->control->loop));
	str_add_str(&out, ",\"rows\":");
	if (!rows_write_json(&out, v->topic->columns, &v->out))
		out.failed = true;
	str_add_char(&out, '}');
	answer_json(r, 200, &out);
}

static void write_object(struct web *w, struct http_request *r, struct view *v)
{
	(void)w;
	answer_json(r, 200, &v->out);
}

static void answer_history(struct web *w, struct http_request *r)
{
	uint64_t now_us = loop_now_us(web_control(w)->loop);
	const struct console *c = web_console(w);
	struct str out;

	begin_answer(&out, HISTORY, clock_wall_us());
	str_add_str(&out, ",\"history\":");
	history_write(c == NULL ? NULL : c->history, now_us, &out);
	str_add_char(&out, '}');
	answer_json(r, 200, &out);
}

static void add_entry(struct str *out, const char *name, const char *doc)
{
	str_add_str(out, "{\"topic\":\"");
	add_lower(out, name);
	str_add_str(out, "\",\"path\":\"" BASE);
	add_lower(out, name);
	str_add_str(out, "\",\"doc\":");
	json_text(out, doc);
	str_add_char(out, '}');
}

static void answer_index(struct http_request *r)
{
	struct str out;

	begin_answer(&out, "", clock_wall_us());
	str_add_str(&out, ",\"topics\":[");
	for (size_t i = 0; i < N_FURTHER; i++) {
		add_entry(&out, further[i]->name, further[i]->doc);
		str_add_char(&out, ',');
	}
	add_entry(&out, HISTORY, HISTORY_DOC);
	for (const struct topic *t = topics; t->name != NULL; t++) {
		if (!has_rows(t))
			continue;
		str_add_char(&out, ',');
		add_entry(&out, t->name, t->doc);
	}
	str_add_str(&out, "]}");
	answer_json(r, 200, &out);
}

/* The name of something that there is, in small letters; false: there are no more. */
static bool name_at(size_t i, char name[NAME_BYTES])
{
	size_t n = 0;

	if (i < N_FURTHER)
		return snprintf(name, NAME_BYTES, "%s", further[i]->name) > 0;
	if (i == N_FURTHER)
		return snprintf(name, NAME_BYTES, "%s", HISTORY) > 0;
	for (const struct topic *t = topics; t->name != NULL; t++) {
		if (!has_rows(t) || n++ != i - N_FURTHER - 1)
			continue;
		for (size_t at = 0; at < NAME_BYTES && (name[at] = (char)tolower(t->name[at])) != '\0'; at++)
			;
		return true;
	}
	return false;
}

/* "" if none is near. */
static void find_nearest(const char *wanted, char best[NAME_BYTES])
{
	struct conf_nearest nearest;
	char name[NAME_BYTES];

	best[0] = '\0';
	conf_nearest_init(&nearest, wanted);
	for (size_t i = 0; name_at(i, name); i++) {
		conf_nearest_try(&nearest, name);
		if (nearest.best == name)
			memcpy(best, name, NAME_BYTES);
		nearest.best = NULL;
	}
}

static void answer_not_found(struct http_request *r, const char *wanted)
{
	char best[NAME_BYTES];
	struct str out, text;

	find_nearest(wanted, best);
	str_init(&text, 1000);
	str_printf(&text, "there is no \"%.100s\"", wanted);
	str_init(&out, 4000);
	str_add_str(&out, "{\"error\":");
	json_text(&out, str_text(&text));
	str_clear(&text);
	if (best[0] != '\0')
		str_printf(&text, "Perhaps " BASE "%s is meant. ", best);
	str_add_str(&text, BASE " lists what there is.");
	str_add_str(&out, ",\"hint\":");
	json_text(&out, str_text(&text));
	str_add_char(&out, '}');
	out.failed |= text.failed;
	str_fini(&text);
	answer_json(r, 404, &out);
}

void route_api(struct web *w, struct http_request *r)
{
	const char *path = http_path(r), *name = strlen(path) < strlen(BASE) ? "" : path + strlen(BASE);
	const struct topic *topic = find_topic(name);

	if (name[0] == '\0')
		answer_index(r);
	else if (strcmp(name, HISTORY) == 0)
		answer_history(w, r);
	else if (topic == NULL)
		answer_not_found(r, name);
	else
		web_show(w, r, topic, topic->columns == NULL ? write_object : write_rows);
}
