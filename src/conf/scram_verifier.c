/* Reads stored SCRAM verifiers. Pure, any thread. */
#include "conf/scram_verifier.h"

#include <string.h>

#include "base/base64.h"

bool scram_read_number(const char *text, size_t len, uint32_t max, uint32_t *number)
{
	uint64_t n = 0;

	if (len == 0 || len > 10 || text[0] == '0')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(text[i] - '0');
	}
	if (n > max)
		return false;
	*number = (uint32_t)n;
	return true;
}

bool scram_read_salt(const char *text, size_t len, struct scram_salt *salt)
{
	size_t salt_len;

	if (!base64_read(text, len, salt->bytes, sizeof(salt->bytes), &salt_len) || salt_len == 0)
		return false;
	salt->len = (uint32_t)salt_len;
	return true;
}

bool scram_read_key(const char *text, size_t len, uint8_t key[SHA256_BYTES])
{
	size_t key_len;

	return base64_read(text, len, key, SHA256_BYTES, &key_len) && key_len == SHA256_BYTES;
}

/* A piece of text. */
struct piece {
	const char *at;
	size_t len;
};

/* Cuts `rest` at the first `separator`: the part before it, and what is behind it stays in `rest`. */
static bool cut(struct piece *rest, char separator, struct piece *part)
{
	const char *at = (const char *)memchr(rest->at, separator, rest->len);

	if (at == NULL)
		return false;
	*part = (struct piece){rest->at, (size_t)(at - rest->at)};
	rest->len -= part->len + 1;
	rest->at = at + 1;
	return true;
}

bool scram_verifier_parse(struct scram_verifier *v, const char *text, size_t len)
{
	static const size_t prefix_len = sizeof(SCRAM_VERIFIER_PREFIX) - 1;
	struct piece rest, iterations, salt, key;

	memset(v, 0, sizeof(*v));
	if (len < prefix_len || memcmp(text, SCRAM_VERIFIER_PREFIX, prefix_len) != 0)
		return false;
	rest = (struct piece){text + prefix_len, len - prefix_len};
	return cut(&rest, ':', &iterations) && cut(&rest, '$', &salt) && cut(&rest, ':', &key) &&
	       scram_read_number(iterations.at, iterations.len, INT32_MAX, &v->salt.iterations) &&
	       scram_read_salt(salt.at, salt.len, &v->salt) && scram_read_key(key.at, key.len, v->stored_key) &&
	       scram_read_key(rest.at, rest.len, v->server_key);
}
