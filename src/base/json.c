/* JSON: strings with everything escaped that has to be, numbers that survive a double. Pure, any thread. */
#include "base/json.h"

#include <stdbool.h>
#include <string.h>

#include "base/printable.h"

#define SAFE_DIGITS "9007199254740991" /* 2⁵³ - 1 */

static bool is_markup(char c)
{
	return c == '<' || c == '>' || c == '&';
}

static void add_char(struct str *out, const char *at, struct printable_char c)
{
	if (c.kind == PRINTABLE_INVALID)
		str_add_str(out, "\\ufffd");
	else if (c.code < 0x20 || (c.code >= 0x7f && c.code < 0xa0) || is_markup(*at))
		str_printf(out, "\\u%04x", (unsigned)c.code);
	else if (*at == '"' || *at == '\\')
		str_printf(out, "\\%c", *at);
	else
		str_add(out, at, c.len);
}

void json_string(struct str *out, const char *text, size_t len)
{
	if (text == NULL) {
		str_add_str(out, "null");
		return;
	}
	str_add_char(out, '"');
	while (len > 0 && !out->failed) {
		struct printable_char c = printable_first(text, len);

		add_char(out, text, c);
		text += c.len;
		len -= c.len;
	}
	str_add_char(out, '"');
}

void json_text(struct str *out, const char *text)
{
	json_string(out, text, text == NULL ? 0 : strlen(text));
}

/* The digits of a number that JSON has, without a sign; 0: it is none. */
static size_t digits_of(const char *text, size_t len)
{
	bool leading_zero = len > 1 && text[0] == '0';

	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return 0;
	}
	return leading_zero ? 0 : len;
}

void json_number(struct str *out, const char *text, size_t len)
{
	const size_t safe = sizeof(SAFE_DIGITS) - 1;
	size_t sign = len > 0 && text[0] == '-';
	size_t n = digits_of(text + sign, len - sign);

	if (n > 0 && (n < safe || (n == safe && memcmp(text + sign, SAFE_DIGITS, safe) <= 0)))
		str_add(out, text, len);
	else
		json_string(out, text, len);
}
