/* The version that we are compatible with; programs read it in SHOW VERSION, --version and the start-up log line. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#define PGBOUNCER_VERSION "1.26.1"

#endif
