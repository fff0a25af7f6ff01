/* Lists in one text, "a, b", as settings have them: the blanks around an item and empty items do not count. Pure, any
   thread. */
#ifndef BASE_COMMA_LIST_H
#define BASE_COMMA_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

/* The next item, inside the text, and `*list` moves behind it; false at the end. NULL is an empty list. */
bool comma_list_next(const char **list, const char **item, size_t *len) MUST_USE;

/* The same with a copy of the item, cut off where `size` bytes end. */
bool comma_list_copy_next(const char **list, char *item, size_t size) MUST_USE;

#endif
