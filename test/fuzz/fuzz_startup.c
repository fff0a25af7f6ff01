/* First packets of connections. fuzz runs: 400000 */
#include "base/str.h"
#include "fuzz.h"
#include "wire/startup.h"

static bool take_setting(void *arg, const char *name, const char *value)
{
	size_t *total = (size_t *)arg;

	*total += strlen(name) + strlen(value);
	return true;
}

static void walk(const struct startup *s, const char *data, size_t size)
{
	const char *at = NULL;
	struct bytes name, value;
	size_t total = 0;
	struct str out;

	HOLDS(s->user.len > 0);
	while (startup_next_param(s, &at, &name, &value)) {
		HOLDS(name.data >= data && value.data + value.len < data + size);
		HOLDS(name.data[name.len] == '\0' && value.data[value.len] == '\0');
		if (bytes_are(name, "options"))
			(void)!startup_options(value.data, value.len, take_setting, &total);
	}
	str_init(&out, 1 << 20);
	if (startup_needs_negotiation(s))
		startup_write_negotiation(s, &out);
	HOLDS(!out.failed);
	str_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	char *data = fuzz_copy(input, size, 0);
	struct startup s;
	enum startup_problem why;
	char text[STARTUP_TEXT_BYTES];

	switch (startup_parse(data, size, &s, &why)) {
	case STARTUP_GOT:
		HOLDS(s.len <= size && s.len <= STARTUP_MAX_BYTES);
		if (s.kind == STARTUP_LOGIN)
			walk(&s, data, size);
		if (s.kind == STARTUP_CANCEL)
			HOLDS(s.key.data >= data && s.key.data + s.key.len <= data + size);
		break;
	case STARTUP_MORE:
		HOLDS(size < STARTUP_MAX_BYTES);
		break;
	case STARTUP_BAD:
		HOLDS(strlen(startup_problem_text(why, data, size, text)) < STARTUP_TEXT_BYTES);
		break;
	}
	free(data);
	return 0;
}
