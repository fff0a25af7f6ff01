/* net/http.h in the simulator: nobody can listen, so nobody asks. */
#include "net/http.h"

#include <errno.h>

struct http *http_new(struct loop *l, http_handler *handler, void *owner)
{
	(void)l;
	(void)handler;
	(void)owner;
	return NULL;
}

void http_free(struct http *h)
{
	(void)h;
}

bool http_listen(struct http *h, const struct address *a, bool reuseport, struct failure *why)
{
	(void)h;
	(void)a;
	(void)reuseport;
	failure_set(why, PHASE_NONE, DOMAIN_ERRNO, EADDRNOTAVAIL, NULL);
	return false;
}

void http_stop_listening(struct http *h)
{
	(void)h;
}

unsigned http_count(const struct http *h)
{
	(void)h;
	return 0;
}

const char *http_path(const struct http_request *r)
{
	(void)r;
	return "";
}

bool http_parameter(const struct http_request *r, const char *name, char *value, size_t size)
{
	(void)r;
	(void)name;
	(void)value;
	(void)size;
	return false;
}

bool http_has_parameter(const struct http_request *r, const char *name)
{
	(void)r;
	(void)name;
	return false;
}

const char *http_header(const struct http_request *r, const char *name)
{
	(void)r;
	(void)name;
	return NULL;
}

const char *http_host(const struct http_request *r)
{
	(void)r;
	return NULL;
}

const char *http_peer(const struct http_request *r)
{
	(void)r;
	return "";
}

bool http_came_by_loopback(const struct http_request *r)
{
	(void)r;
	return false;
}

void http_set_header(struct http_request *r, const char *name, const char *value)
{
	(void)r;
	(void)name;
	(void)value;
}

void http_answer(struct http_request *r, int status, const char *type, const void *bytes, size_t len)
{
	(void)r;
	(void)status;
	(void)type;
	(void)bytes;
	(void)len;
}

void http_answer_text(struct http_request *r, int status, const char *text)
{
	(void)r;
	(void)status;
	(void)text;
}
