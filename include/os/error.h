/* Words for error numbers. Any thread. */
#ifndef OS_ERROR_H
#define OS_ERROR_H

#include <stddef.h>

/* The system's text for an errno value ("connection refused" is "Connection refused" here), put into `buf`; returns
   `buf`. Never empty; `size` at least 1. */
const char *os_error_text(int err, char *buf, size_t size);

#endif
