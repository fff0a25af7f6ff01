/* Local time and UTC side by side, since how systems say the difference differs. Any thread. */
#include "base/local_time.h"

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
