/* What Windows calls errors, as errno values and in words. Any thread. */
#ifndef OS_WIN32_CODE_H
#define OS_WIN32_CODE_H

/* Of GetLastError or WSAGetLastError, whose numbers differ. What has no errno value becomes EIO. */
int errno_of_code(unsigned long code);

/* What the system calls it, in its language, without the full stop. */
struct win32_text {
	char text[512];
};
struct win32_text win32_error_text(unsigned long code);

#endif
