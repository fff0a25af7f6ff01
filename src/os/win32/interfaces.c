/* The machine's addresses, by GetAdaptersAddresses; what means a Unix socket. Any thread. */
#include "os/interfaces.h"

#include <string.h>

#include "base/mem.h"
#include "os/win32/adapters.h"
/* behind that */
#include <netioapi.h>

bool address_text_is_abstract(const char *text)
{
	(void)text;
	return false;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_separator(char c)
{
	return c == '/' || c == '\\';
}

/* "C:\run", "C:/run", "/run", "\run" */
bool address_text_is_local(const char *text)
{
	return is_separator(text[0]) || (is_letter(text[0]) && text[1] == ':' && is_separator(text[2]));
}

uint32_t interface_number(const char *name)
{
	return if_nametoindex(name);
}

static struct peer mask_of(const struct peer *at, unsigned bits)
{
	struct peer mask;

	memset(&mask, 0, sizeof(mask));
	mask.family = at->family;
	for (unsigned i = 0; i < bits && i < 8 * sizeof(mask.bytes); i++)
		mask.bytes[i / 8] |= (uint8_t)(0x80u >> i % 8);
	return mask;
}

bool interfaces_look(void (*look)(void *arg, const struct peer *at, const struct peer *mask), void *arg)
{
	IP_ADAPTER_ADDRESSES *list =
	    adapters_get(GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST | GAA_FLAG_SKIP_DNS_SERVER);

	if (list == NULL)
		return false;
	for (const IP_ADAPTER_ADDRESSES *adapter = list; adapter != NULL; adapter = adapter->Next) {
		if (adapter->OperStatus != IfOperStatusUp)
			continue;
		for (const IP_ADAPTER_UNICAST_ADDRESS *u = adapter->FirstUnicastAddress; u != NULL; u = u->Next) {
			struct address a;
			struct peer at, mask;

			if (!address_from_sockaddr(&a, u->Address.lpSockaddr, (size_t)u->Address.iSockaddrLength))
				continue;
			at = peer_of_address(&a);
			mask = mask_of(&at, u->OnLinkPrefixLength);
			look(arg, &at, &mask);
		}
	}
	mem_free(list);
	return true;
}
