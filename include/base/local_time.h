/* Local time against UTC, by what all systems have. Any thread. */
#ifndef BASE_LOCAL_TIME_H
#define BASE_LOCAL_TIME_H

#include <time.h>

/* How far local time is ahead of UTC then, in seconds; negative west of Greenwich. */
long local_time_offset_s(time_t at);

#endif
