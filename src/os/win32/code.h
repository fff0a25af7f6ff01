/* What Windows calls errors, as errno values. Any thread. */
#ifndef OS_WIN32_CODE_H
#define OS_WIN32_CODE_H

/* Of GetLastError or WSAGetLastError, whose numbers differ. What has no errno value becomes EIO. */
int errno_of_code(unsigned long code);

#endif
