/* The growing string. Any thread, one at a time. */
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

void str_init(struct str *s, size_t limit)
{
	memset(s, 0, sizeof(*s));
	s->limit = limit;
}

void str_fini(struct str *s)
{
	mem_free(s->data);
	str_init(s, s->limit);
}

void str_clear(struct str *s)
{
	s->len = 0;
	s->failed = false;
	if (s->data != NULL)
		s->data[0] = '\0';
}

/* Makes room for `more` bytes and a NUL; false marks the string as failed. */
static bool str_grow(struct str *s, size_t more)
{
	size_t want;
	char *data;

	if (s->failed)
		return false;
	if (more > s->limit - s->len) {
		s->failed = true;
		return false;
	}
	if (s->len + more < s->capacity)
		return true;
	want = s->capacity < 64 ? 64 : s->capacity * 2;
	if (want < s->len + more + 1)
		want = s->len + more + 1;
	data = (char *)mem_resize(s->data, want);
	if (data == NULL) {
		s->failed = true;
		return false;
	}
	s->data = data;
	s->capacity = want;
	return true;
}

char *str_extend(struct str *s, size_t len)
{
	char *at;

	if (!str_grow(s, len))
		return NULL;
	at = s->data + s->len;
	s->len += len;
	s->data[s->len] = '\0';
	return at;
}

void str_add(struct str *s, const void *bytes, size_t len)
{
	char *at = str_extend(s, len);

	if (at != NULL && len > 0)
		memcpy(at, bytes, len);
}

void str_add_str(struct str *s, const char *text)
{
	str_add(s, text, strlen(text));
}

void str_add_char(struct str *s, char c)
{
	str_add(s, &c, 1);
}

void str_vprintf(struct str *s, const char *fmt, va_list args)
{
	va_list again;
	int need;

	va_copy(again, args);
	need = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (need < 0 || !str_grow(s, (size_t)need))
		return;
	vsnprintf(s->data + s->len, (size_t)need + 1, fmt, args);
	s->len += (size_t)need;
}

void str_printf(struct str *s, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	str_vprintf(s, fmt, args);
	va_end(args);
}

void str_cut_front(struct str *s, size_t len)
{
	if (len >= s->len) {
		str_clear(s);
		return;
	}
	memmove(s->data, s->data + len, s->len - len + 1);
	s->len -= len;
}

const char *str_text(const struct str *s)
{
	return s->data == NULL ? "" : s->data;
}

char *str_take(struct str *s)
{
	char *data = s->data;

	if (s->failed)
		return NULL;
	s->data = NULL;
	str_init(s, s->limit);
	return data;
}
