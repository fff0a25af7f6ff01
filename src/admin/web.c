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
	struct list node; /* in web->waiting or web->asked */
	struct web *web;
	struct http_request *request;
	const struct topic *topic;
	web_write *write;
	struct view *view; /* under way; NULL: not yet */
};

/* Owned by one thread: main. */
struct web {
	const struct control *control;
	struct console *console;
	struct http *http;
	struct gate gate;
	struct health health;
	struct list waiting, asked;
	unsigned n_asked;
};

/* ---- views ---- */

static void say_unavailable(struct http_request *r)
{
	http_set_header(r, "Retry-After", "1");
	http_answer_text(r, 503, "not available now\n");
}

static void question_free(struct question *q)
{
	list_remove(&q->node);
	mem_free(q);
}

static void question_give_up(struct question *q)
{
	if (q->view != NULL)
		view_forget(q->view);
	say_unavailable(q->request);
	question_free(q);
}

static void ask_next(struct web *w);

static void answered(void *asker, struct view *v)
{
	struct question *q = (struct question *)asker;
	struct web *w = q->web;

	q->view = NULL;
	w->n_asked--;
	if (v->out.failed)
		say_unavailable(q->request);
	else
		q->write(w, q->request, v);
	question_free(q);
	if (v->went_round)
		ask_next(w);
}

static void ask(struct web *w, struct question *q)
{
	list_remove(&q->node);
	list_add_tail(&w->asked, &q->node);
	w->n_asked++;
	if (view_start(w->console, q->topic, answered, q, &q->view))
		return;
	w->n_asked--;
	question_give_up(q);
}

static void ask_next(struct web *w)
{
	while (w->n_asked < MAX_VIEWS && !list_is_empty(&w->waiting))
		ask(w, container_of(list_first(&w->waiting), struct question, node));
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
		question_give_up(container_of(node, struct question, node));
	while ((node = list_first(&w->asked)) != NULL)
		question_give_up(container_of(node, struct question, node));
	w->n_asked = 0;
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
