/* User lists. fuzz runs: 400000 */
#include "conf/userlist.h"
#include "fuzz.h"

static bool take_user(void *context, const char *name, const char *secret, unsigned line, struct conf_error *why)
{
	unsigned *last = (unsigned *)context;

	(void)why;
	HOLDS(line >= *last);
	*last = line;
	HOLDS(strlen(name) < 1 << 20);
	(void)secret_classify(secret);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *content = fuzz_copy(data, size, 1);
	struct conf_error why;
	unsigned line = 0;

	memset(&why, 0, sizeof(why));
	if (!userlist_parse(content, size, "userlist.txt", take_user, &line, &why))
		HOLDS(why.text[0] != '\0');
	free(content);
	return 0;
}
