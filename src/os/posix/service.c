/* systemd's environment variables and its datagrams. */
#include "os/service.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "os/socket.h"

/* A number from the environment; -1: none. */
static long number_of(const char *variable)
{
	const char *text = getenv(variable);
	char *end;
	long value;

	if (text == NULL || text[0] < '0' || text[0] > '9')
		return -1;
	errno = 0;
	value = strtol(text, &end, 10);
	return errno != 0 || *end != '\0' ? -1 : value;
}

unsigned service_count_sockets(void)
{
	long n = number_of("LISTEN_FDS");

	/* whatever started us may have been given them, and not us */
	if (number_of("LISTEN_PID") != (long)getpid() || n <= 0 || n > INT_MAX - SERVICE_FIRST_SOCKET)
		return 0;
	return (unsigned)n;
}

unsigned service_take_sockets(void)
{
	unsigned n = service_count_sockets();

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return n;
}

bool service_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct address a;

	if (path == NULL || path[0] == '\0')
		return true;
	if (address_from_text(&a, path, 0) && address_is_unix(&a))
		return socket_send_datagram(&a, state, strlen(state));
	errno = EAFNOSUPPORT; /* vsock: of virtual machines, not of services */
	return false;
}

uint64_t service_watchdog_us(void)
{
	long us = number_of("WATCHDOG_USEC");

	/* without a number it is meant for whoever has the variable */
	if (us <= 0 || (getenv("WATCHDOG_PID") != NULL && number_of("WATCHDOG_PID") != (long)getpid()))
		return 0;
	return (uint64_t)us;
}

bool service_notify_reloading(void)
{
	struct timespec now;
	char text[64];

	if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
		return false;
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
	         (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	return service_notify(text);
}
