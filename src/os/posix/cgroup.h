/* Processor quotas of Linux control groups. Private to os/. */
#ifndef OS_POSIX_CGROUP_H
#define OS_POSIX_CGROUP_H

/*
 * The smallest CPU quota in force, in processors rounded up; 0: none, or not this system. Reads the groups named in
 * `proc_file` (format of /proc/self/cgroup, versions 1 and 2) and all their ancestors below `root`.
 */
int cgroup_processors(const char *proc_file, const char *root);

#endif
