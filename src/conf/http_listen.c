/* Cuts the value of http_listen into hosts and ports. Any thread. */
#include "conf/http_listen.h"

#include <string.h>

#include "base/comma_list.h"

static bool read_port(const char *text, size_t len, uint16_t *port)
{
	unsigned n = 0;

	if (len == 0 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		n = n * 10 + (unsigned)(text[i] - '0');
	}
	if (n == 0 || n > UINT16_MAX)
		return false;
	*port = (uint16_t)n;
	return true;
}

/* Letters of names and addresses; colons are only between brackets. */
static bool is_host(const char *text, size_t len, bool in_brackets)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c <= ' ' || c >= 0x7f || strchr("[]/@\"'\\", c) != NULL || (c == ':' && !in_brackets))
			return false;
	}
	return true;
}

static bool read_host(const char *text, size_t len, struct http_place *place)
{
	bool in_brackets = len >= 2 && text[0] == '[' && text[len - 1] == ']';

	if (in_brackets) {
		text++;
		len -= 2;
	}
	if (len >= sizeof(place->host) || !is_host(text, len, in_brackets) || (in_brackets && len == 0))
		return false;
	if (len == 0) { /* ":9127", as many programs want it */
		text = "*";
		len = 1;
	}
	memcpy(place->host, text, len);
	place->host[len] = '\0';
	return true;
}

static bool read_part(const char *text, size_t len, struct http_place *place)
{
	size_t host = len;

	while (host > 0 && text[host - 1] != ':')
		host--;
	return host > 0 && read_port(text + host, len - host, &place->port) && read_host(text, host - 1, place);
}

bool http_listen_next(const char **list, struct http_place *place, bool *found)
{
	const char *part;
	size_t len;

	*found = comma_list_next(list, &part, &len);
	if (!*found)
		return true;
	*found = read_part(part, len, place);
	return *found;
}

bool http_listen_is_valid(const char *list)
{
	struct http_place place;
	unsigned n = 0;
	bool found;

	do {
		if (!http_listen_next(&list, &place, &found))
			return false;
		n += found;
	} while (found && n <= HTTP_LISTEN_MAX_PARTS);
	return n <= HTTP_LISTEN_MAX_PARTS;
}
