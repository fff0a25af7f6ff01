/* From a request to its handler: which path, who may, and views that workers are asked for. Main thread. */
#include "admin/web.h"

#include <string.h>

#include "admin/console.h"
#include "admin/gate.h"
#include "admin/health.h"
#include "admin/routes.h"
#include "admin/view.h"
#include "base/list.h"
#include "base/mem.h"

#define MAX_VIEWS 4u /* under way at a time: each visits all workers */

/* A request that waits for a view. */
struct question {
	struct list node; /* in web->waiting, in web->asked, or among the sharers of one that is asked */
	struct web *web;
	struct http_request *request;
	const struct topic *topic;
	web_write *write;
	struct list sharers; /* whom its view answers, too */
	struct view *view;   /* under way; NULL: none */
};

/* Owned by one thread: main. */
struct web {
	const struct control *control;
	struct console *console;
	struct http *http;
	struct gate gate;
	struct health health;
	struct list waiting, asked;
};

/* ---- views ---- */

static void say_unavailable(struct http_request *r)
{
	http_set_header(r, "Retry-After", "1");
	http_answer_text(r, 503, "not available now\n");
}

/* With all that share its view. NULL: there is none. */
static void question_answer(struct question *q, struct view *v)
{
	struct list *sharer;

	while ((sharer = list_first(&q->sharers)) != NULL)
		question_answer(container_of(sharer, struct question, node), v);
	if (v == NULL || v->out.failed)
		say_unavailable(q->request);
	else
		q->write(q->web, q->request, v);
	list_remove(&q->node);
	mem_free(q);
}

static void ask_next(struct web *w);

static void answered(void *asker, struct view *v)
{
	struct question *q = (struct question *)asker;
	struct web *w = q->web;

	question_answer(q, v);
	if (v->went_round)
		ask_next(w);
}

/* For all that wait for the same; who comes while it is under way waits for the next one, which is no older than its
 * request. */
static void ask(struct web *w, struct question *q)
{
	struct list *node, *after;

	list_remove(&q->node);
	list_add_tail(&w->asked, &q->node);
	list_each_safe (node, after, &w->waiting) {
		if (container_of(node, struct question, node)->topic != q->topic)
			continue;
		list_remove(node);
		list_add_tail(&q->sharers, node);
	}
	if (!view_start(w->console, q->topic, answered, q, &q->view))
		question_answer(q, NULL);
}

static bool is_asked(struct web *w, const struct topic *topic)
{
	struct list *node;

	list_each (node, &w->asked)
		if (container_of(node, struct question, node)->topic == topic)
			return true;
	return false;
}

/* The first that waits for something which is not under way; NULL: none. */
static struct question *next_question(struct web *w)
{
	struct list *node;

	list_each (node, &w->waiting) {
		struct question *q = container_of(node, struct question, node);

		if (!is_asked(w, q->topic))
			return q;
	}
	return NULL;
}

static void ask_next(struct web *w)
{
	struct question *q;

	while (list_count(&w->asked) < MAX_VIEWS && (q = next_question(w)) != NULL)
		ask(w, q);
}

void web_show(struct web *w, struct http_request *r, const struct topic *topic, web_write *write)
{
	struct question *q = w->console == NULL ? NULL : mem_new(struct question);

	if (q == NULL) {
		say_unavailable(r);
		return;
	}
	q->web = w;
	q->request = r;
	q->topic = topic;
	q->write = write;
	list_init(&q->node);
	list_init(&q->sharers);
	list_add_tail(&w->waiting, &q->node);
	ask_next(w);
}

void web_end_views(struct web *w)
{
	struct list *node;

	if (w == NULL)
		return;
	w->console = NULL;
	while ((node = list_first(&w->waiting)) != NULL)
		question_answer(container_of(node, struct question, node), NULL);
	while ((node = list_first(&w->asked)) != NULL) {
		struct question *q = container_of(node, struct question, node);

		view_forget(q->view);
		question_answer(q, NULL);
	}
}

/* ---- dispatch ---- */

struct route {
	const char *path;
	enum route_access access;
	web_handler *handler;
};

static const struct route routes[] = {
#define ROUTE(path, access, handler, doc) {path, ROUTE_##access, handler},
#include "admin/routes.def"
};

static bool fits(const char *pattern, const char *path)
{
	size_t len = strlen(pattern);

	if (len > 0 && pattern[len - 1] == '*')
		return strncmp(pattern, path, len - 1) == 0;
	return strcmp(pattern, path) == 0;
}

static const struct route *find_route(const char *path)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
		if (fits(routes[i].path, path))
			return &routes[i];
	return NULL;
}

static const char nothing_there[] = "there is nothing at this path, but at"
#define ROUTE(path, access, handler, doc) " " path
#include "admin/routes.def"
                                    "\n";

/* What is not open is protected, also that it is not there. */
static void request_came(void *owner, struct http_request *r)
{
	struct web *w = (struct web *)owner;
	const struct route *route = find_route(http_path(r));

	if ((route == NULL || route->access != ROUTE_OPEN) && !gate_admits(&w->gate, r))
		return;
	if (route == NULL)
		http_answer_text(r, 404, nothing_there);
	else
		route->handler(w, r);
}

/* ---- life ---- */

struct web *web_new(const struct control *control, struct console *console)
{
	struct web *w = mem_new(struct web);

	if (w == NULL)
		return NULL;
	w->control = control;
	w->console = console;
	list_init(&w->waiting);
	list_init(&w->asked);
	if (!gate_init(&w->gate, control)) {
		mem_free(w);
		return NULL;
	}
	w->http = http_new(control->loop, request_came, w);
	if (w->http == NULL || !console_keep_history(console, true)) {
		web_free(w);
		return NULL;
	}
	return w;
}

void web_free(struct web *w)
{
	if (w == NULL)
		return;
	http_free(w->http);
	web_end_views(w);
	gate_fini(&w->gate);
	health_fini(&w->health);
	mem_free(w);
}

void web_set_most(struct web *w, unsigned most)
{
	http_set_most(w->http, most);
}

bool web_listen(struct web *w, const struct address *a, bool reuseport, struct failure *why)
{
	return http_listen(w->http, a, reuseport, why);
}

void web_stop_listening(struct web *w)
{
	http_stop_listening(w->http);
}

const struct control *web_control(const struct web *w)
{
	return w->control;
}

struct console *web_console(const struct web *w)
{
	return w->console;
}

struct health *web_health(struct web *w)
{
	return &w->health;
}
