/* The machine's network adapters, by GetAdaptersAddresses. Any thread. */
#include "os/win32/adapters.h"

#include "base/mem.h"

/* As much as the system's own manual advises, then what it asks for: adapters may come meanwhile. */
#define FIRST_ROOM_BYTES 15000
#define TRIES 4

IP_ADAPTER_ADDRESSES *adapters_get(ULONG flags)
{
	ULONG size = FIRST_ROOM_BYTES, result = ERROR_BUFFER_OVERFLOW;
	IP_ADAPTER_ADDRESSES *list = NULL;

	for (int i = 0; i < TRIES && result == ERROR_BUFFER_OVERFLOW; i++) {
		mem_free(list);
		list = (IP_ADAPTER_ADDRESSES *)mem_alloc(size);
		if (list == NULL)
			return NULL;
		result = GetAdaptersAddresses(AF_UNSPEC, flags, NULL, list, &size);
	}
	if (result == NO_ERROR)
		return list;
	mem_free(list);
	return NULL;
}
