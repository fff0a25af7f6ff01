/*
 * What HTTP shows: probes, metrics, the page. Each path is a row of admin/routes.def. Main thread.
 */
#ifndef ADMIN_WEB_H
#define ADMIN_WEB_H

#include "admin/control.h"
#include "base/attr.h"
#include "net/http.h"

struct console;
struct topic;
struct view;
struct web;

/* Answers a request, now or later, exactly once (net/http.h). */
typedef void web_handler(struct web *w, struct http_request *r);

/* What the rows of a view are made into. */
typedef void web_write(struct web *w, struct http_request *r, struct view *v);

/* Keeps both pointers. NULL: out of memory or descriptors. */
struct web *web_new(const struct control *control, struct console *console) MUST_USE;
/* Requests that are not answered yet are not answered any more. */
void web_free(struct web *w);

/* No more connections than so many, if that is possible. Before it listens. */
void web_set_most(struct web *w, unsigned most);
/* Where it listens. */
bool web_listen(struct web *w, const struct address *a, bool reuseport, struct failure *why) MUST_USE;
void web_stop_listening(struct web *w);
/* The console is about to end: what waits for it is told, and from now on nothing asks it. NULL is fine. */
void web_end_views(struct web *w);

/* ---- for handlers ---- */

const struct control *web_control(const struct web *w);
/* NULL when it has ended. */
struct console *web_console(const struct web *w);

/* Answers by a view: `write(w, r, v)` is called when the rows are there, and answers; without memory, or at the end of
   the process, the request is answered with 503. Requests that wait for the same share a view; views beyond a few at a
   time wait for each other. */
void web_show(struct web *w, struct http_request *r, const struct topic *topic, web_write *write);

#endif
