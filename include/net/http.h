/*
 * HTTP for a few watchers: probes, a scraper, a browser. Requests without a body are taken and answered, one at a time
 * on each connection; everything else is refused. What strangers can make it hold is bounded: connections (the oldest
 * that asks for nothing makes room, else the oldest that does not take its answer), bytes of a request, and time. The
 * thread of its loop; SIGPIPE is ignored.
 *
 *   WAITING ──(first byte)──> READING ──(request complete: handler)──> ANSWERING ──(http_answer)──> WRITING
 *      └<──────────────────────────────────────(all is written)─────────────────────────────────────┘
 */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/failure.h"
#include "os/socket.h"

/* Of all listeners together. */
#define HTTP_MAX_CONNECTIONS 256u
#define HTTP_LEAST_CONNECTIONS 8u
#define HTTP_MAX_LISTENERS 64u

#define HTTP_REQUEST_US 10000000u /* from the first byte, or the connection's beginning, to a request's end */
#define HTTP_WRITE_US 20000000u   /* to take an answer */
#define HTTP_SLOW_US 1000000u     /* the same when there are too many connections */
#define HTTP_IDLE_US 60000000u    /* between two requests */

#define HTTP_MAX_HEADERS 8192u /* bytes of a request */
/* Bytes of answers that nobody takes; further big answers are refused meanwhile. */
#define HTTP_MAX_UNSENT (32u << 20)
#define HTTP_SMALL_ANSWER 65536u /* bytes; bigger ones are big */

struct http;
struct http_request;
struct loop;

/* A request has come; answered by http_answer, now or later, exactly once. */
typedef void http_handler(void *owner, struct http_request *r);

/* No listener yet. NULL: out of memory or descriptors. */
struct http *http_new(struct loop *l, http_handler *handler, void *owner) MUST_USE;
/* Closes everything. Requests that are not answered yet are freed by their answer, as if their connection had ended. */
void http_free(struct http *h);

/* No more connections than so many, if that is possible; HTTP_MAX_CONNECTIONS by default. Before it listens. */
void http_set_most(struct http *h, unsigned most);

/* Listens. False with `why` filled in. */
bool http_listen(struct http *h, const struct address *a, bool reuseport, struct failure *why) MUST_USE;
/* Leaves the addresses to others; connections that exist are served. */
void http_stop_listening(struct http *h);

/* Connections now. */
unsigned http_count(const struct http *h);

/* ---- a request; texts are valid until the answer ---- */

/* As it was sent, nothing decoded; "" when there is none (OPTIONS *). */
const char *http_path(const struct http_request *r);
/* The first parameter of this name in the query, decoded and NUL-terminated. False: there is none, or it does not fit,
   or it is not written as it must be. */
bool http_parameter(const struct http_request *r, const char *name, char *value, size_t size);
/* There is one, whatever it is like. */
bool http_has_parameter(const struct http_request *r, const char *name);
/* The first header of this name; NULL: none. */
const char *http_header(const struct http_request *r, const char *name);
/* Whom the request is meant for, the port included: from the target, else from the header Host. NULL: it does not say,
   or says it more than once. */
const char *http_host(const struct http_request *r);
/* The address at the other end, without its port. */
const char *http_peer(const struct http_request *r);
/* It came by a listener whose own address is one of loopback. */
bool http_came_by_loopback(const struct http_request *r);

/* ---- the answer ---- */

/* A header of the answer. Ours are given to all: Cache-Control, Cross-Origin-Resource-Policy, Referrer-Policy,
   X-Content-Type-Options, X-Frame-Options, and a Content-Security-Policy that allows nothing; one that is set before
   wins. */
void http_set_header(struct http_request *r, const char *name, const char *value);
/* The answer; the request is the caller's no more. To HEAD the bytes are only counted. */
void http_answer(struct http_request *r, int status, const char *type, const void *bytes, size_t len);
/* The same with text/plain. */
void http_answer_text(struct http_request *r, int status, const char *text);

#endif
