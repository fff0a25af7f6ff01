/* Where HTTP is answered: the names of http_listen made into listeners, and what the log says of them. Main thread. */
#include <stdio.h>
#include <string.h>

#include "admin/web.h"
#include "conf/http_listen.h"
#include "main/listen_lookup.h"
#include "main/supervisor.h"
#include "net/http.h"
#include "os/error.h"
#include "os/socket.h"

#define DESCRIPTORS_PART 16 /* of too few, for watchers */

static bool is_empty(const char *text)
{
	return text == NULL || text[0] == '\0';
}

static void place_text(const struct address *a, char *buf, size_t size)
{
	char ip[64];

	snprintf(buf, size, a->u.any.sa_family == AF_INET6 ? "[%s]:%u" : "%s:%u", address_text(a, ip, sizeof(ip)),
	         address_port(a));
}

/* The page is worth a line: whoever looks for it shall not have to guess. */
static void say_protected(struct supervisor *s, const struct address *a, const char *where)
{
	const struct settings *set = &s->config->settings;

	if (!address_is_loopback(a) && is_empty(set->http_auth_user))
		log_write(s->log, LEVEL_LOG,
		          "only probes and metrics are served at http://%s/: no login is configured for the rest\n"
		          "HINT: Set http_auth_user and http_auth_password.",
		          where);
}

static bool listen_on(struct supervisor *s, const struct address *a)
{
	struct failure why;
	char where[96], reason[128];
	bool good;

	failure_init(&why);
	place_text(a, where, sizeof(where));
	good = web_listen(s->web, a, s->config->settings.so_reuseport, &why);
	if (good) {
		log_write(s->log, LEVEL_LOG, "answering HTTP at http://%s/", where);
		say_protected(s, a, where);
	} else {
		log_write(s->log, LEVEL_WARNING, "cannot answer HTTP at %s: bind(): %s", where,
		          why.domain == DOMAIN_ERRNO ? os_error_text(why.code, reason, sizeof(reason))
		                                     : "out of memory");
	}
	failure_fini(&why);
	return good;
}

static bool listen_on_found(struct supervisor *s, const struct addrinfo *found)
{
	struct address a;
	bool any = false;

	for (; found != NULL; found = found->ai_next)
		if (address_from_sockaddr(&a, found->ai_addr, found->ai_addrlen))
			any = listen_on(s, &a) || any;
	return any;
}

/* Metrics that nobody asked for must not keep clients from being served: an exporter beside us may have the port. */
static enum log_level level_of(const struct supervisor *s)
{
	return s->config->is_http_optional ? LEVEL_WARNING : LEVEL_FATAL;
}

/* False after a fatal log line. */
static bool listen_at(struct supervisor *s, const struct http_place *place)
{
	struct addrinfo *found = NULL;
	int error = listen_lookup(place->host, place->port, &found);
	bool any;

	if (error != 0) {
		log_write(s->log, level_of(s), "could not look up \"%s\" of http_listen: %s", place->host,
		          os_lookup_error_text(error));
		return s->config->is_http_optional;
	}
	any = listen_on_found(s, found);
	freeaddrinfo(found);
	if (!any)
		log_write(s->log, level_of(s), "failed to answer HTTP at \"%s\", port %u: http_listen", place->host,
		          place->port);
	return any || s->config->is_http_optional;
}

/* Watchers must not take the descriptors that clients need. */
static unsigned most_connections(const struct supervisor *s)
{
	long limit = os_raise_descriptor_limit(0, NULL);

	return limit < 0 || limit >= s->n_descriptors ? HTTP_MAX_CONNECTIONS : (unsigned)(limit / DESCRIPTORS_PART);
}

bool listen_web_start(struct supervisor *s)
{
	const char *list = s->config->settings.http_listen;
	struct http_place place;
	bool found;

	if (is_empty(list))
		return true;
	s->web = web_new(&s->control, s->console);
	if (s->web == NULL) {
		log_write(s->log, LEVEL_FATAL, "out of memory");
		return false;
	}
	web_set_most(s->web, most_connections(s));
	while (http_listen_next(&list, &place, &found) && found)
		if (!listen_at(s, &place))
			return false;
	return true;
}

void listen_web_leave(struct supervisor *s)
{
	if (s->web != NULL && s->config->settings.so_reuseport)
		web_stop_listening(s->web);
}
