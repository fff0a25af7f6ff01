/* The value of http_listen: where HTTP is answered. Pure functions, any thread. */
#ifndef CONF_HTTP_LISTEN_H
#define CONF_HTTP_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

#define HTTP_LISTEN_MAX_PARTS 16u

/* One part of the list. */
struct http_place {
	char host[256]; /* a name or an address without brackets; "*": all addresses */
	uint16_t port;
};

/* How the text is written, after "must be ". */
#define HTTP_LISTEN_FORM "addresses with ports, separated by commas, such as 127.0.0.1:9127, [::1]:9127 or *:9127"

/* The next part, cut off the front of the list; *found is false at its end. False: what comes is not written as a part
   must be. */
bool http_listen_next(const char **list, struct http_place *place, bool *found) MUST_USE;

/* Whether all of it is right; an empty list is. */
bool http_listen_is_valid(const char *list);

#endif
