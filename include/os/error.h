/* Words for error numbers. Any thread. */
#ifndef OS_ERROR_H
#define OS_ERROR_H

#include <stddef.h>

/* The system's text for an errno value ("connection refused" is "Connection refused" here), put into `buf`; returns
   `buf`. Never empty; `size` at least 1. */
const char *os_error_text(int err, char *buf, size_t size);

/* Text of what getaddrinfo returns other than 0: "Name or service not known". Constant. */
const char *os_lookup_error_text(int code);

#endif
