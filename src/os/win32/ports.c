/* The system's table of listening sockets. Any thread. */
#include "os/win32/ports.h"

#include "os/socket.h"

#include <iphlpapi.h>

#include "base/mem.h"

/* The table may grow between the question how long it is and the next one. */
#define TRIES 4

/* NULL: the system does not say, or there is no memory. */
static void *get_table(int family)
{
	DWORD size = 0, result = ERROR_INSUFFICIENT_BUFFER;
	void *table = NULL;

	for (int i = 0; i < TRIES && result == ERROR_INSUFFICIENT_BUFFER; i++) {
		mem_free(table);
		table = size == 0 ? NULL : mem_alloc(size);
		if (size != 0 && table == NULL)
			return NULL;
		result = GetExtendedTcpTable(table, &size, FALSE, (ULONG)family, TCP_TABLE_OWNER_PID_LISTENER, 0);
	}
	if (result == NO_ERROR)
		return table;
	mem_free(table);
	return NULL;
}

static bool is_in_v4(const MIB_TCPTABLE_OWNER_PID *t, uint16_t port)
{
	for (DWORD i = 0; i < t->dwNumEntries; i++)
		if (ntohs((uint16_t)t->table[i].dwLocalPort) == port)
			return true;
	return false;
}

static bool is_in_v6(const MIB_TCP6TABLE_OWNER_PID *t, uint16_t port)
{
	for (DWORD i = 0; i < t->dwNumEntries; i++)
		if (ntohs((uint16_t)t->table[i].dwLocalPort) == port)
			return true;
	return false;
}

bool port_is_taken(int family, uint16_t port)
{
	void *table = get_table(family);
	bool taken = false;

	if (table == NULL)
		return false;
	if (family == AF_INET)
		taken = is_in_v4((const MIB_TCPTABLE_OWNER_PID *)table, port);
	else if (family == AF_INET6)
		taken = is_in_v6((const MIB_TCP6TABLE_OWNER_PID *)table, port);
	mem_free(table);
	return taken;
}
