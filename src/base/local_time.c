/* Local time and UTC side by side, since how systems say the difference differs. Any thread. */
#include "base/local_time.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

long local_time_offset_s(time_t at)
{
	struct tm local, utc;
	long days;

	localtime_r(&at, &local);
	gmtime_r(&at, &utc);
	days = local.tm_year != utc.tm_year ? (local.tm_year > utc.tm_year ? 1 : -1) : local.tm_yday - utc.tm_yday;
	return days * 86400L + (local.tm_hour - utc.tm_hour) * 3600L + (local.tm_min - utc.tm_min) * 60L +
	       (local.tm_sec - utc.tm_sec);
}

struct local_time_ahead local_time_ahead_of_utc(time_t at)
{
	long offset = local_time_offset_s(at), minutes = (offset < 0 ? -offset : offset) / 60;

	return (struct local_time_ahead){offset < 0 ? '-' : '+', (unsigned)(minutes / 60) % 100,
	                                 (unsigned)(minutes % 60)};
}

/* A zone's name as POSIX has them; Wine makes "UT" of UTC. */
static bool is_zone_name(const char *name)
{
	if (strlen(name) < 3)
		return false;
	for (; *name != '\0'; name++)
		if (!((*name >= 'A' && *name <= 'Z') || (*name >= 'a' && *name <= 'z') ||
		      (*name >= '0' && *name <= '9') || *name == '+' || *name == '-'))
			return false;
	return true;
}

void local_time_zone(const struct tm *local, time_t at, char *zone, size_t size)
{
	struct local_time_ahead a = local_time_ahead_of_utc(at);

	if (strftime(zone, size, "%Z", local) > 0 && is_zone_name(zone))
		return;
	if (a.hours == 0 && a.minutes == 0)
		snprintf(zone, size, "UTC");
	else if (a.minutes == 0)
		snprintf(zone, size, "%c%02u", a.sign, a.hours);
	else
		snprintf(zone, size, "%c%02u%02u", a.sign, a.hours, a.minutes);
}
