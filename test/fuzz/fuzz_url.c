/* Connection URLs. fuzz runs: 100000 */
#include "conf/url.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_copy(data, size, 1);
	struct conf_error why;
	struct config *c;

	memset(&why, 0, sizeof(why));
	if (conf_is_url(text)) {
		c = config_from_url(text, &why);
		HOLDS((c == NULL) == (why.text[0] != '\0'));
		config_unref(c);
	}
	free(text);
	return 0;
}
