/* Local time against UTC, by what all systems have. Any thread. */
#ifndef BASE_LOCAL_TIME_H
#define BASE_LOCAL_TIME_H

#include <stddef.h>
#include <time.h>

/* How far local time is ahead of UTC then, in seconds; negative west of Greenwich. */
long local_time_offset_s(time_t at);

/* The same in parts: "+05", "30". */
struct local_time_ahead {
	char sign;
	unsigned hours, minutes; /* below 100 */
};

struct local_time_ahead local_time_ahead_of_utc(time_t at);

/* The zone's name then, for `local`, which is `at`: "CEST", or where the system has no such name, "+02". Windows has
   "W. Europe Daylight Time", which would be several words, and in the letters of its code page. */
void local_time_zone(const struct tm *local, time_t at, char *zone, size_t size);

#endif
