/* Lists in one text. Pure, any thread. */
#include "base/comma_list.h"

#include <string.h>

bool comma_list_next(const char **list, const char **item, size_t *len)
{
	const char *at, *end;

	if (*list == NULL)
		return false;
	at = *list + strspn(*list, " \t,");
	end = at + strcspn(at, ",");
	*list = end;
	while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*item = at;
	*len = (size_t)(end - at);
	return end > at;
}

bool comma_list_copy_next(const char **list, char *item, size_t size)
{
	const char *at;
	size_t len;

	if (!comma_list_next(list, &at, &len))
		return false;
	if (len >= size)
		len = size - 1;
	memcpy(item, at, len);
	item[len] = '\0';
	return true;
}
