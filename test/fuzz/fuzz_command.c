/* What is typed on the console. fuzz runs: 400000 */
#include "admin/parse.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_copy(data, size, 1);
	struct parsed p;

	if (command_parse(text, &p) == PARSE_GOT) {
		HOLDS(strlen(p.name) <= PARSE_NAME_MAX);
		HOLDS(strlen(p.argument) <= PARSE_ARGUMENT_MAX && strlen(p.value) <= PARSE_VALUE_MAX);
		HOLDS(p.has_argument || p.argument[0] == '\0');
		HOLDS(!p.has_value || p.has_argument);
	}
	free(text);
	return 0;
}
