/* The machine's network adapters. Any thread. */
#ifndef OS_WIN32_ADAPTERS_H
#define OS_WIN32_ADAPTERS_H

#include "os/socket.h"

#include <iphlpapi.h>

#include "base/attr.h"

/* All of them, without what those flags (GAA_FLAG_SKIP_…) name (mem_free). NULL: the system does not say, or there is
   no memory. */
IP_ADAPTER_ADDRESSES *adapters_get(ULONG flags) MUST_USE;

#endif
