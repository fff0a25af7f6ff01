/* Words about ports and addresses that cannot be had. Pure, any thread. */
#include "main/bind_hint.h"

#include <errno.h>

#include "diag/idioms.h"

/* Windows says that it is in use or not permitted when a socket has it exclusively, and also of ports that belong to
   nobody: Hyper-V has ranges of them reserved. */
static void taken(bool on_windows, struct str *out)
{
	str_printf(out, "Another program has the port, perhaps a pooler that still runs; this shows which: %s",
	           idiom_text(IDIOM_listeners, on_windows));
	if (on_windows)
		str_add_str(out,
		            "\nIf none has it, Windows has reserved it; this shows which ports: netsh int ipv4 show "
		            "excludedportrange tcp");
}

static void not_permitted(bool on_windows, struct str *out)
{
	if (on_windows)
		taken(true, out);
	else
		str_add_str(out, "Ports below 1024 need special rights: choose another listen_port.");
}

static bool unix_hint(int error, struct str *out)
{
	if (error != EAFNOSUPPORT)
		return false;
	str_add_str(out, "This system has no Unix sockets (Windows has them since 10, version 1803): leave "
	                 "unix_socket_dir empty.");
	return true;
}

bool bind_hint(int error, bool is_unix, bool on_windows, struct str *out)
{
	if (is_unix)
		return unix_hint(error, out);
	switch (error) {
	case EADDRINUSE:
		taken(on_windows, out);
		return true;
	case EADDRNOTAVAIL:
		str_printf(out, "This machine does not have that address (%s). Use * for all addresses that it has.",
		           idiom_text(IDIOM_addresses, on_windows));
		return true;
	case EACCES:
		not_permitted(on_windows, out);
		return true;
	case EAFNOSUPPORT:
		str_add_str(out, "This system has no addresses of that kind: take it out of listen_addr.");
		return true;
	default: /* an int from the system */
		return false;
	}
}
