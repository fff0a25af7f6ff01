/* What place.c needs of each system. */
#ifndef TEST_PLACE_SYSTEM_H
#define TEST_PLACE_SYSTEM_H

#include <stdbool.h>

/* Where temporary files go. */
const char *place_of_places(void);
bool place_system_mkdir(const char *path);
bool place_system_rmdir(const char *path);

#endif
