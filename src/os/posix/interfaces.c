/* The machine's addresses, by getifaddrs; what means a Unix socket. Any thread. */
#include "os/interfaces.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>

bool address_text_is_abstract(const char *text)
{
	return text[0] == '@';
}

bool address_text_is_local(const char *text)
{
	return text[0] == '/' || address_text_is_abstract(text);
}

uint32_t interface_number(const char *name)
{
	return if_nametoindex(name);
}

static struct peer peer_of(const struct sockaddr *any, sa_family_t family)
{
	struct address a;

	memset(&a, 0, sizeof(a));
	a.len = family == AF_INET ? sizeof(a.u.v4) : sizeof(a.u.v6);
	memcpy(&a.u, any, a.len);
	a.u.any.sa_family = family; /* some systems leave it out of masks */
	return peer_of_address(&a);
}

bool interfaces_look(void (*look)(void *arg, const struct peer *at, const struct peer *mask), void *arg)
{
	struct ifaddrs *list = NULL;

	if (getifaddrs(&list) != 0)
		return false;
	for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
		struct peer at, mask;

		if (i->ifa_addr == NULL || i->ifa_netmask == NULL ||
		    (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6))
			continue;
		at = peer_of(i->ifa_addr, i->ifa_addr->sa_family);
		mask = peer_of(i->ifa_netmask, i->ifa_addr->sa_family);
		look(arg, &at, &mask);
	}
	if (list != NULL)
		freeifaddrs(list);
	return true;
}
