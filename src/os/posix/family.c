/* What only Unix systems can say of themselves. Any thread. */
#include "os/family.h"

#include <stdio.h>
#include <string.h>

bool os_is_windows(void)
{
	return false;
}

/* Its kernel says so: "5.15.153.1-microsoft-standard-WSL2". */
bool os_is_below_windows(const char *root)
{
	char name[512], release[256] = "";
	FILE *f;

	snprintf(name, sizeof(name), "%s/proc/sys/kernel/osrelease", root);
	f = fopen(name, "re");
	if (f == NULL)
		return false;
	if (fgets(release, sizeof(release), f) == NULL)
		release[0] = '\0';
	fclose(f);
	return strstr(release, "microsoft") != NULL || strstr(release, "Microsoft") != NULL;
}

bool os_find_postgres(int port, struct local_postgres *found)
{
	(void)port;
	memset(found, 0, sizeof(*found));
	return false;
}
