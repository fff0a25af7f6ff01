/* Stored secrets: classified once, shared, wiped at the end. Any thread that has a reference. */
#include "auth/secret.h"

#include <stdatomic.h>
#include <string.h>

#include "auth/md5.h"
#include "base/mem.h"
#include "base/shared.h"

/* Immutable once published, but for `verifier`, which goes from NULL to its value at most once. */
struct secret {
	struct shared shared;
	enum secret_kind kind;
	_Atomic(struct scram_verifier *) verifier;
	size_t len;
	char text[]; /* NUL-terminated */
};

static void secret_free(struct shared *shared)
{
	struct secret *s = container_of(shared, struct secret, shared);
	struct scram_verifier *v = atomic_load(&s->verifier);

	if (v != NULL)
		mem_wipe(v, sizeof(*v));
	mem_free(v);
	mem_wipe(s->text, s->len);
	mem_free(s);
}

static struct scram_verifier *copy_verifier(const struct scram_verifier *from)
{
	struct scram_verifier *v = mem_new(struct scram_verifier);

	if (v != NULL)
		*v = *from;
	return v;
}

struct secret *secret_new(const char *text, size_t len)
{
	struct secret *s;
	struct scram_verifier parsed, *v = NULL;

	if (text == NULL)
		len = 0;
	s = (struct secret *)mem_alloc(sizeof(*s) + len + 1);
	if (s == NULL)
		return NULL;
	shared_init(&s->shared, secret_free);
	s->len = len;
	if (len > 0)
		memcpy(s->text, text, len);
	s->kind = secret_classify(s->text);
	if (s->kind == SECRET_SCRAM && scram_verifier_parse(&parsed, text, len)) {
		v = copy_verifier(&parsed);
		if (v == NULL) {
			secret_unref(s);
			return NULL;
		}
	}
	atomic_store(&s->verifier, v);
	return s;
}

struct secret *secret_ref(struct secret *s)
{
	if (s != NULL)
		shared_ref(&s->shared);
	return s;
}

void secret_unref(struct secret *s)
{
	if (s != NULL)
		shared_unref(&s->shared);
}

enum secret_kind secret_kind(const struct secret *s)
{
	return s == NULL ? SECRET_NONE : s->kind;
}

const char *secret_kind_text(enum secret_kind kind)
{
	switch (kind) {
	case SECRET_NONE:
		return "no password";
	case SECRET_PLAIN:
		return "a plain password";
	case SECRET_MD5:
		return "an MD5 hash";
	case SECRET_SCRAM:
		return "a SCRAM verifier";
	}
	return "";
}

const char *secret_text(const struct secret *s)
{
	return s == NULL ? "" : s->text;
}

size_t secret_len(const struct secret *s)
{
	return s == NULL ? 0 : s->len;
}

const struct scram_verifier *secret_verifier(const struct secret *s)
{
	return s == NULL ? NULL : atomic_load_explicit(&s->verifier, memory_order_acquire);
}

void secret_remember(struct secret *s, const struct scram_verifier *derived)
{
	struct scram_verifier *none = NULL, *v;

	if (s == NULL || s->kind != SECRET_PLAIN || secret_verifier(s) != NULL)
		return;
	v = copy_verifier(derived);
	if (v != NULL && !atomic_compare_exchange_strong(&s->verifier, &none, v)) {
		mem_wipe(v, sizeof(*v));
		mem_free(v);
	}
}
