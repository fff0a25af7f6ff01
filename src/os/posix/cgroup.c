/*
 * Processor quotas of control groups: version 2 has "quota period" in cpu.max,
 * version 1 two files. A container often cannot see its own group by the name
 * that /proc gives, so ancestors are tried up to the root. Any thread.
 */
#include "os/posix/cgroup.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One line of a small file; false if there is none. */
static bool read_line(char *buf, size_t size, const char *dir, const char *path, const char *file)
{
	char name[1024];
	FILE *f;
	bool ok;
	int n = snprintf(name, sizeof(name), "%s%s/%s", dir, path, file);

	if (n < 0 || (size_t)n >= sizeof(name))
		return false;
	f = fopen(name, "re");
	if (f == NULL)
		return false;
	ok = fgets(buf, (int)size, f) != NULL;
	fclose(f);
	return ok;
}

/* 0 if this is no limit. */
static int quota_processors(long long quota_us, long long period_us)
{
	long long n;

	if (quota_us <= 0 || period_us <= 0)
		return 0;
	n = quota_us / period_us + (quota_us % period_us != 0);
	return n > 65536 ? 0 : (int)n;
}

/* The group's own quota in version 2. */
static int quota_v2(const char *dir, const char *path)
{
	char line[128], *end;
	long long quota, period;

	if (!read_line(line, sizeof(line), dir, path, "cpu.max"))
		return 0;
	quota = strtoll(line, &end, 10);
	if (end == line) /* "max" */
		return 0;
	period = strtoll(end, NULL, 10);
	return quota_processors(quota, period);
}

static int quota_v1(const char *dir, const char *path)
{
	char quota[64], period[64];

	if (!read_line(quota, sizeof(quota), dir, path, "cpu.cfs_quota_us") ||
	    !read_line(period, sizeof(period), dir, path, "cpu.cfs_period_us"))
		return 0;
	return quota_processors(strtoll(quota, NULL, 10), strtoll(period, NULL, 10));
}

static int smaller(int a, int b)
{
	if (a == 0 || b == 0)
		return a + b;
	return a < b ? a : b;
}

/* The smallest quota of a group and its ancestors; `path` ("/a/b") is used up. */
static int quota_upwards(const char *dir, char *path, int (*quota)(const char *dir, const char *path))
{
	int least = 0;

	for (;;) {
		char *slash;

		if (strcmp(path, "/") == 0)
			path[0] = '\0';
		least = smaller(least, quota(dir, path));
		slash = strrchr(path, '/');
		if (slash == NULL)
			return least;
		*slash = '\0';
	}
}

/* True if the comma-separated list of controllers has "cpu". */
static bool has_cpu(const char *list, const char *end)
{
	while (list < end) {
		const char *comma = (const char *)memchr(list, ',', (size_t)(end - list));
		const char *stop = comma == NULL ? end : comma;

		if (stop - list == 3 && memcmp(list, "cpu", 3) == 0)
			return true;
		list = stop + 1;
	}
	return false;
}

/* `path` is used up. */
static int line_processors(const char *root, const char *controllers, const char *end, char *path)
{
	char dir[512], again[1024];
	int n;

	if (controllers == end) {
		snprintf(again, sizeof(again), "%s", path);
		n = quota_upwards(root, again, quota_v2);
		/* where both versions are mounted, version 2 has its own place */
		snprintf(dir, sizeof(dir), "%s/unified", root);
		return smaller(n, quota_upwards(dir, path, quota_v2));
	}
	if (!has_cpu(controllers, end))
		return 0;
	snprintf(again, sizeof(again), "%s", path);
	snprintf(dir, sizeof(dir), "%s/%.*s", root, (int)(end - controllers), controllers);
	n = quota_upwards(dir, again, quota_v1);
	snprintf(dir, sizeof(dir), "%s/cpu", root);
	return smaller(n, quota_upwards(dir, path, quota_v1));
}

int cgroup_processors(const char *proc_file, const char *root)
{
	char line[1024];
	int least = 0;
	FILE *f = fopen(proc_file, "re");

	if (f == NULL)
		return 0;
	/* number:controllers:path */
	while (fgets(line, sizeof(line), f) != NULL) {
		char *controllers = strchr(line, ':');
		char *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');

		if (path == NULL || path[1] != '/')
			continue;
		path[strcspn(path, "\n")] = '\0';
		least = smaller(least, line_processors(root, controllers + 1, path, path + 1));
	}
	fclose(f);
	return least;
}
