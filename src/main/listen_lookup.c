/* The addresses that a name to listen on stands for. Main thread. */
#include "main/listen_lookup.h"

#include <stdio.h>
#include <string.h>

int listen_lookup(const char *name, int port, struct addrinfo **found)
{
	struct addrinfo hints;
	char service[16];

	memset(&hints, 0, sizeof(hints));
	hints.ai_family = AF_UNSPEC;
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_PASSIVE;
	snprintf(service, sizeof(service), "%d", port);
	return getaddrinfo(strcmp(name, "*") == 0 ? NULL : name, service, &hints, found);
}
