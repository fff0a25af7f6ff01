/* Time. Only loops read a clock; everybody else asks loop_now_us(). */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define US_PER_MS 1000ull
#define US_PER_S 1000000ull

/* Microseconds that only ever grow, since some moment before the process began. */
uint64_t clock_steady_us(void);

/* Microseconds since 1970-01-01 00:00 UTC. */
uint64_t clock_wall_us(void);

#endif
