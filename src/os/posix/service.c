/* systemd's environment variables and its datagrams. */
#include "os/service.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "os/socket.h"

#define JOURNAL "/run/systemd/journal/socket"
#define MAX_ENTRY 24576 /* the longest record, and what goes before it */

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

bool service_has_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	/* the variable is inherited: stderr may lead elsewhere by now */
	return stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
	       (unsigned long long)st.st_dev == device && (unsigned long long)st.st_ino == inode;
}

bool service_journal(enum log_level level, const char *text)
{
	static const int priority[] = {2, 3, 4, 6, 7, 7};
	char entry[MAX_ENTRY];
	size_t len = strlen(text);
	struct address a;
	int n = snprintf(entry, sizeof(entry), "PRIORITY=%d\nSYSLOG_IDENTIFIER=pgweir\nMESSAGE\n", priority[level]);

	if (n < 0 || (size_t)n + 8 + len + 1 > sizeof(entry))
		return false;
	/* a value with its length, the lowest byte first: it may have lines */
	for (int i = 0; i < 8; i++)
		entry[n++] = (char)((unsigned long long)len >> (8 * i) & 0xff);
	memcpy(entry + n, text, len);
	entry[(size_t)n + len] = '\n';
	return address_from_text(&a, JOURNAL, 0) && socket_send_datagram(&a, entry, (size_t)n + len + 1);
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

bool service_notify_stopping(uint64_t most_us)
{
	(void)most_us; /* TimeoutStopSec of the unit is the administrator's */
	return service_notify("STOPPING=1");
}

void service_notify_pausing(void)
{
}

void service_notify_paused(bool paused)
{
	(void)paused;
}

const char *service_log_name(void)
{
	return NULL;
}
