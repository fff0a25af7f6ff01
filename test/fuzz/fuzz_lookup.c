/* An answer to auth_query: first byte: the size of pieces it comes in (0: whole), then the answer. fuzz runs: 200000 */
#include "auth/lookup.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum lookup_result result = LOOKUP_MORE;
	size_t at = 0, piece, used;
	struct lookup l;

	if (size == 0)
		return 0;
	piece = data[0] == 0 ? size : data[0];
	data++;
	size--;
	lookup_init(&l);
	for (size_t end = 0; result == LOOKUP_MORE && end < size;) {
		char *copy;
		size_t len;

		end = size - end > piece ? end + piece : size;
		len = end - at;
		copy = (char *)malloc(len + 1);
		HOLDS(copy != NULL);
		memcpy(copy, data + at, len);
		result = lookup_take(&l, copy, len, &used);
		free(copy);
		HOLDS(used <= len && (result != LOOKUP_MORE || len - used < FRAME_HEADER_BYTES));
		HOLDS(l.body.len <= 66000 && l.row.len <= 66000);
		at += used;
	}
	if (result == LOOKUP_FOUND) {
		size_t name = strlen(l.name);

		HOLDS(name > 0 && name <= LOOKUP_MAX_NAME_BYTES);
		HOLDS(l.secret == NULL || strlen(l.secret) == l.secret_len);
	}
	HOLDS(failure_is_set(&l.why) || result == LOOKUP_FOUND || result == LOOKUP_NOBODY || result == LOOKUP_MORE);
	lookup_fini(&l);
	return 0;
}
