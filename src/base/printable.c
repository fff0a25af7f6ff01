/* Text from elsewhere, made harmless character by character. Pure, any thread. */
#include "base/printable.h"

#include <string.h>

#define MARK "..."
#define MARK_BYTES (sizeof(MARK) - 1)

/* Smallest code point that needs this many bytes: shorter forms of others are no UTF-8. */
static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};

static size_t length_by_first(unsigned char c)
{
	if (c < 0x80)
		return 1;
	if (c >= 0xC2 && c < 0xE0)
		return 2;
	if (c >= 0xE0 && c < 0xF0)
		return 3;
	return c >= 0xF0 && c < 0xF5 ? 4 : 0;
}

/* Bytes of the character that begins here, its code point in `code`; 0: this is no UTF-8. */
static size_t decode(const char *at, size_t len, uint32_t *code)
{
	size_t n = len == 0 ? 0 : length_by_first((unsigned char)at[0]);

	if (n == 0 || n > len)
		return 0;
	*code = (unsigned char)at[0];
	if (n > 1)
		*code &= 0xFFu >> (n + 1);
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)at[i] & 0xC0) != 0x80)
			return 0;
		*code = *code << 6 | ((unsigned char)at[i] & 0x3F);
	}
	return *code < least[n] || (*code >= 0xD800 && *code < 0xE000) || *code > 0x10FFFF ? 0 : n;
}

static bool is_space(uint32_t code)
{
	return code == '\t' || code == '\n' || code == '\r' || code == 0x2028 || code == 0x2029;
}

/* Controls, and what makes text read in another order than it is written. */
static bool is_harmful(uint32_t code)
{
	return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x061C || (code >= 0x200B && code <= 0x200F) ||
	       (code >= 0x202A && code <= 0x202E) || (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF;
}

struct printable_char printable_first(const char *at, size_t len)
{
	uint32_t code = 0;
	size_t n = decode(at, len, &code);
	enum printable_kind kind = is_space(code)     ? PRINTABLE_SPACE
	                           : is_harmful(code) ? PRINTABLE_HARMFUL
	                                              : PRINTABLE_PLAIN;

	if (n == 0)
		return (struct printable_char){PRINTABLE_INVALID, 0, 1};
	return (struct printable_char){kind, code, n};
}

/* What stands for it: its bytes in `shown`, from `at` if it is shown as it is. */
static size_t show(const char *at, struct printable_char c, const char **shown)
{
	*shown = c.kind == PRINTABLE_PLAIN ? at : c.kind == PRINTABLE_SPACE ? " " : "?";
	return c.kind == PRINTABLE_PLAIN ? c.len : 1;
}

void printable_add(struct str *out, const char *text, size_t len)
{
	size_t from = out->len;

	while (len > 0 && !out->failed) {
		struct printable_char c = printable_first(text, len);
		const char *shown;
		size_t n = show(text, c, &shown);

		if (out->len - from + c.len > PRINTABLE_MAX_BYTES) {
			str_add_str(out, "… (cut)");
			return;
		}
		str_add(out, shown, n);
		text += c.len;
		len -= c.len;
	}
}

void printable_copy(char *out, size_t size, const char *text)
{
	size_t len = text == NULL ? 0 : strlen(text), n = 0, cut = 0; /* cut: where the mark would go */

	while (len > 0) {
		struct printable_char c = printable_first(text, len);
		const char *shown;
		size_t more = show(text, c, &shown);

		if (n + more + 1 > size) {
			memcpy(out + cut, MARK, MARK_BYTES);
			n = cut + MARK_BYTES;
			break;
		}
		memcpy(out + n, shown, more);
		n += more;
		if (n + MARK_BYTES + 1 <= size)
			cut = n;
		text += c.len;
		len -= c.len;
	}
	out[n] = '\0';
}

bool printable_is(const char *text)
{
	size_t len = strlen(text), at = 0;

	while (at < len) {
		struct printable_char c = printable_first(text + at, len - at);

		if (c.kind != PRINTABLE_PLAIN)
			return false;
		at += c.len;
	}
	return len <= PRINTABLE_MAX_BYTES;
}
